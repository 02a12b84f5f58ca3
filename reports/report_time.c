/* What happened when: rates and load over time, with the faults of the scenario. */
#include "reports/report_page.h"

#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/report_faults.h"
#include "reports/words.h"

static char *draw_rates(struct charts_size size, const void *context)
{
    return charts_rates(size, context);
}

static char *draw_cpu(struct charts_size size, const void *context)
{
    return charts_cpu(size, context);
}

static void put_faults(struct page *page)
{
    const struct plan *plan = page->result->plan;
    char words[WORDS_SIZE];
    char at[HUMANE_SIZE];
    char lasts[HUMANE_SIZE];
    if (plan->fault_count + plan->random_fault_count == 0) {
        return;
    }
    fputs("<p>Faults of the scenario, red in the charts, times as there:</p>\n<ul>\n",
          page->stream);
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *fault = &plan->faults[i];
        markup_put(page->stream, "<li>at %s: %s, ",
                   humane_time((double)(plan->run.warmup_ns + fault->at_ns), at),
                   fault_words(fault, words, sizeof words));
        if (fault->duration_ns == 0) {
            fputs("to the end of the run</li>\n", page->stream);
        } else {
            markup_put(page->stream, "for %s</li>\n",
                       humane_time((double)fault->duration_ns, lasts));
        }
    }
    for (uint32_t i = 0; i < plan->random_fault_count; i++) {
        markup_put(page->stream, "<li>%s (not marked)</li>\n",
                   fault_random_words(&plan->random_faults[i], words, sizeof words));
    }
    fputs("</ul>\n", page->stream);
}

/* "96% of the messages sent in the measured time were acknowledged in it" */
static void put_outcome(struct page *page)
{
    const struct result *result = page->result;
    char sent[HUMANE_SIZE];
    char acked[HUMANE_SIZE];
    char delivered[HUMANE_SIZE];
    char unfinished[HUMANE_SIZE];
    char lag[HUMANE_SIZE];
    markup_put(
        page->stream,
        "<p>In the measured time %s messages a second were sent, %s acknowledged and %s "
        "delivered (one to each device online). Unfinished at the end: %s messages sent and not "
        "acknowledged, %s records not consumed from the log.</p>\n",
        humane_count(words_per_s(result, "messages_sent"), sent),
        humane_count(words_per_s(result, "messages_acked"), acked),
        humane_count(words_per_s(result, "deliveries"), delivered),
        humane_count((double)result->unfinished, unfinished),
        humane_count((double)result->consumer_lag_records, lag));
}

void page_time(struct page *page)
{
    const struct result *result = page->result;
    char finding[WORDS_SIZE];
    char grows[HUMANE_SIZE];
    if (result->overloaded && result->unfinished_growth_per_s > 0) {
        snprintf(finding, sizeof finding,
                 "Over time: what is unfinished grows by %s messages a second",
                 humane_count(result->unfinished_growth_per_s, grows));
    } else {
        double acked = words_acked_share(result);
        snprintf(finding, sizeof finding, "Over time: %s%s",
                 result->overloaded      ? "no steady state"
                 : acked >= WORDS_BEHIND ? "it keeps up"
                                         : humane_percent(acked, grows),
                 !result->overloaded && acked < WORDS_BEHIND
                     ? " of the messages sent are acknowledged"
                     : "");
    }
    page_section(page, "time", finding);
    put_outcome(page);
    put_faults(page);
    if (result->interval_count > 1) {
        fputs("<div class=\"pair\">\n", page->stream);
        page_chart(page, "rates", "Messages a second over time",
                   "Sent and acknowledged should lie on each other; a gap is work left behind. "
                   "Grey: warm-up and drain, not measured.",
                   320, draw_rates, result);
        page_chart(page, "cpu", "CPU of each tier over time",
                   "The mean of a tier's nodes; the busiest node is in the table below. "
                   "One clock for both charts.",
                   320, draw_cpu, result);
        fputs("</div>\n", page->stream);
    }
    page_section_end(page);
}
