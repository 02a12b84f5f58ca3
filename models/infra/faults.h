/* Faults: a plan's, drawn before the run, so that every station knows its own outages and every
 * sender which paths are cut.
 *
 *   KILL, ZONE   an outage DOWN of the node, with EV_DOWN and EV_UP posted to it
 *   PAUSE, SLOW  an outage; the node's stations suspend or stretch their work
 *   PARTITION    a cut: what crosses between targets and the rest is lost
 *   LOSS         a cut with a probability: a packet costs retransmit timeouts, doubling, as TCP
 *   SKEW         a node's wall clock is off
 *
 * A fault's at_ns counts from the end of the warm-up. Random faults begin at 0, with every node up;
 * each node of the tier draws its own by counter (stream "faults"; entity: rule, tier and index),
 * so that neither a rule added behind nor a larger fleet moves them. Where faults of one node
 * overlap, the severer holds, as outage_normalise() has it. What a plan's `count` and `index` name
 * beyond the fleet is not there and fails nothing. `tier: all` is every tier of the fleet; clients
 * stand in no zone.
 *
 * Redis and Kafka hide part of an outage: a dead shard answers again after failover_ns (its replica
 * took over: contents that had not reached it are lost), a dead broker's partitions move to
 * replicas; the node itself stays down. Those nodes see to it; the schedule here is the machine's.
 */
#ifndef MODELS_INFRA_FAULTS_H
#define MODELS_INFRA_FAULTS_H

#include "models/infra/infra.h"

/* Cut are paths with exactly one end inside. Sorted by from_ns. */
struct cut {
    uint64_t from_ns;
    uint64_t until_ns;
    uint64_t latest_ns; /* The greatest until_ns of this and all before it: where a search ends. */
    double loss;        /* 1: a partition. */
    uint8_t *inside;    /* By node id; NULL: `node` alone is inside. */
    uint32_t node;
};

/* Draws all faults of world->plan, and allocates and fills in outages, outage_counts, cuts and
 * cut_count: there is a place for every node id of base and count, whether it has outages or not.
 * Plan, base and count are set before. faults_free() frees it all; it may be called at any time. */
void faults_init(struct world *world);
void faults_free(struct world *world);

/* Posts EV_DOWN and EV_UP for each DOWN of each node; EV_UP only where it ever comes up again.
 * After all nodes are added, before the run. */
void faults_post(const struct world *world, struct sim *sim);

/* What cuts and losses do to a packet sent then: its delay, or SIM_NEVER: it never arrives, since
 * there is a partition, or TCP gave up on it. Never asked while world->cuts is NULL. */
uint64_t cuts_delay(const struct world *world, uint32_t from, uint32_t to, uint64_t now_ns,
                    uint64_t random);

/* How far the node's wall clock is off at that time, in ms. Skews of several faults add up. */
int64_t faults_skew_ms(const struct world *world, uint32_t node, uint64_t now_ns);

#endif
