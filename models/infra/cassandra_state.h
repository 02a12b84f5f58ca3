/* A Cassandra node's inside, shared by cassandra.c (the ring, drivers, making and reporting),
 * cassandra_node.c (time and quorums), cassandra_clock.c (its clockwork), cassandra_contents.c
 * (what is held, in contents runs) and cassandra_run.c.
 *
 * A node is some 3 KB, of which an event touches six or seven cache lines, all of them at fixed
 * places, so that the prefetch hook finds them without reading anything:
 *
 *     | peer, 2 lines | hot | cpu | cores' free times ... | slots of operations under way ... |
 *
 * An operation under way is one slot of 64 bytes. Its handle, which travels to the replicas and
 * back, is its stamp and its slot: stamps never repeat on a node, so a late answer finds nobody.
 *
 *     handle   | stamp: 44 bits, the coordinator's clock in 256 ns, monotone | slot: 20 bits |
 *
 * The first slots lie in the node; the others of all nodes lie side by side, so that memory is
 * touched up to the most operations that any node had under way, not up to coordinator_max.
 *
 * An operation (capacity runs; contents runs keep a write's slot until all replicas answered):
 *
 *     none --EV_CALL--> round 1       [on_call]
 *     round r -> round r + 1          a quorum answered, and it is a claim  [round_done]
 *     last round -> none              a quorum answered: reply  [operation_finish]
 *     round r -> none                 too late: UNKNOWN         [sweep]
 */
#ifndef MODELS_INFRA_CASSANDRA_STATE_H
#define MODELS_INFRA_CASSANDRA_STATE_H

#include "models/infra/cassandra.h"
#include "sim/fifo.h"

#define SLOT_BITS 20u
#define SLOT_MASK ((1u << SLOT_BITS) - 1)
#define SLOT_HINT SLOT_MASK /* In the handle of a hint's delivery. */
#define SLOT_NONE UINT32_MAX
#define SLOTS_INLINE 16u
#define RANKS_MAX 7u
#define RANK_NONE                                                                                  \
    RANKS_MAX            /* `self` of a coordinator that holds no replica of what it asks for.     \
                          */
#define ROUNDS_MAX 10u   /* Of a claim. */
#define ROUND_COMMIT 15u /* The commit that nobody waits for. */

/* event.flags of EV_INNER and EV_INNER2: the device in the high byte, and in the low one: */
#define FLAGS_RANK(flags) ((uint32_t)(flags)&7u)
#define FLAGS_ROUND(flags) ((uint32_t)(flags) >> 3 & 15u)
#define FLAGS_MAKE(device, round, rank)                                                            \
    ((uint16_t)((uint32_t)(device) << 8 | (uint32_t)(round) << 3 | (uint32_t)(rank)))

enum claim_phase { PHASE_NONE, PHASE_PREPARE, PHASE_READ, PHASE_PROPOSE, PHASE_COMMIT };

enum operation_state {
    OPERATION_TIMED = 1, /* An EV_TICK2 will say when the own share is done. */
    OPERATION_REPLIED = 2,
};

struct operation {
    uint64_t token;
    uint64_t stamp;    /* Of its handle; 0: the slot is free. */
    uint64_t local_ns; /* When the coordinator's own share of this round is done. */
    uint64_t deadline_ns;
    uint32_t source;
    uint32_t first; /* Index of the node that is the key's replica number 0. */
    union {
        uint32_t next; /* Free slots outside the node. */
        uint32_t rows; /* Contents: the buffer of a read. */
    };
    uint16_t op;    /* call.op */
    uint16_t flags; /* Of the call: device, worker. */
    uint16_t argument;
    uint16_t needed; /* Answers, the own one included. */
    uint16_t count;  /* Answers of others, this round. */
    uint8_t live;    /* By rank; the coordinator included. */
    uint8_t self;    /* Own rank. */
    uint8_t refused; /* Contents: claims refused by a higher ballot, this round. */
    uint8_t round;   /* From 1. */
    uint8_t state;   /* enum operation_state. */
};
_Static_assert(sizeof(struct operation) == 64, "a slot is one cache line");

/* What one replica does for an operation. */
struct share {
    double cpu_ns;
    uint32_t written_bytes; /* To commit log and memtable, a row. */
    uint32_t kept_bytes;    /* Of it, what stays until retention. */
    uint8_t read;           /* It waits for the disk, in a read slot. */
    uint8_t text;           /* The call's size_bytes are written and kept besides. */
    uint8_t rows;           /* `argument` rows. */
};

