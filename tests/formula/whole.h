/* A whole system, small, run from a scenario and overrides: for formulas about all of it. */
#ifndef TESTS_FORMULA_WHOLE_H
#define TESTS_FORMULA_WHOLE_H

#include "models/result.h"

struct whole;

/* Loads, runs to the end and reads out; fails the test where the scenario is refused. `sets` are
 * overrides as of the command line, NULL at the end. Free it by whole_free(). */
struct whole *whole_run(const char *scenario, const char *const *sets);
const struct result *whole_result(const struct whole *whole);
void whole_free(struct whole *whole);

/* Of a stage, in seconds; fails the test where nothing was measured. */
double whole_mean_s(const struct whole *whole, const char *stage);
double whole_median_s(const struct whole *whole, const char *stage);
/* Of the measured time. */
double whole_count(const struct whole *whole, const char *counter);

#endif
