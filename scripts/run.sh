#!/bin/bash
# scripts/run.sh [--no-install] [options] [script.lua [args]]: installs what is missing to build mphost
# (Debian 12, as root or through sudo), builds it into build/ and runs the script with it; without
# one, scripts/wordcount.lua. The exit code is the script's.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1-} in
--no-install) install=no && shift ;;
--help) sed -n '2,4s/^# //p' "$0" && exit ;;
esac
((${#})) || set -- "$top/scripts/wordcount.lua"

need "${build_packages[@]}"
say "building into ${top}/build"
build "$top/build" "mphost libmphost libmphost_static mphost_module" || die "mphost does not build"
say "running $*"
exec "$top/build/mphost" "$@"
