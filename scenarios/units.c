#include "scenarios/units.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "models/core/check.h"

/* A unit is numerator / denominator of the kind's smallest unit. */
struct unit {
    const char *name;
    uint64_t numerator;
    uint64_t denominator;
};

/* Ascending, since units_format() takes the last that is short; aliases come after NULL. */
static const struct unit units_count[] = {
    {"", 1, 1},           {"k", 1000, 1},          {"M", 1000000, 1},
    {"B", 1000000000, 1}, {"T", 1000000000000, 1}, {NULL, 0, 0},
    {"K", 1000, 1},       {"G", 1000000000, 1},    {NULL, 0, 0},
};
static const struct unit units_factor[] = {{"", 1, 1}, {NULL, 0, 0}, {"x", 1, 1}, {NULL, 0, 0}};
static const struct unit units_share[] = {{"", 1, 1}, {"%", 1, 100}, {NULL, 0, 0}, {NULL, 0, 0}};
static const struct unit units_rate[] = {
    {"/s", 1, 1},
    {"k/s", 1000, 1},
    {"M/s", 1000000, 1},
    {"B/s", 1000000000, 1},
    {NULL, 0, 0},
    {"/min", 1, 60},
    {"k/min", 1000, 60},
    {"M/min", 1000000, 60},
    {"B/min", 1000000000, 60},
    {"/h", 1, 3600},
    {"k/h", 1000, 3600},
    {"M/h", 1000000, 3600},
    {"B/h", 1000000000, 3600},
    {"/day", 1, 86400},
    {"k/day", 1000, 86400},
    {"M/day", 1000000, 86400},
    {"B/day", 1000000000, 86400},
    {"T/day", 1000000000000, 86400},
    {"/d", 1, 86400},
    {"M/d", 1000000, 86400},
    {"B/d", 1000000000, 86400},
    {"K/s", 1000, 1},
    {"G/s", 1000000000, 1},
    {"K/min", 1000, 60},
    {NULL, 0, 0},
};
static const struct unit units_duration[] = {
    {"ns", 1, 1},
    {"us", 1000, 1},
    {"ms", 1000000, 1},
    {"s", 1000000000, 1},
    {"min", 60000000000, 1},
    {"h", 3600000000000, 1},
    {"d", 86400000000000, 1},
    {NULL, 0, 0},
    {"\u00b5s", 1000, 1},
    {"\u03bcs", 1000, 1},
    {"day", 86400000000000, 1},
    {"days", 86400000000000, 1},
    {"year", 31536000000000000, 1},
    {"years", 31536000000000000, 1},
    {NULL, 0, 0},
};
static const struct unit units_cost[] = {
    {"ps/B", 1, 1}, {"ns/B", 1000, 1}, {"us/B", 1000000, 1}, {NULL, 0, 0}, {NULL, 0, 0},
};
static const struct unit units_bytes[] = {
    {"B", 1, 1},
    {"kB", 1000, 1},
    {"KiB", 1024, 1},
    {"MB", 1000000, 1},
    {"MiB", 1048576, 1},
    {"GB", 1000000000, 1},
    {"GiB", 1073741824, 1},
    {"TB", 1000000000000, 1},
    {"TiB", 1099511627776, 1},
    {"PB", 1000000000000000, 1},
    {NULL, 0, 0},
    {"KB", 1000, 1},
    {"PiB", 1125899906842624, 1},
    {NULL, 0, 0},
};
static const struct unit units_byte_rate[] = {
    {"B/s", 1, 1},
    {"kB/s", 1000, 1},
    {"MB/s", 1000000, 1},
    {"GB/s", 1000000000, 1},
    {NULL, 0, 0},
    {"KB/s", 1000, 1},
    {"KiB/s", 1024, 1},
    {"MiB/s", 1048576, 1},
    {"GiB/s", 1073741824, 1},
    {"bps", 1, 8},
    {"kbps", 125, 1},
    {"Mbps", 125000, 1},
    {"Gbps", 125000000, 1},
    {"Tbps", 125000000000, 1},
    {"bit/s", 1, 8},
    {"kbit/s", 125, 1},
    {"Mbit/s", 125000, 1},
    {"Gbit/s", 125000000, 1},
    {NULL, 0, 0},
};

