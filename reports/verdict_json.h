/* Verdicts and budgets in a result's JSON: the members "claims", "check" and "budgets". */
#ifndef REPORTS_VERDICT_JSON_H
#define REPORTS_VERDICT_JSON_H

#include "reports/budget.h"
#include "reports/verdict.h"
#include "reports/writer.h"

/* Into the object that is open. Either may be NULL: empty lists, and no check. */
void verdict_json_write(struct writer *writer, const struct verdicts *verdicts,
                        const struct budget_outcomes *budgets);

#endif
