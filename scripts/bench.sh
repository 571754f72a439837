#!/bin/bash
# scripts/bench.sh [--no-install] [--quick] [--rounds N] [--json FILE] [--html FILE] [--readme] [work…]:
# installs what is missing (Debian 12, as root or through sudo), builds mphost and the C twins into build/
# and runs the works (all, or those named: scripts/bench/NAME.lua) in turns with Python's multiprocessing,
# Debian's Lua libraries and plain C. Prints one table; --html draws it, --readme writes it into README.md.
# N is 5; all works five times take about 15 minutes on an idle machine of two CPUs. --quick does a twentieth
# of the work, once: whether all of it runs.
# scripts/bench.sh --baseline counts instructions instead and writes scripts/bench/baseline.json, to which
# scripts/test.sh compares.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

refuse() { # what is asked for makes no sense: before anything is built
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

baseline=no
options=()
while (($#)); do
  case $1 in
  --no-install) install=no ;;
  --help) sed -n '2,9s/^# //p' "$0" && exit ;;
  --baseline) baseline=yes ;;
  --json | --html)
    [[ -n ${2-} && $2 != -* ]] || refuse "$1 needs a file"
    options+=("$1" "$(realpath -m -- "$2")") && shift
    ;;
  --rounds)
    [[ ${2-} =~ ^0*[1-9][0-9]*$ ]] || refuse "--rounds needs a whole number from 1 on"
    options+=("$1" "$2") && shift
    ;;
  --quick) options+=("$1") ;;
  --readme) options+=(--readme "$top/README.md") ;;
  -*) refuse "unknown option '$1'" ;;
  *)
    [[ -f $top/scripts/bench/$1.lua ]] || refuse "no work '$1': there is no scripts/bench/$1.lua"
    options+=("$1")
    ;;
  esac
  shift
done
[[ $baseline == no || ${#options[@]} == 0 ]] || refuse "--baseline is all or nothing: it goes with nothing else"

if [[ $baseline == yes ]]; then
  need "${build_packages[@]}" valgrind lua-dkjson
else
  need "${build_packages[@]}" python3 lua5.4 lua5.3 lua-luv lua-posix lua-cqueues lua-cjson lua-mpack \
    lua-messagepack lua-dkjson
fi
say "building into $top/build"
build "$top/build" "mphost bench_leash" || die "mphost does not build"
cd "$top"
if [[ $baseline == yes ]]; then
  exec build/mphost scripts/bench/tool/count.lua --write scripts/bench/baseline.json
fi
build "$top/build" bench || die "the C twins do not build"
exec build/mphost scripts/bench/tool/run.lua --build build --python /usr/bin/python3 "${options[@]}"
