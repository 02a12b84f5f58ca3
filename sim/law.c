#include "sim/law.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "sim/check.h"
#include "sim/special.h"
#include "sim/stat.h"

#define SIGMA_MAX 5.0
#define SHAPE_MIN 0.05
#define SHAPE_MAX 1e4
#define WEIBULL_SHAPE_MIN 0.2
#define PARETO_SHAPE_MIN 1.05 /* Without a cap. */
#define SOLVE_STEPS_MAX 200

/* ---- Validation ---- */

static bool positive(double x)
{
    return x > 0.0 && x <= DIST_VALUE_MAX;
}

static bool not_negative(double x)
{
    return x >= 0.0 && x <= DIST_VALUE_MAX;
}

static enum dist_err shape_validate(const struct dist_spec *spec)
{
    double least = SHAPE_MIN;
    if (spec->law == DIST_WEIBULL) {
        least = WEIBULL_SHAPE_MIN;
    } else if (spec->law == DIST_PARETO && spec->cap == 0.0) {
        least = PARETO_SHAPE_MIN;
    }
    return spec->shape >= least && spec->shape <= SHAPE_MAX ? DIST_OK : DIST_ERR_SHAPE;
}

static enum dist_err points_validate(const struct dist_spec *spec)
{
    const double *values = spec->point_values;
    const double *cumulatives = spec->point_cumulatives;
    const uint32_t count = spec->point_count;
    if (count == 0 || count > DIST_POINTS_MAX || values == NULL || cumulatives == NULL) {
        return DIST_ERR_POINTS;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!not_negative(values[i]) || !(cumulatives[i] >= 0.0 && isfinite(cumulatives[i]))) {
            return DIST_ERR_POINTS;
        }
        if (i > 0 && (values[i] < values[i - 1] || cumulatives[i] < cumulatives[i - 1])) {
            return DIST_ERR_POINTS;
        }
    }
    return cumulatives[count - 1] > 0.0 ? DIST_OK : DIST_ERR_POINTS;
}

static enum dist_err shift_validate(const struct dist_spec *spec)
{
    if (!not_negative(spec->shift)) {
        return DIST_ERR_SHIFT;
    }
    if (spec->cap != 0.0 && !(positive(spec->cap) && spec->cap >= spec->shift)) {
        return DIST_ERR_CAP;
    }
    return DIST_OK;
}

static enum dist_err simple_validate(const struct dist_spec *spec)
{
    const enum dist_err shift = shift_validate(spec);
    if (shift != DIST_OK) {
        return shift;
    }
    const bool sigma_holds = spec->sigma >= 0.0 && spec->sigma <= SIGMA_MAX;
    switch (spec->law) {
    case DIST_CONSTANT:
        return not_negative(spec->mean) ? DIST_OK : DIST_ERR_MEAN;
    case DIST_EXPONENTIAL:
        return positive(spec->mean) ? DIST_OK : DIST_ERR_MEAN;
    case DIST_UNIFORM:
        return not_negative(spec->low) && not_negative(spec->high) && spec->low <= spec->high
                   ? DIST_OK
                   : DIST_ERR_RANGE;
    case DIST_LOGNORMAL_MEDIAN:
        return !positive(spec->median) ? DIST_ERR_MEDIAN : sigma_holds ? DIST_OK : DIST_ERR_SIGMA;
    case DIST_LOGNORMAL_MEAN:
        return !positive(spec->mean) ? DIST_ERR_MEAN : sigma_holds ? DIST_OK : DIST_ERR_SIGMA;
    case DIST_GAMMA:
        return !positive(spec->mean) ? DIST_ERR_MEAN : shape_validate(spec);
    case DIST_PARETO:
    case DIST_WEIBULL:
        return !positive(spec->scale) ? DIST_ERR_SCALE : shape_validate(spec);
    case DIST_EMPIRICAL:
        return points_validate(spec);
    case DIST_MIXTURE:
    case DIST_LAW_COUNT:
        break;
    }
    return DIST_ERR_LAW;
}

