/* The inside of kafka.h, shared by the kafka_*.c files.
 *
 *   kafka.c           making, posting, reporting; the handler's table
 *   kafka_schedule.c  who leads and who consumes, as functions of the schedule of faults
 *   kafka_producer.c  what hosts need
 *   kafka_wire.c      CPU, NIC and latency of requests and responses
 *   kafka_append.c    records come in: EV_CALL, EV_ROUTE
 *   kafka_replica.c   ... are fetched by followers, and are committed: EV_INNER, EV_INNER2,
 * EV_TICK2 kafka_deliver.c   ... go to workers, and are let go: EV_RECORD, EV_COMMIT kafka_move.c
 * homes change leaders, workers change: EV_DOWN, EV_UP, EV_TICK, EV_INNER3, 4
 *
 * A record's way through its leader. It is in one place at a time; a slot is 64 bytes.
 *
 *     EV_CALL -> home: ring, high_seq to end_seq    appended, not with every replica in sync
 *                  | kafka_advance()
 *                  v
 *             partition: head ... cursor ... tail   readable; from head to before cursor it is
 *                  | commit_apply()                 under way to its worker
 *                  v
 *             free
 *
 * Credit. link.used = what is under way to a worker: `used` of each partition that it owns, and
 * `stale`, of partitions that it no longer does. FETCH_CREDIT of one partition, and `credit` of one
 * link, are under way at most: a broker's share of fanout.in_flight_max. Only what a takeover
 * inherits may exceed the latter.
 */
#ifndef MODELS_INFRA_KAFKA_STATE_H
#define MODELS_INFRA_KAFKA_STATE_H

#include "models/infra/kafka.h"
#include "sim/fifo.h"

#define KAFKA_NONE UINT32_MAX
#define KAFKA_REPLICAS_MAX 7u
#define KAFKA_OPENS 0x1000u /* In call.op: the first record of its request, ... */
#define KAFKA_HEADS 0x2000u /* ... of its partition in that request: a batch header is due. */
#define KAFKA_UNANSWERED 0x8000u
#define KAFKA_OWED_NS 20000u   /* CPU that rides on the next visit; more than that does not wait. */
#define KAFKA_ENTRY_BYTES 40u  /* Ids around the text. */
#define KAFKA_ROUTE_BYTES 56u  /* The same, with position and connection. */
#define KAFKA_ANSWER_BYTES 30u /* A partition in a produce response; about one a record here. */
#define KAFKA_FETCH_KEY_BYTES 16u
#define KAFKA_HANDED_SHIFT 44u
#define KAFKA_RETRY_NS 1000000u
#define KAFKA_RING_FIRST 1024u

/* A record that is held: 64 bytes. */
struct kafka_slot {
    struct packed_entry entry; /* more: stamp of when PUBLISH was asked for. */
    uint64_t token;
    uint32_t source;
    uint32_t bytes;    /* In the log: its share of a batch header included. */
    uint32_t appended; /* Stamp. */
    uint8_t worker;
    bool unanswered;
    uint16_t unused[5];
};

struct kafka_partition {
    uint32_t number;
    uint32_t head; /* Slots; KAFKA_NONE: none. */
    uint32_t tail;
    uint32_t cursor; /* The next to go to the worker. */
    uint64_t head_offset;
    uint64_t cursor_offset;
    uint64_t end_offset;
    uint32_t owner; /* Worker, or KAFKA_NONE. */
    uint32_t used;
    uint32_t epoch;   /* Of the group: as of which owner, cursor and used are. */
    uint32_t waiting; /* Place + 1 of the next in its link's queue for credit, or for more bytes. */
    uint32_t queued : 1;
    uint32_t
        response : 31; /* Of its link, by departure: the latest that has records of it, and ... */
    uint32_t response_bytes; /* ... how many bytes of it. */
};

/* One broker's way to one consumer: the response that is being filled, and what follows. */
struct kafka_link {
    uint64_t depart_ns; /* Of the response; what is ready by then joins it. */
    uint64_t arrive_ns; /* Of its last record so far. */
    uint64_t latency_ns;
    uint64_t next_ns; /* When the fetch after it will be here. */
    uint32_t used;
    uint32_t stale;
    uint32_t first; /* Partitions that wait for credit, or for more bytes: place + 1. */
    uint32_t last;
    uint64_t wait_ns;        /* When the fetch that waits for fetch_min_bytes is answered anyway. */
    uint32_t waiting_bytes;  /* Readable, and not sent. Kept where fetch_min_bytes is above 1. */
    uint32_t response_bytes; /* In the response that is being filled. */
};

