/* dist: tables against the laws' closed moments, against GSL's quantiles, and against the promises
 * of dist.h. */
#include "sim/dist.h"
#include "sim/law.h"
#include "sim/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>

static struct dist dist; /* 42 KB: too large for comfort on the stack. */

struct known {
    const char *name;
    struct dist_spec spec;
    double mean;
    double moment2;
    double moment2_error; /* Relative, as dist.h states it. */
};

static double relative(double value, double expected)
{
    return fabs(value - expected) / fabs(expected);
}

static void expect_moments(const struct known *known)
{
    const enum dist_err err = dist_init(&dist, &known->spec);
    if (err != DIST_OK) {
        fail_msg("%s: refused for its %s", known->name, dist_err_field(err));
    }
    if (relative(dist_mean(&dist), known->mean) > 1e-7) {
        fail_msg("%s: mean %.12g, expected %.12g", known->name, dist_mean(&dist), known->mean);
    }
    if (relative(dist_second_moment(&dist), known->moment2) > known->moment2_error) {
        fail_msg("%s: second moment %.12g, expected %.12g", known->name, dist_second_moment(&dist),
                 known->moment2);
    }
}

static void test_moments_are_the_laws_own(void **state)
{
    (void)state;
    const double e = M_E;
    const struct known known[] = {
        {"constant",
         {.law = DIST_CONSTANT, .mean = 1e9 + 1},
         1e9 + 1,
         (1e9 + 1) * (1e9 + 1),
         1e-12},
        {"zero", {.law = DIST_CONSTANT, .shift = 3.0}, 3.0, 9.0, 1e-12},
        {"exponential", {.law = DIST_EXPONENTIAL, .mean = 1e6}, 1e6, 2e12, 1e-5},
        {"uniform", {.law = DIST_UNIFORM, .low = 1, .high = 3}, 2, 4 + 1.0 / 3, 1e-9},
        {"lognormal by median",
         {.law = DIST_LOGNORMAL_MEDIAN, .median = 1.0, .sigma = 1.0},
         sqrt(e),
         e * e,
         1e-5},
        {"lognormal by mean",
         {.law = DIST_LOGNORMAL_MEAN, .mean = 7, .sigma = 1.5},
         7,
         49 * exp(2.25),
         1e-5},
        {"wide lognormal",
         {.law = DIST_LOGNORMAL_MEAN, .mean = 7, .sigma = 2.2},
         7,
         49 * exp(4.84),
         1e-3},
        {"shifted lognormal",
         {.law = DIST_LOGNORMAL_MEAN, .mean = 7, .sigma = 1, .shift = 10},
         17,
         100 + 140 + 49 * e,
         1e-5},
        {"erlang 4", {.law = DIST_GAMMA, .mean = 8, .shape = 4}, 8, 64 * 1.25, 1e-5},
        {"gamma 0.2", {.law = DIST_GAMMA, .mean = 8, .shape = 0.2}, 8, 64 * 6.0, 1e-5},
        {"gamma 10000", {.law = DIST_GAMMA, .mean = 8, .shape = 1e4}, 8, 64 * 1.0001, 1e-5},
        {"pareto", {.law = DIST_PARETO, .scale = 2, .shape = 4}, 8.0 / 3, 8, 1e-5},
        {"pareto 2.5", {.law = DIST_PARETO, .scale = 2, .shape = 2.5}, 10.0 / 3, 20, 2e-3},
        {"pareto 1.5 without a second moment",
         {.law = DIST_PARETO, .scale = 2, .shape = 1.5},
         6,
         INFINITY,
         INFINITY},
        {"weibull 0.5", {.law = DIST_WEIBULL, .scale = 3, .shape = 0.5}, 6, 9 * 24, 1e-5},
        {"weibull 2", {.law = DIST_WEIBULL, .scale = 3, .shape = 2}, 1.5 * sqrt(M_PI), 9, 1e-5},
        /* E min(X, c) = m (1 - e^(-c/m)); E min(X, c)^2 = 2 m^2 (1 - e^(-c/m) (1 + c/m)). */
        {"capped exponential",
         {.law = DIST_EXPONENTIAL, .mean = 2, .cap = 6},
         2 * (1 - exp(-3)),
         8 * (1 - 4 * exp(-3)),
         1e-5},
        /* E min(X, c) = 3 - 2 / sqrt(c), E min(X, c)^2 = 1 + 4 (sqrt(c) - 1), for shape 3/2. */
        {"capped pareto",
         {.law = DIST_PARETO, .scale = 1, .shape = 1.5, .cap = 1e4},
         2.98,
         397,
         1e-5},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (isinf(known[i].moment2)) {
            assert_int_equal(dist_init(&dist, &known[i].spec), DIST_OK);
            assert_true(relative(dist_mean(&dist), known[i].mean) < 1e-6);
            assert_true(isfinite(dist_second_moment(&dist)));
        } else {
            expect_moments(&known[i]);
        }
    }
}