enum dist_err law_validate(const struct dist_spec *spec)
{
    CHECK(spec != NULL);
    if (spec->law != DIST_MIXTURE) {
        return simple_validate(spec);
    }
    if (spec->part_count == 0 || spec->part_count > DIST_PARTS_MAX || spec->parts == NULL ||
        spec->weights == NULL) {
        return DIST_ERR_PARTS;
    }
    double total = 0.0;
    for (uint32_t i = 0; i < spec->part_count; i++) {
        if (!(spec->weights[i] >= 0.0 && isfinite(spec->weights[i])) ||
            spec->parts[i].law == DIST_MIXTURE) {
            return DIST_ERR_PARTS;
        }
        const enum dist_err part = simple_validate(&spec->parts[i]);
        if (part != DIST_OK) {
            return part;
        }
        total += spec->weights[i];
    }
    return total > 0.0 && isfinite(total) ? shift_validate(spec) : DIST_ERR_PARTS;
}

/* ---- Gamma ---- */

static double gamma_tail(double shape, enum law_end end, double x)
{
    return end == LAW_LOW ? special_gamma_low(shape, x) : special_gamma_high(shape, x);
}

/* A first guess at log x: near 0 by the leading term of DLMF 8.7.1, else by Wilson and Hilferty. */
static double gamma_guess(double shape, enum law_end end, double tail)
{
    const double z = (end == LAW_LOW ? 1.0 : -1.0) * stat_normal_quantile(tail);
    const double root = 1.0 - 1.0 / (9.0 * shape) + z / (3.0 * sqrt(shape));
    const double low = end == LAW_LOW ? tail : 1.0 - tail;
    const double small = (log(low) + lgamma(shape + 1.0)) / shape;
    if (small < -3.0 || root < 0.1) {
        return small < 4.0 ? small : 4.0;
    }
    return log(shape) + 3.0 * log(root);
}

/* Newton on log tail(exp y) = log tail, which is concave and nearly straight in y, kept between
 * bounds that bisect when it leaves them. Unit scale. */
static double gamma_quantile(double shape, enum law_end end, double tail)
{
    if (tail == 0.0) {
        return end == LAW_LOW ? 0.0 : DIST_VALUE_MAX;
    }
    double low = -700.0;
    double high = 20.0;
    double y = fmin(fmax(gamma_guess(shape, end, tail), low), high);
    const double target = log(tail);
    for (int step = 0; step < SOLVE_STEPS_MAX; step++) {
        const double x = exp(y);
        const double reached = gamma_tail(shape, end, x);
        const double gap = log(reached) - target;
        if ((gap > 0.0) == (end == LAW_LOW)) {
            high = y;
        } else {
            low = y;
        }
        const double density = exp(shape * y - x - lgamma(shape)); /* of y. */
        const double slope = (end == LAW_LOW ? 1.0 : -1.0) * density / reached;
        double next = y - gap / slope;
        if (!(next >= low && next <= high)) {
            next = 0.5 * (low + high);
        }
        if (fabs(next - y) <= 1e-13 * fmax(1.0, fabs(y))) {
            return exp(next);
        }
        y = next;
    }
    return exp(y);
}

/* ---- Empirical ---- */

static double empirical_quantile(const struct dist_spec *spec, enum law_end end, double tail)
{
    const double *cumulatives = spec->point_cumulatives;
    const double total = cumulatives[spec->point_count - 1];
    const double target = end == LAW_LOW ? tail * total : total - tail * total;
    uint32_t low = 0; /* The first point whose cumulative reaches the target. */
    uint32_t high = spec->point_count - 1;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (cumulatives[middle] >= target) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low == 0) {
        return spec->point_values[0];
    }
    const double before = cumulatives[low - 1];
    const double share = (target - before) / (cumulatives[low] - before);
    const double from = spec->point_values[low - 1];
    return from + (spec->point_values[low] - from) * share;
}

static double empirical_tail(const struct dist_spec *spec, enum law_end end, double x)
{
    const double *values = spec->point_values;
    const double total = spec->point_cumulatives[spec->point_count - 1];
    uint32_t low = 0; /* How many points lie at or below x. */
    uint32_t high = spec->point_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (values[middle] <= x) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    double below = 0.0;
    if (low == spec->point_count) {
        below = total;
    } else if (low > 0) {
        const double share = (x - values[low - 1]) / (values[low] - values[low - 1]);
        const double from = spec->point_cumulatives[low - 1];
        below = from + (spec->point_cumulatives[low] - from) * share;
    }
    return (end == LAW_LOW ? below : total - below) / total;
}

