/* What the table says, for editors and for readers: scenarios/schema.json (JSON Schema 2020-12)
 * and docs/scenarios.md. Both are in the repository, and a test holds them to the table. */
#ifndef SCENARIOS_SCHEMA_H
#define SCENARIOS_SCHEMA_H

#include <stdint.h>
#include <stdio.h>

#include "models/plan.h"

#define SCHEMA_FILE "scenarios/schema.json"
#define REFERENCE_FILE "docs/scenarios.md"

/* Each returns the whole text, NUL-terminated; the caller frees it. NULL where memory is short. */
char *schema_text(void);
char *reference_text(void);

/* What values a parameter may have: "1 to 2000", "`quorum`, `one`". */
struct table_row;
void reference_range(FILE *out, const struct table_row *row);

/* The plan as a scenario that says everything, in JSON: it loads to the same plan. The caller frees
 * it. */
char *plan_text(const struct plan *plan);

/* A number that differs when any parameter does, but for name, about, variant, seed, claims,
 * budgets and what becomes of those that are undecided: two results can be compared only if their
 * plans' are equal. */
uint64_t plan_hash(const struct plan *plan);

#endif
