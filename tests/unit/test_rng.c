/* rng: against Random123's own ARS-5, against the portable twin, and against what a stream of
 * independent bits must look like. */
#include "sim/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <string.h>

#ifdef __AES__
#include <Random123/ars.h>
#endif

#define DRAW_COUNT 100000u

/* FIPS 197 has no vectors for ARS; Random123's header is the reference. */
static void test_draws_are_random123s_ars_with_five_rounds(void **state)
{
    (void)state;
#ifdef __AES__
    const struct rng_stream stream = rng_stream(7, "reference");
    for (uint64_t i = 0; i < 1000; i++) {
        const uint64_t entity = i * UINT64_C(0x9E3779B97F4A7C15);
        const uint64_t n = i * i * i;
        const ars4x32_ctr_t counter = {
            {(uint32_t)n, (uint32_t)(n >> 32), (uint32_t)entity, (uint32_t)(entity >> 32)}};
        const ars4x32_key_t key = {{(uint32_t)stream.key[0], (uint32_t)(stream.key[0] >> 32),
                                    (uint32_t)stream.key[1], (uint32_t)(stream.key[1] >> 32)}};
        const ars4x32_ctr_t expected = ars4x32_R(5, counter, key);
        const struct rng_bits bits = rng_draw(&stream, entity, n);
        assert_int_equal(bits.word[0], expected.v[0] | (uint64_t)expected.v[1] << 32);
        assert_int_equal(bits.word[1], expected.v[2] | (uint64_t)expected.v[3] << 32);
    }
#else
    skip();
#endif
}

static void test_the_portable_twin_yields_the_same_bytes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        const struct rng_stream stream = rng_stream(seed, "twin");
        for (uint64_t n = 0; n < 50; n++) {
            const struct rng_bits fast = rng_draw(&stream, ~seed, n);
            const struct rng_bits slow = rng_draw_portable(&stream, ~seed, n);
            assert_int_equal(fast.word[0], slow.word[0]);
            assert_int_equal(fast.word[1], slow.word[1]);
        }
    }
}

/* A recorded value: were it ever to change, so would every recorded run. */
static void test_a_draw_never_changes_between_versions(void **state)
{
    (void)state;
    const struct rng_stream stream = rng_stream(1, "golden");
    const struct rng_bits bits = rng_draw_portable(&stream, 2, 3);
    assert_int_equal(bits.word[0], UINT64_C(0x1abea199c0827d31));
    assert_int_equal(bits.word[1], UINT64_C(0x3bc173a69acf7f55));
}

static void test_seed_name_entity_and_n_each_change_everything(void **state)
{
    (void)state;
    const struct rng_stream base = rng_stream(1, "a");
    const struct rng_stream other_seed = rng_stream(2, "a");
    const struct rng_stream other_name = rng_stream(1, "b");
    const uint64_t word = rng_draw(&base, 5, 9).word[0];
    const uint64_t others[] = {
        rng_draw(&other_seed, 5, 9).word[0], rng_draw(&other_name, 5, 9).word[0],
        rng_draw(&base, 6, 9).word[0],       rng_draw(&base, 5, 10).word[0],
        rng_draw(&base, 9, 5).word[0],       rng_draw(&base, 5, 9).word[1],
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const int flipped = __builtin_popcountll(word ^ others[i]);
        assert_in_range(flipped, 10, 54); /* 32 +- 5.5 standard deviations. */
    }
}

static void test_a_cursor_walks_the_entitys_draws_in_order(void **state)
{
    (void)state;
    struct rng_cursor cursor = {.stream = rng_stream(3, "walk"), .entity = 11};
    for (uint64_t n = 0; n < 10; n++) {
        assert_int_equal(rng_next(&cursor).word[1], rng_draw(&cursor.stream, 11, n).word[1]);
    }
    assert_int_equal(cursor.n, 10);
}

