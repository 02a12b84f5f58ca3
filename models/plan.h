/* The plan: WHAT IS ASKED, in SI units, checked.
 *
 * scenarios/load.h writes it; the simulator, the load driver, the deployment and the verdict read
 * it. Whoever holds a plan need not check it again: every number lies in the range of its row in
 * scenarios/table.c, and what several fields promise together (replication <= brokers, connected
 * <= users, a fault's target exists, shares sum to 1) has been checked. What is merely unwise (a
 * fleet too small for its clients) is not an error but a finding, and stands.
 *
 * Units are in the names: _ns nanoseconds, _ps picoseconds (costs a byte), _bytes, _per_s. A name
 * without a unit is a count; a double without a unit is a share (0 to 1) or a plain factor. Where
 * each default comes from: scenarios/table.c, and docs/scenarios.md, which is printed from it.
 *
 * Open structs: read freely. Nothing here is a pointer, so a plan is copied by assignment; it is
 * large (some 110 KB), so it is passed by address and not kept on small stacks.
 */
#ifndef MODELS_PLAN_H
#define MODELS_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define PLAN_NAME_SIZE 64
#define PLAN_ABOUT_SIZE 1024
#define PLAN_PATH_SIZE 512
#define PLAN_TEXT_SIZE 160
#define PLAN_FAULTS_MAX 64
#define PLAN_RANDOM_FAULTS_MAX 16
#define PLAN_CLAIMS_MAX 64
#define PLAN_BUDGETS_MAX 64
#define PLAN_ANY UINT32_MAX /* An index or zone that the scenario left open. */

/* -- Laws: how a quantity varies ----------------------------------------------------------------
 *
 *    value = floor + draw, cut at max
 *
 * `mean` and `median` are those of the value, floor included, before the cut. A scenario gives one
 * of the two; the loader fills in the other (plan_law_complete), so both may be read. The unit is
 * that of the parameter: nanoseconds or bytes. Models build their tables (sim/dist.h) from this. */
enum plan_law_kind {
    PLAN_LAW_CONSTANT,    /* Always mean. */
    PLAN_LAW_UNIFORM,     /* From floor to 2 mean - floor. */
    PLAN_LAW_EXPONENTIAL, /* draw has mean (mean - floor). */
    PLAN_LAW_LOGNORMAL,   /* draw = (median - floor) e^(sigma N(0,1)). */
};

struct plan_law {
    enum plan_law_kind kind;
    double floor;
    double mean;
    double median;
    double sigma; /* LOGNORMAL only: of the logarithm. */
    double max;   /* The cut; 0: none. */
};

/* -- The run ------------------------------------------------------------------------------------
 */
enum plan_undecided { PLAN_UNDECIDED_FAILS, PLAN_UNDECIDED_PASSES };

struct plan_run {
    uint64_t warmup_ns;            /* Simulated and thrown away. */
    uint64_t duration_ns;          /* Simulated and measured, after the warm-up. */
    uint64_t drain_ns;             /* Afterwards nothing new is sent and what is under way ends. */
    uint64_t seed;                 /* Same seed, same bytes. */
    uint64_t sample_interval_ns;   /* Of the time series. */
    bool contents;                 /* Backends keep contents and judges read every screen. */
    enum plan_undecided undecided; /* A budget whose limit lies within the figure's interval. */
    double fidelity; /* Share of clients simulated, with as much of the fleet; 1: all. */
};

/* -- Who writes, to whom, how often -------------------------------------------------------------
 */
struct plan_trace {
    char file[PLAN_PATH_SIZE]; /* Empty: synthetic. Relative to the working directory. */
    double compress;           /* 1000: a thousand seconds of the trace pass in one. */
};

