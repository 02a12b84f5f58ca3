/* What every node of the modelled fleet stands on: the world it lives in, the wire between nodes,
 * its own clockwork, and where it counts.
 *
 * A node is a struct that begins with a `struct peer` and a handler of the engine. Nodes share the
 * world, which nobody writes during a run but for the statistics, one set a thread.
 *
 *     host (gateway, fan-out) --- EV_CALL ---> redis, cassandra, kafka, push
 *     host                    <-- EV_REPLY --- ...
 *     host                    --- EV_ROUTE --> host
 *     population              --- EV_FRAME --> host --- EV_DOWNLINK --> population
 *
 * An effect of the core travels as a struct call, its answer as one struct reply or a run of them
 * (rows). Each is the 48 bytes of an event; what a real message would weigh is charged by
 * call_bytes() and reply_bytes(), whatever the event's own size.
 *
 * User ids and group ids are below 2^32 here. Text is a stamp: when the message was meant to be
 * sent, in units of 256 ns, modulo 2^32. So any node can tell how old a message is, and in contents
 * runs a judge can tell one text from another.
 */
#ifndef MODELS_INFRA_INFRA_H
#define MODELS_INFRA_INFRA_H

#include "models/core/chat.h"
#include "models/plan.h"
#include "models/result.h"
#include "sim/check.h"
#include "sim/dist.h"
#include "sim/histogram.h"
#include "sim/outage.h"
#include "sim/rng.h"
#include "sim/sim.h"

#include <string.h>

#define STAMP_SHIFT 8u
#define FETCH_CREDIT 64u            /* Records of one partition under way to its worker. */
#define BATCHES 10u                 /* Of the measured time, for confidence intervals. */
#define WALL_BASE_MS 1764000000000u /* Unix time at simulated time 0. */

enum infra_class {
    CLASS_POPULATION,
    CLASS_GATEWAY,
    CLASS_FANOUT,
    CLASS_KAFKA,
    CLASS_CASSANDRA,
    CLASS_REDIS,
    CLASS_PUSH,
    CLASS_COUNT,
};

/* Event kinds, for all classes. Lower ones come first at equal times. */
enum infra_event {
    EV_DOWN = 1, /* The node is killed now. Posted ahead, by faults. */
    EV_UP,       /* It starts again, empty. */
    EV_TICK,     /* The node's own clockwork: meaning by class. */
    EV_TICK2,
    EV_TICK3,
    EV_CALL,     /* struct call: to a backend. */
    EV_REPLY,    /* struct reply: to a host. */
    EV_ROUTE,    /* struct route: to a gateway, straight or by Redis or Kafka. */
    EV_RECORD,   /* struct record: Kafka to a fan-out worker. */
    EV_OPEN,     /* struct uplink: a client connects. */
    EV_FRAME,    /* struct uplink: a client says something. */
    EV_CLOSE,    /* struct uplink: a client goes, saying so. */
    EV_DOWNLINK, /* struct downlink: to a client. */
    EV_INNER,    /* Between nodes of one backend: Cassandra's replicas, Kafka's followers ... */
    EV_INNER2,
    EV_INNER3,
    EV_INNER4,
    EV_COMMIT,  /* struct call: offset committed: to a Kafka broker. */
    EV_REFRESH, /* A gateway renews presence on a shard: struct call, `first` = the gateway. */
};

/* A chat_entry on the wire. 32 bytes. */
struct packed_entry {
    uint64_t id;
    uint32_t first; /* The channel; `second` 0: a group. */
    uint32_t second;
    uint32_t user;
    uint32_t stamp;
    uint16_t size_bytes; /* Of the text. */
    uint8_t kind;
    uint8_t device; /* 0x80: alone. */
    uint32_t more;  /* By the struct around it. */
};

