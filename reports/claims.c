#include "reports/claims.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FULL 0.95 /* Of a tier in a run, mean over nodes. */

/* -- The table -----------------------------------------------------------------------------------
 */

static const struct claim_rule *const tables[] = {claims_load, claims_storage, claims_fleet,
                                                  claims_latency, claims_snowflake};

#define TABLES (sizeof tables / sizeof *tables)

static const struct claim_rule *rule_at(uint32_t index)
{
    for (size_t t = 0; t < TABLES; t++) {
        for (const struct claim_rule *rule = tables[t]; rule->info.id != NULL; rule++) {
            if (index-- == 0) {
                return rule;
            }
        }
    }
    return NULL;
}

uint32_t claim_count(void)
{
    uint32_t count = 0;
    while (rule_at(count) != NULL) {
        count++;
    }
    return count;
}

const struct claim_info *claim_at(uint32_t index)
{
    return &rule_at(index)->info;
}

const struct claim_rule *claims_rule(const char *id)
{
    const struct claim_rule *rule;
    for (uint32_t i = 0; (rule = rule_at(i)) != NULL; i++) {
        if (strcmp(rule->info.id, id) == 0) {
            return rule;
        }
    }
    return NULL;
}

const struct claim_info *claim_find(const char *id)
{
    const struct claim_rule *rule = claims_rule(id);
    return rule == NULL ? NULL : &rule->info;
}

/* -- Words and figures ---------------------------------------------------------------------------
 */

void claims_say(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, size, format, arguments);
    va_end(arguments);
}

struct claims_text claims_figure(enum metric_unit unit, double value)
{
    struct claims_text text;
    metric_text(unit, value, text.bytes);
    return text;
}

void claims_found(struct trial *trial, double found)
{
    struct verdict *v = trial->verdict;
    v->found = found;
    SAY(v->found_text, "%s", FIGURE(v->info->unit, found));
}

void claims_simulated(struct trial *trial, enum metric_unit unit, struct result_estimate estimate,
                      const char *what)
{
    struct verdict_evidence *evidence = &trial->verdict->simulated;
    *evidence = (struct verdict_evidence){.present = true, .unit = unit, .value = estimate};
    SAY(evidence->what, "%s", what);
}

void claims_analytic(struct trial *trial, enum metric_unit unit, double value, const char *what)
{
    struct verdict_evidence *evidence = &trial->verdict->analytic;
    *evidence = (struct verdict_evidence){
        .present = !isnan(value), .unit = unit, .value = {value, value, value, false}};
    SAY(evidence->what, "%s", what);
}

bool claims_simulated_metric(struct trial *trial, const char *metric, const char *what)
{
    struct result_estimate estimate;
    uint32_t index = metric_find(metric);
    if (index == UINT32_MAX || !metric_value(trial->result, index, &estimate)) {
        return false;
    }
    claims_simulated(trial, metric_at(index).unit, estimate, what);
    return true;
}

bool claims_steady(const struct trial *trial)
{
    return trial->measured && !trial->result->overloaded && !trial->result->partial;
}

void claims_override(struct trial *trial, const char *field, double value, const char *unit)
{
    struct verdict *v = trial->verdict;
    if (v->override_count == VERDICT_OVERRIDES_MAX) {
        return;
    }
    struct verdict_override *override = &v->overrides[v->override_count++];
    override->value = value;
    SAY(override->field, "%s", field);
    SAY(override->text, "%s=%.0f%s", field, value, unit);
}

void claims_judge_need(struct trial *trial, double found, const char *why)
{
    struct verdict *v = trial->verdict;
    claims_found(trial, found);
    if (found <= v->claimed * (1 + CLAIMS_ABOUT)) {
        v->status = VERDICT_HOLDS;
        return;
    }
    v->status = VERDICT_FAILS;
    v->would_hold = found;
    SAY(v->would_hold_text, "%s", v->found_text);
    SAY(v->condition, "%.3g times as much: %s", found / v->claimed, why);
}

/* -- Tiers ---------------------------------------------------------------------------------------
 */

const char *claims_nodes_field(enum plan_tier tier)
{
    static const char *const fields[PLAN_TIER_COUNT] = {
        [PLAN_TIER_GATEWAY] = "gateway.servers", [PLAN_TIER_FANOUT] = "fanout.servers",
        [PLAN_TIER_KAFKA] = "kafka.brokers",     [PLAN_TIER_CASSANDRA] = "cassandra.nodes",
        [PLAN_TIER_REDIS] = "redis.shards",
    };
    return fields[tier];
}

static bool is_flow(enum demand_resource resource)
{
    return resource == DEMAND_CPU || resource == DEMAND_NIC_IN || resource == DEMAND_NIC_OUT ||
           resource == DEMAND_DISK_IO;
}

/* Of all nodes that the plan has; NAN where the run does not tell. A sample has a whole number of
 * nodes, so what it used is spread over those that the plan has. */
static double simulated_utilization(const struct trial *trial, enum plan_tier tier,
                                    enum demand_resource resource)
{
    char name[METRIC_NAME_SIZE];
    struct result_estimate total;
    const struct result_tier *simulated = result_tier(trial->result, plan_tier_name(tier));
    snprintf(name, sizeof name, "%s.%s", plan_tier_name(tier), demand_resource_name(resource));
    if (!claims_steady(trial) || simulated == NULL ||
        !metric_value_of(trial->result, name, &total)) {
        return (double)NAN;
    }
    double fraction = trial->result->fraction > 0 ? trial->result->fraction : 1;
    return total.value * simulated->nodes / fraction / trial->demand.nodes[tier];
}

