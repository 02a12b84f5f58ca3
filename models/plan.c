#include "models/plan.h"

#include <math.h>
#include <stddef.h>

#include "models/core/check.h"

/* What lies above the floor: mean over median. */
static double law_mean_over_median(const struct plan_law *law)
{
    switch (law->kind) {
    case PLAN_LAW_EXPONENTIAL:
        return 1.0 / log(2.0);
    case PLAN_LAW_LOGNORMAL:
        return exp(law->sigma * law->sigma / 2.0);
    case PLAN_LAW_CONSTANT:
    case PLAN_LAW_UNIFORM:
        break;
    }
    return 1.0;
}

void plan_law_complete(struct plan_law *law, bool by_mean)
{
    CHECK(law->sigma >= 0.0);
    double ratio = law_mean_over_median(law);
    if (by_mean) {
        law->median = law->floor + (law->mean - law->floor) / ratio;
    } else {
        law->mean = law->floor + (law->median - law->floor) * ratio;
    }
}

double plan_law_least(const struct plan_law *law)
{
    return law->kind == PLAN_LAW_CONSTANT ? law->mean : law->floor;
}

uint64_t plan_lookahead_ns(const struct plan *plan)
{
    double least = plan_law_least(&plan->network.rtt_in_zone);
    if (plan->network.zones > 1) {
        least = fmin(least, plan_law_least(&plan->network.rtt_between_zones));
    }
    for (size_t i = 0; i < PLAN_ACCESS_COUNT; i++) {
        if (plan->network.access[i].share > 0.0) {
            least = fmin(least, plan_law_least(&plan->network.access[i].rtt));
        }
    }
    CHECK(least >= 0.0);
    return (uint64_t)(least / 2.0);
}

double plan_group_recipients(const struct plan *plan)
{
    CHECK(plan->population.group_size_mean >= 2.0);
    return plan->population.group_size_mean - 1.0;
}

double plan_recipients(const struct plan *plan)
{
    double share = plan->population.group_share;
    CHECK(share >= 0.0 && share <= 1.0);
    return share * plan_group_recipients(plan) + (1.0 - share);
}

double plan_message_rate_mean_per_s(const struct plan *plan)
{
    CHECK(plan->population.peak_factor >= 1.0);
    return plan->population.message_rate_per_s / plan->population.peak_factor;
}

double plan_logins_per_s(const struct plan *plan)
{
    const struct plan_population *p = &plan->population;
    if (p->connection_life_ns == 0) {
        return 0.0;
    }
    return (double)p->connected * p->devices_per_user / ((double)p->connection_life_ns / 1e9);
}

uint64_t plan_offline_life_ns(const struct plan *plan)
{
    const struct plan_population *p = &plan->population;
    CHECK(p->connected <= p->users);
    if (p->connection_life_ns == 0 || p->connected == 0) {
        return 0;
    }
    double ratio = (double)(p->users - p->connected) / (double)p->connected;
    return (uint64_t)((double)p->connection_life_ns * ratio);
}

uint32_t plan_tier_nodes(const struct plan *plan, enum plan_tier tier)
{
    switch (tier) {
    case PLAN_TIER_GATEWAY:
        return plan->gateway.servers;
    case PLAN_TIER_FANOUT:
        return plan->fanout.servers;
    case PLAN_TIER_KAFKA:
        return plan->kafka.brokers;
    case PLAN_TIER_CASSANDRA:
        return plan->cassandra.nodes;
    case PLAN_TIER_REDIS:
        return plan->redis.shards;
    case PLAN_TIER_PUSH:
        return 1;
    case PLAN_TIER_CLIENT:
    case PLAN_TIER_ALL:
        break;
    }
    return 0;
}

const char *plan_tier_name(enum plan_tier tier)
{
    static const char *const names[PLAN_TIER_COUNT + 1] = {
        [PLAN_TIER_GATEWAY] = "gateway", [PLAN_TIER_FANOUT] = "fanout",
        [PLAN_TIER_KAFKA] = "kafka",     [PLAN_TIER_CASSANDRA] = "cassandra",
        [PLAN_TIER_REDIS] = "redis",     [PLAN_TIER_PUSH] = "push",
        [PLAN_TIER_CLIENT] = "client",   [PLAN_TIER_ALL] = "all",
    };
    CHECK(tier <= PLAN_TIER_ALL);
    return names[tier];
}

uint32_t plan_zone_of(const struct plan *plan, uint32_t index)
{
    CHECK(plan->network.zones > 0);
    return index % plan->network.zones;
}