static void test_mixtures_have_the_weighted_moments(void **state)
{
    (void)state;
    const struct dist_spec parts[] = {
        {.law = DIST_CONSTANT, .mean = 1e6},
        {.law = DIST_CONSTANT, .mean = 1e7},
        {.law = DIST_GAMMA, .mean = 1e6, .shape = 0.4, .shift = 5e4},
        {.law = DIST_LOGNORMAL_MEDIAN, .median = 1, .sigma = 1}, /* Of weight 0. */
    };
    const double two[] = {95, 5};
    const double three[] = {0.5, 0.05, 0.45, 0.0};
    /* Two constants: the jump is smeared over one piece, which the second moment notices. */
    expect_moments(
        &(struct known){"two constants",
                        {.law = DIST_MIXTURE, .parts = parts, .weights = two, .part_count = 2},
                        1.45e6,
                        0.95e12 + 0.05e14,
                        5e-3});
    expect_moments(&(struct known){
        "three parts",
        {.law = DIST_MIXTURE, .parts = parts, .weights = three, .part_count = 4, .shift = 7.0},
        7 + 0.5e6 + 0.05e7 + 0.45 * 1.05e6,
        0.5e12 + 0.05e14 + 0.45 * (25e8 + 2 * 5e10 + 1e12 * 3.5),
        5e-3});
}

static void test_empirical_laws_go_straight_from_point_to_point(void **state)
{
    (void)state;
    const double values[] = {10, 10, 20, 20, 40};
    const double cumulatives[] = {0, 30, 60, 80, 100}; /* Atoms: 30 at 10, 20 at 20. */
    expect_moments(&(struct known){"empirical",
                                   {.law = DIST_EMPIRICAL,
                                    .point_values = values,
                                    .point_cumulatives = cumulatives,
                                    .point_count = 5},
                                   0.3 * 10 + 0.3 * 15 + 0.2 * 20 + 0.2 * 30,
                                   0.3 * 100 + 0.3 * 700 / 3 + 0.2 * 400 + 0.2 * 2800 / 3,
                                   1e-3});
    assert_true(dist_min(&dist) == 10.0);
    assert_true(relative(dist_max(&dist), 40.0) < 1e-9);
    const double lone = 5;
    const double weight = 1;
    const struct dist_spec one = {.law = DIST_EMPIRICAL,
                                  .point_values = &lone,
                                  .point_cumulatives = &weight,
                                  .point_count = 1};
    assert_int_equal(dist_init(&dist, &one), DIST_OK);
    assert_int_equal(dist_ns(&dist, 12345), 5);
}

/* Every law, for the promises that hold for all of them. */
static void each_law(void (*expect)(const char *name, const struct dist_spec *spec))
{
    const struct dist_spec parts[] = {{.law = DIST_EXPONENTIAL, .mean = 1e6},
                                      {.law = DIST_CONSTANT, .mean = 5e6}};
    const double weights[] = {3, 1};
    const double values[] = {0, 10, 1e3, 1e6};
    const double cumulatives[] = {0, 1, 5, 6};
    expect("constant", &(struct dist_spec){.law = DIST_CONSTANT, .mean = 1e6});
    expect("exponential", &(struct dist_spec){.law = DIST_EXPONENTIAL, .mean = 1e6});
    expect("uniform", &(struct dist_spec){.law = DIST_UNIFORM, .low = 0, .high = 1e6});
    expect("lognormal",
           &(struct dist_spec){
               .law = DIST_LOGNORMAL_MEDIAN, .median = 1e6, .sigma = 0.8, .shift = 1e5});
    expect("gamma", &(struct dist_spec){.law = DIST_GAMMA, .mean = 1e6, .shape = 0.3});
    expect("erlang", &(struct dist_spec){.law = DIST_GAMMA, .mean = 1e6, .shape = 9});
    expect("pareto", &(struct dist_spec){.law = DIST_PARETO, .scale = 1e6, .shape = 2.2});
    expect("weibull", &(struct dist_spec){.law = DIST_WEIBULL, .scale = 1e6, .shape = 0.6});
    expect("capped", &(struct dist_spec){.law = DIST_EXPONENTIAL, .mean = 1e6, .cap = 3e6});
    expect("empirical", &(struct dist_spec){.law = DIST_EMPIRICAL,
                                            .point_values = values,
                                            .point_cumulatives = cumulatives,
                                            .point_count = 4});
    expect("mixture",
           &(struct dist_spec){
               .law = DIST_MIXTURE, .parts = parts, .weights = weights, .part_count = 2});
}

