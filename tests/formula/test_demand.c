/* demand: what a load asks of its fleet by formula is what a run that keeps up uses, to a fifth;
 * and verdicts of real runs follow their scenario. */
#include "reports/demand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/system.h"
#include "reports/verdict.h"
#include "scenarios/load.h"

struct trial_run {
    struct plan plan;
    struct problems problems;
    struct result result;
    struct system *system;
};

static struct trial_run *run(const char *path, const char *const *sets, uint32_t set_count)
{
    struct trial_run *run = calloc(1, sizeof *run);
    char error[256] = "";
    assert_non_null(run);
    problems_init(&run->problems);
    if (!scenario_load(path, sets, set_count, &run->plan, &run->problems)) {
        problems_print(&run->problems, stderr, true);
        fail();
    }
    const struct system_options how = {.threads = 1};
    run->system = system_create(&run->plan, &how, error);
    if (run->system == NULL) {
        fail_msg("%s: %s", path, error);
    }
    system_advance(run->system, system_end_ns(run->system));
    system_result(run->system, &run->result);
    return run;
}

static void run_free(struct trial_run *run)
{
    result_free(&run->result);
    system_destroy(run->system);
    free(run);
}

/* Utilization of the plan's nodes, from those that were simulated. */
static double simulated(const struct trial_run *run, enum plan_tier tier, const char *metric)
{
    struct result_estimate estimate;
    const struct result_tier *nodes = result_tier(&run->result, plan_tier_name(tier));
    assert_true(metric_value_of(&run->result, metric, &estimate));
    return estimate.value * nodes->nodes / run->result.fraction / plan_tier_nodes(&run->plan, tier);
}

static void the_formula_meets_a_run_that_keeps_up(void **state)
{
    (void)state;
    static const struct {
        enum plan_tier tier;
        enum demand_resource resource;
        const char *metric;
    } figures[] = {
        {PLAN_TIER_GATEWAY, DEMAND_CPU, "gateway.cpu"},
        {PLAN_TIER_FANOUT, DEMAND_CPU, "fanout.cpu"},
        {PLAN_TIER_KAFKA, DEMAND_NIC_IN, "kafka.nic_in"},
        {PLAN_TIER_KAFKA, DEMAND_NIC_OUT, "kafka.nic_out"},
        {PLAN_TIER_KAFKA, DEMAND_DISK_SPACE, "kafka.disk_space"},
        {PLAN_TIER_CASSANDRA, DEMAND_CPU, "cassandra.cpu"},
        {PLAN_TIER_CASSANDRA, DEMAND_DISK_IO, "cassandra.disk_io"},
        {PLAN_TIER_CASSANDRA, DEMAND_DISK_SPACE, "cassandra.disk_space"},
    };
    static const char *const sets[] = {"run.fidelity=10%", "run.duration=2 s", "run.warmup=1 s",
                                       "run.drain=0"};
    struct trial_run *moderate = run("scenarios/moderate.json", sets, 4);
    struct demand demand;
    demand_of(&moderate->plan, &demand);
    assert_false(moderate->result.overloaded);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        double ran = simulated(moderate, figures[i].tier, figures[i].metric);
        double formula = demand_utilization(&demand, figures[i].tier, figures[i].resource);
        if (fabs(formula - ran) > 0.2 * ran) {
            fail_msg("%s: %.4g by formula, %.4g by the run", figures[i].metric, formula, ran);
        }
    }
    run_free(moderate);
}

static enum verdict_status status_of(const char *path, const char *const *sets, uint32_t set_count,
                                     const char *id)
{
    struct trial_run *trial = run(path, sets, set_count);
    struct verdicts *verdicts = calloc(1, sizeof *verdicts);
    enum verdict_status status = VERDICT_UNKNOWN;
    assert_non_null(verdicts);
    verdicts_judge(&trial->result, verdicts);
    for (uint32_t i = 0; i < verdicts->count; i++) {
        if (strcmp(verdicts->list[i].info->id, id) == 0) {
            status = verdicts->list[i].status;
        }
    }
    free(verdicts);
    run_free(trial);
    return status;
}

static void a_real_run_decides_a_latency_either_way(void **state)
{
    (void)state;
    static const char *const strict[] = {"run.fidelity=2%", "run.duration=2 s", "run.drain=0",
                                         "claims[0].value=100 ms"};
    static const char *const lax[] = {"run.fidelity=2%", "run.duration=2 s", "run.drain=0",
                                      "claims[0].value=5 s"};
    const char *path = "scenarios/level4-services.json";
    assert_int_equal(status_of(path, strict, 4, "delivery_latency"), VERDICT_FAILS);
    assert_int_equal(status_of(path, lax, 4, "delivery_latency"), VERDICT_HOLDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_meets_a_run_that_keeps_up),
        cmocka_unit_test(a_real_run_decides_a_latency_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
