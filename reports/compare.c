#include "reports/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/stat.h"

#define CONFIDENCE 0.95

bool compare_allowed(const struct result_read *base, const struct result_read *next, bool any_plan,
                     bool any_seed, char *why, size_t size)
{
    if (base->partial || next->partial) {
        snprintf(why, size,
                 "the %s run was interrupted, so its figures are of another time; run it "
                 "again",
                 base->partial ? "base" : "new");
        return false;
    }
    if (strcmp(base->hash, next->hash) != 0 && !any_plan) {
        snprintf(why, size,
                 "the plans differ (%s, %s): what changed may be the question and not the answer; "
                 "--any-plan compares two designs",
                 base->hash, next->hash);
        return false;
    }
    if (strcmp(base->seed, next->seed) != 0 && !any_seed) {
        snprintf(why, size,
                 "the seeds differ (%s, %s), and so does their luck; run both with one --seed, or "
                 "--any-seed compares them all the same",
                 base->seed, next->seed);
        return false;
    }
    if (base->warmup_ns != next->warmup_ns || base->duration_ns != next->duration_ns) {
        snprintf(why, size,
                 "one measured %g s and the other %g s, or after another warm-up; give "
                 "both the same run.warmup and run.duration",
                 base->duration_ns * 1e-9, next->duration_ns * 1e-9);
        return false;
    }
    if (base->fraction != next->fraction) {
        snprintf(why, size,
                 "one is a sample of %g%% and the other of %g%%; give both the same "
                 "run.fidelity",
                 base->fraction * 100, next->fraction * 100);
        return false;
    }
    return true;
}

static bool has_interval(const struct compare_line *line)
{
    return line->base->batch_count >= 2 && line->next->batch_count >= 2;
}

/* Half the width of the interval of next - base. */
static double half_width(const struct compare_line *line, bool paired, double confidence)
{
    const struct result_read_metric *base = line->base;
    const struct result_read_metric *next = line->next;
    if (paired && base->batch_count == next->batch_count) {
        return stat_paired(next->batches, base->batches, base->batch_count, confidence).half_width;
    }
    double a = stat_mean(base->batches, base->batch_count, confidence).half_width;
    double b = stat_mean(next->batches, next->batch_count, confidence).half_width;
    return sqrt(a * a + b * b);
}

static enum compare_change change_of(const struct compare_line *line, double tolerance)
{
    if (fabs(line->effect) <= tolerance) {
        return COMPARE_SAME;
    }
    if (isnan(line->low)) {
        return COMPARE_UNSURE;
    }
    if (line->low <= 0 && line->high >= 0) {
        return COMPARE_SAME;
    }
    if (line->base->better == METRIC_NEITHER) {
        return COMPARE_DIFFERENT;
    }
    bool more = line->effect > 0;
    return more == (line->base->better == METRIC_MORE) ? COMPARE_BETTER : COMPARE_WORSE;
}

static void judge_line(struct compare_line *line, const struct compare *compare, double tolerance)
{
    double base = line->base->value.value;
    double difference = line->next->value.value - base;
    line->effect = base != 0         ? difference / fabs(base)
                   : difference == 0 ? 0
                                     : copysign((double)INFINITY, difference);
    line->low = line->high = (double)NAN;
    if (has_interval(line)) {
        double half = half_width(line, compare->paired, compare->confidence);
        line->low = difference - half;
        line->high = difference + half;
    }
    line->change = change_of(line, tolerance);
}

static bool is_wanted(const char *name, const char *const *names, uint32_t name_count)
{
    for (uint32_t i = 0; i < name_count; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return name_count == 0;
}

void compare_results(const struct result_read *base, const struct result_read *next,
                     const char *const *names, uint32_t name_count, double tolerance,
                     struct compare *compare)
{
    uint32_t intervals = 0;
    memset(compare, 0, sizeof *compare);
    compare->paired = strcmp(base->seed, next->seed) == 0;
    for (uint32_t i = 0; i < base->metric_count; i++) {
        const struct result_read_metric *one = &base->metrics[i];
        const struct result_read_metric *other = result_read_find(next, one->name);
        if (other == NULL || strcmp(other->unit, one->unit) != 0 ||
            !is_wanted(one->name, names, name_count)) {
            continue;
        }
        struct compare_line *line = &compare->lines[compare->line_count++];
        *line = (struct compare_line){.base = one, .next = other};
        intervals += has_interval(line);
    }
    compare->confidence = 1 - (1 - CONFIDENCE) / (intervals > 0 ? intervals : 1);
    for (uint32_t i = 0; i < compare->line_count; i++) {
        struct compare_line *line = &compare->lines[i];
        judge_line(line, compare, tolerance);
        compare->worse_count += line->change == COMPARE_WORSE;
        compare->better_count += line->change == COMPARE_BETTER;
    }
}
