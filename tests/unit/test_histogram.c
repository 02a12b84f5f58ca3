/* histogram: against sorted values, and its confidence bounds against their own claim. */
#include "sim/dist.h"
#include "sim/histogram.h"
#include "sim/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_COUNT 20000u
#define RELATIVE_ERROR (1.0 / 256.0)

static struct histogram histogram;
static struct histogram other;
static uint64_t values[VALUE_COUNT];

static int compare_values(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* As many magnitudes as a uint64 has. */
static void draw_values(uint64_t seed)
{
    struct rng_cursor cursor = {.stream = rng_stream(seed, "histogram")};
    histogram_clear(&histogram);
    for (uint32_t i = 0; i < VALUE_COUNT; i++) {
        const struct rng_bits bits = rng_next(&cursor);
        values[i] = bits.word[0] >> rng_below(bits.word[1], 64);
        histogram_record(&histogram, values[i]);
    }
}

static void test_every_value_has_one_bucket_and_buckets_leave_no_gap(void **state)
{
    (void)state;
    uint64_t next = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        const uint64_t low = histogram_bucket_low(i);
        const uint64_t width = histogram_bucket_width(i);
        assert_int_equal(low, next);
        assert_int_equal(histogram_index(low), i);
        assert_int_equal(histogram_index(low + (width - 1)), i);
        assert_true((double)width / 2 <= RELATIVE_ERROR * (double)low || width == 1);
        next = low + width;
    }
    assert_int_equal(next, 0); /* Wrapped: the last bucket ends at 2^64. */
}

static void test_an_empty_one_answers_zero(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    assert_int_equal(histogram_quantile(&histogram, 0.99), 0);
    assert_int_equal(histogram_min(&histogram), 0);
    assert_true(histogram_mean(&histogram) == 0.0);
    assert_int_equal(histogram_quantile_bounds(&histogram, 0.5, 0.95).high, 0);
}

static void test_quantiles_are_the_sorted_values_to_a_256th(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        draw_values(seed);
        qsort(values, VALUE_COUNT, sizeof values[0], compare_values);
        const double asked[] = {0.0, 0.0001, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};
        for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
            const uint32_t rank = (uint32_t)ceil(asked[i] * VALUE_COUNT - 1e-6);
            const double exact = (double)values[rank > 0 ? rank - 1 : 0];
            const double answer = (double)histogram_quantile(&histogram, asked[i]);
            if (fabs(answer - exact) > RELATIVE_ERROR * exact) {
                fail_msg("seed %d: quantile %g is %g, exact %g", (int)seed, asked[i], answer,
                         exact);
            }
        }
        assert_int_equal(histogram_quantile(&histogram, 0.0), values[0]);
        assert_int_equal(histogram_quantile(&histogram, 1.0), values[VALUE_COUNT - 1]);
    }
}

static void test_mean_and_deviation_are_those_of_the_values(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    double sum = 0.0;
    double square_sum = 0.0;
    for (uint32_t i = 0; i < VALUE_COUNT; i++) {
        const uint64_t value = (uint64_t)i * i;
        histogram_record(&histogram, value);
        sum += (double)value / VALUE_COUNT;
    }
    for (uint32_t i = 0; i < VALUE_COUNT; i++) {
        square_sum += ((double)i * i - sum) * ((double)i * i - sum);
    }
    assert_true(fabs(histogram_mean(&histogram) / sum - 1.0) < 1e-12);
    const double deviation = sqrt(square_sum / (VALUE_COUNT - 1));
    assert_true(fabs(histogram_deviation(&histogram) / deviation - 1.0) < 1e-3);
    histogram_clear(&histogram);
    histogram_record_times(&histogram, UINT64_MAX, UINT64_C(1) << 60); /* A sum of 124 bits. */
    assert_true(histogram_mean(&histogram) == 0x1p64);
}

static void test_recording_many_times_is_recording_often(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    histogram_clear(&other);
    for (uint32_t i = 0; i < 1000; i++) {
        histogram_record_times(&histogram, UINT64_MAX / (i + 1), i % 7);
        for (uint32_t j = 0; j < i % 7; j++) {
            histogram_record(&other, UINT64_MAX / (i + 1));
        }
    }
    assert_memory_equal(&histogram, &other, sizeof histogram);
}

