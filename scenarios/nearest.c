#include "scenarios/nearest.h"

#include <ctype.h>
#include <string.h>

#define LENGTH_MAX 64u

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static int at(const char *text, size_t index)
{
    return tolower((unsigned char)text[index]);
}

uint32_t nearest_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > LENGTH_MAX || b_length > LENGTH_MAX) {
        return UINT32_MAX;
    }
    /* Optimal string alignment, with three rows of the matrix. */
    uint32_t rows[3][LENGTH_MAX + 1];
    for (uint32_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a_length; i++) {
        uint32_t *now = rows[i % 3];
        const uint32_t *before = rows[(i + 2) % 3];
        const uint32_t *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (uint32_t j = 1; j <= b_length; j++) {
            uint32_t change = before[j - 1] + (at(a, i - 1) != at(b, j - 1) ? 1u : 0u);
            now[j] = least(change, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && at(a, i - 1) == at(b, j - 2) && at(a, i - 2) == at(b, j - 1)) {
                now[j] = least(now[j], two_before[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

uint32_t nearest_limit(const char *name)
{
    return (uint32_t)strnlen(name, LENGTH_MAX) / 3 + 1;
}
