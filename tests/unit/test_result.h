/* What the tests of reports share: a result that is made up, of a system that keeps up. */
#ifndef TESTS_UNIT_TEST_RESULT_H
#define TESTS_UNIT_TEST_RESULT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/result.h"

enum { MADE_CPU, MADE_NIC_OUT, MADE_DISK_SPACE, MADE_MEMORY };

static inline void made_stage(struct result *result, const char *name, uint64_t count,
                              double median_ns)
{
    struct result_stage *stage = &result->stages[result->stage_count++];
    static const double factors[RESULT_QUANTILES] = {1, 2, 2.5, 4, 8, 10};
    stage->name = name;
    stage->about = "from here to there";
    stage->count = count;
    stage->mean_ns = (struct result_estimate){median_ns * 1.1, median_ns, median_ns * 1.2, true};
    for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
        double value = median_ns * factors[q];
        stage->quantile_ns[q] = (struct result_estimate){value, value * 0.9, value * 1.1, q < 5};
    }
    stage->max_ns = median_ns * 20;
    for (uint32_t i = 48; i < 96; i++) {
        stage->cdf[i] = 1;
    }
}

static inline void made_counter(struct result *result, const char *name, uint64_t measured)
{
    result->counters[result->counter_count++] = (struct result_counter){
        .name = name,
        .about = "as it says",
        .measured = measured,
        .total = measured + 7,
        .per_s = (double)measured / 10,
    };
}

static inline void made_resource(struct result *result, uint32_t tier, uint32_t index,
                                 const char *name, double limit, double mean, double max)
{
    result->tiers[tier].resources[index] = (struct result_resource){
        .name = name,
        .unit = strcmp(name, "cpu") == 0        ? "share"
                : strncmp(name, "nic_", 4) == 0 ? "B/s"
                                                : "B",
        .present = true,
        .used_mean = limit * mean,
        .used_max = limit * max,
        .limit = limit,
        .utilization_mean = mean,
        .utilization_max = max,
        .worst = 2,
    };
}

static inline float *made_series(uint32_t count, float value)
{
    float *series = malloc(count * sizeof *series);
    assert_non_null(series);
    for (uint32_t i = 0; i < count; i++) {
        series[i] = value;
    }
    return series;
}

static inline void made_tiers(struct result *result)
{
    static const char *const names[RESULT_TIERS] = {"population", "gateway", "fanout", "kafka",
                                                    "cassandra",  "redis",   "push"};
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        result->tiers[t].name = names[t];
        result->tiers[t].nodes = t == 6 ? 1 : 3 * t + 3;
        result->tiers[t].servers = 4;
        result->tiers[t].cpu_mean = made_series(result->interval_count, 0.25f);
        result->tiers[t].cpu_max = made_series(result->interval_count, 0.3f);
        result->tiers[t].visits_per_s = made_series(result->interval_count, 1e6f);
        if (t > 0 && t < 6) {
            made_resource(result, t, MADE_CPU, "cpu", 4, 0.1 * t, 0.1 * t + 0.05);
            made_resource(result, t, MADE_NIC_OUT, "nic_out", 1.25e9, 0.02 * t, 0.03 * t);
        }
    }
    made_resource(result, 1, MADE_MEMORY, "memory", 64e9, 0.3, 0.31);
    made_resource(result, 3, MADE_DISK_SPACE, "disk_space", 20e12, 0.1, 0.12);
    made_resource(result, 4, MADE_DISK_SPACE, "disk_space", 3e12, 0.2, 0.22);
    made_resource(result, 4, MADE_CPU, "cpu", 32, 0.63, 0.93);
    made_resource(result, 5, MADE_MEMORY, "memory", 16e9, 0.5, 0.55);
    result->binding_tier = 4;
    result->binding_resource = MADE_CPU;
}

/* One for each test: cmocka hands it on as *state. The plan is freed with it. */
static inline int made_setup(void **state)
{
    struct result *result = calloc(1, sizeof *result);
    struct plan *plan = calloc(1, sizeof *plan);
    assert_non_null(result);
    assert_non_null(plan);
    snprintf(plan->name, sizeof plan->name, "made-up");
    snprintf(plan->variant, sizeof plan->variant, "sticky");
    snprintf(plan->about, sizeof plan->about, "Nothing of this happened.");
    plan->level = 8;
    plan->run.seed = 18446744073709551615u;
    plan->run.warmup_ns = 2000000000;
    plan->run.duration_ns = 10000000000;
    plan->run.drain_ns = 3000000000;
    plan->run.fidelity = 1;
    result->plan = plan;
    result->from_ns = 2000000000;
    result->until_ns = 12000000000;
    result->end_ns = 15000000000;
    result->fraction = 1;
    result->events = 123456789;
    result->clients = 50000000;
    result->online = 49800000;
    result->interval_count = 3;
    result->interval_ns = 5000000000;
    result->sent_per_s = made_series(3, 0.1f);
    result->acked_per_s = made_series(3, 3.5e6f);
    result->delivered_per_s = made_series(3, 16777216.0f);
    made_stage(result, "uplink", 35000000, 21e6);
    made_stage(result, "delivery", 35000000, 41.5e6);
    made_stage(result, "connect", 500, 120e6);
    made_stage(result, "poll", 0, 0);
    made_counter(result, "messages_sent", 35000000);
    made_counter(result, "messages_transmitted", 35700000);
    made_counter(result, "messages_acked", 34990000);
    made_counter(result, "deliveries", 30100000);
    made_counter(result, "receipts_delivered", 30000000);
    made_counter(result, "receipts_read", 21000000);
    made_tiers(result);
    result->unfinished = 312345;
    result->consumer_lag_records = 1200;
    result->host.threads = 2;
    result->host.wall_s = 30;
    result->host.wall_s_per_simulated_s = 2;
    result->host.events_per_s = 4.1e6;
    result->host.memory_bytes = 6ull << 30;
    *state = result;
    return 0;
}

static inline int made_teardown(void **state)
{
    struct result *result = *state;
    free((void *)(uintptr_t)result->plan);
    result_free(result);
    free(result);
    return 0;
}

/* The plan is the test's own, so it may change it. */
static inline struct plan *made_plan(struct result *result)
{
    return (struct plan *)(uintptr_t)result->plan;
}

#endif
