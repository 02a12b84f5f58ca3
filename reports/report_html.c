/* report.html, from top to bottom:
 *
 *     head         title is the finding; style sheet; a policy that forbids every request
 *     header       what, verdict, figures
 *     claims, budgets
 *     compare      where there are several results
 *     a result:    system, message, latency, time, limits, scenario
 *     ...          further results, folded
 *     foot         how to read this; version
 */
#include "reports/report.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "reports/chart.h"
#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/report_page.h"
#include "reports/version.h"
#include "reports/words.h"

enum { P50 = 0, P99 = 3 };

static void choose(struct page *page, uint32_t index)
{
    page->index = index;
    page->variant = &page->report->variants[index];
    page->result = page->variant->result;
    page->heading = page->report->variant_count > 1 ? 3 : 2;
    snprintf(page->prefix, sizeof page->prefix, "v%u-", index);
}

/* No script, font, picture or frame from anywhere: the page is all there is. */
static void put_head(struct page *page, const char *finding)
{
    markup_put(page->stream,
               "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
               "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
               "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
               "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
               "form-action 'none'\">\n"
               "<meta name=\"color-scheme\" content=\"light dark\">\n"
               "<meta name=\"generator\" content=\"chatscale " CHATSCALE_VERSION "\">\n"
               "<title>%s</title>\n<style>\n",
               finding);
    fputs(report_css, page->stream);
    fputs("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the findings</a>\n",
          page->stream);
}

static void put_figure(struct page *page, const char *name, const char *value, const char *more)
{
    markup_put(page->stream, "<div><dt>%s</dt><dd>%s", name, value);
    if (more[0] != '\0') {
        markup_put(page->stream, "<small>%s</small>", more);
    }
    fputs("</dd></div>\n", page->stream);
}

void page_figures(struct page *page)
{
    const struct result *result = page->result;
    const struct result_stage *delivery = result_stage(result, "delivery");
    const struct result_tier *tier = &result->tiers[result->binding_tier];
    const struct result_resource *binding = &tier->resources[result->binding_resource];
    char value[WORDS_SIZE];
    char more[WORDS_SIZE];
    char text[HUMANE_SIZE];
    fputs("<dl class=\"figures\">\n", page->stream);
    snprintf(more, sizeof more, "%s simulated", humane_count((double)result->clients, text));
    put_figure(page, "clients online", humane_count((double)result->online, value), more);
    snprintf(value, sizeof value, "%s/s", humane_count(words_per_s(result, "messages_sent"), text));
    snprintf(more, sizeof more, "%s/s delivered",
             humane_count(words_per_s(result, "deliveries"), text));
    put_figure(page, "messages sent", value, more);
    if (delivery != NULL && delivery->count > 0) {
        put_figure(page, "delivery, p50", words_quantile(delivery, P50, value),
                   words_interval(delivery, P50, more));
        put_figure(page, "delivery, p99", words_quantile(delivery, P99, value),
                   words_interval(delivery, P99, more));
    }
    if (binding->present) {
        snprintf(more, sizeof more, "%s, %s", words_tier(tier->name, false),
                 words_resource(tier, binding));
        put_figure(page, "fullest part", humane_percent(binding->utilization_mean, value), more);
    }
    fputs("</dl>\n", page->stream);
}

static void put_notes(struct page *page)
{
    const struct result *result = page->result;
    char at[HUMANE_SIZE];
    if (result->partial) {
        markup_put(page->stream,
                   "<p class=\"warning\"><b>Partial.</b> The run was interrupted at %s; figures "
                   "are of what there was until then.</p>\n",
                   humane_time((double)result->end_ns, at));
    }
    if (result->overloaded) {
        fputs("<p class=\"warning\"><b>No steady state.</b> More comes in than gets done, so "
              "latencies grow for as long as it runs: those below are of the messages that "
              "finished.</p>\n",
              page->stream);
    }
    if (result->violation_count > 0) {
        markup_put(page->stream,
                   "<p class=\"warning\"><b>%llu guarantees broken.</b> The judge who read every "
                   "screen says: %s</p>\n",
                   (unsigned long long)result->violation_count,
                   result->violation_words_count > 0 ? result->violations[0] : "");
    }
}