/* Bits on both sides of every piece's border, and inside each piece. */
static uint64_t probe(uint32_t index)
{
    const uint32_t octave = index / 256 % 64 < 63 ? index / 256 % 64 : 62;
    const uint64_t place = (uint64_t)(index % 256) << 55;
    const uint64_t tail = ((UINT64_C(1) << 63) | place) >> (octave + 1);
    return index < 64 * 256 ? tail : ~tail;
}

static int compare_bits(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void expect_monotone(const char *name, const struct dist_spec *spec)
{
    static uint64_t bits[6 * 64 * 256];
    uint32_t count = 0;
    for (uint32_t i = 0; i < 2 * 64 * 256; i++) {
        bits[count++] = probe(i);
        bits[count++] = probe(i) - 1;
        bits[count++] = probe(i) + 1;
    }
    qsort(bits, count, sizeof bits[0], compare_bits);
    assert_int_equal(dist_init(&dist, spec), DIST_OK);
    double before = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        const double value = dist_value(&dist, bits[i]);
        if (value < before * (1.0 - 1e-14) || value < dist_min(&dist) * (1.0 - 1e-15) ||
            value > dist_max(&dist) * (1.0 + 1e-15)) {
            fail_msg("%s: %.17g after %.17g, range %.17g to %.17g, bits %llx", name, value, before,
                     dist_min(&dist), dist_max(&dist), (unsigned long long)bits[i]);
        }
        before = value;
    }
    assert_true(dist_value(&dist, 0) <= dist_value(&dist, UINT64_MAX));
}

static void test_draws_are_monotone_and_within_their_range(void **state)
{
    (void)state;
    each_law(expect_monotone);
}

/* A draw at u lies between the law's quantiles at the ends of u's piece: at most 1/32 of the tail
 * apart. So P(X <= value) is within that of u, in both tails. */
static void expect_close(const char *name, const struct dist_spec *spec)
{
    assert_int_equal(dist_init(&dist, spec), DIST_OK);
    for (uint32_t i = 0; i < 2 * 40 * 256; i++) {
        const uint32_t half = i / (40 * 256);
        const uint64_t bits = probe(half * 64 * 256 + i % (40 * 256));
        const double tail = (double)(half ? ~bits : bits) * 0x1p-64;
        if (tail < 0x1p-41) {
            continue;
        }
        const double value = dist_value(&dist, bits);
        const enum law_end end = half ? LAW_HIGH : LAW_LOW;
        const double a = law_quantile(spec, end, tail * 31.0 / 32.0);
        const double b = law_quantile(spec, end, fmin(tail * 33.0 / 32.0, 0.5));
        if (value < fmin(a, b) * (1.0 - 1e-9) || value > fmax(a, b) * (1.0 + 1e-9)) {
            fail_msg("%s: %.12g at tail %g is not in [%.12g, %.12g]", name, value, tail, a, b);
        }
    }
}

static void test_each_piece_lies_between_the_laws_quantiles(void **state)
{
    (void)state;
    each_law(expect_close);
}

/* What is seen by drawing, not by looking at the table. */
static void expect_sampled(const char *name, const struct dist_spec *spec)
{
    assert_int_equal(dist_init(&dist, spec), DIST_OK);
    const uint64_t seed = 20240601;
    const struct rng_stream stream = rng_stream(seed, name);
    const uint32_t count = 400000;
    double sum = 0.0;
    double sum_ns = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rng_bits bits = rng_draw(&stream, 1, i);
        sum += dist_value(&dist, bits.word[0]);
        sum_ns += (double)dist_ns(&dist, bits.word[1]);
    }
    const double mean = dist_mean(&dist);
    const double variance = dist_second_moment(&dist) - mean * mean;
    const double allowed = 5.0 * sqrt(fmax(variance, 0.0) / count) + 1e-9 * mean;
    if (fabs(sum / count - mean) > allowed || fabs(sum_ns / count - mean) > allowed + 0.01) {
        fail_msg("%s: sampled means %g, %g, table's %g; seed %llu", name, sum / count,
                 sum_ns / count, mean, (unsigned long long)seed);
    }
}

static void test_drawn_means_are_the_tables(void **state)
{
    (void)state;
    each_law(expect_sampled);
}