/* ---- One law: quantile and tail of Y, before shift and cap ---- */

static double lognormal_log_median(const struct dist_spec *spec)
{
    return spec->law == DIST_LOGNORMAL_MEDIAN ? log(spec->median)
                                              : log(spec->mean) - 0.5 * spec->sigma * spec->sigma;
}

static double lognormal_quantile(const struct dist_spec *spec, enum law_end end, double tail)
{
    if (spec->sigma == 0.0) {
        return exp(lognormal_log_median(spec));
    }
    if (tail == 0.0) {
        return end == LAW_LOW ? 0.0 : DIST_VALUE_MAX;
    }
    const double z = (end == LAW_LOW ? 1.0 : -1.0) * stat_normal_quantile(tail);
    return exp(lognormal_log_median(spec) + spec->sigma * z);
}

/* -ln P(X > x) of the exponential with mean 1, at the given tail. */
static double exponential_quantile(enum law_end end, double tail)
{
    return end == LAW_LOW ? -log1p(-tail) : -log(tail);
}

static double pure_quantile(const struct dist_spec *spec, enum law_end end, double tail)
{
    switch (spec->law) {
    case DIST_CONSTANT:
        return spec->mean;
    case DIST_EXPONENTIAL:
        return spec->mean * exponential_quantile(end, tail);
    case DIST_UNIFORM:
        return end == LAW_LOW ? spec->low + (spec->high - spec->low) * tail
                              : spec->high - (spec->high - spec->low) * tail;
    case DIST_LOGNORMAL_MEDIAN:
    case DIST_LOGNORMAL_MEAN:
        return lognormal_quantile(spec, end, tail);
    case DIST_GAMMA:
        return spec->mean / spec->shape * gamma_quantile(spec->shape, end, tail);
    case DIST_PARETO:
        return spec->scale * exp(exponential_quantile(end, tail) / spec->shape);
    case DIST_WEIBULL:
        return spec->scale * pow(exponential_quantile(end, tail), 1.0 / spec->shape);
    case DIST_EMPIRICAL:
        return empirical_quantile(spec, end, tail);
    case DIST_MIXTURE:
    case DIST_LAW_COUNT:
        break;
    }
    CHECK(spec->law < DIST_MIXTURE); /* Fails: all those returned above. */
    return 0.0;
}

/* Of an exponential with mean 1. */
static double exponential_tail(enum law_end end, double x)
{
    return end == LAW_LOW ? -expm1(-x) : exp(-x);
}

static double lognormal_tail(const struct dist_spec *spec, enum law_end end, double x)
{
    const double gap = log(x) - lognormal_log_median(spec);
    if (spec->sigma == 0.0) {
        return (gap >= 0.0) == (end == LAW_LOW) ? 1.0 : 0.0;
    }
    return stat_normal_cdf((end == LAW_LOW ? gap : -gap) / spec->sigma);
}

static double pure_tail(const struct dist_spec *spec, enum law_end end, double x)
{
    const double nothing_below = end == LAW_LOW ? 0.0 : 1.0;
    switch (spec->law) {
    case DIST_CONSTANT:
        return x < spec->mean ? nothing_below : 1.0 - nothing_below;
    case DIST_UNIFORM:
        if (x < spec->low || x >= spec->high) {
            return x < spec->low ? nothing_below : 1.0 - nothing_below;
        }
        return (end == LAW_LOW ? x - spec->low : spec->high - x) / (spec->high - spec->low);
    case DIST_EMPIRICAL:
        return empirical_tail(spec, end, x);
    default:
        break;
    }
    if (x <= 0.0) {
        return nothing_below;
    }
    switch (spec->law) {
    case DIST_EXPONENTIAL:
        return exponential_tail(end, x / spec->mean);
    case DIST_LOGNORMAL_MEDIAN:
    case DIST_LOGNORMAL_MEAN:
        return lognormal_tail(spec, end, x);
    case DIST_GAMMA:
        return gamma_tail(spec->shape, end, x / spec->mean * spec->shape);
    case DIST_PARETO:
        return x < spec->scale ? nothing_below
                               : exponential_tail(end, spec->shape * log(x / spec->scale));
    case DIST_WEIBULL:
        return exponential_tail(end, pow(x / spec->scale, spec->shape));
    default:
        break;
    }
    CHECK(spec->law < DIST_MIXTURE); /* Fails: all those returned above. */
    return 0.0;
}

