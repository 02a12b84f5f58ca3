#include "tests/formula/whole.h"

#include "models/system.h"
#include "scenarios/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

struct whole {
    struct plan plan;
    struct problems problems;
    struct result result;
};

struct whole *whole_run(const char *scenario, const char *const *sets)
{
    struct whole *whole = calloc(1, sizeof *whole);
    assert_non_null(whole);
    uint32_t count = 0;
    while (sets[count] != NULL) {
        count++;
    }
    problems_init(&whole->problems);
    assert_true(scenario_load(scenario, sets, count, &whole->plan, &whole->problems));
    const struct system_options options = {.threads = 1};
    char error[256];
    struct system *system = system_create(&whole->plan, &options, error);
    assert_non_null(system);
    system_advance(system, system_end_ns(system));
    system_result(system, &whole->result);
    system_destroy(system);
    return whole;
}

const struct result *whole_result(const struct whole *whole)
{
    return &whole->result;
}

void whole_free(struct whole *whole)
{
    result_free(&whole->result);
    free(whole);
}

static const struct result_stage *stage_of(const struct whole *whole, const char *stage)
{
    const struct result_stage *found = result_stage(&whole->result, stage);
    assert_non_null(found);
    assert_true(found->count > 0);
    return found;
}

double whole_mean_s(const struct whole *whole, const char *stage)
{
    return stage_of(whole, stage)->mean_ns.value * 1e-9;
}

double whole_median_s(const struct whole *whole, const char *stage)
{
    return stage_of(whole, stage)->quantile_ns[0].value * 1e-9;
}

double whole_count(const struct whole *whole, const char *counter)
{
    const struct result_counter *found = result_counter(&whole->result, counter);
    assert_non_null(found);
    return (double)found->measured;
}
