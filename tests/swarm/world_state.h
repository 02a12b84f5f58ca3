/* The world's inside, shared by world.c (events, nodes), world_calls.c (backends), world_people.c
 * (clients) and world_faults.c. */
#ifndef TESTS_SWARM_WORLD_STATE_H
#define TESTS_SWARM_WORLD_STATE_H

#include "models/client/client.h"
#include "models/client/judge.h"
#include "models/core/chat.h"
#include "models/core/check.h"
#include "models/infra/inbox.h"
#include "models/infra/log.h"
#include "models/infra/table.h"
#include "sim/rng.h"
#include "tests/swarm/world.h"

#include <stddef.h>

#define BASE_MS 1764000000000u
#define MS 1000000u
#define NODES_MAX 5u
#define SHARDS 2u
#define REPLICAS 3u
#define PARTITIONS 3u
#define USERS_MAX 8u
#define DEVICES_MAX 3u
#define PEOPLE_MAX (USERS_MAX * DEVICES_MAX)
#define GROUPS 2u
#define SESSIONS_MAX 64u
#define SHOWN_MAX 4096u
#define TICK_MS 100u
#define REFRESH_MS 400u
#define PRESENCE_TTL_MS 1500u
#define TIMEOUT_MS 500u /* After which a host says UNKNOWN. */

struct call; /* world_calls.c */

enum happening_kind {
    HAPPEN_TIMER = 1, /* node; a: version. */
    HAPPEN_CALL,      /* call: reaches its backend. */
    HAPPEN_REPLY,     /* call: its answer reaches the core. */
    HAPPEN_ROUTE,     /* node; entry; a: conn_id, b: user, c: device. */
    HAPPEN_UP,        /* conn; frame. */
    HAPPEN_DOWN,      /* conn; frame, or kind 0: closed by the server. */
    HAPPEN_CLOSE,     /* conn: the server learns that it is gone. */
    HAPPEN_GONE,      /* conn: the client learns. */
    HAPPEN_CONNECT,   /* person; a: version. */
    HAPPEN_POLL_DUE,  /* person; a: version. */
    HAPPEN_SWEEP,     /* person. */
    HAPPEN_WRITE,     /* person. */
    HAPPEN_READ,      /* person; a: message id. */
    HAPPEN_SESSION,   /* person: comes or goes. */
    HAPPEN_WAKE,      /* person: a push. */
    HAPPEN_REFRESH,   /* node. */
    HAPPEN_START,     /* node: starts again. */
    HAPPEN_ASSIGN,    /* partition: somebody must consume it. */
    HAPPEN_PUMP,      /* partition: anything to consume? */
    HAPPEN_DEVICE,    /* a: user, b: device: it exists, to the judge. */
    HAPPEN_FAULT,     /* Something breaks. */
    HAPPEN_HEAL,      /* Replicas repair each other. */
    HAPPEN_MEMBER,    /* A change of membership begins, or is asked for again. */
};

struct happening {
    uint64_t at_ns;
    uint64_t tie;
    enum happening_kind kind;
    uint32_t index; /* Of a node, person, conn or partition. */
    uint64_t a;
    uint64_t b;
    uint64_t c;
    struct call *call;
    union {
        struct chat_frame frame;
        struct chat_entry entry;
    };
};

struct node {
    uint32_t index;
    bool alive;
    bool gateway;
    bool fanout;
    uint32_t incarnation;
    int64_t skew_ms;
    uint64_t timer_version;
    uint64_t timer_ns;
    uint64_t stamps[SHARDS];
    uint64_t call_ns[SHARDS + PARTITIONS]; /* A connection to a backend keeps its order. */
    uint32_t blobs;                        /* Of frames, not released. */
    uint32_t records;                      /* Taken and not committed. */
    uint32_t conns[SESSIONS_MAX];          /* By slot; 0: free. */
    void *memory;
    struct chat *chat;
};

/* A connection or one request. Serial 0 is none. */
struct conn {
    uint64_t id;
    uint32_t node;
    uint32_t incarnation;
    uint32_t person;
    uint8_t transport;
    bool server_open;
    bool client_open;
    bool broken; /* Nothing passes any more, and nobody has been told. */
    uint64_t up_ns;
    uint64_t down_ns;
};

