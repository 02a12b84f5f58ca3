/* Histogram: counts of whole numbers (ns, bytes), in buckets as fine as the numbers are large.
 *
 *     values 0 to 255       each its own bucket: exact
 *     [2^k, 2^(k+1)), k>7   128 buckets of equal width
 *
 * A bucket is at most 1/128 of its values wide, and answers are bucket midpoints: a quantile is
 * within 1/256 (0.4%) of the exact order statistic, whatever the range; 0 to 2^64 - 1 all have
 * a bucket. Count, sum, min and max are exact. The inside is integers only, so histograms merged in
 * any order are equal bit for bit. 59 KB each, of which a run touches what it uses.
 *
 * It does not know time: no windows, no decay. Keep one per interval and merge.
 */
#ifndef SIM_HISTOGRAM_H
#define SIM_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7u
#define HISTOGRAM_BUCKET_COUNT ((64u - HISTOGRAM_SUB_BITS + 1u) << HISTOGRAM_SUB_BITS)

/* All zero is an empty one. Read freely; write only through the functions below. */
struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t min_complement; /* ~min, so that all zero is empty. */
    uint64_t sum_low;        /* 128-bit sum. */
    uint64_t sum_high;
    uint64_t buckets[HISTOGRAM_BUCKET_COUNT];
};

/* A value with bounds of its confidence. */
struct histogram_bounds {
    uint64_t low;
    uint64_t value;
    uint64_t high;
};

static inline uint32_t histogram_index(uint64_t value)
{
    const unsigned top = 63u - (unsigned)__builtin_clzll(value | (1u << HISTOGRAM_SUB_BITS));
    const unsigned shift = top - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (uint32_t)(value >> shift);
}

/* Counts `value` `times` times. */
static inline void histogram_record_times(struct histogram *histogram, uint64_t value,
                                          uint64_t times)
{
    const unsigned __int128 sum = (unsigned __int128)value * times + histogram->sum_low;
    histogram->buckets[histogram_index(value)] += times;
    histogram->count += times;
    histogram->sum_low = (uint64_t)sum;
    histogram->sum_high += (uint64_t)(sum >> 64);
    if (times > 0) {
        histogram->max = value > histogram->max ? value : histogram->max;
        histogram->min_complement =
            ~value > histogram->min_complement ? ~value : histogram->min_complement;
    }
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[histogram_index(value)]++;
    histogram->count++;
    histogram->sum_low += value;
    histogram->sum_high += histogram->sum_low < value;
    histogram->max = value > histogram->max ? value : histogram->max;
    histogram->min_complement =
        ~value > histogram->min_complement ? ~value : histogram->min_complement;
}

void histogram_clear(struct histogram *histogram);

/* Adds what `from` counted to `into`. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The values that bucket `index` counts: [low, low + width). */
uint64_t histogram_bucket_low(uint32_t index);
uint64_t histogram_bucket_width(uint32_t index);

/* Exact; 0 for an empty histogram. */
uint64_t histogram_min(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);

/* Standard deviation about the exact mean, from bucket midpoints; 0 below two values. */
double histogram_deviation(const struct histogram *histogram);

/* The smallest recorded value v such that at least `q` (0 to 1) of the values are <= v, to within
 * 1/256; q = 0 is the exact minimum and q = 1 the exact maximum. 0 for an empty histogram. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);

/* The value with `rank` (1 is the least, count the greatest), to within 1/256. */
uint64_t histogram_at_rank(const struct histogram *histogram, uint64_t rank);

/* Share of the values <= `value`, 0 to 1; exact at bucket ends, linear inside. 1 when empty. */
double histogram_share_within(const struct histogram *histogram, uint64_t value);

/* The quantile and the order statistics that enclose the true one with probability `confidence`
 * (say 0.95), by the binomial law of the number of values below it (Conover, Practical
 * Nonparametric Statistics, sec. 3.2; normal approximation where count * q * (1-q) > 10^4). Exact
 * for independent values; a queue's successive waits are not, so for those prefer replications. */
struct histogram_bounds histogram_quantile_bounds(const struct histogram *histogram, double q,
                                                  double confidence);

#endif