static void put_header(struct page *page, const char *finding)
{
    const struct plan *plan = page->result->plan;
    char when[64] = "";
    time_t started = (time_t)page->variant->facts.started_unix_s;
    struct tm utc;
    if (started != 0 && gmtime_r(&started, &utc) != NULL) {
        strftime(when, sizeof when, ", %d %b %Y %H:%M UTC", &utc);
    }
    fputs("<header>\n<div class=\"top\"><p class=\"kicker\">", page->stream);
    markup_put(page->stream, "chatscale: <b>%s</b>", plan->name);
    if (page->report->variant_count > 1) {
        markup_put(page->stream, ", %u variants", page->report->variant_count);
    } else if (plan->variant[0] != '\0') {
        markup_put(page->stream, " / <b>%s</b>", plan->variant);
    }
    if (plan->level > 0 && page->report->variant_count == 1) {
        markup_put(page->stream, ", level %u", plan->level);
    }
    markup_put(page->stream,
               "%s</p><button type=\"button\" class=\"theme\" hidden>Dark</button></div>\n"
               "<h1>",
               when);
    page_tight(page->stream, finding);
    fputs("</h1>\n", page->stream);
    if (plan->about[0] != '\0' && page->report->variant_count == 1) {
        markup_put(page->stream, "<p class=\"about\">%s</p>\n", plan->about);
    }
    fputs("</header>\n<main id=\"main\">\n", page->stream);
}

/* "Of 14 claims: ✗ 2 fail, ◐ 3 hold only if, ✓ 9 hold. Budgets: 5 of 6 kept." */
static void put_tally(struct page *page, const char *headline)
{
    struct page_tally tally = page_tally(page->report);
    char finding[WORDS_SIZE];
    fputs("<p class=\"tally\">", page->stream);
    if (tally.claims > 0) {
        markup_put(page->stream,
                   "Of %u claims <b class=\"bad\">✗ %u fail</b>, <b class=\"half\">◐ %u hold only "
                   "if</b>, <b class=\"good\">✓ %u hold</b>",
                   tally.claims, tally.by_status[VERDICT_FAILS], tally.by_status[VERDICT_HOLDS_IF],
                   tally.by_status[VERDICT_HOLDS]);
        if (tally.by_status[VERDICT_UNKNOWN] > 0) {
            markup_put(page->stream, ", ? %u unknown", tally.by_status[VERDICT_UNKNOWN]);
        }
        fputs(". ", page->stream);
    }
    if (tally.budgets > 0) {
        markup_put(page->stream, "Budgets: <b class=\"%s\">%u of %u kept</b>. ",
                   tally.budgets_failed > 0 ? "bad" : "good", tally.budgets - tally.budgets_failed,
                   tally.budgets);
    }
    words_finding(page->report->variants[0].result, finding);
    if (page->report->variant_count == 1 && strcmp(finding, headline) != 0) {
        markup_put(page->stream, "%s", finding);
    }
    fputs("</p>\n", page->stream);
}

static void put_contents(struct page *page)
{
    static const char *const parts[][2] = {{"system", "System"},   {"message", "One message"},
                                           {"latency", "Latency"}, {"time", "Over time"},
                                           {"limits", "Limits"},   {"scenario", "Scenario"}};
    struct page_tally tally = page_tally(page->report);
    fputs("<nav class=\"contents\" aria-label=\"Contents\"><ul>", page->stream);
    fputs(tally.claims > 0 ? "<li><a href=\"#all-claims\">Claims</a></li>" : "", page->stream);
    fputs(tally.budgets > 0 ? "<li><a href=\"#all-budgets\">Budgets</a></li>" : "", page->stream);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        markup_put(page->stream, "<li><a href=\"#v0-%s\">%s</a></li>", parts[i][0], parts[i][1]);
    }
    fputs("<li><a href=\"#how\">How to read this</a></li></ul></nav>\n", page->stream);
}

