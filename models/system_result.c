#include "models/client/judge.h"
#include "models/growth.h"
#include "models/infra/table.h"
#include "models/system_state.h"
#include "sim/stat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CDF_POINTS 96u
#define BATCH_SAMPLES_MIN 20u
#define BATCHES_MIN 5u /* Complete ones, for an interval. */
#define STATION_FULL 0.995

_Static_assert(STAGE_COUNT <= RESULT_STAGES_MAX, "room for all stages");
_Static_assert(COUNTER_COUNT <= RESULT_COUNTERS_MAX, "room for all counters");
_Static_assert(RESULT_BATCHES == BATCHES, "the same batches");

static const char *const stage_names[STAGE_COUNT] = {
#define STAGE_NAME(name, text, about) [name] = (text),
    RESULT_STAGES(STAGE_NAME)
#undef STAGE_NAME
};

static const char *const stage_abouts[STAGE_COUNT] = {
#define STAGE_ABOUT(name, text, about) [name] = (about),
    RESULT_STAGES(STAGE_ABOUT)
#undef STAGE_ABOUT
};

static const char *const counter_names[COUNTER_COUNT] = {
#define COUNTER_NAME(name, text, about) [name] = (text),
    RESULT_COUNTERS(COUNTER_NAME)
#undef COUNTER_NAME
};

static const char *const counter_abouts[COUNTER_COUNT] = {
#define COUNTER_ABOUT(name, text, about) [name] = (about),
    RESULT_COUNTERS(COUNTER_ABOUT)
#undef COUNTER_ABOUT
};

static const struct {
    const char *name;
    const char *unit;
} resource_names[RESOURCE_COUNT] = {
    [RESOURCE_CPU] = {"cpu", "share"},
    [RESOURCE_NIC_IN] = {"nic_in", "B/s"},
    [RESOURCE_NIC_OUT] = {"nic_out", "B/s"},
    [RESOURCE_DISK_IO] = {"disk_io", "B/s"},
    [RESOURCE_DISK_SPACE] = {"disk_space", "B"},
    [RESOURCE_MEMORY] = {"memory", "B"},
    [RESOURCE_CONNECTIONS] = {"connections", "1"},
    [RESOURCE_QUOTA] = {"quota", "1/s"},
};

/* The batches' own estimates: their mean is the interval's middle only where all have samples. */
static struct result_estimate estimate(double value, const double *batches, uint32_t count,
                                       uint32_t complete)
{
    struct result_estimate result = {value, value, value, false};
    if (count < complete || complete < BATCHES_MIN) {
        return result;
    }
    double half = stat_mean(batches, count, 0.95).half_width;
    result.low = value - half > 0 ? value - half : 0;
    result.high = value + half;
    result.known = true;
    return result;
}

/* Of all threads. */
static void batch_merge(const struct world *world, uint32_t batch, enum stage stage,
                        struct histogram *into)
{
    for (uint32_t t = 0; t < world->thread_count; t++) {
        histogram_merge(into, &world->stats[t]->stages[batch][stage]);
    }
}

/* `complete`: batches that the run has left behind. */
static void stage_result(const struct world *world, enum stage stage, uint32_t complete,
                         struct histogram *batch, struct histogram *all,
                         struct result_stage *result)
{
    double means[BATCHES];
    double quantiles[RESULT_QUANTILES][BATCHES];
    uint32_t count = 0;
    histogram_clear(all);
    for (uint32_t b = 0; b < BATCHES; b++) {
        histogram_clear(batch);
        batch_merge(world, b, stage, batch);
        histogram_merge(all, batch);
        if (b < complete && batch->count >= BATCH_SAMPLES_MIN) {
            means[count] = histogram_mean(batch);
            for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
                quantiles[q][count] = (double)histogram_quantile(batch, result_quantiles[q]);
            }
            count++;
        }
    }
    *result = (struct result_stage){
        .name = stage_names[stage],
        .about = stage_abouts[stage],
        .count = all->count,
        .mean_ns = estimate(histogram_mean(all), means, count, complete),
        .max_ns = (double)all->max,
    };
    for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
        result->quantile_ns[q] = estimate((double)histogram_quantile(all, result_quantiles[q]),
                                          quantiles[q], count, complete);
    }
    if (result->mean_ns.known) {
        result->batch_count = count;
        memcpy(result->batch_mean_ns, means, count * sizeof *means);
        for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
            memcpy(result->batch_quantile_ns[q], quantiles[q], count * sizeof *means);
        }
    }
    for (uint32_t i = 0; i < CDF_POINTS && all->count > 0; i++) {
        double ns = pow(10, 3 + 8.0 * i / (CDF_POINTS - 1));
        result->cdf[i] = (float)histogram_share_within(all, (uint64_t)ns);
    }
}

