/* Names are made up from four lists, so that none can be forgotten:
 *
 *     stages x fields | counters x fields | tiers x their resources x fields | the system's own
 *
 * A metric's index says where in these lists it stands; a name is found by trying them all, which
 * takes microseconds and is done a few times a run. */
#include "reports/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/humane.h"
#include "sim/stat.h"

#define CONFIDENCE 0.95
#define SERIES_POINTS_MIN 20u /* Of the measured time, for an interval. */

struct named {
    const char *name;
    const char *about;
};

static const struct named stages[] = {
#define STAGE_ROW(enumerator, text, about) {(text), (about)},
    RESULT_STAGES(STAGE_ROW)
#undef STAGE_ROW
};

static const struct named counters[] = {
#define COUNTER_ROW(enumerator, text, about) {(text), (about)},
    RESULT_COUNTERS(COUNTER_ROW)
#undef COUNTER_ROW
};

#define COUNT_OF(list) ((uint32_t)(sizeof(list) / sizeof *(list)))

/* What of a stage: the quantiles of a result first, in their order. */
enum { STAGE_MEAN = RESULT_QUANTILES, STAGE_MAX, STAGE_COUNT, STAGE_FIELDS };
static const char *const stage_fields[STAGE_FIELDS] = {"p50",    "p90",  "p95", "p99",  "p99.9",
                                                       "p99.99", "mean", "max", "count"};

enum { COUNTER_RATE, COUNTER_MEASURED, COUNTER_TOTAL, COUNTER_FIELDS };
static const struct named counter_fields[COUNTER_FIELDS] = {
    {"rate", "a second of the measured time"},
    {"measured", "in the measured time"},
    {"total", "in the whole run, warm-up and drain included"}};

/* Of a tier's resource; the first has no suffix, and cpu has no more than two. */
enum { RESOURCE_MEAN, RESOURCE_MAX, RESOURCE_USED, RESOURCE_TOTAL, RESOURCE_FIELDS };
static const struct named resource_fields[RESOURCE_FIELDS] = {
    {"", "used of what there is, mean over nodes"},
    {".max", "used of what there is, on the fullest node"},
    {".used", "used, mean over nodes"},
    {".total", "used, all nodes together"}};

static const struct {
    const char *tier;
    const char *resource;
    enum metric_unit unit; /* Of what is used. */
} resources[] = {
    {"gateway", "cpu", METRIC_SHARE},
    {"gateway", "nic_in", METRIC_BYTE_RATE},
    {"gateway", "nic_out", METRIC_BYTE_RATE},
    {"gateway", "memory", METRIC_BYTES},
    {"gateway", "connections", METRIC_COUNT},
    {"fanout", "cpu", METRIC_SHARE},
    {"fanout", "nic_in", METRIC_BYTE_RATE},
    {"fanout", "nic_out", METRIC_BYTE_RATE},
    {"kafka", "cpu", METRIC_SHARE},
    {"kafka", "nic_in", METRIC_BYTE_RATE},
    {"kafka", "nic_out", METRIC_BYTE_RATE},
    {"kafka", "disk_io", METRIC_BYTE_RATE},
    {"kafka", "disk_space", METRIC_BYTES},
    {"cassandra", "cpu", METRIC_SHARE},
    {"cassandra", "nic_in", METRIC_BYTE_RATE},
    {"cassandra", "nic_out", METRIC_BYTE_RATE},
    {"cassandra", "disk_io", METRIC_BYTE_RATE},
    {"cassandra", "disk_space", METRIC_BYTES},
    {"cassandra", "connections", METRIC_COUNT},
    {"redis", "cpu", METRIC_SHARE},
    {"redis", "nic_in", METRIC_BYTE_RATE},
    {"redis", "nic_out", METRIC_BYTE_RATE},
    {"redis", "memory", METRIC_BYTES},
    {"push", "quota", METRIC_RATE},
};

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

