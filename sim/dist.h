/* Distributions: any law becomes one table, and a draw is one look-up.
 *
 * A law is described by a `struct dist_spec` and built once into a `struct dist`: its quantile
 * function (inverse CDF) as straight pieces. 64 random bits choose the piece and the place in it,
 * so every law costs the same few nanoseconds, and the hot loop knows only tables.
 *
 *     u    0       2^-41 ..   1/8     1/4      1/2      3/4     7/8    .. 1-2^-41     1
 *          | atom |...| 32 pieces | 32 pieces | 32 pieces | 32 pieces |...|   atom    |
 *
 * Each halving of the distance to an end has 32 pieces, so the tails are as finely drawn as the
 * body: at p99.9999 as well as at the median a piece spans 1/32 to 1/64 of the tail behind it.
 * What lies beyond 2^-41 (4.5e-13) is an atom at its own conditional mean.
 *
 * Promises, for every u:
 *   1. monotone but for a rounding in the last bit: more bits, no smaller value; so common random
 *      numbers stay common;
 *   2. inside [dist_min, dist_max], and each piece lies inside the law's quantiles at its two ends;
 *   3. each piece has the law's own conditional mean, by quadrature, so the mean of the draws is
 *      the law's to better than 1e-6 relative (smooth laws 1e-12, empirical and mixed 1e-7). The
 *      second moment is short by what bends within a piece and by what is spread beyond 2^-41: less
 *      than 1e-5 for exponential, gamma, Weibull, lognormal up to sigma 1.5, Pareto from shape 3.2;
 *      lognormal of sigma 2.2 5e-4, of 3 3e-2; Pareto of 2.5 2e-3, and of 2 or less, which has no
 *      second moment, is finite. No run draws often enough to see the difference;
 *   4. a jump of the quantile function (two values and nothing between, as in a mixture of
 *      constants) is smeared over the one piece it falls in, at most 1/32 of the smaller side's
 *      probability; the mean stays exact.
 *
 * Values have the unit of the spec's parameters; dist_ns() is for laws in nanoseconds. Values are
 * never negative. Every law is capped at DIST_VALUE_MAX (146 years of ns), which only a Pareto of
 * shape below 1.3 notices, in its mean: give it a cap of its own.
 */
#ifndef SIM_DIST_H
#define SIM_DIST_H

#include <stdint.h>
#include <string.h>

#define DIST_OCTAVE_COUNT 41u /* The last is the atom. */
#define DIST_PIECE_BITS 5u
#define DIST_PIECE_COUNT (DIST_OCTAVE_COUNT << DIST_PIECE_BITS) /* Per half. */
#define DIST_VALUE_MAX 0x1p62
#define DIST_PARTS_MAX 16u
#define DIST_POINTS_MAX (1u << 20)

enum dist_law {
    DIST_CONSTANT,         /* mean */
    DIST_EXPONENTIAL,      /* mean */
    DIST_UNIFORM,          /* low, high */
    DIST_LOGNORMAL_MEDIAN, /* median, sigma (of the logarithm) */
    DIST_LOGNORMAL_MEAN,   /* mean, sigma (of the logarithm) */
    DIST_GAMMA,            /* mean, shape; Erlang-k is shape = k, exponential is shape = 1 */
    DIST_PARETO,           /* scale (the least value), shape; P(X > x) = (scale / x)^shape */
    DIST_WEIBULL,          /* scale, shape; P(X > x) = exp(-(x / scale)^shape) */
    DIST_EMPIRICAL,        /* point_values, point_cumulatives, point_count */
    DIST_MIXTURE,          /* parts, weights, part_count */
    DIST_LAW_COUNT
};

/* Unused fields are zero and not looked at. Everything pointed to is borrowed for the call of
 * dist_init() only. X = min(shift + Y, cap), where Y has the law: `mean`, `median` and so on are
 * of Y, before the shift. A latency is a shift (its floor) plus, say, a lognormal. */
struct dist_spec {
    enum dist_law law;
    double mean;
    double median;
    double sigma;
    double shape;
    double scale;
    double low;
    double high;
    double shift; /* >= 0. */
    double cap;   /* 0 is none; else >= shift. */
    /* EMPIRICAL: the CDF goes straight from point to point. Values do not decrease; cumulatives
     * neither, and end above 0; any scale (probabilities, or cumulated counts). The first
     * cumulative is the weight at the first value itself: 0 unless there is an atom. */
    const double *point_values;
    const double *point_cumulatives;
    uint32_t point_count;
    /* MIXTURE: any scale of weights; a part may have a shift and a cap but be no mixture. */
    const struct dist_spec *parts;
    const double *weights;
    uint32_t part_count;
};

