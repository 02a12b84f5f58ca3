/* A Cassandra node's inside, shared by cassandra.c (the ring, drivers, making and reporting),
 * cassandra_work.c (what a visit costs), cassandra_quorum.c (capacity runs), and, for contents
 * runs, cassandra_node.c (messages between nodes), cassandra_clock.c (its clockwork),
 * cassandra_contents.c (what is held), cassandra_claim.c, cassandra_hint.c and cassandra_run.c.
 *
 * The nodes that hold the same rows lie side by side. What a visit touches comes first, at fixed
 * places, so that the prefetch hook finds it without reading anything:
 *
 *     | peer, 2 lines | hot | cpu | cores' free times ...
 *
 * Contents runs: an operation under way is a slot at its coordinator. Its handle, which travels to
 * the replicas and back, is its stamp and its slot: stamps never repeat on a node, so a late answer
 * finds nobody. A write keeps its slot until all replicas answered.
 *
 *     handle   | stamp: 44 bits, the coordinator's clock in 256 ns, monotone | slot: 20 bits |
 *
 *     none --EV_CALL--> round 1       [on_call]
 *     round r -> round r + 1          a quorum answered, and it is a claim  [contents_done]
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
        uint32_t next; /* Of a free slot. */
        uint32_t rows; /* The buffer of a read. */
    };
    uint16_t op;    /* call.op */
    uint16_t flags; /* Of the call: device, worker. */
    uint16_t argument;
    uint16_t needed; /* Answers, the own one included. */
    uint16_t count;  /* Answers of others, this round. */
    uint8_t live;    /* By rank; the coordinator included. */
    uint8_t self;    /* Own rank. */
    uint8_t refused; /* Claims refused by a higher ballot, this round. */
    uint8_t round;   /* From 1. */
    uint8_t state;   /* enum operation_state. */
};

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
};

/* How many operations a coordinator has under way, in capacity runs, where their ends are known
 * ahead: to UNDER_WAY_NS, and up to 2 s ahead. */
#define UNDER_WAY_SHIFT 23u
#define UNDER_WAY_SPANS 256u
struct under_way {
    uint64_t span; /* The current one: time >> UNDER_WAY_SHIFT. */
    uint32_t count;
    uint32_t most;
    uint32_t ends[UNDER_WAY_SPANS]; /* In each span to come, modulo their number. */
};

struct contents;

struct cassandra {
    struct peer peer;
    /* Hot: one line. */
    struct cassandra_ring *ring;
    uint32_t group_first; /* Nodes group_first to + group_size - 1 hold the same rows. */
    uint32_t group_size;
    uint64_t busy_ns; /* Not yet in peer.usage: of an interval that ends at tally_until_ns. */
    uint64_t tally_until_ns;
    uint64_t written_bytes; /* In the measured time, as the next. */
    uint64_t kept_bytes;
    uint32_t visits; /* As busy_ns. */
    uint32_t replay; /* Writes missed while dead, still to be replayed. */
    uint64_t unused;
    struct fifo cpu;
    uint64_t cpu_memory[FIFO_SERVERS_MAX];
    /* Cold. */
    struct fifo reads;
    struct fifo writes;
    uint64_t reads_memory[FIFO_SERVERS_MAX];
    uint64_t writes_memory[FIFO_SERVERS_MAX];
    struct under_way under_way;
    /* Contents runs. */
    struct contents *contents;    /* NULL in capacity runs. */
    struct operation *operations; /* slot_count. */
    uint64_t stamp;               /* The latest given. */
    uint32_t slot_free;
    uint32_t slot_used; /* Ever. */
    uint64_t down_ns;   /* When it last died. */
};
_Static_assert(sizeof(struct peer) == 128, "two lines");
_Static_assert(offsetof(struct cassandra, cpu) == 192, "three lines before it");

static inline struct operation *operation_at(struct cassandra *node, uint32_t slot)
{
    return &node->operations[slot];
}

static inline uint64_t handle_of(const struct operation *operation, uint32_t slot)
{
    return operation->stamp << SLOT_BITS | slot;
}

/* The node that holds, as number `rank`, what node `first` holds as number 0. */
static inline uint32_t ring_index(const struct cassandra_ring *ring, uint32_t first, uint32_t rank)
{
    const struct cassandra *node = &ring->nodes[first];
    uint32_t place = first - node->group_first + rank;
    return node->group_first + (place < node->group_size ? place : place - node->group_size);
}

/* The rank of node `index` for what node `first` holds as number 0; RANK_NONE if it has none. */
static inline uint32_t ring_rank(const struct cassandra_ring *ring, uint32_t first, uint32_t index)
{
    const struct cassandra *node = &ring->nodes[first];
    if (index - node->group_first >= node->group_size) {
        return RANK_NONE;
    }
    uint32_t rank = index - first + (index < first ? node->group_size : 0);
    return rank < ring->replication ? rank : RANK_NONE;
}

