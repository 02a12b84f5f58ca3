#include "reports/report_faults.h"

#include <math.h>
#include <stdio.h>

#include "reports/humane.h"
#include "reports/words.h"

/* What is hit: "all Kafka brokers", "chat server #3", "2 Redis shards of zone 1". */
static void target_words(const struct plan_fault *fault, char *buffer, size_t size)
{
    const char *tier = plan_tier_name(fault->tier);
    const char *one = fault->tier == PLAN_TIER_CLIENT ? "client" : words_tier(tier, false);
    const char *many = fault->tier == PLAN_TIER_CLIENT ? "clients"
                       : fault->tier == PLAN_TIER_ALL  ? "nodes"
                                                       : words_tier(tier, true);
    int length;
    if (fault->index != PLAN_ANY) {
        length = snprintf(buffer, size, "%s #%u", one, fault->index);
    } else if (fault->count == 0) {
        length = snprintf(buffer, size, "all %s", many);
    } else {
        length = snprintf(buffer, size, "%u %s", fault->count, fault->count == 1 ? one : many);
    }
    if (fault->zone != PLAN_ANY && length > 0 && (size_t)length < size) {
        snprintf(buffer + length, size - (size_t)length, " of zone %u", fault->zone);
    }
}

const char *fault_words(const struct plan_fault *fault, char *buffer, size_t size)
{
    char target[WORDS_SIZE / 2];
    char figure[HUMANE_SIZE];
    target_words(fault, target, sizeof target);
    switch (fault->kind) {
    case PLAN_FAULT_KILL:
        snprintf(buffer, size, "%s killed", target);
        break;
    case PLAN_FAULT_SLOW:
        snprintf(buffer, size, "%s slower by %s times", target,
                 humane_count(fault->factor, figure));
        break;
    case PLAN_FAULT_PAUSE:
        snprintf(buffer, size, "%s paused", target);
        break;
    case PLAN_FAULT_PARTITION:
        snprintf(buffer, size, "%s cut off", target);
        break;
    case PLAN_FAULT_LOSS:
        snprintf(buffer, size, "%s lose %s of packets", target,
                 humane_percent(fault->loss, figure));
        break;
    case PLAN_FAULT_SKEW:
        snprintf(buffer, size, "%s with clocks off by %s", target,
                 humane_time(fabs((double)fault->skew_ns), figure));
        break;
    case PLAN_FAULT_ZONE:
        snprintf(buffer, size, "zone %u goes dark", fault->zone);
        break;
    }
    return buffer;
}

const char *fault_random_words(const struct plan_random_fault *fault, char *buffer, size_t size)
{
    static const char *const verbs[] = {"are killed",   "slow down", "pause",  "are cut off",
                                        "lose packets", "skew",      "go dark"};
    char between[HUMANE_SIZE];
    char repair[HUMANE_SIZE];
    snprintf(buffer, size, "%s %s at random, each every %s on average, for %s on average",
             words_tier(plan_tier_name(fault->tier), true), verbs[fault->kind],
             humane_time((double)fault->mtbf_ns, between),
             humane_time((double)fault->mttr_ns, repair));
    return buffer;
}