/* Host -> backend. event.flags: the worker of the host (low byte), chat_effect.device (high). */
struct call {
    uint64_t token; /* The core's. */
    union {
        struct packed_entry entry; /* more: chat_effect.user. */
        struct {
            uint64_t conn_id;  /* REGISTER, LIVE, UNREGISTER. */
            uint64_t position; /* INBOX, LIVE, TRIM, RESERVE. */
            uint64_t id;       /* READ_UNACKED, READ_HISTORY: entry.id. */
            uint32_t channel;  /* ... HISTORY by group: its id. */
            uint32_t user;     /* chat_effect.user: at the same place as entry.more. */
        } key;
    };
    uint32_t source;   /* Node that is to be answered. */
    uint16_t op;       /* enum chat_op; 0: PUBLISH or PUSH. Low 12 bits; 0x8000: not answered. */
    uint16_t argument; /* READ, INBOX: rows wanted. STORE_RECEIPT_ROWS: rows. APPEND: devices that
                          are named, as bits (1 << device). REBUILD: the generation. */
};
/* Where effects put what: REGISTER, UNREGISTER, LIVE, INBOX, TRIM, RESERVE use `key`, all others
 * `entry`. CLAIM: entry.stamp is client_key. PUBLISH: op 0, to the broker that leads the channel's
 * partition. PUSH: op 0, to the push gateway. */

/* Backend -> host. event.flags: the worker (low byte). A reply of several rows is a run of these
 * with one token, one time, `total` of them; without rows total is 0 or 1. Entries of an inbox
 * (INBOX) end with one of ROW_NONE, counted in `total`, whose plain.value is the last position; an
 * empty inbox answers that one alone. */
struct reply {
    uint64_t token;
    union {
        struct {
            uint64_t value;
            uint64_t first; /* INBOX in a capacity run: position of the first row. */
            uint64_t unused[2];
        } plain;
        struct packed_entry entry; /* more: of an inbox, the low half of its position. */
        struct {
            uint64_t conn_id;
            uint64_t position;
            uint64_t trimmed;
            uint32_t user;
            uint16_t gateway; /* Names are below 65535: server * workers + worker. */
            uint8_t device;
            uint8_t flags; /* 1: fresh, 2: pushed. */
        } location;
        struct {
            uint64_t user;
            uint64_t joined;
            uint64_t left;
            uint64_t unused;
        } member;
    };
    int8_t err;  /* enum chat_err. */
    uint8_t row; /* enum reply_row. */
    uint16_t index;
    uint16_t total;
    uint16_t value_low; /* Rows: chat_event.value where it is a count; of an inbox: the generation.
                           A plain one: how many rows there would be (capacity runs). */
};

enum reply_row { ROW_NONE, ROW_ENTRY, ROW_LOCATION, ROW_MEMBER };

/* Host -> gateway; by Pub/Sub through a Redis shard, by Kafka through a broker. event.flags: the
 * gateway's name (chat_location.gateway). entry.more: the user; entry.device: the sender's device
 * in the low four bits, the target's in the high four. */
struct route {
    struct packed_entry entry;
    uint64_t position;
    uint64_t conn_id;
};

/* Kafka -> fan-out, as long as the worker has credit with the broker: it begins with the broker's
 * share of fanout.in_flight_max, and each EV_COMMIT gives back `argument` of it (key.position: the
 * offset up to which its partition key.channel is consumed). event.flags: the worker. entry.more:
 * partition. */
struct record {
    struct packed_entry entry;
    uint64_t offset;
    uint64_t published; /* Stamp of when PUBLISH was asked for (low 32 bits). */
};

/* Client -> gateway. event.flags: the worker (low byte), device (high). */
struct uplink {
    uint64_t conn_id;  /* OPEN: the client's transport in the low bits. */
    uint64_t msg_id;   /* FRAME: chat_frame.msg_id. OPEN: `since`. */
    uint64_t position; /* PONG. JOIN, LEAVE: who. OPEN: which connection of its device. */
    uint32_t first;
    uint32_t second;
    uint32_t client; /* Index in its population. */
    uint32_t stamp;
    uint32_t client_key; /* HISTORY: rows wanted. */
    uint16_t size_bytes;
    uint8_t kind;  /* enum chat_frame_kind. */
    uint8_t tries; /* OPEN: connection attempts before this one. */
};

