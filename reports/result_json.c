#include "reports/result_json.h"

#include <inttypes.h>
#include <time.h>

#include "reports/metric.h"
#include "reports/verdict_json.h"
#include "reports/version.h"
#include "reports/writer.h"

#define CDF_POINTS (sizeof((struct result_stage *)NULL)->cdf / sizeof(float))
#define CDF_FROM_NS 1e3
#define CDF_UNTIL_NS 1e11

const char *const result_quantile_names[RESULT_QUANTILES] = {"p50", "p90",   "p95",
                                                             "p99", "p99.9", "p99.99"};

static void write_scenario(struct writer *w, const struct plan *plan,
                           const struct result_facts *facts)
{
    char hash[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, facts->plan_hash);
    writer_object(w, "scenario");
    writer_text(w, "name", plan->name);
    writer_text(w, "variant", plan->variant[0] == '\0' ? NULL : plan->variant);
    writer_count(w, "level", plan->level);
    writer_text(w, "about", plan->about);
    writer_text(w, "hash", hash);
    writer_array(w, "overrides");
    for (uint32_t i = 0; i < facts->override_count; i++) {
        writer_text(w, NULL, facts->overrides[i]);
    }
    writer_array_end(w);
    if (facts->plan_json == NULL) {
        writer_null(w, "plan");
    } else {
        writer_json(w, "plan", facts->plan_json);
    }
    writer_object_end(w);
}

static void write_run(struct writer *w, const struct result *result)
{
    const struct plan_run *run = &result->plan->run;
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, run->seed);
    writer_object(w, "run");
    writer_text(w, "seed", seed);
    writer_count(w, "warmup_ns", run->warmup_ns);
    writer_count(w, "duration_ns", run->duration_ns);
    writer_count(w, "drain_ns", run->drain_ns);
    writer_bool(w, "contents", run->contents);
    writer_real(w, "fraction", result->fraction);
    writer_object_end(w);
}

static void write_measured(struct writer *w, const struct result *result)
{
    writer_object(w, "measured");
    writer_bool(w, "partial", result->partial);
    writer_count(w, "from_ns", result->from_ns);
    writer_count(w, "until_ns", result->until_ns);
    writer_count(w, "end_ns", result->end_ns);
    writer_count(w, "events", result->events);
    writer_count(w, "clients", result->clients);
    writer_count(w, "online", result->online);
    writer_object_end(w);
}

static void write_estimate(struct writer *w, const char *key,
                           const struct result_estimate *estimate, bool any)
{
    if (!any) {
        writer_null(w, key);
        return;
    }
    writer_flat_object(w, key);
    writer_real(w, "value", estimate->value);
    if (estimate->known) {
        writer_real(w, "low", estimate->low);
        writer_real(w, "high", estimate->high);
    } else {
        writer_null(w, "low");
        writer_null(w, "high");
    }
    writer_text(w, "unit", "ns");
    writer_object_end(w);
}

static void write_stages(struct writer *w, const struct result *result)
{
    writer_array(w, "stages");
    for (uint32_t i = 0; i < result->stage_count; i++) {
        const struct result_stage *stage = &result->stages[i];
        bool any = stage->count > 0;
        writer_object(w, NULL);
        writer_text(w, "name", stage->name);
        writer_text(w, "about", stage->about);
        writer_count(w, "count", stage->count);
        write_estimate(w, "mean", &stage->mean_ns, any);
        for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
            write_estimate(w, result_quantile_names[q], &stage->quantile_ns[q], any);
        }
        if (any) {
            writer_real(w, "max_ns", stage->max_ns);
        } else {
            writer_null(w, "max_ns");
        }
        writer_floats(w, "cdf", stage->cdf, any ? (uint32_t)CDF_POINTS : 0);
        writer_object_end(w);
    }
    writer_array_end(w);
    writer_flat_object(w, "cdf_axis");
    writer_real(w, "from_ns", CDF_FROM_NS);
    writer_real(w, "until_ns", CDF_UNTIL_NS);
    writer_count(w, "points", CDF_POINTS);
    writer_text(w, "scale", "logarithmic");
    writer_object_end(w);
}

