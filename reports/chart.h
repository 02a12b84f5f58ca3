/* Pictures: gnuplot draws SVG, and the page's own colours and fonts take it over.
 *
 *     script --> gnuplot --> SVG --> chart_draw() --> SVG to put into a page
 *
 * A script says its size and how to plot; terminal and output are set here. Colours are slots:
 * `lc rgb "#000002"` becomes var(--c2) of the page, black its currentColor. What is drawn
 * is one <svg role="img">, with a title and a description for those who don't see it, without ids
 * but its own two, without width and height, so that CSS sizes it.
 *
 * gnuplot is a program of its own, found in PATH. It reads no settings of the user's. */
#ifndef REPORTS_CHART_H
#define REPORTS_CHART_H

#include <stdbool.h>
#include <stdint.h>

#define CHART_ERROR_SIZE 512u

struct chart {
    const char *id;    /* Unique in the page; letters, digits and -. */
    const char *class; /* Of the <svg>, besides "chart"; "" for none. */
    const char *title; /* What it shows, in a sentence. */
    const char *about; /* What can be read from it, in words. */
    uint32_t width;    /* In units of which a letter is 13 high. */
    uint32_t height;
    const char *script; /* gnuplot commands. */
};

/* Whether gnuplot is there and draws; if not, `error` says why and what to do about it. */
bool chart_available(char error[CHART_ERROR_SIZE]);

/* The caller frees it. NULL: not drawn, and `error` says why. */
char *chart_draw(const struct chart *chart, char error[CHART_ERROR_SIZE]);

/* Text in single quotes for a script, from a name of any origin: what is not plain becomes "?". */
const char *chart_quote(const char *text, char *buffer, unsigned size);

#endif