/* One broker's way to one producing host. */
struct kafka_answers {
    uint64_t depart_ns;
    uint64_t arrive_ns; /* SIM_NEVER: this response is lost. */
};

/* What a leader knows of a follower. */
struct kafka_replica {
    uint64_t acked_seq;
    uint64_t acked_bytes;
    uint64_t sent_seq;
    uint64_t sent_bytes;
    uint64_t caught_ns; /* When it last had everything. */
    uint32_t node;
    uint16_t session; /* Of its fetch loop: there is one. */
    bool waiting;     /* Its fetch is here. */
    bool sent_all;    /* What it was sent last was everything. */
    bool in_sync;
};

struct kafka_home {
    uint32_t number;
    bool leading;
    bool ready;      /* The log is here. */
    bool feed_armed; /* An EV_TICK2 is under way. */
    /* What was appended after high_seq, by sequence: slot, and its partition's place << 32. Grows
     * in place. */
    uint64_t *ring;
    uint64_t ring_mask;
    uint64_t end_seq; /* Records and bytes appended as leader, ... */
    uint64_t end_bytes;
    uint64_t high_seq; /* ... of which consumers may read. */
    uint64_t appended_ns;
    uint64_t oldest_ns; /* Of what they may not. */
    uint64_t handed_ns; /* When this broker last gave the home away; 0: never. */
    uint32_t replica_count;
    uint32_t sync_count;
    uint32_t place; /* Of its first partition. */
    uint32_t partition_count;
    uint32_t headers_due; /* Of a takeover. */
    int64_t records_due;
    struct kafka_replica replicas[KAFKA_REPLICAS_MAX];
};

struct kafka_broker {
    struct peer peer;
    const struct kafka *kafka;
    struct fifo cpu;
    uint64_t owed_ns;
    uint64_t disk_free_ns;
    uint64_t request_ns;
    uint64_t record_ns;
    uint64_t byte_ps;
    uint64_t disk_ps;
    uint32_t framing_bytes;
    uint32_t record_bytes; /* Overhead and key. */
    uint32_t batch_bytes;  /* A batch header. */
    uint32_t broker_count;
    struct kafka_slot *slots;
    uint32_t *next; /* By slot: in its partition, or of those free. Apart, as it is all that a
                       commit must see. */
    uint32_t free_slot;
    uint32_t fresh_slot; /* From here on no slot was ever used. */
    uint32_t slot_count;
    uint32_t held;
    uint32_t held_limit;
    struct kafka_partition *partitions;
    struct kafka_link *links;      /* By worker. */
    struct kafka_link *gateways;   /* By server. */
    struct kafka_answers *answers; /* By host: gateways, then fan-out. */
    uint64_t paused_until_ns;      /* A rebalance is under way. */
    uint32_t epoch;                /* Of the group. */
    uint32_t home_count;
    struct kafka_home homes[KAFKA_REPLICAS_MAX]; /* By this broker's rank among the replicas. */
    uint64_t written_bytes;                      /* In the measured time. */
    uint64_t route_from_ns;                      /* For requests that carry several routes: */
    uint64_t route_count;                        /* those of this linger, */
    uint64_t route_before;                       /* and of the one before. */
    struct kafka_lag lag;                        /* records, held_max, refused..., lost. */
    uint64_t cpu_memory[FIFO_SERVERS_MAX];
};

/* From `from_ns` on, `broker` leads. */
struct kafka_change {
    uint64_t from_ns;
    uint32_t broker;
};

/* From `from_ns` on, the servers of a bitmap are members. */
struct kafka_epoch {
    uint64_t from_ns;
    uint32_t joined; /* Server that became a member with it; KAFKA_NONE. */
    uint32_t member_count;
    uint32_t first_member; /* In kafka.members. */
};

struct kafka {
    struct world *world;
    uint32_t broker_count;
    uint32_t partition_count;
    uint32_t replication;
    uint32_t cores;  /* Of a fan-out server. */
    uint32_t credit; /* Records under way on one link. */
    uint32_t fetch_min_bytes;
    uint32_t fetch_bytes;           /* A response. */
    uint32_t fetch_partition_bytes; /* ... of one partition. */
    uint64_t forward_ns;
    struct kafka_change *changes; /* Sorted, home by home: */
    uint32_t *first_change;       /* by home, and the end. */
    struct kafka_epoch *epochs;   /* Sorted; the first is from 0. */
    uint32_t epoch_count;
    uint32_t *members; /* Servers, epoch by epoch. */
    struct kafka_broker **brokers;
};