struct plan_population {
    uint64_t users;               /* All that exist, connected or not. */
    uint64_t connected;           /* Users connected at the simulated moment. */
    double devices_per_user;      /* Mean; at least 1. */
    double message_rate_per_s;    /* Sent, over all, at the simulated moment (the peak). */
    double history_rate_per_s;    /* Pages of older messages, likewise. */
    double membership_rate_per_s; /* Joins and leaves of groups, likewise. */
    double peak_factor;           /* That rate over the daily mean: what a day stores is less. */
    double group_share;           /* Of messages, those to a group. The rest go to one person. */
    double group_size_mean;       /* Members, weighted by messages, the sender included. */
    double group_size_sigma;      /* Of the logarithm (lognormal); 0: all of one size. */
    uint64_t group_size_max;
    uint64_t groups;             /* Groups that exist. */
    double zipf_s;               /* Skew of activity over users; 0: even. */
    double offline_share;        /* Of recipients, those not connected when it is sent. */
    uint64_t connection_life_ns; /* Mean, exponential; 0: nobody leaves. The churn. */
    double read_share;           /* Of delivered messages, those ever read. */
    struct plan_law read_delay;  /* ns, from delivered to read. */
    struct plan_law record_size; /* Bytes: ids, envelope, text; what storage and log hold. */
    struct plan_trace trace;
};

/* -- How clients connect ------------------------------------------------------------------------
 */
enum plan_transport { PLAN_WEBSOCKET, PLAN_LONG_POLLING, PLAN_POLLING };

struct plan_client {
    enum plan_transport transport;
    uint64_t poll_interval_ns;    /* POLLING: between requests. */
    uint64_t poll_hold_ns;        /* LONG_POLLING: how long the server holds one. */
    uint64_t poll_check_ns;       /* LONG_POLLING: a naive server looks this often; 0: is woken. */
    uint64_t http_request_bytes;  /* Polling of both kinds: headers of a request ... */
    uint64_t http_response_bytes; /* ... and of an answer. */
    uint64_t heartbeat_ns;        /* WEBSOCKET. */
    uint64_t reconnect_first_ns;  /* Back-off before the second attempt; doubles. */
    uint64_t reconnect_max_ns;
    double reconnect_jitter;  /* Share of each wait that is drawn at random. */
    uint64_t send_timeout_ns; /* Without an ack, sends again under the same client id. */
};

/* -- Network ------------------------------------------------------------------------------------
 */
enum plan_access_kind { PLAN_ACCESS_4G, PLAN_ACCESS_5G, PLAN_ACCESS_WIFI, PLAN_ACCESS_COUNT };

struct plan_access {
    double share;        /* Of clients. The three sum to 1. */
    struct plan_law rtt; /* ns, to the gateway and back. */
    double loss;         /* Of packets. */
    uint64_t wakeup_ns;  /* Of an idle radio, before the first packet. */
};

struct plan_network {
    uint32_t zones;              /* Every tier is spread over them: node i in zone i % zones. */
    struct plan_law rtt_in_zone; /* ns, there and back. Half its floor is the lookahead. */
    struct plan_law rtt_between_zones; /* ns, there and back. */
    struct plan_access access[PLAN_ACCESS_COUNT];
    uint64_t framing_bytes;        /* Client side: WebSocket, TLS, TCP and IP around a message. */
    uint64_t framing_inside_bytes; /* Between servers: around a request or an answer. */
    uint32_t handshake_round_trips;
    uint64_t retransmit_timeout_ns; /* After a loss; doubles. */
    uint64_t idle_timeout_ns;       /* After which something on the path forgets the connection. */
};

/* -- The fleet: one struct a tier ---------------------------------------------------------------
 */
struct plan_gateway {
    uint32_t servers;
    uint32_t cores;           /* Workers: one event loop, one core of the chat each. */
    uint64_t connections_max; /* A server. */
    uint64_t memory_bytes;    /* A server. */
    uint64_t connection_kernel_bytes;
    uint64_t connection_user_bytes;
    uint64_t connection_tls_bytes;
    uint64_t nic_bytes_per_s;  /* Each way. */
    uint64_t cpu_frame_in_ns;  /* A frame from a client. */
    uint64_t cpu_frame_out_ns; /* A frame to a client: message, ack or receipt. */
    uint64_t cpu_effect_ns;    /* A store, read, publish, cache or route, asked and answered. */
    uint64_t cpu_byte_ps;      /* A byte of a record passed on. */
    uint64_t cpu_poll_ns;      /* An HTTP request that asks for news. */
    uint64_t cpu_idle_ns;      /* A connected client, each second. */
    uint64_t cpu_handshake_ns; /* TLS, and what opening a session costs besides. */
    double tls_share;          /* Steady state: added to every cost above. */
};

