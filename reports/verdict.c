#include "reports/verdict.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "reports/claims.h"

const char *verdict_status_name(enum verdict_status status)
{
    static const char *const names[] = {"holds", "holds only if", "fails", "unknown"};
    return names[status];
}

const char *verdict_kind_name(enum verdict_kind kind)
{
    static const char *const names[] = {"arithmetic", "capacity", "latency"};
    return names[kind];
}

const char *verdict_check_name(enum verdict_check check)
{
    static const char *const names[] = {"unchecked", "holds", "fails"};
    return names[check];
}

/* -- The first run -------------------------------------------------------------------------------
 */

static struct verdict blank(const struct plan_claim *claim, const struct claim_info *info)
{
    struct verdict verdict = {.claim = claim,
                              .info = info,
                              .status = VERDICT_UNKNOWN,
                              .claimed = claim->figure,
                              .found = (double)NAN,
                              .would_hold = (double)NAN};
    SAY(verdict.claimed_text, "%s", claim->value);
    return verdict;
}

/* Each field once, with the largest value: more of anything is also enough for who asks for less.
 */
static void merge_override(struct verdicts *verdicts, const struct verdict_override *override)
{
    for (uint32_t i = 0; i < verdicts->override_count; i++) {
        struct verdict_override *known = &verdicts->overrides[i];
        if (strcmp(known->field, override->field) == 0) {
            *known = override->value > known->value ? *override : *known;
            return;
        }
    }
    if (verdicts->override_count < VERDICTS_OVERRIDES_MAX) {
        verdicts->overrides[verdicts->override_count++] = *override;
    }
}

static struct trial trial_of(const struct result *result, const struct demand *demand)
{
    return (struct trial){
        .plan = result->plan,
        .result = result,
        .demand = *demand,
        .measured = result->end_ns > result->from_ns && result->until_ns > result->from_ns,
    };
}

void verdicts_judge(const struct result *result, struct verdicts *verdicts)
{
    const struct plan *plan = result->plan;
    struct demand demand;
    memset(verdicts, 0, sizeof *verdicts);
    demand_of(plan, &demand);
    for (uint32_t i = 0; i < plan->claim_count; i++) {
        const struct claim_rule *rule = claims_rule(plan->claims[i].id);
        if (rule == NULL) {
            continue; /* The loader refuses them; a plan of a test may have some. */
        }
        struct verdict *verdict = &verdicts->list[verdicts->count++];
        struct trial trial = trial_of(result, &demand);
        *verdict = blank(&plan->claims[i], &rule->info);
        trial.verdict = verdict;
        rule->judge(&trial);
        for (uint32_t o = 0; o < verdict->override_count; o++) {
            merge_override(verdicts, &verdict->overrides[o]);
        }
    }
}

/* -- The further run -----------------------------------------------------------------------------
 */

static bool is_checked(const struct verdict *verdict)
{
    return verdict->info->kind != VERDICT_ARITHMETIC &&
           (verdict->status == VERDICT_FAILS || verdict->status == VERDICT_HOLDS_IF);
}

bool verdicts_need_check(const struct verdicts *verdicts)
{
    for (uint32_t i = 0; i < verdicts->count; i++) {
        if (is_checked(&verdicts->list[i]) && verdicts->override_count > 0) {
            return true;
        }
    }
    return false;
}

/* A latency has no figure of its own that could be put in its place: it is measured again, and is
 * what it is with the found fleet. */
static void check_one(struct verdict *verdict, const struct result *again,
                      const struct demand *demand)
{
    const struct claim_rule *rule = claims_rule(verdict->info->id);
    struct trial trial = trial_of(again, demand);
    struct verdict second = blank(verdict->claim, verdict->info);
    bool replaced = verdict->info->kind == VERDICT_CAPACITY && isfinite(verdict->would_hold);
    if (replaced) {
        second.claimed = verdict->would_hold;
        SAY(second.claimed_text, "%s", verdict->would_hold_text);
    }
    trial.verdict = &second;
    rule->judge(&trial);
    verdict->check = second.status == VERDICT_HOLDS ? VERDICT_CHECK_HOLDS : VERDICT_CHECK_FAILS;
    if (verdict->info->kind == VERDICT_LATENCY) {
        char formula[64] = "";
        if (second.analytic.present && isfinite(second.analytic.value.value)) {
            SAY(formula, " (a mean of %s by formula)", TIME(second.analytic.value.value));
        }
        SAY(verdict->check_text, "%.60s with the found fleet%s%s%.120s", second.found_text, formula,
            second.condition[0] == '\0' ? "" : "; ", second.condition);
        verdict->would_hold = second.found;
        SAY(verdict->would_hold_text, "%s", second.found_text);
    } else {
        SAY(verdict->check_text, "%.80s %s%s%.130s", second.claimed_text,
            second.status == VERDICT_HOLDS ? "holds" : "does not hold",
            second.condition[0] == '\0' ? "" : ": ", second.condition);
    }
}

void verdicts_check(struct verdicts *verdicts, const struct result *again)
{
    struct demand demand;
    demand_of(again->plan, &demand);
    verdicts->checked = true;
    verdicts->check_keeps_up = !again->overloaded && !again->partial;
    for (uint32_t i = 0; i < verdicts->count; i++) {
        if (is_checked(&verdicts->list[i])) {
            check_one(&verdicts->list[i], again, &demand);
        }
    }
}
