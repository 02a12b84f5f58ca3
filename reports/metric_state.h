/* Inside of metrics: where in the lists an index stands. metric.c has the names, metric_value.c the
 * figures. */
#ifndef REPORTS_METRIC_STATE_H
#define REPORTS_METRIC_STATE_H

#include "reports/metric.h"

/* What of a stage: the quantiles of a result first, in their order. */
enum { STAGE_MEAN = RESULT_QUANTILES, STAGE_MAX, STAGE_COUNT, STAGE_FIELDS };
enum { COUNTER_RATE, COUNTER_MEASURED, COUNTER_TOTAL, COUNTER_FIELDS };

/* Of a tier's resource; the first has no suffix, and cpu has no more than two. */
enum { RESOURCE_MEAN, RESOURCE_MAX, RESOURCE_USED, RESOURCE_TOTAL, RESOURCE_FIELDS };

enum {
    SYSTEM_UNFINISHED,
    SYSTEM_GROWTH,
    SYSTEM_LAG,
    SYSTEM_LOST,
    SYSTEM_VIOLATIONS,
    SYSTEM_DELIVERIES,
    SYSTEM_TRIES,
    SYSTEM_POLLS_EMPTY,
    SYSTEM_ACKED,
    SYSTEM_OVERLOADED,
    SYSTEM_BINDING,
    SYSTEM_ONLINE,
    SYSTEM_FIELDS
};

enum metric_family { FAMILY_STAGE, FAMILY_COUNTER, FAMILY_RESOURCE, FAMILY_SYSTEM };

struct metric_spot {
    enum metric_family family;
    uint32_t row;
    uint32_t field;
    const char *name;     /* Of the stage, counter or tier; NULL: the system's own. */
    const char *resource; /* Of the tier; else NULL. */
};

/* index < metric_count(). */
struct metric_spot metric_spot(uint32_t index);

#endif
