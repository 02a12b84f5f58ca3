/* The claim that simulations are held to: a formula's value. It is double:
 *
 *   1. over many seeds, the 95% confidence interval of a run (20 batch means, Student's t) holds
 * the value as often as it claims. With 200 seeds the number that hold is binomial (200, 0.95); the
 *      test fails below the number that chance stays under once in 10^5 (175 of 200; all of them
 *      is no surprise, 0.95^200 = 3.5e-5). And the mean of all these runs is within the interval
 *      that replications give it at 99.99%: a bias too small for one run to notice shows there;
 *   2. one long run is within 1% of the value.
 *
 * CHATSCALE_QUICK=1 takes 40 seeds and long runs of a tenth of the length, held to 4%: for builds
 * with sanitizers. A failure prints the seeds that missed.
 */
#ifndef TESTS_FORMULA_CLAIM_H
#define TESTS_FORMULA_CLAIM_H

#include "sim/dist.h"

#include <stdbool.h>
#include <stdint.h>

struct claim {
    const char *name;
    double expected;
    uint32_t count;      /* Values of a run that is one of many. */
    uint32_t long_count; /* Of the long run. */
    const void *model;   /* The run's. */
    /* Builds tables, once before all runs. */
    void (*prepare)(const struct claim *claim);
    /* Simulates with this seed, warmed up, and writes `count` values whose mean is claimed. */
    void (*run)(const struct claim *claim, uint64_t seed, double *values, uint32_t count);
};

/* Fails the test, through cmocka, where the claim does not hold. */
void claim_expect(const struct claim *claim);

/* Builds a table from a law that must be a valid one. */
void claim_dist(struct dist *dist, struct dist_spec spec);

/* Whether CHATSCALE_QUICK asks for less, and the relative error that a long run is then held to. */
bool claim_is_quick(void);
double claim_long_error(void);

#endif
