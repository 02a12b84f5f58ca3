/* What a scenario wants judged, made of figures: the values of its claims and the limits of its
 * budgets.
 *
 * Done when a scenario is loaded, for two reasons: what can't be judged is refused before a run of
 * an hour, and units are this room's, so that reports/ needs to know nothing of how people write
 * them. */
#ifndef SCENARIOS_JUDGED_H
#define SCENARIOS_JUDGED_H

#include "scenarios/apply.h"

/* Fills in the figures of claims and the parts of budgets; adds an error for a claim that nobody
 * can judge, a metric that nobody measures, and what is no figure of its unit. */
void judged_resolve(const struct builder *builder);

/* The metric, or claim, of the nearest name into `buffer`; NULL where nothing is near. */
const char *judged_nearest_metric(const char *name, char *buffer, size_t size);
const char *judged_nearest_claim(const char *name, char *buffer, size_t size);

#endif
