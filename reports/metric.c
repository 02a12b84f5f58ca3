/* Names are made up from four lists, so that none can be forgotten:
 *
 *     stages x fields | counters x fields | tiers x their resources x fields | the system's own
 *
 * A metric's index says where in these lists it stands; a name is found by trying them all, which
 * takes microseconds and is done a few times a run. */
#include "reports/metric_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/humane.h"

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

static const char *const stage_fields[STAGE_FIELDS] = {"p50",    "p90",  "p95", "p99",  "p99.9",
                                                       "p99.99", "mean", "max", "count"};

static const struct named counter_fields[COUNTER_FIELDS] = {
    {"rate", "a second of the measured time"},
    {"measured", "in the measured time"},
    {"total", "in the whole run, warm-up and drain included"}};

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

struct metric_spot metric_spot(uint32_t index)
{
    if (index < COUNT_OF(stages) * STAGE_FIELDS) {
        uint32_t row = index / STAGE_FIELDS;
        return (struct metric_spot){FAMILY_STAGE, row, index % STAGE_FIELDS, stages[row].name,
                                    NULL};
    }
    index -= COUNT_OF(stages) * STAGE_FIELDS;
    if (index < COUNT_OF(counters) * COUNTER_FIELDS) {
        uint32_t row = index / COUNTER_FIELDS;
        return (struct metric_spot){FAMILY_COUNTER, row, index % COUNTER_FIELDS, counters[row].name,
                                    NULL};
    }
    index -= COUNT_OF(counters) * COUNTER_FIELDS;
    for (uint32_t row = 0; row < COUNT_OF(resources); row++) {
        uint32_t fields = is_cpu(row) ? RESOURCE_USED : RESOURCE_FIELDS;
        if (index < fields) {
            return (struct metric_spot){FAMILY_RESOURCE, row, index, resources[row].tier,
                                        resources[row].resource};
        }
        index -= fields;
    }
    return (struct metric_spot){FAMILY_SYSTEM, 0, index, NULL, NULL};
}

/* -- What it is ----------------------------------------------------------------------------------
 */

static struct metric stage_metric(struct metric_spot spot)
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

static struct metric counter_metric(struct metric_spot spot)
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

static struct metric resource_metric(struct metric_spot spot)
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
    struct metric_spot spot = metric_spot(index);
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

/* -- Units ---------------------------------------------------------------------------------------
 */

const char *metric_unit_name(enum metric_unit unit)
{
    static const char *const names[METRIC_UNIT_COUNT] = {"1", "1", "1", "1/s", "ns", "B", "B/s"};
    return names[unit];
}

const char *metric_better_name(enum metric_better better)
{
    static const char *const names[] = {"less", "more", "neither"};
    return names[better];
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
