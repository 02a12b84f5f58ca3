#include "sim/special.h"

#include <math.h>

#include "sim/check.h"

#define STEPS_MAX 20000
#define PRECISION 1e-16
#define TINY 1e-300

/* x^a e^-x / Gamma(a + 1). */
static double gamma_front(double a, double x)
{
    return exp(a * log(x) - x - lgamma(a + 1.0));
}

/* DLMF 8.7.1: P(a, x) = front * sum x^k / ((a+1)...(a+k)). Converges fast for x < a + 1. */
static double gamma_series(double a, double x)
{
    double term = 1.0;
    double sum = 1.0;
    for (int k = 1; k < STEPS_MAX && term > PRECISION * sum; k++) {
        term *= x / (a + k);
        sum += term;
    }
    return sum * gamma_front(a, x);
}

/* DLMF 8.9.2, even part, by Lentz's method: Q(a, x). Converges fast for x >= a + 1. */
static double gamma_fraction(double a, double x)
{
    double b = x + 1.0 - a;
    double c = 1.0 / TINY;
    double d = 1.0 / b;
    double product = d;
    for (int i = 1; i < STEPS_MAX; i++) {
        const double numerator = -i * (i - a);
        b += 2.0;
        d = numerator * d + b;
        c = b + numerator / c;
        d = 1.0 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        product *= d * c;
        if (fabs(d * c - 1.0) < 4.0 * PRECISION) {
            break;
        }
    }
    return a * gamma_front(a, x) * product;
}

double special_gamma_low(double a, double x)
{
    CHECK(a > 0.0 && a <= 1e5);
    CHECK(x >= 0.0);
    if (x == 0.0) {
        return 0.0;
    }
    return x < a + 1.0 ? gamma_series(a, x) : 1.0 - gamma_fraction(a, x);
}

double special_gamma_high(double a, double x)
{
    CHECK(a > 0.0 && a <= 1e5);
    CHECK(x >= 0.0);
    if (x == 0.0) {
        return 1.0;
    }
    return x < a + 1.0 ? 1.0 - gamma_series(a, x) : gamma_fraction(a, x);
}

/* DLMF 8.17.22 by Lentz's method; for x below the mean, (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1.0;
    double d = 1.0 - (a + b) * x / (a + 1.0);
    d = 1.0 / (fabs(d) < TINY ? TINY : d);
    double product = d;
    for (int m = 1; m < STEPS_MAX; m++) {
        const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 + even * d;
        c = 1.0 + even / c;
        d = 1.0 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        product *= d * c;
        d = 1.0 + odd * d;
        c = 1.0 + odd / c;
        d = 1.0 / (fabs(d) < TINY ? TINY : d);
        c = fabs(c) < TINY ? TINY : c;
        product *= d * c;
        if (fabs(d * c - 1.0) < 4.0 * PRECISION) {
            break;
        }
    }
    return product;
}

double special_beta(double a, double b, double x)
{
    CHECK(a > 0.0);
    CHECK(b > 0.0);
    CHECK(x >= 0.0 && x <= 1.0);
    if (x == 0.0 || x == 1.0) {
        return x;
    }
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1.0) / (a + b + 2.0)) {
        return front * beta_fraction(a, b, x) / a;
    }
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}
