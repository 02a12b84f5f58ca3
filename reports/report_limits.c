/* What binds first, and what comes after it: each resource with the load at which it is full. */
#include "reports/report_page.h"

#include <math.h>
#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

#define LIMITS_MAX (RESULT_TIERS * RESULT_RESOURCES)
#define LIMITS_SHOWN 8u
#define LEAST 0.0005 /* Who uses less than that will not bind before all else has changed. */

struct limit {
    const struct result_tier *tier;
    const struct result_resource *resource;
};

static bool is_space(const struct result_resource *resource)
{
    return strcmp(resource->name, "disk_space") == 0;
}

static bool is_quota(const struct result_resource *resource)
{
    return strcmp(resource->name, "quota") == 0;
}

/* By mean utilization, the fullest first. Disk space is apart, since it fills with days, not with
 * load, and so is the push quota, which no message waits for. */
static uint32_t find_limits(const struct result *result, struct limit *limits)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            const struct result_resource *resource = &result->tiers[t].resources[r];
            if (!resource->present || is_space(resource) || is_quota(resource) ||
                resource->utilization_mean < LEAST) {
                continue;
            }
            uint32_t at = count++;
            while (at > 0 &&
                   limits[at - 1].resource->utilization_mean < resource->utilization_mean) {
                limits[at] = limits[at - 1];
                at--;
            }
            limits[at] = (struct limit){&result->tiers[t], resource};
        }
    }
    return count;
}

static void put_limit(struct page *page, const struct limit *limit, double rate)
{
    const struct result_resource *resource = limit->resource;
    char mean[HUMANE_SIZE];
    char most[HUMANE_SIZE];
    char each[WORDS_SIZE];
    char load[HUMANE_SIZE];
    char first[HUMANE_SIZE];
    char full[HUMANE_SIZE];
    markup_put(page->stream,
               "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">%s, %s</th>"
               "<td role=\"cell\" class=\"n\" data-label=\"in use\">%s"
               "<small>busiest %s</small></td>"
               "<td role=\"cell\" class=\"n\" data-label=\"a node has\">%s</td>"
               "<td role=\"cell\" class=\"n\" data-label=\"full at\">%s times this load"
               "<small>%s messages/s</small></td>"
               "<td role=\"cell\" class=\"n\" data-label=\"busiest node full at\">%s times</td>"
               "</tr>\n",
               words_tier(limit->tier->name, false), words_resource(limit->tier, resource),
               humane_percent(resource->utilization_mean, mean),
               humane_percent(resource->utilization_max, most),
               words_amount(limit->tier, resource, resource->limit, each),
               humane_count(1 / resource->utilization_mean, load),
               humane_count(rate / resource->utilization_mean, full),
               humane_count(1 / fmax(resource->utilization_max, 1e-9), first));
}

static void put_table(struct page *page, const struct limit *limits, uint32_t count)
{
    const struct result *result = page->result;
    double rate =
        words_per_s(result, "messages_sent") / (result->fraction > 0 ? result->fraction : 1);
    fputs("<table role=\"table\" class=\"cards\"><caption>What is full next, if load grows evenly"
          "</caption><thead role=\"rowgroup\"><tr role=\"row\">",
          page->stream);
    static const char *const heads[] = {"resource", "in use", "a node has", "full at",
                                        "busiest node full at"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        markup_put(page->stream, "<th role=\"columnheader\" scope=\"col\"%s>%s</th>",
                   i == 0 ? "" : " class=n", heads[i]);
    }
    fputs("</tr></thead><tbody role=\"rowgroup\">\n", page->stream);
    for (uint32_t i = 0; i < count && i < LIMITS_SHOWN; i++) {
        put_limit(page, &limits[i], rate);
    }
    fputs("</tbody></table>\n", page->stream);
}

static uint64_t retention_ns(const struct plan *plan, const char *tier)
{
    return strcmp(tier, "kafka") == 0       ? plan->kafka.retention_ns
           : strcmp(tier, "cassandra") == 0 ? plan->cassandra.retention_ns
                                            : 0;
}

