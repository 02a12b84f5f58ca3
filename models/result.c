#include "models/result.h"

#include <stdlib.h>
#include <string.h>

const double result_quantiles[RESULT_QUANTILES] = {0.5, 0.9, 0.95, 0.99, 0.999, 0.9999};

void result_free(struct result *result)
{
    for (uint32_t i = 0; i < RESULT_TIERS; i++) {
        struct result_tier *tier = &result->tiers[i];
        free(tier->cpu_mean);
        free(tier->cpu_max);
        free(tier->visits_per_s);
        tier->cpu_mean = NULL;
        tier->cpu_max = NULL;
        tier->visits_per_s = NULL;
    }
    free(result->sent_per_s);
    free(result->acked_per_s);
    free(result->delivered_per_s);
    result->sent_per_s = NULL;
    result->acked_per_s = NULL;
    result->delivered_per_s = NULL;
    result->interval_count = 0;
}

const struct result_stage *result_stage(const struct result *result, const char *name)
{
    for (uint32_t i = 0; i < result->stage_count; i++) {
        if (strcmp(result->stages[i].name, name) == 0) {
            return &result->stages[i];
        }
    }
    return NULL;
}

const struct result_counter *result_counter(const struct result *result, const char *name)
{
    for (uint32_t i = 0; i < result->counter_count; i++) {
        if (strcmp(result->counters[i].name, name) == 0) {
            return &result->counters[i];
        }
    }
    return NULL;
}

const struct result_tier *result_tier(const struct result *result, const char *name)
{
    for (uint32_t i = 0; i < RESULT_TIERS; i++) {
        if (result->tiers[i].name != NULL && strcmp(result->tiers[i].name, name) == 0) {
            return &result->tiers[i];
        }
    }
    return NULL;
}
