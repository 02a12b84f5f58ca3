/* The claims on trial, worst first: verdict, claimed, found, why; and behind each its evidence. */
#include "reports/report_page.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reports/budget.h"
#include "reports/markup.h"
#include "reports/metric.h"
#include "reports/verdict.h"
#include "reports/words.h"

/* A shape, a word and a colour, so that none is needed alone. */
static const struct {
    const char *mark;
    const char *word;
    const char *class;
} looks[] = {[VERDICT_HOLDS] = {"✓", "holds", "good"},
             [VERDICT_HOLDS_IF] = {"◐", "holds only if", "half"},
             [VERDICT_FAILS] = {"✗", "fails", "bad"},
             [VERDICT_UNKNOWN] = {"?", "unknown", "dim"}};

/* The order of the table. */
static const enum verdict_status order[] = {VERDICT_FAILS, VERDICT_HOLDS_IF, VERDICT_UNKNOWN,
                                            VERDICT_HOLDS};

const char *page_claim_name(const char *id, char *buffer)
{
    static const char *const names[][2] = {
        {"msg_rate_avg", "average message rate"},
        {"msg_rate_peak", "peak message rate"},
        {"group_fanout", "group fan-out"},
        {"polling_requests", "requests of polling"},
    };
    static const char *const proper[] = {"kafka", "cassandra", "snowflake"};
    snprintf(buffer, WORDS_SIZE, "%s", id);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], id) == 0) {
            snprintf(buffer, WORDS_SIZE, "%s", names[i][1]);
        }
    }
    for (char *at = buffer; *at != '\0'; at++) {
        if (*at == '_') {
            *at = ' ';
        }
    }
    for (size_t i = 0; i < sizeof proper / sizeof *proper; i++) {
        if (strncmp(buffer, proper[i], strlen(proper[i])) == 0) {
            buffer[0] = (char)toupper((unsigned char)buffer[0]);
        }
    }
    return buffer;
}

const char *page_why(const struct verdict *verdict, char *buffer)
{
    snprintf(buffer, PAGE_WHY_SIZE, "%s%s%s%s%s", verdict->condition,
             verdict->condition[0] == '\0' ? "" : ".",
             verdict->condition[0] == '\0' || verdict->would_hold_text[0] == '\0' ? "" : " ",
             verdict->would_hold_text[0] == '\0' ? "" : "Would hold: ", verdict->would_hold_text);
    buffer[0] = (char)toupper((unsigned char)buffer[0]);
    return buffer;
}

/* Of failed claims, a capacity says more than a latency, and that more than arithmetic. */
static bool says_more(const struct verdict *verdict, const struct verdict *than)
{
    static const uint32_t weights[] = {
        [VERDICT_ARITHMETIC] = 0, [VERDICT_LATENCY] = 1, [VERDICT_CAPACITY] = 2};
    return than == NULL || weights[verdict->info->kind] > weights[than->info->kind];
}

struct page_tally page_tally(const struct report *report)
{
    struct page_tally tally = {0};
    for (uint32_t v = 0; v < report->variant_count; v++) {
        const struct verdicts *verdicts = report->variants[v].facts.verdicts;
        const struct budget_outcomes *budgets = report->variants[v].facts.budgets;
        for (uint32_t i = 0; verdicts != NULL && i < verdicts->count; i++) {
            const struct verdict *verdict = &verdicts->list[i];
            tally.claims++;
            tally.by_status[verdict->status]++;
            if (verdict->status == VERDICT_FAILS && says_more(verdict, tally.worst)) {
                tally.worst = verdict;
            }
        }
        tally.budgets += budgets == NULL ? 0 : budgets->count;
        tally.budgets_failed += budgets == NULL ? 0 : budgets->failed;
    }
    return tally;
}

const char *page_headline(const struct report *report, char *finding)
{
    struct page_tally tally = page_tally(report);
    char name[WORDS_SIZE];
    if (tally.worst != NULL) {
        page_claim_name(tally.worst->claim->id, name);
        name[0] = (char)toupper((unsigned char)name[0]);
        snprintf(finding, 2 * WORDS_SIZE,
                 "%u of %u claims fail%s. %s: %.100s claimed, %.100s "
                 "found.",
                 tally.by_status[VERDICT_FAILS], tally.claims,
                 tally.by_status[VERDICT_FAILS] == 1 ? "s" : "", name, tally.worst->claimed_text,
                 tally.worst->found_text);
    } else if (report->variant_count > 1) {
        report_finding(report, finding);
    } else if (tally.claims > 0 && tally.by_status[VERDICT_UNKNOWN] == 0) {
        snprintf(finding, 2 * WORDS_SIZE, "All %u claims hold%s", tally.claims,
                 tally.by_status[VERDICT_HOLDS_IF] > 0 ? ", some only under a condition." : ".");
    } else {
        words_finding(report->variants[0].result, finding);
    }
    return finding;
}

