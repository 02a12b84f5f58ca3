/* stat: quantiles against GSL, estimates against known numbers and against their own claims. */
#include "sim/rng.h"
#include "sim/special.h"
#include "sim/stat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdbool.h>

#define COUNT_MAX 20000u

static double values[COUNT_MAX];

static bool close_to(double value, double expected, double error)
{
    return fabs(value - expected) <= error * fabs(expected);
}

static void test_normal_and_student_agree_with_gsl(void **state)
{
    (void)state;
    for (double p = 1e-15; p < 1.0; p = p < 0.1 ? p * 7.0 : p + 0.037) {
        assert_true(close_to(stat_normal_quantile(p), gsl_cdf_ugaussian_Pinv(p), 1e-13));
        assert_true(close_to(stat_normal_cdf(stat_normal_quantile(p)), p, 1e-13));
        for (double freedom = 0.7; freedom < 3e5; freedom *= 2.9) {
            const double t = stat_student_quantile(p, freedom);
            /* In the far tail of many degrees GSL's own function is off by some percent. */
            if (p > 1e-6 || freedom < 30) {
                assert_true(close_to(gsl_cdf_tdist_P(t, freedom), p, 1e-9));
            }
            assert_true(close_to(stat_student_cdf(t, freedom), p, 1e-9));
        }
    }
    /* By mpmath, to 15 digits. */
    assert_true(close_to(stat_student_cdf(-8.91259, 143.578), 1.02693997419707e-15, 1e-9));
    /* From printed tables. */
    assert_true(close_to(stat_student_quantile(0.975, 1), 12.7062047, 1e-8));
    assert_true(close_to(stat_student_quantile(0.975, 9), 2.26215716, 1e-8));
    assert_true(close_to(stat_student_quantile(0.995, 29), 2.75638590, 1e-8));
    assert_true(stat_student_quantile(0.5, 4) == 0.0);
}

static void test_incomplete_gamma_and_beta_agree_with_gsl(void **state)
{
    (void)state;
    for (double a = 0.05; a < 1e4; a *= 3.1) {
        for (double share = 0.01; share < 40; share *= 1.9) {
            const double x = a * share;
            const double low = gsl_sf_gamma_inc_P(a, x);
            if (low > 1e-250) {
                assert_true(close_to(special_gamma_low(a, x), low, 1e-9));
            }
            const double high = gsl_sf_gamma_inc_Q(a, x);
            if (high > 1e-250) {
                assert_true(close_to(special_gamma_high(a, x), high, 1e-9));
            }
        }
        for (double b = 0.3; b < 1e4; b *= 4.7) {
            for (double x = 0.003; x < 1.0; x += 0.0713) {
                const double expected = gsl_sf_beta_inc(a, b, x);
                if (expected > 1e-250) {
                    assert_true(fabs(special_beta(a, b, x) - expected) < 1e-10);
                }
            }
        }
    }
}

static void test_means_of_replications_have_students_interval(void **state)
{
    (void)state;
    const double sample[] = {1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09};
    /* Law and Kelton, example 4.26: 1.34 +- 0.24 at 90%. */
    const struct stat_estimate estimate = stat_mean(sample, 10, 0.90);
    assert_true(close_to(estimate.mean, 1.343, 1e-12));
    assert_true(fabs(estimate.half_width - 0.24) < 0.005);
    assert_true(isinf(stat_mean(sample, 1, 0.9).half_width));
    const double shifted[] = {1.70, 2.00, 2.18, 2.39, 1.45, 1.99, 2.08, 2.05, 1.00, 1.59};
    const struct stat_estimate gap = stat_paired(shifted, sample, 10, 0.95);
    assert_true(close_to(gap.mean, 0.5, 1e-9));
    assert_true(gap.half_width < 1e-9);
}

/* An AR(1) process: x' = r x + noise. Its mean is 0, its memory 1 / (1 - r). */
static void draw_process(uint64_t seed, double r, double start)
{
    struct rng_cursor cursor = {.stream = rng_stream(seed, "process")};
    double x = start;
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        x = r * x + stat_normal_quantile(rng_unit(rng_next(&cursor).word[0]));
        values[i] = x;
    }
}

/* 95% of 400: between 360 and 396 with all but 1 in 10^4 (binomial); batch means of 1000 values of
 * a process that remembers 10 are as good as independent. */
static void test_batch_means_hold_as_often_as_they_claim(void **state)
{
    (void)state;
    uint32_t held = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        draw_process(seed, 0.9, 0.0);
        const struct stat_estimate estimate = stat_batch_means(values, COUNT_MAX, 20, 0.95);
        held += fabs(estimate.mean) <= estimate.half_width;
        assert_int_equal(estimate.count, 20);
    }
    if (held < 360 || held > 396) {
        fail_msg("%u of 400 intervals hold the mean; seeds 1 to 400", held);
    }
}

