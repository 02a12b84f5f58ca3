/* The map of the system: a box a tier, in the order in which a message meets them.
 *
 *     clients <--> chat servers --> Cassandra             (1 send, 2 claim, 3 store)
 *                        |     <--- route --- Redis       (7)
 *                        `--> Kafka --> fan-out --> Redis (4 publish, 5 log, 6 inbox)
 *                                          `--> push
 *
 * Drawn twice, wide and narrow, from one list of boxes and one of ways. A box is a link to the
 * tier's details. */
#include "reports/report_page.h"

#include <math.h>
#include <string.h>

#include "reports/humane.h"
#include "reports/markup.h"
#include "reports/words.h"

#define LAYOUTS 2u /* Wide, narrow. */

enum { P50 = 0 }; /* Of result_quantiles. */

struct layout {
    const char *class;
    uint32_t width;
    uint32_t height;
    double box_width;
    double box_height;
};

static const struct layout layouts[LAYOUTS] = {{"only-wide", 1156, 420, 178, 92},
                                               {"only-narrow", 360, 676, 160, 88}};

/* Left upper corner, in both layouts; by tier. */
static const double places[RESULT_TIERS][LAYOUTS][2] = {
    {{1, 164}, {100, 1}},     /* population */
    {{263, 164}, {100, 148}}, /* gateway */
    {{738, 322}, {199, 442}}, /* fanout */
    {{500, 322}, {199, 295}}, /* kafka */
    {{500, 6}, {1, 295}},     /* cassandra */
    {{738, 164}, {1, 442}},   /* redis */
    {{976, 322}, {199, 587}}, /* push */
};

/* Where a text stands, and how: "start", "middle" (with the time below it) or "end". */
struct spot {
    double x;
    double y;
    const char *anchor;
};

/* A way of messages between two tiers. */
struct way {
    const char *number; /* As in the way of one message; "" for none. */
    const char *label;
    const char *stage; /* Whose median time stands at it; NULL: none. */
    const char *path[LAYOUTS];
    struct spot spots[LAYOUTS];
    bool dashed;
};

#define START "start"
#define MIDDLE "middle"
#define END "end"

static const struct way ways[] = {
    {"1",
     "uplink",
     "uplink",
     {"M179,192H263", "M140,89V148"},
     {{221, 166, MIDDLE}, {132, 123, END}},
     false},
    {"2",
     "claim",
     "claim",
     {"M330,164V38H500", "M130,236V295"},
     {{338, 30, START}, {122, 260, END}},
     false},
    {"3",
     "store",
     "store",
     {"M366,164V68H500", "M148,236V295"},
     {{374, 87, START}, {122, 277, END}},
     false},
    {"4",
     "publish",
     "publish",
     {"M352,256V368H500", "M228,236V295"},
     {{360, 360, START}, {236, 270, START}},
     false},
    {"5",
     "log",
     "log",
     {"M678,368H738", "M236,383V442"},
     {{708, 340, MIDDLE}, {244, 418, START}},
     false},
    {"6",
     "inbox",
     "inbox",
     {"M827,322V256", "M199,486H161"},
     {{835, 294, START}, {192, 556, END}},
     false},
    {"8",
     "downlink",
     NULL,
     {"M263,228H179", "M220,148V89"},
     {{221, 250, MIDDLE}, {228, 123, START}},
     false},
    {"",
     "wake-up",
     "push",
     {"M916,368H976", "M236,530V587"},
     {{946, 340, MIDDLE}, {244, 563, START}},
     true},
};

/* Routing decides who carries 7: the fan-out server itself, Redis or Kafka. */
static const struct way routes[] = {
    [PLAN_ROUTING_STICKY] = {"7",
                             "route, direct",
                             NULL,
                             {"M758,322V228H441", "M220,442V412H180V236"},
                             {{449, 246, START}, {172, 424, END}},
                             false},
    [PLAN_ROUTING_REDIS] = {"7",
                            "route, by Redis",
                            NULL,
                            {"M738,210H441", "M100,442V412H180V236"},
                            {{449, 202, START}, {172, 404, END}},
                            false},
    [PLAN_ROUTING_KAFKA] = {"7",
                            "route, by Kafka",
                            NULL,
                            {"M589,322V210H441", "M199,339H180V236"},
                            {{449, 202, START}, {172, 404, END}},
                            false},
};

