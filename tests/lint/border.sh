#!/usr/bin/env bash
# Borders between rooms, enforced by the linker's own symbol tables.
#   border.sh core ARCHIVE            the sans-I/O core leaves nothing undefined but the list below
#   border.sh sim ARCHIVE MODELS...   the engine uses no symbol that an archive of models/ defines
set -euo pipefail
room=$1 archive=$2
shift 2

# Symbols of the given types. With -P a line is "name type value size"; a line of one field names a member.
symbols() {
    local types=$1
    shift
    nm -P -g "$@" | awk -v types="$types" 'NF > 1 && index(types, $2) {print $1}' | LC_ALL=C sort -u
}
defined=$(symbols ABCDGRSTVWiu "$archive")
needs=$(LC_ALL=C comm -23 <(symbols Uwv "$archive") <(echo "$defined"))
[ -n "$defined" ] || { echo "border: $archive defines nothing" >&2; exit 1; }
case $room in
core)
    helpers='__(u?div|u?mod|u?divmod|mul|ashl|ashr|lshr|popcount|clz|ctz|bswap)[sdt]i[0-9]?|__stack_chk_fail'
    helpers="$helpers|_GLOBAL_OFFSET_TABLE_|__mem(cpy|move|set)_chk|bcmp"
    instrumented='__(asan|ubsan|tsan|sanitizer|gcov)_.*|__llvm_.*|__sancov_.*|__(start|stop)___sancov_.*'
    reached=$(grep -vxE "|check_failed|mem(cpy|move|set|cmp)|strlen|$helpers|$instrumented" <<<"$needs" || true)
    rule="models/core is sans-I/O: time, memory and chance come in with the event" ;;
sim)
    reached=$(LC_ALL=C comm -12 <(echo "$needs") <(symbols ABCDGRSTVWiu "$@"))
    rule="sim knows nothing of models" ;;
*)
    echo "border: no rule for '$room'" >&2
    exit 2 ;;
esac
[ -n "$reached" ] || exit 0
{ echo "$reached"; echo "border: $archive must not reach the symbols above: $rule"; } >&2
exit 1
