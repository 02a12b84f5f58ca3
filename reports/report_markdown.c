#include "reports/report.h"

#include <stdint.h>
#include <string.h>

#include "reports/budget.h"
#include "reports/humane.h"
#include "reports/metric.h"
#include "reports/report_page.h"
#include "reports/verdict.h"
#include "reports/words.h"

enum { P50 = 0, P99 = 3, P999 = 4 };

/* Text from outside in a table's cell: no markup of Markdown's or HTML's, and one line. */
static void put_plain(FILE *stream, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n' || *text == '\r') {
            fputc(' ', stream);
        } else if (*text == '<') {
            fputs("&lt;", stream);
        } else if (*text == '&') {
            fputs("&amp;", stream);
        } else if (strchr("|\\`*_[]~#!@", *text) != NULL) {
            fprintf(stream, "\\%c", *text);
        } else {
            fputc(*text, stream);
        }
    }
}

/* Cells separated by "|"; each is escaped. NULL at the end. */
static void put_row(FILE *stream, const char *const *cells)
{
    for (; *cells != NULL; cells++) {
        fputs("| ", stream);
        put_plain(stream, *cells);
        fputc(' ', stream);
    }
    fputs("|\n", stream);
}

static void put_claims(FILE *stream, const struct report_variant *variant)
{
    static const char *const marks[] = {[VERDICT_HOLDS] = "✅ ",
                                        [VERDICT_HOLDS_IF] = "⚠️ ",
                                        [VERDICT_FAILS] = "❌ ",
                                        [VERDICT_UNKNOWN] = "❔ "};
    const struct verdicts *verdicts = variant->facts.verdicts;
    if (verdicts == NULL || verdicts->count == 0) {
        return;
    }
    fputs("\n| verdict | claim | claimed | found | why, and what would hold |\n"
          "|---|---|--:|--:|---|\n",
          stream);
    for (uint32_t i = 0; i < verdicts->count; i++) {
        const struct verdict *verdict = &verdicts->list[i];
        char status[64];
        char why[PAGE_WHY_SIZE];
        snprintf(status, sizeof status, "%s%s", marks[verdict->status],
                 verdict_status_name(verdict->status));
        snprintf(
            why, sizeof why, "%s%s%s", verdict->condition,
            verdict->would_hold_text[0] == '\0' ? "" : " Would hold: ", verdict->would_hold_text);
        put_row(stream, (const char *const[]){status, verdict->claim->id, verdict->claimed_text,
                                              verdict->found_text, page_why(verdict, why), NULL});
    }
}

static void put_budgets(FILE *stream, const struct report_variant *variant)
{
    const struct budget_outcomes *budgets = variant->facts.budgets;
    if (budgets == NULL || budgets->count == 0) {
        return;
    }
    fputs("\n| budget | status | found | left |\n|---|---|--:|--:|\n", stream);
    for (uint32_t i = 0; i < budgets->count; i++) {
        const struct budget_outcome *outcome = &budgets->list[i];
        bool known = outcome->status != BUDGET_NO_DATA;
        char status[64];
        char value[METRIC_TEXT_SIZE] = "-";
        char margin[METRIC_TEXT_SIZE] = "-";
        snprintf(status, sizeof status, "%s %s", outcome->passes ? "✅" : "❌",
                 budget_status_name(outcome->status));
        if (known) {
            metric_text(outcome->metric.unit, outcome->value.value, value);
            metric_text(outcome->metric.unit, outcome->margin, margin);
        }
        put_row(stream, (const char *const[]){outcome->budget->text, status, value, margin, NULL});
    }
}

static void put_latencies(FILE *stream, const struct result *result)
{
    static const char *const names[] = {"delivery", "ack", "receipt"};
    char p50[WORDS_SIZE];
    char p99[WORDS_SIZE];
    char p999[WORDS_SIZE];
    char interval[WORDS_SIZE];
    fputs("\n| latency | p50 | p99 | 95% interval of p99 | p99.9 |\n|---|--:|--:|--:|--:|\n",
          stream);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct result_stage *stage = result_stage(result, names[i]);
        if (stage == NULL || stage->count == 0) {
            continue;
        }
        words_interval(stage, P99, interval);
        put_row(stream, (const char *const[]){names[i], words_quantile(stage, P50, p50),
                                              words_quantile(stage, P99, p99),
                                              interval[0] == '\0' ? "-" : interval,
                                              words_quantile(stage, P999, p999), NULL});
    }
}

static void put_use(FILE *stream, const struct result *result)
{
    fputs("\n| tier | nodes | fullest resource | mean | busiest node |\n|---|--:|---|--:|--:|\n",
          stream);
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const struct result_tier *tier = &result->tiers[t];
        const struct result_resource *use = tier->name == NULL ? NULL : words_busiest(tier, false);
        char nodes[HUMANE_SIZE];
        char mean[HUMANE_SIZE];
        char most[HUMANE_SIZE];
        if (use == NULL) {
            continue;
        }
        put_row(stream, (const char *const[]){
                            words_tier(tier->name, true), humane_count(tier->nodes, nodes),
                            words_resource(tier, use), humane_percent(use->utilization_mean, mean),
                            humane_percent(use->utilization_max, most), NULL});
    }
}

/* In a fence longer than any run of backquotes in it. */
static void put_command(FILE *stream, const char *command)
{
    size_t longest = 2;
    size_t run = 0;
    for (const char *at = command; *at != '\0'; at++) {
        run = *at == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    fputs("\nTo repeat it:\n\n", stream);
    for (size_t i = 0; i <= longest; i++) {
        fputc('`', stream);
    }
    fprintf(stream, "sh\n%s\n", command);
    for (size_t i = 0; i <= longest; i++) {
        fputc('`', stream);
    }
    fputc('\n', stream);
}

bool report_markdown_write(FILE *stream, const struct report *report)
{
    char finding[2 * WORDS_SIZE];
    struct page_tally tally = page_tally(report);
    fputs("## chatscale: ", stream);
    put_plain(stream, page_headline(report, finding));
    fputs("\n", stream);
    if (tally.claims > 0) {
        fprintf(stream, "\n%u claims: %u fail, %u hold only if, %u hold, %u unknown.", tally.claims,
                tally.by_status[VERDICT_FAILS], tally.by_status[VERDICT_HOLDS_IF],
                tally.by_status[VERDICT_HOLDS], tally.by_status[VERDICT_UNKNOWN]);
    }
    if (tally.budgets > 0) {
        fprintf(stream, "%s%u of %u budgets kept.", tally.claims > 0 ? " " : "\n",
                tally.budgets - tally.budgets_failed, tally.budgets);
    }
    fputs(tally.claims + tally.budgets > 0 ? "\n" : "", stream);
    for (uint32_t v = 0; v < report->variant_count; v++) {
        const struct report_variant *variant = &report->variants[v];
        fputs("\n### ", stream);
        put_plain(stream, variant->title);
        fputs("\n\n", stream);
        put_plain(stream, words_finding(variant->result, finding));
        fputs("\n", stream);
        put_claims(stream, variant);
        put_budgets(stream, variant);
        put_latencies(stream, variant->result);
        put_use(stream, variant->result);
        if (variant->facts.repeat != NULL) {
            put_command(stream, variant->facts.repeat);
        }
    }
    return fflush(stream) == 0 && !ferror(stream);
}