static const struct {
    struct named named;
    enum metric_unit unit;
    enum metric_better better;
} systems[SYSTEM_FIELDS] = {
    [SYSTEM_UNFINISHED] = {{"unfinished", "messages sent and not acknowledged at the end"},
                           METRIC_COUNT,
                           METRIC_LESS},
    [SYSTEM_GROWTH] = {{"unfinished.growth", "how fast unfinished messages grow in number, in the "
                                             "second half of the measured time"},
                       METRIC_RATE,
                       METRIC_LESS},
    [SYSTEM_LAG] = {{"kafka.lag", "records published and not consumed at the end"},
                    METRIC_COUNT,
                    METRIC_LESS},
    [SYSTEM_LOST] = {{"lost", "messages acknowledged that the judge of a run with contents found "
                              "missing on a screen; other runs have no such figure"},
                     METRIC_COUNT,
                     METRIC_LESS},
    [SYSTEM_VIOLATIONS] = {{"violations", "guarantees that the judge of a run with contents found "
                                          "broken; other runs have no such figure"},
                           METRIC_COUNT,
                           METRIC_LESS},
    [SYSTEM_DELIVERIES] = {{"deliveries_per_message",
                            "devices that showed a message for the first time, over messages "
                            "acknowledged"},
                           METRIC_FACTOR,
                           METRIC_NEITHER},
    [SYSTEM_TRIES] = {{"tries_per_message", "transmissions of a message by its sender"},
                      METRIC_FACTOR,
                      METRIC_LESS},
    [SYSTEM_POLLS_EMPTY] = {{"polls_empty.share", "of requests for news, those that found none"},
                            METRIC_SHARE,
                            METRIC_LESS},
    [SYSTEM_ACKED] = {{"acked.share", "of messages sent, those acknowledged"},
                      METRIC_SHARE,
                      METRIC_MORE},
    [SYSTEM_OVERLOADED] = {{"overloaded", "1 where the system does not keep up, else 0"},
                           METRIC_COUNT,
                           METRIC_LESS},
    [SYSTEM_BINDING] = {{"binding", "utilization of what binds, mean over nodes"},
                        METRIC_SHARE,
                        METRIC_LESS},
    [SYSTEM_ONLINE] = {{"online", "clients connected at the end"}, METRIC_COUNT, METRIC_MORE},
};

static bool is_cpu(uint32_t row)
{
    return strcmp(resources[row].resource, "cpu") == 0;
}

/* -- Where an index stands -----------------------------------------------------------------------
 */

enum family { FAMILY_STAGE, FAMILY_COUNTER, FAMILY_RESOURCE, FAMILY_SYSTEM };

struct spot {
    enum family family;
    uint32_t row;
    uint32_t field;
};

static uint32_t resource_metrics(void)
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < COUNT_OF(resources); row++) {
        count += is_cpu(row) ? RESOURCE_USED : RESOURCE_FIELDS;
    }
    return count;
}

uint32_t metric_count(void)
{
    return COUNT_OF(stages) * STAGE_FIELDS + COUNT_OF(counters) * COUNTER_FIELDS +
           resource_metrics() + SYSTEM_FIELDS;
}

static struct spot spot_of(uint32_t index)
{
    if (index < COUNT_OF(stages) * STAGE_FIELDS) {
        return (struct spot){FAMILY_STAGE, index / STAGE_FIELDS, index % STAGE_FIELDS};
    }
    index -= COUNT_OF(stages) * STAGE_FIELDS;
    if (index < COUNT_OF(counters) * COUNTER_FIELDS) {
        return (struct spot){FAMILY_COUNTER, index / COUNTER_FIELDS, index % COUNTER_FIELDS};
    }
    index -= COUNT_OF(counters) * COUNTER_FIELDS;
    for (uint32_t row = 0; row < COUNT_OF(resources); row++) {
        uint32_t fields = is_cpu(row) ? RESOURCE_USED : RESOURCE_FIELDS;
        if (index < fields) {
            return (struct spot){FAMILY_RESOURCE, row, index};
        }
        index -= fields;
    }
    return (struct spot){FAMILY_SYSTEM, 0, index};
}

/* -- What it is ----------------------------------------------------------------------------------
 */