static void test_correlation_is_that_of_the_process(void **state)
{
    (void)state;
    draw_process(3, 0.8, 0.0);
    assert_true(fabs(stat_correlation(values, COUNT_MAX) - 0.8) < 0.02);
    draw_process(3, 0.0, 0.0);
    assert_true(fabs(stat_correlation(values, COUNT_MAX)) < 0.03);
    assert_true(stat_correlation(values, 2) == 0.0);
}

/* MSER-5 by its definition, without running sums. */
static uint32_t twin_warmup(const double *data, uint32_t count)
{
    const uint32_t groups = count / 5;
    double least = INFINITY;
    uint32_t cut = 0;
    for (uint32_t d = groups / 2 + 1; d-- > 0;) {
        const double left = groups - d;
        double mean = 0.0;
        double square_sum = 0.0;
        for (uint32_t pass = 0; pass < 2; pass++) {
            for (uint32_t i = d; i < groups; i++) {
                double group = 0.0;
                for (uint32_t j = 0; j < 5; j++) {
                    group += data[5 * i + j] / 5;
                }
                mean += pass == 0 ? group / left : 0.0;
                square_sum += pass == 1 ? (group - mean) * (group - mean) : 0.0;
            }
        }
        if (square_sum / (left * left) <= least) {
            least = square_sum / (left * left);
            cut = 5 * d;
        }
    }
    return cut;
}

static void test_warmup_is_mser5_by_its_definition(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        draw_process(seed, 0.95, 200.0);
        for (uint32_t i = 0; i < 500; i++) {
            values[i] += 1e6; /* Far from 0: precision. */
        }
        bool settled = false;
        assert_int_equal(stat_warmup(values, 500, &settled), twin_warmup(values, 500));
    }
}

static void test_warmup_finds_where_a_start_has_faded(void **state)
{
    (void)state;
    draw_process(8, 0.95, 200.0); /* 200 * 0.95^n is 1 at n = 103. */
    bool settled = false;
    const uint32_t cut = stat_warmup(values, COUNT_MAX, &settled);
    assert_true(settled);
    assert_in_range(cut, 60, 400);
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        values[i] = i; /* A queue that only grows never settles. */
    }
    stat_warmup(values, COUNT_MAX, &settled);
    assert_false(settled);
    for (uint32_t i = 0; i < COUNT_MAX; i++) {
        values[i] = 3.0; /* Constant from the start: nothing to cut. */
    }
    assert_int_equal(stat_warmup(values, COUNT_MAX, &settled), 0);
    assert_true(settled);
    assert_int_equal(stat_warmup(values, 0, &settled), 0);
    assert_false(settled);
}

static void test_series_add_into_the_interval_of_their_time(void **state)
{
    (void)state;
    struct series_cell cells[2][4];
    struct series a;
    struct series b;
    double means[4];
    series_init(&a, 1000, 10, cells[0], 4);
    series_init(&b, 1000, 10, cells[1], 4);
    series_add(&a, 1000, 5);
    series_add(&a, 1009, 7);
    series_add(&a, 1020, 1);
    series_add(&a, 999, 1);
    series_add(&a, 1040, 1);
    assert_int_equal(a.outside, 2);
    assert_int_equal(a.used_count, 3);
    assert_int_equal(series_means(&a, means, 4), 3);
    assert_true(means[0] == 6.0 && means[1] == 0.0 && means[2] == 1.0);
    assert_int_equal(series_time_ns(&a, 2), 1020);
    series_add(&b, 1039, 9);
    series_add(&b, 1001, 9);
    series_merge(&a, &b);
    assert_int_equal(a.used_count, 4);
    assert_int_equal(a.cells[0].count, 3);
    assert_int_equal(a.cells[0].sum, 21);
    assert_int_equal(a.cells[0].max, 9);
    assert_int_equal(a.cells[3].sum, 9);
}

int main(void)
{
    gsl_set_error_handler_off(); /* An underflow is an answer. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_and_student_agree_with_gsl),
        cmocka_unit_test(test_incomplete_gamma_and_beta_agree_with_gsl),
        cmocka_unit_test(test_means_of_replications_have_students_interval),
        cmocka_unit_test(test_batch_means_hold_as_often_as_they_claim),
        cmocka_unit_test(test_correlation_is_that_of_the_process),
        cmocka_unit_test(test_warmup_is_mser5_by_its_definition),
        cmocka_unit_test(test_warmup_finds_where_a_start_has_faded),
        cmocka_unit_test(test_series_add_into_the_interval_of_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
