/* From a plan's law to the table that is drawn from. */
#ifndef MODELS_CLIENT_LAW_H
#define MODELS_CLIENT_LAW_H

#include "models/plan.h"
#include "sim/dist.h"

/* The law of `factor` times the value: 1, or 0.5 for half a round trip. A law without anything
 * above its floor is constant, whatever its kind. A plan's laws have been checked, so this can't
 * fail. */
void law_init(struct dist *dist, const struct plan_law *law, double factor);

#endif