struct plan_fanout {
    uint32_t servers;
    uint32_t cores;
    uint64_t nic_bytes_per_s;
    uint64_t cpu_record_ns;    /* A record consumed. */
    uint64_t cpu_recipient_ns; /* A device looked up and appended to. */
    uint64_t cpu_route_ns;     /* A ROUTE sent to a gateway. */
    uint64_t cpu_byte_ps;
    uint32_t in_flight_max; /* Records being fanned out, a core. */
};

enum plan_acks { PLAN_ACKS_NONE, PLAN_ACKS_LEADER, PLAN_ACKS_ALL };

struct plan_kafka {
    uint32_t brokers;
    uint32_t partitions; /* Of the messages topic. */
    uint32_t replication;
    uint32_t min_insync;
    enum plan_acks acks;
    uint64_t linger_ns;
    uint64_t batch_bytes;
    uint32_t requests_in_flight_max; /* A producer and broker. */
    uint64_t delivery_timeout_ns;
    uint32_t network_threads; /* They parse requests and send answers ... */
    uint32_t io_threads;      /* ... these append and look up. */
    uint64_t cpu_request_ns;
    uint64_t cpu_record_ns;
    uint64_t cpu_byte_ps;
    uint64_t nic_bytes_per_s; /* Each way. */
    uint64_t disk_bytes_per_s;
    uint64_t disk_bytes;
    uint64_t retention_ns;
    uint64_t batch_overhead_bytes;
    uint64_t record_overhead_bytes;
    uint64_t key_bytes;
    uint64_t fetch_min_bytes;
    uint64_t fetch_wait_ns;
    uint64_t fetch_partition_bytes;
    uint64_t fetch_bytes;
    uint64_t session_timeout_ns; /* Until a dead consumer is noticed. */
    uint64_t rebalance_pause_ns; /* Consumption stands still for it. */
    uint64_t failover_ns;        /* Until the partitions of a dead broker have new leaders. */
};

enum plan_consistency { PLAN_ONE, PLAN_QUORUM, PLAN_ALL };

struct plan_cassandra {
    uint32_t nodes;
    uint32_t replication;
    enum plan_consistency consistency; /* Of reads and writes. */
    uint32_t cores;
    uint32_t write_slots;
    uint32_t read_slots;
    uint64_t cpu_write_ns;      /* A write at a replica. */
    uint64_t cpu_read_ns;       /* A read at a replica. */
    uint64_t cpu_coordinate_ns; /* An operation at its coordinator. */
    uint64_t cpu_compact_ps;    /* A byte rewritten by compaction. */
    struct plan_law read_disk;  /* ns: what a local read waits beyond its CPU, holding its slot. */
    uint32_t lwt_rounds;        /* Round trips of a conditional write. */
    double write_amplification; /* By compaction. */
    uint64_t compaction_bytes_per_s; /* The cap. */
    uint64_t disk_bytes_per_s;
    uint64_t disk_bytes;   /* Raw, a node. */
    double disk_usable;    /* Share of it. */
    uint64_t retention_ns; /* How long messages and receipts are kept. */
    uint64_t row_overhead_bytes;
    uint64_t cell_overhead_bytes;
    uint64_t receipt_bytes;     /* Keys and values of a receipt row. */
    uint64_t commitlog_sync_ns; /* What a kill may lose on one node. */
    uint64_t gc_pause_ns;
    uint64_t gc_period_ns; /* 0: never pauses. */
    uint64_t write_timeout_ns;
    uint64_t read_timeout_ns;
    uint64_t hint_window_ns;
    uint32_t coordinator_max; /* Operations a node coordinates at a time; more are refused. */
    uint64_t nic_bytes_per_s;
};

struct plan_redis {
    uint32_t shards;   /* Primaries, one thread each. */
    uint32_t replicas; /* Of each. */
    uint64_t cpu_command_ns;
    uint64_t cpu_round_trip_ns; /* Once for each pipelined batch. */
    uint64_t cpu_byte_ps;
    uint32_t pipeline_max;       /* Commands a client sends in one batch. */
    uint64_t key_overhead_bytes; /* A key with expiry, besides its value. */
    uint64_t presence_bytes;     /* The value of a presence entry. */
    uint64_t list_overhead_bytes;
    uint64_t element_overhead_bytes;
    uint64_t memory_bytes;   /* A shard. */
    double rss_ratio;        /* Resident over used. */
    double save_ratio;       /* Times that, while saving. */
    uint64_t save_period_ns; /* 0: never saves. */
    uint64_t fork_stall_ns_per_gb;
    uint64_t failover_ns; /* Until a replica has taken over a dead shard. */
    uint64_t timeout_ns;
    uint64_t nic_bytes_per_s;
};

