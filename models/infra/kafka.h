/* Kafka: brokers, the producers inside the hosts, and one consumer group, the fan-out workers.
 *
 *     host --EV_CALL--> leader --EV_INNER2--> followers     records, as counts and bytes
 *     host <-EV_REPLY-- leader <-EV_INNER---- followers     fetch, and so acknowledge
 *                       leader --EV_RECORD--> fan-out worker --EV_COMMIT--> leader
 *     host --EV_ROUTE-> broker --EV_ROUTE---> gateway       routing by Kafka
 *
 * A channel's partition is a hash of it. Partitions with the same remainder modulo the brokers
 * share their replicas -- brokers r, r + 1, ... -- and are called a *home*. A home has one leader
 * at a time and moves as a whole, so replication costs one fetch loop a home and follower, however
 * many records pass: events a record are 3 (call, reply, record) and its share of a commit.
 *
 * Promises:
 *   1. A record is answered once, when it is as durable as plan.acks says. ACKS_ALL: every replica
 *      in sync has it. Fewer than min_insync in sync: CHAT_ERR_FAILED; so too where the broker does
 *      not lead (any more) or holds all that it can (KAFKA_RECORDS_MAX over all brokers).
 *   2. Consumers see what all replicas in sync have, a partition's records in one order, by offset,
 *      each once, but for rebalances: then what is not committed comes again, to the new owner.
 *   3. What a host produces to one broker arrives in the order asked for.
 *   4. With ACKS_ALL no answered record is lost with a broker; what was not answered may be lost or
 *      may be there. A record whose answer a broker can no longer promise is CHAT_ERR_UNKNOWN.
 *
 * Who is dead is known later. plan.failover_ns after a leader's death the first other replica
 * leads; a follower leaves the replicas in sync at the same age of its death, or when it has lagged
 * for KAFKA_LAG_NS. A broker that came back may lead again after it has had failover_ns to catch
 * up, and does so another failover_ns later. A worker is out of the group session_timeout_ns after
 * its server died, and joins when it is up; each change stops all consumption for
 * rebalance_pause_ns. All of these are functions of the schedule of faults.
 *
 * What a dead leader's followers hold is, record for record, what it had sent them; so rather than
 * holding it twice all the time, the dying leader hands it to its successor in events that arrive
 * when that one takes over. A sole replica keeps its log: a kill takes memory, not the disk.
 * Committed offsets belong to the group's coordinator and are never lost: a broker that does not
 * lead passes a commit on. Between brokers, and to and from consumers, TCP hides cuts: traffic is
 * late by them. Requests of producers, and answers to them, are lost in cuts.
 *
 * What it does not do: idempotent producers; compression; reads from disk (consumers read what the
 * page cache holds); unclean elections; static membership. A request that is full does not leave
 * early, but the next one opens. With more than 64 partitions a broker a few batch headers are not
 * counted. A follower that was dead at a takeover is not charged for what it missed before.
 */
#ifndef MODELS_INFRA_KAFKA_H
#define MODELS_INFRA_KAFKA_H

#include "models/infra/infra.h"

#define KAFKA_RECORDS_MAX (1u << 26) /* Held by all brokers together: 4 GB, if it gets so far. */
#define KAFKA_LAG_NS 30000000000u    /* replica.lag.time.max.ms: then a follower is left behind. */
#define KAFKA_FETCH_BYTES 10485760u  /* replica.fetch.response.max.bytes. */
#define KAFKA_DIRTY_NS 1000000000u   /* Writes that the page cache takes before writers wait. */
#define KAFKA_PARTITIONS_MAX (1u << 20)

/* -- For hosts ----------------------------------------------------------------------------------
 */

uint32_t kafka_partition(const struct world *world, uint32_t first, uint32_t second);

/* The node that leads a partition, as far as anyone knows; it may be dead. A pure function of the
 * schedule. */
uint32_t kafka_leader(const struct world *world, uint32_t partition, uint64_t now_ns);

/* Where to send an EV_ROUTE for the gateway of that name: the leader of its partition in a topic
 * of one replica, acknowledged by nobody. */
