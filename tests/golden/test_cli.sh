#!/usr/bin/env bash
# The command line as a user meets it: exit statuses, messages, what comes to stand where.
# CHATSCALE is the binary; runs in the root of the repository.
set -uo pipefail
: "${CHATSCALE:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tiny=scenarios/tiny.json
short=(--set run.duration=1s --set run.drain=0 --threads 1)
passed=0 failed=0

fault() {
    echo "FAILED: $1" >&2
    [ -z "${2:-}" ] || { echo "repeat: $2"; head -c 2000 "$work/out" "$work/err"; } >&2
    failed=$((failed + 1))
}

# expect STATUS 'TEXT on stdout or stderr' ARGUMENT...: runs chatscale; the output is left in out and err.
expect() {
    local status=$1 text=$2 found=0
    shift 2
    "$CHATSCALE" "$@" >"$work/out" 2>"$work/err" || found=$?
    if [ "$found" != "$status" ]; then fault "status $found instead of $status" "chatscale $*"
    elif [ -n "$text" ] && ! grep -qF -- "$text" "$work/out" "$work/err"; then fault "says no '$text'" "chatscale $*"
    else passed=$((passed + 1)); fi
}

# holds 'WHAT' COMMAND...
holds() {
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else fault "$what: $*"; fi
}
silent() { [ ! -s "$work/$1" ]; }
no_escape() { ! grep -q $'\033' "$work/out" "$work/err"; }

