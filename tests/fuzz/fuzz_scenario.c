/* The loader must survive any bytes: refuse or accept, never crash, hang or grow.
 *
 * Input: a scenario; behind a first NUL, if there is one, an override. What is accepted must hold
 * what plans promise, and written out in full it must load to the same plan.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/load.h"
#include "scenarios/schema.h"
#include "sim/check.h"

static void check_promises(const struct plan *plan)
{
    CHECK(plan->kafka.replication <= plan->kafka.brokers);
    CHECK(plan->cassandra.replication <= plan->cassandra.nodes);
    CHECK(plan->population.connected <= plan->population.users);
    CHECK(plan->population.record_size.mean >= 0.0);
    CHECK(plan->fault_count <= PLAN_FAULTS_MAX);
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *fault = &plan->faults[i];
        CHECK(fault->zone == PLAN_ANY || fault->zone < plan->network.zones);
        CHECK(fault->index == PLAN_ANY || fault->index < plan_tier_nodes(plan, fault->tier));
    }
    (void)plan_lookahead_ns(plan);
    (void)plan_recipients(plan);
}

static void check_round_trip(const struct plan *plan, struct problems *problems)
{
    struct plan *again = malloc(sizeof *again);
    char *text = plan_text(plan);
    CHECK(again != NULL && text != NULL);
    struct scenario *scenario =
        scenario_open_text("/tmp/full.json", text, strlen(text), NULL, 0, problems);
    CHECK(scenario != NULL);
    bool good = scenario_plan(scenario, 0, again, problems);
    CHECK(good);
    CHECK(plan_hash(again) == plan_hash(plan));
    scenario_close(scenario);
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t length = strnlen(text, size);
    char *set = NULL;
    if (length < size) {
        set = strndup(text + length + 1, size - length - 1);
        CHECK(set != NULL);
    }
    const char *sets[] = {set};
    struct problems *problems = malloc(sizeof *problems);
    struct plan *plan = malloc(sizeof *plan);
    CHECK(problems != NULL && plan != NULL);
    problems_init(problems);
    struct scenario *scenario =
        scenario_open_text("/tmp/fuzz.json", text, length, sets, set == NULL ? 0 : 1, problems);
    for (uint32_t i = 0; scenario != NULL && i < scenario_variant_count(scenario); i++) {
        if (scenario_plan(scenario, i, plan, problems)) {
            check_promises(plan);
            check_round_trip(plan, problems);
        }
    }
    CHECK(scenario != NULL || problems->error_count > 0);
    scenario_close(scenario);
    free(plan);
    free(problems);
    free(set);
    return 0;
}
