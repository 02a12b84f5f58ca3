#!/usr/bin/env bash
# Installs what is missing, builds chatscale, and runs a scenario.
#   ./run.sh                          scenarios/whatsapp.json, or the largest that fits into this machine's memory
#   ./run.sh ladder [ARGUMENT...]     scenarios/ladder.json; arguments go to `chatscale run`, e.g. --seed 7
#   ./run.sh path/to/mine.json        any other file
# Results go to out/NAME, where an earlier result makes room, unless there is an --out among the arguments.
set -euo pipefail
cd "$(dirname "$0")"
. ./setup.sh

setup "${packages_build[@]}"
build release chatscale || exit 1
chatscale=build/release/chatscale

scenario=
case ${1:-} in
'' | -*) ;;
*) scenario=$1; shift ;;
esac

# Bytes that a run needs; nothing where the binary cannot say.
needed() {
    "$chatscale" run "$@" --memory-needed 2>/dev/null | grep -xE '[0-9]+' || true
}

# Bytes that this machine, or the container that we are in, can still give.
available() {
    awk '
        /^MemAvailable:/ { free = $2 * 1024 }
        FILENAME ~ /limit|max/ && /^[0-9]+$/ { limit = $1 }
        FILENAME ~ /usage|current/ { used = $1 }
        /^(total_)?inactive_file / { if ($2 > cache) cache = $2 } # Gives way when memory is asked for.
        END {
            if (limit && limit - used + cache < free) free = limit - used + cache
            printf "%.0f\n", free
        }' /proc/meminfo "$@"
}

gib() {
    awk -v bytes="$1" 'BEGIN { printf "%.1f GiB", bytes / 2 ^ 30 }'
}

fits() {
    local bytes
    bytes=$(needed "$@")
    [ -n "$bytes" ] && [ "$bytes" -le "$memory" ]
}

# Sets `scenario` and `sampled` to the largest that fits: all of whatsapp, a fraction of it, another scenario.
choose() {
    local wanted=scenarios/whatsapp.json fraction bytes largest=0 file why
    scenario=$wanted
    bytes=$(needed $wanted "$@")
    # Where the binary cannot say, a wrong argument for one, running it tells why.
    if [ -z "$bytes" ] || [ "$bytes" -le "$memory" ]; then return 0; fi
    why="$wanted needs $(gib "$bytes") of memory and this machine has $(gib "$memory")"
    for fraction in 0.5 0.2 0.1 0.05 0.02 0.01 0.001; do
        if fits $wanted --set "run.fidelity=$fraction" "$@"; then
            sampled=(--set "run.fidelity=$fraction")
            echo "$why: running a sample of $fraction of its clients instead" >&2
            return 0
        fi
    done
    for file in scenarios/*.json; do
        if [ "$file" = scenarios/schema.json ] || ! fits "$file" "$@"; then continue; fi
        bytes=$(needed "$file" "$@")
        [ "$bytes" -le "$largest" ] || { largest=$bytes; scenario=$file; }
    done
    [ "$largest" -gt 0 ] || die "$why, and nothing in scenarios/ fits either; remedy: free some memory"
    echo "$why: running $scenario instead, the largest that fits" >&2
}

sampled=()
if [ -z "$scenario" ]; then
    groups=(/sys/fs/cgroup/memory.{max,current,stat} /sys/fs/cgroup/memory/memory.{limit_in_bytes,usage_in_bytes,stat})
    readable=()
    for file in "${groups[@]}"; do [ ! -r "$file" ] || readable+=("$file"); done
    memory=$(available "${readable[@]}")
    choose "$@"
elif [ ! -e "$scenario" ] && [ -e "scenarios/$scenario.json" ]; then
    scenario=scenarios/$scenario.json
fi

# Removes the results that an earlier run left there, and what is then empty; anything else stays, and is refused.
make_room() {
    local file
    [ -d "$1" ] || return 0
    find "$1" -type f -name result.json | while read -r file; do
        if head -c 200 "$file" | grep -q '"format": "chatscale-result"'; then rm -f "$file"; fi
    done
    find "$1" -depth -type d -empty -delete
}

folder=out/$(basename "$scenario" .json)
out=(--out "$folder")
for argument in "$@"; do
    case $argument in --out | --out=* | -o*) out=() ;; esac
done
[ ${#out[@]} = 0 ] || make_room "$folder"
exec "$chatscale" run "$scenario" "${out[@]}" "${sampled[@]}" "$@"