static void stages_result(const struct system *system, uint32_t complete, struct result *result)
{
    struct histogram *scratch = calloc(2, sizeof *scratch);
    CHECK(scratch != NULL);
    for (uint32_t stage = 0; stage < STAGE_COUNT; stage++) {
        stage_result(&system->world, (enum stage)stage, complete, &scratch[0], &scratch[1],
                     &result->stages[stage]);
    }
    result->stage_count = STAGE_COUNT;
    free(scratch);
}

static void counters_result(const struct system *system, struct result *result)
{
    const struct world *world = &system->world;
    double seconds = (double)(result->until_ns - result->from_ns) * 1e-9;
    for (uint32_t c = 0; c < COUNTER_COUNT; c++) {
        struct result_counter *counter = &result->counters[c];
        *counter = (struct result_counter){.name = counter_names[c], .about = counter_abouts[c]};
        for (uint32_t t = 0; t < world->thread_count; t++) {
            counter->measured += world->stats[t]->counters[c];
            counter->total += world->stats[t]->total[c];
        }
        counter->per_s = seconds > 0 ? (double)counter->measured / seconds : 0;
    }
    result->counter_count = COUNTER_COUNT;
}

static void node_use(const struct system *system, enum infra_class class, uint32_t index,
                     struct resource_use uses[RESOURCE_COUNT])
{
    memset(uses, 0, RESOURCE_COUNT * sizeof *uses);
    switch (class) {
    case CLASS_GATEWAY:
        server_use(system->servers[index], uses);
        break;
    case CLASS_FANOUT:
        server_use(system->servers[system->world.count[CLASS_GATEWAY] + index], uses);
        break;
    case CLASS_KAFKA:
        kafka_use(kafka_at(system->kafka, index), uses);
        break;
    case CLASS_CASSANDRA:
        cassandra_use(cassandra_at(system->ring, index), uses);
        break;
    case CLASS_REDIS:
        redis_use(system->shards[index], uses);
        break;
    case CLASS_PUSH:
        push_use(system->push, uses);
        break;
    case CLASS_POPULATION:
    case CLASS_COUNT:
        break;
    }
}

static void tier_series(const struct system *system, enum infra_class class,
                        struct result_tier *tier)
{
    const struct world *world = &system->world;
    uint32_t count = world->interval_count;
    tier->cpu_mean = calloc(count, sizeof(float));
    tier->cpu_max = calloc(count, sizeof(float));
    tier->visits_per_s = calloc(count, sizeof(float));
    CHECK(tier->cpu_mean != NULL && tier->cpu_max != NULL && tier->visits_per_s != NULL);
    double span_ns = (double)world->interval_ns;
    for (uint32_t interval = 0; interval < count; interval++) {
        double busy_ns = 0;
        double busiest_ns = 0;
        uint64_t visits = 0;
        for (uint32_t i = 0; i < world->count[class]; i++) {
            const struct usage *usage =
                &world->usage[(size_t)(world->base[class] + i) * count + interval];
            busy_ns += (double)usage->busy_ns;
            visits += usage->visits;
            busiest_ns = (double)usage->busy_ns > busiest_ns ? (double)usage->busy_ns : busiest_ns;
        }
        double all_ns = span_ns * tier->servers;
        tier->cpu_mean[interval] = (float)(busy_ns / (all_ns * world->count[class]));
        tier->cpu_max[interval] = (float)(busiest_ns / all_ns);
        tier->visits_per_s[interval] = (float)((double)visits * 1e9 / span_ns);
    }
}

