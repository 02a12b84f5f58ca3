#!/usr/bin/env bash
# Every project include must be allowed by layers.txt, and be written from the repository root.
# <room/...> is no way round: it is held to the table like "room/...".
# Usage: layers.sh ROOT [FOLDER]; with a FOLDER, only the files that lie in it, not those in its subfolders
set -euo pipefail
cd "$1"
if [ $# -gt 1 ]; then where=("$2" -maxdepth 1); else where=(.); fi
find "${where[@]}" -name '*.[ch]' ! -path './build/*' ! -path '*/third_party/*' |
    sed 's,^\./,,' | LC_ALL=C sort | xargs awk -v folder_only=$(($# > 1)) '
    BEGIN {
        while ((getline line < "tests/lint/layers.txt") > 0) {
            if (line ~ /^#/ || line == "") continue
            n = split(line, part, " ")
            for (i = 2; i <= n; i++) allow[part[1]] = allow[part[1]] " " part[i]
        }
    }
    /^[ \t]*#[ \t]*include[ \t]*("|<(sim|models|scenarios|real|reports|tests)\/)/ {
        split($0, quote, /["<>]/); target = quote[2]; best = ""; found++
        for (folder in allow)
            if ((FILENAME == folder || index(FILENAME, folder "/") == 1) && length(folder) > length(best))
                best = folder
        n = split(allow[best], part, " "); ok = 0
        for (i = 1; i <= n; i++) if (target == part[i] || index(target, part[i] "/") == 1) ok = 1
        if (target ~ /\.\./) ok = 0
        if (!ok) { print FILENAME ":" FNR ": may not include \"" target "\" (tests/lint/layers.txt)"; bad = 1 }
    }
    END {
        if (!found && !folder_only) { print "layers: found no include at all; is this the repository root?"; bad = 1 }
        exit bad
    }' >&2
