/* The ring, its drivers, and what is set up before and told after a run. */
#include "models/infra/cassandra.h"

#include "models/client/law.h"
#include "models/infra/cassandra_state.h"
#include "models/infra/faults.h"
#include "sim/pages.h"

#include <stdlib.h>

static const struct sim_class contents_class = {.name = "cassandra", .handle = cassandra_handle};
static const struct sim_class capacity_class = {
    .name = "cassandra",
    .handle = quorum_handle,
    .prefetch = quorum_prefetch,
    .prefetch_steps = 1,
};

const struct sim_class *cassandra_class(const struct world *world)
{
    return world->plan->run.contents ? &contents_class : &capacity_class;
}

/* What keys and values of rows weigh that have no plan field: ids of 8 bytes each, and the 40 that
 * call_bytes() counts around a text. */
#define MESSAGE_BYTES 40u
#define MESSAGE_CELLS 5u /* sender_id, content, type, created_at, device */
#define RECEIPT_CELLS 4u /* sender, channel, delivered_at, read_at */
#define UPDATE_BYTES 32u /* A key and one value. */
#define CLAIM_BYTES 40u  /* user, device, key; id, expiry */
#define PAXOS_BYTES 64u  /* A claim's key, two ballots, a value. */

uint64_t cassandra_key(const struct call *call)
{
    const struct packed_entry *entry = &call->entry;
    if ((call->op & CASSANDRA_SECOND) != 0) {
        return hash_mix(entry->id + 0x9e3779b97f4a7c15u);
    }
    switch (call->op & 0xfff) {
    case STORE_CLAIM:
        return hash_mix(channel_hash(entry->more, entry->stamp) + (entry->device & 0xfu) + 1);
    case STORE_RECEIPT:
    case STORE_RECEIPT_ROWS:
    case READ_RECEIPT:
        return hash_mix(entry->id + 0x9e3779b97f4a7c15u);
    case STORE_CURSOR:
    case STORE_DEVICE:
    case READ_DEVICES:
    case READ_UNACKED:
        return hash_mix(entry->more + 0xd1b54a32d192ed03u);
    case STORE_RESERVE:
        return hash_mix(call->key.user + 0x8cb92ba72f3d8dd7u);
    default:
        return hash_mix(channel_hash(entry->first, entry->second) + 0x94d049bb133111ebu);
    }
}

/* Nodes that hold the same rows. */
struct group {
    uint32_t first;
    uint32_t size;
};

static struct group group_at(const struct world *world, uint32_t group)
{
    uint32_t longer = group < world->group_rest ? group : world->group_rest;
    return (struct group){group * world->group_size + longer,
                          world->group_size + (group < world->group_rest)};
}

static struct group group_of(const struct world *world, uint64_t key)
{
    return group_at(world, (uint32_t)rng_below(key, world->group_count));
}

static uint32_t place_of(struct group group, uint64_t key, uint32_t rank)
{
    uint32_t place = (uint32_t)rng_below(hash_mix(key), group.size) + rank;
    return group.first + (place < group.size ? place : place - group.size);
}

uint32_t cassandra_first(const struct world *world, uint64_t key)
{
    return place_of(group_of(world, key), key, 0);
}

uint32_t cassandra_replica(const struct world *world, uint64_t key, uint32_t rank)
{
    CHECK(rank < world->plan->cassandra.replication);
    return world->base[CLASS_CASSANDRA] + place_of(group_of(world, key), key, rank);
}

uint32_t cassandra_answers(const struct call *call)
{
    return (call->op & 0xfff) == STORE_MESSAGE && call->entry.more != 0 ? 2 : 1;
}

bool cassandra_reaches(const struct world *world, uint32_t from, uint32_t to, uint64_t now_ns)
{
    uint64_t known_ns = now_ns > CASSANDRA_KNOWN_NS ? now_ns - CASSANDRA_KNOWN_NS : 0;
    if (!world_is_up(world, to, known_ns)) {
        return false;
    }
    /* A packet with the best of luck: it is lost in a partition alone. */
    return world->cuts == NULL || cuts_delay(world, from, to, known_ns, UINT64_MAX) != SIM_NEVER;
}

