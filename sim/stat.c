#include "sim/stat.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/check.h"
#include "sim/special.h"

#define WARMUP_GROUP 5u /* The 5 of MSER-5. */
#define BISECTIONS 110  /* Of log t over some 1400: to 1e-30. */
#define NORMAL_FREEDOM 1e7

/* ---- Series ---- */

void series_init(struct series *series, uint64_t start_ns, uint64_t interval_ns,
                 struct series_cell *cells, uint32_t cell_count)
{
    CHECK(interval_ns > 0);
    CHECK(cell_count > 0);
    CHECK(cells != NULL);
    for (uint32_t i = 0; i < cell_count; i++) {
        cells[i] = (struct series_cell){0};
    }
    *series = (struct series){
        .interval_ns = interval_ns,
        .start_ns = start_ns,
        .cells = cells,
        .cell_count = cell_count,
    };
}

void series_add(struct series *series, uint64_t time_ns, uint64_t value)
{
    const uint64_t index = (time_ns - series->start_ns) / series->interval_ns;
    if (time_ns < series->start_ns || index >= series->cell_count) {
        series->outside++;
        return;
    }
    struct series_cell *cell = &series->cells[index];
    cell->count++;
    cell->sum += value;
    cell->max = value > cell->max ? value : cell->max;
    series->used_count = index >= series->used_count ? (uint32_t)index + 1 : series->used_count;
}

void series_merge(struct series *into, const struct series *from)
{
    CHECK(into->start_ns == from->start_ns);
    CHECK(into->interval_ns == from->interval_ns);
    CHECK(into->cell_count == from->cell_count);
    for (uint32_t i = 0; i < from->used_count; i++) {
        struct series_cell *cell = &into->cells[i];
        cell->count += from->cells[i].count;
        cell->sum += from->cells[i].sum;
        cell->max = from->cells[i].max > cell->max ? from->cells[i].max : cell->max;
    }
    into->used_count = from->used_count > into->used_count ? from->used_count : into->used_count;
    into->outside += from->outside;
}

uint64_t series_time_ns(const struct series *series, uint32_t index)
{
    CHECK(index < series->cell_count);
    return series->start_ns + series->interval_ns * index;
}

uint32_t series_means(const struct series *series, double *means, uint32_t count_max)
{
    const uint32_t count = series->used_count < count_max ? series->used_count : count_max;
    for (uint32_t i = 0; i < count; i++) {
        const struct series_cell *cell = &series->cells[i];
        means[i] = cell->count > 0 ? (double)cell->sum / (double)cell->count : 0.0;
    }
    return count;
}

/* ---- Estimates ---- */

static struct stat_estimate estimate_make(double mean, double square_sum, uint32_t count,
                                          double confidence)
{
    CHECK(count > 0);
    CHECK(confidence > 0.0 && confidence < 1.0);
    struct stat_estimate estimate = {.mean = mean, .half_width = INFINITY, .count = count};
    if (count > 1) {
        const double freedom = count - 1.0;
        estimate.deviation = sqrt(square_sum / freedom);
        estimate.half_width = stat_student_quantile(0.5 + 0.5 * confidence, freedom) *
                              estimate.deviation / sqrt(count);
    }
    return estimate;
}

/* Mean of a[i] - b[i]; `b` may be NULL. */
static double difference(const double *a, const double *b, uint32_t i)
{
    return b == NULL ? a[i] : a[i] - b[i];
}

static struct stat_estimate difference_estimate(const double *a, const double *b, uint32_t count,
                                                double confidence)
{
    double mean = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        mean += difference(a, b, i) / count;
    }
    double square_sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        const double gap = difference(a, b, i) - mean;
        square_sum += gap * gap;
    }
    return estimate_make(mean, square_sum, count, confidence);
}

struct stat_estimate stat_mean(const double *values, uint32_t count, double confidence)
{
    CHECK(values != NULL);
    return difference_estimate(values, NULL, count, confidence);
}

struct stat_estimate stat_paired(const double *a, const double *b, uint32_t count,
                                 double confidence)
{
    CHECK(a != NULL);
    CHECK(b != NULL);
    return difference_estimate(a, b, count, confidence);
}

static double mean_of(const double *values, uint32_t count)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        sum += values[i];
    }
    return sum / count;
}

struct stat_estimate stat_batch_means(const double *values, uint32_t count, uint32_t batch_count,
                                      double confidence)
{
    CHECK(batch_count >= 2 && batch_count <= STAT_BATCHES_MAX);
    CHECK(count >= batch_count);
    double means[STAT_BATCHES_MAX];
    const uint32_t length = count / batch_count;
    const double *first = values + count % batch_count;
    for (uint32_t i = 0; i < batch_count; i++) {
        means[i] = mean_of(first + (size_t)i * length, length);
    }
    return stat_mean(means, batch_count, confidence);
}