/* Fetches, and what answers them. */
struct kafka_fetch {
    uint64_t seq; /* Up to which the follower has records, or gets them. */
    uint64_t bytes;
    uint32_t payload_bytes; /* Of this response. */
    uint32_t home;
    uint32_t session; /* 0: the follower has started again and knows none. */
    uint32_t node;    /* Who says so. */
    uint64_t unused[2];
};

/* A takeover: one a partition, then one a record. `place` is partition << 44, and the offset. */
struct kafka_moved {
    uint64_t place;
    uint64_t head_offset;
    uint64_t cursor_offset;
    uint64_t end_offset;
    uint32_t used;
    uint32_t epoch;
    uint64_t arrive_ns; /* Of the last record under way to the owner. */
};

struct kafka_handed {
    uint64_t place;
    struct packed_entry entry; /* As in the slot. */
    uint32_t bytes;
    uint32_t unused;
};

_Static_assert(sizeof(struct kafka_slot) == 64, "one cache line");
_Static_assert(sizeof(struct kafka_partition) <= 64, "one cache line");
_Static_assert(sizeof(struct kafka_link) <= 64, "one cache line");
_Static_assert(sizeof(struct kafka_fetch) == 48, "an event's data");
_Static_assert(sizeof(struct kafka_moved) == 48, "an event's data");
_Static_assert(sizeof(struct kafka_handed) == 48, "an event's data");

/* -- kafka_schedule.c: never changes during a run ------------------------------------------------
 */

/* False where memory is short. */
bool kafka_schedule_init(struct kafka *kafka);
void kafka_schedule_free(struct kafka *kafka);
/* The change that holds at `now_ns`; and the one after it, or NULL. */
const struct kafka_change *kafka_change_at(const struct kafka *kafka, uint32_t home,
                                           uint64_t now_ns);
const struct kafka_change *kafka_change_after(const struct kafka *kafka, uint32_t home,
                                              uint64_t now_ns);
/* A broker has been dead for as long as it takes to be noticed. */
bool kafka_known_dead(const struct kafka *kafka, uint32_t node, uint64_t now_ns);
uint32_t kafka_epoch_at(const struct kafka *kafka, uint64_t now_ns);
/* The worker that owns a partition, or KAFKA_NONE. */
uint32_t kafka_owner(const struct kafka *kafka, uint32_t epoch, uint32_t partition);
bool kafka_is_member(const struct kafka *kafka, uint32_t epoch, uint32_t server);
/* The server became a member, perhaps again, after `from` and not after `to`. */
bool kafka_joined(const struct kafka *kafka, uint32_t from, uint32_t to, uint32_t server);
/* What a DOWN puts off by `delay_ns`; SIM_NEVER stays. */
uint64_t kafka_later(uint64_t time_ns, uint64_t delay_ns);

/* -- kafka_wire.c --------------------------------------------------------------------------------
 */

/* A visit to the CPU that takes along what is owed. Returns its departure, SIM_NEVER when the
 * broker dies first. */
uint64_t kafka_charge(struct kafka_broker *broker, uint64_t now_ns, uint64_t cost_ns);
/* CPU that nobody waits for. */
void kafka_owe(struct kafka_broker *broker, uint64_t now_ns, uint64_t cost_ns);
/* Bytes written: when an append that is otherwise done at `done_ns` may be called so. */
uint64_t kafka_write(struct kafka_broker *broker, uint64_t now_ns, uint64_t done_ns,
                     uint32_t bytes);
/* Books bytes that are ready at `depart_ns`, and returns when they are out. The NIC is booked now,
 * so what leaves later does not hold up what leaves before it. */
uint64_t kafka_nic_out(struct peer *peer, uint64_t now_ns, uint64_t depart_ns, uint32_t bytes);
/* One way, by TCP: cuts make it late. SIM_NEVER: a cut for good. */
uint64_t kafka_latency(struct peer *peer, uint32_t to, uint64_t sent_ns);
/* Sends `event` (kind, flags, data) to a broker; lost only by a cut for good. */
void kafka_send(struct sim_context *context, struct peer *peer, uint32_t to, uint64_t depart_ns,
                uint32_t bytes, struct sim_event *event);
/* A record of `bytes`, ready at `ready_ns`, by the link's current response or, when that has left
 * or is `full`, a new one. False: the broker dies before it leaves. */
bool kafka_link_send(struct sim_context *context, struct kafka_broker *broker,
                     struct kafka_link *link, uint32_t node, uint64_t ready_ns, uint32_t bytes,
                     bool full, struct sim_event *event);
/* Answers one record. */
struct kafka_answers *kafka_answers_of(const struct kafka_broker *broker, uint32_t source);
void kafka_answer(struct sim_context *context, struct kafka_broker *broker, uint32_t source,
                  uint32_t worker, uint64_t token, enum chat_err err, uint64_t at_ns);