/* The replica that a driver asks: near, or else any that is up; UINT32_MAX if none is. */
static uint32_t coordinator_choose(struct peer *peer, struct group group, uint64_t key,
                                   uint64_t now_ns)
{
    const struct world *world = peer->world;
    uint32_t up[RANKS_MAX];
    uint32_t count = 0;
    for (uint32_t rank = 0; rank < world->plan->cassandra.replication; rank++) {
        uint32_t node = world->base[CLASS_CASSANDRA] + place_of(group, key, rank);
        if (!cassandra_reaches(world, peer->node, node, now_ns)) {
            continue;
        }
        if (world->zones[node] == peer->zone) {
            return node;
        }
        up[count++] = node;
    }
    return count == 0 ? UINT32_MAX : up[rng_below(rng_next(&peer->rng).word[0], count)];
}

static void send_one(struct sim_context *context, struct peer *peer, uint64_t depart_ns,
                     uint16_t flags, const struct call *call)
{
    const struct world *world = peer->world;
    uint64_t now_ns = sim_context_now(context);
    uint64_t from_ns = depart_ns > now_ns ? depart_ns : now_ns;
    uint64_t key = cassandra_key(call);
    struct group group = group_of(world, key);
    uint32_t to = coordinator_choose(peer, group, key, now_ns);
    struct sim_event event = {.node = to, .kind = EV_CALL, .flags = flags};
    if (to != UINT32_MAX) {
        EVENT_WRITE(&event, call);
        event.time_ns = net_arrival(context, peer, to, from_ns, call_bytes(world, call),
                                    rng_next(&peer->rng).word[0]);
        if (!world->plan->run.contents) { /* One handler for the group: cassandra_quorum.c. */
            event.node = world->base[CLASS_CASSANDRA] + group.first;
            event.flags = (uint16_t)((flags & 0xff) | (to - event.node) << 8);
        }
        if (event.time_ns != SIM_NEVER) {
            sim_send(context, &event);
        }
        return;
    }
    struct reply reply = {.token = call->token, .err = CHAT_ERR_FAILED};
    event = (struct sim_event){
        .time_ns = from_ns, .node = peer->node, .kind = EV_REPLY, .flags = flags & 0xff};
    EVENT_WRITE(&event, &reply);
    sim_send(context, &event);
}

void cassandra_send(struct sim_context *context, struct peer *peer, uint64_t depart_ns,
                    uint16_t flags, const struct call *call)
{
    struct call part = *call;
    part.source = peer->node;
    CHECK((call->op & 0xfff) >= STORE_CLAIM && (call->op & 0xfff) <= READ_UNACKED);
    send_one(context, peer, depart_ns, flags, &part);
    if (cassandra_answers(call) == 2) {
        part.op |= CASSANDRA_SECOND;
        part.entry.size_bytes = 0;
        send_one(context, peer, depart_ns, flags, &part);
    }
}

uint8_t cassandra_live(const struct cassandra *node, uint32_t first, uint64_t now_ns)
{
    const struct cassandra_ring *ring = node->ring;
    uint32_t live = (1u << ring->replication) - 1;
    for (uint32_t rank = 0; !ring->faultless && rank < ring->replication; rank++) {
        uint32_t index = ring_index(ring, first, rank);
        uint32_t other = ring->world->base[CLASS_CASSANDRA] + index;
        if (index != node->peer.index &&
            !cassandra_reaches(ring->world, node->peer.node, other, now_ns)) {
            live &= ~(1u << rank);
        }
    }
    return (uint8_t)live;
}

/* -- The ring -----------------------------------------------------------------------------------
 */
static void phases_init(struct cassandra_ring *ring, const struct plan *plan)
{
    uint32_t rounds = plan->cassandra.lwt_rounds;
    ring->round_count = plan->run.contents && rounds < 2 ? 2 : rounds;
    CHECK(ring->round_count <= ROUNDS_MAX);
    uint32_t propose = ring->round_count - (ring->round_count >= 4);
    for (uint32_t round = 1; round <= ring->round_count; round++) {
        ring->phases[round] = (uint8_t)(round == 1         ? PHASE_PREPARE
                                        : round < propose  ? PHASE_READ
                                        : round == propose ? PHASE_PROPOSE
                                                           : PHASE_COMMIT);
    }
    ring->phases[ROUND_COMMIT] = PHASE_COMMIT;
}