/* What is known of a kind. */
struct kind {
    const struct unit *units;
    const char *noun;
    const char *example;
    const char *pattern;
};

#define NUMBER "[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]+)?"

static const struct kind kinds[UNITS_KIND_COUNT] = {
    [UNITS_COUNT] = {units_count, "a count", "\"50M\" (k, M, B, T)", "^ *" NUMBER " *[kKMBGT]? *$"},
    [UNITS_FACTOR] = {units_factor, "a number", "1.5", "^ *" NUMBER " *x? *$"},
    [UNITS_SHARE] = {units_share, "a share", "\"14%\" or 0.14", "^ *" NUMBER " *%? *$"},
    [UNITS_RATE] = {units_rate, "a rate", "\"3.5M/s\" (/s, /min, /h, /day after k, M or B)",
                    "^ *(0|" NUMBER " *[kKMBGT]?/(s|min|h|day|d)) *$"},
    [UNITS_DURATION] = {units_duration, "a duration", "\"5 s\" (ns, us, ms, s, min, h, d)",
                        "^ *(0|" NUMBER " *(ns|us|\u00b5s|\u03bcs|ms|s|min|h|d|days?|years?)) *$"},
    [UNITS_SIGNED_DURATION] = {units_duration, "a duration",
                               "\"-2 s\" or \"5 ms\" (ns, us, ms, s, min, h, d)",
                               "^ *-?(0|" NUMBER
                               " *(ns|us|\u00b5s|\u03bcs|ms|s|min|h|d|days?|years?)) *$"},
    [UNITS_COST] = {units_cost, "a time for each byte", "\"1 ns/B\" (ps/B, ns/B, us/B)",
                    "^ *(0|" NUMBER " *[pnu]s/B) *$"},
    [UNITS_BYTES] = {units_bytes, "a size in bytes",
                     "\"16 KiB\" (B, kB, MB, GB, TB, PB, KiB, MiB, GiB, TiB)",
                     "^ *(0|" NUMBER " *([kKMGTP]?B|[KMGTP]iB)) *$"},
    [UNITS_BYTE_RATE] = {units_byte_rate, "bytes a second",
                         "\"60 MB/s\" or \"1 Gbps\" (kB/s, MB/s, GB/s, MiB/s, Mbps, Gbps)",
                         "^ *(0|" NUMBER " *([kKMG]?B/s|[KMG]iB/s|[kMGT]?bps|[kMG]?bit/s)) *$"},
};

/* A decimal number: (-1)^negative * digits * 10^exponent. */
struct decimal {
    bool negative;
    bool cut; /* It has more digits than fit; those behind were dropped. */
    uint64_t digits;
    int exponent;
};

#define EXPONENT_MAX 400

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Appends a digit, unless it does not fit any more: then it is dropped, and 1 is returned, by which
 * the exponent grows. */
static int append_digit(struct decimal *decimal, char digit)
{
    uint64_t value = (uint64_t)(digit - '0');
    if (decimal->cut || decimal->digits > (UINT64_MAX - value) / 10) {
        decimal->cut = true;
        return 1;
    }
    decimal->digits = decimal->digits * 10 + value;
    return 0;
}

/* Reads digits, and a point among them; trailing zeros cost no room. Returns the end, or NULL where
 * there are none. */
static const char *read_mantissa(const char *text, struct decimal *decimal)
{
    const char *at = text;
    bool point = false;
    int zeros = 0; /* Seen since the last other digit; appended when one follows. */
    for (; is_digit(*at) || (*at == '.' && !point); at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        decimal->exponent -= point ? 1 : 0;
        if (*at == '0') {
            zeros++;
            continue;
        }
        for (; zeros > 0; zeros--) {
            decimal->exponent += decimal->digits > 0 ? append_digit(decimal, '0') : 0;
        }
        decimal->exponent += append_digit(decimal, *at);
    }
    decimal->exponent += zeros;
    return at[-1] != '.' && at - text < EXPONENT_MAX ? at : NULL;
}

