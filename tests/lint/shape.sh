#!/usr/bin/env bash
# No function over 70 lines, no line over 100 columns, no file over 600 lines, but for the known exceptions
# in shape-known.txt. An exception states its size, must be lowered when the code shrinks, and no new one may
# join those that the list was first committed with. Usage: shape.sh ROOT
# Relies on clang-format: a function opens with "{" and closes with "}" in column one.
set -euo pipefail
cd "$1"
known=tests/lint/shape-known.txt

born=$(git log --format=%H --diff-filter=A -- $known 2>/dev/null | tail -n 1 || true)
if [ -n "$born" ]; then
    names() { awk '!/^#/ && NF {print $1, $2}' | LC_ALL=C sort; }
    added=$(LC_ALL=C comm -23 <(names <$known) <(git show "$born:$known" | names))
    [ -z "$added" ] || { echo "shape: split it instead of adding to $known: $added" >&2; exit 1; }
fi

find . -name '*.[ch]' ! -path './build/*' ! -path '*/generated/*' ! -path '*/data/*' ! -path '*/third_party/*' |
    sed 's,^\./,,' | LC_ALL=C sort | LC_ALL=C xargs -r awk -v known=$known '
    function fault(text) { print text; bad = 1 }
    # The limit of a thing is its exception, if it has one; and an exception must be exact.
    function measure(what, name, place, size, limit,    key) {
        key = what " " name
        if (!(key in allowed)) {
            if (size > limit) fault(place ": " what " of " size " lines, limit " limit)
            return
        }
        used[key] = 1
        if (size > allowed[key]) fault(place ": " what " grew to " size " lines, known with " allowed[key])
        else if (size <= limit) fault(known ": \"" key "\" keeps the limit now: remove it")
        else if (size < allowed[key]) fault(known ": \"" key "\" has " size " lines now: lower it")
    }
    function close_file() { if (file != "") measure("file", file, file, lines, 600) }
    BEGIN {
        while ((getline line < known) > 0) {
            if (line ~ /^#/ || split(line, part, " ") != 3) continue
            allowed[part[1] " " part[2]] = part[3] + 0
        }
    }
    FNR == 1 { close_file(); file = FILENAME; open = 0; wide = 0 }
    { lines = FNR; text = $0; gsub(/[\200-\277]/, "", text) } # Columns, not bytes of UTF-8.
    length(text) > 100 { fault(FILENAME ":" FNR ": line of " length(text) " columns, limit 100") }
    /^[A-Za-z_].*\(/ && !/;$/ { head = FNR; name = $0; sub(/\(.*/, "", name); sub(/.*[^A-Za-z0-9_]/, "", name) }
    /^\{/ { open = head }
    /^\}/ && open {
        measure("function", FILENAME ":" name, FILENAME ":" open, FNR - open + 1, 70)
        open = 0
    }
    END {
        close_file()
        for (key in allowed) if (!(key in used)) fault(known ": \"" key "\" is gone: remove it")
        exit bad
    }' >&2
