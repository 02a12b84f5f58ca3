/* Units: by example, by what is refused, and by properties over random values. */
#include "tests/unit/test_scenario.h"

#include "scenarios/units.h"

static uint64_t whole(enum units_kind kind, const char *text)
{
    struct units_value value = {0};
    enum units_err err = units_parse(kind, text, &value);
    if (err != UNITS_OK) {
        fprintf(stderr, "\"%s\" is refused with %d\n", text, err);
        fail();
    }
    return value.whole;
}

static double real(enum units_kind kind, const char *text)
{
    struct units_value value = {0};
    assert_int_equal(units_parse(kind, text, &value), UNITS_OK);
    return value.real;
}

static void what_people_write_becomes_si(void **state)
{
    (void)state;
    assert_int_equal(whole(UNITS_COUNT, "50M"), 50000000);
    assert_int_equal(whole(UNITS_COUNT, "3.5M"), 3500000);
    assert_int_equal(whole(UNITS_COUNT, " 100 B "), 100000000000);
    assert_int_equal(whole(UNITS_COUNT, "1e3"), 1000);
    assert_int_equal(whole(UNITS_COUNT, "18446744073709551615"), UINT64_MAX);
    assert_int_equal(whole(UNITS_BYTES, "200 B"), 200);
    assert_int_equal(whole(UNITS_BYTES, "16 KiB"), 16384);
    assert_int_equal(whole(UNITS_BYTES, "20 TB"), 20000000000000);
    assert_int_equal(whole(UNITS_DURATION, "5 s"), 5000000000);
    assert_int_equal(whole(UNITS_DURATION, "150 us"), 150000);
    assert_int_equal(whole(UNITS_DURATION, "150 \u00b5s"), 150000);
    assert_int_equal(whole(UNITS_DURATION, "0.3ms"), 300000);
    assert_int_equal(whole(UNITS_DURATION, "30 d"), 2592000000000000);
    assert_int_equal(whole(UNITS_DURATION, "0"), 0);
    assert_int_equal((int64_t)whole(UNITS_SIGNED_DURATION, "-2 s"), -2000000000);
    assert_int_equal(whole(UNITS_BYTE_RATE, "1 Gbps"), 125000000);
    assert_int_equal(whole(UNITS_BYTE_RATE, "60 MB/s"), 60000000);
    assert_int_equal(whole(UNITS_BYTE_RATE, "8 bps"), 1);
    assert_int_equal(whole(UNITS_COST, "0.5 ns/B"), 500);
    assert_true(real(UNITS_SHARE, "14%") == 0.14);
    assert_true(real(UNITS_SHARE, "0.14") == 0.14);
    assert_true(real(UNITS_RATE, "1/min") == 1.0 / 60.0);
    assert_true(real(UNITS_RATE, "3.5M/s") == 3.5e6);
    assert_true(real(UNITS_RATE, "100B/day") == 1e11 / 86400.0);
    assert_true(real(UNITS_FACTOR, "1.55") == 1.55);
    assert_true(real(UNITS_FACTOR, "0.333333333333333333333333333") == 1.0 / 3.0);
    assert_true(real(UNITS_FACTOR, "123456789012345678901234567890") ==
                123456789012345678901234567890.0);
    assert_int_equal(whole(UNITS_COUNT, "1000000000000000000000e-3"), 1000000000000000000);
    assert_int_equal(whole(UNITS_COUNT, "0.000000000000000000000000000"), 0);
}