/* ---- Shift and cap ---- */

static double shifted(const struct dist_spec *spec, double y)
{
    const double cap = spec->cap > 0.0 ? spec->cap : DIST_VALUE_MAX;
    return fmin(spec->shift + y, cap);
}

static bool capped(const struct dist_spec *spec, double x)
{
    return x >= (spec->cap > 0.0 ? spec->cap : DIST_VALUE_MAX);
}

static double simple_quantile(const struct dist_spec *spec, enum law_end end, double tail)
{
    return shifted(spec, pure_quantile(spec, end, tail));
}

static double simple_tail(const struct dist_spec *spec, enum law_end end, double x)
{
    if (capped(spec, x)) {
        return end == LAW_LOW ? 1.0 : 0.0;
    }
    return pure_tail(spec, end, x - spec->shift);
}

/* ---- Mixture ---- */

static double mixture_tail(const struct dist_spec *spec, enum law_end end, double x)
{
    double sum = 0.0;
    double total = 0.0;
    for (uint32_t i = 0; i < spec->part_count; i++) {
        if (spec->weights[i] > 0.0) {
            sum += spec->weights[i] * simple_tail(&spec->parts[i], end, x);
            total += spec->weights[i];
        }
    }
    return sum / total;
}

/* Above 0 where x lies below the quantile. */
static double mixture_gap(const struct dist_spec *spec, enum law_end end, double tail, double x)
{
    const double reached = mixture_tail(spec, end, x);
    return end == LAW_LOW ? tail - reached : reached - tail;
}

/* The mixture's quantile lies between its parts' quantiles at the same tail. There: false position
 * as Illinois has it, with a bisection every third step for what jumps. */
static double mixture_quantile(const struct dist_spec *spec, enum law_end end, double tail)
{
    double low = INFINITY;
    double high = 0.0;
    for (uint32_t i = 0; i < spec->part_count; i++) {
        if (spec->weights[i] > 0.0) {
            const double x = simple_quantile(&spec->parts[i], end, tail);
            low = fmin(low, x);
            high = fmax(high, x);
        }
    }
    double low_gap = mixture_gap(spec, end, tail, low);
    double high_gap = mixture_gap(spec, end, tail, high);
    if (low_gap <= 0.0 || tail == 0.0) {
        return end == LAW_LOW ? low : low_gap <= 0.0 ? low : high;
    }
    if (high_gap > 0.0) { /* By rounding only. */
        return high;
    }
    for (int step = 0; step < SOLVE_STEPS_MAX && high - low > 1e-13 * high; step++) {
        double x = 0.5 * (low + high);
        if (step % 3 != 2 && low_gap > high_gap) {
            const double secant = low + (high - low) * low_gap / (low_gap - high_gap);
            x = secant > low && secant < high ? secant : x;
        }
        const double gap = mixture_gap(spec, end, tail, x);
        if (gap > 0.0) {
            low = x;
            low_gap = gap;
            high_gap *= 0.5;
        } else {
            high = x;
            high_gap = gap;
            low_gap *= 0.5;
        }
    }
    return high;
}

double law_quantile(const struct dist_spec *spec, enum law_end end, double tail)
{
    CHECK(tail >= 0.0 && tail < 1.0);
    if (spec->law == DIST_MIXTURE) {
        return shifted(spec, mixture_quantile(spec, end, tail));
    }
    return simple_quantile(spec, end, tail);
}

double law_tail(const struct dist_spec *spec, enum law_end end, double x)
{
    if (spec->law != DIST_MIXTURE) {
        return simple_tail(spec, end, x);
    }
    if (capped(spec, x)) {
        return end == LAW_LOW ? 1.0 : 0.0;
    }
    return mixture_tail(spec, end, x - spec->shift);
}
