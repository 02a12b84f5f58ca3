/* The laws behind dist.h, exact: quantiles and tails of what a dist_spec describes.
 *
 * Internal to sim: dist.c builds its tables from these, tests compare tables with them. Slow (tens
 * of ns to tens of us a call), pure, and precise in both tails: a tail of 1e-12 is asked for as
 * 1e-12 from its own end, never as 1 - 1e-12.
 */
#ifndef SIM_LAW_H
#define SIM_LAW_H

#include "sim/dist.h"

enum law_end { LAW_LOW, LAW_HIGH };

/* Everything that dist_init() refuses is found here. */
enum dist_err law_validate(const struct dist_spec *spec);

/* LOW: the least x with P(X <= x) >= tail. HIGH: the least x with P(X > x) <= tail. tail in [0, 1);
 * with 0 the law's ends, at most DIST_VALUE_MAX. The spec is valid. */
double law_quantile(const struct dist_spec *spec, enum law_end end, double tail);

/* LOW: P(X <= x). HIGH: P(X > x). */
double law_tail(const struct dist_spec *spec, enum law_end end, double x);

#endif
