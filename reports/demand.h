/* Demand: what a plan's load asks of its fleet, by formula.
 *
 *     utilization of a tier = demand / (nodes x what one has)          the utilization law
 *
 * [HB] 6.2 (sim/theory.h): the busy share of a server is arrival rate x mean service, whatever the
 * laws. So it says what a run of an overloaded system can't: how much was asked for. And where a
 * run keeps up, it stands beside the simulated figure, which it should meet.
 *
 * The work of a message is counted by its steps (docs/verdicts.md has the list): one claim, one row
 * of the message and one for each recipient, one record on the log, one append, delivered and read
 * receipt a device, and what these cost by the plan. Left out: retries, faults, reconnects and
 * batches that fill by chance, so it is a first-order figure, good to a fifth (tests/formula).
 */
#ifndef REPORTS_DEMAND_H
#define REPORTS_DEMAND_H

#include "models/plan.h"

enum demand_resource {
    DEMAND_CPU,        /* Cores busy; a node has its cores. */
    DEMAND_NIC_IN,     /* B/s */
    DEMAND_NIC_OUT,    /* B/s */
    DEMAND_DISK_IO,    /* B/s */
    DEMAND_DISK_SPACE, /* B, at the end of retention. */
    DEMAND_MEMORY,     /* B */
    DEMAND_CONNECTIONS,
    DEMAND_COUNT,
};

struct demand {
    /* Of the load, a second at the simulated moment. */
    double messages_per_s;
    double devices; /* That a message goes to. */
    double deliveries_per_s;
    double connections;
    double polls_per_s;      /* Requests for news; 0 with WebSocket. */
    double log_record_bytes; /* A record with its overheads, as Kafka holds it. */
    double log_requests_per_s;
    double stored_bytes; /* A message: its row, receipt rows and claim, on one replica. */
    double store_writes; /* Mutations a message, on one replica: all of them ... */
    double store_rows;   /* ... and without the rounds of Paxos: what a table would count. */
    double store_reads;
    double cache_commands; /* A message. */
    double presence_bytes; /* An online device's, resident, while a snapshot is written. */
    double inbox_bytes;    /* Of all who are offline, by Little's law, the same way. */
    /* Of a tier: all nodes together, and what one node has (0: no such resource). */
    double asked[PLAN_TIER_COUNT][DEMAND_COUNT];
    double limit[PLAN_TIER_COUNT][DEMAND_COUNT];
    double nodes[PLAN_TIER_COUNT];
};

void demand_of(const struct plan *plan, struct demand *demand);

/* asked / (nodes x limit); 0 where there is no such resource. */
double demand_utilization(const struct demand *demand, enum plan_tier tier,
                          enum demand_resource resource);

/* "cpu", "nic_out", ...: the resource's name in a result. */
const char *demand_resource_name(enum demand_resource resource);

#endif
