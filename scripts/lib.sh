# shellcheck shell=bash
# What run.sh and test.sh share: installing by apt, building, talking. Sourced, not run.
# Everything that is said goes to stderr: stdout belongs to the script that is run.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
install=yes

say() {
  printf '==> %s\n' "$*" >&2
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# quietly LOG COMMAND...: runs the command with its output in LOG, shown only if it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null && return
  cat "$log" >&2
  say "failed: $*"
  return 1
}

is_installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "$@"
}

# need PACKAGE...: installs those that are missing. The package lists are fetched only if apt cannot
# do it with the ones it has.
need() {
  local missing=() package
  command -v dpkg-query >/dev/null || die "needs Debian: dpkg is not there to look for: $*"
  for package; do
    is_installed "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  [[ $install == yes ]] || die "missing (and --no-install was given): ${missing[*]}"
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "not root and no sudo; as root: apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${missing[*]}"
  local log=$top/build/apt.log
  mkdir -p "$top/build"
  apt_install "${missing[@]}" >"$log" 2>&1 </dev/null && return
  say "fetching the package lists"
  if ! quietly "$log" as_root apt-get update || ! quietly "$log" apt_install "${missing[@]}"; then
    die "apt could not install ${missing[*]}"
  fi
}

# build DIR TARGETS CMAKE-ARGUMENT...: configures DIR and builds the targets (one word list) there.
build() {
  local dir=$1 targets
  read -ra targets <<<"$2"
  shift 2
  quietly "$dir/configure.log" cmake -S "$top" -B "$dir" "$@" &&
    quietly "$dir/build.log" cmake --build "$dir" --target "${targets[@]}" -j "$(nproc)"
}

# shellcheck disable=SC2034 # used by those who source this
build_packages=(gcc libc6-dev make cmake pkg-config liblua5.4-dev libedit-dev)