static void test_laws_agree_with_gsl(void **state)
{
    (void)state;
    for (double tail = 1e-12; tail < 0.5; tail *= 3.0) {
        for (double shape = 0.1; shape < 2000; shape *= 4.3) {
            const struct dist_spec gamma = {.law = DIST_GAMMA, .mean = shape, .shape = shape};
            const double low = law_quantile(&gamma, LAW_LOW, tail);
            const double high = law_quantile(&gamma, LAW_HIGH, tail);
            /* Through GSL's CDF: its inverse is the weaker of the two. */
            if (low > 0.0) {
                assert_true(relative(gsl_sf_gamma_inc_P(shape, low), tail) < 1e-9);
            }
            assert_true(relative(gsl_sf_gamma_inc_Q(shape, high), tail) < 1e-9);
        }
        const struct dist_spec lognormal = {
            .law = DIST_LOGNORMAL_MEDIAN, .median = 3.0, .sigma = 0.7};
        assert_true(relative(law_quantile(&lognormal, LAW_HIGH, tail),
                             gsl_cdf_lognormal_Qinv(tail, log(3.0), 0.7)) < 1e-11);
        const struct dist_spec weibull = {.law = DIST_WEIBULL, .scale = 2.0, .shape = 0.7};
        assert_true(relative(law_quantile(&weibull, LAW_LOW, tail),
                             gsl_cdf_weibull_Pinv(tail, 2.0, 0.7)) < 1e-11);
        const struct dist_spec pareto = {.law = DIST_PARETO, .scale = 2.0, .shape = 1.7};
        assert_true(relative(law_quantile(&pareto, LAW_HIGH, tail),
                             gsl_cdf_pareto_Qinv(tail, 1.7, 2.0)) < 1e-11);
    }
}

static void test_tails_invert_quantiles(void **state)
{
    (void)state;
    const struct dist_spec parts[] = {{.law = DIST_EXPONENTIAL, .mean = 1},
                                      {.law = DIST_WEIBULL, .scale = 5, .shape = 2},
                                      {.law = DIST_UNIFORM, .low = 1, .high = 9},
                                      {.law = DIST_PARETO, .scale = 1, .shape = 3}};
    const double weights[] = {1, 2, 3, 4};
    const struct dist_spec mixture = {
        .law = DIST_MIXTURE, .parts = parts, .weights = weights, .part_count = 4};
    for (double tail = 1e-12; tail < 0.5; tail *= 2.7) {
        for (int end = LAW_LOW; end <= LAW_HIGH; end++) {
            const double x = law_quantile(&mixture, (enum law_end)end, tail);
            assert_true(relative(law_tail(&mixture, (enum law_end)end, x), tail) < 1e-8);
        }
    }
}

static void test_a_whole_numbered_floor_is_a_floor(void **state)
{
    (void)state;
    const struct dist_spec spec = {
        .law = DIST_LOGNORMAL_MEDIAN, .median = 3e5, .sigma = 2, .shift = 100000};
    assert_int_equal(dist_init(&dist, &spec), DIST_OK);
    assert_int_equal(dist_min_ns(&dist), 100000);
    for (uint32_t i = 0; i < 2 * 64 * 256; i++) {
        assert_true(dist_ns(&dist, probe(i)) >= 100000);
    }
    assert_true(dist_ns(&dist, 0) >= 100000);
}

static void test_whole_nanoseconds_have_the_laws_mean(void **state)
{
    (void)state;
    const struct dist_spec spec = {.law = DIST_UNIFORM, .low = 0, .high = 10};
    const struct rng_stream stream = rng_stream(1, "rounding");
    const uint32_t count = 200000;
    double sum = 0.0;
    assert_int_equal(dist_init(&dist, &spec), DIST_OK);
    for (uint32_t i = 0; i < count; i++) {
        sum += (double)dist_ns(&dist, rng_draw(&stream, 0, i).word[0]);
    }
    assert_true(fabs(sum / count - 5.0) < 0.035); /* 5 standard deviations; rounding down is 0.5. */
}

/* What is straight is exact: not a staircase of means. */
static void test_a_uniform_law_is_exact_at_every_place(void **state)
{
    (void)state;
    const struct dist_spec spec = {.law = DIST_UNIFORM, .low = 3, .high = 5};
    const struct rng_stream stream = rng_stream(1, "straight");
    assert_int_equal(dist_init(&dist, &spec), DIST_OK);
    for (uint32_t i = 0; i < 100000; i++) {
        const uint64_t bits = rng_draw(&stream, 0, i).word[0];
        assert_true(fabs(dist_value(&dist, bits) - (3.0 + 2.0 * rng_unit(bits))) < 1e-12);
    }
}

