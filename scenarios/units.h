/* Units: "50M", "3.5M/s", "200 B", "16 KiB", "150 us", "1 Gbps", "14%" into SI, and back.
 *
 * Arithmetic is exact: "0.3 ms" is 300000 ns and never 299999. What has no exact value in the unit
 * of its kind ("1.5 B", "0.1 ns") is refused rather than rounded. A number without a unit is
 * accepted where the kind has none, and 0 everywhere.
 */
#ifndef SCENARIOS_UNITS_H
#define SCENARIOS_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum units_kind {
    UNITS_COUNT,           /* 50M: k, M, B (or G) and T are powers of a thousand. */
    UNITS_FACTOR,          /* 1.5: a plain number. */
    UNITS_SHARE,           /* 14% or 0.14. */
    UNITS_RATE,            /* 3.5M/s, 1M/min, 100B/day: a number a second. */
    UNITS_DURATION,        /* 150 us: nanoseconds. */
    UNITS_SIGNED_DURATION, /* -2 s. */
    UNITS_COST,            /* 1 ns/B: picoseconds a byte. */
    UNITS_BYTES,           /* 16 KiB. */
    UNITS_BYTE_RATE,       /* 60 MB/s or 1 Gbps: bytes a second. */
    UNITS_KIND_COUNT,
};

enum units_err {
    UNITS_OK = 0,
    UNITS_ERR_NUMBER = -1,   /* It does not begin with a number. */
    UNITS_ERR_UNIT = -2,     /* The unit is missing, unknown or of another kind. */
    UNITS_ERR_NEGATIVE = -3, /* Below zero where that makes no sense. */
    UNITS_ERR_RANGE = -4,    /* Too large to hold. */
    UNITS_ERR_EXACT = -5,    /* Not a whole number of the smallest unit. */
};

/* FACTOR, SHARE and RATE are in `real`; SIGNED_DURATION in `whole` as two's complement; all others
 * in `whole`. The other member then holds the nearest value, for bounds and messages. */
struct units_value {
    uint64_t whole;
    double real;
};

/* `text` is NUL-terminated, leading and trailing blanks allowed. On an error `value` has not
 * changed. */
enum units_err units_parse(enum units_kind kind, const char *text, struct units_value *value);

/* Whether the kind takes a number without a unit: COUNT, FACTOR, SHARE. */
int units_is_plain(enum units_kind kind);

/* Writes `value` as short as is exact ("1.5 ms"): units_parse() gives it back. `size` is at least
 * 32. Real values are finite and not negative. Returns `buffer`. */
const char *units_format(enum units_kind kind, struct units_value value, char *buffer, size_t size);

/* "a duration", and an example with the units that there are: for messages. */
const char *units_noun(enum units_kind kind);
const char *units_example(enum units_kind kind);

/* An ECMA regular expression that a text of this kind matches: for the schema. */
const char *units_pattern(enum units_kind kind);

#endif
