#!/usr/bin/env bash
# Fuzzes one target for CHATSCALE_FUZZ_SECONDS (20), beginning with the seeds in corpus/NAME.
# What it finds goes to the build folder. Usage: run.sh .../fuzz_NAME
set -euo pipefail
target=$1; name=${target##*/fuzz_}; seeds=$(dirname "$0")/corpus/$name
found=$(dirname "$target")/found/$name
mkdir -p "$found"
[ -d "$seeds" ] || { echo "$target: no seeds in $seeds; give it at least one file" >&2; exit 1; }
options=(-max_total_time="${CHATSCALE_FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1)
[ ! -e "$seeds.dict" ] || options+=(-dict="$seeds.dict")
"$target" "${options[@]}" -artifact_prefix="$found/failed-" "$found" "$seeds" && exit 0
echo "repeat: $target $(find "$found" -name 'failed-*' -printf '%T@ %p\n' | sort -n | sed -n '$s/^[^ ]* //p')" >&2
exit 1