uint32_t kafka_route_broker(const struct world *world, uint32_t gateway_name, uint64_t now_ns);

/* One a server: what it is about to send to each broker. */
struct kafka_producer;

/* NULL where memory is short. `world` is borrowed. */
struct kafka_producer *kafka_producer_create(const struct world *world);
void kafka_producer_destroy(struct kafka_producer *producer);

/* Forgets what was open: the server is dead. */
void kafka_producer_reset(struct kafka_producer *producer);

/* PUBLISH: `call` (token, entry, source = the host; op and argument 0, entry.more is not used) goes
 * into the host's open request to the leader of its channel's partition, and is answered to
 * `worker` by one plain EV_REPLY. The first record opens a request, and all of them leave
 * plan.linger_ns after that one's `depart_ns`, or as soon as fewer than requests_in_flight_max wait
 * for their answers. `peer` is the host's: it pays the bytes. ACKS_NONE: the answer is CHAT_OK as
 * soon as the request has left. Returns a sample for kafka_producer_heard(), or 0. */
uint32_t kafka_produce(struct kafka_producer *producer, struct sim_context *context,
                       struct peer *peer, uint32_t worker, uint64_t depart_ns,
                       const struct call *call);

/* The answer to a call has come for which kafka_produce() returned `sample`, not 0. So the producer
 * knows how long answers take. */
void kafka_producer_heard(struct kafka_producer *producer, uint32_t sample, uint64_t now_ns);

/* COMMIT of a worker: everything before offset `position` of `partition` is consumed, and `credit`
 * more records than it said before are done with. Unlike an EV_COMMIT by net_send() it is not lost
 * in a cut: it is late. A commit that was lost for ever would keep its credit for ever. */
void kafka_commit(struct sim_context *context, struct peer *peer, uint32_t worker,
                  uint64_t depart_ns, uint32_t partition, uint64_t position, uint32_t credit);

/* -- For the assembly ---------------------------------------------------------------------------
 */
struct kafka_broker; /* One node: the state of its class; begins with a struct peer. */
struct kafka;        /* All brokers, and the schedule that they share. */

extern const struct sim_class kafka_broker_class;

/* Makes world->count[CLASS_KAFKA] brokers. Node ids, zones and faults are set before and outlive
 * them, as does the plan. NULL where memory is short; nothing is allocated later. */
struct kafka *kafka_create(struct world *world);
void kafka_destroy(struct kafka *kafka);

/* The state to give to sim_add_node() for broker `index`. */
struct kafka_broker *kafka_at(struct kafka *kafka, uint32_t index);

/* Posts the brokers' clockwork: one EV_TICK at each change of leader or group. After the nodes were
 * added, before the run. */
void kafka_post(const struct kafka *kafka, struct sim *sim);

/* Who consumes a partition: range assignment over the group's members. False: nobody, as a
 * rebalance is under way or all are dead. `node` is the fan-out server's. */
bool kafka_worker_of(const struct kafka *kafka, uint32_t partition, uint64_t now_ns, uint32_t *node,
                     uint32_t *worker);

/* In the measured time. CPU: share of network and io threads together. DISK_IO: bytes/s written,
 * as leader and as follower. DISK_SPACE: those bytes/s over the population's peak_factor (what a
 * day stores is less than its peak), times retention. */
void kafka_use(const struct kafka_broker *broker, struct resource_use uses[RESOURCE_COUNT]);

struct kafka_lag {
    uint64_t records; /* Readable and not yet committed by the group, of what this broker leads. */
    uint64_t oldest_ns;      /* Age of the oldest of them, up to 9 minutes. */
    uint64_t held;           /* Those, and what waits for followers. */
    uint64_t held_max;       /* The most there were. */
    uint64_t refused;        /* Records answered CHAT_ERR_FAILED: full, ... */
    uint64_t refused_leader; /* ... not the leader, or not yet, */
    uint64_t refused_insync; /* ... too few replicas in sync. */
    uint64_t lost;           /* Handed over by a dead leader, and no room for it. */
};
struct kafka_lag kafka_lag(const struct kafka_broker *broker, uint64_t now_ns);

#endif