static void write_counters(struct writer *w, const struct result *result)
{
    writer_array(w, "counters");
    for (uint32_t i = 0; i < result->counter_count; i++) {
        const struct result_counter *counter = &result->counters[i];
        writer_flat_object(w, NULL);
        writer_text(w, "name", counter->name);
        writer_text(w, "about", counter->about);
        writer_count(w, "measured", counter->measured);
        writer_count(w, "total", counter->total);
        writer_real(w, "per_s", counter->per_s);
        writer_object_end(w);
    }
    writer_array_end(w);
}

static void write_resource(struct writer *w, const struct result_resource *resource)
{
    writer_flat_object(w, NULL);
    writer_text(w, "name", resource->name);
    writer_text(w, "unit", resource->unit);
    writer_real(w, "used_mean", resource->used_mean);
    writer_real(w, "used_max", resource->used_max);
    writer_real(w, "limit", resource->limit);
    writer_real(w, "utilization_mean", resource->utilization_mean);
    writer_real(w, "utilization_max", resource->utilization_max);
    writer_count(w, "worst", resource->worst);
    writer_object_end(w);
}

static void write_series(struct writer *w, const char *key, const float *values, uint32_t count)
{
    writer_floats(w, key, values, values == NULL ? 0 : count);
}

static void write_tiers(struct writer *w, const struct result *result)
{
    writer_array(w, "tiers");
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const struct result_tier *tier = &result->tiers[t];
        if (tier->name == NULL) {
            continue;
        }
        writer_object(w, NULL);
        writer_text(w, "name", tier->name);
        writer_count(w, "nodes", tier->nodes);
        writer_count(w, "servers", tier->servers);
        writer_array(w, "resources");
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            if (tier->resources[r].present) {
                write_resource(w, &tier->resources[r]);
            }
        }
        writer_array_end(w);
        writer_object(w, "series");
        write_series(w, "cpu_mean", tier->cpu_mean, result->interval_count);
        write_series(w, "cpu_max", tier->cpu_max, result->interval_count);
        write_series(w, "visits_per_s", tier->visits_per_s, result->interval_count);
        writer_object_end(w);
        writer_object_end(w);
    }
    writer_array_end(w);
}

static void write_system_series(struct writer *w, const struct result *result)
{
    writer_object(w, "series");
    writer_count(w, "interval_ns", result->interval_ns);
    writer_count(w, "interval_count", result->interval_count);
    write_series(w, "sent_per_s", result->sent_per_s, result->interval_count);
    write_series(w, "acked_per_s", result->acked_per_s, result->interval_count);
    write_series(w, "delivered_per_s", result->delivered_per_s, result->interval_count);
    writer_object_end(w);
}

/* Every figure by its name, once more and flat: for who compares runs or gates them. */
static void write_metrics(struct writer *w, const struct result *result)
{
    writer_array(w, "metrics");
    for (uint32_t i = 0; i < metric_count(); i++) {
        struct metric metric = metric_at(i);
        struct result_estimate value;
        double batches[RESULT_BATCHES];
        if (!metric_value(result, i, &value)) {
            continue;
        }
        uint32_t count = metric_batches(result, i, batches);
        writer_flat_object(w, NULL);
        writer_text(w, "name", metric.name);
        writer_text(w, "unit", metric_unit_name(metric.unit));
        writer_text(w, "better", metric_better_name(metric.better));
        writer_real(w, "value", value.value);
        if (value.known) {
            writer_real(w, "low", value.low);
            writer_real(w, "high", value.high);
        } else {
            writer_null(w, "low");
            writer_null(w, "high");
        }
        writer_array(w, "batches");
        for (uint32_t b = 0; b < count; b++) {
            writer_real(w, NULL, batches[b]);
        }
        writer_array_end(w);
        writer_object_end(w);
    }
    writer_array_end(w);
}