/* Returns the end of the number, or NULL where there is none. */
static const char *read_decimal(const char *text, struct decimal *decimal)
{
    *decimal = (struct decimal){0};
    const char *at = text;
    if (*at == '-') {
        decimal->negative = true;
        at++;
    }
    at = is_digit(*at) ? read_mantissa(at, decimal) : NULL;
    if (at == NULL) {
        return NULL;
    }
    if (*at == 'e' || *at == 'E') {
        const char *digit = at + 1;
        bool down = *digit == '-';
        digit += *digit == '-' || *digit == '+' ? 1 : 0;
        if (!is_digit(*digit)) {
            return at;
        }
        int exponent = 0;
        for (; is_digit(*digit); digit++) {
            exponent = exponent < EXPONENT_MAX ? exponent * 10 + (*digit - '0') : EXPONENT_MAX;
        }
        decimal->exponent += down ? -exponent : exponent;
        at = digit;
    }
    return at;
}

/* digits * 10^exponent * numerator / denominator, exactly. */
static enum units_err exact_whole(struct decimal decimal, const struct unit *unit, uint64_t *whole)
{
    if (decimal.digits == 0) {
        *whole = 0;
        return UNITS_OK;
    }
    if (decimal.cut) {
        return UNITS_ERR_RANGE;
    }
    unsigned __int128 value = (unsigned __int128)decimal.digits * unit->numerator;
    int exponent = decimal.exponent;
    while (exponent > 0) {
        value *= 10;
        exponent--;
        if (value > (unsigned __int128)UINT64_MAX * 86400) {
            return UNITS_ERR_RANGE;
        }
    }
    for (; exponent < 0; exponent++) {
        if (value % 10 != 0) {
            return UNITS_ERR_EXACT;
        }
        value /= 10;
    }
    if (value % unit->denominator != 0) {
        return UNITS_ERR_EXACT;
    }
    value /= unit->denominator;
    if (value > UINT64_MAX) {
        return UNITS_ERR_RANGE;
    }
    *whole = (uint64_t)value;
    return UNITS_OK;
}

static enum units_err nearest_real(struct decimal decimal, const struct unit *unit, double *real)
{
    long double value = (long double)decimal.digits * (long double)unit->numerator;
    if (decimal.exponent >= 0) {
        value *= powl(10.0L, decimal.exponent);
    } else {
        value /= powl(10.0L, -decimal.exponent);
    }
    double result = (double)(value / (long double)unit->denominator);
    if (!isfinite(result)) {
        return UNITS_ERR_RANGE;
    }
    *real = decimal.negative ? -result : result;
    return UNITS_OK;
}

static const struct unit *find_unit(enum units_kind kind, const char *name, size_t length)
{
    /* Two lists, each ended by NULL: the proper names, then the aliases. */
    const struct unit *unit = kinds[kind].units;
    for (int list = 0; list < 2; list++, unit++) {
        for (; unit->name != NULL; unit++) {
            if (strlen(unit->name) == length && memcmp(unit->name, name, length) == 0) {
                return unit;
            }
        }
    }
    return NULL;
}

static bool is_real(enum units_kind kind)
{
    return kind == UNITS_FACTOR || kind == UNITS_SHARE || kind == UNITS_RATE;
}

int units_is_plain(enum units_kind kind)
{
    return kind == UNITS_COUNT || kind == UNITS_FACTOR || kind == UNITS_SHARE;
}

/* The unit behind the number: the kind's own, or none where the number is 0. */
static const struct unit *read_unit(enum units_kind kind, const char *at, bool zero)
{
    static const struct unit one = {"", 1, 1};
    while (*at == ' ') {
        at++;
    }
    size_t length = strlen(at);
    while (length > 0 && at[length - 1] == ' ') {
        length--;
    }
    if (length == 0 && zero) {
        return &one;
    }
    return find_unit(kind, at, length);
}

