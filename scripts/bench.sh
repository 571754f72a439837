#!/bin/bash
# scripts/bench.sh [--no-install] [--quick] [--rounds N] [--json FILE] [--html FILE] [--readme] [work…]:
# installs what is missing (Debian 12, as root or through sudo), builds mphost and the C twins into build/
# and runs the works (all, or those named: scripts/bench/NAME.lua) in turns with Python's multiprocessing,
# Debian's Lua libraries and plain C. Prints one table; --html draws it, --readme writes it into README.md.
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
  --help) sed -n '2,7s/^# //p' "$0" && exit ;;
  --baseline) baseline=yes ;;
  --json | --html)
    [[ -n ${2-} && $2 != -* ]] || refuse "$1 needs a file"
    options+=("$1" "$(realpath -m -- "$2")") && shift
    ;;
  --readme) options+=(--readme "$top/README.md") ;;
  *) options+=("$1") ;;
  esac
  shift
done

if [[ $baseline == yes ]]; then
  need "${build_packages[@]}" valgrind lua-dkjson
else
  need "${build_packages[@]}" python3 lua5.4 lua5.3 lua-luv lua-posix lua-cqueues lua-cjson lua-mpack \
    lua-messagepack lua-dkjson
fi
say "building into $top/build"
build "$top/build" mphost || die "mphost does not build"
cd "$top"
if [[ $baseline == yes ]]; then
  exec build/mphost scripts/bench/tool/count.lua --write scripts/bench/baseline.json
fi
build "$top/build" bench || die "the C twins do not build"
exec build/mphost scripts/bench/tool/run.lua --build build --python /usr/bin/python3 "${options[@]}"
