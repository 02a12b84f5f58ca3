#!/usr/bin/env bash
# The files that a run leaves: whole, well-formed, with whatever names; or none, with the reason.
# CHATSCALE is the binary; runs in the root of the repository.
set -uo pipefail
: "${CHATSCALE:?}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_DATA_HOME=$work/data
tiny=$PWD/scenarios/tiny.json
python=/usr/bin/python3 # The one that setup.sh installs junitparser for.
[ -x $python ] || python=python3
passed=0 failed=0

fault() {
    echo "FAILED: $1" >&2
    head -c 2000 "$work/out" "$work/err" >&2
    failed=$((failed + 1))
}

# run STATUS ARGUMENT...: the output is left in out and err.
run() {
    local status=$1 found=0
    shift
    "$CHATSCALE" run "$@" --quiet >"$work/out" 2>"$work/err" || found=$?
    if [ "$found" = "$status" ]; then passed=$((passed + 1)); else fault "status $found instead of $status: run $*"; fi
}

# holds 'WHAT' COMMAND...
holds() {
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)); else fault "$what: $*"; fi
}
says() { grep -qF -- "$1" "$work/err"; }
files() { (cd "$1" && find . -mindepth 1 -type f | LC_ALL=C sort | paste -sd' '); }
all='./counters.csv ./junit.xml ./report.html ./result.json ./series.csv ./stages.csv ./summary.md ./tiers.csv'

# -- Whole, with names from the devil, claims and budgets that fail
cat >"$work/evil.json" <<END
{"extends": "$tiny", "name": "</title><script>alert(1)</script>&\"'\`|,", "about": "<img src=x onerror=alert(2)> a|b",
 "run": {"duration": "30 s"}, "population": {"message_rate": "60/s"},
 "faults": [{"kind": "kill", "tier": "gateway", "index": 0, "at": "5 s", "duration": "3 s"}],
 "claims": [{"id": "delivery_latency", "value": "1 ms", "about": "<b>never</b> | not"}, {"id": "connections", "value": "100"}],
 "budgets": ["delivery.p99 < 1 ms", "delivery.p99 < 1 ms", "delivery.p99 < 1 h", "poll.p99 < 1 s"]}
END
run 3 "$work/evil.json" --out "$work/evil"
holds 'all files' [ "$(files "$work/evil")" = "$all" ]
holds 'as their readers want them' $python tests/golden/check_out.py "$work/evil" 1
holds 'the name is text' grep -qF '&lt;/title&gt;&lt;script&gt;alert(1)' "$work/evil/report.html"
holds 'claims first' grep -q 'Claims on trial' <(sed '/The system:/q' "$work/evil/report.html")
holds 'a limit in the chart' grep -q 'slower than claimed' "$work/evil/report.html"
holds 'the fault in the chart' grep -q '<text>chat server ?0 killed\|<text>chat server #0 killed' "$work/evil/report.html"
holds 'failures in the XML' grep -q 'failures="4"' "$work/evil/junit.xml"
holds 'no data is a failure' grep -q 'no data' "$work/evil/junit.xml"

# -- Several, side by side
cat >"$work/two.json" <<END
{"extends": "$tiny", "variants": [{"name": "sticky", "routing": "sticky"}, {"name": "redis", "routing": "redis"}]}
END
run 0 "$work/two.json" --out "$work/two"
holds 'one report for both' $python tests/golden/check_out.py "$work/two" 2
holds 'side by side' grep -q '2 variants side by side' "$work/two/report.html"

# -- Without gnuplot
mkdir "$work/bin"
PATH=$work/bin run 1 "$tiny" --out "$work/never"
holds 'said at the start' says 'report.html needs gnuplot'
holds 'with the remedy' says '--no-report'
holds 'nothing is left' [ ! -e "$work/never" ]
PATH=$work/bin run 0 "$tiny" --no-report --out "$work/plain"
holds 'all but the report' [ "$(files "$work/plain")" = "${all/.\/report.html /}" ]

# -- gnuplot that fails at the third chart
cat >"$work/bin/gnuplot" <<END
#!$(command -v bash)
PATH=$PATH
echo x >>"$work/calls"
[ \$(wc -l <"$work/calls") -lt 4 ] || { echo 'line 7: out of ink' >&2; exit 1; }
exec gnuplot "\$@"
END
chmod +x "$work/bin/gnuplot"
PATH=$work/bin run 1 "$tiny" --out "$work/ink"
holds 'why' says 'out of ink'
holds 'none of the set is left' [ "$(files "$work/ink")" = ./result.json ]

# -- A disk that fills up: files may be 100 KB, which the report is not
(
    trap '' XFSZ
    ulimit -f 100
    "$CHATSCALE" run "$tiny" --quiet --no-db --out "$work/full" 2>"$work/err"
)
holds 'status 1' [ $? = 1 ]
holds 'the reason' says 'File too large'
holds 'none of the set is left' [ "$(files "$work/full")" = ./result.json ]

# -- The database
runs() { "$CHATSCALE" runs "$@" >"$work/out" 2>"$work/err"; }
holds 'runs are listed' runs --scenario two
holds 'both of them' [ "$(grep -c two/ "$work/out")" = 2 ]
holds 'the trend of a metric' runs --metric delivery.p99 --scenario two
holds 'with its figures' grep -q 'two/sticky .* ms' "$work/out"
runs --metric delivry.p99
holds 'an unknown metric is bad input' [ $? = 2 ]
holds 'with the nearest' says 'did you mean delivery.p99?'
runs --db "$tiny"
holds 'what is no database is bad input' [ $? = 2 ]
run 2 "$tiny" --db "$tiny"
holds 'said before the run' says 'no SQLite database'
run 0 "$tiny" --db "$work/own.db"
holds 'a database of one'"'"'s own' runs --db "$work/own.db"
holds 'holds one run' [ "$(grep -c ' tiny ' "$work/out")" = 1 ]
run 0 "$tiny" --no-db --out "$work/no-db"
XDG_DATA_HOME=/proc/nowhere run 0 "$tiny" --out "$work/no-home"
holds 'no home, no history, but a run' [ -s "$work/no-home/report.html" ]

echo "report: $passed as expected, $failed not"
[ "$failed" = 0 ]
