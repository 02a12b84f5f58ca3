/* Claims and budgets: what the run was for, so they come first.
 *
 *     FAILS    cassandra_nodes     210; found 6.7k: CPU binds at 2210%: short by a factor of 22.1
 *
 * One item a claim, wrapped under its own text. */
#include <math.h>
#include <string.h>

#include "reports/humane.h"
#include "reports/screen_state.h"

#define INDENT 30
#define LINE_SIZE 1024u

/* `text` beside what has been printed of the first line, and below, indented. */
static void put_hanging(const struct screen *screen, const char *text)
{
    const size_t width = SCREEN_COLUMNS - INDENT;
    for (bool first = true; first || *text != '\0'; first = false) {
        size_t length = strlen(text);
        if (length > width) {
            length = width;
            while (length > 0 && text[length] != ' ') {
                length--;
            }
            length = length > 0 ? length : width;
        }
        fprintf(screen->stream, "%*s%.*s\n", first ? 0 : INDENT, "", (int)length, text);
        text += length;
        text += *text == ' ';
    }
}

static void put_item(const struct screen *screen, enum screen_colour colour, const char *word,
                     const char *name, const char *text)
{
    char clean[LINE_SIZE + 32];
    fprintf(screen->stream, "%s%-8s%s %-*.*s ", screen_paint(screen, colour), word,
            screen_paint(screen, SCREEN_PLAIN), INDENT - 10, INDENT - 10, name);
    put_hanging(screen, screen_clean(text, clean, sizeof clean));
}

/* -- Claims --------------------------------------------------------------------------------------
 */

/* "simulated 248 ms (204 ms to 290 ms): delivery, p99" */
static void put_evidence(const struct screen *screen, const char *side,
                         const struct verdict_evidence *evidence)
{
    char text[LINE_SIZE];
    char value[METRIC_TEXT_SIZE];
    char low[METRIC_TEXT_SIZE];
    char high[METRIC_TEXT_SIZE];
    char interval[3 * METRIC_TEXT_SIZE] = "";
    if (!evidence->present) {
        return;
    }
    if (evidence->value.known) {
        snprintf(interval, sizeof interval, " (%s to %s)",
                 metric_text(evidence->unit, evidence->value.low, low),
                 metric_text(evidence->unit, evidence->value.high, high));
    }
    bool bounded = isfinite(evidence->value.value);
    snprintf(text, sizeof text, "%s %s%s: %s", side,
             bounded ? metric_text(evidence->unit, evidence->value.value, value) : "without bound",
             interval, evidence->what);
    fprintf(screen->stream, "%*s", INDENT, "");
    put_hanging(screen, text);
}

static void put_verdict(const struct screen *screen, const struct verdict *v)
{
    static const char *const words[] = {"holds", "ONLY IF", "FAILS", "UNKNOWN"};
    static const enum screen_colour colours[] = {SCREEN_GREEN, SCREEN_YELLOW, SCREEN_RED,
                                                 SCREEN_YELLOW};
    char text[LINE_SIZE];
    size_t used = (size_t)snprintf(text, sizeof text, "%s", v->claimed_text);
    if (v->found_text[0] != '\0') {
        used += (size_t)snprintf(text + used, sizeof text - used, "; found %s", v->found_text);
    }
    if (v->condition[0] != '\0') {
        used += (size_t)snprintf(text + used, sizeof text - used, ": %s", v->condition);
    }
    if (v->check != VERDICT_UNCHECKED) {
        snprintf(text + used, sizeof text - used, ". Checked: %s", v->check_text);
    }
    put_item(screen, colours[v->status], words[v->status], v->info->id, text);
    if (screen->options->explain) {
        fprintf(screen->stream, "%*s", INDENT, "");
        put_hanging(screen, v->explanation);
        put_evidence(screen, "simulated", &v->simulated);
        put_evidence(screen, "by formula", &v->analytic);
    }
}

static void put_check(const struct screen *screen, const struct verdicts *verdicts)
{
    char text[LINE_SIZE] = "";
    size_t used = 0;
    if (verdicts->check_note[0] != '\0') {
        put_item(screen, SCREEN_YELLOW, "", "not checked", verdicts->check_note);
        return;
    }
    if (!verdicts->checked) {
        return;
    }
    for (uint32_t i = 0; i < verdicts->override_count && used < sizeof text; i++) {
        const char *plain = strchr(verdicts->overrides[i].text, ' ') == NULL ? "" : "'";
        used += (size_t)snprintf(text + used, sizeof text - used, "%s--set %s%s%s",
                                 i > 0 ? " " : "", plain, verdicts->overrides[i].text, plain);
    }
    if (verdicts->check_fraction < 1 && used < sizeof text) {
        char share[HUMANE_SIZE];
        snprintf(text + used, sizeof text - used, " (a sample of %s)",
                 humane_percent(verdicts->check_fraction, share));
    }
    put_item(screen, verdicts->check_keeps_up ? SCREEN_GREEN : SCREEN_RED, "",
             verdicts->check_keeps_up ? "checked, keeps up" : "checked, overloaded", text);
}

void screen_verdicts(const struct screen *screen)
{
    const struct verdicts *verdicts = screen->options->verdicts;
    if (verdicts == NULL || verdicts->count == 0) {
        return;
    }
    uint32_t counts[4] = {0};
    for (uint32_t i = 0; i < verdicts->count; i++) {
        counts[verdicts->list[i].status]++;
    }
    fprintf(screen->stream, "\n%sclaims%s  %u hold, %u only if, %u fail",
            screen_paint(screen, SCREEN_BOLD), screen_paint(screen, SCREEN_PLAIN),
            counts[VERDICT_HOLDS], counts[VERDICT_HOLDS_IF], counts[VERDICT_FAILS]);
    if (counts[VERDICT_UNKNOWN] > 0) {
        fprintf(screen->stream, ", %u unknown", counts[VERDICT_UNKNOWN]);
    }
    fputc('\n', screen->stream);
    for (uint32_t i = 0; i < verdicts->count; i++) {
        put_verdict(screen, &verdicts->list[i]);
    }
    put_check(screen, verdicts);
}

/* -- Budgets -------------------------------------------------------------------------------------
 */

void screen_budgets(const struct screen *screen)
{
    static const char *const words[] = {"pass", "FAIL", "UNSURE", "NO DATA"};
    const struct budget_outcomes *budgets = screen->options->budgets;
    if (budgets == NULL || budgets->count == 0) {
        return;
    }
    fprintf(screen->stream, "\n%sbudgets%s %u of %u pass\n", screen_paint(screen, SCREEN_BOLD),
            screen_paint(screen, SCREEN_PLAIN), budgets->count - budgets->failed, budgets->count);
    for (uint32_t i = 0; i < budgets->count; i++) {
        const struct budget_outcome *outcome = &budgets->list[i];
        char text[LINE_SIZE];
        char line[LINE_SIZE + 32];
        budget_text(outcome, text, sizeof text);
        /* The metric is named beside it. */
        const char *name = strstr(text, outcome->metric.name);
        const char *rest = name == NULL ? text : name + strlen(outcome->metric.name);
        snprintf(line, sizeof line, "%s%s", rest + strspn(rest, " "),
                 outcome->status != BUDGET_UNDECIDED ? ""
                 : outcome->passes                   ? "; undecided passes"
                                                     : "; undecided fails");
        put_item(screen,
                 outcome->status == BUDGET_KEPT ? SCREEN_GREEN
                 : outcome->passes              ? SCREEN_YELLOW
                                                : SCREEN_RED,
                 words[outcome->status], outcome->metric.name, line);
    }
}
