/* A result on one screen: at most SCREEN_LINES lines of SCREEN_COLUMNS columns, plain ASCII.
 * Claims and budgets come first of all and on top of that: an item each, as many as there are.
 *
 * What binds and whether the system keeps up comes first. An overloaded system is told as such,
 * with how fast what is unfinished grows: its latencies are those of the lucky. What is not known
 * is "-", never NaN; a quantile that needs more samples than there are is not known. Names that
 * came from outside are cleaned, so that they can't write to the terminal.
 *
 * Only the command that repeats the run may be longer than a line, since it must stay whole.
 */
#ifndef REPORTS_SCREEN_H
#define REPORTS_SCREEN_H

#include <stdbool.h>
#include <stdio.h>

#include "models/result.h"
#include "reports/budget.h"
#include "reports/verdict.h"

#define SCREEN_LINES 50u
#define SCREEN_COLUMNS 100u

struct screen_options {
    bool colour;
    const char *repeat; /* The command line that repeats the run; NULL: not known. Borrowed. */
    const char *file;   /* Where the result was written; NULL: nowhere. Borrowed. */
    bool explain;       /* Each verdict with its sentences and its evidence. */
    const struct verdicts *verdicts;       /* NULL: none were judged. Borrowed. */
    const struct budget_outcomes *budgets; /* Likewise. */
};

/* false: not all of it could be written, and errno says why. */
bool screen_write(FILE *stream, const struct result *result, const struct screen_options *options);

#endif
