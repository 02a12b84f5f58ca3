/* The result: WHAT HAPPENED, as plan.h is what was asked. Plain data, in SI units; reports/ writes
 * it down and judges it. Everything but `host` is the same for a plan and a seed on any number of
 * threads. */
#ifndef MODELS_RESULT_H
#define MODELS_RESULT_H

#include "models/plan.h"

#include <stdbool.h>
#include <stdint.h>

#define RESULT_BATCHES 10u
#define RESULT_QUANTILES 6u
#define RESULT_STAGES_MAX 24u
#define RESULT_COUNTERS_MAX 32u
#define RESULT_TIERS 7u
#define RESULT_RESOURCES 8u
#define RESULT_FINDINGS_MAX 8u
#define RESULT_VIOLATIONS_MAX 16u

/* The stages and counters of every result: enumerator (of models/infra), name, about. Here, since
 * whoever asks for a figure by name must know the names before there is a result. */
#define RESULT_STAGES(X)                                                                           \
    X(STAGE_UPLINK, "uplink", "from the tap on send to the gateway's step")                        \
    X(STAGE_GATEWAY, "gateway", "waiting for and using a gateway's CPU, a frame")                  \
    X(STAGE_CLAIM, "claim", "the conditional write that makes a send one message")                 \
    X(STAGE_STORE, "store", "message and receipt row durable")                                     \
    X(STAGE_PUBLISH, "publish", "on the log, replicated")                                          \
    X(STAGE_ACK, "ack", "from the tap on send to the tick `sent`")                                 \
    X(STAGE_LOG, "log", "from PUBLISH to the fan-out worker")                                      \
    X(STAGE_INBOX, "inbox", "appended to the recipient's inbox")                                   \
    X(STAGE_ROUTE, "route", "from the tap on send to the recipient's gateway")                     \
    X(STAGE_DOWNLINK, "downlink", "from the recipient's gateway to the device")                    \
    X(STAGE_DELIVERY, "delivery", "end to end, to a device online: from the tap on send")          \
    X(STAGE_RECEIPT, "receipt", "from delivered or read to the sender's device")                   \
    X(STAGE_LOOKUP, "lookup", "the receipt row read, to find the sender")                          \
    X(STAGE_RECEIPT_STORE, "receipt_store", "delivered or read, durable")                          \
    X(STAGE_CONNECT, "connect", "from the first try to a session")                                 \
    X(STAGE_DRAIN, "drain", "from a session to being live")                                        \
    X(STAGE_PUSH, "push", "a wake-up, asked for to shown")                                         \
    X(STAGE_POLL, "poll", "a request for news, to its answer")                                     \
    X(STAGE_HISTORY, "history", "a page of older messages, asked for to shown")                    \
    X(STAGE_FANOUT, "fanout", "a record consumed, to committed: all its recipients")

#define RESULT_COUNTERS(X)                                                                         \
    X(COUNT_SENT, "messages_sent", "intended by users")                                            \
    X(COUNT_TRANSMITTED, "messages_transmitted", "tries included")                                 \
    X(COUNT_ACKED, "messages_acked", "told `sent`")                                                \
    X(COUNT_REFUSED, "messages_refused", "told an error")                                          \
    X(COUNT_DELIVERED, "deliveries", "shown on a device for the first time")                       \
    X(COUNT_REDELIVERED, "redeliveries", "shown before")                                           \
    X(COUNT_QUEUED_OFFLINE, "deliveries_offline", "into the inbox of a device that is offline")    \
    X(COUNT_RECEIPTS_DELIVERED, "receipts_delivered", "told the sender")                           \
    X(COUNT_RECEIPTS_READ, "receipts_read", "told the sender")                                     \
    X(COUNT_READ, "reads", "said by devices")                                                      \
    X(COUNT_PAGES, "pages", "of older messages, asked for")                                        \
    X(COUNT_MEMBERSHIPS, "memberships", "joins and leaves of groups, asked for")                   \
    X(COUNT_RECORDS, "records_consumed", "by fan-out")                                             \
    X(COUNT_STEPS, "core_steps", "of the chat core")                                               \
    X(COUNT_ROUTES, "routes", "between servers")                                                   \
    X(COUNT_PUSHES, "pushes", "wake-ups asked for")                                                \
    X(COUNT_PUSHES_REFUSED, "pushes_refused", "over the push service's quota")                     \
    X(COUNT_CALLS, "backend_calls", "stores, reads, cache operations, publishes")                  \
    X(COUNT_TIMEOUTS, "backend_timeouts", "calls whose reply never came in time")                  \
    X(COUNT_FAILURES, "backend_failures", "calls refused")                                         \
    X(COUNT_CONNECTS, "connects", "sessions opened")                                               \
    X(COUNT_CONNECTS_REFUSED, "connects_refused", "for want of room")                              \
    X(COUNT_DISCONNECTS, "disconnects", "by client, network or a dead server")                     \
    X(COUNT_POLLS, "polls", "requests for news")                                                   \
    X(COUNT_POLLS_EMPTY, "polls_empty", "... that found none")                                     \
    X(COUNT_LOST, "events_lost", "sent to or from a dead or cut-off node")

/* p50, p90, p95, p99, p99.9, p99.99. */
extern const double result_quantiles[RESULT_QUANTILES];

