/* The way of one message, step by step: a bar from when a step begins to when it ends, both in the
 * mean, since means add up and quantiles don't.
 *
 *     uplink  claim  store  log  inbox  route  downlink      to the recipient's screen
 *                           publish            tick          to the sender's tick
 */
#include "reports/report_page.h"

#include <math.h>
#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

#define STEPS_MAX 10u

enum { P50 = 0, P90 = 1, P99 = 3, P999 = 4 };

struct step {
    const char *number;
    const char *name;
    const char *about;
    const struct result_stage *stage; /* NULL: what is left between two times. */
    double from_ns;
    double until_ns;
    uint32_t slot; /* Colour: of the tier that works. */
};

struct way {
    struct step steps[STEPS_MAX];
    uint32_t count;
    double end_ns;     /* Of the bars' scale. */
    double network_ns; /* Up and down. */
    double storage_ns;
    double log_ns;
    double route_ns; /* Inbox and routing. */
    bool adds_up;    /* The steps to delivery are no longer than it. */
};

static const struct result_stage *passed(const struct page *page, const char *name)
{
    const struct result_stage *stage = result_stage(page->result, name);
    return stage != NULL && stage->count > 0 ? stage : NULL;
}

static double mean_ns(const struct result_stage *stage)
{
    return stage == NULL ? 0 : stage->mean_ns.value;
}

/* Returns when the step ends. */
static double add(struct way *way, const char *number, const char *name, const char *about,
                  const struct result_stage *stage, double from_ns, double until_ns, uint32_t tier)
{
    way->steps[way->count++] = (struct step){
        number, name, about, stage, from_ns, until_ns, tier == 0 ? 1 : charts_tier_slot(tier)};
    way->end_ns = fmax(way->end_ns, until_ns);
    return until_ns;
}

enum { CLIENT, GATEWAY, FANOUT, KAFKA, CASSANDRA, REDIS };

static double add_stage(struct way *way, const struct page *page, const char *number,
                        const char *stage, const char *about, double from_ns, uint32_t tier)
{
    const struct result_stage *found = passed(page, stage);
    if (found == NULL) {
        return from_ns;
    }
    return add(way, number, stage, about, found, from_ns, from_ns + mean_ns(found), tier);
}

static void find_way(struct page *page, struct way *way)
{
    bool polls = page->result->plan->client.transport != PLAN_WEBSOCKET;
    double at =
        add_stage(way, page, "1", "uplink", "phone to chat server, over its network", 0, CLIENT);
    way->network_ns = at;
    double before = at;
    at = add_stage(way, page, "2", "claim",
                   "Cassandra notes the send, so that a retry stays one "
                   "message",
                   at, CASSANDRA);
    at = add_stage(way, page, "3", "store", "Cassandra has message and receipt row", at, CASSANDRA);
    way->storage_ns = at - before;
    double stored = at;
    double published =
        add_stage(way, page, "4", "publish", "Kafka has it on all replicas in sync", stored, KAFKA);
    at = add_stage(way, page, "5", "log", "through Kafka to a fan-out server", at, KAFKA);
    way->log_ns = at - stored;
    before = at;
    at = add_stage(way, page, "6", "inbox", "Redis appends it to the recipient's inbox", at, REDIS);
    const struct result_stage *route = passed(page, "route");
    if (route != NULL) {
        at = add(way, "7", "route",
                 polls ? "to the recipient's chat server, and waiting for a poll"
                       : "to the recipient's chat server",
                 NULL, at, fmax(at, mean_ns(route)), GATEWAY);
    }
    way->route_ns = at - before;
    const struct result_stage *delivery = passed(page, "delivery");
    way->adds_up = delivery == NULL || fabs(at / mean_ns(delivery) - 0.5) < 0.5;
    if (delivery != NULL && mean_ns(delivery) > at) {
        way->network_ns += mean_ns(delivery) - at;
        add(way, "8", "downlink", "chat server to the recipient's device", NULL, at,
            mean_ns(delivery), CLIENT);
    }
    at = published;
    const struct result_stage *ack = passed(page, "ack");
    if (ack != NULL) {
        add(way, "9", "tick", "chat server to the sender: sent", NULL, at, fmax(at, mean_ns(ack)),
            CLIENT);
    }
}

