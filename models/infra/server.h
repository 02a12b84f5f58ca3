/* A server of the chat: gateway or fan-out. It is a host of the core, as chat.h means it: each of
 * its workers is one event loop with a core of its own, and everything the chat decides is decided
 * by chat_step().
 *
 *     event --> [wait for the worker] --> chat_step() --> [service] --> effects leave
 *
 * A worker is a FIFO of one: the step happens when its service starts, its effects leave when it
 * ends. What a step costs is a sum over its event and effects, so it is known once it was taken.
 *
 *   server.c         the loop: step, cost, timers, faults
 *   server_apply.c   effect -> event to a node (its twin in the real server: effect -> adapter)
 *   server_reply.c   calls under way, their answers and their timeouts
 *   server_client.c  connections: slots, frames in and out
 */
#ifndef MODELS_INFRA_SERVER_H
#define MODELS_INFRA_SERVER_H

#include "models/client/workload.h"
#include "models/infra/infra.h"
#include "models/infra/kafka.h"

#define SERVER_PUBLISH (CHAT_OPS + 0) /* As ops, of the two effects that have none. */
#define SERVER_PUSH (CHAT_OPS + 1)

/* A call that is under way, by the slot of its flight. 40 bytes. */
struct server_call {
    uint64_t issued_ns;
    uint32_t generation; /* High half of the token. */
    uint8_t op;          /* enum chat_op, or one of the two above. */
    uint8_t entry_kind;
    int8_t err;       /* The worst so far. */
    uint16_t answers; /* That are still to come; 0: none under way. */
    uint16_t got;     /* Rows received. */
    uint32_t user;    /* What rows are made of in a capacity run: user, and by op: */
    uint64_t id;      /* READ_RECEIPT: message. INBOX: position. MEMBERS: group. RESERVE: time.
                         PUBLISH: a sample of Kafka's. */
    struct server_rows *rows; /* Answers of several rows, on their way; else NULL. */
};

#define SLOT_NONE UINT32_MAX
#define SLOT_POST UINT32_MAX /* As `down`: one request, closed when it is answered. */

/* A connection slot. 8 bytes. */
struct server_slot {
    uint32_t client; /* The client's number, or the next free slot. */
    uint32_t down;   /* When the last frame to it arrives, in 4096 ns: TCP keeps order. */
};

#define SERVER_COMMITS_MAX 256u

/* How far a worker has got in a partition that it consumes. Kafka is told `next` now and then. */
struct server_commit {
    uint32_t partition; /* + 1; 0: unused. */
    uint32_t credit;    /* Records committed and not told. */
    uint64_t next;      /* All before it are committed. */
    uint64_t done;      /* Bit i: next + i is committed, out of turn. */
};

/* Two cache lines. */
struct server_worker {
    _Alignas(64) struct chat *chat;
    void *memory; /* Of the core. */
    uint64_t free_ns;
    uint64_t armed_ns; /* An EV_TICK is under way for then; SIM_NEVER: none. */
    struct server_call *calls;
    uint32_t call_high; /* The highest slot ever used. */
    struct server_slot *slots;
    uint32_t slot_count;
    uint32_t free_slot;  /* SLOT_NONE: none but fresh ones. */
    uint32_t fresh_slot; /* From here on no slot was ever used. */
    uint32_t connected;
    uint32_t epoch; /* Of the latest connection: no conn_id comes twice. */
    bool flush_armed;
    struct server_commit *commits; /* Fan-out: SERVER_COMMITS_MAX of them, hashed by partition. */
};

struct server {
    struct peer peer;
    uint32_t worker_count;
    uint32_t flights_max;
    uint64_t load_milli;  /* What all CPU costs are stretched by: TLS, and the share that idle
                             connections' heartbeats take. 1000: not at all. */
    uint64_t reserved_ms; /* Ids up to this time were reserved durably. */
    const struct workload *workload;
    struct server_scratch **scratch; /* One a thread, the world's. */
    struct kafka_producer *producer;
    uint64_t
        *versions; /* Contents runs: by worker and flight, of a member list that was not cached. */
    struct chat_config config;
    char *memory; /* Of all workers. */
    char *sessions;
    size_t sessions_bytes;
    size_t memory_bytes;
    uint64_t backlog_ns;            /* Longest wait for a worker seen in the measured time. */
    struct server_worker workers[]; /* At a place that is known without reading anything. */
};