/* -- A row ---------------------------------------------------------------------------------------
 */

static void put_evidence(struct page *page, const char *how,
                         const struct verdict_evidence *evidence)
{
    char value[METRIC_TEXT_SIZE];
    char low[METRIC_TEXT_SIZE];
    char high[METRIC_TEXT_SIZE];
    if (!evidence->present) {
        return;
    }
    markup_put(page->stream, "<li><b>%s</b>: %s", how,
               metric_text(evidence->unit, evidence->value.value, value));
    if (evidence->value.known) {
        markup_put(page->stream, " (95%% within %s to %s)",
                   metric_text(evidence->unit, evidence->value.low, low),
                   metric_text(evidence->unit, evidence->value.high, high));
    }
    markup_put(page->stream, "; %s</li>\n", evidence->what);
}

static void put_details(struct page *page, const struct verdict *verdict)
{
    markup_put(page->stream, "<details><summary>evidence</summary><p>%s</p><ul>\n",
               verdict->explanation);
    markup_put(page->stream, "<li>kind: %s; %s</li>\n", verdict_kind_name(verdict->info->kind),
               verdict->info->about);
    put_evidence(page, "simulated", &verdict->simulated);
    put_evidence(page, "by formula", &verdict->analytic);
    if (verdict->override_count > 0) {
        fputs("<li>would hold with <code>", page->stream);
        for (uint32_t i = 0; i < verdict->override_count; i++) {
            markup_put(page->stream, "%s--set %s", i == 0 ? "" : " ", verdict->overrides[i].text);
        }
        fputs("</code></li>\n", page->stream);
    }
    if (verdict->check != VERDICT_UNCHECKED) {
        markup_put(page->stream,
                   "<li>checked by a further run with all such settings: %s; %s</li>\n",
                   verdict_check_name(verdict->check), verdict->check_text);
    }
    fputs("</ul></details>", page->stream);
}

static void put_claim(struct page *page, const struct report_variant *variant,
                      const struct verdict *verdict)
{
    char name[WORDS_SIZE];
    char why[PAGE_WHY_SIZE];
    enum verdict_status status = verdict->status;
    page_claim_name(verdict->claim->id, name);
    name[0] = (char)toupper((unsigned char)name[0]);
    markup_put(page->stream,
               "<tr role=\"row\" class=\"claim\"><td role=\"cell\" class=\"verdict %s\">%s %s</td>"
               "<th role=\"rowheader\" scope=\"row\">%s<small>%s</small>",
               looks[status].class, looks[status].mark, looks[status].word, name,
               verdict->claim->about);
    if (page->report->variant_count > 1) {
        markup_put(page->stream, "<small>%s</small>", variant->title);
    }
    markup_put(page->stream,
               "</th><td role=\"cell\" class=\"n\" data-label=\"claimed\">%s</td>"
               "<td role=\"cell\" class=\"n\" data-label=\"found\">%s</td>"
               "<td role=\"cell\" class=\"why span-all\">%s",
               verdict->claimed_text, verdict->found_text, page_why(verdict, why));
    put_details(page, verdict);
    fputs("</td></tr>\n", page->stream);
}

static void put_head(struct page *page)
{
    static const char *const heads[] = {"verdict", "claim", "claimed", "found",
                                        "why, and what would hold"};
    fputs("<table role=\"table\" class=\"cards claims\"><thead role=\"rowgroup\">"
          "<tr role=\"row\">",
          page->stream);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        markup_put(page->stream, "<th role=\"columnheader\" scope=\"col\"%s>%s</th>",
                   i == 2 || i == 3 ? " class=n" : "", heads[i]);
    }
    fputs("</tr></thead><tbody role=\"rowgroup\">\n", page->stream);
}

void page_claims(struct page *page)
{
    struct page_tally tally = page_tally(page->report);
    if (tally.claims == 0) {
        return;
    }
    page_section(page, "claims", "Claims on trial");
    put_head(page);
    for (size_t o = 0; o < sizeof order / sizeof *order; o++) {
        for (uint32_t v = 0; v < page->report->variant_count; v++) {
            const struct report_variant *variant = &page->report->variants[v];
            const struct verdicts *verdicts = variant->facts.verdicts;
            for (uint32_t i = 0; verdicts != NULL && i < verdicts->count; i++) {
                if (verdicts->list[i].status == order[o]) {
                    put_claim(page, variant, &verdicts->list[i]);
                }
            }
        }
    }
    fputs("</tbody></table>\n", page->stream);
    page_section_end(page);
}
