/* From scenario files to plans.
 *
 * A scenario is layers, each over the one before: the defaults of the table; the file that is
 * extended, and the one that that extends; the file itself; one of its variants; the overrides of
 * the command line. Each layer sets single fields; a list (faults, budgets ...) replaces the list
 * below it.
 *
 *     {"extends": "whatsapp.json", "kafka": {"brokers": 40},
 *      "variants": [{"name": "sticky", "routing": "sticky"}, {"name": "redis", "routing":
 * "redis"}]}
 *
 * A scenario with variants stands for several plans, run one after another; one without, for one.
 *
 * What nobody knows is refused, with its place and the nearest name. All faults are listed. Time
 * and memory are bounded: see the limits in json.h, and here.
 */
#ifndef SCENARIOS_LOAD_H
#define SCENARIOS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/plan.h"
#include "scenarios/problems.h"

#define SCENARIO_EXTENDS_MAX 8u   /* Files in a chain. */
#define SCENARIO_VARIANTS_MAX 32u /* Of a scenario. */
#define SCENARIO_SETS_MAX 256u

struct scenario;

/* Reads the file (`-`: standard input) and those it extends. `sets` are overrides like
 * "kafka.brokers=30", borrowed, as `path` is, until scenario_close(). NULL when there is nothing to
 * go on with; otherwise what is wrong so far has been added to `problems`, is remembered, and makes
 * every scenario_plan() fail after it has found the rest. */
struct scenario *scenario_open(const char *path, const char *const *sets, uint32_t set_count,
                               struct problems *problems);

/* The same from memory; `text` is borrowed too. `name` stands for the file in messages; what it
 * extends is looked for beside it. */
struct scenario *scenario_open_text(const char *name, const char *text, size_t size,
                                    const char *const *sets, uint32_t set_count,
                                    struct problems *problems);

void scenario_close(struct scenario *scenario);

/* Plans that this scenario stands for: its variants, or 1. */
uint32_t scenario_variant_count(const struct scenario *scenario);

/* "" where the scenario has no variants. Borrowed. */
const char *scenario_variant_name(const struct scenario *scenario, uint32_t variant);

/* Builds one plan. true: it is complete and checked; findings and notes may have been added.
 * false: errors have been; the plan is not to be used. Reads the trace, if there is one, to see
 * that it is well formed. */
bool scenario_plan(const struct scenario *scenario, uint32_t variant, struct plan *plan,
                   struct problems *problems);

/* scenario_open(), scenario_plan() of the first variant, scenario_close(). */
bool scenario_load(const char *path, const char *const *sets, uint32_t set_count, struct plan *plan,
                   struct problems *problems);

#endif
