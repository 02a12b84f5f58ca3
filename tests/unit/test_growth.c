#include "models/growth.h"

#include "sim/rng.h"
#include "tests/unit/test_result.h"

#include <math.h>

#define SECONDS 12u
#define PER_S 10u
#define RATE 1000.0

/* So much is sent, and acked `ack_s` later but at no more than `capacity` a second, in a run of 12
 * s, 10 s of it measured; both with Poisson's noise. */
static void made_run(struct result *result, double rate, double capacity, double ack_s,
                     uint64_t seed)
{
    struct rng_cursor chance = {.stream = rng_stream(seed, "growth")};
    result_free(result);
    result->interval_count = SECONDS * PER_S;
    result->interval_ns = 1000000000 / PER_S;
    result->sent_per_s = made_series(result->interval_count, 0);
    result->acked_per_s = made_series(result->interval_count, 0);
    result->delivered_per_s = made_series(result->interval_count, 0);
    double under_way = 0;
    for (uint32_t i = 0; i < result->interval_count; i++) {
        double mean = rate / PER_S;
        double normal = sqrt(-2 * log(rng_unit(rng_next(&chance).word[0]))) *
                        cos(6.283185307 * rng_unit(rng_next(&chance).word[0]));
        double sent = fmax(0, mean + sqrt(mean) * normal);
        under_way += sent;
        double share = fmin(1, 1 / (ack_s * PER_S));
        double acked = fmin(under_way * share, capacity / PER_S);
        under_way -= acked;
        result->sent_per_s[i] = (float)(sent * PER_S);
        result->acked_per_s[i] = (float)(acked * PER_S);
    }
    result->unfinished = (uint64_t)under_way;
}

static bool is_overload(struct result *result, double ack_s)
{
    struct growth growth = growth_measure(result);
    return growth_is_overload(&growth, ack_s, result);
}

static void a_system_that_keeps_up_is_never_called_overloaded(void **state)
{
    struct result *result = *state;
    static const double rates[] = {20, 500, 50000};
    static const double acks_s[] = {0.05, 0.3, 2};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        made_run(result, rates[seed % 3], INFINITY, acks_s[seed / 3 % 3], seed);
        if (is_overload(result, acks_s[seed / 3 % 3])) {
            fail_msg("called overloaded: seed %u", (unsigned)seed);
        }
    }
}

static void one_that_falls_behind_by_a_tenth_is(void **state)
{
    struct result *result = *state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        made_run(result, RATE, 0.9 * RATE, 0.05, seed);
        /* By the middle of the first half 0.1 x 4.5 s are waiting. */
        if (!is_overload(result, 0.05 + 0.45 / 2)) {
            fail_msg("not called overloaded: seed %u", (unsigned)seed);
        }
    }
    struct growth growth = growth_measure(result);
    assert_true(fabs(growth.slope_per_s - 100) < 40);
    assert_true(growth.error_per_s > 0);
}

/* The few acks that still come took long; that explains no more than those few. */
static void one_that_has_collapsed_is(void **state)
{
    struct result *result = *state;
    made_run(result, RATE, 0.02 * RATE, 0.05, 1);
    assert_true(is_overload(result, 3));
}

static void what_a_fault_delayed_and_the_drain_finished_is_none(void **state)
{
    struct result *result = *state;
    made_run(result, RATE, 0.8 * RATE, 0.05, 1);
    made_plan(result)->fault_count = 1;
    assert_true(is_overload(result, 0.05));
    result->unfinished = 3;
    assert_false(is_overload(result, 0.05));
    result->partial = true;
    assert_true(is_overload(result, 0.05));
    result->partial = false;
    made_plan(result)->fault_count = 0;
    assert_true(is_overload(result, 0.05));
}

static void too_few_intervals_tell_nothing(void **state)
{
    struct result *result = *state;
    assert_false(growth_measure(result).known);
    assert_true(growth_measure(result).slope_per_s == 0);
    result->until_ns = result->from_ns;
    assert_false(growth_measure(result).known);
    result->interval_ns = 0;
    assert_false(growth_measure(result).known);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, made_setup, made_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_system_that_keeps_up_is_never_called_overloaded),
        TEST(one_that_falls_behind_by_a_tenth_is),
        TEST(one_that_has_collapsed_is),
        TEST(what_a_fault_delayed_and_the_drain_finished_is_none),
        TEST(too_few_intervals_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
