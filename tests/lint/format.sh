#!/usr/bin/env bash
# Every .c and .h stands as .clang-format writes it. Usage: format.sh ROOT [--fix]
set -euo pipefail
cd "$1"
command -v clang-format-16 >/dev/null ||
    { echo "format: no clang-format-16; remedy: apt-get install clang-format-16" >&2; exit 1; }
if [ "${2:-}" = --fix ]; then how=(-i); else how=(--dry-run -Werror); fi
find . -name '*.[ch]' ! -path './build/*' ! -path '*/generated/*' ! -path '*/data/*' ! -path '*/third_party/*' \
    -print0 | xargs -0 -r clang-format-16 "${how[@]}" ||
    { echo "format: remedy: tests/lint/format.sh . --fix" >&2; exit 1; }