static void test_merged_in_any_order_is_the_same_bytes(void **state)
{
    (void)state;
    static struct histogram parts[4];
    memset(parts, 0, sizeof parts);
    draw_values(77);
    for (uint32_t i = 0; i < VALUE_COUNT; i++) {
        histogram_record(&parts[values[i] % 4], values[i]);
    }
    static const uint8_t orders[3][4] = {{0, 1, 2, 3}, {3, 1, 0, 2}, {2, 3, 1, 0}};
    for (uint32_t i = 0; i < 3; i++) {
        histogram_clear(&other);
        for (uint32_t j = 0; j < 4; j++) {
            histogram_merge(&other, &parts[orders[i][j]]);
        }
        assert_memory_equal(&histogram, &other, sizeof histogram);
    }
}

static void test_shares_invert_quantiles(void **state)
{
    (void)state;
    draw_values(3);
    qsort(values, VALUE_COUNT, sizeof values[0], compare_values);
    for (uint32_t i = 0; i < VALUE_COUNT; i += 97) {
        uint32_t within = i;
        while (within < VALUE_COUNT && values[within] <= values[i]) {
            within++;
        }
        const double share = histogram_share_within(&histogram, values[i]);
        assert_true(fabs(share - (double)within / VALUE_COUNT) < 0.005);
    }
    assert_true(histogram_share_within(&histogram, UINT64_MAX) == 1.0);
}

/* The bounds claim 95%: of 1000 experiments at least that many must hold the true quantile that a
 * binomial of 0.95 allows with 1 in 10^5; the bounds are conservative, so there is no upper limit
 * but 1000. Bucket widths are allowed for. */
static void expect_coverage(uint32_t count, double q)
{
    static struct dist dist;
    const struct dist_spec spec = {.law = DIST_EXPONENTIAL, .mean = 1e6};
    assert_int_equal(dist_init(&dist, &spec), DIST_OK);
    const double truth = -1e6 * log1p(-q);
    const struct rng_stream stream = rng_stream(9, "coverage");
    const uint32_t experiments = 1000;
    uint32_t held = 0;
    double width = 0.0;
    for (uint32_t i = 0; i < experiments; i++) {
        histogram_clear(&histogram);
        for (uint32_t j = 0; j < count; j++) {
            histogram_record(&histogram, dist_ns(&dist, rng_draw(&stream, i, j).word[0]));
        }
        const struct histogram_bounds bounds = histogram_quantile_bounds(&histogram, q, 0.95);
        assert_true(bounds.low <= bounds.value && bounds.value <= bounds.high);
        held += (double)bounds.low <= truth * (1 + RELATIVE_ERROR) &&
                (double)bounds.high >= truth * (1 - RELATIVE_ERROR);
        width += (double)(bounds.high - bounds.low) / experiments;
    }
    if (held < 915) {
        fail_msg("count %u, quantile %g: %u of %u hold; seed 9", count, q, held, experiments);
    }
    /* And they are not merely wide: 2 * 1.96 standard deviations of the order statistic. */
    const double theory = 2 * 1.96 * sqrt(q * (1 - q) / count) * 1e6 / (1 - q);
    assert_true(width < 1.3 * theory + 2 * RELATIVE_ERROR * truth);
}

static void test_bounds_hold_as_often_as_they_claim(void **state)
{
    (void)state;
    expect_coverage(500, 0.5);
    expect_coverage(2000, 0.99);
    expect_coverage(100, 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_value_has_one_bucket_and_buckets_leave_no_gap),
        cmocka_unit_test(test_an_empty_one_answers_zero),
        cmocka_unit_test(test_quantiles_are_the_sorted_values_to_a_256th),
        cmocka_unit_test(test_mean_and_deviation_are_those_of_the_values),
        cmocka_unit_test(test_recording_many_times_is_recording_often),
        cmocka_unit_test(test_merged_in_any_order_is_the_same_bytes),
        cmocka_unit_test(test_shares_invert_quantiles),
        cmocka_unit_test(test_bounds_hold_as_often_as_they_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
