/* What the fields of a plan promise together, beyond what each row of the table says alone. */
#ifndef SCENARIOS_CHECK_H
#define SCENARIOS_CHECK_H

#include "scenarios/apply.h"

/* Adds an error for everything that contradicts itself or refers to nothing, and a finding for what
 * is legal but will show. Reads the trace, if there is one. Laws must be complete. */
void check_plan(const struct builder *builder);

/* The part about lists: faults, random faults, claims, budgets. */
void check_lists(const struct builder *builder);

#endif