static void put_step(struct page *page, const struct way *way, const struct step *step)
{
    char mean[HUMANE_SIZE];
    double scale = way->end_ns > 0 ? 100 / way->end_ns : 0;
    markup_put(page->stream,
               "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\"><span class=\"step\">%s"
               "</span>%s<small>%s</small></th>"
               "<td role=\"cell\" class=\"bar-cell\"><span class=\"lane\"><span class=\"span s%u\" "
               "style=\"left:%.2f%%;width:%.2f%%\"></span></span></td>"
               "<td role=\"cell\" class=\"n\" data-label=\"mean\">%s</td>",
               step->number, step->name, step->about, step->slot, step->from_ns * scale,
               (step->until_ns - step->from_ns) * scale,
               humane_time(step->until_ns - step->from_ns, mean));
    if (step->stage != NULL) {
        page_quantile_cell(page, step->stage, P50, "p50");
        page_quantile_cell(page, step->stage, P99, "p99");
    } else {
        fputs("<td role=\"cell\" class=\"n dim\" data-label=\"p50\">-</td>"
              "<td role=\"cell\" class=\"n dim\" data-label=\"p99\">-</td>",
              page->stream);
    }
    fputs("</tr>\n", page->stream);
}

/* The sum: "delivered" and "sent". */
static void put_whole(struct page *page, const struct way *way, const char *name, const char *about,
                      const struct result_stage *stage)
{
    char mean[HUMANE_SIZE];
    if (stage == NULL) {
        return;
    }
    markup_put(page->stream,
               "<tr role=\"row\" class=\"whole\"><th role=\"rowheader\" scope=\"row\">"
               "<span class=\"step\"></span>%s<small>%s</small></th>"
               "<td role=\"cell\" class=\"bar-cell\"><span class=\"lane\"><span class=\"span "
               "all\" style=\"left:0;width:%.2f%%\"></span></span></td>"
               "<td role=\"cell\" class=\"n\" data-label=\"mean\">%s</td>",
               name, about, way->end_ns > 0 ? mean_ns(stage) * 100 / way->end_ns : 0,
               humane_time(mean_ns(stage), mean));
    page_quantile_cell(page, stage, P50, "p50");
    page_quantile_cell(page, stage, P99, "p99");
    fputs("</tr>\n", page->stream);
}

/* "An average message takes 58 ms, 69% of it on the clients' own networks" */
static void say_way(const struct way *way, double whole_ns, char *finding)
{
    const struct {
        const char *where;
        double ns;
    } parts[] = {{"on the clients' own networks", way->network_ns},
                 {"in Cassandra", way->storage_ns},
                 {"in Kafka", way->log_ns},
                 {"in fan-out and routing", way->route_ns}};
    size_t most = 0;
    for (size_t i = 1; i < sizeof parts / sizeof *parts; i++) {
        most = parts[i].ns > parts[most].ns ? i : most;
    }
    char time[HUMANE_SIZE];
    char share[HUMANE_SIZE];
    snprintf(finding, WORDS_SIZE, "The way of one message: %s in the mean, %s of it %s",
             humane_time(whole_ns, time),
             humane_percent(whole_ns > 0 ? parts[most].ns / whole_ns : 0, share),
             parts[most].where);
}

void page_message(struct page *page)
{
    struct way way = {0};
    char finding[WORDS_SIZE] = "The way of one message";
    const struct result_stage *delivery = passed(page, "delivery");
    find_way(page, &way);
    if (delivery != NULL) {
        say_way(&way, mean_ns(delivery), finding);
    }
    page_section(page, "message", finding);
    if (way.count == 0) {
        fputs("<p>No message passed in the measured time.</p>\n", page->stream);
        page_section_end(page);
        return;
    }
    fputs("<p>From the tap on send. Bars are means, which add up; p50 and p99 beside them are of "
          "that step alone, with the 95% interval below, and don't add up. The log "
          "carries a message on while it is still being published. A step without them is what is "
          "left between two measured times.</p>\n"
          "<table role=\"table\" class=\"cards way-table\"><thead role=\"rowgroup\">"
          "<tr role=\"row\"><th role=\"columnheader\" scope=\"col\">step</th>"
          "<th role=\"columnheader\" scope=\"col\">when</th>"
          "<th role=\"columnheader\" scope=\"col\" class=\"n\">mean</th>"
          "<th role=\"columnheader\" scope=\"col\" class=\"n\">p50</th>"
          "<th role=\"columnheader\" scope=\"col\" class=\"n\">p99</th></tr></thead>"
          "<tbody role=\"rowgroup\">\n",
          page->stream);
    for (uint32_t i = 0; i < way.count; i++) {
        if (way.steps[i].number[0] == '9') {
            put_whole(page, &way, "delivered", "shown on the recipient's device", delivery);
        }
        put_step(page, &way, &way.steps[i]);
    }
    put_whole(page, &way, "acknowledged", "the sender sees the tick", passed(page, "ack"));
    fputs("</tbody></table>\n", page->stream);
    if (!way.adds_up) {
        fputs("<p class=\"note\">The steps take longer than the whole, since more messages passed "
              "the first than the last: what was under way when the measured time ended, or never "
              "arrived, counts in some of them only.</p>\n",
              page->stream);
    }
    page_section_end(page);
}