struct claims_load claims_busiest(const struct trial *trial, enum plan_tier tier, double nodes)
{
    struct claims_load busiest = {0, DEMAND_CPU, (double)NAN, 0};
    double scale = trial->demand.nodes[tier] / nodes;
    bool sampled = trial->result->fraction < 1;
    for (int r = 0; r < DEMAND_COUNT; r++) {
        enum demand_resource resource = (enum demand_resource)r;
        if (resource == DEMAND_DISK_SPACE) {
            continue; /* It stops no message: cassandra_capacity and kafka_retention ask for it. */
        }
        double analytic = demand_utilization(&trial->demand, tier, resource) * scale;
        double simulated = simulated_utilization(trial, tier, resource) * scale;
        double utilization = is_flow(resource) && !isnan(simulated)
                                 ? (sampled ? fmax(simulated, analytic) : simulated)
                                 : analytic;
        if (utilization > busiest.utilization) {
            busiest = (struct claims_load){utilization, resource, simulated, analytic};
        }
    }
    return busiest;
}

double claims_nodes(const struct trial *trial, enum plan_tier tier)
{
    double there = trial->demand.nodes[tier];
    double needed = ceil(claims_busiest(trial, tier, there).utilization * there / VERDICT_SIZED);
    double step = needed >= 100 ? pow(10, floor(log10(needed)) - 1) : 1;
    return fmax(1, ceil(needed / step) * step);
}

/* -- The whole system ----------------------------------------------------------------------------
 */

/* The tier that is fullest for the plan as it is. */
static enum plan_tier fullest(const struct trial *trial, struct claims_load *load)
{
    enum plan_tier most = PLAN_TIER_GATEWAY;
    *load = (struct claims_load){0};
    for (int t = 0; t < PLAN_TIER_PUSH; t++) {
        struct claims_load one = claims_busiest(trial, (enum plan_tier)t, trial->demand.nodes[t]);
        if (one.utilization > load->utilization) {
            *load = one;
            most = (enum plan_tier)t;
        }
    }
    return most;
}

/* Of an overloaded run, the tier that is full in it: those behind it stand idle, however much more
 * would be asked of them. PLAN_TIER_COUNT: none is. */
static enum plan_tier full_in_run(const struct trial *trial)
{
    for (int t = 0; trial->result->overloaded && t < PLAN_TIER_PUSH; t++) {
        char name[METRIC_NAME_SIZE];
        struct result_estimate utilization;
        struct claims_load load = claims_busiest(trial, (enum plan_tier)t, trial->demand.nodes[t]);
        SAY(name, "%s.%s", plan_tier_name((enum plan_tier)t), demand_resource_name(load.resource));
        if (load.utilization > 1 && metric_value_of(trial->result, name, &utilization) &&
            utilization.value >= FULL) {
            return (enum plan_tier)t;
        }
    }
    return PLAN_TIER_COUNT;
}

/* "cassandra cpu binds first: 22.1 times what there is is asked for; behind it redis cpu, up to 389
 * times" */
static void say_what_binds(struct trial *trial, enum plan_tier most, const struct claims_load *load)
{
    struct verdict *v = trial->verdict;
    enum plan_tier full = full_in_run(trial);
    char behind[96] = "";
    enum plan_tier first = most;
    struct claims_load first_load = *load;
    if (full != PLAN_TIER_COUNT && full != most) {
        first = full;
        first_load = claims_busiest(trial, full, trial->demand.nodes[full]);
        SAY(behind, "; behind it %s %s, up to %.3g times", plan_tier_name(most),
            demand_resource_name(load->resource), load->utilization);
    }
    SAY(v->condition, "%s %s binds first: %.3g times what there is is asked for%s",
        plan_tier_name(first), demand_resource_name(first_load.resource), first_load.utilization,
        behind);
}

/* Tiers without room, each with as many nodes as would do. */
static void ask_for_room(struct trial *trial)
{
    for (int t = 0; t < PLAN_TIER_PUSH; t++) {
        enum plan_tier tier = (enum plan_tier)t;
        double there = trial->demand.nodes[t];
        if (claims_busiest(trial, tier, there).utilization > VERDICT_ROOM) {
            claims_override(trial, claims_nodes_field(tier), claims_nodes(trial, tier), "");
        }
    }
}

void claims_judge_fleet(struct trial *trial)
{
    struct verdict *v = trial->verdict;
    struct claims_load load;
    enum plan_tier tier = fullest(trial, &load);
    const char *name = plan_tier_name(tier);
    const char *resource = demand_resource_name(load.resource);
    if (!trial->measured || trial->result->partial) {
        SAY(v->condition, "the run ended before it could tell");
        return;
    }
    if (claims_steady(trial) && load.utilization <= VERDICT_ROOM) {
        v->status = VERDICT_HOLDS;
        return;
    }
    bool carried = claims_steady(trial) && load.utilization <= 1;
    v->status = carried ? VERDICT_HOLDS_IF : VERDICT_FAILS;
    ask_for_room(trial);
    if (carried) {
        SAY(v->condition, "if nothing is lost and nothing grows: %s %s is at %s", name, resource,
            SHARE(load.utilization));
    } else if (load.utilization > 1) {
        say_what_binds(trial, tier, &load);
    } else {
        SAY(v->condition, "the system does not keep up: unfinished messages grow by %s",
            RATE(trial->result->unfinished_growth_per_s / trial->result->fraction));
    }
}
