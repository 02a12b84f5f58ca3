/* Who leads and who consumes: functions of the schedule of faults, which is drawn before the run.
 *
 * Leaders: a replica may lead when it was up failover_ns ago, and, if it had been dead before, for
 * another failover_ns, so that it has caught up. The first that may does. Where none may, the first
 * that was up does; where none was, the first of all, dead as it is.
 *
 * Group: a server's DOWN [from, until) makes it leave at from + session_timeout, unless it is up
 * before; at `until` it joins, in either case. Each is an epoch. */
#include "models/infra/kafka_state.h"

#include <stdlib.h>

uint64_t kafka_later(uint64_t time_ns, uint64_t delay_ns)
{
    return time_ns > SIM_NEVER - delay_ns ? SIM_NEVER : time_ns + delay_ns;
}

/* -- Leaders -------------------------------------------------------------------------------------
 */

/* Up as of `then_ns`, and if it was dead before, for as long as `steady_ns`. */
static bool was_up(const struct world *world, uint32_t node, uint64_t then_ns, uint64_t steady_ns)
{
    const struct outage_interval *intervals = world->outages[node];
    for (uint32_t i = 0; intervals != NULL && i < world->outage_counts[node]; i++) {
        if (intervals[i].from_ns > then_ns) {
            break;
        }
        if (intervals[i].kind == OUTAGE_DOWN &&
            then_ns < kafka_later(intervals[i].until_ns, steady_ns)) {
            return false;
        }
    }
    return true;
}

/* Out of line: some replica has outages. */
static uint32_t leader_slow(const struct world *world, uint32_t home, uint64_t now_ns)
{
    const struct plan_kafka *plan = &world->plan->kafka;
    uint64_t then_ns = now_ns > plan->failover_ns ? now_ns - plan->failover_ns : 0;
    for (uint32_t try = 0; try < 2; try++) {
        for (uint32_t i = 0; i < plan->replication; i++) {
            uint32_t broker = (home + i) % world->count[CLASS_KAFKA];
            if (was_up(world, world->base[CLASS_KAFKA] + broker, then_ns,
                       try == 0 ? plan->failover_ns : 0)) {
                return broker;
            }
        }
    }
    return home;
}

static uint32_t leader_of(const struct world *world, uint32_t home, uint64_t now_ns)
{
    if (world->outages[world->base[CLASS_KAFKA] + home] == NULL) {
        return home;
    }
    return leader_slow(world, home, now_ns);
}

uint32_t kafka_leader(const struct world *world, uint32_t partition, uint64_t now_ns)
{
    uint32_t home = partition % world->count[CLASS_KAFKA];
    return world->base[CLASS_KAFKA] + leader_of(world, home, now_ns);
}

uint32_t kafka_route_broker(const struct world *world, uint32_t gateway_name, uint64_t now_ns)
{
    return kafka_leader(world, gateway_name, now_ns);
}

bool kafka_known_dead(const struct kafka *kafka, uint32_t node, uint64_t now_ns)
{
    const struct world *world = kafka->world;
    const struct outage_interval *intervals = world->outages[node];
    for (uint32_t i = 0; intervals != NULL && i < world->outage_counts[node]; i++) {
        if (intervals[i].kind == OUTAGE_DOWN && now_ns < intervals[i].until_ns &&
            now_ns >= kafka_later(intervals[i].from_ns, world->plan->kafka.failover_ns)) {
            return true;
        }
    }
    return false;
}