struct cassandra_ring {
    struct world *world;
    struct cassandra *nodes;
    struct operation *overflow; /* Slot k of node n at k * node_count + n. */
    uint32_t node_count;
    uint32_t slot_count; /* Of a node: coordinator_max. */
    uint32_t replication;
    uint32_t needed;      /* By the consistency level. */
    uint32_t quorum;      /* Of claims. */
    uint32_t round_count; /* Of claims. */
    uint32_t core_count;
    double coordinate_ns; /* Half of it. */
    double read_hold;     /* Factors: slots beyond 64 are 64 faster ones. */
    double write_hold;    /* 0: write slots never bind. */
    uint64_t compact_ps;  /* CPU a byte written. */
    bool faultless;       /* Nobody is ever dead or cut off. */
    bool contents; /* Then each node has them. Told here, as nodes have no room in hot lines. */
    struct share shares[CHAT_OPS]; /* By op; 0: the second half of STORE_MESSAGE. */
    struct share claims[ROUND_COMMIT + 1];
    uint8_t phases[ROUND_COMMIT + 1];
    struct dist unit; /* Exponential of mean 1. */
    struct dist read_disk;
    struct outage_interval *intervals; /* Of all nodes, one after another. */
    size_t nodes_size_bytes;
    size_t overflow_size_bytes;
};

struct contents;

struct cassandra {
    struct peer peer;
    /* Hot: one line. */
    struct cassandra_ring *ring;
    uint16_t inline_free; /* Bits. */
    uint16_t inline_used; /* Bits: ever. */
    uint32_t replay;      /* Writes missed while dead, still to be replayed. */
    uint64_t stamp;       /* The latest given. */
    uint64_t busy_ns;     /* Not yet in peer.usage: of an interval that ends at tally_until_ns. */
    uint64_t tally_until_ns;
    uint64_t written_bytes; /* In the measured time, as the next. */
    uint64_t kept_bytes;
    uint32_t visits; /* As busy_ns. */
    uint32_t overflow_free;
    struct fifo cpu;
    uint64_t cpu_memory[FIFO_SERVERS_MAX - 1];
    /* Cold. */
    uint32_t overflow_used; /* Ever. */
    uint32_t unused;
    struct operation operations[SLOTS_INLINE];
    struct fifo reads;
    struct fifo writes;
    uint64_t reads_memory[FIFO_SERVERS_MAX];
    uint64_t writes_memory[FIFO_SERVERS_MAX];
    struct contents *contents; /* NULL in capacity runs. */
    uint64_t down_ns;          /* When it last died. */
    uint64_t spare[6];
};
_Static_assert(sizeof(struct peer) == 128, "two lines");
_Static_assert(offsetof(struct cassandra, cpu) == 192, "three lines before it");
_Static_assert(offsetof(struct cassandra, operations) % 64 == 0, "slots lie in lines");
_Static_assert(sizeof(struct cassandra) % 64 == 0, "nodes lie in lines");

static inline struct operation *operation_at(struct cassandra *node, uint32_t slot)
{
    if (slot < SLOTS_INLINE) {
        return &node->operations[slot];
    }
    const struct cassandra_ring *ring = node->ring;
    return &ring->overflow[(size_t)(slot - SLOTS_INLINE) * ring->node_count + node->peer.index];
}

static inline uint64_t handle_of(const struct operation *operation, uint32_t slot)
{
    return operation->stamp << SLOT_BITS | slot;
}

static inline uint32_t ring_index(const struct cassandra_ring *ring, uint32_t first, uint32_t rank)
{
    uint32_t index = first + rank;
    return index < ring->node_count ? index : index - ring->node_count;
}

/* Is `to` up and in reach, as far as `from` knows by now? */
bool cassandra_reaches(const struct world *world, uint32_t from, uint32_t to, uint64_t now_ns);

/* -- cassandra_node.c ---------------------------------------------------------------------------
 */
void cassandra_handle(struct sim_context *context, void *state, const struct sim_event *event);
void cassandra_prefetch(const void *state, const struct sim_event *event);

/* Moves what was tallied into peer.usage. */
void cassandra_tally(struct cassandra *node, uint64_t start_ns);

/* Has a quorum answered? Then goes on with the operation, whose answers are all in by `at_ns`. */
void operation_progress(struct sim_context *context, struct cassandra *node, uint32_t slot,
                        uint64_t at_ns);
/* Asks for the next round. Contents: call is what the replicas get; the ring position, op, needed
 * and self are the operation's, and may have been changed. */
void operation_round(struct sim_context *context, struct cassandra *node, uint32_t slot,
                     uint64_t at_ns, struct call *call);
void operation_close(struct cassandra *node, uint32_t slot);
/* The slot of a handle; SLOT_NONE if that operation is over. */
uint32_t operation_find(struct cassandra *node, uint64_t handle);
/* Sends `call` to node `index` of the ring. `flags`: FLAGS_MAKE(). */
void operation_ask(struct sim_context *context, struct cassandra *node, uint32_t index,
                   uint16_t flags, uint64_t depart_ns, const struct call *call);