static void claims_init(struct cassandra_ring *ring, const struct plan *plan, double speed)
{
    const struct plan_cassandra *cassandra = &plan->cassandra;
    double write_ns = (double)cassandra->cpu_write_ns * speed;
    double read_ns = (double)cassandra->cpu_read_ns * speed;
    uint32_t row = (uint32_t)cassandra->row_overhead_bytes;
    uint32_t cell = (uint32_t)cassandra->cell_overhead_bytes;
    double kept = plan->core.claim_ttl_ns >= cassandra->retention_ns
                      ? 1
                      : (double)plan->core.claim_ttl_ns / (double)cassandra->retention_ns;
    for (uint32_t round = 1; round <= ROUND_COMMIT; round++) {
        switch (ring->phases[round]) {
        case PHASE_PREPARE: /* Before four rounds, it reads the row too: Paxos v2. */
            ring->claims[round].cpu_ns = write_ns + (ring->round_count < 3 ? read_ns : 0);
            ring->claims[round].written_bytes = PAXOS_BYTES + row + 3 * cell;
            break;
        case PHASE_READ:
            ring->claims[round].cpu_ns = read_ns;
            break;
        case PHASE_PROPOSE:
            ring->claims[round].cpu_ns = write_ns;
            ring->claims[round].written_bytes = PAXOS_BYTES + row + 3 * cell;
            break;
        case PHASE_COMMIT:
            ring->claims[round].cpu_ns = write_ns;
            ring->claims[round].written_bytes = CLAIM_BYTES + row + 2 * cell;
            ring->claims[round].kept_bytes =
                (uint32_t)((CLAIM_BYTES + row + 2 * cell) * kept + 0.5);
            break;
        default:
            break;
        }
    }
}

static void shares_init(struct cassandra_ring *ring, const struct plan *plan, double speed)
{
    const struct plan_cassandra *cassandra = &plan->cassandra;
    uint32_t row = (uint32_t)cassandra->row_overhead_bytes;
    uint32_t cell = (uint32_t)cassandra->cell_overhead_bytes;
    uint32_t receipt = (uint32_t)cassandra->receipt_bytes + row + RECEIPT_CELLS * cell;
    uint32_t message = MESSAGE_BYTES + row + MESSAGE_CELLS * cell;
    struct share update = {.written_bytes = UPDATE_BYTES + row + cell};
    for (uint32_t op = STORE_MESSAGE; op <= STORE_DEVICE; op++) {
        ring->shares[op] = update;
    }
    ring->shares[0] = (struct share){.written_bytes = receipt, .kept_bytes = receipt};
    ring->shares[STORE_MESSAGE] =
        (struct share){.written_bytes = message, .kept_bytes = message, .text = 1};
    ring->shares[STORE_RECEIPT_ROWS] =
        (struct share){.written_bytes = receipt, .kept_bytes = receipt, .rows = 1};
    ring->shares[STORE_MEMBER].kept_bytes = update.written_bytes;
    for (uint32_t op = 0; op <= STORE_DEVICE; op++) {
        ring->shares[op].cpu_ns = (double)cassandra->cpu_write_ns * speed;
    }
    for (uint32_t op = READ_RECEIPT; op <= READ_UNACKED; op++) {
        ring->shares[op] =
            (struct share){.cpu_ns = (double)cassandra->cpu_read_ns * speed, .read = 1};
    }
}

static uint32_t consistency_needs(enum plan_consistency consistency, uint32_t replication)
{
    switch (consistency) {
    case PLAN_ONE:
        return 1;
    case PLAN_QUORUM:
        return replication / 2 + 1;
    case PLAN_ALL:
        return replication;
    }
    CHECK(!"a consistency level");
    return 0;
}

static double fewer(uint32_t servers)
{
    return servers <= FIFO_SERVERS_MAX ? 1 : (double)FIFO_SERVERS_MAX / servers;
}

static uint32_t at_most_servers(uint32_t servers)
{
    return servers < FIFO_SERVERS_MAX ? servers : FIFO_SERVERS_MAX;
}