static void tier_result(const struct system *system, enum infra_class class,
                        struct result_tier *tier)
{
    const struct world *world = &system->world;
    for (uint32_t i = 0; i < world->count[class]; i++) {
        struct resource_use uses[RESOURCE_COUNT];
        node_use(system, class, i, uses);
        for (uint32_t r = 0; r < RESOURCE_COUNT; r++) {
            struct result_resource *resource = &tier->resources[r];
            resource->name = resource_names[r].name;
            resource->unit = resource_names[r].unit;
            if (uses[r].limit <= 0) {
                continue;
            }
            double utilization = uses[r].used / uses[r].limit;
            resource->present = true;
            resource->limit = uses[r].limit;
            resource->used_mean += uses[r].used / world->count[class];
            resource->utilization_mean += utilization / world->count[class];
            if (uses[r].used > resource->used_max) {
                resource->used_max = uses[r].used;
            }
            if (utilization > resource->utilization_max) {
                resource->utilization_max = utilization;
                resource->worst = i;
            }
        }
    }
}

static void tiers_result(const struct system *system, struct result *result)
{
    static const char *const names[CLASS_COUNT] = {"population", "gateway", "fanout", "kafka",
                                                   "cassandra",  "redis",   "push"};
    const struct plan *plan = &system->plan;
    const uint32_t servers[CLASS_COUNT] = {1,
                                           plan->gateway.cores,
                                           plan->fanout.cores,
                                           plan->kafka.network_threads + plan->kafka.io_threads,
                                           plan->cassandra.cores,
                                           1,
                                           1};
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        struct result_tier *tier = &result->tiers[class];
        tier->name = names[class];
        tier->nodes = system->world.count[class];
        tier->servers = servers[class];
        tier_result(system, (enum infra_class) class, tier);
        tier_series(system, (enum infra_class) class, tier);
    }
}

/* What messages queue for. */
static bool is_station(uint32_t resource)
{
    return resource == RESOURCE_CPU || resource == RESOURCE_NIC_IN ||
           resource == RESOURCE_NIC_OUT || resource == RESOURCE_DISK_IO;
}

/* Into the list, which is sorted; what is least is dropped where it is full. */
static void finding_add(struct result *result, struct result_finding finding)
{
    uint32_t at = result->finding_count;
    while (at > 0 && result->findings[at - 1].utilization < finding.utilization) {
        at--;
    }
    if (at == RESULT_FINDINGS_MAX) {
        return;
    }
    uint32_t kept = result->finding_count < RESULT_FINDINGS_MAX - 1 ? result->finding_count
                                                                    : RESULT_FINDINGS_MAX - 1;
    memmove(&result->findings[at + 1], &result->findings[at],
            (kept - at) * sizeof result->findings[0]);
    result->findings[at] = finding;
    result->finding_count = kept + 1;
}

/* Whoever runs the system asks first what stops more messages from passing, and then what else
 * will not do. A disk that is full in ten days stops none today. */
static void binding_result(struct result *result)
{
    double highest = 0;
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        for (uint32_t r = 0; r < RESOURCE_COUNT; r++) {
            double utilization = result->tiers[class].resources[r].utilization_mean;
            bool binds = r != RESOURCE_DISK_SPACE && r != RESOURCE_QUOTA;
            if (binds && utilization > highest) {
                highest = utilization;
                result->binding_tier = class;
                result->binding_resource = r;
            }
            if (!is_station(r) && utilization > 1) {
                finding_add(result, (struct result_finding){class, r, utilization});
            }
        }
    }
}

static bool station_full(const struct result *result)
{
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        for (uint32_t r = 0; r < RESOURCE_COUNT; r++) {
            const struct result_resource *resource = &result->tiers[class].resources[r];
            if (is_station(r) && resource->utilization_mean >= STATION_FULL) {
                return true;
            }
        }
    }
    return false;
}

static void series_result(const struct system *system, struct result *result)
{
    const struct world *world = &system->world;
    uint32_t count = world->interval_count;
    result->interval_count = count;
    result->interval_ns = world->interval_ns;
    result->sent_per_s = calloc(count, sizeof(float));
    result->acked_per_s = calloc(count, sizeof(float));
    result->delivered_per_s = calloc(count, sizeof(float));
    CHECK(result->sent_per_s != NULL && result->acked_per_s != NULL);
    CHECK(result->delivered_per_s != NULL);
    double per_s = 1e9 / (double)world->interval_ns;
    for (uint32_t i = 0; i < count; i++) {
        struct stats_point sum = {0, 0, 0};
        for (uint32_t t = 0; t < world->thread_count; t++) {
            sum.sent += world->stats[t]->series[i].sent;
            sum.acked += world->stats[t]->series[i].acked;
            sum.delivered += world->stats[t]->series[i].delivered;
        }
        result->sent_per_s[i] = (float)((double)sum.sent * per_s);
        result->acked_per_s[i] = (float)((double)sum.acked * per_s);
        result->delivered_per_s[i] = (float)((double)sum.delivered * per_s);
    }
}

