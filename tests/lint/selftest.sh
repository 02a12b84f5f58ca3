#!/usr/bin/env bash
# Every lint is tried on a small project that keeps the rules, where it must pass, and then on the same project
# with one violation planted, where it must fail and name it. Usage: selftest.sh
set -euo pipefail
lint=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0

# The project that keeps the rules, made anew in ./p.
plain() {
    rm -rf p && mkdir -p p/sim p/models/core p/tests/lint
    cp "$lint"/*.sh "$lint"/layers.txt p/tests/lint/ && cp "$lint/../../.clang-format" p/
    echo '# none' >p/tests/lint/shape-known.txt
    printf 'int sim_now(void);\n' >p/sim/sim.h
    printf '#include "sim/sim.h"\n\nint sim_now(void)\n{\n    return 1;\n}\n' >p/sim/sim.c
    printf 'int chat_step(void *to, const void *from);\nint chat_other(void);\n' >p/models/core/chat.h
    printf '#include "models/core/chat.h"\n\n#include <string.h>\n\nvoid check_failed(void);\n\n%s\n' \
        'int chat_step(void *to, const void *from)
{
    memcpy(to, from, 100);
    check_failed();
    return chat_other();
}' >p/models/core/chat.c
    printf '#include "models/core/chat.h"\n\nint chat_other(void)\n{\n    return 2;\n}\n' >p/models/core/other.c
}

archives() {
    (cd p && for c in sim/*.c models/core/*.c; do cc -I. -O1 -w -c "$c" -o "$c.o"; done &&
        ar rc libsim.a sim/*.o && ar rc libcore.a models/core/*.o)
}
layers() { p/tests/lint/layers.sh p; }
room() { p/tests/lint/layers.sh p sim; }
shape() { p/tests/lint/shape.sh p; }
format() { p/tests/lint/format.sh p; }
names() { p/tests/lint/names.sh p; }
core() { archives && p/tests/lint/border.sh core p/libcore.a; }
engine() { archives && p/tests/lint/border.sh sim p/libsim.a p/libcore.a; }

lines() { for ((i = 0; i < $1; i++)); do echo "    x++;"; done; }
long_function() { printf '\nvoid long_one(int x)\n{\n'; lines "$1"; printf '}\n'; }
long_file() { for ((i = 0; i < $1; i++)); do echo "extern int x$i;"; done; }
known() { echo "$*" >>p/tests/lint/shape-known.txt; }

# expect CHECK pass 'PLANT', or expect CHECK 'TEXT of the complaint' 'PLANT'
expect() {
    local check=$1 complaint=$2 plant=$3 output status=0
    plain
    eval "$plant"
    output=$($check 2>&1) || status=$?
    if [ "$complaint" = pass ] && [ "$status" = 0 ]; then passed=$((passed + 1))
    elif [ "$complaint" != pass ] && [ "$status" != 0 ] && [[ $output == *"$complaint"* ]]; then passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "selftest: $check, planted: $plant"
        echo "  expected '$complaint', got status $status: $output"
    fi
}

cd "$work"
for check in layers room shape format names core engine; do expect $check pass :; done

expect layers 'sim/sim.c:7: may not include "models/core/chat.h"' 'echo "#include \"models/core/chat.h\"" >>p/sim/sim.c'
expect layers 'may not include "models/core/chat.h"' 'echo "#  include <models/core/chat.h>" >>p/sim/sim.c'
expect layers 'may not include "sim.h"' 'echo "#include \"sim.h\"" >>p/sim/sim.c'
expect layers 'may not include "sim/../models/x.h"' 'echo "#include \"sim/../models/x.h\"" >>p/sim/sim.c'
expect layers 'may not include "sim/sim.h"' 'echo "#include \"sim/sim.h\"" >>p/models/core/chat.c'
expect layers 'may not include "sim/sim.h"' 'mkdir p/attic && echo "#include \"sim/sim.h\"" >p/attic/a.c'
expect room 'may not include "models/core/chat.h"' 'echo "#include \"models/core/chat.h\"" >>p/sim/sim.c'
expect room pass 'echo "#include \"sim/sim.h\"" >>p/models/core/chat.c'
expect layers 'no include at all' 'rm -r p/sim p/models'

expect shape pass 'long_function 67 >>p/sim/sim.c'
expect shape 'function of 71 lines' 'long_function 68 >>p/sim/sim.c'
expect shape pass 'long_function 68 >>p/sim/sim.c; known function sim/sim.c:long_one 71'
expect shape 'function grew to 72 lines' 'long_function 69 >>p/sim/sim.c; known function sim/sim.c:long_one 71'
expect shape 'has 71 lines now: lower it' 'long_function 68 >>p/sim/sim.c; known function sim/sim.c:long_one 75'
expect shape 'is gone: remove it' 'known function sim/sim.c:long_one 75'
expect shape pass 'long_file 600 >p/sim/big.c'
expect shape 'file of 601 lines' 'long_file 601 >p/sim/big.c'
expect shape pass 'long_file 601 >p/sim/big.c; known file sim/big.c 601'
expect shape 'keeps the limit now: remove it' 'long_file 600 >p/sim/big.c; known file sim/big.c 601'
expect shape pass 'mkdir p/sim/generated; long_file 601 >p/sim/generated/big.c'
expect shape pass 'printf "// %098d→\n" 0 >>p/sim/sim.c; sed -i "s/00→/→/" p/sim/sim.c'
expect shape 'line of 101 columns' 'printf "// %098d\n" 0 >>p/sim/sim.c'
if command -v git >/dev/null; then
    commit() { git -C p init -q && git -C p add . && git -C p -c user.name=a -c user.email=a@b commit -qm list; }
    expect shape pass 'long_file 601 >p/sim/big.c; known file sim/big.c 601; commit'
    expect shape 'instead of adding' 'commit; long_file 601 >p/sim/big.c; known file sim/big.c 601'
fi

expect format 'should be clang-formatted' 'sed -i "s/    return/  return/" p/sim/sim.c'
expect format 'should be clang-formatted' 'sed -i "s/(void);/( void );/" p/sim/sim.h'

expect names 'sim/notes.md:1:' 'echo "see /wor""k/main" >p/sim/notes.md'
expect names 'users of this project do not have' 'echo "// as ../share""d/x says" >>p/sim/sim.c'
expect names 'users of this project do not have' 'echo "// spe""c section 2" >>p/sim/sim.c'
expect names pass 'echo "// a network/work/load" >>p/sim/sim.c'

call() { echo "int planted(void) { return (int)$1; }" >>p/models/core/other.c; }
for symbol in time malloc random printf pthread_self clock_gettime getenv; do
    expect core $symbol "sed -i '1i long $symbol();' p/models/core/other.c; call '$symbol(0)'"
done
expect core chat_missing 'sed -i "1i int chat_missing(void);" p/models/core/other.c; call "chat_missing()"'
expect core 'defines nothing' 'rm p/models/core/*.c; echo "typedef int nothing;" >p/models/core/a.c'
expect core pass 'call "((unsigned __int128)1 << 90) / (unsigned)planted"'
expect engine chat_other 'sed -i "s/return 1;/return chat_other();/" p/sim/sim.c'

echo "lint selftest: $passed as expected, $failed not"
[ "$failed" = 0 ]
