/* The parts of report.html. Each writes one section of one result; report_html.c puts them in
 * order. */
#ifndef REPORTS_REPORT_PAGE_H
#define REPORTS_REPORT_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reports/report.h"
#include "reports/report_charts.h"
#include "reports/verdict.h"

#define PAGE_PREFIX_SIZE 16u

/* Made by cmake from the files of those names. */
extern const char report_css[];
extern const char report_js[];

struct page {
    FILE *stream;
    const struct report *report;
    const struct report_variant *variant; /* The one that is being told. */
    const struct result *result;          /* Its. */
    uint32_t index;                       /* Its. */
    char prefix[PAGE_PREFIX_SIZE];        /* Of its ids: "v0-". */
    uint32_t heading;                     /* 2, or 3 where a variant is itself a section. */
    char *error;                          /* CHART_ERROR_SIZE. */
    bool good;                            /* All charts were drawn so far. */
};

/* -- Tools (report_page.c) -----------------------------------------------------------------------
 */

/* A section with a heading. The id gets the prefix. `finding` is the heading's text. */
void page_section(struct page *page, const char *id, const char *finding);
void page_section_end(struct page *page);

/* A chart, drawn for wide pages and for narrow ones; CSS shows one. `draw` makes the script. */
typedef char *page_draw(struct charts_size size, const void *context);
void page_chart(struct page *page, const char *id, const char *title, const char *about,
                uint32_t height, page_draw *draw, const void *context);

/* A sentence, with figures and their units kept on one line: "144 ms". */
void page_tight(FILE *stream, const char *text);

/* The line of a slot, as a swatch for a key. */
void page_swatch(struct page *page, uint32_t slot);

/* "<td>144 ms <small>131 ms to 158 ms</small></td>" */
void page_quantile_cell(struct page *page, const struct result_stage *stage, uint32_t quantile,
                        const char *label);

/* Text, with its addresses as links. */
void page_linked(FILE *stream, const char *text);

/* How claims and budgets of all results came out. */
struct page_tally {
    uint32_t claims;
    uint32_t by_status[4]; /* enum verdict_status. */
    uint32_t budgets;
    uint32_t budgets_failed;
    const struct verdict *worst; /* The failed claim that says most; NULL: none failed. */
};

struct page_tally page_tally(const struct report *report);

/* What the whole run comes to, in one sentence: of claims, or else of what was found. Returns
 * `finding`, of 2 * WORDS_SIZE. */
const char *page_headline(const struct report *report, char *finding);

/* "kafka_brokers" as people say it: "Kafka brokers". Returns `buffer` of WORDS_SIZE. */
const char *page_claim_name(const char *id, char *buffer);

/* Why a claim does not hold as it stands, and what would: "Network in binds at 132%. Would hold: 38
 * brokers". "" where it holds. Returns `buffer` of PAGE_WHY_SIZE. */
#define PAGE_WHY_SIZE (3 * VERDICT_TEXT_SIZE)
const char *page_why(const struct verdict *verdict, char *buffer);

/* -- Parts ---------------------------------------------------------------------------------------
 */
void page_claims(struct page *page);   /* Of all results; nothing where there are none. */
void page_budgets(struct page *page);  /* Likewise. */
void page_compare(struct page *page);  /* Variants side by side. */
void page_figures(struct page *page);  /* A few figures that say how large it all is. */
void page_system(struct page *page);   /* The map, and each tier. */
void page_message(struct page *page);  /* The way of one message. */
void page_latency(struct page *page);  /* By stage: distribution and table. */
void page_time(struct page *page);     /* Series, faults. */
void page_limits(struct page *page);   /* What binds first, and what next. */
void page_scenario(struct page *page); /* What was asked, and how to ask again. */
void page_parameters(struct page *page, const char *section); /* Those of a section, if any. */

/* One sentence on all results of a run, best and worst; returns `finding`, of 2 * WORDS_SIZE. */
const char *report_finding(const struct report *report, char *finding);

/* For the topology (report_map.c): an SVG, once for wide pages and once for narrow ones. */
void page_map(struct page *page);

#endif
