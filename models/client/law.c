#include "models/client/law.h"

#include "models/core/check.h"

void law_init(struct dist *dist, const struct plan_law *law, double factor)
{
    struct dist_spec spec = {.shift = law->floor * factor, .cap = law->max * factor};
    bool constant = law->mean <= law->floor;
    switch (constant ? PLAN_LAW_CONSTANT : law->kind) {
    case PLAN_LAW_CONSTANT:
        spec = (struct dist_spec){.law = DIST_CONSTANT, .mean = law->mean * factor};
        break;
    case PLAN_LAW_UNIFORM:
        spec.law = DIST_UNIFORM;
        spec.high = 2 * (law->mean - law->floor) * factor;
        break;
    case PLAN_LAW_EXPONENTIAL:
        spec.law = DIST_EXPONENTIAL;
        spec.mean = (law->mean - law->floor) * factor;
        break;
    case PLAN_LAW_LOGNORMAL:
        spec.law = DIST_LOGNORMAL_MEDIAN;
        spec.median = (law->median - law->floor) * factor;
        spec.sigma = law->sigma;
        break;
    }
    CHECK(dist_init(dist, &spec) == DIST_OK);
}
