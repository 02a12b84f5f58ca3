/* outage: promises by example, then against a twin that looks at every nanosecond. */
#include "sim/dist.h"
#include "sim/outage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#define HORIZON 400u
#define INTERVALS_MAX 64u

static void test_no_outages_change_nothing(void **state)
{
    (void)state;
    struct outage outage = {0};
    assert_int_equal(outage_next(&outage), SIM_NEVER);
    assert_int_equal(outage_finish(&outage, 100, 50), 150);
    assert_int_equal(outage_up(&outage, 7), 7);
    assert_false(outage_is_down(&outage, 0));
    assert_int_equal(outage_down_between(&outage, 0, SIM_NEVER), SIM_NEVER);
    assert_int_equal(outage_init(&outage, NULL, 0), OUTAGE_OK);
    assert_int_equal(outage_next(&outage), SIM_NEVER);
}

static void test_down_kills_pause_suspends_slow_stretches(void **state)
{
    (void)state;
    const struct outage_interval intervals[] = {
        {.from_ns = 100, .until_ns = 200, .kind = OUTAGE_PAUSE},
        {.from_ns = 300, .until_ns = 400, .kind = OUTAGE_SLOW, .stretch_milli = 2500},
        {.from_ns = 500, .until_ns = 600, .kind = OUTAGE_DOWN},
    };
    struct outage outage;
    assert_int_equal(outage_init(&outage, intervals, 3), OUTAGE_OK);
    assert_int_equal(outage_finish(&outage, 0, 100), 100); /* Ends as the pause begins. */
    assert_int_equal(outage_finish(&outage, 50, 60), 210);
    assert_int_equal(outage_finish(&outage, 150, 10), 210);
    assert_int_equal(outage_finish(&outage, 300, 10), 325);
    assert_int_equal(outage_finish(&outage, 300, 3), 308);  /* 7.5 ns, rounded up. */
    assert_int_equal(outage_finish(&outage, 300, 41), 401); /* 100 ns do 40. */
    assert_int_equal(outage_finish(&outage, 50, 290), 500);
    assert_int_equal(outage_finish(&outage, 50, 291), SIM_NEVER);
    assert_int_equal(outage_finish(&outage, 550, 1), SIM_NEVER);
    assert_int_equal(outage_finish(&outage, 600, 1), 601);
    assert_int_equal(outage_up(&outage, 499), 499);
    assert_int_equal(outage_up(&outage, 500), 600);
    assert_int_equal(outage_down_between(&outage, 0, 500), SIM_NEVER);
    assert_int_equal(outage_down_between(&outage, 0, 501), 500);
    assert_int_equal(outage_down_between(&outage, 550, 551), 500);
    assert_int_equal(outage_at(&outage, 399)->kind, OUTAGE_SLOW);
    assert_null(outage_at(&outage, 400));
}

static void test_a_death_for_good_has_no_next_up_time(void **state)
{
    (void)state;
    const struct outage_interval intervals[] = {
        {.from_ns = 0, .until_ns = 10, .kind = OUTAGE_DOWN},
        {.from_ns = 10, .until_ns = SIM_NEVER, .kind = OUTAGE_DOWN},
    };
    struct outage outage;
    assert_int_equal(outage_init(&outage, intervals, 2), OUTAGE_OK);
    assert_true(outage_is_down(&outage, 0));
    assert_int_equal(outage_up(&outage, 5), SIM_NEVER);
    assert_int_equal(outage_finish(&outage, 12, 1), SIM_NEVER);
}

static void test_bad_schedules_are_refused(void **state)
{
    (void)state;
    struct outage outage = {0};
    struct outage_interval pair[4] = {
        {.from_ns = 10, .until_ns = 20, .kind = OUTAGE_DOWN},
        {.from_ns = 19, .until_ns = 30, .kind = OUTAGE_DOWN},
    };
    assert_int_equal(outage_init(&outage, pair, 2), OUTAGE_ERR_ORDER);
    assert_int_equal(outage_next(&outage), SIM_NEVER);
    assert_int_equal(outage_normalise(pair, 2, 2), OUTAGE_ERR_FULL);
    pair[1].until_ns = 19;
    assert_int_equal(outage_init(&outage, pair, 2), OUTAGE_ERR_INTERVAL);
    pair[1] = (struct outage_interval){20, 30, OUTAGE_SLOW, 999};
    assert_int_equal(outage_init(&outage, pair, 2), OUTAGE_ERR_INTERVAL);
    assert_int_equal(outage_normalise(pair, 2, 4), OUTAGE_ERR_INTERVAL);
}

static uint64_t pick(struct rng_cursor *cursor, uint64_t n)
{
    return rng_below(rng_next(cursor).word[0], n);
}

static uint32_t draw_intervals(struct rng_cursor *cursor, struct outage_interval *intervals)
{
    const uint32_t count = (uint32_t)pick(cursor, 12);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t from_ns = pick(cursor, HORIZON - 50);
        intervals[i] = (struct outage_interval){
            .from_ns = from_ns,
            .until_ns = from_ns + 1 + pick(cursor, 40),
            .kind = (uint32_t)pick(cursor, 3),
            .stretch_milli = 1000 * (1 + (uint32_t)pick(cursor, 4)),
        };
    }
    return count;
}