static int compare_times(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Times at which a home may change its leader. Writes them sorted, returns how many; `times` NULL:
 * counts only. */
static uint32_t leader_times(const struct kafka *kafka, uint32_t home, uint64_t *times)
{
    const struct world *world = kafka->world;
    const uint64_t failover_ns = world->plan->kafka.failover_ns;
    uint32_t count = 0;
    for (uint32_t i = 0; i < kafka->replication; i++) {
        uint32_t node = world->base[CLASS_KAFKA] + (home + i) % kafka->broker_count;
        for (uint32_t k = 0; world->outages[node] != NULL && k < world->outage_counts[node]; k++) {
            const struct outage_interval *interval = &world->outages[node][k];
            if (interval->kind != OUTAGE_DOWN) {
                continue;
            }
            if (times != NULL) {
                times[count] = kafka_later(interval->from_ns, failover_ns);
                times[count + 1] = kafka_later(interval->until_ns, failover_ns);
                times[count + 2] = kafka_later(times[count + 1], failover_ns);
            }
            count += 3;
        }
    }
    if (times != NULL) {
        qsort(times, count, sizeof *times, compare_times);
    }
    return count;
}

static bool changes_init(struct kafka *kafka)
{
    size_t room = 0;
    uint32_t times_max = 1;
    for (uint32_t home = 0; home < kafka->broker_count; home++) {
        uint32_t count = leader_times(kafka, home, NULL);
        times_max = count > times_max ? count : times_max;
        room += count + 1;
    }
    uint64_t *times = malloc(times_max * sizeof *times);
    kafka->changes = malloc(room * sizeof *kafka->changes);
    kafka->first_change = malloc((kafka->broker_count + 1) * sizeof *kafka->first_change);
    if (times == NULL || kafka->changes == NULL || kafka->first_change == NULL) {
        free(times);
        return false;
    }
    uint32_t used = 0;
    for (uint32_t home = 0; home < kafka->broker_count; home++) {
        kafka->first_change[home] = used;
        kafka->changes[used++] =
            (struct kafka_change){.from_ns = 0, .broker = leader_of(kafka->world, home, 0)};
        uint32_t count = leader_times(kafka, home, times);
        for (uint32_t i = 0; i < count && times[i] != SIM_NEVER; i++) {
            uint32_t broker = leader_of(kafka->world, home, times[i]);
            if (broker != kafka->changes[used - 1].broker) {
                kafka->changes[used++] = (struct kafka_change){times[i], broker};
            }
        }
    }
    kafka->first_change[kafka->broker_count] = used;
    free(times);
    return true;
}

const struct kafka_change *kafka_change_at(const struct kafka *kafka, uint32_t home,
                                           uint64_t now_ns)
{
    const struct kafka_change *change = &kafka->changes[kafka->first_change[home]];
    const struct kafka_change *end = &kafka->changes[kafka->first_change[home + 1]];
    while (change + 1 < end && change[1].from_ns <= now_ns) {
        change++;
    }
    return change;
}

const struct kafka_change *kafka_change_after(const struct kafka *kafka, uint32_t home,
                                              uint64_t now_ns)
{
    const struct kafka_change *change = kafka_change_at(kafka, home, now_ns) + 1;
    return change < &kafka->changes[kafka->first_change[home + 1]] ? change : NULL;
}

/* -- Group ---------------------------------------------------------------------------------------
 */

/* A server leaves or joins. */
struct turn {
    uint64_t time_ns;
    uint32_t server;
    bool joins;
};

static int compare_turns(const void *a, const void *b)
{
    const struct turn *x = a;
    const struct turn *y = b;
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->server != y->server ? (x->server < y->server ? -1 : 1)
                                  : (int)x->joins - (int)y->joins;
}

/* Returns how many; `turns` NULL: at most so many. */
static uint32_t turns_of(const struct kafka *kafka, struct turn *turns)
{
    const struct world *world = kafka->world;
    uint32_t count = 0;
    for (uint32_t server = 0; server < world->count[CLASS_FANOUT]; server++) {
        uint32_t node = world->base[CLASS_FANOUT] + server;
        for (uint32_t k = 0; world->outages[node] != NULL && k < world->outage_counts[node]; k++) {
            const struct outage_interval *interval = &world->outages[node][k];
            if (interval->kind != OUTAGE_DOWN || turns == NULL) {
                count += 2;
                continue;
            }
            uint64_t leaves_ns =
                kafka_later(interval->from_ns, world->plan->kafka.session_timeout_ns);
            if (leaves_ns < interval->until_ns) {
                turns[count++] = (struct turn){leaves_ns, server, false};
            }
            if (interval->until_ns != SIM_NEVER) {
                turns[count++] = (struct turn){interval->until_ns, server, true};
            }
        }
    }
    if (turns != NULL) {
        qsort(turns, count, sizeof *turns, compare_turns);
    }
    return count;
}

/* Writes the members of epoch `index`, which differ from the last one's by `turn`. */
static void epoch_write(struct kafka *kafka, uint32_t index, const struct turn *turn)
{
    const struct kafka_epoch *before = &kafka->epochs[index - 1];
    struct kafka_epoch *epoch = &kafka->epochs[index];
    *epoch = (struct kafka_epoch){
        .from_ns = turn->time_ns,
        .joined = turn->joins ? turn->server : KAFKA_NONE,
        .first_member = before->first_member + before->member_count,
    };
    uint32_t *members = &kafka->members[epoch->first_member];
    bool placed = !turn->joins;
    for (uint32_t i = 0; i < before->member_count; i++) {
        uint32_t server = kafka->members[before->first_member + i];
        if (!placed && server > turn->server) {
            members[epoch->member_count++] = turn->server;
            placed = true;
        }
        if (server != turn->server) {
            members[epoch->member_count++] = server;
        }
    }
    if (!placed) {
        members[epoch->member_count++] = turn->server;
    }
}

static bool epochs_init(struct kafka *kafka)
{
    uint32_t servers = kafka->world->count[CLASS_FANOUT];
    uint32_t count_max = turns_of(kafka, NULL);
    struct turn *turns = malloc((count_max + 1) * sizeof *turns);
    kafka->epochs = malloc((count_max + 1) * sizeof *kafka->epochs);
    kafka->members = malloc((size_t)(count_max + 1) * (servers + 1) * sizeof *kafka->members);
    if (turns == NULL || kafka->epochs == NULL || kafka->members == NULL) {
        free(turns);
        return false;
    }
    uint32_t count = turns_of(kafka, turns);
    kafka->epochs[0] = (struct kafka_epoch){.joined = KAFKA_NONE, .member_count = servers};
    for (uint32_t server = 0; server < servers; server++) {
        kafka->members[server] = server;
    }
    for (uint32_t i = 0; i < count; i++) {
        epoch_write(kafka, i + 1, &turns[i]);
    }
    kafka->epoch_count = count + 1;
    free(turns);
    return true;
}

uint32_t kafka_epoch_at(const struct kafka *kafka, uint64_t now_ns)
{
    uint32_t low = 0;
    uint32_t high = kafka->epoch_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (kafka->epochs[middle].from_ns <= now_ns) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Range assignment: each member a run of partitions, the first ones one more. Members are ordered
 * by core, then by server, so that runs of unequal length are spread over the servers. */
uint32_t kafka_owner(const struct kafka *kafka, uint32_t epoch, uint32_t partition)
{
    const struct kafka_epoch *group = &kafka->epochs[epoch];
    uint32_t member_count = group->member_count * kafka->cores;
    if (member_count == 0) {
        return KAFKA_NONE;
    }
    uint32_t run = kafka->partition_count / member_count;
    uint32_t longer = kafka->partition_count % member_count;
    uint32_t rank = partition < longer * (run + 1)
                        ? partition / (run + 1)
                        : longer + (partition - longer * (run + 1)) / run;
    uint32_t server = kafka->members[group->first_member + rank % group->member_count];
    return server * kafka->cores + rank / group->member_count;
}

bool kafka_is_member(const struct kafka *kafka, uint32_t epoch, uint32_t server)
{
    const struct kafka_epoch *group = &kafka->epochs[epoch];
    for (uint32_t i = 0; i < group->member_count; i++) {
        if (kafka->members[group->first_member + i] == server) {
            return true;
        }
    }
    return false;
}

bool kafka_joined(const struct kafka *kafka, uint32_t from, uint32_t to, uint32_t server)
{
    for (uint32_t i = from + 1; i <= to; i++) {
        if (kafka->epochs[i].joined == server) {
            return true;
        }
    }
    return false;
}

bool kafka_worker_of(const struct kafka *kafka, uint32_t partition, uint64_t now_ns, uint32_t *node,
                     uint32_t *worker)
{
    uint32_t epoch = kafka_epoch_at(kafka, now_ns);
    uint64_t pause_ns = kafka->world->plan->kafka.rebalance_pause_ns;
    uint32_t owner = kafka_owner(kafka, epoch, partition);
    if (owner == KAFKA_NONE || (epoch > 0 && now_ns - kafka->epochs[epoch].from_ns < pause_ns)) {
        return false;
    }
    *node = kafka->world->base[CLASS_FANOUT] + owner / kafka->cores;
    *worker = owner % kafka->cores;
    return true;
}

bool kafka_schedule_init(struct kafka *kafka)
{
    return changes_init(kafka) && epochs_init(kafka);
}

void kafka_schedule_free(struct kafka *kafka)
{
    free(kafka->changes);
    free(kafka->first_change);
    free(kafka->epochs);
    free(kafka->members);
}
