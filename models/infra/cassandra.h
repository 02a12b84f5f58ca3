/* Cassandra: nodes, each of which coordinates operations and holds replicas.
 *
 * Nodes stand in groups of `replication` that hold the same rows, a node a zone; a row's replicas
 * are one group, and their order is a hash of its key. The driver is token-aware: the coordinator
 * is one of the replicas, and does its own share itself. It answers when enough have: at QUORUM of
 * three the second fastest decides. A write goes to every live replica, a read to as many as must
 * answer. A claim is a lightweight transaction: plan.lwt_rounds round trips, each a quorum,
 * whatever the consistency; the commit is waited for from four rounds on.
 *
 * A node is `cores` servers; its service times are exponential with the plan's means. Each visit
 * of a write also does the compaction that the write will cause, behind its answer. Reads besides
 * hold one of read_slots for CPU and disk. A coordinator pays half of cpu_coordinate at the
 * request, half at the answer. Pauses for garbage collection are part of a node's outages; unlike
 * faults, nobody but the node knows of them.
 *
 * Who is dead, or behind a partition, is known to drivers and coordinators a second later, and not
 * asked. Fewer replicas in reach than must answer: CHAT_ERR_FAILED (unavailable). coordinator_max
 * operations under way: CHAT_ERR_FAILED at once (overloaded). No quorum within write_timeout or
 * read_timeout: CHAT_ERR_UNKNOWN. A claim that another coordinator's ballot overtook:
 * CHAT_ERR_UNKNOWN. A coordinator that dies answers nothing: the host has its own timeout.
 *
 * In capacity runs nothing is held: writes and claims are CHAT_OK, and a read is one plain reply
 * with value 1 (a host makes up the rows). An operation is one event and its reply, a claim one a
 * round (cassandra_quorum.c): every replica's queue and every hop is there, but no message. What a
 * dead replica missed it replays afterwards, one write beside each new one.
 *
 * In contents runs nodes send each other messages (cassandra_node.c), the oracle of the former, and
 * each has a table.h; claims are decided by Paxos; rows come as runs of replies; hints are kept and
 * delivered; what takes too long is found each quarter of a second; a KILL takes what the commit
 * log had not synced (commitlog_sync 0: everything is synced before it is answered).
 *
 * What it does not do: token ranges that overlap between groups (with them, a dead node's load
 * falls on more than its group), speculative retries, read repair, repair, range moves,
 * per-partition limits. More than 64 cores, or slots, are modelled as 64 that are faster.
 */
#ifndef MODELS_INFRA_CASSANDRA_H
#define MODELS_INFRA_CASSANDRA_H

#include "models/infra/infra.h"

#define CASSANDRA_KNOWN_NS 1000000000u /* Until everyone knows that a node is dead, or back. */
#define CASSANDRA_SWEEP_NS 250000000u  /* How often a coordinator looks for what took too long. */
#define CASSANDRA_SECOND 0x4000u       /* In call.op: the receipt row of a STORE_MESSAGE. */

/* -- For hosts ----------------------------------------------------------------------------------
 */

/* Where the partition of this operation lies: a hash. CLAIM: (user, device, client key). MESSAGE,
 * HISTORY, MEMBER, MEMBERS: the channel. All of receipts: the message id. DEVICE, DEVICES, CURSOR,
 * UNACKED: the user. RESERVE: the machine. */
uint64_t cassandra_key(const struct call *call);

/* The index of the node that is the key's replica number 0. */
uint32_t cassandra_first(const struct world *world, uint64_t key);

/* The node id of the key's replica number `rank`, 0 to replication - 1. */
uint32_t cassandra_replica(const struct world *world, uint64_t key, uint32_t rank);

/* How many replies (or runs of rows) a call will get: 2 for a STORE_MESSAGE with entry.more != 0
 * (message and receipt row are two partitions), else 1. Both must be CHAT_OK for the effect to be;
 * otherwise it is CHAT_ERR_UNKNOWN, since the other may have happened. */
uint32_t cassandra_answers(const struct call *call);

/* Sends `call` to a coordinator: one of the key's replicas that is up as far as one knows, in the
 * host's own zone if there is one. `peer` is the host: it pays the bytes and is call.source; the
 * packet leaves at `depart_ns`. `flags` go along and come back in the reply's low byte: the worker
 * (low), chat_effect.device (high). Splits what is two partitions. With no replica up, the host
 * itself gets an EV_REPLY with CHAT_ERR_FAILED at `depart_ns`.
 *
 * STORE_RECEIPT_ROWS: entry.id, channel and user (the sender), argument = rows; one answer. In
 * contents runs a host sends one call a row instead, entry.more = the member, argument = 1, and
 * counts its answers. CLAIM: entry.id, entry.more = the user, entry.device, entry.stamp. All
 * operations use call.entry, but STORE_RESERVE: call.key.position and call.key.user = machine. */
void cassandra_send(struct sim_context *context, struct peer *peer, uint64_t depart_ns,
                    uint16_t flags, const struct call *call);

/* -- For the assembly ---------------------------------------------------------------------------
 */
struct cassandra;      /* One node: the state of its class; begins with a struct peer. */
struct cassandra_ring; /* All nodes and what they share. */

/* Of all nodes: one class for capacity runs, one for contents runs. */
const struct sim_class *cassandra_class(const struct world *world);

/* Makes world->count[CLASS_CASSANDRA] nodes. The world's node ids, zones and outages are set
 * before and outlive the ring, as does its plan. NULL where memory is short. Later on only
 * contents runs allocate. */
struct cassandra_ring *cassandra_create(struct world *world);
void cassandra_destroy(struct cassandra_ring *ring);

/* The state to give to sim_add_node() for node `index`. */
struct cassandra *cassandra_at(struct cassandra_ring *ring, uint32_t index);

/* Starts the clockwork of all nodes, after they were added and before the run. */
void cassandra_post(struct cassandra_ring *ring, struct sim *sim);

/* What a node used in the measured time. Also completes its share of world->usage, so it comes
 * before the time series is read. CPU: share of all cores. DISK_IO: commit log, flushes and
 * compaction against the disk, or compaction alone against its cap, whichever binds first (what
 * exceeds a cap piles up for ever). DISK_SPACE: growth at the mean of a day, over retention.
 * CONNECTIONS: operations coordinated at a time, the most there were (capacity runs: counted to 8
 * ms). */
void cassandra_use(struct cassandra *node, struct resource_use uses[RESOURCE_COUNT]);

/* Contents runs, before the run: this node holds what the STORE effect says, and has synced it. */
void cassandra_seed(struct cassandra *node, const struct chat_effect *effect);

/* Contents runs: what this replica holds, for judges; else NULL. */
struct table;
const struct table *cassandra_table(const struct cassandra *node);

#endif