/* The field at fault. A mixture's faulty part yields that part's code. */
enum dist_err {
    DIST_OK = 0,
    DIST_ERR_LAW = -1,
    DIST_ERR_MEAN = -2,   /* Not above 0 (constant: below 0), not finite, or above the maximum. */
    DIST_ERR_MEDIAN = -3, /* Not above 0, not finite. */
    DIST_ERR_SIGMA = -4,  /* Below 0, or above 5: beyond that no mean is within reach of a run. */
    DIST_ERR_SHAPE =
        -5, /* Outside [0.05, 1e4]; Weibull below 0.2; Pareto without cap below 1.05. */
    DIST_ERR_SCALE = -6,   /* Not above 0, not finite. */
    DIST_ERR_RANGE = -7,   /* low < 0, or high < low, or not finite. */
    DIST_ERR_SHIFT = -8,   /* Below 0, or not finite. */
    DIST_ERR_CAP = -9,     /* Below the shift, or not finite. */
    DIST_ERR_POINTS = -10, /* None, too many, decreasing, negative, or of no weight. */
    DIST_ERR_PARTS = -11,  /* None, too many, nested, or a weight below 0, or all 0. */
};

/* The piece's values are base + slope * f, f from 0 at its outer end towards 1 at its inner. */
struct dist_piece {
    double base;
    double slope;
};

/* About 42 KB, of which the first 3 KB or so of each half serve 99% of the draws. Read freely;
 * written by dist_init() only. Never changes afterwards: threads may share it. */
struct dist {
    struct dist_piece pieces[2][DIST_PIECE_COUNT]; /* [0] below the median, [1] above. */
    double mean;
    double second_moment;
    double min;
    double max;
};

/* Builds the table: 1 to 5 ms; gamma and Pareto up to 0.1 s, mixtures up to 0.5 s. On an error
 * `dist` is unchanged. */
enum dist_err dist_init(struct dist *dist, const struct dist_spec *spec);

/* The name of the field that `err` blames: "mean", "sigma", ...; "" for DIST_OK. */
const char *dist_err_field(enum dist_err err);

/* The value at u = bits / 2^64. Equal bits, equal value. */
static inline double dist_value(const struct dist *dist, uint64_t bits)
{
    const uint64_t half = bits >> 63;
    const uint64_t tail = bits ^ (0 - half); /* Distance to the nearer end, in 2^-64; < 2^63. */
    const uint64_t atom = UINT64_C(1) << (63 - DIST_OCTAVE_COUNT); /* Keeps zeros in bounds. */
    const unsigned zeros = (unsigned)__builtin_clzll(tail | atom); /* 1 to DIST_OCTAVE_COUNT. */
    const uint64_t below_lead = tail << zeros << 1;
    const uint64_t index =
        ((uint64_t)(zeros - 1) << DIST_PIECE_BITS) + (below_lead >> (64 - DIST_PIECE_BITS));
    const uint64_t one_to_two = (UINT64_C(0x3FF) << 52) | ((below_lead << DIST_PIECE_BITS) >> 12);
    double fraction;
    memcpy(&fraction, &one_to_two, sizeof fraction);
    const struct dist_piece *piece = &dist->pieces[half][index];
    return piece->base + piece->slope * (fraction - 1.0);
}

/* dist_value() rounded to the nearest whole number: unbiased for a continuous law, and never below
 * a whole-numbered floor. */
static inline uint64_t dist_ns(const struct dist *dist, uint64_t bits)
{
    return (uint64_t)(int64_t)(dist_value(dist, bits) + 0.5);
}

/* Of the table, which is what is drawn from; the law's own to the errors stated above. */
static inline double dist_mean(const struct dist *dist)
{
    return dist->mean;
}

static inline double dist_second_moment(const struct dist *dist)
{
    return dist->second_moment;
}

/* No draw lies below or above these. */
static inline double dist_min(const struct dist *dist)
{
    return dist->min;
}

static inline double dist_max(const struct dist *dist)
{
    return dist->max;
}

/* No dist_ns() lies below this: what a lookahead may count on. */
static inline uint64_t dist_min_ns(const struct dist *dist)
{
    return (uint64_t)(int64_t)(dist->min + 0.5);
}

#endif