/* Gateway -> client. */
struct downlink {
    uint64_t conn_id; /* So that a client told apart what an old connection said. */
    uint64_t msg_id;
    uint64_t position;
    uint32_t client;
    uint32_t user;       /* ERROR: the kind of frame that was refused. */
    uint32_t client_key; /* ACK, ERROR. */
    uint32_t stamp;
    uint32_t first; /* Of a group, its id; of a message of one's own, to whom; else 0. */
    uint16_t size_bytes;
    uint8_t kind;   /* enum chat_frame_kind; or one of these: */
    uint8_t status; /* FRAME status; ERROR: -err; DOWNLINK_OWN, DOWNLINK_AGAIN. */
};
#define DOWNLINK_OWN 0x40u   /* In status: a message of the client's own user. */
#define DOWNLINK_AGAIN 0x80u /* In status: frame.again. */
#define DOWNLINK_OPENED 64u  /* The connection is there: conn_id. */
#define DOWNLINK_REFUSED 65u /* It was refused. */
#define DOWNLINK_CLOSED 66u  /* The server closed it, or died: reset. status: -err. */

_Static_assert(sizeof(struct call) == 48, "an event's data");
_Static_assert(sizeof(struct reply) == 48, "an event's data");
_Static_assert(sizeof(struct route) == 48, "an event's data");
_Static_assert(sizeof(struct record) == 48, "an event's data");
_Static_assert(sizeof(struct uplink) == 48, "an event's data");
_Static_assert(sizeof(struct downlink) == 48, "an event's data");

/* Where time goes, and what is counted. The server's recorder uses the same names. */
enum stage {
#define STAGE_ENUM(name, text, about) name,
    RESULT_STAGES(STAGE_ENUM)
#undef STAGE_ENUM
        STAGE_COUNT
};

enum counter {
#define COUNTER_ENUM(name, text, about) name,
    RESULT_COUNTERS(COUNTER_ENUM)
#undef COUNTER_ENUM
        COUNTER_COUNT
};

/* Of one interval of the time series. */
struct stats_point {
    uint64_t sent;
    uint64_t acked;
    uint64_t delivered;
};

/* One thread's share; merged by adding. */
struct stats {
    uint64_t counters[COUNTER_COUNT]; /* In the measured time. */
    uint64_t total[COUNTER_COUNT];    /* From the start to the very end, drain included. */
    struct stats_point *series;       /* interval_count of them. */
    struct histogram stages[BATCHES][STAGE_COUNT];
};

/* A node's use in one interval of the time series. */
struct usage {
    uint64_t busy_ns; /* Of all its servers together. */
    uint64_t visits;
};

/* What may run out on a node. */
enum resource {
    RESOURCE_CPU,
    RESOURCE_NIC_IN,
    RESOURCE_NIC_OUT,
    RESOURCE_DISK_IO,
    RESOURCE_DISK_SPACE, /* When filled up to the end of retention. */
    RESOURCE_MEMORY,
    RESOURCE_CONNECTIONS,
    RESOURCE_QUOTA,
    RESOURCE_COUNT,
};

/* Over the measured time. In the unit of the limit: shares of time, bytes/s, bytes, connections. */
struct resource_use {
    double used;
    double limit; /* 0: the node has no such resource. */
};

struct cut; /* faults.h */

struct world {
    const struct plan *plan;
    struct dist in_zone; /* One way, ns. */
    struct dist between_zones;
    struct dist access[PLAN_ACCESS_COUNT];
    uint32_t access_cut[2];     /* Shares of the first and of the first two kinds, of 2^32. */
    uint32_t near;              /* Users modelled one by one. */
    uint32_t client_count;      /* Their devices. */
    uint32_t clients_each;      /* In a population node. */
    uint32_t devices_per_user;  /* At most. */
    uint32_t base[CLASS_COUNT]; /* First node id of each class. */
    uint32_t count[CLASS_COUNT];
    const struct outage_interval **outages; /* By node id: its schedule, sorted; or NULL. */
    uint32_t *outage_counts;
    uint8_t *zones;         /* By node id. */
    struct usage *usage;    /* By node id, then interval. */
    const struct cut *cuts; /* Partitions and losses; NULL: none. */
    uint32_t cut_count;
    uint64_t from_ns; /* The measured time: [from_ns, until_ns). */
    uint64_t until_ns;
    uint64_t stop_ns; /* Afterwards users write nothing new. */
    uint64_t interval_ns;
    uint32_t interval_count;
    double intervals_per_ns; /* Set by peer_init(), as the next: a division costs more. */
    double batches_per_ns;
    /* Cassandra's nodes stand in groups of group_size, the first group_rest of them with one more.
     * Set by cassandra_create(). */
    uint32_t group_count;
    uint32_t group_size;
    uint32_t group_rest;
    uint32_t thread_count;
    struct stats **stats; /* One a thread. */
    struct judge *judge;  /* Contents runs only; then one thread. */
};