/* What each nanosecond is like: 0 normal, else 1 + kind in the high part and stretch below. */
static void paint_moments(const struct outage_interval *intervals, uint32_t count,
                          uint32_t *moments)
{
    memset(moments, 0, HORIZON * sizeof *moments);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t stretch = intervals[i].kind == OUTAGE_SLOW ? intervals[i].stretch_milli : 0;
        const uint32_t rank = (1 + intervals[i].kind) << 16 | stretch;
        for (uint64_t t = intervals[i].from_ns; t < intervals[i].until_ns; t++) {
            moments[t] = rank > moments[t] ? rank : moments[t];
        }
    }
}

/* Work done in twelfths of a nanosecond, since stretches are 1 to 4 times. */
static uint64_t twin_finish(const uint32_t *moments, uint64_t start_ns, uint64_t work_ns)
{
    uint64_t left = work_ns * 12;
    uint64_t t = start_ns;
    for (; left > 0; t++) {
        const uint32_t moment = t < HORIZON ? moments[t] : 0;
        const uint32_t kind = moment >> 16;
        if (t > start_ns && t <= HORIZON && moment != moments[t - 1]) {
            left = (left + 11) / 12 * 12; /* What a slow interval did is rounded down. */
        }
        if (kind == 1 + OUTAGE_DOWN) {
            return SIM_NEVER;
        }
        uint64_t done = 12;
        if (kind == 1 + OUTAGE_PAUSE) {
            done = 0;
        } else if (kind == 1 + OUTAGE_SLOW) {
            done = 12 / ((moment & 0xFFFF) / 1000);
        }
        left -= left < done ? left : done;
    }
    return t;
}

static void expect_like_twin(uint64_t seed)
{
    struct rng_cursor cursor = {.stream = rng_stream(seed, "outage twin")};
    struct outage_interval intervals[INTERVALS_MAX];
    uint32_t moments[HORIZON];
    const uint32_t drawn = draw_intervals(&cursor, intervals);
    paint_moments(intervals, drawn, moments);
    const int64_t count = outage_normalise(intervals, drawn, INTERVALS_MAX);
    assert_in_range(count, 0, drawn == 0 ? 0 : 2 * drawn - 1);
    uint32_t normalised[HORIZON];
    paint_moments(intervals, (uint32_t)count, normalised);
    assert_memory_equal(moments, normalised, sizeof moments);

    struct outage outage;
    assert_int_equal(outage_init(&outage, intervals, (uint32_t)count), OUTAGE_OK);
    uint64_t now_ns = 0;
    for (uint32_t i = 0; i < 60 && now_ns < HORIZON; i++) {
        now_ns += pick(&cursor, 12);
        if (pick(&cursor, 2) == 0) {
            outage_pass(&outage, now_ns);
        }
        const uint64_t start_ns = now_ns + pick(&cursor, 30);
        const uint64_t work_ns = 1 + pick(&cursor, 60);
        const uint64_t finish_ns = outage_finish(&outage, start_ns, work_ns);
        const uint64_t twin_ns = twin_finish(moments, start_ns, work_ns);
        if (finish_ns != twin_ns) {
            fail_msg("seed %llu: work %llu from %llu ends at %llu, twin %llu",
                     (unsigned long long)seed, (unsigned long long)work_ns,
                     (unsigned long long)start_ns, (unsigned long long)finish_ns,
                     (unsigned long long)twin_ns);
        }
        const uint32_t here = start_ns < HORIZON ? moments[start_ns] >> 16 : 0;
        assert_int_equal(outage_is_down(&outage, start_ns), here == 1 + OUTAGE_DOWN);
        uint64_t up_ns = start_ns;
        while (up_ns < HORIZON && moments[up_ns] >> 16 == 1 + OUTAGE_DOWN) {
            up_ns++;
        }
        assert_int_equal(outage_up(&outage, start_ns), up_ns);
    }
}

static void test_against_a_twin_that_looks_at_every_nanosecond(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        expect_like_twin(seed);
    }
}

static void test_drawn_schedules_have_the_asked_availability(void **state)
{
    (void)state;
    static struct dist up;
    static struct dist down;
    static struct outage_interval intervals[20000];
    const struct dist_spec up_spec = {.law = DIST_EXPONENTIAL, .mean = 9e6};
    const struct dist_spec down_spec = {.law = DIST_EXPONENTIAL, .mean = 1e6};
    assert_int_equal(dist_init(&up, &up_spec), DIST_OK);
    assert_int_equal(dist_init(&down, &down_spec), DIST_OK);
    struct rng_cursor cursor = {.stream = rng_stream(5, "faults")};
    const uint64_t until_ns = UINT64_C(100000000000);
    const int64_t count =
        outage_draw(intervals, 20000, OUTAGE_DOWN, 0, &up, &down, &cursor, until_ns);
    assert_in_range(count, 9500, 10500);
    double down_ns = 0.0;
    for (int64_t i = 0; i < count; i++) {
        down_ns += (double)(intervals[i].until_ns - intervals[i].from_ns);
    }
    assert_true(fabs(down_ns / (double)until_ns - 0.1) < 0.005);
    struct outage outage;
    assert_int_equal(outage_init(&outage, intervals, (uint32_t)count), OUTAGE_OK);
    cursor.n = 0;
    assert_int_equal(outage_draw(intervals, 10, OUTAGE_DOWN, 0, &up, &down, &cursor, until_ns),
                     OUTAGE_ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_outages_change_nothing),
        cmocka_unit_test(test_down_kills_pause_suspends_slow_stretches),
        cmocka_unit_test(test_a_death_for_good_has_no_next_up_time),
        cmocka_unit_test(test_bad_schedules_are_refused),
        cmocka_unit_test(test_against_a_twin_that_looks_at_every_nanosecond),
        cmocka_unit_test(test_drawn_schedules_have_the_asked_availability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