static bool ring_init(struct cassandra_ring *ring, struct world *world)
{
    const struct plan *plan = world->plan;
    const struct plan_cassandra *cassandra = &plan->cassandra;
    double speed = fewer(cassandra->cores);
    ring->world = world;
    ring->contents = plan->run.contents;
    ring->node_count = world->count[CLASS_CASSANDRA];
    ring->slot_count = cassandra->coordinator_max;
    ring->replication = cassandra->replication;
    world->group_count = ring->node_count / ring->replication;
    world->group_size = ring->node_count / world->group_count;
    world->group_rest = ring->node_count % world->group_count;
    CHECK(ring->replication >= 1 && ring->replication <= RANKS_MAX);
    CHECK(ring->replication <= ring->node_count);
    CHECK(ring->slot_count >= 1 && ring->slot_count < SLOT_HINT);
    ring->needed = consistency_needs(cassandra->consistency, ring->replication);
    ring->quorum = ring->replication / 2 + 1;
    ring->core_count = at_most_servers(cassandra->cores);
    ring->coordinate_ns = (double)cassandra->cpu_coordinate_ns * speed / 2;
    ring->compact_ps =
        (uint64_t)((double)cassandra->cpu_compact_ps * cassandra->write_amplification * speed);
    ring->read_hold = fewer(cassandra->read_slots);
    ring->write_hold =
        cassandra->write_slots < cassandra->cores ? fewer(cassandra->write_slots) : 0;
    phases_init(ring, plan);
    claims_init(ring, plan, speed);
    shares_init(ring, plan, speed);
    ring->faultless = world->cuts == NULL;
    for (uint32_t i = 0; i < ring->node_count; i++) {
        ring->faultless &= world->outages[world->base[CLASS_CASSANDRA] + i] == NULL;
    }
    struct dist_spec unit = {.law = DIST_EXPONENTIAL, .mean = 1};
    law_init(&ring->read_disk, &cassandra->read_disk, 1);
    return dist_init(&ring->unit, &unit) == DIST_OK;
}

/* -- Nodes --------------------------------------------------------------------------------------
 */
static uint64_t run_end_ns(const struct plan *plan)
{
    return plan->run.warmup_ns + plan->run.duration_ns + plan->run.drain_ns;
}

static uint32_t pause_count(const struct plan *plan)
{
    uint64_t period_ns = plan->cassandra.gc_period_ns;
    bool pauses = period_ns > 0 && plan->cassandra.gc_pause_ns > 0;
    return pauses ? (uint32_t)(run_end_ns(plan) / period_ns + 1) : 0;
}

/* A node's own pauses and its faults, as one schedule. `room` intervals are there. */
static void outages_merge(struct cassandra *node, struct outage_interval *intervals, uint32_t room)
{
    const struct world *world = node->peer.world;
    const struct plan *plan = world->plan;
    uint32_t fault_count = world->outage_counts[node->peer.node];
    const struct outage_interval *faults = world->outages[node->peer.node];
    uint64_t period_ns = plan->cassandra.gc_period_ns;
    uint64_t from_ns = period_ns == 0 ? 0 : rng_below(rng_next(&node->peer.rng).word[0], period_ns);
    uint32_t count = 0;
    for (uint32_t i = 0; i < pause_count(plan); i++) {
        intervals[count++] = (struct outage_interval){
            .from_ns = from_ns,
            .until_ns = from_ns + plan->cassandra.gc_pause_ns,
            .kind = OUTAGE_PAUSE,
            .stretch_milli = 1000,
        };
        from_ns += period_ns;
    }
    for (uint32_t i = 0; faults != NULL && i < fault_count; i++) {
        intervals[count++] = faults[i];
    }
    int64_t merged = outage_normalise(intervals, count, room);
    CHECK(merged >= 0);
    CHECK(outage_init(&node->peer.outage, intervals, (uint32_t)merged) == OUTAGE_OK);
}

static void node_init(struct cassandra_ring *ring, uint32_t index, struct group group)
{
    struct cassandra *node = &ring->nodes[index];
    const struct plan_cassandra *cassandra = &ring->world->plan->cassandra;
    peer_init(&node->peer, ring->world, CLASS_CASSANDRA, index, cassandra->nic_bytes_per_s);
    node->ring = ring;
    node->group_first = group.first;
    node->group_size = group.size;
    CHECK(fifo_memory_words(ring->core_count, 0) <= FIFO_SERVERS_MAX);
    fifo_init(&node->cpu, ring->core_count, 0, ring->core_count == 1 ? NULL : node->cpu_memory);
    uint32_t slots = at_most_servers(cassandra->read_slots);
    fifo_init(&node->reads, slots, 0, slots == 1 ? NULL : node->reads_memory);
    slots = at_most_servers(cassandra->write_slots);
    fifo_init(&node->writes, slots, 0, slots == 1 ? NULL : node->writes_memory);
}

static uint32_t outage_room(const struct cassandra_ring *ring, uint32_t index)
{
    uint32_t node = ring->world->base[CLASS_CASSANDRA] + index;
    uint32_t faults = ring->world->outages[node] == NULL ? 0 : ring->world->outage_counts[node];
    return 2 * (pause_count(ring->world->plan) + faults);
}