static void test_unit_excludes_both_ends_and_is_symmetric(void **state)
{
    (void)state;
    assert_true(rng_unit(0) > 0.0);
    assert_true(rng_unit(UINT64_MAX) < 1.0);
    assert_true(rng_unit(0) == 1.0 - rng_unit(UINT64_MAX));
    assert_false(rng_chance(0, 0.0));
    assert_true(rng_chance(UINT64_MAX, 1.0));
}

static void test_below_covers_its_range_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(rng_below(0, 10), 0);
    assert_int_equal(rng_below(UINT64_MAX, 10), 9);
    assert_int_equal(rng_below(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
    assert_int_equal(rng_below(UINT64_MAX, 1), 0);
    assert_int_equal(rng_below(UINT64_MAX, 0), 0);
}

/* Pearson's chi-square of `counts` against equal shares; fails beyond one in a million. */
static void expect_uniform(const uint32_t *counts, uint32_t cell_count, double total,
                           const char *what)
{
    const double expected = total / cell_count;
    double chi_square = 0.0;
    for (uint32_t i = 0; i < cell_count; i++) {
        chi_square += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    /* Wilson and Hilferty: GSL's own inverse goes astray beyond some thousand degrees. */
    const double freedom = cell_count - 1.0;
    const double spread = 2.0 / (9.0 * freedom);
    const double z = gsl_cdf_ugaussian_Qinv(1e-6);
    const double high = freedom * pow(1.0 - spread + z * sqrt(spread), 3.0);
    const double low = freedom * pow(1.0 - spread - z * sqrt(spread), 3.0);
    if (chi_square > high || chi_square < low) {
        fail_msg("%s: chi-square %g outside [%g, %g]; repeat: unit_rng", what, chi_square, low,
                 high);
    }
}

/* The patterns in which a simulation really draws: one entity, many n; many entities, one n; and
 * neighbouring seeds. Each byte of both words, and each pair of successive bytes, is uniform. */
static void test_bytes_are_uniform_along_n_entity_and_seed(void **state)
{
    (void)state;
    static const char *const names[] = {"along n", "along entity", "along seed"};
    static uint32_t bytes[16][256];
    static uint32_t pairs[65536];
    for (unsigned axis = 0; axis < 3; axis++) {
        memset(bytes, 0, sizeof bytes);
        memset(pairs, 0, sizeof pairs);
        const struct rng_stream fixed = rng_stream(42, "uniform");
        unsigned last = 0;
        for (uint64_t i = 0; i < 8 * DRAW_COUNT; i++) {
            if (axis == 2 && i >= DRAW_COUNT) {
                break;
            }
            const struct rng_stream stream = axis == 2 ? rng_stream(i, "uniform") : fixed;
            const struct rng_bits bits = rng_draw(&stream, axis == 1 ? i : 1, axis == 0 ? i : 1);
            for (unsigned byte = 0; byte < 16; byte++) {
                const unsigned value = (unsigned)(bits.word[byte / 8] >> (8 * (byte % 8))) & 255;
                bytes[byte][value]++;
            }
            const unsigned top = (unsigned)(bits.word[0] >> 56);
            pairs[last << 8 | top]++;
            last = top;
        }
        const double total = axis == 2 ? DRAW_COUNT : 8.0 * DRAW_COUNT;
        for (unsigned byte = 0; byte < 16; byte++) {
            expect_uniform(bytes[byte], 256, total, names[axis]);
        }
        if (axis != 2) {
            expect_uniform(pairs, 65536, total, names[axis]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_are_random123s_ars_with_five_rounds),
        cmocka_unit_test(test_the_portable_twin_yields_the_same_bytes),
        cmocka_unit_test(test_a_draw_never_changes_between_versions),
        cmocka_unit_test(test_seed_name_entity_and_n_each_change_everything),
        cmocka_unit_test(test_a_cursor_walks_the_entitys_draws_in_order),
        cmocka_unit_test(test_unit_excludes_both_ends_and_is_symmetric),
        cmocka_unit_test(test_below_covers_its_range_and_no_more),
        cmocka_unit_test(test_bytes_are_uniform_along_n_entity_and_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
