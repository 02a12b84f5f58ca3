/* What was asked: settings with where their defaults come from, the whole scenario, the command. */
#include "reports/report_page.h"

#include <inttypes.h>
#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

static bool is_of(const struct report_parameter *parameter, const char *section)
{
    size_t length = strlen(section);
    return strncmp(parameter->path, section, length) == 0 && parameter->path[length] == '.';
}

/* A later variant repeats only what is not as in the first. */
static bool is_new(const struct page *page, uint32_t index)
{
    const struct report_variant *first = &page->report->variants[0];
    return page->index == 0 || index >= first->parameter_count ||
           strcmp(first->parameters[index].path, page->variant->parameters[index].path) != 0 ||
           strcmp(first->parameters[index].value, page->variant->parameters[index].value) != 0;
}

static void put_parameter(struct page *page, const struct report_parameter *parameter, size_t cut)
{
    markup_put(page->stream,
               "<tr%s><th scope=\"row\"><code>%s</code><small>%s</small></th>"
               "<td class=\"n\"><code>%s</code>",
               parameter->changed ? " class=\"changed\"" : "", parameter->path + cut,
               parameter->about, parameter->value);
    if (parameter->changed && parameter->initial != NULL) {
        markup_put(page->stream, "<small>default %s</small>", parameter->initial);
    }
    fputs("</td><td class=\"source\">", page->stream);
    if (parameter->changed) {
        fputs("set by the scenario", page->stream);
    } else {
        page_linked(page->stream, parameter->source);
        markup_put(page->stream, " <i>%s</i>", parameter->sure);
    }
    fputs("</td></tr>\n", page->stream);
}

static void put_head(struct page *page, const char *caption)
{
    markup_put(page->stream,
               "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"%s\">"
               "<table class=\"settings\"><caption>%s</caption><thead><tr>"
               "<th scope=\"col\">setting</th><th scope=\"col\" class=\"n\">value</th>"
               "<th scope=\"col\">where the value comes from</th></tr></thead><tbody>\n",
               caption, caption);
}

void page_parameters(struct page *page, const char *section)
{
    const struct report_variant *variant = page->variant;
    char caption[128];
    uint32_t count = 0;
    snprintf(caption, sizeof caption, "Settings of %s%s", section,
             page->index == 0 ? "" : " that differ from the first variant's");
    for (uint32_t i = 0; i < variant->parameter_count; i++) {
        if (!is_of(&variant->parameters[i], section) || !is_new(page, i)) {
            continue;
        }
        if (count++ == 0) {
            put_head(page, caption);
        }
        put_parameter(page, &variant->parameters[i], strlen(section) + 1);
    }
    if (count > 0) {
        fputs("</tbody></table></div>\n", page->stream);
    }
}

static void put_changed(struct page *page)
{
    const struct report_variant *variant = page->variant;
    uint32_t count = 0;
    for (uint32_t i = 0; i < variant->parameter_count; i++) {
        if (page->index == 0 ? !variant->parameters[i].changed : !is_new(page, i)) {
            continue;
        }
        if (count++ == 0) {
            markup_put(page->stream, "<details class=\"more\"><summary>%s</summary>\n",
                       page->index == 0 ? "What this scenario sets" : "What differs");
            put_head(page, page->index == 0 ? "Everything else is at its default"
                                            : "Everything else is as in the first variant");
        }
        put_parameter(page, &variant->parameters[i], 0);
    }
    if (count > 0) {
        fputs("</tbody></table></div></details>\n", page->stream);
    }
}

static void put_run(struct page *page)
{
    const struct result *result = page->result;
    const struct plan_run *run = &result->plan->run;
    char warmup[HUMANE_SIZE];
    char measured[HUMANE_SIZE];
    char events[HUMANE_SIZE];
    char wall[HUMANE_SIZE];
    char fraction[HUMANE_SIZE];
    uint64_t measured_ns =
        result->until_ns > result->from_ns ? result->until_ns - result->from_ns : 0;
    markup_put(page->stream,
               "<p>%s of simulated time were measured, after %s of warm-up; %s events, %s on the "
               "clock. Seed %llu: the same seed and scenario give the same result to the byte, on "
               "any number of threads. Scenario hash <code>%016llx</code>.",
               humane_time((double)measured_ns, measured),
               result->from_ns == 0 ? "0 s" : humane_time((double)result->from_ns, warmup),
               humane_count((double)result->events, events),
               humane_time(result->host.wall_s * 1e9, wall), (unsigned long long)run->seed,
               (unsigned long long)page->variant->facts.plan_hash);
    if (result->fraction > 0 && result->fraction < 1) {
        markup_put(page->stream,
                   " A sample: %s of the clients, with as much of the fleet; counts and rates "
                   "here are the sample's.",
                   humane_percent(result->fraction, fraction));
    }
    if (result->judged) {
        markup_put(
            page->stream,
            " Every screen was read by the judge: %llu messages acknowledged, %llu shown, "
            "%llu owed, %llu violations.",
            (unsigned long long)result->judged_acked, (unsigned long long)result->judged_shown,
            (unsigned long long)result->judged_owed, (unsigned long long)result->violation_count);
    }
    fputs("</p>\n", page->stream);
}

void page_scenario(struct page *page)
{
    const struct plan *plan = page->result->plan;
    page_section(page, "scenario", "The scenario, and how to run it again");
    if (plan->about[0] != '\0') {
        markup_put(page->stream, "<p>%s</p>\n", plan->about);
    }
    put_run(page);
    if (page->variant->facts.repeat != NULL) {
        markup_put(page->stream,
                   "<div class=\"command\"><pre id=\"%srepeat\" tabindex=\"0\">%s</pre>"
                   "<button type=\"button\" data-copy=\"%srepeat\" hidden>Copy</button></div>\n",
                   page->prefix, page->variant->facts.repeat, page->prefix);
    }
    put_changed(page);
    if (page->variant->facts.plan_json != NULL && page->index == 0) {
        markup_put(page->stream,
                   "<details class=\"more\"><summary>The whole scenario as JSON</summary>"
                   "<pre class=\"json\" tabindex=\"0\">%s</pre></details>\n",
                   page->variant->facts.plan_json);
    }
    page_section_end(page);
}