static struct metric stage_metric(struct spot spot)
{
    const struct named *stage = &stages[spot.row];
    const char *field = stage_fields[spot.field];
    struct metric metric = {.unit = METRIC_TIME, .better = METRIC_LESS};
    snprintf(metric.name, sizeof metric.name, "%s.%s", stage->name, field);
    if (spot.field == STAGE_COUNT) {
        metric.unit = METRIC_COUNT;
        metric.better = METRIC_NEITHER;
        snprintf(metric.about, sizeof metric.about, "how often, in the measured time: %s",
                 stage->about);
    } else {
        snprintf(metric.about, sizeof metric.about, "time %s: %s", stage->about,
                 spot.field < RESULT_QUANTILES ? "no longer for that share of all" : field);
    }
    return metric;
}

/* Fewer of these is better; the rest follow from the load. */
static bool is_bad(const char *counter)
{
    static const char *const bad[] = {"messages_refused", "redeliveries",     "pushes_refused",
                                      "backend_timeouts", "backend_failures", "connects_refused",
                                      "polls_empty",      "events_lost"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (strcmp(bad[i], counter) == 0) {
            return true;
        }
    }
    return false;
}

static struct metric counter_metric(struct spot spot)
{
    const struct named *counter = &counters[spot.row];
    const struct named *field = &counter_fields[spot.field];
    struct metric metric = {
        .unit = spot.field == COUNTER_RATE ? METRIC_RATE : METRIC_COUNT,
        .better = is_bad(counter->name)                          ? METRIC_LESS
                  : strcmp(counter->name, "messages_acked") == 0 ? METRIC_MORE
                                                                 : METRIC_NEITHER,
    };
    snprintf(metric.name, sizeof metric.name, "%s.%s", counter->name, field->name);
    snprintf(metric.about, sizeof metric.about, "%s %s, %s", counter->name, counter->about,
             field->about);
    return metric;
}

static struct metric resource_metric(struct spot spot)
{
    const struct named *field = &resource_fields[spot.field];
    const char *tier = resources[spot.row].tier;
    const char *resource = resources[spot.row].resource;
    struct metric metric = {.unit = spot.field < RESOURCE_USED ? METRIC_SHARE
                                                               : resources[spot.row].unit,
                            .better = METRIC_LESS};
    snprintf(metric.name, sizeof metric.name, "%s.%s%s", tier, resource, field->name);
    snprintf(metric.about, sizeof metric.about, "%s of %s: %s", resource, tier, field->about);
    return metric;
}

struct metric metric_at(uint32_t index)
{
    struct spot spot = spot_of(index);
    switch (spot.family) {
    case FAMILY_STAGE:
        return stage_metric(spot);
    case FAMILY_COUNTER:
        return counter_metric(spot);
    case FAMILY_RESOURCE:
        return resource_metric(spot);
    case FAMILY_SYSTEM:
        break;
    }
    struct metric metric = {.unit = systems[spot.field].unit, .better = systems[spot.field].better};
    snprintf(metric.name, sizeof metric.name, "%s", systems[spot.field].named.name);
    snprintf(metric.about, sizeof metric.about, "%s", systems[spot.field].named.about);
    return metric;
}