/* What every node begins with. */
struct peer {
    struct world *world;
    uint32_t node;
    uint16_t class;
    uint16_t zone;
    uint32_t index;  /* In its class. */
    uint32_t out_ps; /* NIC, picoseconds a byte, each way; 0: no limit. */
    uint64_t out_free_ns;
    uint64_t in_free_ns;
    uint64_t out_bytes; /* In the measured time. */
    uint64_t in_bytes;
    struct outage outage;
    struct rng_cursor rng;
    struct usage *usage; /* world->interval_count of them. */
    uint64_t busy_ns;    /* In the measured time. */
};

static inline uint64_t hash_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* network.c. Sends `event`, which is `bytes` on the wire, when net_arrival() says; it needs time
 * and node filled in by the callee. */
void net_send(struct sim_context *context, struct peer *peer, uint32_t to, uint64_t depart_ns,
              uint32_t bytes, struct sim_event *event);
/* How long what is handed to the NIC waits and takes to be sent: its queue is that of now, since
 * what departs later must not hold up what departs before it. */
static inline uint64_t nic_send(struct peer *peer, uint64_t now_ns, uint32_t bytes)
{
    uint64_t start_ns = now_ns > peer->out_free_ns ? now_ns : peer->out_free_ns;
    peer->out_free_ns = start_ns + (uint64_t)bytes * peer->out_ps / 1000;
    return peer->out_free_ns - now_ns;
}
/* How much longer a packet takes for what faults do to paths; SIM_NEVER: it is lost, and counted.
 */
uint64_t net_cut(struct sim_context *context, const struct peer *peer, uint32_t to,
                 uint64_t sent_ns, uint64_t bits);
/* When `bytes` that leave `peer` at `depart_ns` (not before now), once its NIC is free, reach node
 * `to`; SIM_NEVER if they are lost. `bits`: a draw. */
static inline uint64_t net_arrival(struct sim_context *context, struct peer *peer, uint32_t to,
                                   uint64_t depart_ns, uint32_t bytes, uint64_t bits)
{
    const struct world *world = peer->world;
    uint64_t sent_ns = depart_ns + nic_send(peer, sim_context_now(context), bytes);
    if (depart_ns >= world->from_ns && depart_ns < world->until_ns) {
        peer->out_bytes += bytes;
    }
    bool near = peer->zone == world->zones[to];
    uint64_t arrival_ns = sent_ns + dist_ns(near ? &world->in_zone : &world->between_zones, bits);
    if (world->cuts == NULL) {
        return arrival_ns;
    }
    uint64_t delay_ns = net_cut(context, peer, to, sent_ns, hash_mix(bits));
    return delay_ns == SIM_NEVER ? SIM_NEVER : arrival_ns + delay_ns;
}
/* When the NIC has taken in `bytes` that arrive now. */
static inline uint64_t net_receive(struct peer *peer, uint64_t now_ns, uint32_t bytes)
{
    uint64_t start_ns = now_ns > peer->in_free_ns ? now_ns : peer->in_free_ns;
    if (now_ns >= peer->world->from_ns && now_ns < peer->world->until_ns) {
        peer->in_bytes += bytes;
    }
    peer->in_free_ns = start_ns + (uint64_t)bytes * peer->out_ps / 1000;
    return peer->in_free_ns;
}

/* What a call and its answer weigh on the wire, framing included. */
uint32_t call_bytes(const struct world *world, const struct call *call);
uint32_t reply_bytes(const struct world *world, enum chat_op op, uint32_t rows);

/* One answer to a call: fills in token, worker and kind from it, and sends. `reply` has the rest.
 */
