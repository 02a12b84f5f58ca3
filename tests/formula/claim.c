#include "tests/formula/claim.h"

#include "sim/stat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_COUNT 20u
#define SEED_COUNT 200u
#define SEED_COUNT_QUICK 40u
#define CONFIDENCE 0.95
#define LONG_SEED 20240607u

bool claim_is_quick(void)
{
    const char *asked = getenv("CHATSCALE_QUICK");
    return asked != NULL && strcmp(asked, "0") != 0;
}

double claim_long_error(void)
{
    return claim_is_quick() ? 0.04 : 0.01;
}

void claim_dist(struct dist *dist, struct dist_spec spec)
{
    const enum dist_err err = dist_init(dist, &spec);
    if (err != DIST_OK) {
        fail_msg("law %d refused for its %s", (int)spec.law, dist_err_field(err));
    }
}

/* The number that must hold the truth, at least: P(fewer) <= 1e-5. */
static uint32_t least_holding(uint32_t seed_count)
{
    uint32_t least = 0;
    while (gsl_cdf_binomial_P(least, CONFIDENCE, seed_count) <= 1e-5) {
        least++;
    }
    return least;
}

static bool estimate_holds(const struct stat_estimate *estimate, double expected)
{
    return fabs(estimate->mean - expected) <= estimate->half_width;
}

static void print_missed(const struct claim *claim, const struct stat_estimate *estimates,
                         uint32_t seed_count)
{
    for (uint32_t i = 0; i < seed_count; i++) {
        if (!estimate_holds(&estimates[i], claim->expected)) {
            fprintf(stderr, "    %s: seed %u says %.6g +- %.2g, theory %.6g\n", claim->name, i + 1,
                    estimates[i].mean, estimates[i].half_width, claim->expected);
        }
    }
}

static void expect_intervals_hold(const struct claim *claim, double *values)
{
    const uint32_t seed_count = claim_is_quick() ? SEED_COUNT_QUICK : SEED_COUNT;
    struct stat_estimate estimates[SEED_COUNT];
    double means[SEED_COUNT];
    double width = 0.0;
    uint32_t held = 0;
    for (uint32_t i = 0; i < seed_count; i++) {
        claim->run(claim, i + 1, values, claim->count);
        estimates[i] = stat_batch_means(values, claim->count, BATCH_COUNT, CONFIDENCE);
        means[i] = estimates[i].mean;
        held += estimate_holds(&estimates[i], claim->expected);
        width += estimates[i].half_width / claim->expected / seed_count;
    }
    const struct stat_estimate all = stat_mean(means, seed_count, 0.9999);
    printf("    %-26s %3u of %u hold %.6g (+- %.1f%%), all together off by %+.2f%% (+- %.2f%%)\n",
           claim->name, held, seed_count, claim->expected, 100.0 * width,
           100.0 * (all.mean / claim->expected - 1.0), 100.0 * all.half_width / claim->expected);
    if (held < least_holding(seed_count)) {
        print_missed(claim, estimates, seed_count);
        fail_msg("%s: %u of %u intervals hold, at least %u must", claim->name, held, seed_count,
                 least_holding(seed_count));
    }
    if (!estimate_holds(&all, claim->expected)) {
        fail_msg("%s: seeds 1 to %u say %.6g +- %.2g together, theory %.6g", claim->name,
                 seed_count, all.mean, all.half_width, claim->expected);
    }
}

static void expect_long_run(const struct claim *claim, double *values, uint32_t count)
{
    claim->run(claim, LONG_SEED, values, count);
    const struct stat_estimate estimate = stat_batch_means(values, count, BATCH_COUNT, CONFIDENCE);
    const double error = estimate.mean / claim->expected - 1.0;
    printf("    %-26s long run off by %+.3f%% (+- %.2f%%)\n", claim->name, 100.0 * error,
           100.0 * estimate.half_width / claim->expected);
    if (!(fabs(error) <= claim_long_error())) {
        fail_msg("%s: %.6g, theory %.6g; seed %u", claim->name, estimate.mean, claim->expected,
                 LONG_SEED);
    }
}

void claim_expect(const struct claim *claim)
{
    const uint32_t long_count = claim_is_quick() ? claim->long_count / 10 : claim->long_count;
    double *values = malloc((long_count + claim->count) * sizeof *values);
    assert_non_null(values);
    claim->prepare(claim);
    expect_intervals_hold(claim, values);
    expect_long_run(claim, values, long_count);
    free(values);
}
