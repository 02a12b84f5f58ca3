#!/usr/bin/env bash
# The project speaks to its users: no line may name a path of one developer's machine, or a document or a
# tool that is not in the repository. Usage: names.sh ROOT
set -euo pipefail
cd "$1"
# The brackets keep this file from matching itself.
paths='(^|[^A-Za-z0-9_.])/wor[k]/|\.\./share[d]|/home/[a-z]|/root/\.|/Users/[a-z]'
documents='(^|[^a-z-])(spe[c]|peer[s]|convention[s])\.md|spe[c] section [0-9]'
tools='fresh-roo[t]|before-sto[p]|(^|[^a-z])issue[s] show|debootstra[p]'
found=$(find . \( -path ./.git -o -path ./build -o -path ./out \) -prune -o -type f -print0 |
    xargs -0 -r grep -nIHE -- "$paths|$documents|$tools" | cut -c1-200 | sed 's,^\./,,' || true)
[ -n "$found" ] || exit 0
{ echo "$found"; echo "names: the lines above name what users of this project do not have"; } >&2
exit 1