void reply_send(struct sim_context *context, struct peer *peer, const struct sim_event *call_event,
                uint64_t depart_ns, struct reply *reply);

/* The NICs' share of a report. */
void peer_use(const struct peer *peer, struct resource_use uses[RESOURCE_COUNT]);

/* Sets up what all nodes have. The world's times are set. `class`, `index` say which; memory for
 * `usage` is the world's. */
void peer_init(struct peer *peer, struct world *world, enum infra_class class, uint32_t index,
               uint64_t nic_bytes_per_s);

/* Is a node up at that time, by its schedule? Anybody may ask about any node, but should ask about
 * the past: what a real peer would know by then. */
bool world_is_up(const struct world *world, uint32_t node, uint64_t time_ns);

/* A pure function of (user, shard count): shards and population agree on it. */
static inline uint32_t world_redis_shard(const struct world *world, uint64_t user)
{
    return (uint32_t)(user % world->count[CLASS_REDIS]);
}

static inline uint32_t stamp_of(uint64_t time_ns)
{
    return (uint32_t)(time_ns >> STAMP_SHIFT);
}

/* Nanoseconds from the stamp to `now_ns`, to 256 ns, up to 18 minutes. */
static inline uint64_t stamp_age_ns(uint32_t stamp, uint64_t now_ns)
{
    return (uint64_t)(uint32_t)(stamp_of(now_ns) - stamp) << STAMP_SHIFT;
}

static inline uint64_t channel_hash(uint32_t first, uint32_t second)
{
    return hash_mix((uint64_t)first << 32 | second);
}

static inline struct stats *stats_of(struct sim_context *context, const struct world *world)
{
    return world->stats[sim_context_thread(context)];
}

/* In which interval of the time series a time lies. */
static inline uint64_t world_interval(const struct world *world, uint64_t time_ns)
{
    return (uint64_t)((double)time_ns * world->intervals_per_ns);
}

static inline void count_add(struct sim_context *context, const struct world *world,
                             enum counter counter, uint64_t n)
{
    struct stats *stats = stats_of(context, world);
    uint64_t now_ns = sim_context_now(context);
    stats->total[counter] += n;
    if (counter == COUNT_SENT || counter == COUNT_ACKED || counter == COUNT_DELIVERED) {
        struct stats_point *point = &stats->series[world_interval(world, now_ns)];
        point->sent += counter == COUNT_SENT ? n : 0;
        point->acked += counter == COUNT_ACKED ? n : 0;
        point->delivered += counter == COUNT_DELIVERED ? n : 0;
    }
    if (now_ns >= world->from_ns && now_ns < world->until_ns) {
        stats->counters[counter] += n;
    }
}

static inline void stage_record(struct sim_context *context, const struct world *world,
                                enum stage stage, uint64_t ns)
{
    uint64_t now_ns = sim_context_now(context);
    if (now_ns >= world->from_ns && now_ns < world->until_ns) {
        uint32_t batch = (uint32_t)((double)(now_ns - world->from_ns) * world->batches_per_ns);
        batch = batch < BATCHES ? batch : BATCHES - 1;
        histogram_record(&stats_of(context, world)->stages[batch][stage], ns);
    }
}

/* Work of `busy_ns` that starts at `start_ns`, in the time series and in the utilization. It is
 * booked in the interval in which it starts. */
static inline void usage_add(struct peer *peer, uint64_t start_ns, uint64_t busy_ns)
{
    const struct world *world = peer->world;
    uint64_t interval = world_interval(world, start_ns);
    if (interval < world->interval_count) {
        peer->usage[interval].busy_ns += busy_ns;
        peer->usage[interval].visits++;
    }
    if (start_ns >= world->from_ns && start_ns < world->until_ns) {
        peer->busy_ns += busy_ns;
    }
}

/* data[] of an event as one of the structs above; copying keeps the compiler honest. */
#define EVENT_READ(event, into) memcpy((into), (event)->data, sizeof *(into))
#define EVENT_WRITE(event, from) memcpy((event)->data, (from), sizeof *(from))

void entry_pack(const struct chat_entry *entry, struct packed_entry *packed);
void entry_unpack(const struct packed_entry *packed, struct chat_entry *entry);

#endif
