/* A small world that is against you: cores, inbox shards, replicas, a log and devices in one
 * process, and everything between them late, lost or done twice.
 *
 *     clients --UP--> nodes --calls--> shards, replicas, log
 *        ^--DOWN--------'  '--ROUTE--> nodes
 *
 * One seed is one run: who there is, what they write, and what goes wrong. For `run_ms` faults of
 * the kinds in `faults` happen; then everything is repaired and everyone is online, and after
 * `quiet_ms` the judge reads every screen. The world itself is fair: it does to the core only what
 * chat.h allows a host to do.
 *
 * Nothing here is modelled in time: delays are random, since order is what is being tried.
 */
#ifndef TESTS_SWARM_WORLD_H
#define TESTS_SWARM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

enum world_fault {
    FAULT_REPLY = 1 << 0,     /* Replies lost after the effect was done: UNKNOWN. */
    FAULT_REQUEST = 1 << 1,   /* Effects lost, or done long after UNKNOWN was said. */
    FAULT_FAILED = 1 << 2,    /* FAILED, and not done. */
    FAULT_ROUTE = 1 << 3,     /* ROUTEs lost. */
    FAULT_LINK = 1 << 4,      /* Connections dropped, with and without a close. */
    FAULT_NODE = 1 << 5,      /* A core dies and starts anew; its records are delivered again. */
    FAULT_REBALANCE = 1 << 6, /* Partitions move while their old worker is still at work. */
    FAULT_FLUSH = 1 << 7,     /* A shard loses everything. */
    FAULT_FAILOVER = 1 << 8,  /* A shard falls back to a replica that lagged. */
    FAULT_CLOCK = 1 << 9,     /* Wall clocks step, mostly back. */
    FAULT_REPLICA = 1 << 10,  /* Replicas miss writes, and lose what was not synced. */
    FAULT_LAPSE = 1 << 11,    /* Presence is not refreshed in time. */
    FAULT_MEMBER = 1 << 12,   /* Members join and leave groups. Not a fault, but trying. */
    FAULT_SMALL = 1 << 13,    /* Cores with so little room that it runs out. */
    FAULT_POLLS = 1 << 14,    /* Devices that poll. Not a fault either. */
    FAULT_WINDOW = 1 << 15,   /* Clients send up to 16 messages without waiting for an ack. */
    FAULT_ALL = (1 << 16) - 1,
};

struct world_options {
    uint64_t seed;
    uint32_t faults; /* enum world_fault, or'ed. */
    uint64_t run_ms;
    uint64_t quiet_ms;
    bool watermark; /* Receipts by watermark instead of per message. */
    bool trace;     /* Every event on stderr. */
};

struct world_options world_options_default(uint64_t seed);

struct world_result {
    uint64_t violations;
    uint64_t sent;
    uint64_t shown;
    uint64_t owed;
    uint64_t steps;
    uint64_t faults;
};

/* Runs it. Violations are printed to stderr as they are found at the end. */
struct world_result world_run(const struct world_options *options);

/* "seed 7, faults 0x3ff" of the run under way, for a failing CHECK to print; "" outside one. */
const char *world_running(void);

#endif