struct refused {
    enum units_kind kind;
    const char *text;
    enum units_err err;
};

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct refused cases[] = {
        {UNITS_DURATION, "5 MB", UNITS_ERR_UNIT},
        {UNITS_DURATION, "5", UNITS_ERR_UNIT},
        {UNITS_DURATION, "5 S", UNITS_ERR_UNIT},
        {UNITS_DURATION, "5 ss", UNITS_ERR_UNIT},
        {UNITS_DURATION, "5 s 3", UNITS_ERR_UNIT},
        {UNITS_DURATION, "", UNITS_ERR_NUMBER},
        {UNITS_DURATION, "fast", UNITS_ERR_NUMBER},
        {UNITS_DURATION, ".5 s", UNITS_ERR_NUMBER},
        {UNITS_DURATION, "5. s", UNITS_ERR_NUMBER},
        {UNITS_DURATION, "0x10 s", UNITS_ERR_UNIT},
        {UNITS_DURATION, "nan", UNITS_ERR_NUMBER},
        {UNITS_DURATION, "inf s", UNITS_ERR_NUMBER},
        {UNITS_DURATION, "-5 s", UNITS_ERR_NEGATIVE},
        {UNITS_DURATION, "0.1 ns", UNITS_ERR_EXACT},
        {UNITS_DURATION, "1e400 s", UNITS_ERR_RANGE},
        {UNITS_DURATION, "1000 years", UNITS_ERR_RANGE},
        {UNITS_SIGNED_DURATION, "-300 years", UNITS_ERR_RANGE},
        {UNITS_BYTES, "1.5 B", UNITS_ERR_EXACT},
        {UNITS_BYTES, "16 kib", UNITS_ERR_UNIT},
        {UNITS_BYTES, "5 s", UNITS_ERR_UNIT},
        {UNITS_BYTE_RATE, "1 Gb", UNITS_ERR_UNIT},
        {UNITS_BYTE_RATE, "1 bps", UNITS_ERR_EXACT},
        {UNITS_COUNT, "-1", UNITS_ERR_NEGATIVE},
        {UNITS_COUNT, "1.5", UNITS_ERR_EXACT},
        {UNITS_COUNT, "18446744073709551616", UNITS_ERR_RANGE},
        {UNITS_COUNT, "99999999999999999999", UNITS_ERR_RANGE},
        {UNITS_COUNT, "5 s", UNITS_ERR_UNIT},
        {UNITS_RATE, "3.5M", UNITS_ERR_UNIT},
        {UNITS_RATE, "1e400/s", UNITS_ERR_RANGE},
        {UNITS_SHARE, "-1%", UNITS_ERR_NEGATIVE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct units_value value = {7, 7.0};
        enum units_err err = units_parse(cases[i].kind, cases[i].text, &value);
        if (err != cases[i].err) {
            fprintf(stderr, "\"%s\": %d, expected %d\n", cases[i].text, err, cases[i].err);
            fail();
        }
        assert_int_equal(value.whole, 7);
        assert_true(value.real == 7.0);
    }
}

static uint64_t next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> (*seed >> 59) ^ *seed << 7;
}

/* Whatever is written is read back the same, bit for bit. */
static void format_and_parse_are_inverse(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (uint32_t i = 0; i < 20000; i++) {
        enum units_kind kind = (enum units_kind)(next(&seed) % UNITS_KIND_COUNT);
        bool is_real = kind == UNITS_FACTOR || kind == UNITS_SHARE || kind == UNITS_RATE;
        struct units_value value = {.whole = next(&seed)};
        value.whole = i % 3 == 0 ? value.whole % 1000 * 1000000 : value.whole >> (next(&seed) % 60);
        value.real = i % 2 == 0 ? (double)(value.whole % 10000) / 1000.0
                                : (double)value.whole / (double)(1 + next(&seed) % 1000);
        char text[64];
        struct units_value back;
        units_format(kind, value, text, sizeof text);
        enum units_err err = units_parse(kind, text, &back);
        bool same = is_real ? back.real == value.real : back.whole == value.whole;
        if (err != UNITS_OK || !same) {
            fprintf(stderr, "seed 1, draw %u: kind %d, %llu or %.17g is \"%s\"\n", i, (int)kind,
                    (unsigned long long)value.whole, value.real, text);
            fail();
        }
    }
}

/* A number and a unit mean number times unit, whichever way the number is written. */
static void decimals_are_exact(void **state)
{
    (void)state;
    for (uint32_t us = 0; us < 5000; us++) {
        char text[64];
        snprintf(text, sizeof text, "%u.%03u ms", us / 1000, us % 1000);
        assert_int_equal(whole(UNITS_DURATION, text), us * 1000u);
        snprintf(text, sizeof text, "%ue-6 s", us);
        assert_int_equal(whole(UNITS_DURATION, text), us * 1000u);
        snprintf(text, sizeof text, "%u000.000 ns", us);
        assert_int_equal(whole(UNITS_DURATION, text), us * 1000u);
    }
}

static void examples_and_nouns_exist_for_every_kind(void **state)
{
    (void)state;
    for (int kind = 0; kind < UNITS_KIND_COUNT; kind++) {
        assert_true(strlen(units_noun((enum units_kind)kind)) > 0);
        assert_true(strlen(units_example((enum units_kind)kind)) > 0);
        assert_true(units_pattern((enum units_kind)kind)[0] == '^');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_people_write_becomes_si),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(format_and_parse_are_inverse),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(examples_and_nouns_exist_for_every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
