#include "sim/histogram.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "sim/check.h"
#include "sim/special.h"
#include "sim/stat.h"

#define SUB_COUNT (1u << HISTOGRAM_SUB_BITS)
#define NORMAL_VARIANCE 1e4 /* Above it the binomial law is as good as normal. */
#define ROUNDING 8e-16      /* Of a rank that was meant to be whole. */

_Static_assert(HISTOGRAM_BUCKET_COUNT == 7424, "histogram.h promises 59 KB");

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    const uint64_t sum_low = into->sum_low + from->sum_low;
    into->sum_high += from->sum_high + (sum_low < from->sum_low);
    into->sum_low = sum_low;
    into->count += from->count;
    into->max = from->max > into->max ? from->max : into->max;
    into->min_complement =
        from->min_complement > into->min_complement ? from->min_complement : into->min_complement;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        into->buckets[i] += from->buckets[i];
    }
}

/* ---- Buckets ---- */

static uint32_t bucket_shift(uint32_t index)
{
    return index < 2 * SUB_COUNT ? 0 : (index >> HISTOGRAM_SUB_BITS) - 1;
}

uint64_t histogram_bucket_low(uint32_t index)
{
    CHECK(index < HISTOGRAM_BUCKET_COUNT);
    const uint32_t shift = bucket_shift(index);
    return (uint64_t)(index - (shift << HISTOGRAM_SUB_BITS)) << shift;
}

uint64_t histogram_bucket_width(uint32_t index)
{
    CHECK(index < HISTOGRAM_BUCKET_COUNT);
    return UINT64_C(1) << bucket_shift(index);
}

/* The answer for a bucket: its midpoint, kept between the least and the greatest value. */
static uint64_t bucket_answer(const struct histogram *histogram, uint32_t index)
{
    const uint64_t middle = histogram_bucket_low(index) + histogram_bucket_width(index) / 2;
    const uint64_t least = histogram_min(histogram);
    const uint64_t kept = middle < least ? least : middle;
    return kept > histogram->max ? histogram->max : kept;
}

/* ---- Moments ---- */

uint64_t histogram_min(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : ~histogram->min_complement;
}

double histogram_mean(const struct histogram *histogram)
{
    if (histogram->count == 0) {
        return 0.0;
    }
    return ((double)histogram->sum_high * 0x1p64 + (double)histogram->sum_low) /
           (double)histogram->count;
}

double histogram_deviation(const struct histogram *histogram)
{
    if (histogram->count < 2) {
        return 0.0;
    }
    const double mean = histogram_mean(histogram);
    double square_sum = 0.0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        if (histogram->buckets[i] > 0) {
            const double gap = (double)histogram_bucket_low(i) +
                               0.5 * (double)(histogram_bucket_width(i) - 1) - mean;
            square_sum += gap * gap * (double)histogram->buckets[i];
        }
    }
    return sqrt(square_sum / ((double)histogram->count - 1.0));
}

/* ---- Quantiles ---- */

uint64_t histogram_at_rank(const struct histogram *histogram, uint64_t rank)
{
    CHECK(rank >= 1);
    CHECK(rank <= histogram->count);
    if (rank == 1) {
        return histogram_min(histogram);
    }
    if (rank == histogram->count) {
        return histogram->max;
    }
    uint64_t passed = 0;
    uint32_t index = 0;
    for (; index < HISTOGRAM_BUCKET_COUNT; index++) {
        passed += histogram->buckets[index];
        if (passed >= rank) {
            break;
        }
    }
    CHECK(index < HISTOGRAM_BUCKET_COUNT);
    return bucket_answer(histogram, index);
}

/* ceil(q * count), from 1 to count. */
static uint64_t quantile_rank(uint64_t count, double q)
{
    const double rank = ceil(q * (double)count * (1.0 - ROUNDING));
    if (rank < 1.0) {
        return 1;
    }
    return rank >= (double)count ? count : (uint64_t)rank;
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    CHECK(q >= 0.0 && q <= 1.0);
    if (histogram->count == 0) {
        return 0;
    }
    return histogram_at_rank(histogram, quantile_rank(histogram->count, q));
}

double histogram_share_within(const struct histogram *histogram, uint64_t value)
{
    if (histogram->count == 0 || value >= histogram->max) {
        return 1.0;
    }
    const uint32_t index = histogram_index(value);
    uint64_t below = 0;
    for (uint32_t i = 0; i < index; i++) {
        below += histogram->buckets[i];
    }
    const double part =
        (double)(value - histogram_bucket_low(index) + 1) / (double)histogram_bucket_width(index);
    return ((double)below + part * (double)histogram->buckets[index]) / (double)histogram->count;
}

/* ---- Confidence ---- */

/* P(at most `rank` - 1 of `count` values lie below the q-quantile) >= p: the least such rank, from
 * 1 to count + 1. The binomial law by the incomplete beta function, DLMF 8.17.5. */
static uint64_t binomial_rank(uint64_t count, double q, double p)
{
    const double n = (double)count;
    if (n * q * (1.0 - q) > NORMAL_VARIANCE) {
        const double rank =
            n * q + stat_normal_quantile(p) * sqrt(n * q * (1.0 - q)) + 0.5; /* Continuity. */
        return rank < 1.0 ? 1 : rank > n + 1.0 ? count + 1 : (uint64_t)ceil(rank);
    }
    uint64_t low = 1;
    uint64_t high = count + 1;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2; /* At most count. */
        const double within = special_beta(n - (double)middle + 1.0, (double)middle, 1.0 - q);
        if (within >= p) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

struct histogram_bounds histogram_quantile_bounds(const struct histogram *histogram, double q,
                                                  double confidence)
{
    CHECK(q >= 0.0 && q <= 1.0);
    CHECK(confidence > 0.0 && confidence < 1.0);
    struct histogram_bounds bounds = {0};
    const uint64_t count = histogram->count;
    if (count == 0) {
        return bounds;
    }
    bounds.value = histogram_quantile(histogram, q);
    bounds.low = bounds.value;
    bounds.high = bounds.value;
    if (q > 0.0 && q < 1.0) {
        const double outside = 0.5 * (1.0 - confidence);
        /* X(l) lies above the quantile when at most l - 1 lie below it: seldom enough. */
        const uint64_t low_rank = binomial_rank(count, q, outside) - 1;
        const uint64_t high_rank = binomial_rank(count, q, 1.0 - outside);
        bounds.low = histogram_at_rank(histogram, low_rank < 1 ? 1 : low_rank);
        bounds.high = histogram_at_rank(histogram, high_rank > count ? count : high_rank);
    }
    /* Of a handful of values, or at a confidence near 0, the ranks may miss the quantile's own. */
    bounds.low = bounds.low < bounds.value ? bounds.low : bounds.value;
    bounds.high = bounds.high > bounds.value ? bounds.high : bounds.value;
    return bounds;
}
