/* The figures of a result, their intervals, and the batches that these are from. */
#include <string.h>

#include "reports/metric_state.h"
#include "sim/stat.h"

#define CONFIDENCE 0.95
#define BEYOND_MIN 2          /* Samples above a batch's quantile. */
#define SERIES_POINTS_MIN 20u /* Of the measured time, for an interval. */

static struct result_estimate exactly(double value)
{
    return (struct result_estimate){value, value, value, false};
}

static double fraction_of(const struct result *result)
{
    return result->fraction > 0 ? result->fraction : 1;
}

/* The measured time's points of a series, cut into batches: means of each, scaled. Returns how
 * many; 0 where there are too few points. Points that no longer fit make batches of fewer points.
 */
static uint32_t series_batches(const struct result *result, double scale, const float *series,
                               double batches[RESULT_BATCHES])
{
    uint32_t first = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; series != NULL && i < result->interval_count; i++) {
        uint64_t from_ns = i * result->interval_ns;
        if (from_ns >= result->from_ns && from_ns + result->interval_ns <= result->until_ns) {
            first = count == 0 ? i : first;
            count++;
        }
    }
    if (count < SERIES_POINTS_MIN) {
        return 0;
    }
    uint32_t size = count / RESULT_BATCHES;
    first += count % RESULT_BATCHES;
    for (uint32_t b = 0; b < RESULT_BATCHES; b++) {
        double sum = 0;
        for (uint32_t i = 0; i < size; i++) {
            sum += (double)series[first + b * size + i] * scale;
        }
        batches[b] = sum / size;
    }
    return RESULT_BATCHES;
}

/* `value` is what the result says of the whole measured time: the interval is laid around that. */
static struct result_estimate around(const struct result *result, double value, double scale,
                                     const float *series)
{
    struct result_estimate estimate = exactly(value);
    double batches[RESULT_BATCHES];
    uint32_t count = series_batches(result, scale, series, batches);
    if (count == 0) {
        return estimate;
    }
    double half = stat_mean(batches, count, CONFIDENCE).half_width;
    estimate.low = value - half > 0 ? value - half : 0;
    estimate.high = value + half;
    estimate.known = true;
    return estimate;
}

static bool was_measured(const struct result *result)
{
    return result->end_ns > result->from_ns;
}

static bool stage_value(const struct result *result, struct metric_spot spot,
                        struct result_estimate *estimate)
{
    const struct result_stage *stage = result_stage(result, spot.name);
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

static bool counter_value(const struct result *result, struct metric_spot spot,
                          struct result_estimate *estimate)
{
    const struct result_counter *counter = result_counter(result, spot.name);
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

static bool resource_value(const struct result *result, struct metric_spot spot,
                           struct result_estimate *estimate)
{
    const struct result_tier *tier = result_tier(result, spot.name);
    const struct result_resource *resource = NULL;
    for (uint32_t r = 0; tier != NULL && r < RESULT_RESOURCES; r++) {
        const struct result_resource *one = &tier->resources[r];
        if (one->present && strcmp(one->name, spot.resource) == 0) {
            resource = one;
        }
    }
    if (resource == NULL) {
        return false;
    }
    switch (spot.field) {
    case RESOURCE_MEAN:
        *estimate = strcmp(spot.resource, "cpu") == 0
                        ? around(result, resource->utilization_mean, 1, tier->cpu_mean)
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
    struct metric_spot spot = metric_spot(index);
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

static uint32_t stage_batches(const struct result *result, struct metric_spot spot,
                              double batches[RESULT_BATCHES])
{
    const struct result_stage *stage = result_stage(result, spot.name);
    if (stage == NULL || spot.field > STAGE_MEAN || stage->batch_count == 0) {
        return 0;
    }
    double beyond = spot.field == STAGE_MEAN ? 1 : 1 - result_quantiles[spot.field];
    if ((double)stage->count / stage->batch_count * beyond < BEYOND_MIN) {
        return 0; /* Each batch's would be its greatest value, whatever the quantile. */
    }
    memcpy(batches,
           spot.field == STAGE_MEAN ? stage->batch_mean_ns : stage->batch_quantile_ns[spot.field],
           sizeof stage->batch_mean_ns);
    return stage->batch_count;
}

uint32_t metric_batches(const struct result *result, uint32_t index, double batches[RESULT_BATCHES])
{
    struct metric_spot spot = metric_spot(index);
    struct result_estimate estimate;
    if (!metric_value(result, index, &estimate) || !estimate.known) {
        return 0;
    }
    if (spot.family == FAMILY_STAGE) {
        return stage_batches(result, spot, batches);
    }
    if (spot.family == FAMILY_COUNTER) {
        return series_batches(result, 1 / fraction_of(result), counter_series(result, spot.name),
                              batches);
    }
    const struct result_tier *tier = result_tier(result, spot.name);
    return series_batches(result, 1, tier->cpu_mean, batches);
}

bool metric_value_of(const struct result *result, const char *name,
                     struct result_estimate *estimate)
{
    uint32_t index = metric_find(name);
    return index != UINT32_MAX && metric_value(result, index, estimate);
}
