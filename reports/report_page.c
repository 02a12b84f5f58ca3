#include "reports/report_page.h"

#include <stdlib.h>
#include <string.h>

#include "reports/chart.h"
#include "reports/markup.h"
#include "reports/words.h"

#define WIDE 600u
#define NARROW 360u

void page_tight(FILE *stream, const char *text)
{
    char part[2] = "";
    for (size_t i = 0; text[i] != '\0'; i++) {
        bool unit = i > 0 && text[i] == ' ' && text[i - 1] >= '0' && text[i - 1] <= '9' &&
                    (strchr("munskMGTPhd", text[i + 1]) != NULL || text[i + 1] == 'B');
        size_t size = unit ? strcspn(text + i + 1, " ;,.") : 0;
        if (size >= 1 && size <= 3) {
            fputs("&nbsp;", stream);
        } else if ((unsigned char)text[i] < 0x80) {
            part[0] = text[i];
            markup_text(stream, part);
        } else {
            markup_text(stream, text + i); /* From the first that is no ASCII, as it is. */
            return;
        }
    }
}

void page_section(struct page *page, const char *id, const char *finding)
{
    /* Below a variant's heading the same sections come again: landmarks would not be unique. */
    if (page->heading == 2) {
        markup_put(page->stream, "<section aria-labelledby=\"%s%s\">\n", page->prefix, id);
    } else {
        fputs("<section>\n", page->stream);
    }
    markup_put(page->stream, "<h%u id=\"%s%s\">", page->heading, page->prefix, id);
    page_tight(page->stream, finding);
    markup_put(page->stream, "</h%u>\n", page->heading);
}

void page_section_end(struct page *page)
{
    fputs("</section>\n", page->stream);
}

static void draw_one(struct page *page, const struct chart *form, struct charts_size size,
                     page_draw *draw, const void *context)
{
    char *script = draw(size, context);
    char *svg = NULL;
    if (script == NULL) {
        snprintf(page->error, CHART_ERROR_SIZE, "no memory left for a chart");
    } else {
        struct chart chart = *form;
        chart.width = size.width;
        chart.height = size.height;
        chart.script = script;
        svg = chart_draw(&chart, page->error);
    }
    page->good = page->good && svg != NULL;
    if (svg != NULL) {
        fputs(svg, page->stream);
    }
    free(script);
    free(svg);
}

void page_chart(struct page *page, const char *id, const char *title, const char *about,
                uint32_t height, page_draw *draw, const void *context)
{
    char name[64];
    if (!page->good) {
        return; /* The page is lost already; don't hide why. */
    }
    fputs("<figure>\n", page->stream);
    struct chart form = {.id = name, .class = "only-wide", .title = title, .about = about};
    snprintf(name, sizeof name, "%s%s-w", page->prefix, id);
    draw_one(page, &form, (struct charts_size){WIDE, height}, draw, context);
    form.class = "only-narrow";
    snprintf(name, sizeof name, "%s%s-n", page->prefix, id);
    draw_one(page, &form, (struct charts_size){NARROW, height}, draw, context);
    markup_put(page->stream, "<figcaption>%s</figcaption>\n</figure>\n", about);
}

void page_swatch(struct page *page, uint32_t slot)
{
    fprintf(page->stream,
            "<svg class=\"swatch dash-%u\" viewBox=\"0 0 28 8\" aria-hidden=\"true\">"
            "<path d=\"M1,4H27\" stroke=\"var(--c%u)\"/></svg>",
            slot, slot);
}

void page_quantile_cell(struct page *page, const struct result_stage *stage, uint32_t quantile,
                        const char *label)
{
    char value[WORDS_SIZE];
    char interval[WORDS_SIZE];
    markup_put(page->stream, "<td role=\"cell\" class=\"n\" data-label=\"%s\">%s", label,
               words_quantile(stage, quantile, value));
    if (stage != NULL && words_interval(stage, quantile, interval)[0] != '\0') {
        markup_put(page->stream, "<small>%s</small>", interval);
    }
    fputs("</td>", page->stream);
}

void page_linked(FILE *stream, const char *text)
{
    char part[1024];
    const char *link;
    while ((link = strstr(text, "https://")) != NULL) {
        snprintf(part, sizeof part, "%.*s", (int)(link - text), text);
        markup_text(stream, part);
        size_t length = strcspn(link, " ;,)\"'<>");
        while (length > 0 && link[length - 1] == '.') {
            length--;
        }
        snprintf(part, sizeof part, "%.*s", (int)length, link);
        markup_put(stream, "<a href=\"%s\" rel=\"noreferrer\">%s</a>", part, part + 8);
        text = link + length;
    }
    markup_text(stream, text);
}
