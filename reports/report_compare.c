/* Several results of one run, side by side: one row each, and their deliveries in one chart. */
#include "reports/report_page.h"

#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

enum { P50 = 0, P99 = 3 };

static const char *variant_name(const struct report *report, uint32_t index)
{
    const struct plan *plan = report->variants[index].result->plan;
    bool one = true;
    for (uint32_t i = 0; i < report->variant_count; i++) {
        one = one && strcmp(report->variants[i].result->plan->name, plan->name) == 0;
    }
    return one && plan->variant[0] != '\0' ? plan->variant : report->variants[index].title;
}

static void put_waste(struct page *page, const struct result *result)
{
    double polls = words_per_s(result, "polls");
    char rate[HUMANE_SIZE];
    char share[HUMANE_SIZE];
    if (polls > 0) {
        markup_put(page->stream, "%s/s<small>%s empty</small>", humane_count(polls, rate),
                   humane_percent(words_per_s(result, "polls_empty") / polls, share));
    } else {
        fputs("none", page->stream);
    }
}

static void put_row(struct page *page, uint32_t index)
{
    const struct result *result = page->report->variants[index].result;
    const struct result_tier *tier = &result->tiers[result->binding_tier];
    const struct result_resource *binding = &tier->resources[result->binding_resource];
    char rate[HUMANE_SIZE];
    char percent[HUMANE_SIZE];
    const char *class = result->overloaded ? "bad" : result->finding_count > 0 ? "half" : "good";
    const char *word = result->overloaded          ? "✗ overloaded"
                       : result->finding_count > 0 ? "◐ does not fit"
                                                   : "✓ keeps up";
    markup_put(page->stream,
               "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\"><a href=\"#v%u-variant\">%s"
               "</a></th><td role=\"cell\" data-label=\"does it keep up\" class=\"%s\">%s</td>",
               index, variant_name(page->report, index), class, word);
    page_quantile_cell(page, result_stage(result, "delivery"), P50, "delivery p50");
    page_quantile_cell(page, result_stage(result, "delivery"), P99, "delivery p99");
    page_quantile_cell(page, result_stage(result, "ack"), P99, "ack p99");
    markup_put(page->stream, "<td role=\"cell\" class=\"n\" data-label=\"delivered\">%s/s</td>",
               humane_count(words_per_s(result, "deliveries"), rate));
    fputs("<td role=\"cell\" class=\"n\" data-label=\"polls\">", page->stream);
    put_waste(page, result);
    fputs("</td><td role=\"cell\" class=\"span-all\" data-label=\"binds first\">", page->stream);
    if (binding->present) {
        markup_put(page->stream, "%s %s, %s", words_tier(tier->name, false),
                   words_resource(tier, binding),
                   humane_percent(binding->utilization_mean, percent));
    }
    fputs("</td></tr>\n", page->stream);
}

struct curves {
    struct charts_curve list[CHARTS_CURVES_MAX];
    uint32_t count;
};

static char *draw_curves(struct charts_size size, const void *context)
{
    const struct curves *curves = context;
    return charts_cdf(size, curves->list, curves->count, 0, 0);
}

static void put_chart(struct page *page)
{
    static const uint32_t slots[CHARTS_CURVES_MAX] = {2, 3, 6, 5, 4, 7, 8, 1};
    struct curves curves = {0};
    uint32_t all = page->report->variant_count;
    fputs("<ul class=\"key\">", page->stream);
    for (uint32_t i = 0; i < all && curves.count < CHARTS_CURVES_MAX; i++) {
        const struct result_stage *stage =
            result_stage(page->report->variants[i].result, "delivery");
        if (stage == NULL || stage->count == 0) {
            continue;
        }
        fputs("<li>", page->stream);
        page_swatch(page, slots[curves.count]);
        markup_put(page->stream, "%s</li>", variant_name(page->report, i));
        curves.list[curves.count] = (struct charts_curve){stage, slots[curves.count], false};
        curves.count++;
    }
    fputs("</ul>\n", page->stream);
    page_chart(page, "compare", "Delivery latency of each variant",
               "From the tap on send to the recipient's screen. Further left is faster; where a "
               "curve bends to the right, its slowest messages are far slower than most.",
               380, draw_curves, &curves);
}

/* The fastest and the slowest at p99; false: there are no two to compare. */
static bool find_extremes(const struct report *report, uint32_t *best, uint32_t *worst)
{
    uint32_t known = 0;
    double least = 0;
    double most = 0;
    for (uint32_t i = 0; i < report->variant_count; i++) {
        const struct result_stage *stage = result_stage(report->variants[i].result, "delivery");
        if (stage == NULL || !words_has_quantile(stage, P99)) {
            continue;
        }
        double ns = stage->quantile_ns[P99].value;
        if (known == 0 || ns < least) {
            *best = i;
            least = ns;
        }
        if (known == 0 || ns > most) {
            *worst = i;
            most = ns;
        }
        known++;
    }
    return known > 1 && *best != *worst;
}

static uint32_t count_overloaded(const struct report *report, uint32_t *first)
{
    uint32_t count = 0;
    for (uint32_t i = report->variant_count; i-- > 0;) {
        if (report->variants[i].result->overloaded) {
            *first = i;
            count++;
        }
    }
    return count;
}

/* "1 of 4 variants is overloaded (polling). 99% of messages arrive within 143 ms with websocket,
 * 5.2 s with polling." */
const char *report_finding(const struct report *report, char *finding)
{
    uint32_t first = 0;
    uint32_t best = 0;
    uint32_t worst = 0;
    char low[WORDS_SIZE];
    char high[WORDS_SIZE];
    uint32_t overloaded = count_overloaded(report, &first);
    size_t length = 0;
    finding[0] = '\0';
    if (overloaded > 0) {
        snprintf(finding, 2 * WORDS_SIZE, "%u of %u variants %s overloaded, %s%s. ", overloaded,
                 report->variant_count, overloaded == 1 ? "is" : "are", variant_name(report, first),
                 overloaded > 1 ? " among them" : "");
        length = strlen(finding);
    }
    if (find_extremes(report, &best, &worst)) {
        snprintf(
            finding + length, 2 * WORDS_SIZE - length,
            "99%% of messages arrive within %s with %s, %s with %s.",
            words_quantile(result_stage(report->variants[best].result, "delivery"), P99, low),
            variant_name(report, best),
            words_quantile(result_stage(report->variants[worst].result, "delivery"), P99, high),
            variant_name(report, worst));
    } else if (overloaded == 0) {
        snprintf(finding, 2 * WORDS_SIZE, "%u variants side by side", report->variant_count);
    }
    return finding;
}

void page_compare(struct page *page)
{
    static const char *const heads[] = {"variant",      "does it keep up", "delivery p50",
                                        "delivery p99", "ack p99",         "delivered",
                                        "polls",        "binds first"};
    char finding[WORDS_SIZE];
    snprintf(finding, sizeof finding, "%u variants side by side", page->report->variant_count);
    page_section(page, "compare", finding);
    fputs("<table role=\"table\" class=\"cards\"><thead role=\"rowgroup\"><tr role=\"row\">",
          page->stream);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        bool number = i >= 2 && i <= 6;
        markup_put(page->stream, "<th role=\"columnheader\" scope=\"col\"%s>%s</th>",
                   number ? " class=n" : "", heads[i]);
    }
    fputs("</tr></thead><tbody role=\"rowgroup\">\n", page->stream);
    for (uint32_t i = 0; i < page->report->variant_count; i++) {
        put_row(page, i);
    }
    fputs("</tbody></table>\n", page->stream);
    put_chart(page);
    page_section_end(page);
}
