/* Two results side by side: change, or noise?
 *
 * A metric has changed where the effect is beyond a tolerance AND the interval of the difference
 * does not hold zero: the first alone would cry at noise, the second at nothings. Where it is worse
 * than before, that is a regression.
 *
 * Of a hundred figures five would be outside their 95% intervals by chance. So the intervals are
 * such that with 95% all of them hold (Bonferroni: each at 1 - 0.05 / figures). Who compares fewer
 * figures has narrower ones.
 *
 * Runs with one seed share their chance: the same people write the same things at the same times
 * (streams are named and counted, so a part that changes leaves the others' draws alone). Then
 * batches are paired and the interval is that of their differences, which cancels what both have in
 * common: common random numbers, Law and Kelton, Simulation Modeling and Analysis, 11.2. Runs with
 * two seeds are refused unless asked for: what a seed decides for a whole run (which node pauses
 * when) does not show in the batches of that run, so their intervals are too narrow.
 *
 * What has no interval (counts, sizes, what stands at the end) is shown and never called changed.
 */
#ifndef REPORTS_COMPARE_H
#define REPORTS_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "reports/result_read.h"

enum compare_change {
    COMPARE_SAME, /* Within the tolerance, or not to be told from noise. */
    COMPARE_BETTER,
    COMPARE_WORSE,     /* A regression. */
    COMPARE_DIFFERENT, /* Of a metric of which neither more nor less is better. */
    COMPARE_UNSURE,    /* Beyond the tolerance, without an interval. */
};

struct compare_line {
    const struct result_read_metric *base; /* Borrowed from the results. */
    const struct result_read_metric *next;
    double effect; /* next / base - 1; INFINITY where base is 0 and next is not. */
    double low;    /* Of the difference, in the metric's unit; NAN where there is no interval. */
    double high;
    enum compare_change change;
};

struct compare {
    bool paired;
    double confidence; /* Of each interval. */
    uint32_t line_count;
    uint32_t worse_count;
    uint32_t better_count;
    struct compare_line lines[RESULT_READ_METRICS_MAX];
};

/* Whether the two may be compared at all; false, with the reason and a remedy in `why`. `any_plan`:
 * the plans may differ, two designs; `any_seed`: the seeds may. */
bool compare_allowed(const struct result_read *base, const struct result_read *next, bool any_plan,
                     bool any_seed, char *why, size_t size);

/* The metrics of these names that both have, or all (`name_count` 0), in the order of `base`.
 * `tolerance` is a share of the base: 0.05. */
void compare_results(const struct result_read *base, const struct result_read *next,
                     const char *const *names, uint32_t name_count, double tolerance,
                     struct compare *compare);

#endif