static void put_way(struct page *page, const struct way *way, uint32_t layout)
{
    char time[WORDS_SIZE];
    const struct result_stage *stage =
        way->stage == NULL ? NULL : result_stage(page->result, way->stage);
    const struct spot *spot = &way->spots[layout];
    markup_put(page->stream, "<path class=\"way%s\" d=\"%s\" marker-end=\"url(#%sarrow-%u)\"/>",
               way->dashed ? " dashed" : "", way->path[layout], page->prefix, layout);
    markup_put(page->stream, "<text x=\"%g\" y=\"%g\" text-anchor=\"%s\">", spot->x, spot->y,
               spot->anchor);
    if (way->number[0] != '\0') {
        markup_put(page->stream, "<tspan class=\"step\">%s</tspan> ", way->number);
    }
    markup_put(page->stream, "%s", way->label);
    if (stage != NULL && words_has_quantile(stage, P50)) {
        words_quantile(stage, P50, time);
        if (strcmp(spot->anchor, MIDDLE) == 0) {
            markup_put(page->stream, "<tspan x=\"%g\" dy=\"44\" class=\"time\">%s</tspan>", spot->x,
                       time);
        } else {
            markup_put(page->stream, " <tspan class=\"time\">%s</tspan>", time);
        }
    }
    fputs("</text>\n", page->stream);
}

/* "500, 8 cores each" */
static void put_nodes(struct page *page, uint32_t t, double x, double y)
{
    const struct result_tier *tier = &page->result->tiers[t];
    char count[HUMANE_SIZE];
    char online[HUMANE_SIZE];
    char servers[WORDS_SIZE];
    markup_put(page->stream, "<text class=\"what\" x=\"%g\" y=\"%g\">", x, y);
    if (t == 0) {
        markup_put(page->stream, "%s, %s online",
                   humane_count((double)page->result->clients, count),
                   humane_count((double)page->result->online, online));
    } else if (words_busiest(tier, true) != NULL) {
        markup_put(page->stream, "%s × %s", humane_count(tier->nodes, count),
                   words_servers(tier, servers));
    } else {
        markup_put(page->stream, "APNs and FCM");
    }
    fputs("</text>", page->stream);
}

/* The bar of the tier's most used resource, its busiest node as a stroke. */
static void put_use(struct page *page, const struct result_tier *tier,
                    const struct result_resource *use, double x, double y, double width)
{
    char mean[HUMANE_SIZE];
    double filled = fmin(use->utilization_mean, 1) * width;
    double busiest = fmin(use->utilization_max, 1) * width;
    const char *class = use->utilization_mean >= WORDS_FULL  ? "full"
                        : use->utilization_max >= WORDS_NEAR ? "near"
                                                             : "room";
    markup_put(page->stream,
               "<text class=\"use\" x=\"%g\" y=\"%g\">%s <tspan class=\"%s\">%s</tspan></text>"
               "<rect class=\"rail\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"6\" rx=\"3\"/>"
               "<rect class=\"bar %s\" x=\"%g\" y=\"%g\" width=\"%.1f\" height=\"6\" rx=\"3\"/>"
               "<path class=\"most\" d=\"M%.1f,%gv10\"/>",
               x, y, words_resource(tier, use), class, humane_percent(use->utilization_mean, mean),
               x, y + 8, width, class, x, y + 8, fmax(filled, 2), x + busiest, y + 6);
}

static void put_box(struct page *page, uint32_t t, uint32_t layout)
{
    const struct result_tier *tier = &page->result->tiers[t];
    const struct layout *form = &layouts[layout];
    double x = places[t][layout][0];
    double y = places[t][layout][1];
    const struct result_resource *use = words_busiest(tier, false);
    const char *name = t == 0 ? "clients" : words_tier(tier->name, true);
    const char *class = t == page->result->binding_tier && use != NULL ? " binds" : "";
    markup_put(page->stream,
               "<a href=\"#%s%s\" class=\"box%s\"><rect x=\"%g\" y=\"%g\" width=\"%g\" "
               "height=\"%g\" rx=\"8\"/><text class=\"name\" x=\"%g\" y=\"%g\">%s</text>",
               page->prefix, tier->name, class, x, y, form->box_width, form->box_height, x + 12,
               y + 24, name);
    put_nodes(page, t, x + 12, y + 43);
    if (use != NULL) {
        put_use(page, tier, use, x + 12, y + 65, form->box_width - 24);
    }
    fputs("</a>\n", page->stream);
}

static void put_map(struct page *page, uint32_t layout)
{
    const struct layout *form = &layouts[layout];
    const struct plan *plan = page->result->plan;
    markup_put(page->stream,
               "<svg class=\"map %s\" viewBox=\"0 0 %u %u\" role=\"group\" aria-label=\"Map of the "
               "system: tiers, and the way of a message between them\">\n"
               "<defs><marker id=\"%sarrow-%u\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
               "markerWidth=\"7\" markerHeight=\"7\" orient=\"auto-start-reverse\">"
               "<path class=\"head\" d=\"M0,0L8,4L0,8z\"/></marker></defs>\n",
               form->class, form->width, form->height, page->prefix, layout);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        put_way(page, &ways[w], layout);
    }
    put_way(page, &routes[plan->routing], layout);
    for (uint32_t t = 0; t < RESULT_TIERS; t++) {
        if (page->result->tiers[t].name != NULL) {
            put_box(page, t, layout);
        }
    }
    fputs("</svg>\n", page->stream);
}

void page_map(struct page *page)
{
    for (uint32_t layout = 0; layout < LAYOUTS; layout++) {
        put_map(page, layout);
    }
}
