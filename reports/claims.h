/* Inside of the verdicts: what a rule is, and what rules share. Only reports/claims*.c and
 * reports/verdict.c include this. */
#ifndef REPORTS_CLAIMS_H
#define REPORTS_CLAIMS_H

#include "reports/demand.h"
#include "reports/verdict.h"

/* A claim before its rule. The rule fills in the verdict; `verdict` comes with claim, info and
 * claimed set, status UNKNOWN, found and would_hold NAN, all texts empty. */
struct trial {
    const struct plan *plan;
    const struct result *result;
    struct demand demand; /* What the plan's load asks of its fleet, by formula. */
    bool measured;        /* The run got beyond its warm-up. */
    struct verdict *verdict;
};

struct claim_rule {
    struct claim_info info;
    void (*judge)(struct trial *trial);
};

/* The tables, each ended by a row without an id. */
extern const struct claim_rule claims_load[];
extern const struct claim_rule claims_storage[];
extern const struct claim_rule claims_fleet[];
extern const struct claim_rule claims_latency[];
extern const struct claim_rule claims_snowflake[];

/* NULL where there is none of that id. */
const struct claim_rule *claims_rule(const char *id);

/* -- What rules share (claims.c) -----------------------------------------------------------------
 */

/* As printf, into a text of the verdict, in place of what stood there; what does not fit is cut. */
#define SAY(member, ...) claims_say((member), sizeof(member), __VA_ARGS__)
void claims_say(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A figure in a text; it lives to the end of the expression. */
struct claims_text {
    char bytes[METRIC_TEXT_SIZE];
};
struct claims_text claims_figure(enum metric_unit unit, double value);
#define FIGURE(unit, value) claims_figure((unit), (value)).bytes
#define COUNT(value) FIGURE(METRIC_COUNT, value)
#define RATE(value) FIGURE(METRIC_RATE, value)
#define SHARE(value) FIGURE(METRIC_SHARE, value)
#define TIME(value) FIGURE(METRIC_TIME, value)
#define BYTES(value) FIGURE(METRIC_BYTES, value)
#define BYTE_RATE(value) FIGURE(METRIC_BYTE_RATE, value)

/* What was found, as a figure and in words. */
void claims_found(struct trial *trial, double found);

/* One side of the evidence. */
void claims_simulated(struct trial *trial, enum metric_unit unit, struct result_estimate estimate,
                      const char *what);
void claims_analytic(struct trial *trial, enum metric_unit unit, double value, const char *what);

/* What the run says of a metric, as evidence; false, and none, where it has no such figure. */
bool claims_simulated_metric(struct trial *trial, const char *metric, const char *what);

/* Whether flows of the run say what the load asks for: it kept up, and was not cut short. */
bool claims_steady(const struct trial *trial);

/* Adds an override: `field`=`value` with `unit` ("" or " B"). */
void claims_override(struct trial *trial, const char *field, double value, const char *unit);

/* A figure claimed "about" is met up to a tenth beyond it. */
#define CLAIMS_ABOUT 0.1

/* For a figure that something needs, which the claim must not understate. Sets found, and status
 * and condition by it. `why` says what the claim leaves out. */
void claims_judge_need(struct trial *trial, double found, const char *why);

/* The largest utilization of what limits a tier, with so many nodes. Flows (CPU, network, disk)
 * are the run's where it is steady, and of a sample at least those of the formula, since what is
 * batched fills up otherwise there; stocks (connections, memory) are the formula's. */
struct claims_load {
    double utilization;
    enum demand_resource resource;
    double simulated; /* NAN: the run does not tell. */
    double analytic;
};
struct claims_load claims_busiest(const struct trial *trial, enum plan_tier tier, double nodes);

/* Nodes that carry the load with room (VERDICT_SIZED), rounded up to two digits where many. */
double claims_nodes(const struct trial *trial, enum plan_tier tier);

/* "gateway.servers", ...: the field that says how many there are. */
const char *claims_nodes_field(enum plan_tier tier);

/* For claims that the whole system carries something: holds where the run is steady and no tier
 * above VERDICT_ROOM; otherwise says what binds, and asks for tiers that would do. */
void claims_judge_fleet(struct trial *trial);

#endif
