/* Special functions that libc lacks: the regularised incomplete gamma and beta functions.
 *
 * For building distribution tables and estimating confidence, never on the hot path. GSL has them
 * too, and is their oracle in the tests; the engine does not link it. Arguments out of range are
 * bugs and CHECKed.
 */
#ifndef SIM_SPECIAL_H
#define SIM_SPECIAL_H

/* P(a, x) and Q(a, x) = 1 - P(a, x), DLMF 8.2.4: the gamma law's two tails. a in (0, 1e5], x >= 0;
 * each to about 1e-12 relative while it is the smaller of the two. */
double special_gamma_low(double a, double x);
double special_gamma_high(double a, double x);

/* I_x(a, b), DLMF 8.17.2: the beta law's distribution function. a, b > 0, x in [0, 1]. */
double special_beta(double a, double b, double x);

#endif