struct plan_push {
    double apns_share;            /* Of devices; the others are woken by FCM. */
    struct plan_law apns_latency; /* ns. */
    struct plan_law fcm_latency;  /* ns. */
    double loss;                  /* Never shown, or far too late. */
    double quota_per_s;           /* FCM's, a project; beyond it pushes are refused. 0: none. */
    uint64_t timeout_ns;
    uint64_t payload_bytes;
};

/* -- The chat's own settings --------------------------------------------------------------------
 */
enum plan_routing { PLAN_ROUTING_STICKY, PLAN_ROUTING_REDIS, PLAN_ROUTING_KAFKA };
enum plan_receipts { PLAN_RECEIPTS_MESSAGE, PLAN_RECEIPTS_WATERMARK };

struct plan_core {
    enum plan_receipts receipts;
    uint64_t receipts_window_ns; /* WATERMARK: how long moved marks wait to be announced. */
    uint32_t hybrid_threshold;   /* Members above which those offline pull. */
    uint64_t presence_ttl_ns;
    uint64_t inbox_ttl_ns;
    uint64_t claim_ttl_ns; /* How long (user, device, client id) stays one message. */
    uint64_t member_cache_ttl_ns;
    uint64_t retry_first_ns; /* After a failed or unknown effect; doubles. */
    uint64_t retry_max_ns;
    uint64_t redeliver_ns; /* After which what no device acknowledged is sent again. */
    uint32_t history_page; /* Messages. */
};

/* -- Faults -------------------------------------------------------------------------------------
 */
enum plan_tier {
    PLAN_TIER_GATEWAY,
    PLAN_TIER_FANOUT,
    PLAN_TIER_KAFKA,
    PLAN_TIER_CASSANDRA,
    PLAN_TIER_REDIS,
    PLAN_TIER_PUSH,
    PLAN_TIER_CLIENT,
    PLAN_TIER_COUNT,
    PLAN_TIER_ALL = PLAN_TIER_COUNT, /* ZONE, PARTITION: whatever stands in the zone. */
};

enum plan_fault_kind {
    PLAN_FAULT_KILL,      /* Memory gone, sockets reset; comes back empty at the end. */
    PLAN_FAULT_SLOW,      /* Every service takes `factor` times as long. */
    PLAN_FAULT_PAUSE,     /* Answers nothing, loses nothing; goes on at the end. */
    PLAN_FAULT_PARTITION, /* Cut off from all that is not a target itself. */
    PLAN_FAULT_LOSS,      /* `loss` of its packets, both ways. */
    PLAN_FAULT_SKEW,      /* Its wall clock is off by skew_ns. */
    PLAN_FAULT_ZONE,      /* KILL of every node of every tier in `zone`. */
};

/* The targets are: the node `index`; or else `count` nodes from the first of the tier (of those in
 * `zone`, if given); or else, with count 0, all of them. */
struct plan_fault {
    enum plan_fault_kind kind;
    enum plan_tier tier;
    uint64_t at_ns;       /* From the end of the warm-up. */
    uint64_t duration_ns; /* 0: to the end of the run. */
    uint32_t index;       /* PLAN_ANY: not given. */
    uint32_t zone;        /* PLAN_ANY: not given. */
    uint32_t count;
    double factor;
    double loss;
    int64_t skew_ns;
};

/* Each node of the tier fails by itself: exponential times between, exponential repairs. */
struct plan_random_fault {
    enum plan_fault_kind kind; /* KILL, SLOW, PAUSE, PARTITION or LOSS. */
    enum plan_tier tier;
    uint64_t mtbf_ns;
    uint64_t mttr_ns;
    double factor;
    double loss;
};