static void put_parts(struct page *page)
{
    page_system(page);
    page_message(page);
    page_latency(page);
    page_time(page);
    page_limits(page);
    page_scenario(page);
}

static void put_variant(struct page *page)
{
    char finding[WORDS_SIZE];
    markup_put(page->stream,
               "<details class=\"variant\"%s><summary><h2 id=\"%svariant\">%s</h2> <span>%s"
               "</span></summary>\n",
               page->index == 0 ? " open" : "", page->prefix, page->variant->title,
               words_finding(page->result, finding));
    if (page->result->plan->about[0] != '\0') {
        markup_put(page->stream, "<p>%s</p>\n", page->result->plan->about);
    }
    put_notes(page);
    page_figures(page);
    put_parts(page);
    fputs("</details>\n", page->stream);
}

static void put_foot(struct page *page)
{
    fputs("<section aria-labelledby=\"how\"><h2 id=\"how\">How to read this</h2>\n"
          "<p>Every figure comes from a simulation of the whole system: each client, each server, "
          "each message, with the code of the chat itself. Nothing here was measured on real "
          "machines; what a step costs on one is a setting, listed above with its source.</p>\n"
          "<ul><li><b>p99</b>: 99 of 100 messages were at least this fast. <b>p50</b> is the "
          "median.</li>\n"
          "<li><b>131–158 ms</b> below a figure: its 95% interval, from ten parts of the "
          "measured time. Another seed would land within it 19 times in 20. None is given where "
          "there was too little to tell.</li>\n"
          "<li><b>Utilization</b>: what is used of what there is, in the mean over a tier's nodes; "
          "the busiest node beside it. Above 100%: more is asked for than there is.</li>\n"
          "<li><b>M, k, B, T</b> are millions, thousands, billions, trillions; MB, GB, TB are "
          "decimal.</li>\n"
          "<li>Left out of the model, among others: garbage collection of the chat servers, "
          "bandwidth of a client's own network, a day's rise and fall of load (a run is one "
          "moment).</li></ul>\n</section>\n</main>\n",
          page->stream);
    markup_put(page->stream,
               "<footer><p>chatscale " CHATSCALE_VERSION
               ". This file needs nothing else: it can be mailed, printed, kept.</p></footer>\n"
               "<script>\n");
    fputs(report_js, page->stream);
    fputs("</script>\n</body>\n</html>\n", page->stream);
}

bool report_html_write(FILE *stream, const struct report *report, char *error)
{
    struct page page = {.stream = stream, .report = report, .error = error, .good = true};
    char finding[2 * WORDS_SIZE];
    bool several = report->variant_count > 1;
    choose(&page, 0);
    page_headline(report, finding);
    put_head(&page, finding);
    put_header(&page, finding);
    page.heading = 2;
    snprintf(page.prefix, sizeof page.prefix, "all-");
    put_tally(&page, finding);
    if (!several) {
        put_contents(&page);
    }
    page_claims(&page);
    page_budgets(&page);
    if (several) {
        page_compare(&page);
        for (uint32_t i = 0; i < report->variant_count; i++) {
            choose(&page, i);
            put_variant(&page);
        }
    } else {
        choose(&page, 0);
        put_notes(&page);
        page_figures(&page);
        put_parts(&page);
    }
    put_foot(&page);
    if (page.good && (fflush(stream) != 0 || ferror(stream))) {
        snprintf(error, CHART_ERROR_SIZE, "it can't be written: %s", strerror(errno));
        page.good = false;
    }
    return page.good;
}