uint32_t metric_find(const char *name)
{
    uint32_t count = metric_count();
    for (uint32_t i = 0; i < count; i++) {
        struct metric metric = metric_at(i);
        if (strcmp(metric.name, name) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* -- The figure ----------------------------------------------------------------------------------
 */

static struct result_estimate exactly(double value)
{
    return (struct result_estimate){value, value, value, false};
}

static double fraction_of(const struct result *result)
{
    return result->fraction > 0 ? result->fraction : 1;
}

/* Batch means over the points of the series that lie in the measured time. `value` is what the
 * result says of the whole of it: the interval is laid around that. */
static struct result_estimate around(const struct result *result, double value, double scale,
                                     const float *series)
{
    struct result_estimate estimate = exactly(value);
    double points[1024];
    uint32_t count = 0;
    if (series == NULL || result->interval_ns == 0) {
        return estimate;
    }
    for (uint32_t i = 0; i < result->interval_count && count < 1024; i++) {
        uint64_t from_ns = i * result->interval_ns;
        if (from_ns >= result->from_ns && from_ns + result->interval_ns <= result->until_ns) {
            points[count++] = (double)series[i] * scale;
        }
    }
    if (count < SERIES_POINTS_MIN) {
        return estimate;
    }
    double half = stat_batch_means(points, count, RESULT_BATCHES, CONFIDENCE).half_width;
    estimate.low = value - half > 0 ? value - half : 0;
    estimate.high = value + half;
    estimate.known = true;
    return estimate;
}

static bool was_measured(const struct result *result)
{
    return result->end_ns > result->from_ns;
}

static bool stage_value(const struct result *result, struct spot spot,
                        struct result_estimate *estimate)
{
    const struct result_stage *stage = result_stage(result, stages[spot.row].name);
    if (stage == NULL || (spot.field != STAGE_COUNT && stage->count == 0)) {
        return false;
    }
    if (spot.field == STAGE_COUNT) {
        *estimate = exactly((double)stage->count / fraction_of(result));
    } else if (spot.field == STAGE_MEAN) {
        *estimate = stage->mean_ns;
    } else if (spot.field == STAGE_MAX) {
        *estimate = exactly(stage->max_ns);
    } else if ((double)stage->count * (1 - result_quantiles[spot.field]) >= 0.999) {
        *estimate = stage->quantile_ns[spot.field];
    } else {
        return false; /* It would only be the greatest of them. */
    }
    return true;
}

static const float *counter_series(const struct result *result, const char *name)
{
    return strcmp(name, "messages_sent") == 0    ? result->sent_per_s
           : strcmp(name, "messages_acked") == 0 ? result->acked_per_s
           : strcmp(name, "deliveries") == 0     ? result->delivered_per_s
                                                 : NULL;
}

static bool counter_value(const struct result *result, struct spot spot,
                          struct result_estimate *estimate)
{
    const struct result_counter *counter = result_counter(result, counters[spot.row].name);
    double scale = 1 / fraction_of(result);
    if (counter == NULL) {
        return false;
    }
    if (spot.field == COUNTER_RATE) {
        *estimate =
            around(result, counter->per_s * scale, scale, counter_series(result, counter->name));
    } else {
        uint64_t count = spot.field == COUNTER_TOTAL ? counter->total : counter->measured;
        *estimate = exactly((double)count * scale);
    }
    return true;
}

static bool resource_value(const struct result *result, struct spot spot,
                           struct result_estimate *estimate)
{
    const struct result_tier *tier = result_tier(result, resources[spot.row].tier);
    const struct result_resource *resource = NULL;
    for (uint32_t r = 0; tier != NULL && r < RESULT_RESOURCES; r++) {
        const struct result_resource *one = &tier->resources[r];
        if (one->present && strcmp(one->name, resources[spot.row].resource) == 0) {
            resource = one;
        }
    }
    if (resource == NULL) {
        return false;
    }
    switch (spot.field) {
    case RESOURCE_MEAN:
        *estimate = is_cpu(spot.row) ? around(result, resource->utilization_mean, 1, tier->cpu_mean)
                                     : exactly(resource->utilization_mean);
        break;
    case RESOURCE_MAX:
        *estimate = exactly(resource->utilization_max);
        break;
    case RESOURCE_USED:
        *estimate = exactly(resource->used_mean);
        break;
    default:
        *estimate = exactly(resource->used_mean * tier->nodes / fraction_of(result));
    }
    return true;
}

static bool ratio(const struct result *result, const char *over, const char *under,
                  struct result_estimate *estimate)
{
    const struct result_counter *a = result_counter(result, over);
    const struct result_counter *b = result_counter(result, under);
    if (a == NULL || b == NULL || b->measured == 0) {
        return false;
    }
    *estimate = exactly((double)a->measured / (double)b->measured);
    return true;
}

/* The judge's words begin with the number of the guarantee; 2 is that nothing is lost. */
static bool lost_value(const struct result *result, struct result_estimate *estimate)
{
    static const char no_loss[] = "guarantee 2:";
    uint32_t lost = 0;
    for (uint32_t i = 0; i < result->violation_words_count; i++) {
        lost += strncmp(result->violations[i], no_loss, sizeof no_loss - 1) == 0;
    }
    *estimate = exactly(lost);
    return result->judged;
}

static bool binding_value(const struct result *result, struct result_estimate *estimate)
{
    const struct result_resource *resource =
        &result->tiers[result->binding_tier].resources[result->binding_resource];
    *estimate = exactly(resource->utilization_mean);
    return resource->present;
}

static bool system_value(const struct result *result, uint32_t field,
                         struct result_estimate *estimate)
{
    double scale = 1 / fraction_of(result);
    struct result_estimate value = {0};
    bool good = true;
    switch (field) {
    case SYSTEM_UNFINISHED:
        value = exactly((double)result->unfinished * scale);
        break;
    case SYSTEM_GROWTH:
        value = exactly(result->unfinished_growth_per_s * scale);
        break;
    case SYSTEM_LAG:
        value = exactly((double)result->consumer_lag_records * scale);
        break;
    case SYSTEM_LOST:
        good = lost_value(result, &value);
        break;
    case SYSTEM_VIOLATIONS:
        value = exactly((double)result->violation_count);
        good = result->judged;
        break;
    case SYSTEM_DELIVERIES:
        good = ratio(result, "deliveries", "messages_acked", &value);
        break;
    case SYSTEM_TRIES:
        good = ratio(result, "messages_transmitted", "messages_sent", &value);
        break;
    case SYSTEM_POLLS_EMPTY:
        good = ratio(result, "polls_empty", "polls", &value);
        break;
    case SYSTEM_ACKED:
        good = ratio(result, "messages_acked", "messages_sent", &value);
        break;
    case SYSTEM_OVERLOADED:
        value = exactly(result->overloaded ? 1 : 0);
        break;
    case SYSTEM_BINDING:
        good = binding_value(result, &value);
        break;
    default:
        value = exactly((double)result->online * scale);
    }
    if (good) {
        *estimate = value;
    }
    return good;
}

bool metric_value(const struct result *result, uint32_t index, struct result_estimate *estimate)
{
    struct spot spot = spot_of(index);
    if (!was_measured(result)) {
        return false;
    }
    switch (spot.family) {
    case FAMILY_STAGE:
        return stage_value(result, spot, estimate);
    case FAMILY_COUNTER:
        return counter_value(result, spot, estimate);
    case FAMILY_RESOURCE:
        return resource_value(result, spot, estimate);
    case FAMILY_SYSTEM:
        break;
    }
    return system_value(result, spot.field, estimate);
}

bool metric_value_of(const struct result *result, const char *name,
                     struct result_estimate *estimate)
{
    uint32_t index = metric_find(name);
    return index != UINT32_MAX && metric_value(result, index, estimate);
}

/* -- Units ---------------------------------------------------------------------------------------
 */

const char *metric_unit_name(enum metric_unit unit)
{
    static const char *const names[METRIC_UNIT_COUNT] = {"1", "1", "1", "1/s", "ns", "B", "B/s"};
    return names[unit];
}

const char *metric_text(enum metric_unit unit, double value, char *buffer)
{
    char number[HUMANE_SIZE];
    const char *suffix = "";
    if (!isfinite(value)) {
        memcpy(buffer, "-", 2);
        return buffer;
    }
    switch (unit) {
    case METRIC_RATE:
        humane_count(value, number);
        suffix = "/s";
        break;
    case METRIC_SHARE:
        humane_percent(value, number);
        break;
    case METRIC_TIME:
        humane_time(value, number);
        break;
    case METRIC_BYTES:
        humane_bytes(value, number);
        break;
    case METRIC_BYTE_RATE:
        humane_bytes(value, number);
        suffix = "/s";
        break;
    default:
        humane_count(value, number);
    }
    snprintf(buffer, METRIC_TEXT_SIZE, "%s%s", number, suffix);
    return buffer;
}
