#!/usr/bin/env bash
# The whole simulated system with contents and faults, seed after seed: the judge reads every screen, and a
# broken guarantee is a failure. By each kind of routing, and by polls.
# Usage: test_contents.sh CHATSCALE (or $CHATSCALE); SEEDS, FIRST: which.
set -euo pipefail
chatscale=${1:-${CHATSCALE:?the program}}
first=${FIRST:-1}
count=${SEEDS:-12}
[ -z "${CHATSCALE_QUICK:-}" ] || count=3
for seed in $(seq "$first" $((first + count - 1))); do
    for way in routing=sticky routing=redis routing=kafka client.transport=polling client.transport=long_polling; do
        set -- run scenarios/contents-faults.json --seed "$seed" --set $way
        if ! "$chatscale" "$@" >"${TMPDIR:-/tmp}/contents.$$" 2>&1; then
            cat "${TMPDIR:-/tmp}/contents.$$"
            echo "repeat: chatscale $*" >&2
            rm -f "${TMPDIR:-/tmp}/contents.$$"
            exit 1
        fi
    done
done
rm -f "${TMPDIR:-/tmp}/contents.$$"
echo "$count seeds from $first, three kinds of routing and two of polls: every guarantee kept"