# -- Usage
expect 2 'Usage: chatscale COMMAND'
expect 0 'Usage: chatscale COMMAND' --help
version=$(sed -n 's/^project(chatscale VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
expect 0 "chatscale $version" --version
expect 2 'did you mean run?' rnu
expect 2 'there is no command "frobnicate"' frobnicate
expect 0 'Usage: chatscale run' run --help
expect 2 'which scenario?' run
expect 2 "chatscale run: unrecognized option '--frob'" run $tiny --frob
expect 2 '--threads takes a whole number from 1 to 64, not "0"' run $tiny --threads 0
expect 2 '--threads takes a whole number from 1 to 64, not "2x"' run $tiny --threads 2x
expect 2 '--seed takes a whole number from 0 to 18446744073709551615, not "-1"' run $tiny --seed -1
expect 2 '--seed takes' run $tiny --seed 18446744073709551616
expect 2 '--scheduler is plain or windows, not "fast"' run $tiny --scheduler fast
expect 2 '--out takes a directory' run $tiny --out ''

# -- Bad scenarios
expect 2 "$work/none.json" run "$work/none.json"
printf '{"kafka": {"broker": 3}}' >"$work/bad.json"
expect 2 'bad.json:1:12: $.kafka.broker: ' run "$work/bad.json" --out "$work/never"
holds 'nothing is left of a refused run' [ ! -e "$work/never" ]
expect 2 '$.kafka.brokers' run $tiny --set kafka.brokers=none
expect 2 "$work/bad.json" run $tiny "$work/bad.json" --quiet
holds 'nothing runs before all is checked' silent out

# -- Memory
expect 0 '' run $tiny --memory-needed
bytes=$(cat "$work/out")
holds 'bytes and nothing else' [ "$bytes" -gt 1000000 ]
holds 'no words with it' silent err
expect 0 '' run $tiny scenarios/moderate.json --memory-needed
holds 'the largest of several' [ "$(cat "$work/out")" -gt "$bytes" ]
ulimit -S -v 300000 # kB of address space: less than that scenario needs.
expect 1 'moderate needs ' run scenarios/moderate.json --out "$work/never"
ulimit -S -v unlimited
holds 'what there is' grep -q 'and 293 MiB is available; remedies:' "$work/err"
holds 'the remedy is a sample' grep -q 'simulate a sample: --set run.fidelity=0' "$work/err"
holds 'nothing is left of a refused run' [ ! -e "$work/never" ]

# -- A run
expect 0 'needs ' run $tiny "${short[@]}" --out "$work/a/b"
holds 'the file is there' [ -s "$work/a/b/result.json" ]
holds 'and whole' [ "$(ls -A "$work/a/b" | paste -sd' ')" = \
    'counters.csv junit.xml report.html result.json series.csv stages.csv summary.md tiers.csv' ]
holds 'a screen of 50 lines' [ "$(wc -l <"$work/out")" -le 50 ]
holds 'no colours, no animation' no_escape
expect 2 'already filled, it holds result.json; remedy:' run $tiny --out "$work/a/b"
expect 2 'already filled, it holds b' run $tiny --out "$work/a"
expect 2 'Not a directory' run $tiny --out "$work/bad.json"
mkdir "$work/empty"
expect 0 '' run $tiny "${short[@]}" --quiet --out "$work/empty"
holds 'quiet says nothing' silent err
holds 'quiet shows nothing' silent out
expect 0 '' run $tiny "${short[@]}" --quiet --json
cp "$work/out" "$work/one.json"
without_host() { sed '/^  "host": {/,/^  }/d' "$1" | cmp -s - <(sed '/^  "host": {/,/^  }/d' "$2"); }
holds 'the file is what --json prints' without_host "$work/one.json" "$work/empty/result.json"
expect 0 '' run $tiny "${short[@]}" --quiet --json --seed 18446744073709551615
holds 'the seed is a text' grep -qF '"seed": "18446744073709551615"' "$work/out"
holds 'another seed, another result' [ "$(cmp "$work/out" "$work/one.json" | wc -l)" = 1 ]

# -- Several
cat >"$work/two.json" <<END
{"extends": "$PWD/$tiny", "variants": [{"name": "sticky", "routing": "sticky"}, {"name": "redis", "routing": "redis"}]}
END
expect 0 '' run "$work/two.json" "${short[@]}" --quiet --out "$work/two"
holds 'a folder for each variant' [ "$(cd "$work/two" && find . -name result.json | sort | paste -sd' ')" = './redis/result.json ./sticky/result.json' ]
expect 0 '' run $tiny "$work/two.json" "${short[@]}" --quiet --json --out "$work/three"
holds 'a folder for each scenario' [ "$(cd "$work/three" && find . -name result.json | sort | paste -sd' ')" = \
    './tiny/result.json ./two/redis/result.json ./two/sticky/result.json' ]
holds 'an array of three' python3 -c 'import json, sys; sys.exit(len(json.load(open(sys.argv[1]))) != 3)' "$work/out"
expect 2 'are both called tiny' run $tiny $tiny --out "$work/never"

# -- Nowhere to write
if [ -w /dev/full ]; then
    "$CHATSCALE" run $tiny "${short[@]}" --quiet --json >/dev/full 2>"$work/err"
    holds 'a full disk is status 1' [ $? = 1 ]
    holds 'and is said' grep -q 'No space left on device' "$work/err"
fi
expect 1 "can't be made" run $tiny --out /proc/nowhere/a

# -- Interrupted: SIGTERM, since a shell's background ignores SIGINT
"$CHATSCALE" run $tiny --set run.duration=30d --threads 1 --out "$work/partial" >"$work/out" 2>"$work/err" &
process=$!
# Until it catches SIGTERM, bit 14 of the mask: then it is built, and runs.
catches() { grep -qE '^SigCgt:.*[4-7c-f][0-9a-f]{3}$' /proc/$process/status; }
for ((i = 0; i < 300; i++)); do
    ! catches || break
    sleep 0.1
done
sleep 0.5
kill -TERM $process
status=0
wait $process || status=$?
holds 'interrupted is status 130' [ $status = 130 ]
holds 'with what there was' grep -q '"partial": true' "$work/partial/result.json"
holds 'said on the screen' grep -q '^PARTIAL: interrupted at ' "$work/out"

# -- Budgets and claims
budget() { printf '{"extends": "%s/scenarios/tiny.json", "budgets": ["%s"]%s}' "$PWD" "$1" "${2:-}" >"$work/budget.json"; }
budget 'delivery.mean < 30 s'
expect 0 'pass' run "$work/budget.json" "${short[@]}"
budget 'delivery.mean < 1 us'
expect 3 'FAIL' run "$work/budget.json" "${short[@]}"
holds 'value, limit and margin' grep -qE 'delivery.mean +< 1 us: [0-9.]+ ms.*beyond it' "$work/out"
expect 7 '' run "$work/budget.json" "${short[@]}" --budget-exit-code 7 --quiet
expect 3 '"status": "fail"' run "$work/budget.json" "${short[@]}" --json
expect 2 '--budget-exit-code takes a whole number from 0 to 255' run $tiny --budget-exit-code x
budget 'poll.p99 < 1 h'
expect 3 'NO DATA' run "$work/budget.json" "${short[@]}"
budget 'delivery.p9 < 1 s'
expect 2 'budget.json:1:' check "$work/budget.json"
expect 2 'did you mean "delivery.p90"?' run "$work/budget.json"
budget 'online > 0' ', "claims": [{"id": "chat_servers", "value": "3"}, {"id": "storage_per_day", "value": "1 kB"}]'
expect 0 'holds    chat_servers' run "$work/budget.json" "${short[@]}"
holds 'a claim that fails is a finding' grep -q 'FAILS    storage_per_day' "$work/out"
budget 'online > 0' ', "gateway": {"connections_max": 20}, "claims": [{"id": "chat_servers", "value": "3"}]'
expect 0 'Checked: ' run "$work/budget.json" "${short[@]}"
holds 'the further run is told' grep -qF -- '--set gateway.servers=' "$work/out"
expect 0 'by formula 200%' run "$work/budget.json" "${short[@]}" --explain
expect 0 'FAILS    chat_servers' run "$work/budget.json" "${short[@]}" --no-check
holds 'no further run' sh -c "! grep -q Checked '$work/out'"

# -- Comparison
small=(scenarios/small.json --quiet --set run.duration=2s --set run.drain=0)
expect 0 '' run "${small[@]}" --out "$work/base"
expect 0 '' run "${small[@]}" --out "$work/same" --threads 2
expect 0 '' run "${small[@]}" --out "$work/slow" --set kafka.linger=50ms
expect 0 '0 worse, 0 better' compare "$work/base/result.json" "$work/same/result.json"
expect 2 'the plans differ' compare "$work/base/result.json" "$work/slow/result.json"
expect 3 'WORSE        publish.mean' compare "$work/base/result.json" "$work/slow/result.json" --any-plan
expect 0 'better       publish.mean' compare "$work/slow/result.json" "$work/base/result.json" --any-plan --metric publish.mean
expect 3 '' compare "$work/base/result.json" "$work/slow/result.json" --any-plan --metric publish.mean --quiet
holds 'quiet says nothing' silent out
expect 2 'did you mean publish.mean?' compare "$work/base/result.json" "$work/slow/result.json" --metric publish.means
expect 2 'two results, BASE and NEW' compare "$work/base/result.json"
expect 2 'not a result of chatscale' compare "$work/base/result.json" scenarios/tiny.json

# -- Explaining, and beginning
expect 0 'kafka.linger: a parameter of scenarios' explain kafka.linger
expect 0 'default' explain kafka.linger
expect 0 'delivery.p99: a metric of results' explain delivery.p99
expect 0 'kafka_brokers: a claim (capacity)' explain kafka_brokers
expect 0 'Metrics of results:' explain
expect 2 'did you mean kafka.linger?' explain kafka.lingr
expect 2 'did you mean delivery.p99?' explain delivry.p99
expect 2 'did you mean kafka_brokers?' explain kafka_broker
expect 0 'is written. Run it: chatscale run' init "$work/begin.json"
expect 2 'is there already' init "$work/begin.json"
expect 1 "can't be written" init "$work/nowhere/begin.json"
expect 0 'good, 1 plan' check "$work/begin.json"
expect 0 '' run "$work/begin.json" --no-check
holds 'the starter has claims and budgets' grep -q 'delivery.p99' "$work/out"
holds 'the schema stands beside it' cmp -s "$work/chatscale.schema.json" scenarios/schema.json

# -- On a terminal
if command -v script >/dev/null; then
    coloured() {
        TERM=xterm script -qec "$CHATSCALE run $tiny ${short[*]} $*" /dev/null </dev/null >"$work/out"
        grep -q $'\033\[3[123]m' "$work/out"
    }
    plain() { ! coloured "$@" && grep -q '^repeat ' "$work/out"; }
    holds 'colours on a terminal' coloured
    NO_COLOR=1 holds 'none where NO_COLOR says so' plain
    holds 'none by --no-color' plain --no-color
fi

echo "cli: $passed as expected, $failed not"
[ "$failed" = 0 ]
