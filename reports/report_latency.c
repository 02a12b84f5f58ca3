/* Latency by stage: the distribution as curves, and every stage as a row. */
#include "reports/report_page.h"

#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

enum { P50 = 0, P90 = 1, P99 = 3, P999 = 4 };

struct curves {
    struct charts_curve list[CHARTS_CURVES_MAX];
    uint32_t count;
    double limit_ns;
    double limit_share;
};

/* What can be told apart in one chart; the table has the rest. */
static void find_curves(const struct page *page, struct curves *curves)
{
    static const struct {
        const char *stage;
        uint32_t slot;
    } chosen[] = {{"delivery", 2}, {"ack", 6},   {"receipt", 4}, {"poll", 8},
                  {"claim", 7},    {"store", 5}, {"publish", 3}, {"inbox", 1}};
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        const struct result_stage *stage = result_stage(page->result, chosen[i].stage);
        if (stage != NULL && stage->count > 0) {
            curves->list[curves->count++] = (struct charts_curve){stage, chosen[i].slot, i == 0};
        }
    }
}

/* What the scenario claims of delivery, if it does, is drawn as the corner to keep out of. */
static void find_limit(const struct page *page, struct curves *curves)
{
    const struct plan *plan = page->result->plan;
    for (uint32_t i = 0; i < plan->claim_count; i++) {
        const struct plan_claim *claim = &plan->claims[i];
        if (strcmp(claim->id, "delivery_latency") == 0 && claim->figure > 0 &&
            claim->at < PLAN_AT_AVERAGE) {
            curves->limit_ns = claim->figure;
            curves->limit_share = result_quantiles[claim->at];
        }
    }
}

static char *draw_curves(struct charts_size size, const void *context)
{
    const struct curves *curves = context;
    return charts_cdf(size, curves->list, curves->count, curves->limit_ns, curves->limit_share);
}

/* The key of the chart is a table of what the curves say. */
static void put_key(struct page *page, const struct curves *curves)
{
    char time[WORDS_SIZE];
    fputs("<div><table class=\"key-table\"><caption>The curves in figures</caption><thead><tr>"
          "<th scope=\"col\">stage</th><th scope=\"col\" class=\"n\">p50</th>"
          "<th scope=\"col\" class=\"n\">p99</th><th scope=\"col\" class=\"n\">p99.9</th></tr>"
          "</thead><tbody>\n",
          page->stream);
    for (uint32_t i = 0; i < curves->count; i++) {
        const struct result_stage *stage = curves->list[i].stage;
        fputs("<tr><th scope=\"row\">", page->stream);
        page_swatch(page, curves->list[i].slot);
        markup_put(page->stream, "%s</th>", stage->name);
        page_quantile_cell(page, stage, P50, "p50");
        page_quantile_cell(page, stage, P99, "p99");
        markup_put(page->stream, "<td class=\"n\">%s</td></tr>\n",
                   words_quantile(stage, P999, time));
    }
    fputs("</tbody></table><p class=\"note\">Below a figure: its 95% interval. - : too few "
          "messages to tell.</p></div>\n",
          page->stream);
}

static void put_row(struct page *page, const struct result_stage *stage)
{
    char count[HUMANE_SIZE];
    char mean[HUMANE_SIZE];
    char most[HUMANE_SIZE];
    markup_put(page->stream,
               "<tr><th scope=\"row\">%s<small>%s</small></th><td class=\"n\">%s</td>"
               "<td class=\"n\">%s</td>",
               stage->name, stage->about, humane_count((double)stage->count, count),
               humane_time(stage->mean_ns.value, mean));
    page_quantile_cell(page, stage, P50, "p50");
    page_quantile_cell(page, stage, P90, "p90");
    page_quantile_cell(page, stage, P99, "p99");
    page_quantile_cell(page, stage, P999, "p99.9");
    markup_put(page->stream, "<td class=\"n\">%s</td></tr>\n", humane_time(stage->max_ns, most));
}

static void put_table(struct page *page)
{
    fputs("<details class=\"more\"><summary>Every stage as a table</summary>\n"
          "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Latency by stage\">"
          "<table><thead><tr><th scope=\"col\">stage</th>",
          page->stream);
    static const char *const heads[] = {"count", "mean", "p50", "p90", "p99", "p99.9", "max"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        markup_put(page->stream, "<th scope=\"col\" class=\"n\">%s</th>", heads[i]);
    }
    fputs("</tr></thead><tbody>\n", page->stream);
    for (uint32_t i = 0; i < page->result->stage_count; i++) {
        if (page->result->stages[i].count > 0) {
            put_row(page, &page->result->stages[i]);
        }
    }
    fputs("</tbody></table></div></details>\n", page->stream);
}

void page_latency(struct page *page)
{
    struct curves curves = {0};
    char finding[WORDS_SIZE] = "Latency by stage";
    char p50[WORDS_SIZE];
    char p99[WORDS_SIZE];
    const struct result_stage *delivery = result_stage(page->result, "delivery");
    find_curves(page, &curves);
    find_limit(page, &curves);
    if (delivery != NULL && words_has_quantile(delivery, P99)) {
        snprintf(finding, sizeof finding, "Half of the messages arrive within %s, 99%% within %s",
                 words_quantile(delivery, P50, p50), words_quantile(delivery, P99, p99));
    }
    page_section(page, "latency", finding);
    if (curves.count == 0) {
        fputs("<p>Nothing passed any stage in the measured time.</p>\n", page->stream);
        page_section_end(page);
        return;
    }
    fputs("<div class=\"split\">\n", page->stream);
    page_chart(page, "cdf", finding,
               "Higher and further left is better. Each line up is ten times fewer messages that "
               "take longer: at 99% one in a hundred is slower than the curve says.",
               400, draw_curves, &curves);
    put_key(page, &curves);
    fputs("</div>\n", page->stream);
    put_table(page);
    page_section_end(page);
}