/* Disks don't bind today: they say how long this can be kept. */
static void put_disks(struct page *page)
{
    const struct result *result = page->result;
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        const struct result_tier *tier = &result->tiers[t];
        for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
            const struct result_resource *resource = &tier->resources[r];
            if (!resource->present || !is_space(resource) || resource->utilization_mean <= 0) {
                continue;
            }
            char percent[HUMANE_SIZE];
            char kept[HUMANE_SIZE];
            char holds[HUMANE_SIZE];
            double retention = (double)retention_ns(result->plan, tier->name);
            markup_put(page->stream, "<li>Disks of the %s: %s of messages need %s of them",
                       words_tier(tier->name, true), humane_time(retention, kept),
                       humane_percent(resource->utilization_mean, percent));
            if (resource->utilization_mean > 1) {
                markup_put(page->stream, "; <b>they are full after %s</b>",
                           humane_time(retention / resource->utilization_mean, holds));
            }
            fputs(".</li>\n", page->stream);
        }
    }
}

static void put_quota(struct page *page)
{
    for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
        const struct result_resource *resource =
            &page->result->tiers[RESULT_TIERS - 1].resources[r];
        char percent[HUMANE_SIZE];
        if (resource->present && is_quota(resource)) {
            markup_put(page->stream, "<li>Wake-ups by push need %s of FCM's quota",
                       humane_percent(resource->utilization_mean, percent));
            fputs(resource->utilization_mean > 1 ? "; <b>the rest is refused</b>.</li>\n"
                                                 : ".</li>\n",
                  page->stream);
        }
    }
}

/* "Cassandra node CPU is full at 1.6 times this load; then Kafka broker network out, at 2.1" */
static void say_limits(const struct limit *limits, uint32_t count, char *finding)
{
    char first[HUMANE_SIZE];
    char next[HUMANE_SIZE];
    if (count == 0) {
        snprintf(finding, WORDS_SIZE, "Nothing binds at this load");
        return;
    }
    snprintf(finding, WORDS_SIZE, "First to bind: %s %s, full at %s times this load",
             words_tier(limits[0].tier->name, false),
             words_resource(limits[0].tier, limits[0].resource),
             humane_count(1 / limits[0].resource->utilization_mean, first));
    size_t length = strlen(finding);
    if (count > 1) {
        snprintf(finding + length, WORDS_SIZE - length, "; then %s %s, at %s times",
                 words_tier(limits[1].tier->name, false),
                 words_resource(limits[1].tier, limits[1].resource),
                 humane_count(1 / limits[1].resource->utilization_mean, next));
    }
}

static char *draw_utilization(struct charts_size size, const void *context)
{
    return charts_utilization(size, context);
}

void page_limits(struct page *page)
{
    struct limit limits[LIMITS_MAX];
    char finding[WORDS_SIZE];
    uint32_t count = find_limits(page->result, limits);
    say_limits(limits, count, finding);
    page_section(page, "limits", finding);
    uint32_t rows = charts_utilization_rows(page->result);
    fputs("<div class=\"split\">\n", page->stream);
    if (rows > 0) {
        page_chart(page, "use", finding,
                   "Bar: mean over a tier's nodes in the measured time; line: the busiest node. "
                   "Queues grow fast above 80%; at 100% they have no end.",
                   92 + 30 * rows, draw_utilization, page->result);
    }
    fputs("<div><p class=\"note\">The table reads from the top: when the first is mended, the "
          "second binds. It takes use to grow in proportion to load, as CPU and network nearly do; "
          "connections and memory grow with the people online. A run with the mended fleet "
          "(--set) tells for sure.</p>\n<ul>\n",
          page->stream);
    put_disks(page);
    put_quota(page);
    fputs("</ul></div></div>\n", page->stream);
    if (count > 0) {
        put_table(page, limits, count);
    }
    page_section_end(page);
}
