#include "reports/verdict_json.h"

static void write_figure(struct writer *w, const char *key, enum metric_unit unit, double value,
                         const char *text)
{
    writer_flat_object(w, key);
    writer_real(w, "value", value);
    writer_text(w, "unit", metric_unit_name(unit));
    writer_text(w, "text", text[0] == '\0' ? NULL : text);
    writer_object_end(w);
}

static void write_bounds(struct writer *w, const struct result_estimate *value)
{
    if (value->known) {
        writer_real(w, "low", value->low);
        writer_real(w, "high", value->high);
    } else {
        writer_null(w, "low");
        writer_null(w, "high");
    }
}

static void write_evidence(struct writer *w, const char *key,
                           const struct verdict_evidence *evidence)
{
    if (!evidence->present) {
        writer_null(w, key);
        return;
    }
    writer_flat_object(w, key);
    writer_text(w, "what", evidence->what);
    writer_real(w, "value", evidence->value.value);
    write_bounds(w, &evidence->value);
    writer_text(w, "unit", metric_unit_name(evidence->unit));
    writer_object_end(w);
}

static void write_overrides(struct writer *w, const struct verdict_override *overrides,
                            uint32_t count)
{
    writer_flat_array(w, "overrides");
    for (uint32_t i = 0; i < count; i++) {
        writer_text(w, NULL, overrides[i].text);
    }
    writer_array_end(w);
}

static void write_verdict(struct writer *w, const struct verdict *verdict)
{
    const struct claim_info *info = verdict->info;
    writer_object(w, NULL);
    writer_text(w, "id", info->id);
    writer_text(w, "about", verdict->claim->about);
    writer_text(w, "kind", verdict_kind_name(info->kind));
    writer_text(w, "verdict", verdict_status_name(verdict->status));
    write_figure(w, "claimed", info->unit, verdict->claimed, verdict->claimed_text);
    write_figure(w, "found", info->unit, verdict->found, verdict->found_text);
    writer_text(w, "condition", verdict->condition[0] == '\0' ? NULL : verdict->condition);
    writer_text(w, "explanation", verdict->explanation);
    write_figure(w, "would_hold", info->unit, verdict->would_hold, verdict->would_hold_text);
    write_overrides(w, verdict->overrides, verdict->override_count);
    write_evidence(w, "simulated", &verdict->simulated);
    write_evidence(w, "analytic", &verdict->analytic);
    writer_text(w, "check", verdict_check_name(verdict->check));
    writer_text(w, "check_text", verdict->check_text[0] == '\0' ? NULL : verdict->check_text);
    writer_object_end(w);
}

static void write_check(struct writer *w, const struct verdicts *verdicts)
{
    writer_object(w, "check");
    writer_bool(w, "run", verdicts->checked);
    writer_text(w, "note", verdicts->check_note[0] == '\0' ? NULL : verdicts->check_note);
    write_overrides(w, verdicts->overrides, verdicts->override_count);
    if (verdicts->checked) {
        writer_bool(w, "keeps_up", verdicts->check_keeps_up);
        writer_real(w, "fraction", verdicts->check_fraction);
    } else {
        writer_null(w, "fraction");
        writer_null(w, "keeps_up");
    }
    writer_object_end(w);
}

static void write_budget(struct writer *w, const struct budget_outcome *outcome)
{
    bool any = outcome->status != BUDGET_NO_DATA;
    writer_object(w, NULL);
    writer_text(w, "text", outcome->budget->text);
    writer_text(w, "metric", outcome->metric.name);
    writer_text(w, "unit", metric_unit_name(outcome->metric.unit));
    writer_text(w, "compare", budget_compare_text(outcome->budget->compare));
    writer_real(w, "limit", outcome->budget->limit);
    writer_text(w, "status", budget_status_name(outcome->status));
    writer_bool(w, "passes", outcome->passes);
    writer_real(w, "margin", outcome->margin);
    if (any) {
        writer_real(w, "value", outcome->value.value);
        write_bounds(w, &outcome->value);
    } else {
        writer_null(w, "value");
        writer_null(w, "low");
        writer_null(w, "high");
    }
    writer_count(w, "line", outcome->budget->position.line);
    writer_object_end(w);
}

void verdict_json_write(struct writer *writer, const struct verdicts *verdicts,
                        const struct budget_outcomes *budgets)
{
    writer_array(writer, "claims");
    for (uint32_t i = 0; verdicts != NULL && i < verdicts->count; i++) {
        write_verdict(writer, &verdicts->list[i]);
    }
    writer_array_end(writer);
    if (verdicts == NULL) {
        writer_null(writer, "check");
    } else {
        write_check(writer, verdicts);
    }
    writer_array(writer, "budgets");
    for (uint32_t i = 0; budgets != NULL && i < budgets->count; i++) {
        write_budget(writer, &budgets->list[i]);
    }
    writer_array_end(writer);
}
