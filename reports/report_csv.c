#include "reports/report.h"

#include <math.h>
#include <string.h>

/* In quotes where it must be. */
static void put_field(FILE *stream, const char *text)
{
    if (text[strcspn(text, ",\"\r\n")] == '\0') {
        fputs(text, stream);
        return;
    }
    fputc('"', stream);
    for (; *text != '\0'; text++) {
        fputs(*text == '"' ? "\"" : "", stream);
        fputc(*text, stream);
    }
    fputc('"', stream);
}

/* As short as it reads back; nothing where it is no number. */
static void put_real(FILE *stream, double value)
{
    char text[40];
    fputc(',', stream);
    if (!isfinite(value)) {
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        double back;
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (sscanf(text, "%lf", &back) == 1 && back == value) {
            break;
        }
    }
    fputs(text, stream);
}

static void put_count(FILE *stream, uint64_t value)
{
    fprintf(stream, ",%llu", (unsigned long long)value);
}

/* "scenario,variant": every line begins with them, so that the files of several runs can be put
 * together. */
static void put_names(FILE *stream, const struct result *result)
{
    put_field(stream, result->plan->name);
    fputc(',', stream);
    put_field(stream, result->plan->variant);
}

static void put_text(FILE *stream, const char *text)
{
    fputc(',', stream);
    put_field(stream, text);
}

static bool ended(FILE *stream)
{
    return fflush(stream) == 0 && !ferror(stream);
}

static void put_estimate(FILE *stream, const struct result_estimate *estimate, bool any)
{
    put_real(stream, any ? estimate->value : NAN);
    put_real(stream, any && estimate->known ? estimate->low : NAN);
    put_real(stream, any && estimate->known ? estimate->high : NAN);
}

bool report_csv_stages(FILE *stream, const struct report *report)
{
    fputs("scenario,variant,stage,count,mean_ns,mean_low_ns,mean_high_ns", stream);
    for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
        const char *name = result_quantile_names[q];
        fprintf(stream, ",%s_ns,%s_low_ns,%s_high_ns", name, name, name);
    }
    fputs(",max_ns\n", stream);
    for (uint32_t v = 0; v < report->variant_count; v++) {
        const struct result *result = report->variants[v].result;
        for (uint32_t i = 0; i < result->stage_count; i++) {
            const struct result_stage *stage = &result->stages[i];
            bool any = stage->count > 0;
            put_names(stream, result);
            put_text(stream, stage->name);
            put_count(stream, stage->count);
            put_estimate(stream, &stage->mean_ns, any);
            for (uint32_t q = 0; q < RESULT_QUANTILES; q++) {
                put_estimate(stream, &stage->quantile_ns[q], any);
            }
            put_real(stream, any ? stage->max_ns : NAN);
            fputc('\n', stream);
        }
    }
    return ended(stream);
}

bool report_csv_tiers(FILE *stream, const struct report *report)
{
    fputs("scenario,variant,tier,nodes,servers,resource,unit,used_mean,used_max,limit,"
          "utilization_mean,utilization_max,worst_node\n",
          stream);
    for (uint32_t v = 0; v < report->variant_count; v++) {
        const struct result *result = report->variants[v].result;
        for (uint32_t t = 0; t < RESULT_TIERS; t++) {
            const struct result_tier *tier = &result->tiers[t];
            for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
                const struct result_resource *resource = &tier->resources[r];
                if (tier->name == NULL || !resource->present) {
                    continue;
                }
                put_names(stream, result);
                put_text(stream, tier->name);
                put_count(stream, tier->nodes);
                put_count(stream, tier->servers);
                put_text(stream, resource->name);
                put_text(stream, resource->unit);
                put_real(stream, resource->used_mean);
                put_real(stream, resource->used_max);
                put_real(stream, resource->limit);
                put_real(stream, resource->utilization_mean);
                put_real(stream, resource->utilization_max);
                put_count(stream, resource->worst);
                fputc('\n', stream);
            }
        }
    }
    return ended(stream);
}

static void put_point(FILE *stream, const float *values, uint32_t i)
{
    put_real(stream, values == NULL ? NAN : (double)values[i]);
}

bool report_csv_series(FILE *stream, const struct report *report)
{
    fputs("scenario,variant,time_s,sent_per_s,acked_per_s,delivered_per_s", stream);
    const struct result *first = report->variants[0].result;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const char *name = first->tiers[t].name == NULL ? "none" : first->tiers[t].name;
        fprintf(stream, ",%s_cpu_mean,%s_cpu_max,%s_visits_per_s", name, name, name);
    }
    fputc('\n', stream);
    for (uint32_t v = 0; v < report->variant_count; v++) {
        const struct result *result = report->variants[v].result;
        for (uint32_t i = 0; i < result->interval_count; i++) {
            put_names(stream, result);
            put_real(stream, (double)(i * result->interval_ns) / 1e9);
            put_point(stream, result->sent_per_s, i);
            put_point(stream, result->acked_per_s, i);
            put_point(stream, result->delivered_per_s, i);
            for (uint32_t t = 0; t < RESULT_TIERS; t++) {
                put_point(stream, result->tiers[t].cpu_mean, i);
                put_point(stream, result->tiers[t].cpu_max, i);
                put_point(stream, result->tiers[t].visits_per_s, i);
            }
            fputc('\n', stream);
        }
    }
    return ended(stream);
}

bool report_csv_counters(FILE *stream, const struct report *report)
{
    fputs("scenario,variant,counter,measured,total,per_s\n", stream);
    for (uint32_t v = 0; v < report->variant_count; v++) {
        const struct result *result = report->variants[v].result;
        for (uint32_t i = 0; i < result->counter_count; i++) {
            put_names(stream, result);
            put_text(stream, result->counters[i].name);
            put_count(stream, result->counters[i].measured);
            put_count(stream, result->counters[i].total);
            put_real(stream, result->counters[i].per_s);
            fputc('\n', stream);
        }
    }
    return ended(stream);
}
