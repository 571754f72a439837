#!/bin/bash
# scripts/test.sh [--no-install]: installs what is missing to build and test mphost (Debian 12, as root
# or through sudo), builds it, runs the specs, does the same again with AddressSanitizer and UBSan,
# builds with clang and fuzzes the decoder for 30 s. The last line is "N passed, N failed": cases of
# all runs. Longer ones: ctest --test-dir build -L soak, ctest --test-dir build/clang -L soak.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1-} in
--no-install) install=no ;;
--help) sed -n '2,5s/^# //p' "$0" && exit ;;
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

# check NAME DIR LABEL CMAKE-ARGUMENT...: builds everything in DIR and runs its specs: those of the
# label; '': all but the soak and what only clang can build.
check() {
  local name=$1 dir=$2 good bad rc=0 which=(-LE '^(soak|fuzz)$')
  [[ -n $3 ]] && which=(-L "^$3\$")
  shift 3
  say "$name: building into $dir"
  if ! build "$dir" all -DMPHOST_WERROR=ON -DMPHOST_SPECS=ON "$@"; then
    failed=$((failed + 1))
    return
  fi
  say "$name: running the specs"
  rm -f "$dir/Testing/Temporary/LastTest.log"
  ctest --test-dir "$dir" "${which[@]}" --output-on-failure --no-tests=error </dev/null |
    sed '/% tests passed/d' >&2 || rc=$?
  read -r good bad < <(count_cases "$dir/Testing/Temporary/LastTest.log")
  ((rc == 0 || bad)) || bad=1 # ctest itself went wrong
  say "$name: $good cases good, $bad bad"
  # What a spec has to say though it is good, which ctest keeps to itself.
  sed -n 's/^note: /    /p' "$dir/Testing/Temporary/LastTest.log" >&2
  passed=$((passed + good)) failed=$((failed + bad))
}

need "${build_packages[@]}" lua5.4 lua-busted lua-check libcmocka-dev valgrind python3 clang libclang-rt-dev spin \
  tmux mandoc lua-filesystem lua-cjson lua-lpeg lua-luv
check plain "$top/build" ''
check asan "$top/build/asan" '' -DMPHOST_SANITIZE=address,undefined
check clang "$top/build/clang" fuzz -DCMAKE_C_COMPILER=clang

printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