static bool nodes_create(struct cassandra_ring *ring)
{
    size_t room = 1;
    for (uint32_t i = 0; i < ring->node_count; i++) {
        room += outage_room(ring, i);
    }
    ring->nodes_size_bytes = ring->node_count * sizeof *ring->nodes;
    ring->nodes = pages_allocate(ring->nodes_size_bytes);
    ring->intervals = malloc(room * sizeof *ring->intervals);
    if (ring->nodes == NULL || ring->intervals == NULL) {
        return false;
    }
    struct outage_interval *intervals = ring->intervals;
    uint32_t group = 0;
    for (uint32_t i = 0; i < ring->node_count; i++) {
        group += i >= group_at(ring->world, group).first + group_at(ring->world, group).size;
        node_init(ring, i, group_at(ring->world, group));
        if (outage_room(ring, i) > 0) {
            outages_merge(&ring->nodes[i], intervals, outage_room(ring, i));
            intervals += outage_room(ring, i);
        }
        if (ring->world->plan->run.contents && !contents_create(&ring->nodes[i])) {
            return false;
        }
    }
    return true;
}

struct cassandra_ring *cassandra_create(struct world *world)
{
    struct cassandra_ring *ring = calloc(1, sizeof *ring);
    if (ring == NULL) {
        return NULL;
    }
    if (!ring_init(ring, world) || !nodes_create(ring)) {
        cassandra_destroy(ring);
        return NULL;
    }
    return ring;
}

void cassandra_destroy(struct cassandra_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    for (uint32_t i = 0; ring->nodes != NULL && i < ring->node_count; i++) {
        if (ring->nodes[i].contents != NULL) {
            contents_destroy(&ring->nodes[i]);
        }
    }
    if (ring->nodes != NULL) {
        pages_free(ring->nodes, ring->nodes_size_bytes);
    }
    free(ring->intervals);
    free(ring);
}

struct cassandra *cassandra_at(struct cassandra_ring *ring, uint32_t index)
{
    CHECK(index < ring->node_count);
    return &ring->nodes[index];
}

void cassandra_post(struct cassandra_ring *ring, struct sim *sim)
{
    const struct plan *plan = ring->world->plan;
    for (uint32_t i = 0; plan->run.contents && i < ring->node_count; i++) {
        struct cassandra *node = &ring->nodes[i];
        struct rng_bits bits = rng_next(&node->peer.rng);
        struct sim_event event = {
            .time_ns = sim_now(sim) + rng_below(bits.word[0], CASSANDRA_SWEEP_NS),
            .node = node->peer.node,
            .kind = EV_TICK,
        };
        sim_post(sim, &event);
        if (plan->cassandra.commitlog_sync_ns > 0) {
            event.kind = EV_TICK3;
            event.time_ns =
                sim_now(sim) + rng_below(bits.word[1], plan->cassandra.commitlog_sync_ns);
            sim_post(sim, &event);
        }
    }
}

/* -- Reporting ----------------------------------------------------------------------------------
 */
static struct resource_use disk_use(const struct plan_cassandra *cassandra, double bytes_per_s)
{
    double wanted = bytes_per_s * cassandra->write_amplification;
    double cap = (double)cassandra->compaction_bytes_per_s;
    double moved = wanted < cap ? wanted : cap;
    /* Commit log, flush, compaction: what a disk writes. */
    struct resource_use disk = {2 * bytes_per_s + moved, (double)cassandra->disk_bytes_per_s};
    return wanted / cap > disk.used / disk.limit ? (struct resource_use){wanted, cap} : disk;
}

void cassandra_use(struct cassandra *node, struct resource_use uses[RESOURCE_COUNT])
{
    const struct world *world = node->peer.world;
    const struct plan *plan = world->plan;
    const struct plan_cassandra *cassandra = &plan->cassandra;
    double measured_ns = (double)(world->until_ns - world->from_ns);
    double seconds = measured_ns * 1e-9;
    cassandra_tally(node, node->tally_until_ns);
    peer_use(&node->peer, uses);
    uses[RESOURCE_CPU] =
        (struct resource_use){(double)node->peer.busy_ns / measured_ns / node->ring->core_count, 1};
    uses[RESOURCE_DISK_IO] = disk_use(cassandra, (double)node->written_bytes / seconds);
    double growth = (double)node->kept_bytes / seconds / plan->population.peak_factor;
    uses[RESOURCE_DISK_SPACE] =
        (struct resource_use){growth * (double)cassandra->retention_ns * 1e-9,
                              (double)cassandra->disk_bytes * cassandra->disk_usable};
    uint32_t used = plan->run.contents ? node->slot_used : node->under_way.most;
    uses[RESOURCE_CONNECTIONS] = (struct resource_use){used, node->ring->slot_count};
}
