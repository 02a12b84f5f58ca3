/* Rules: how many nodes a tier needs. All by the utilization law: the claimed number is enough
 * where the busiest resource of a node stays below what operation allows. */
#include <math.h>

#include "reports/claims.h"

static const char *resource_words(enum demand_resource resource)
{
    static const char *const words[DEMAND_COUNT] = {"CPU",
                                                    "network in",
                                                    "network out",
                                                    "disk I/O",
                                                    "disk space",
                                                    "memory",
                                                    "the limit of connections"};
    return words[resource];
}

static enum metric_unit resource_unit(enum demand_resource resource)
{
    static const enum metric_unit units[DEMAND_COUNT] = {
        METRIC_COUNT, METRIC_BYTE_RATE, METRIC_BYTE_RATE, METRIC_BYTE_RATE,
        METRIC_BYTES, METRIC_BYTES,     METRIC_COUNT};
    return units[resource];
}

static void put_evidence(struct trial *trial, enum plan_tier tier, const struct claims_load *load)
{
    char what[VERDICT_TEXT_SIZE];
    SAY(what, "%s %s with so many nodes", plan_tier_name(tier), resource_words(load->resource));
    claims_analytic(trial, METRIC_SHARE, load->analytic, what);
    if (!isnan(load->simulated)) {
        struct result_estimate value = {load->simulated, load->simulated, load->simulated, false};
        claims_simulated(trial, METRIC_SHARE, value, what);
    }
}

/* `nouns`: "servers". */
static void explain(struct trial *trial, enum plan_tier tier, const struct claims_load *load,
                    const char *nouns)
{
    struct verdict *v = trial->verdict;
    enum metric_unit unit = resource_unit(load->resource);
    double one = trial->demand.limit[tier][load->resource];
    double there = v->claimed * one;
    SAY(v->explanation,
        "Of all that a message and its receipts ask of %s, %s is fullest: %s%s are asked for at "
        "the "
        "peak, and %.0f %s of %s%s each have %s%s, which is %s. %.0f would be at %s, which leaves "
        "room for the loss of some and for a bad minute.",
        plan_tier_name(tier), resource_words(load->resource),
        FIGURE(unit, load->utilization * there), load->resource == DEMAND_CPU ? " cores" : "",
        v->claimed, nouns, FIGURE(unit, one), load->resource == DEMAND_CPU ? " cores" : "",
        FIGURE(unit, there), load->resource == DEMAND_CPU ? " cores" : "", SHARE(load->utilization),
        v->found, SHARE(VERDICT_SIZED));
}

static void judge_nodes(struct trial *trial, enum plan_tier tier, const char *nouns)
{
    struct verdict *v = trial->verdict;
    struct claims_load load = claims_busiest(trial, tier, v->claimed);
    double needed = claims_nodes(trial, tier);
    claims_found(trial, needed);
    put_evidence(trial, tier, &load);
    explain(trial, tier, &load, nouns);
    v->status = load.utilization <= VERDICT_ROOM ? VERDICT_HOLDS
                : load.utilization <= 1          ? VERDICT_HOLDS_IF
                                                 : VERDICT_FAILS;
    if (v->status == VERDICT_HOLDS) {
        return;
    }
    v->would_hold = needed;
    SAY(v->would_hold_text, "%.0f %s", needed, nouns);
    claims_override(trial, claims_nodes_field(tier), needed, "");
    if (v->status == VERDICT_HOLDS_IF) {
        SAY(v->condition, "if none is lost and nothing grows: %s is at %s",
            resource_words(load.resource), SHARE(load.utilization));
    } else {
        SAY(v->condition, "%s binds at %s: short by a factor of %.3g",
            resource_words(load.resource), SHARE(load.utilization), load.utilization);
    }
}

static void judge_chat_servers(struct trial *trial)
{
    judge_nodes(trial, PLAN_TIER_GATEWAY, "servers");
}

static void judge_kafka_brokers(struct trial *trial)
{
    judge_nodes(trial, PLAN_TIER_KAFKA, "brokers");
}

static void judge_cassandra_nodes(struct trial *trial)
{
    judge_nodes(trial, PLAN_TIER_CASSANDRA, "nodes");
}

const struct claim_rule claims_fleet[] = {
    {{"chat_servers", VERDICT_CAPACITY, METRIC_COUNT, false, false,
      "with so many, the fullest of CPU, network, memory and connections is below 80%"},
     judge_chat_servers},
    {{"kafka_brokers", VERDICT_CAPACITY, METRIC_COUNT, false, false,
      "with so many, the fullest of CPU, network each way and disk I/O is below 80%"},
     judge_kafka_brokers},
    {{"cassandra_nodes", VERDICT_CAPACITY, METRIC_COUNT, false, false,
      "with so many, the fullest of CPU, network and disk I/O is below 80%"},
     judge_cassandra_nodes},
    {{.id = NULL}, NULL},
};