/* What a step is taken with; one a thread, since none outlives a handler. */
struct server_scratch {
    struct chat_effects effects;
    struct chat_entry entries[CHAT_DRAIN_MAX];
    struct chat_member members[CHAT_PAGE_MAX];
    struct chat_location locations[CHAT_DEVICES_MAX];
};

extern const struct sim_class server_class;

/* A server of `class` CLASS_GATEWAY or CLASS_FANOUT. NULL where memory is short. */
struct server *server_create(struct world *world, enum infra_class class, uint32_t index,
                             const struct workload *workload, struct server_scratch **scratch);
void server_destroy(struct server *server);

/* Bytes that one server will touch, for the estimate before a run. */
uint64_t server_memory_bytes(const struct plan *plan, enum infra_class class);

/* Before a run: client number `client` (user client + 1, device 1) is connected, live, with nothing
 * pending up to `position`; its last traffic was `idle_ns` ago. Returns its conn_id, 0 where there
 * is no room, and the worker. */
uint64_t server_place(struct server *server, struct server_scratch *scratch, uint32_t client,
                      uint64_t position, uint64_t idle_ns, uint32_t *worker);

/* Posts the server's own clockwork. */
void server_start(struct server *server, struct sim *sim);

void server_use(const struct server *server, struct resource_use uses[RESOURCE_COUNT]);

/* A gateway's name in locations. */
static inline uint32_t gateway_name(const struct server *server, uint32_t worker)
{
    return server->peer.index * server->worker_count + worker;
}

/* server.c, for the other files. Takes a step of `worker` whose event is filled in but for its
 * times, at a cost of `cost_ns` besides its effects. False: the server died first. */
bool server_step(struct sim_context *context, struct server *server, uint32_t worker,
                 struct chat_event *event, uint64_t cost_ns);

/* server_apply.c: carries out what a step asked for, at `now_ns`. */
void server_apply(struct sim_context *context, struct server *server, uint32_t worker,
                  const struct chat_effects *effects, uint64_t now_ns);
/* What the effects of a step cost in CPU. */
uint64_t server_cost(const struct server *server, const struct chat_effects *effects);
/* A record came from Kafka; the core says COMMIT for it; what was committed is told to Kafka. */
void server_commit_open(struct server *server, uint32_t worker, uint32_t partition,
                        uint64_t offset);
void server_commit_flush(struct sim_context *context, struct server *server, uint32_t worker,
                         uint64_t now_ns);

/* A page of a member list was read: for the cache. `version` is what the cache said of the list. */
void server_offer(struct sim_context *context, struct server *server, uint32_t worker,
                  const struct server_call *call, uint64_t version, const struct chat_event *page);

/* server_reply.c */
void server_on_reply(struct sim_context *context, struct server *server,
                     const struct sim_event *event);
void server_call_note(struct server *server, uint32_t worker, const struct chat_effect *effect,
                      uint64_t now_ns, uint32_t answers);
void server_timeouts(struct sim_context *context, struct server *server);

/* server_client.c */
void server_on_uplink(struct sim_context *context, struct server *server,
                      const struct sim_event *event);
void server_send_frame(struct sim_context *context, struct server *server, uint32_t worker,
                       uint64_t conn_id, const struct chat_frame *frame, uint64_t now_ns);
/* Is that a connection here, but of somebody else? Ids of connections are a worker's own, and by
 * sticky routing a ROUTE may come to another worker than the one that its device is at. */
bool server_is_of_another(const struct server *server, uint32_t worker, uint64_t conn_id,
                          uint64_t user, uint32_t device);
void server_close_later(struct sim_context *context, struct server *server, uint32_t worker,
                        uint64_t conn_id, uint64_t now_ns);
void server_slot_free(struct server *server, uint32_t worker, uint64_t conn_id);
void server_drop(struct sim_context *context, struct server *server, uint32_t worker,
                 uint64_t conn_id, enum chat_err err, uint64_t now_ns);
void server_reset_clients(struct sim_context *context, struct server *server);
/* A shard has lost what was registered with it: says LOST for each of its users who is here. */
void server_look_for_lost(struct sim_context *context, struct server *server, uint32_t shard);
#define SERVER_REFRESH_TOKEN                                                                       \
    ((uint64_t)1 << 63) /* And the shard: of a refresh, which no flight has. */

#endif
