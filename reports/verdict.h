/* Verdicts: what a result says about the claims of its scenario.
 *
 *     plan + result --- verdicts_judge() ---> a verdict for each claim, and overrides
 *     the plan with all overrides, run once more --- verdicts_check() ---> whether they hold
 *
 * A verdict comes from numbers of the plan and the result only, by the rule of its claim
 * (claims_*.c; docs/verdicts.md has their formulas). It says
 *
 *   holds           the claimed figure is met;
 *   holds only if   it is met under a condition that the claim does not state, or with less room
 *                   than operation needs; `condition` has it in words and numbers;
 *   fails           `condition` has what binds first and by how much;
 *   unknown         the run measured nothing that could tell: too short, interrupted, or a part
 *                   that stood idle. Nobody should read it as holding.
 *
 * Three kinds: ARITHMETIC follows from the plan's numbers alone and needs no run; CAPACITY asks
 * whether so much of something carries the load; LATENCY asks how long something takes.
 *
 * A capacity is taken to hold up to VERDICT_ROOM of utilization, and to hold only if nothing is
 * lost and nothing grows up to 1. What would hold is sized for VERDICT_SIZED.
 */
#ifndef REPORTS_VERDICT_H
#define REPORTS_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "models/result.h"
#include "reports/metric.h"

#define VERDICT_TEXT_SIZE 256u
#define VERDICT_EXPLANATION_SIZE 1024u
#define VERDICT_FIELD_SIZE 48u
#define VERDICT_OVERRIDES_MAX 6u
#define VERDICTS_OVERRIDES_MAX 32u
#define VERDICT_ROOM 0.8
#define VERDICT_SIZED 0.7

enum verdict_kind { VERDICT_ARITHMETIC, VERDICT_CAPACITY, VERDICT_LATENCY };
enum verdict_status { VERDICT_HOLDS, VERDICT_HOLDS_IF, VERDICT_FAILS, VERDICT_UNKNOWN };

/* What a claim is, whatever its scenario: a row of the table of claims. */
struct claim_info {
    const char *id;
    enum verdict_kind kind;
    enum metric_unit unit; /* Of the claimed and the found figure. */
    bool words;            /* The claimed value is a text, not a figure. */
    bool gains;            /* More than claimed is as good; else less is, or only about as much. */
    const char *about;     /* How it is judged, in a sentence: for docs and `explain`. */
};

/* The table of claims, in the order of the capacity table. */
uint32_t claim_count(void);
const struct claim_info *claim_at(uint32_t index);

/* NULL where there is none of that id. */
const struct claim_info *claim_find(const char *id);

/* One side of the evidence. */
struct verdict_evidence {
    bool present;
    enum metric_unit unit;        /* May differ from the claim's: a utilization, for a count. */
    struct result_estimate value; /* `known` false: no interval. */
    char what[VERDICT_TEXT_SIZE]; /* "cassandra cpu", "M/M/1: ..."; where it comes from. */
};

/* A field of the scenario, and the value with which the claim would hold. */
struct verdict_override {
    char field[VERDICT_FIELD_SIZE]; /* "kafka.brokers" */
    double value;
    char text[2 * VERDICT_FIELD_SIZE]; /* "kafka.brokers=48", as for --set. */
};

/* What the further run said, of claims that it can say something about. */
enum verdict_check { VERDICT_UNCHECKED, VERDICT_CHECK_HOLDS, VERDICT_CHECK_FAILS };

struct verdict {
    const struct plan_claim *claim; /* Borrowed from the plan. */
    const struct claim_info *info;
    enum verdict_status status;
    double claimed; /* In info->unit; NAN where the claim is words. */
    double found;   /* What model and scenario make of it, in info->unit; NAN: nothing. */
    char claimed_text[VERDICT_TEXT_SIZE]; /* For people: "50M", "p99 < 100 ms". */
    char found_text[VERDICT_TEXT_SIZE];
    char condition[VERDICT_TEXT_SIZE];          /* Empty where it holds. */
    char explanation[VERDICT_EXPLANATION_SIZE]; /* Two or three sentences to check by hand. */
    double would_hold;                          /* The figure that would; NAN: none is known. */
    char would_hold_text[VERDICT_TEXT_SIZE];    /* "48 brokers", "p50"; empty where none is. */
    uint32_t override_count;
    struct verdict_override overrides[VERDICT_OVERRIDES_MAX];
    struct verdict_evidence simulated;
    struct verdict_evidence analytic;
    enum verdict_check check;
    char check_text[VERDICT_TEXT_SIZE]; /* What the further run found; empty where unchecked. */
};

/* Large (some 200 KB): not for the stack. */
struct verdicts {
    uint32_t count;
    struct verdict list[PLAN_CLAIMS_MAX];
    /* Of all verdicts together, each field once, with the largest value that any asks for. */
    uint32_t override_count;
    struct verdict_override overrides[VERDICTS_OVERRIDES_MAX];
    bool checked;          /* verdicts_check() has been called. */
    bool check_keeps_up;   /* The further run kept up with its load. */
    double check_fraction; /* Of the clients, what the further run simulates; 0: none is planned. */
    char check_note[VERDICT_TEXT_SIZE]; /* Why there was none, though it was wanted; else empty. */
};

/* Judges all claims of the result's plan, in their order. The loader has refused unknown ids. */
void verdicts_judge(const struct result *result, struct verdicts *verdicts);

/* Whether one further run could tell more: some claim that isn't arithmetic asks for overrides. */
bool verdicts_need_check(const struct verdicts *verdicts);

/* Enters what the further run says. `again` is of the same scenario with all overrides set; each
 * claim that isn't arithmetic is judged anew by it, with its own found figure in place of the
 * claimed one. */
void verdicts_check(struct verdicts *verdicts, const struct result *again);

/* "holds", "holds only if", "fails", "unknown"; "arithmetic", ...; "unchecked", "holds", "fails".
 */
const char *verdict_status_name(enum verdict_status status);
const char *verdict_kind_name(enum verdict_kind kind);
const char *verdict_check_name(enum verdict_check check);

#endif