/* -- kafka_append.c ------------------------------------------------------------------------------
 */
void kafka_on_call(struct sim_context *context, struct kafka_broker *broker,
                   const struct sim_event *event);
void kafka_on_route(struct sim_context *context, struct kafka_broker *broker,
                    const struct sim_event *event);
/* The oldest record that consumers may not read: its slot and partition. */
uint32_t kafka_ring_take(struct kafka_broker *broker, struct kafka_home *home,
                         struct kafka_partition **partition);
uint32_t kafka_slot_take(struct kafka_broker *broker); /* KAFKA_NONE: there is none. */
void kafka_slot_free(struct kafka_broker *broker, uint32_t slot);

/* -- kafka_replica.c -----------------------------------------------------------------------------
 */

/* Everything that all replicas in sync have is readable; producers are answered at `at_ns`. */
void kafka_advance(struct sim_context *context, struct kafka_broker *broker,
                   struct kafka_home *home, uint64_t at_ns);
/* Answers the fetches that wait. */
void kafka_feed(struct sim_context *context, struct kafka_broker *broker, struct kafka_home *home);
void kafka_on_fetch(struct sim_context *context, struct kafka_broker *broker,
                    const struct sim_event *event);
void kafka_on_fed(struct sim_context *context, struct kafka_broker *broker,
                  const struct sim_event *event);
/* Followers that are known to be dead, or lag, leave the replicas in sync. */
void kafka_shrink(struct sim_context *context, struct kafka_broker *broker,
                  struct kafka_home *home);

/* -- kafka_deliver.c -----------------------------------------------------------------------------
 */

/* Puts a record that has become readable at its partition's end. */
void kafka_readable(struct kafka_broker *broker, struct kafka_partition *partition, uint32_t slot);
/* Sends what may be sent. */
void kafka_deliver(struct sim_context *context, struct kafka_broker *broker,
                   struct kafka_partition *partition, uint64_t at_ns);
/* Brings owner and cursor up to broker->epoch. */
void kafka_refresh(struct kafka_broker *broker, struct kafka_partition *partition);
/* The partition no longer waits for credit. */
void kafka_unqueue(struct kafka_broker *broker, struct kafka_partition *partition);
/* The wait for fetch_min_bytes is over. */
void kafka_on_fetch_wait(struct sim_context *context, struct kafka_broker *broker,
                         const struct sim_event *event);
void kafka_on_commit(struct sim_context *context, struct kafka_broker *broker,
                     const struct sim_event *event);

/* -- kafka_move.c --------------------------------------------------------------------------------
 */

/* Followers start from what is here; called for a home that is led and ready. */
void kafka_activate(struct kafka_broker *broker, struct kafka_home *home, uint64_t now_ns);
/* This broker is where the home's log belongs; else who is to have it, and when. */
bool kafka_is_here(const struct kafka_broker *broker, const struct kafka_home *home,
                   uint64_t now_ns, struct kafka_change *instead);
void kafka_on_down(struct sim_context *context, struct kafka_broker *broker);
void kafka_on_up(struct sim_context *context, struct kafka_broker *broker);
void kafka_on_review(struct sim_context *context, struct kafka_broker *broker);
void kafka_on_moved(struct sim_context *context, struct kafka_broker *broker,
                    const struct sim_event *event);
void kafka_on_handed(struct sim_context *context, struct kafka_broker *broker,
                     const struct sim_event *event);

/* The home of a partition here, and its place among broker->partitions. */
static inline struct kafka_home *kafka_home_of(struct kafka_broker *broker, uint32_t number)
{
    uint32_t rank = broker->peer.index >= number
                        ? broker->peer.index - number
                        : broker->peer.index + broker->broker_count - number;
    CHECK(rank < broker->home_count);
    return &broker->homes[rank];
}

static inline bool kafka_is_down(const struct kafka_broker *broker, uint64_t now_ns)
{
    return outage_is_down(&broker->peer.outage, now_ns);
}

static inline bool kafka_measured(const struct world *world, uint64_t now_ns)
{
    return now_ns >= world->from_ns && now_ns < world->until_ns;
}

/* How long a record has been in the log; 0 where it is only about to be. Up to 9 minutes. */
static inline uint64_t kafka_age_ns(const struct kafka_slot *slot, uint64_t now_ns)
{
    int32_t age = (int32_t)(stamp_of(now_ns) - slot->appended);
    return age < 0 ? 0 : (uint64_t)age << STAMP_SHIFT;
}

static inline uint64_t kafka_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
