/* Brokers, with hosts that publish and workers that consume, and what these saw. Everything else of
 * the fleet is left out.
 *
 * A host publishes record after record, each to a channel of its own choice, and asks again, as the
 * chat core does, until it is told CHAT_OK. A worker is done with a record a fixed time after it
 * came, and commits now and then. */
#ifndef TESTS_UNIT_KAFKA_BED_H
#define TESTS_UNIT_KAFKA_BED_H

#include "models/infra/faults.h"
#include "models/infra/kafka.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define LATENCY_NS 200000u /* One way, to the nanosecond, unless the test says otherwise. */
#define NO_RECORD UINT32_MAX

/* A record, as its host sees it. */
struct kafka_asked {
    uint64_t asked_ns;    /* First. */
    uint64_t answered_ns; /* CHAT_OK; 0: never. */
    uint32_t tries;
    uint32_t replies;
    int32_t err; /* The latest. */
    uint32_t sample;
};

/* A record, as a worker sees it. */
struct kafka_seen {
    uint64_t time_ns;
    uint64_t offset;
    uint32_t record;
    uint32_t partition;
    uint32_t worker;
    uint32_t published;
};

struct kafka_bed;

struct kafka_host {
    struct peer peer;
    struct kafka_bed *bed;
    struct kafka_producer *producer;
    uint32_t next; /* Record, of its own. */
    uint64_t last_ns;
};

/* A fan-out server. */
struct kafka_server {
    struct peer peer;
    struct kafka_bed *bed;
    struct kafka_seen *seen; /* In order of arrival. */
    uint32_t seen_count;
    uint32_t seen_max;
    uint32_t life; /* What was under way in an earlier one is forgotten. */
    uint32_t under_way;
    uint32_t under_way_max;
    bool flush_armed;
    uint64_t *next;    /* By partition: everything before it is done with. */
    uint32_t *credit;  /* By partition: to be given back. */
    uint32_t *dirty;   /* Partitions with credit to give back. */
    uint32_t *workers; /* By partition: who has it. */
    uint32_t dirty_count;
};

struct kafka_bed_options {
    uint32_t hosts;
    uint32_t servers;
    uint32_t records; /* A host. */
    uint32_t burst;   /* So many at a time ... */
    uint64_t gap_ns;  /* ... so long apart: exponential, or constant with `regular`. */
    bool regular;
    uint32_t channels;
    uint32_t text_bytes;
    uint64_t service_ns; /* SIM_NEVER: a worker is never done. */
    bool stuck;          /* A worker is never done with the first record of a partition. */
    uint64_t flush_ns;   /* Commits are told so much later. */
    uint64_t timeout_ns; /* A host asks again; 0: never, not even after a refusal. */
    bool routes;         /* Hosts send routes by Kafka instead, gateway name = record % hosts. */
    uint32_t threads;
    enum sim_scheduler scheduler;
};

struct kafka_bed {
    struct plan plan;
    struct kafka_bed_options options;
    struct world world;
    struct sim *sim;
    struct kafka *kafka;
    struct kafka_host *hosts;
    struct kafka_server *servers;
    struct kafka_asked *asked; /* By record: host * options.records + n. */
    struct stats *stats[SIM_THREADS_MAX];
    struct kafka_seen *routed; /* By host; its routes in order of arrival. */
    uint32_t *routed_count;
};

/* Three zones, replication 3, acks all, linger 5 ms, costs as in the scenarios' table; one host,
 * one server of four cores. To be changed at will before kafka_bed_start(). */
struct kafka_bed *kafka_bed_plan(uint32_t brokers, uint32_t partitions, uint64_t run_ns);
/* From at_ns of the run on. */
void kafka_bed_fault(struct kafka_bed *bed, enum plan_fault_kind kind, enum plan_tier tier,
                     uint32_t index, uint64_t at_ns, uint64_t duration_ns);
void kafka_bed_start(struct kafka_bed *bed);
void kafka_bed_free(struct kafka_bed *bed);

/* Of all servers: how often each record was seen; freed by the caller. */
uint32_t *kafka_bed_counts(const struct kafka_bed *bed);
/* Counts of a kind, over all threads. */
uint64_t kafka_bed_total(const struct kafka_bed *bed, enum counter counter);
/* Everything that hosts and servers saw, digested. */
uint64_t kafka_bed_digest(const struct kafka_bed *bed);
struct plan_law kafka_bed_constant(double value);

#endif