/* Ranks of the replicas that are up as far as this node knows; itself always. */
uint8_t operation_live(const struct cassandra *node, uint32_t first, uint64_t now_ns);

/* -- cassandra_clock.c -------------------------------------------------------------------------
 *
 * Handles kinds below EV_CALL. */
void cassandra_own(struct sim_context *context, struct cassandra *node,
                   const struct sim_event *event, bool down);

/* -- cassandra_contents.c -----------------------------------------------------------------------
 *
 * All of these are for contents runs only. */
bool contents_create(struct cassandra *node);
void contents_destroy(struct cassandra *node);
void contents_crash(struct cassandra *node);
void contents_sync(struct cassandra *node);

/* The slot has been opened for `call`: false where there is no room to collect its rows. */
bool contents_open(struct cassandra *node, uint32_t slot, const struct call *call);
void contents_close(struct cassandra *node, uint32_t slot);

/* A round begins: does the coordinator's own share, if it has one, and makes `call` what the others
 * get. False: its own replica refuses. */
bool contents_local(struct cassandra *node, uint32_t slot, struct call *call, uint64_t now_ns);

/* A replica is asked. Answers at `depart_ns`, SIM_NEVER: not at all. */
void contents_replica(struct sim_context *context, struct cassandra *node,
                      const struct sim_event *event, uint64_t depart_ns);

/* An answer, or a piece of one; true when it is complete. May refuse instead. */
bool contents_answer(struct cassandra *node, uint32_t slot, const struct sim_event *event);

/* All rounds so far have their quorum. True when the operation can be answered; else it has begun
 * another round. */
bool contents_done(struct sim_context *context, struct cassandra *node, uint32_t slot,
                   uint64_t at_ns);
/* Sends the answer, `err` or what was found, and gives hints to who missed a write. */
void contents_reply(struct sim_context *context, struct cassandra *node, uint32_t slot,
                    uint64_t depart_ns, int8_t err);
/* How far the node's clock is off. */
int64_t contents_skew_ns(const struct cassandra *node, uint64_t now_ns);
/* Which ranks have answered this write. */
uint32_t contents_answered(const struct cassandra *node, uint32_t slot);
/* READ_UNACKED and READ_RECEIPTS are asked of every node, since a user's messages, and the receipts
 * of them, lie everywhere. */
bool contents_scatters(const struct cassandra *node, uint32_t slot);

/* The call of a slot, as the host sent it. */
const struct call *contents_call(const struct cassandra *node, uint32_t slot);

/* -- cassandra_hint.c --------------------------------------------------------------------------
 */
struct hint;
struct hints { /* All zero is none. */
    struct hint *list;
    uint32_t count;
    uint32_t max;
};

struct hints *contents_hints(struct cassandra *node);
void hints_free(struct hints *hints);
/* Keeps a hint of the slot's write for each of `ranks`; none of reads and claims. */
void hints_keep(struct cassandra *node, uint32_t slot, uint32_t ranks, uint64_t now_ns);
/* Delivers some to whoever is up. */
void hints_tick(struct sim_context *context, struct cassandra *node, uint64_t now_ns);
/* One was answered. */
void hints_done(struct cassandra *node, uint64_t handle, uint32_t rank);

/* -- cassandra_claim.c --------------------------------------------------------------------------
 *
 * The acceptor's side of Paxos, and what it remembers of each claim. In a claim's EV_INNER,
 * entry.first and second are the ballot, entry.id the value. */
struct promise; /* A hash table's head; NULL is empty. */
struct table;

/* What a replica tells a proposer: the words of an EV_INNER2 behind the handle. */
struct claim_answer {
    uint64_t refused;
    uint64_t promised;
    uint64_t accepted_ballot;
    uint64_t accepted;
    uint64_t decided;
};

void claim_ballot_put(struct call *call, uint64_t ballot);
/* A proposer's call at a replica. `sync`: what it leaves there is on disk at once. */
struct claim_answer claim_apply(struct promise **promises, struct table *table,
                                const struct call *call, enum claim_phase phase, uint64_t now_ms,
                                bool sync);
void claim_sync(struct promise *promises);
void claim_crash(struct promise *promises);
void claim_free(struct promise **promises);

/* -- cassandra_run.c ----------------------------------------------------------------------------
 */
struct table_reply;

/* `answer` has node, kind, flags and the handle. */
void run_send(struct sim_context *context, struct peer *peer, const struct table_reply *reply,
              enum chat_op op, uint64_t depart_ns, const struct sim_event *answer);
/* The next piece of the run that is coming in; true when it was the last. */
bool run_take(struct table_reply *assembly, const struct sim_event *event);
/* The answer to the host: a run of replies. */
void run_reply(struct sim_context *context, struct cassandra *node, uint32_t slot,
               uint64_t depart_ns, const struct call *call, const struct table_reply *rows);

#endif