/* The batches of the first half say what an ack took before whatever grows had grown. */
static double early_ack_s(const struct world *world, uint32_t complete)
{
    struct histogram *early = calloc(1, sizeof *early);
    CHECK(early != NULL);
    for (uint32_t b = 0; b == 0 || b < complete / 2; b++) {
        batch_merge(world, b, STAGE_ACK, early);
    }
    double mean_s = histogram_mean(early) * 1e-9;
    free(early);
    return mean_s;
}

static void ends_result(const struct system *system, uint32_t complete, struct result *result)
{
    const struct world *world = &system->world;
    for (uint32_t i = 0; i < world->count[CLASS_POPULATION]; i++) {
        struct population_end end = population_end(system->populations[i]);
        result->online += end.online;
        result->unfinished += end.unacked;
    }
    for (uint32_t i = 0; i < world->count[CLASS_KAFKA]; i++) {
        result->consumer_lag_records +=
            kafka_lag(kafka_at(system->kafka, i), sim_now(system->sim)).records;
    }
    struct growth growth = growth_measure(result);
    result->unfinished_growth_per_s = growth.slope_per_s;
    bool grows = growth_is_overload(&growth, early_ack_s(world, complete), result);
    result->overloaded = station_full(result) || grows;
}

/* What some replica holds is stored: it survives, and repair spreads it. */
static void judge_stores(struct system *system)
{
    for (uint32_t i = 0; i < system->world.count[CLASS_CASSANDRA]; i++) {
        const struct table *table = cassandra_table(cassandra_at(system->ring, i));
        struct chat_entry entry;
        for (uint64_t k = 0; table_message(table, k, &entry); k++) {
            judge_stored(system->world.judge, entry.user, entry.channel, entry.id);
        }
    }
}

static void judge_result(struct system *system, struct result *result)
{
    struct judge *judge = system->world.judge;
    if (judge == NULL) {
        return;
    }
    for (uint32_t i = 0; i < system->world.count[CLASS_POPULATION]; i++) {
        population_judge(system->populations[i]);
    }
    judge_stores(system);
    result->judged = true;
    result->violation_count = judge_verdict(judge, true);
    uint32_t count;
    const struct judge_violation *violations = judge_violations(judge, &count);
    for (uint32_t i = 0; i < count && i < RESULT_VIOLATIONS_MAX; i++) {
        snprintf(result->violations[i], sizeof result->violations[i], "guarantee %d: %.230s",
                 (int)violations[i].guarantee, violations[i].words);
        result->violation_words_count++;
    }
    struct judge_sums sums = judge_sums(judge);
    result->judged_acked = sums.acked;
    result->judged_shown = sums.shown;
    result->judged_owed = sums.owed;
}

/* The measured time ends now, where the run has not got to its end. Returns how many batches are
 * complete. */
static uint32_t measured_time(struct system *system, struct result *result)
{
    struct world *world = &system->world;
    uint64_t asked_ns = world->until_ns - world->from_ns;
    result->end_ns = sim_now(system->sim);
    result->partial = result->end_ns < system_end_ns(system);
    result->from_ns = world->from_ns;
    result->until_ns = world->until_ns;
    if (result->end_ns < result->until_ns) {
        result->until_ns = result->end_ns > result->from_ns ? result->end_ns : result->from_ns;
        /* The nodes divide by it; it is not empty. */
        world->until_ns =
            result->until_ns > result->from_ns ? result->until_ns : world->from_ns + 1;
    }
    return (uint32_t)((result->until_ns - result->from_ns) * BATCHES / asked_ns);
}

void system_result(struct system *system, struct result *result)
{
    const struct world *world = &system->world;
    memset(result, 0, sizeof *result);
    uint32_t complete = measured_time(system, result);
    result->plan = system->asked;
    result->fraction = system->asked->run.fidelity;
    result->events = sim_handled(system->sim);
    result->clients = world->client_count;
    result->host.threads = world->thread_count;
    result->host.plain = system->options.plain;
    stages_result(system, complete, result);
    counters_result(system, result);
    tiers_result(system, result);
    binding_result(result);
    series_result(system, result);
    ends_result(system, complete, result);
    judge_result(system, result);
}
