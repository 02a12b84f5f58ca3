/* A ring of Cassandra with hosts in its zones that ask what a test scripts, and note what they are
 * told. Everything else of the fleet is left out. */
#ifndef TESTS_UNIT_CASSANDRA_BED_H
#define TESTS_UNIT_CASSANDRA_BED_H

#include "models/infra/cassandra.h"
#include "models/infra/faults.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define HOSTS 3u
#define NODES_MAX 12u
#define TOKENS_MAX 60000u
#define LATENCY_NS 50000u /* One way, to the nanosecond. */
#define ROWS_MAX 40u

/* What a host was told of one call. */
struct answer {
    uint64_t asked_ns;
    uint64_t done_ns;
    uint64_t value;
    uint32_t replies;
    uint32_t tries;
    int32_t err; /* The worst, 1: none yet. */
    uint32_t row_count;
    uint64_t ids[ROWS_MAX];
    struct packed_entry row; /* The first. */
};

struct bed;
struct host {
    struct peer peer;
    struct bed *bed;
};

/* A ring, some hosts in its zones, and what these were told. */
struct bed {
    struct plan plan;
    struct world world;
    struct sim *sim;
    struct cassandra_ring *ring;
    struct host hosts[HOSTS];
    struct stats *stats[SIM_THREADS_MAX];
    struct answer *answers;
    bool retries; /* Hosts ask again, as the chat core does. */
};

/* Three zones, replication 3 at QUORUM, and nothing that costs time. To be changed at will before
 * bed_start(). */
struct bed *bed_plan(uint32_t nodes, uint64_t run_ns);
/* From at_ns of the run on, of node `index`. */
void bed_fault(struct bed *bed, enum plan_fault_kind kind, uint32_t index, uint64_t at_ns,
               uint64_t duration_ns);
void bed_start(struct bed *bed);
void bed_start_on(struct bed *bed, uint32_t thread_count, enum sim_scheduler scheduler);
void bed_free(struct bed *bed);

/* Host `host` asks `call` at that time; its answer will be bed->answers[token]. */
void bed_call(struct bed *bed, uint32_t host, uint64_t time_ns, uint32_t token, uint32_t device,
              struct call call);

struct plan_law bed_constant(double value);

/* Calls. A message to nobody (a group's) is one partition, and has one answer. */
struct call message(uint64_t id, uint32_t first, uint32_t second, uint32_t recipient);
struct call group_message(uint64_t id, uint32_t group);
struct call history(uint32_t first, uint32_t second, uint16_t rows);
struct call claim(uint64_t id, uint32_t user, uint32_t key);
struct call by_user(enum chat_op op, uint32_t user);
uint64_t message_id(uint64_t n);

#endif
