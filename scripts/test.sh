#!/bin/bash
# scripts/test.sh [--no-install]: installs what is missing to build and test mphost (Debian 12, as root
# or through sudo), builds it, runs every spec, does the same again with AddressSanitizer and UBSan,
# and compiles with clang if it is there. The last line is "N passed, N failed": cases of all runs.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1-} in
--no-install) install=no ;;
--help) sed -n '2,4s/^# //p' "$0" && exit ;;
'') ;;
*) die "unknown option '$1'" ;;
esac

passed=0 failed=0

# Counts the cases in ctest's log: busted's and cmocka's own counts. A test without counts is one
# case, a failed one without failed cases (a crash, a timeout) has one failed case.
count_cases() {
  [[ -f $1 ]] || { echo 0 1; return; } # ctest could not run at all
  awk '
    /^[0-9]+\/[0-9]+ Test: / { good = bad = 0; ok = 0 }
    /^[0-9]+ success(es)? \/ [0-9]+ failures? \/ [0-9]+ errors? \// { good += $1; bad += $4 + $7 }
    /^\[  PASSED  \] [0-9]+ test/ { good += $4 }
    /^\[  FAILED  \] [0-9]+ test/ { bad += $4 }
    /^Test Passed\.$/ { ok = 1 }
    / end time: / {
      if (!ok && !bad) bad = 1
      if (ok && !good) good = 1
      passed += good; failed += bad
    }
    END { print passed + 0, failed + 0 }' "$1"
}

# check NAME DIR CMAKE-ARGUMENT...: builds everything in DIR and runs its specs.
check() {
  local name=$1 dir=$2 good bad rc=0
  shift 2
  say "$name: building into $dir"
  if ! build "$dir" all -DMPHOST_WERROR=ON -DMPHOST_SPECS=ON "$@"; then
    failed=$((failed + 1))
    return
  fi
  say "$name: running the specs"
  rm -f "$dir/Testing/Temporary/LastTest.log"
  ctest --test-dir "$dir" -LE '^soak$' --output-on-failure --no-tests=error </dev/null |
    sed '/% tests passed/d' >&2 || rc=$?
  read -r good bad < <(count_cases "$dir/Testing/Temporary/LastTest.log")
  ((rc == 0 || bad)) || bad=1 # ctest itself went wrong
  say "$name: $good cases good, $bad bad"
  passed=$((passed + good)) failed=$((failed + bad))
}

need "${build_packages[@]}" lua5.4 lua-busted lua-check libcmocka-dev
check plain "$top/build"
check asan "$top/build/asan" -DMPHOST_SANITIZE=address,undefined
if command -v clang >/dev/null; then
  say "clang: compiling into $top/build/clang"
  build "$top/build/clang" all -DMPHOST_WERROR=ON -DMPHOST_SPECS=ON -DCMAKE_C_COMPILER=clang ||
    failed=$((failed + 1))
else
  say "clang: not installed, skipped (apt-get install clang)"
fi

printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