/* Is `to` up and in reach, as far as `from` knows by now? */
bool cassandra_reaches(const struct world *world, uint32_t from, uint32_t to, uint64_t now_ns);

/* Ranks of the replicas that are up as far as this node knows; itself always. */
uint8_t cassandra_live(const struct cassandra *node, uint32_t first, uint64_t now_ns);

/* -- cassandra_work.c ---------------------------------------------------------------------------
 */

/* Work that one core does at a stretch. The rest comes last, and nobody waits for it. */
struct work {
    double coordinate_ns;
    double share_ns;
    uint64_t rest_ns;
};

struct work_done {
    uint64_t coordinate_ns; /* When each part is done; SIM_NEVER: the node dies before. */
    uint64_t share_ns;
};

/* What is asked for, as far as its cost depends on it. */
struct load {
    uint32_t rows;
    uint32_t text_bytes;
};

/* Work that arrives at `at_ns`, not before now: it joins the queue as it is now, and what it finds
 * there is moved to then. So work may be charged ahead of its time, in any order, and the queue is
 * that of the same arrivals, each a little earlier (a Poisson stream whose points are moved stays
 * one). `unit`: a draw from the exponential law of mean 1, for all of the visit. */
struct work_done cassandra_work(struct cassandra *node, uint64_t now_ns, uint64_t at_ns,
                                double unit, struct work work);

/* A replica's share, after and before work of the same core as a coordinator; that behind it is
 * waited for by nobody here. */
struct coordination {
    double before_ns;
    double after_ns;
    uint64_t rest_ns; /* Drawn already. */
};
struct work_done cassandra_share(struct cassandra *node, uint64_t now_ns, uint64_t at_ns,
                                 struct rng_bits bits, struct coordination coordination,
                                 const struct share *share, struct load load);

/* Charges a replica's disk with a write; returns the compaction that it will cause. */
uint64_t cassandra_write(struct cassandra *node, const struct share *share, uint64_t now_ns,
                         struct load load);

/* What a replica does for an operation (call.op) in that round. */
const struct share *share_of(const struct cassandra_ring *ring, uint32_t op, uint32_t round);

/* The other replicas that are to answer, by rank: all of `live` for a write, as few as will do for
 * a read. */
uint32_t cassandra_targets(uint32_t live, uint32_t self, uint32_t needed, bool read,
                           uint64_t random);

/* Moves what was tallied into peer.usage. */
void cassandra_tally(struct cassandra *node, uint64_t start_ns);

/* The node is back, and begins to replay what it missed since `down_ns`, as far as there are hints:
 * as much as it did in the same time before. */
void cassandra_recover(struct cassandra *node, uint64_t down_ns, uint64_t now_ns);

/* -- cassandra_quorum.c -------------------------------------------------------------------------
 *
 * Capacity runs: the handler of a group's first node, for all of the group. */
void quorum_handle(struct sim_context *context, void *state, const struct sim_event *event);
void quorum_prefetch(const void *state, const struct sim_event *event, uint32_t step);

/* -- cassandra_node.c ---------------------------------------------------------------------------
 *
 * From here on, contents runs only. */
void cassandra_handle(struct sim_context *context, void *state, const struct sim_event *event);

/* Has a quorum answered? Then goes on with the operation, whose answers are all in by `at_ns`. */
void operation_progress(struct sim_context *context, struct cassandra *node, uint32_t slot,
                        uint64_t at_ns);
/* Asks for the next round. `call` is what the replicas get; the ring position, op, needed and self
 * are the operation's, and may have been changed. */
void operation_round(struct sim_context *context, struct cassandra *node, uint32_t slot,
                     uint64_t at_ns, struct call *call);
void operation_close(struct cassandra *node, uint32_t slot);
/* The slot of a handle; SLOT_NONE if that operation is over. */
uint32_t operation_find(struct cassandra *node, uint64_t handle);
/* Sends `call` to node `index` of the ring. `flags`: FLAGS_MAKE(). */
void operation_ask(struct sim_context *context, struct cassandra *node, uint32_t index,
                   uint16_t flags, uint64_t depart_ns, const struct call *call);

/* -- cassandra_clock.c -------------------------------------------------------------------------
 *
 * Handles kinds below EV_CALL. */
void cassandra_own(struct sim_context *context, struct cassandra *node,
                   const struct sim_event *event, bool down);

/* -- cassandra_contents.c -----------------------------------------------------------------------
 */
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
/* READ_UNACKED is asked of every node, since a user's messages lie everywhere. */
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