/* An estimate with its 95% interval, from the batches of the measured time. Where there were too
 * few batches with samples, low = high = value and `known` is false. */
struct result_estimate {
    double value;
    double low;
    double high;
    bool known;
};

struct result_stage {
    const char *name;  /* "delivery" */
    const char *about; /* One sentence. */
    uint64_t count;
    struct result_estimate mean_ns;
    struct result_estimate quantile_ns[RESULT_QUANTILES];
    double max_ns;
    /* The batches that the intervals are from: RESULT_BATCHES, or fewer of a run that was ended
     * early; 0 where there is no interval. Of two runs with one seed they can be paired. */
    uint32_t batch_count;
    double batch_mean_ns[RESULT_BATCHES];
    double batch_quantile_ns[RESULT_QUANTILES][RESULT_BATCHES];
    /* Of the measured time: cumulative share at 96 points, logarithmic from 1 us to 100 s, for
     * pictures. */
    float cdf[96];
};

struct result_counter {
    const char *name; /* "messages_acked" */
    const char *about;
    uint64_t measured; /* In the measured time. */
    uint64_t total;    /* Warm-up and drain included. */
    double per_s;      /* measured / duration. */
};

/* A resource of a tier. Utilization is used / limit; above 1 for what would fill up (disk, memory)
 * as well as for what was asked of a station beyond its capacity. */
struct result_resource {
    const char *name; /* "cpu", "nic_in", "nic_out", "disk_io", "disk_space", "memory",
                         "connections", "quota" */
    const char *unit; /* "share", "B/s", "B", "1", "1/s" */
    bool present;
    double used_mean; /* Over nodes. */
    double used_max;
    double limit;
    double utilization_mean;
    double utilization_max;
    uint32_t worst; /* Index of the node with utilization_max. */
};

struct result_tier {
    const char *name; /* "population", "gateway", "fanout", "kafka", "cassandra", "redis", "push" */
    uint32_t nodes;
    uint32_t servers; /* Parallel servers (cores) of a node. */
    struct result_resource resources[RESULT_RESOURCES];
    /* Time series over [0, end of the run): CPU utilization, mean and maximum over nodes, and
     * visits a second, each interval. interval_count of each; owned by the result. */
    float *cpu_mean;
    float *cpu_max;
    float *visits_per_s;
};

/* What is asked for and is not there, though messages need not wait for it: a disk that would be
 * full before retention ends, memory, connections, pushes over their quota. */
struct result_finding {
    uint32_t tier; /* Indices into tiers and resources. */
    uint32_t resource;
    double utilization; /* Mean over nodes; above 1. */
};

struct result {
    const struct plan *plan; /* Borrowed. */
    uint64_t from_ns; /* The measured time: really measured, where the run was ended early. */
    uint64_t until_ns;
    uint64_t end_ns; /* The run's end, drain included. */
    bool partial;    /* Interrupted: what there was until end_ns. */
    double fraction; /* Of the clients and fleet that was simulated; counters are of that. */
    uint64_t events;
    uint64_t clients;
    uint64_t online; /* At the end. */
    uint32_t stage_count;
    struct result_stage stages[RESULT_STAGES_MAX];
    uint32_t counter_count;
    struct result_counter counters[RESULT_COUNTERS_MAX];
    struct result_tier tiers[RESULT_TIERS];
    /* What binds: of what limits throughput (CPU, network, disk I/O, memory, connections) the
     * resource of highest mean utilization. Disk space and the push quota never bind. */
    uint32_t binding_tier;
    uint32_t binding_resource;
    uint32_t finding_count;
    struct result_finding findings[RESULT_FINDINGS_MAX]; /* The worst first. */
    /* Messages sent and not yet acked at the end, and how fast their number grew in the second half
     * of the measured time (messages/s, by least squares; near 0 in a system that keeps up). */
    uint64_t unfinished;
    double unfinished_growth_per_s;
    uint64_t consumer_lag_records; /* Published and not consumed, at the end. */
    bool overloaded; /* A station's mean utilization is 1, or unfinished grows beyond its noise. */
    uint32_t interval_count; /* Of the time series. */
    uint64_t interval_ns;
    float *sent_per_s; /* interval_count each; owned by the result. */
    float *acked_per_s;
    float *delivered_per_s;
    /* Contents runs: what the judge found. */
    bool judged;
    uint64_t violation_count;
    uint32_t violation_words_count;
    char violations[RESULT_VIOLATIONS_MAX][256];
    uint64_t judged_acked;
    uint64_t judged_shown;
    uint64_t judged_owed;
    /* Facts of this machine and run: different at each run. */
    struct {
        uint32_t threads;
        bool plain;    /* The plain scheduler. */
        double wall_s; /* Of the run itself, without building. */
        double build_s;
        double wall_s_per_simulated_s;
        double events_per_s;
        uint64_t memory_bytes; /* Resident, at the end. */
        uint64_t memory_estimated_bytes;
    } host;
};

void result_free(struct result *result); /* What it owns, not itself. */

/* By name; NULL if there is none. */
const struct result_stage *result_stage(const struct result *result, const char *name);
const struct result_counter *result_counter(const struct result *result, const char *name);
const struct result_tier *result_tier(const struct result *result, const char *name);

#endif
