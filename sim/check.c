#include "sim/check.h"

#include <stdio.h>
#include <stdlib.h>

/* Weak, so that a host may bring its own and still link this room. */
__attribute__((weak)) _Noreturn void check_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, cond);
    abort();
}
