/* A shard of the population: every client in it steps client_step(), one by one; who acts next is
 * drawn from superposed Poisson processes, so a client that does nothing costs bytes, not events.
 *
 *     writes   rate / population nodes; who: workload_active(), of those online
 *     reads    likewise; what was unread before the run is drawn when it is read, not kept
 *     leaves   online / connection life
 *     joins    the same rate: the population is in its steady state
 *     pages    of history, asked for by those online, by activity
 *     members  joins and leaves, likewise: oneself leaves, or lets a contact join
 *     forgets  connections silent for so long that something on the path drops them; both ends
 *              learn of it at once, and the client connects again
 *
 * Clients of population p connect to gateway p; to another while p is dead or full, as a load
 * balancer would send them. In contents runs a device reads what it was shown, after its delay, and
 * tells the judge everything.
 */
#ifndef MODELS_INFRA_POPULATION_H
#define MODELS_INFRA_POPULATION_H

#include "models/client/client.h"
#include "models/client/workload.h"
#include "models/infra/infra.h"

struct population;

extern const struct sim_class population_class;

/* Settings that all shards share; the assembly's, outlives them. */
struct population_setup {
    const struct workload *workload;
    struct client_config client;
    struct dist exponential; /* Mean 1: times between events of a Poisson process. */
    struct dist read_delay;
    double write_rate_per_s; /* Of all shards together. */
    double read_rate_per_s;
    double leave_rate_per_s;  /* And of joins. */
    double forget_rate_per_s; /* Connections that the path forgets. */
    double history_rate_per_s;
    double membership_rate_per_s;
    uint32_t online;       /* Clients connected at the start, of all. */
    double activity_per_s; /* Frames to and from one of them. */
};

/* Of a trace: client number `client` writes. */
struct population_write {
    uint64_t time_ns;
    uint32_t client;
};
/* What this shard's clients write, sorted by time, instead of what would be drawn. Borrowed. */
void population_replay(struct population *population, const struct population_write *writes,
                       uint32_t count);

/* NULL where memory is short. */
struct population *population_create(struct world *world, uint32_t index,
                                     const struct population_setup *setup);
void population_destroy(struct population *population);
uint64_t population_memory_bytes(uint64_t clients);

/* Before a run: is client number `client` to be online at the start? Then where. */
bool population_begins_online(const struct population *population, uint32_t client);
void population_place(struct population *population, uint32_t client, uint32_t gateway,
                      uint64_t conn_id, uint64_t position, uint64_t idle_ns);

/* Where it is connected: conn_id and gateway; 0 where it is not. */
uint64_t population_connection(const struct population *population, uint32_t client,
                               uint32_t *gateway);

/* Posts the shard's own clockwork. In contents runs those who are to be online connect by
 * themselves within the first second. */
void population_start(struct population *population, struct sim *sim);

/* At the end: clients online, and messages that their devices still wait to see acked. */
struct population_end {
    uint64_t online;
    uint64_t unacked;
};
struct population_end population_end(const struct population *population);

/* Contents runs, at the end: tells the judge which devices are caught up. */
void population_judge(const struct population *population);

#endif
