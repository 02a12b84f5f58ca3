#include "scenarios/run_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/table.h"

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
    return changed;
}
