#!/usr/bin/env bash
# Installs what is missing, builds chatscale in every way, and passes all tests.
#   ./test.sh                 everything, some 20 minutes on two cores
#   ./test.sh release lint    only these parts, of: release lint asan tsan fuzz
# release  all tests, optimized as users get it      lint  layers, borders, shape, format, names
# asan     unit to parallel, address and undefined behaviour sanitizers
# tsan     the parallel tests under the thread sanitizer
# fuzz     each fuzz target for CHATSCALE_FUZZ_SECONDS (20)
# The last line counts tests over all builds. Status: 0 if none failed, 1 if any did, 2 for a wrong argument.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
. ./setup.sh

parts=("$@")
[ $# -gt 0 ] || parts=(release lint asan tsan fuzz)
for part in "${parts[@]}"; do
    case $part in
    release | lint | asan | tsan | fuzz) ;;
    *) echo "test.sh: no part '$part'; there are: release lint asan tsan fuzz" >&2; exit 2 ;;
    esac
done
setup "${packages_build[@]}" "${packages_test[@]}"

# Sanitizers need their shadow memory's addresses free, which many bits of address randomization deny them.
calm=()
! setarch -R true 2>/dev/null || calm=(setarch -R)

passed=0 failed=0 table=

# The value of an attribute of the first element of a JUnit file.
junit() {
    tr '\n' ' ' <"$2" | sed -E "s/.*<testsuite[^>]*[[:space:]]$1=\"([0-9]+)\".*/\1/"
}

# part NAME PRESET TARGETS CTEST-ARGUMENT...: builds, tests, counts. A build that fails counts as one failure.
part() {
    local name=$1 preset=$2 targets=$3 start=$SECONDS junit=$PWD/build/$1.xml ok=0 bad=0 left=0 status=0 built=ok
    shift 3
    printf '\n== %s\n' "$name"
    rm -f "$junit"
    # shellcheck disable=SC2086
    if build "$preset" $targets; then
        "${calm[@]}" ctest --preset "$preset" --output-junit "$junit" -j "$(nproc)" "$@" || status=$?
        if [ -e "$junit" ]; then
            bad=$(junit failures "$junit")
            left=$(($(junit skipped "$junit") + $(junit disabled "$junit")))
            ok=$(($(junit tests "$junit") - bad - left))
        fi
        # Tests that could not be started, or none at all, are failures too.
        if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=$((left > 0 ? left : 1)) left=0; fi
    else
        built=failed bad=1
    fi
    passed=$((passed + ok)) failed=$((failed + bad))
    table+=$(printf '%-9s %-7s %7d %7d %8d %8d' "$name" "$built" "$ok" "$bad" "$left" $((SECONDS - start)))$'\n'
}

for part in "${parts[@]}"; do
    case $part in
    release) part release release "" -LE '^lint$' ;;
    lint) part lint release "sim core client infra models" -L '^lint$' ;;
    asan) part asan asan "chatscale tests_unit tests_formula tests_judge tests_swarm tests_parallel" ;;
    tsan) part tsan tsan "chatscale tests_parallel" ;;
    fuzz) part fuzz fuzz "" ;;
    esac
done

printf '\n%-9s %-7s %7s %7s %8s %8s\n%s' part build passed failed skipped seconds "$table"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