struct message {
    uint64_t user;
    uint32_t device;
    uint32_t seq;
    struct chat_channel channel;
};

struct person {
    uint64_t user;
    uint32_t device;
    struct client client;
    struct client_config config;
    struct client_memory memory;
    uint64_t *shown;
    struct client_receipt *receipts;
    uint32_t conn;    /* The connection, or the poll under way. */
    uint64_t version; /* Of what was asked for with a delay. */
    uint32_t *outbox; /* Handle of message seq at seq - 1. */
    uint32_t outbox_max;
};

struct partition_state {
    uint32_t node; /* Consumes it; NODES_MAX: nobody. */
    uint32_t incarnation;
    uint64_t next;
};

/* The one change of membership under way. */
struct change_state {
    bool active;
    bool acked;
    bool joining;
    struct chat_channel channel;
    uint64_t user;
    uint64_t key;
    uint64_t acked_ns;
};

struct world {
    struct world_options options;
    struct rng_cursor rng;
    uint64_t now_ns;
    bool faulty;
    struct happening *heap;
    uint32_t heap_count;
    uint32_t heap_max;
    uint32_t node_count;
    struct node nodes[NODES_MAX];
    struct conn *conns;
    uint32_t conn_count;
    uint32_t conn_max;
    uint32_t person_count;
    struct person people[PEOPLE_MAX];
    uint64_t user_count;
    struct message *messages;
    uint32_t message_count;
    uint32_t message_max;
    bool member[GROUPS][USERS_MAX + 1];
    struct change_state change;
    struct inbox *shards[SHARDS];
    struct table *tables[REPLICAS];
    struct log *log;
    struct partition_state partitions[PARTITIONS];
    uint64_t ballot;
    struct judge *judge;
    struct world_result result;
    struct chat_effects effects;
    struct inbox_reply inbox_reply;
    struct table_reply table_reply;
    struct chat_location locations[CHAT_DEVICES_MAX];
};

/* world.c */
uint64_t draw(struct world *world);
uint64_t below(struct world *world, uint64_t n);
bool chance(struct world *world, uint32_t per_mille);
/* With faults of that kind on, and the dice so. */
bool fault(struct world *world, enum world_fault kind, uint32_t per_mille);
/* After a delay; fills in time and tie. */
struct happening *happen(struct world *world, uint64_t delay_ns, enum happening_kind kind,
                         uint32_t index);
void node_step(struct world *world, struct node *node, struct chat_event *event);
void node_start(struct world *world, struct node *node);
void node_die(struct world *world, struct node *node);
uint64_t node_wall_ms(const struct world *world, const struct node *node);
__attribute__((format(printf, 2, 3))) void trace(const struct world *world, const char *format,
                                                 ...);
__attribute__((format(printf, 2, 3))) void violate(struct world *world, const char *format, ...);

/* world_calls.c */
void call_start(struct world *world, struct node *node, const struct chat_effect *effect);
void call_arrives(struct world *world, struct call *call);
void call_answered(struct world *world, struct call *call);
uint64_t wall_ms(const struct world *world);
void pump(struct world *world, uint32_t partition);
void pump_node(struct world *world, const struct node *node);

/* world_people.c */
void people_create(struct world *world);
void people_destroy(struct world *world);
struct person *person_of(struct world *world, uint64_t user, uint32_t device);
void person_event(struct world *world, struct person *person, struct client_event *event);
void person_happens(struct world *world, const struct happening *happening);
void frame_up(struct world *world, const struct happening *happening);
void frame_down(struct world *world, const struct happening *happening);
void conn_close(struct world *world, uint32_t serial);
void conn_gone(struct world *world, uint32_t serial);
void send_up(struct world *world, uint32_t serial, const struct chat_frame *frame);
void send_down(struct world *world, uint32_t serial, const struct chat_frame *frame);
struct chat_channel group_channel(uint32_t group);

/* world_faults.c */
void fault_happens(struct world *world);
void heal(struct world *world);
void member_happens(struct world *world);
void member_answer(struct world *world, const struct chat_frame *frame);
void quiesce(struct world *world);
void verdict(struct world *world);

#endif
