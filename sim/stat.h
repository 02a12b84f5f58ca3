/* Statistics of runs: what changes over time, when a run has warmed up, and how sure a mean is.
 *
 * Nothing here is on the hot path except series_add(). Series hold integers, so that those of
 * several threads add up to the same bits in any order; estimates are doubles computed from them in
 * a fixed order.
 */
#ifndef SIM_STAT_H
#define SIM_STAT_H

#include <stdint.h>

/* ---------------------------------------------------------------------------------------------
 * Time series: [k * interval, (k + 1) * interval) -> how many values, their sum, the greatest. */

struct series_cell {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
};

/* Read freely; write only through the functions below. */
struct series {
    uint64_t interval_ns;
    uint64_t start_ns;
    struct series_cell *cells; /* Borrowed from the owner. */
    uint32_t cell_count;
    uint32_t used_count; /* One above the last cell that holds a value. */
    uint64_t outside;    /* Values before the start or after the last cell: counted, not kept. */
};

/* `cells` must outlive `series`; it needs no clearing. interval_ns and cell_count above 0. */
void series_init(struct series *series, uint64_t start_ns, uint64_t interval_ns,
                 struct series_cell *cells, uint32_t cell_count);

/* Adds `value` to the interval that holds `time_ns`. */
void series_add(struct series *series, uint64_t time_ns, uint64_t value);

/* Adds what `from` holds to `into`; both of the same start, interval and number of cells. */
void series_merge(struct series *into, const struct series *from);

/* Start of cell `index`, ns. */
uint64_t series_time_ns(const struct series *series, uint32_t index);

/* The cells' means (0 where a cell is empty) into `means`, at most `count_max`. Returns how many.
 */
uint32_t series_means(const struct series *series, double *means, uint32_t count_max);

/* ---------------------------------------------------------------------------------------------
 * Estimates */

/* mean +- half_width encloses the true mean with the asked confidence. half_width is INFINITY for
 * fewer than two values. */
struct stat_estimate {
    double mean;
    double half_width;
    double deviation; /* Of a single value (or batch mean), n - 1 in the denominator. */
    uint32_t count;   /* Values or batches. */
};

/* Values are independent (one per replication): Student's t with count - 1 degrees of freedom.
 * confidence in (0, 1). count > 0. */
struct stat_estimate stat_mean(const double *values, uint32_t count, double confidence);

/* Of the differences a[i] - b[i]: two designs under common random numbers. */
struct stat_estimate stat_paired(const double *a, const double *b, uint32_t count,
                                 double confidence);

/* Successive values of one run, dependent: cut into `batch_count` (2 to STAT_BATCHES_MAX, at most
 * `count`) batches of equal length, the oldest count % batch_count values left out, whose means are
 * taken as independent. Law and Kelton, Simulation Modeling and Analysis, sec. 9.5.3. */
#define STAT_BATCHES_MAX 1024u
struct stat_estimate stat_batch_means(const double *values, uint32_t count, uint32_t batch_count,
                                      double confidence);

/* Correlation of successive values, -1 to 1; 0 for fewer than three. Batches are long enough
 * when that of their means is near 0. */
double stat_correlation(const double *values, uint32_t count);

/* How many of the first values are warm-up, by MSER-5: White, "An effective truncation heuristic
 * for bias reduction in simulation output", Simulation 69:6 (1997). Means of 5 successive values;
 * the cut d minimises (sample variance of what is left) / (number left), over the first half. A
 * multiple of 5. A result at the half (`*settled` false) says that the run never settled: too
 * short, or overloaded. `settled` may be NULL. */
uint32_t stat_warmup(const double *values, uint32_t count, _Bool *settled);

/* x with P(T <= x) = p, p in (0, 1), for Student's t with `freedom` > 0 degrees; by inversion of
 * the incomplete beta function (DLMF 8.17), to 1e-9 relative; above 1e7 degrees the normal law. */
double stat_student_quantile(double p, double freedom);

/* x with P(Z <= x) = p, p in (0, 1), standard normal; Wichura, AS 241, to 1e-15 relative. */
double stat_normal_quantile(double p);

/* Distribution functions: P(T <= x), P(Z <= x). */
double stat_student_cdf(double x, double freedom);
double stat_normal_cdf(double x);

#endif
