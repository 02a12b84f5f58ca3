/* The system: its map, then a block a tier: what it uses of what it has, and what it was set to. */
#include "reports/report_page.h"

#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

static void put_resource(struct page *page, const struct result_tier *tier,
                         const struct result_resource *resource)
{
    char mean[WORDS_SIZE];
    char limit[WORDS_SIZE];
    char share[HUMANE_SIZE];
    char most[HUMANE_SIZE];
    markup_put(page->stream,
               "<tr><th scope=\"row\">%s</th><td class=\"n\">%s</td><td class=\"n\">%s</td>"
               "<td class=\"n\">%s</td><td class=\"n\">%s",
               words_resource(tier, resource),
               words_amount(tier, resource, resource->used_mean, mean),
               words_amount(tier, resource, resource->limit, limit),
               humane_percent(resource->utilization_mean, share),
               humane_percent(resource->utilization_max, most));
    if (tier->nodes > 1) {
        markup_put(page->stream, ", #%u", resource->worst);
    }
    fputs("</td></tr>\n", page->stream);
}

static void put_resources(struct page *page, const struct result_tier *tier)
{
    if (words_busiest(tier, false) == NULL) {
        return;
    }
    markup_put(page->stream,
               "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Use of a %s\">"
               "<table><caption>What a %s uses of what it has</caption><thead><tr>"
               "<th scope=\"col\">resource</th><th scope=\"col\" class=\"n\">used, mean</th>"
               "<th scope=\"col\" class=\"n\">it has</th><th scope=\"col\" class=\"n\">share</th>"
               "<th scope=\"col\" class=\"n\">busiest node</th></tr></thead><tbody>\n",
               words_tier(tier->name, false), words_tier(tier->name, false));
    for (uint32_t r = 0; r < RESULT_RESOURCES; r++) {
        if (tier->resources[r].present) {
            put_resource(page, tier, &tier->resources[r]);
        }
    }
    fputs("</tbody></table></div>\n", page->stream);
}

static const char *tier_about(const char *name)
{
    static const char *const abouts[][2] = {
        {"population", "Every phone and browser: they connect, write, read, lose their network "
                       "and come back."},
        {"gateway", "Holds the clients' connections, takes what they send, and passes on what is "
                    "for them."},
        {"fanout", "Reads the log, and puts each message into the inbox of each recipient's "
                   "device."},
        {"kafka", "The log of messages: replicated, in order within a channel."},
        {"cassandra", "Keeps messages and receipts: one row each, replicated."},
        {"redis", "Knows who is online and where, and keeps what each device has yet to get."},
        {"push", "Wakes devices that are offline, through Apple and Google."},
    };
    for (size_t i = 0; i < sizeof abouts / sizeof *abouts; i++) {
        if (strcmp(abouts[i][0], name) == 0) {
            return abouts[i][1];
        }
    }
    return "";
}

static void put_summary(struct page *page, uint32_t t)
{
    const struct result_tier *tier = &page->result->tiers[t];
    const struct result_resource *use = words_busiest(tier, false);
    char count[HUMANE_SIZE];
    char mean[HUMANE_SIZE];
    char most[HUMANE_SIZE];
    if (t == 0) {
        markup_put(page->stream, "<summary><b>clients</b> <span>%s simulated one by one",
                   humane_count((double)page->result->clients, count));
    } else {
        markup_put(page->stream, "<summary><b>%s</b> <span>%s", words_tier(tier->name, true),
                   humane_count(tier->nodes, count));
    }
    if (use != NULL) {
        markup_put(page->stream, "; %s at %s, busiest %s", words_resource(tier, use),
                   humane_percent(use->utilization_mean, mean),
                   humane_percent(use->utilization_max, most));
    }
    fputs("</span></summary>\n", page->stream);
}

static void put_tier(struct page *page, uint32_t t)
{
    const struct result_tier *tier = &page->result->tiers[t];
    markup_put(page->stream, "<details class=\"tier\" id=\"%s%s\">", page->prefix, tier->name);
    put_summary(page, t);
    markup_put(page->stream, "<p>%s</p>\n", tier_about(tier->name));
    put_resources(page, tier);
    if (t == 0) {
        page_parameters(page, "population");
        page_parameters(page, "client");
        page_parameters(page, "network");
    } else {
        page_parameters(page, tier->name);
    }
    fputs("</details>\n", page->stream);
}

void page_system(struct page *page)
{
    const struct result *result = page->result;
    char finding[WORDS_SIZE];
    char percent[HUMANE_SIZE];
    const struct result_tier *tier = &result->tiers[result->binding_tier];
    const struct result_resource *binding = &tier->resources[result->binding_resource];
    snprintf(finding, sizeof finding, "The system, and how full each part is");
    if (binding->present) {
        snprintf(finding, sizeof finding, "The system: its fullest part is %s %s, at %s",
                 words_tier(tier->name, false), words_resource(tier, binding),
                 humane_percent(binding->utilization_mean, percent));
    }
    page_section(page, "system", finding);
    fputs("<p>A message goes along the numbers. Times are medians of a step. A bar shows the "
          "fullest resource of a part: the mean of its nodes, and the busiest as a stroke. "
          "Choose a part for all its resources, its settings and where their defaults come "
          "from.</p>\n<div class=\"map-box\">\n",
          page->stream);
    page_map(page);
    fputs("</div>\n<div class=\"tiers\">\n", page->stream);
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        if (result->tiers[t].name != NULL) {
            put_tier(page, t);
        }
    }
    fputs("</div>\n", page->stream);
    page_section_end(page);
}
