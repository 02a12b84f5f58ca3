/* Budgets: limit, found, what is left; a bar from 0, with the limit as a stroke. */
#include "reports/report_page.h"

#include <math.h>
#include <string.h>

#include "reports/budget.h"
#include "reports/markup.h"
#include "reports/metric.h"
#include "reports/verdict.h"
#include "reports/words.h"

static void put_status(struct page *page, const struct budget_outcome *outcome)
{
    const char *class = outcome->passes ? "good" : "bad";
    const char *mark = outcome->passes ? "✓" : "✗";
    if (outcome->status == BUDGET_UNDECIDED) {
        class = outcome->passes ? "half" : "bad";
        mark = "◐";
    }
    markup_put(page->stream, "<td role=\"cell\" class=\"verdict %s\">%s %s", class, mark,
               budget_status_name(outcome->status));
    if (outcome->status == BUDGET_UNDECIDED) {
        markup_put(page->stream, "<small>the scenario lets it %s</small>",
                   outcome->passes ? "pass" : "fail");
    }
    fputs("</td>", page->stream);
}

static void put_bar(struct page *page, const struct budget_outcome *outcome)
{
    double value = outcome->status == BUDGET_NO_DATA ? 0 : outcome->value.value;
    double scale = fmax(value, outcome->budget->limit) * 1.1;
    scale = scale > 0 ? 100 / scale : 0;
    markup_put(page->stream,
               "<td role=\"cell\" class=\"bar-cell\"><span class=\"lane\"><span class=\"span %s\" "
               "style=\"left:0;width:%.1f%%\"></span><span class=\"stroke\" "
               "style=\"left:%.1f%%\"></span></span></td>",
               outcome->passes ? "s2" : "s4", fmax(value, 0) * scale,
               outcome->budget->limit * scale);
}

static void put_budget(struct page *page, const struct report_variant *variant,
                       const struct budget_outcome *outcome)
{
    enum metric_unit unit = outcome->metric.unit;
    bool known = outcome->status != BUDGET_NO_DATA;
    char text[METRIC_TEXT_SIZE];
    char low[METRIC_TEXT_SIZE];
    char high[METRIC_TEXT_SIZE];
    char span[WORDS_SIZE];
    fputs("<tr role=\"row\">", page->stream);
    put_status(page, outcome);
    markup_put(page->stream,
               "<th role=\"rowheader\" scope=\"row\"><code>%s</code><small>%s</small>",
               outcome->budget->text, outcome->metric.about);
    if (page->report->variant_count > 1) {
        markup_put(page->stream, "<small>%s</small>", variant->title);
    }
    markup_put(page->stream, "</th><td role=\"cell\" class=\"n\" data-label=\"found\">%s",
               known ? metric_text(unit, outcome->value.value, text) : "no data");
    if (known && outcome->value.known) {
        markup_put(page->stream, "<small>%s</small>",
                   words_span(metric_text(unit, outcome->value.low, low),
                              metric_text(unit, outcome->value.high, high), span));
    }
    markup_put(page->stream, "</td><td role=\"cell\" class=\"n\" data-label=\"%s\">%s</td>",
               known && outcome->margin < 0 ? "too much by" : "left",
               known ? metric_text(unit, outcome->margin, text) : "-");
    put_bar(page, outcome);
    fputs("</tr>\n", page->stream);
}

void page_budgets(struct page *page)
{
    struct page_tally tally = page_tally(page->report);
    static const char *const heads[] = {"status", "budget", "found", "left", "against the limit"};
    char finding[WORDS_SIZE];
    if (tally.budgets == 0) {
        return;
    }
    snprintf(finding, sizeof finding, "Budgets: %u of %u kept",
             tally.budgets - tally.budgets_failed, tally.budgets);
    page_section(page, "budgets", finding);
    fputs("<table role=\"table\" class=\"cards budgets\"><thead role=\"rowgroup\">"
          "<tr role=\"row\">",
          page->stream);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        markup_put(page->stream, "<th role=\"columnheader\" scope=\"col\"%s>%s</th>",
                   i == 2 || i == 3 ? " class=n" : "", heads[i]);
    }
    fputs("</tr></thead><tbody role=\"rowgroup\">\n", page->stream);
    for (uint32_t v = 0; v < page->report->variant_count; v++) {
        const struct report_variant *variant = &page->report->variants[v];
        for (uint32_t i = 0; variant->facts.budgets != NULL && i < variant->facts.budgets->count;
             i++) {
            put_budget(page, variant, &variant->facts.budgets->list[i]);
        }
    }
    fputs("</tbody></table>\n", page->stream);
    page_section_end(page);
}
