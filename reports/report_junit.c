#include "reports/report.h"

#include <string.h>

#include "reports/budget.h"
#include "reports/markup.h"
#include "reports/metric.h"
#include "reports/report_page.h"
#include "reports/verdict.h"
#include "reports/words.h"

struct count {
    uint32_t tests;
    uint32_t failures;
};

/* What a run promises by itself: that it ran to its end, and, where screens were judged, that
 * every guarantee was kept. */
static struct count count_of(const struct report_variant *variant)
{
    const struct result *result = variant->result;
    struct count count = {1u + result->judged,
                          0u + result->partial + (result->violation_count > 0)};
    const struct verdicts *verdicts = variant->facts.verdicts;
    for (uint32_t i = 0; verdicts != NULL && i < verdicts->count; i++) {
        enum verdict_status status = verdicts->list[i].status;
        count.tests++;
        count.failures += status == VERDICT_FAILS || status == VERDICT_UNKNOWN;
    }
    if (variant->facts.budgets != NULL) {
        count.tests += variant->facts.budgets->count;
        count.failures += variant->facts.budgets->failed;
    }
    return count;
}

/* GitLab keeps the first of two cases of one name, so a budget that stands there twice is numbered.
 */
static uint32_t repeats(const struct budget_outcomes *budgets, uint32_t index)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < index; i++) {
        count += strcmp(budgets->list[i].budget->text, budgets->list[index].budget->text) == 0;
    }
    return count;
}

static void put_budget(FILE *stream, const struct report_variant *variant, uint32_t index)
{
    const struct budget_outcome *outcome = &variant->facts.budgets->list[index];
    const struct plan_position *position = &outcome->budget->position;
    uint32_t number = repeats(variant->facts.budgets, index);
    char text[512];
    budget_text(outcome, text, sizeof text);
    markup_put(stream, "    <testcase classname=\"%s.budgets\" name=\"%s", variant->title,
               outcome->budget->text);
    if (number > 1) {
        markup_put(stream, " (%u)", number);
    }
    markup_put(stream, "\"");
    if (position->line > 0) {
        markup_put(stream, " file=\"%s\" line=\"%u\"", position->file, position->line);
    }
    if (outcome->passes) {
        markup_put(stream, ">\n      <system-out>%s</system-out>\n    </testcase>\n", text);
    } else {
        markup_put(stream,
                   ">\n      <failure message=\"%s\" type=\"budget\">%s: %s</failure>\n"
                   "    </testcase>\n",
                   budget_status_name(outcome->status), budget_status_name(outcome->status), text);
    }
}

static void put_claim(FILE *stream, const struct report_variant *variant,
                      const struct verdict *verdict)
{
    bool good = verdict->status == VERDICT_HOLDS || verdict->status == VERDICT_HOLDS_IF;
    const char *element = good ? "system-out" : "failure";
    const struct plan_position *position = &verdict->claim->position;
    char why[PAGE_WHY_SIZE];
    markup_put(stream, "    <testcase classname=\"%s.claims\" name=\"%s\"", variant->title,
               verdict->claim->id);
    if (position->line > 0) {
        markup_put(stream, " file=\"%s\" line=\"%u\"", position->file, position->line);
    }
    markup_put(stream, ">\n      <%s", element);
    if (!good) {
        markup_put(stream, " message=\"%s\" type=\"claim\"", verdict_status_name(verdict->status));
    }
    markup_put(stream, ">%s: %s claimed, %s found. %s\n%s</%s>\n    </testcase>\n",
               verdict_status_name(verdict->status), verdict->claimed_text, verdict->found_text,
               page_why(verdict, why), verdict->explanation, element);
}

static void put_run(FILE *stream, const struct report_variant *variant)
{
    const struct result *result = variant->result;
    char finding[WORDS_SIZE];
    markup_put(stream,
               "    <testcase classname=\"%s.run\" name=\"runs to its end\" time=\"%.3f\">\n",
               variant->title, result->host.wall_s);
    if (result->partial) {
        markup_put(stream,
                   "      <failure message=\"interrupted\" type=\"run\">interrupted at "
                   "%.3f simulated seconds</failure>\n",
                   (double)result->end_ns / 1e9);
    } else {
        markup_put(stream, "      <system-out>%s</system-out>\n", words_finding(result, finding));
    }
    markup_put(stream, "    </testcase>\n");
    if (!result->judged) {
        return;
    }
    markup_put(stream, "    <testcase classname=\"%s.run\" name=\"keeps every guarantee\">\n",
               variant->title);
    if (result->violation_count > 0) {
        markup_put(stream, "      <failure message=\"violations\" type=\"judge\">%llu violations",
                   (unsigned long long)result->violation_count);
        for (uint32_t i = 0; i < result->violation_words_count; i++) {
            markup_put(stream, "\n%s", result->violations[i]);
        }
        markup_put(stream, "</failure>\n");
    }
    markup_put(stream, "    </testcase>\n");
}

static void put_suite(FILE *stream, const struct report_variant *variant)
{
    struct count count = count_of(variant);
    const struct plan *plan = variant->result->plan;
    markup_put(stream,
               "  <testsuite name=\"%s\" tests=\"%u\" failures=\"%u\" errors=\"0\" skipped=\"0\" "
               "time=\"%.3f\">\n    <properties>\n"
               "      <property name=\"seed\" value=\"%llu\"/>\n"
               "      <property name=\"scenario_hash\" value=\"%016llx\"/>\n"
               "      <property name=\"repeat\" value=\"%s\"/>\n    </properties>\n",
               variant->title, count.tests, count.failures, variant->result->host.wall_s,
               (unsigned long long)plan->run.seed, (unsigned long long)variant->facts.plan_hash,
               variant->facts.repeat == NULL ? "" : variant->facts.repeat);
    put_run(stream, variant);
    for (uint32_t i = 0; variant->facts.budgets != NULL && i < variant->facts.budgets->count; i++) {
        put_budget(stream, variant, i);
    }
    for (uint32_t i = 0; variant->facts.verdicts != NULL && i < variant->facts.verdicts->count;
         i++) {
        put_claim(stream, variant, &variant->facts.verdicts->list[i]);
    }
    fputs("  </testsuite>\n", stream);
}

bool report_junit_write(FILE *stream, const struct report *report)
{
    struct count all = {0, 0};
    double wall_s = 0;
    for (uint32_t v = 0; v < report->variant_count; v++) {
        struct count count = count_of(&report->variants[v]);
        all.tests += count.tests;
        all.failures += count.failures;
        wall_s += report->variants[v].result->host.wall_s;
    }
    markup_put(stream,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"chatscale\" "
               "tests=\"%u\" failures=\"%u\" errors=\"0\" time=\"%.3f\">\n",
               all.tests, all.failures, wall_s);
    for (uint32_t v = 0; v < report->variant_count; v++) {
        put_suite(stream, &report->variants[v]);
    }
    fputs("</testsuites>\n", stream);
    return fflush(stream) == 0 && !ferror(stream);
}
