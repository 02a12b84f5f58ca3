/* The nearest name: for "did you mean". */
#ifndef SCENARIOS_NEAREST_H
#define SCENARIOS_NEAREST_H

#include <stddef.h>
#include <stdint.h>

/* Edits (insert, delete, change, swap of neighbours, case aside) that make `a` of `b`; UINT32_MAX
 * where either is longer than 64 bytes. */
uint32_t nearest_distance(const char *a, const char *b);

/* How many edits still count as near for a name of this length. */
uint32_t nearest_limit(const char *name);

#endif
