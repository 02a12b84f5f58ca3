#include "scenarios/run_judge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/run_jobs.h"
#include "scenarios/table.h"

#define FIDELITY_LEAST 0.0001

struct run_judgement *run_judge(const struct result *result)
{
    struct run_judgement *judgement = malloc(sizeof *judgement);
    if (judgement != NULL) {
        verdicts_judge(result, &judgement->verdicts);
        budgets_judge(result, &judgement->budgets);
    }
    return judgement;
}

/* As --set would. */
static bool set_field(struct plan *plan, const struct verdict_override *override, char *why,
                      size_t size)
{
    const struct table_row *row = table_find(override->field);
    const char *value = strchr(override->text, '=');
    if (row == NULL || value == NULL) {
        snprintf(why, size, "there is no such field");
        return false;
    }
    return table_set(row, plan, 0, value + 1, false, why, size);
}

/* The share of the clients that the further run simulates. */
static double fidelity_of(const struct plan *plan)
{
    const struct plan_run *run = &plan->run;
    double seconds = (double)(run->warmup_ns + run->duration_ns) * 1e-9;
    double events = run_jobs_events_per_s(plan) * seconds;
    bool whole = run->contents || plan->population.trace.file[0] != '\0';
    return whole || events <= RUN_CHECK_EVENTS
               ? run->fidelity
               : fmax(run->fidelity * RUN_CHECK_EVENTS / events, FIDELITY_LEAST);
}

struct plan *run_check_plan(const struct plan *plan, struct verdicts *verdicts)
{
    struct plan *changed = malloc(sizeof *changed);
    if (changed == NULL) {
        return NULL;
    }
    *changed = *plan;
    for (uint32_t i = 0; i < verdicts->override_count; i++) {
        char why[160];
        if (!set_field(changed, &verdicts->overrides[i], why, sizeof why)) {
            snprintf(verdicts->check_note, sizeof verdicts->check_note, "--set %s: %s",
                     verdicts->overrides[i].text, why);
            free(changed);
            return NULL;
        }
    }
    changed->run.fidelity = fidelity_of(changed);
    verdicts->check_fraction = changed->run.fidelity;
    return changed;
}
