#include "models/growth.h"

#include <math.h>

#define INTERVALS_MIN 4u
#define INTERVALS_GOOD 10u  /* Fewer in the second half: all of the measured time is taken. */
#define ERRORS 3.0          /* The slope in its standard errors. */
#define SHARE 0.002         /* ... and of the rate sent. */
#define CORRELATION_MAX 0.8 /* What grows is itself a random walk: not to be excused by that. */
#define LITTLE_FACTOR 2.0
#define LITTLE_DEVIATIONS 4.0
#define FEW 10.0

struct span {
    uint32_t first; /* Intervals [first, end). */
    uint32_t end;
};

static struct span span_between(const struct result *result, uint64_t from_ns)
{
    uint64_t interval_ns = result->interval_ns;
    uint64_t first = (from_ns + interval_ns - 1) / interval_ns;
    uint64_t end = result->until_ns / interval_ns;
    end = end < result->interval_count ? end : result->interval_count;
    return (struct span){(uint32_t)(first < end ? first : end), (uint32_t)end};
}

/* Unfinished at the end of interval `until - 1`. */
static double unfinished_at(const struct result *result, uint32_t until)
{
    double seconds = (double)result->interval_ns * 1e-9;
    double sum = 0;
    for (uint32_t i = 0; i < until; i++) {
        sum += ((double)result->sent_per_s[i] - (double)result->acked_per_s[i]) * seconds;
    }
    return sum;
}

/* Least squares. The error is that of independent residuals, times what a correlation of `r` from
 * one to the next does to it: sqrt((1 + r) / (1 - r)). */
static void regress(const struct result *result, struct span span, struct growth *growth)
{
    double seconds = (double)result->interval_ns * 1e-9;
    double count = span.end - span.first;
    double start = unfinished_at(result, span.first);
    double mean_x = (count + 1) / 2 * seconds;
    double mean_y = 0;
    double xx = 0;
    double xy = 0;
    double y = start;
    for (uint32_t i = span.first; i < span.end; i++) {
        double x = (i - span.first + 1) * seconds;
        y += ((double)result->sent_per_s[i] - (double)result->acked_per_s[i]) * seconds;
        mean_y += y / count;
        xx += (x - mean_x) * (x - mean_x);
        xy += (x - mean_x) * y;
    }
    double slope = xy / xx;
    double squares = 0;
    double products = 0;
    double before = 0;
    y = start;
    for (uint32_t i = span.first; i < span.end; i++) {
        double x = (i - span.first + 1) * seconds;
        y += ((double)result->sent_per_s[i] - (double)result->acked_per_s[i]) * seconds;
        double residual = y - mean_y - slope * (x - mean_x);
        squares += residual * residual;
        products += residual * before;
        before = residual;
    }
    double correlation = squares > 0 ? products / squares : 0;
    correlation = fmin(fmax(correlation, 0), CORRELATION_MAX);
    growth->slope_per_s = slope;
    growth->error_per_s = sqrt(squares / (count - 2) / xx * (1 + correlation) / (1 - correlation));
    growth->unfinished = y;
    growth->known = true;
}

struct growth growth_measure(const struct result *result)
{
    struct growth growth = {0};
    if (result->interval_ns == 0) {
        return growth;
    }
    uint64_t middle_ns = result->from_ns + (result->until_ns - result->from_ns) / 2;
    struct span span = span_between(result, middle_ns);
    if (span.end - span.first < INTERVALS_GOOD) {
        span = span_between(result, result->from_ns);
    }
    uint32_t count = span.end - span.first;
    for (uint32_t i = span.first; i < span.end; i++) {
        growth.sent_per_s += (double)result->sent_per_s[i] / count;
        growth.acked_per_s_max = fmax(growth.acked_per_s_max, (double)result->acked_per_s[i]);
    }
    if (count >= INTERVALS_MIN) {
        regress(result, span, &growth);
    }
    return growth;
}

bool growth_is_overload(const struct growth *growth, double ack_s, const struct result *result)
{
    double under_way = LITTLE_FACTOR * growth->acked_per_s_max * ack_s;
    double explained = under_way + LITTLE_DEVIATIONS * sqrt(under_way) + FEW;
    bool grows = growth->known && growth->slope_per_s > ERRORS * growth->error_per_s &&
                 growth->slope_per_s > SHARE * growth->sent_per_s && growth->unfinished > explained;
    bool faults = result->plan->fault_count > 0 || result->plan->random_fault_count > 0;
    bool worked_off = faults && !result->partial && result->plan->run.drain_ns > 0 &&
                      (double)result->unfinished <= explained;
    return grows && !worked_off;
}