static void write_binding(struct writer *w, const struct result *result)
{
    const struct result_tier *tier = &result->tiers[result->binding_tier];
    const struct result_resource *resource = &tier->resources[result->binding_resource];
    if (!resource->present) {
        writer_null(w, "binding");
        return;
    }
    writer_flat_object(w, "binding");
    writer_text(w, "tier", tier->name);
    writer_text(w, "resource", resource->name);
    writer_real(w, "utilization", resource->utilization_mean);
    writer_real(w, "utilization_max", resource->utilization_max);
    writer_count(w, "worst", resource->worst);
    writer_object_end(w);
}

static void write_findings(struct writer *w, const struct result *result)
{
    writer_array(w, "findings");
    for (uint32_t i = 0; i < result->finding_count; i++) {
        const struct result_tier *tier = &result->tiers[result->findings[i].tier];
        writer_flat_object(w, NULL);
        writer_text(w, "tier", tier->name);
        writer_text(w, "resource", tier->resources[result->findings[i].resource].name);
        writer_real(w, "utilization", result->findings[i].utilization);
        writer_object_end(w);
    }
    writer_array_end(w);
}

static void write_judge(struct writer *w, const struct result *result)
{
    if (!result->judged) {
        writer_null(w, "judge");
        return;
    }
    writer_object(w, "judge");
    writer_count(w, "violations", result->violation_count);
    writer_array(w, "words");
    for (uint32_t i = 0; i < result->violation_words_count; i++) {
        writer_text(w, NULL, result->violations[i]);
    }
    writer_array_end(w);
    writer_count(w, "acked", result->judged_acked);
    writer_count(w, "shown", result->judged_shown);
    writer_count(w, "owed", result->judged_owed);
    writer_object_end(w);
}

static void write_host(struct writer *w, const struct result *result,
                       const struct result_facts *facts)
{
    char when[32] = "";
    time_t started = (time_t)facts->started_unix_s;
    struct tm utc;
    if (started != 0 && gmtime_r(&started, &utc) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    writer_object(w, "host");
    writer_text(w, "started", when[0] == '\0' ? NULL : when);
    writer_text(w, "repeat", facts->repeat);
    writer_count(w, "threads", result->host.threads);
    writer_text(w, "scheduler", result->host.plain ? "plain" : "windows");
    writer_count(w, "processors", facts->processor_count);
    writer_real(w, "build_s", result->host.build_s);
    writer_real(w, "wall_s", result->host.wall_s);
    writer_real(w, "wall_s_per_simulated_s", result->host.wall_s_per_simulated_s);
    writer_real(w, "events_per_s", result->host.events_per_s);
    writer_count(w, "memory_bytes", result->host.memory_bytes);
    writer_count(w, "memory_estimated_bytes", result->host.memory_estimated_bytes);
    writer_object_end(w);
}

bool result_json_write(FILE *stream, const struct result *result, const struct result_facts *facts)
{
    struct writer writer;
    struct writer *w = &writer;
    writer_init(w, stream);
    writer_object(w, NULL);
    writer_text(w, "format", RESULT_JSON_FORMAT);
    writer_count(w, "version", RESULT_JSON_VERSION);
    writer_text(w, "chatscale", CHATSCALE_VERSION);
    write_scenario(w, result->plan, facts);
    write_run(w, result);
    write_measured(w, result);
    verdict_json_write(w, facts->verdicts, facts->budgets);
    write_metrics(w, result);
    write_binding(w, result);
    write_findings(w, result);
    writer_flat_object(w, "unfinished");
    writer_bool(w, "overloaded", result->overloaded);
    writer_count(w, "messages", result->unfinished);
    writer_real(w, "growth_per_s", result->unfinished_growth_per_s);
    writer_count(w, "consumer_lag_records", result->consumer_lag_records);
    writer_object_end(w);
    write_judge(w, result);
    write_stages(w, result);
    write_counters(w, result);
    write_tiers(w, result);
    write_system_series(w, result);
    write_host(w, result, facts);
    writer_object_end(w);
    return fflush(stream) == 0 && !ferror(stream);
}