double stat_correlation(const double *values, uint32_t count)
{
    if (count < 3) {
        return 0.0;
    }
    const double mean = mean_of(values, count);
    double product_sum = 0.0;
    double square_sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        const double gap = values[i] - mean;
        square_sum += gap * gap;
        product_sum += i > 0 ? gap * (values[i - 1] - mean) : 0.0;
    }
    return square_sum > 0.0 ? product_sum / square_sum : 0.0;
}

/* ---- Warm-up ---- */

uint32_t stat_warmup(const double *values, uint32_t count, bool *settled)
{
    const uint32_t group_count = count / WARMUP_GROUP;
    const uint32_t half = group_count / 2;
    const double centre = count > 0 ? mean_of(values, count) : 0.0; /* For precision only. */
    double sum = 0.0;
    double square_sum = 0.0;
    double least = INFINITY;
    uint32_t cut = half;
    /* From the end: sums over what is left when the first i groups are cut. */
    for (uint32_t i = group_count; i-- > 0;) {
        const double mean = mean_of(values + (size_t)i * WARMUP_GROUP, WARMUP_GROUP) - centre;
        const double left = group_count - i;
        sum += mean;
        square_sum += mean * mean;
        const double score = fmax(square_sum - sum * sum / left, 0.0) / (left * left);
        if (i <= half && score <= least) { /* Among equals, the earliest cut. */
            least = score;
            cut = i;
        }
    }
    if (settled != NULL) {
        *settled = group_count >= 2 && cut < half;
    }
    return cut * WARMUP_GROUP;
}

/* ---- Distribution functions ---- */

double stat_normal_cdf(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752440);
}

double stat_student_cdf(double x, double freedom)
{
    CHECK(freedom > 0.0);
    if (freedom >= NORMAL_FREEDOM) {
        return stat_normal_cdf(x);
    }
    /* DLMF 8.17 with z = freedom / (freedom + x^2), from whichever end is the more precise. */
    const double square = x * x;
    const double tail =
        square < 1.0 ? 0.5 - 0.5 * special_beta(0.5, 0.5 * freedom, square / (freedom + square))
                     : 0.5 * special_beta(0.5 * freedom, 0.5, freedom / (freedom + square));
    return x < 0.0 ? tail : 1.0 - tail;
}

/* Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
 * Statistics 37:3 (1988): three rational functions, highest power first. */
static double polynomial(const double *coefficients, double x)
{
    double value = coefficients[0];
    for (int i = 1; i < 8; i++) {
        value = value * x + coefficients[i];
    }
    return value;
}

double stat_normal_quantile(double p)
{
    static const double centre_over[8] = {
        2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
        13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608};
    static const double centre_under[8] = {
        5226.495278852545925,  28729.085735721942674, 39307.89580009271061,  21213.794301586595867,
        5394.1960214247511077, 687.1870074920579083,  42.313330701600911252, 1.0};
    static const double middle_over[8] = {7.7454501427834140764e-4, .0227238449892691845833,
                                          .24178072517745061177,    1.27045825245236838258,
                                          3.64784832476320460504,   5.7694972214606914055,
                                          4.6303378461565452959,    1.42343711074968357734};
    static const double middle_under[8] = {1.05075007164441684324e-9, 5.475938084995344946e-4,
                                           .0151986665636164571966,   .14810397642748007459,
                                           .68976733498510000455,     1.6763848301838038494,
                                           2.05319162663775882187,    1.0};
    static const double far_over[8] = {2.01033439929228813265e-7, 2.71155556874348757815e-5,
                                       .0012426609473880784386,   .026532189526576123093,
                                       .29656057182850489123,     1.7848265399172913358,
                                       5.4637849111641143699,     6.6579046435011037772};
    static const double far_under[8] = {2.04426310338993978564e-15, 1.4215117583164458887e-7,
                                        1.8463183175100546818e-5,   7.868691311456132591e-4,
                                        .0148753612908506148525,    .13692988092273580531,
                                        .59983220655588793769,      1.0};
    CHECK(p > 0.0 && p < 1.0);
    const double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(centre_over, r) / polynomial(centre_under, r);
    }
    const double r = sqrt(-log(q < 0.0 ? p : 1.0 - p));
    const double z = r <= 5.0 ? polynomial(middle_over, r - 1.6) / polynomial(middle_under, r - 1.6)
                              : polynomial(far_over, r - 5.0) / polynomial(far_under, r - 5.0);
    return q < 0.0 ? -z : z;
}

double stat_student_quantile(double p, double freedom)
{
    CHECK(p > 0.0 && p < 1.0);
    CHECK(freedom > 0.0);
    if (p == 0.5) {
        return 0.0;
    }
    if (freedom >= NORMAL_FREEDOM) {
        return stat_normal_quantile(p);
    }
    const double tail = p < 0.5 ? p : 1.0 - p;
    double low = -700.0; /* Of log t. */
    double high = 350.0;
    for (int i = 0; i < BISECTIONS && high - low > 1e-15 * fabs(high); i++) {
        const double middle = 0.5 * (low + high);
        if (stat_student_cdf(-exp(middle), freedom) > tail) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return p < 0.5 ? -exp(high) : exp(high);
}
