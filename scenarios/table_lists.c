/* Rows: what a scenario may list: faults, claims, budgets. */
#include "scenarios/table_rows.h"

static const char *const kinds[] = {"kill", "slow", "pause", "partition",
                                    "loss", "skew", "zone",  NULL};
static const char *const tiers[] = {"gateway", "fanout", "kafka", "cassandra", "redis",
                                    "push",    "client", "all",   NULL};
static const char *const ats[] = {"p50", "p90", "p95", "p99", "p99.9", "p99.99", "average", NULL};

#define FAULT(name, kind, member, choices, initial, low, high, about)                              \
    ELEMENT(ARRAY_FAULTS, "faults[]." name, struct plan_fault, kind, member, choices, initial,     \
            low, high, about)
#define RANDOM(name, kind, member, choices, initial, low, high, about)                             \
    ELEMENT(ARRAY_RANDOM_FAULTS, "random_faults[]." name, struct plan_random_fault, kind, member,  \
            choices, initial, low, high, about)
#define CLAIM(name, member, initial, about)                                                        \
    ELEMENT(ARRAY_CLAIMS, "claims[]." name, struct plan_claim, TABLE_STRING, member, NULL,         \
            initial, NULL, NULL, about)

const struct table_row table_lists[] = {
    FAULT("kind", TABLE_ENUM, kind, kinds, NULL, NULL, NULL,
          "kill (memory gone, sockets reset), slow (services take `factor` times as long), pause "
          "(answers nothing, loses nothing), partition (cut off from all others), loss (of "
          "packets), skew (the clock is off), zone (a whole zone killed)."),
    FAULT("tier", TABLE_ENUM, tier, tiers, "all", NULL, NULL,
          "What it hits; all: every tier, for zone, or for partition or loss of a zone."),
    FAULT("at", UNITS_DURATION, at_ns, NULL, "0", "0", "30 d",
          "When it begins, from the end of the warm-up."),
    FAULT("duration", UNITS_DURATION, duration_ns, NULL, "0", "0", "30 d",
          "How long it lasts; 0: to the end of the run."),
    FAULT("index", TABLE_INDEX, index, NULL, "any", "0", "1M",
          "The one node that is hit, from 0; any: `count` of them."),
    FAULT("zone", TABLE_INDEX, zone, NULL, "any", "0", "16",
          "Only nodes of this zone, from 0; with kind zone, which one."),
    FAULT("count", UNITS_COUNT, count, NULL, "1", "0", "1M",
          "How many nodes, where no index is given; 0: all of the tier (of the zone)."),
    FAULT("factor", UNITS_FACTOR, factor, NULL, "10", "1", "1e6", "slow: how many times slower."),
    FAULT("loss", UNITS_SHARE, loss, NULL, "50%", "0", "100%", "loss: share of packets."),
    FAULT("skew", UNITS_SIGNED_DURATION, skew_ns, NULL, "0", "-1 d", "1 d",
          "skew: how far the clock is ahead; behind with a minus."),

    RANDOM("kind", TABLE_ENUM, kind, kinds, "kill", NULL, NULL,
           "kill, slow, pause, partition or loss, as for faults."),
    RANDOM("tier", TABLE_ENUM, tier, tiers, NULL, NULL, NULL,
           "The tier whose nodes fail, each by itself."),
    RANDOM("mtbf", UNITS_DURATION, mtbf_ns, NULL, "1.667 years", "1 ms", "200 years",
           "Mean time between failures of a node. The default is 0.6 a year: J. Dean 2008, "
           "https://perspectives.mvdirona.com/?p=780 (~1,000 of 1,800 servers in a year)."),
    RANDOM("mttr", UNITS_DURATION, mttr_ns, NULL, "10 min", "1 ms", "30 d",
           "Mean time to repair. The default is ours."),
    RANDOM("factor", UNITS_FACTOR, factor, NULL, "10", "1", "1e6", "slow: how many times slower."),
    RANDOM("loss", UNITS_SHARE, loss, NULL, "50%", "0", "100%", "loss: share of packets."),

    CLAIM("id", id, NULL, "What is claimed: connections, kafka_brokers, delivery_latency, ..."),
    CLAIM("value", value, NULL, "The figure claimed, with its unit: \"50M\", \"3.5M/s\"."),
    CLAIM("about", about, "", "The claim in words."),
    ELEMENT(ARRAY_CLAIMS, "claims[].at", struct plan_claim, TABLE_ENUM, at, ats, "p99", NULL, NULL,
            "Latencies only: at which percentile, or on average, the figure is claimed."),

    ELEMENT(ARRAY_BUDGETS, "budgets[]", struct plan_budget, TABLE_STRING, text, NULL, NULL, NULL,
            NULL, "A limit that the result must keep: \"delivery.p99 < 100 ms\"."),
    {.path = NULL},
};