/* -- Claims and budgets, for reports/ to judge --------------------------------------------------
 *
 * Texts stand as written, to be shown; the loader has made figures of them, since it alone knows
 * how people write units. */
struct plan_position {
    char file[PLAN_PATH_SIZE];
    uint32_t line; /* From 1; 0: not from a file. */
    uint32_t column;
};

/* At which part of all messages a latency is claimed. The first six are those of a result. */
enum plan_at {
    PLAN_AT_P50,
    PLAN_AT_P90,
    PLAN_AT_P95,
    PLAN_AT_P99,
    PLAN_AT_P99_9,
    PLAN_AT_P99_99,
    PLAN_AT_AVERAGE,
};

struct plan_claim {
    char id[PLAN_NAME_SIZE];    /* Lower case, digits and _; unique. One that reports/ knows. */
    char value[PLAN_TEXT_SIZE]; /* As written: "3.5M/s". */
    char about[PLAN_TEXT_SIZE];
    enum plan_at at; /* Latencies only. */
    double figure;   /* The value in SI, times in ns; NAN where it is words. */
    struct plan_position position;
};

enum plan_compare { PLAN_LESS, PLAN_AT_MOST, PLAN_MORE, PLAN_AT_LEAST };

struct plan_budget {
    char text[PLAN_TEXT_SIZE]; /* As written: "delivery.p99 < 100 ms". */
    char metric[PLAN_NAME_SIZE];
    enum plan_compare compare;
    double limit; /* In SI, times in ns. */
    struct plan_position position;
};

struct plan {
    char name[PLAN_NAME_SIZE];
    char variant[PLAN_NAME_SIZE]; /* Empty: the scenario has none. */
    char about[PLAN_ABOUT_SIZE];
    uint32_t level; /* 1 (polling) to 9 (end-to-end encryption); 0: none. */
    struct plan_run run;
    struct plan_population population;
    struct plan_client client;
    struct plan_network network;
    struct plan_gateway gateway;
    struct plan_fanout fanout;
    struct plan_kafka kafka;
    struct plan_cassandra cassandra;
    struct plan_redis redis;
    struct plan_push push;
    enum plan_routing routing;
    struct plan_core core;
    uint32_t fault_count;
    struct plan_fault faults[PLAN_FAULTS_MAX];
    uint32_t random_fault_count;
    struct plan_random_fault random_faults[PLAN_RANDOM_FAULTS_MAX];
    uint32_t claim_count;
    struct plan_claim claims[PLAN_CLAIMS_MAX];
    uint32_t budget_count;
    struct plan_budget budgets[PLAN_BUDGETS_MAX];
};

/* -- Derived quantities (models/plan.c) ----------------------------------------------------------
 */

/* Fills in median from mean (`by_mean`) or mean from median. For the loader and for tests. */
void plan_law_complete(struct plan_law *law, bool by_mean);

/* What no value falls short of: the floor; for a CONSTANT its mean. */
double plan_law_least(const struct plan_law *law);

/* Least one-way delay between two nodes of the fleet or a client and a node: the lookahead. */
uint64_t plan_lookahead_ns(const struct plan *plan);

/* Mean number of other members in the group of a group message. */
double plan_group_recipients(const struct plan *plan);

/* Mean number of people that a message goes to. Times devices_per_user: devices. */
double plan_recipients(const struct plan *plan);

/* Messages sent a second, averaged over a day. */
double plan_message_rate_mean_per_s(const struct plan *plan);

/* Logins a second by Little's law: connected devices over connection life. 0 without churn. */
double plan_logins_per_s(const struct plan *plan);

/* Mean time until a user who left comes back, as a steady state needs it: the life of a connection
 * times (users - connected) / connected. 0 without churn. */
uint64_t plan_offline_life_ns(const struct plan *plan);

/* Nodes of a tier; for PLAN_TIER_CLIENT 0, for PLAN_TIER_PUSH 1. Redis counts primaries. */
uint32_t plan_tier_nodes(const struct plan *plan, enum plan_tier tier);

/* "gateway", "kafka", ...; "all" for PLAN_TIER_ALL. */
const char *plan_tier_name(enum plan_tier tier);

/* Where node `index` of any tier stands. */
uint32_t plan_zone_of(const struct plan *plan, uint32_t index);

#endif