static void expect_refused(struct dist_spec spec, enum dist_err err, const char *field)
{
    static struct dist before;
    before = dist;
    assert_int_equal(dist_init(&dist, &spec), err);
    assert_string_equal(dist_err_field(err), field);
    assert_memory_equal(&before, &dist, sizeof dist);
}

static void test_bad_parameters_are_refused_by_field(void **state)
{
    (void)state;
    const struct dist_spec exponential = {.law = DIST_EXPONENTIAL, .mean = 1};
    const struct dist_spec mixture = {.law = DIST_MIXTURE};
    const struct dist_spec bad = {.law = DIST_GAMMA, .mean = 1, .shape = -1};
    const double down[] = {2, 1};
    const double up[] = {1, 2};
    const double zero[] = {0, 0};
    assert_int_equal(dist_init(&dist, &exponential), DIST_OK);
    expect_refused((struct dist_spec){.law = DIST_LAW_COUNT}, DIST_ERR_LAW, "law");
    expect_refused((struct dist_spec){.law = DIST_EXPONENTIAL}, DIST_ERR_MEAN, "mean");
    expect_refused((struct dist_spec){.law = DIST_EXPONENTIAL, .mean = NAN}, DIST_ERR_MEAN, "mean");
    expect_refused((struct dist_spec){.law = DIST_CONSTANT, .mean = -1}, DIST_ERR_MEAN, "mean");
    expect_refused((struct dist_spec){.law = DIST_LOGNORMAL_MEDIAN, .sigma = 1}, DIST_ERR_MEDIAN,
                   "median");
    expect_refused((struct dist_spec){.law = DIST_LOGNORMAL_MEAN, .mean = 1, .sigma = 6},
                   DIST_ERR_SIGMA, "sigma");
    expect_refused(bad, DIST_ERR_SHAPE, "shape");
    expect_refused((struct dist_spec){.law = DIST_PARETO, .scale = 1, .shape = 1}, DIST_ERR_SHAPE,
                   "shape");
    expect_refused((struct dist_spec){.law = DIST_WEIBULL, .shape = 1}, DIST_ERR_SCALE, "scale");
    expect_refused((struct dist_spec){.law = DIST_UNIFORM, .low = 2, .high = 1}, DIST_ERR_RANGE,
                   "range");
    expect_refused((struct dist_spec){.law = DIST_EXPONENTIAL, .mean = 1, .shift = -1},
                   DIST_ERR_SHIFT, "shift");
    expect_refused((struct dist_spec){.law = DIST_EXPONENTIAL, .mean = 1, .shift = 3, .cap = 2},
                   DIST_ERR_CAP, "cap");
    expect_refused(
        (struct dist_spec){
            .law = DIST_EMPIRICAL, .point_values = down, .point_cumulatives = up, .point_count = 2},
        DIST_ERR_POINTS, "points");
    expect_refused(
        (struct dist_spec){
            .law = DIST_EMPIRICAL, .point_values = up, .point_cumulatives = zero, .point_count = 2},
        DIST_ERR_POINTS, "points");
    expect_refused(mixture, DIST_ERR_PARTS, "parts");
    expect_refused(
        (struct dist_spec){.law = DIST_MIXTURE, .parts = &mixture, .weights = up, .part_count = 1},
        DIST_ERR_PARTS, "parts");
    expect_refused(
        (struct dist_spec){.law = DIST_MIXTURE, .parts = &bad, .weights = up, .part_count = 1},
        DIST_ERR_SHAPE, "shape");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments_are_the_laws_own),
        cmocka_unit_test(test_mixtures_have_the_weighted_moments),
        cmocka_unit_test(test_empirical_laws_go_straight_from_point_to_point),
        cmocka_unit_test(test_draws_are_monotone_and_within_their_range),
        cmocka_unit_test(test_each_piece_lies_between_the_laws_quantiles),
        cmocka_unit_test(test_drawn_means_are_the_tables),
        cmocka_unit_test(test_laws_agree_with_gsl),
        cmocka_unit_test(test_tails_invert_quantiles),
        cmocka_unit_test(test_a_whole_numbered_floor_is_a_floor),
        cmocka_unit_test(test_whole_nanoseconds_have_the_laws_mean),
        cmocka_unit_test(test_a_uniform_law_is_exact_at_every_place),
        cmocka_unit_test(test_bad_parameters_are_refused_by_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