enum units_err units_parse(enum units_kind kind, const char *text, struct units_value *value)
{
    CHECK(kind < UNITS_KIND_COUNT);
    while (*text == ' ') {
        text++;
    }
    struct decimal decimal;
    const char *at = read_decimal(text, &decimal);
    if (at == NULL) {
        return UNITS_ERR_NUMBER;
    }
    const struct unit *unit = read_unit(kind, at, decimal.digits == 0);
    if (unit == NULL) {
        return UNITS_ERR_UNIT;
    }
    if (decimal.negative && decimal.digits != 0 && kind != UNITS_SIGNED_DURATION) {
        return UNITS_ERR_NEGATIVE;
    }
    struct units_value result = {0};
    enum units_err err = nearest_real(decimal, unit, &result.real);
    if (err == UNITS_OK && is_real(kind)) {
        result.whole = result.real < 9e18 ? (uint64_t)result.real : UINT64_MAX;
    } else if (err == UNITS_OK) {
        err = exact_whole(decimal, unit, &result.whole);
    }
    if (err == UNITS_OK && kind == UNITS_SIGNED_DURATION) {
        if (result.whole > INT64_MAX) {
            return UNITS_ERR_RANGE;
        }
        result.whole = decimal.negative ? 0 - result.whole : result.whole;
    }
    if (err == UNITS_OK) {
        *value = result;
    }
    return err;
}

/* Whether `whole` has at most three decimals when written in `unit`. */
static bool is_short(uint64_t whole, const struct unit *unit)
{
    return unit->numerator <= whole && (unsigned __int128)whole * 1000 % unit->numerator == 0;
}

static void format_whole(uint64_t whole, const struct unit *units, bool negative, char *buffer,
                         size_t size)
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (is_short(whole, unit)) {
            best = unit;
        }
    }
    uint64_t thousandths =
        (uint64_t)((unsigned __int128)(whole % best->numerator) * 1000 / best->numerator);
    char decimals[8] = "";
    if (thousandths > 0) {
        snprintf(decimals, sizeof decimals, ".%03u", (unsigned)thousandths);
        for (size_t last = 3; decimals[last] == '0'; last--) {
            decimals[last] = '\0';
        }
    }
    bool blank = strlen(best->name) > 0 && units != units_count;
    snprintf(buffer, size, "%s%llu%s%s%s", negative ? "-" : "",
             (unsigned long long)(whole / best->numerator), decimals, blank ? " " : "", best->name);
}

static void format_real(enum units_kind kind, double real, int digits, char *buffer, size_t size)
{
    const char *unit = "";
    if (kind == UNITS_SHARE) {
        real *= 100.0;
        unit = "%";
    } else if (kind == UNITS_RATE) {
        unit = real >= 1e6 ? "M/s" : real >= 1e3 ? "k/s" : "/s";
        real = real >= 1e6 ? real / 1e6 : real >= 1e3 ? real / 1e3 : real;
    }
    snprintf(buffer, size, "%.*g%s", digits, real, unit);
}

const char *units_format(enum units_kind kind, struct units_value value, char *buffer, size_t size)
{
    CHECK(kind < UNITS_KIND_COUNT);
    CHECK(size >= 32);
    if (is_real(kind)) {
        /* As few digits as give it back, if any do: a share times 100 may round. */
        bool same = false;
        for (int digits = 6; digits <= 17 && !same; digits++) {
            struct units_value back;
            format_real(kind, value.real, digits, buffer, size);
            CHECK(units_parse(kind, buffer, &back) == UNITS_OK);
            same = back.real == value.real;
        }
        if (!same) {
            snprintf(buffer, size, "%.17g%s", value.real, kind == UNITS_RATE ? "/s" : "");
        }
    } else if (kind == UNITS_SIGNED_DURATION && value.whole > INT64_MAX) {
        format_whole(0 - value.whole, units_duration, true, buffer, size);
    } else if (value.whole == 0) {
        snprintf(buffer, size, "0");
    } else {
        format_whole(value.whole, kinds[kind].units, false, buffer, size);
    }
    return buffer;
}

const char *units_noun(enum units_kind kind)
{
    CHECK(kind < UNITS_KIND_COUNT);
    return kinds[kind].noun;
}

const char *units_example(enum units_kind kind)
{
    CHECK(kind < UNITS_KIND_COUNT);
    return kinds[kind].example;
}

const char *units_pattern(enum units_kind kind)
{
    CHECK(kind < UNITS_KIND_COUNT);
    return kinds[kind].pattern;
}
