/* A node in time: what it is asked, how long that takes, and when a quorum has answered. Slots and
 * handles: cassandra_state.h. */
#include "models/infra/cassandra_state.h"

/* -- Slots --------------------------------------------------------------------------------------
 */
static uint32_t operation_open(struct cassandra *node)
{
    if (node->inline_free != 0) {
        uint32_t slot = (uint32_t)__builtin_ctz(node->inline_free);
        node->inline_free &= (uint16_t)(node->inline_free - 1);
        node->inline_used |= (uint16_t)(1u << slot);
        return slot;
    }
    uint32_t slot = node->overflow_free;
    if (slot != SLOT_NONE) {
        node->overflow_free = operation_at(node, slot)->next;
        return slot;
    }
    if (SLOTS_INLINE + node->overflow_used < node->ring->slot_count) {
        return SLOTS_INLINE + node->overflow_used++;
    }
    return SLOT_NONE;
}

void operation_close(struct cassandra *node, uint32_t slot)
{
    struct operation *operation = operation_at(node, slot);
    CHECK(operation->stamp != 0);
    if (node->ring->contents) {
        contents_close(node, slot);
    }
    operation->stamp = 0;
    if (slot < SLOTS_INLINE) {
        node->inline_free |= (uint16_t)(1u << slot);
        return;
    }
    operation->next = node->overflow_free;
    node->overflow_free = slot;
}

/* The slot of a handle; SLOT_NONE if that operation is over. */
uint32_t operation_find(struct cassandra *node, uint64_t handle)
{
    uint32_t slot = (uint32_t)handle & SLOT_MASK;
    if (slot >= SLOTS_INLINE && slot >= node->ring->slot_count) {
        return SLOT_NONE;
    }
    return operation_at(node, slot)->stamp == handle >> SLOT_BITS ? slot : SLOT_NONE;
}

static uint64_t stamp_next(struct cassandra *node, uint64_t now_ns)
{
    int64_t clock_ns = (int64_t)now_ns;
    if (node->ring->contents) {
        clock_ns += contents_skew_ns(node, now_ns);
    }
    uint64_t stamp = clock_ns > 0 ? (uint64_t)clock_ns >> STAMP_SHIFT : 0;
    node->stamp = stamp > node->stamp ? stamp : node->stamp + 1;
    return node->stamp;
}

/* -- Work ---------------------------------------------------------------------------------------
 */
static bool is_measured(const struct cassandra *node, uint64_t now_ns)
{
    const struct world *world = node->peer.world;
    return now_ns >= world->from_ns && now_ns < world->until_ns;
}

void cassandra_tally(struct cassandra *node, uint64_t start_ns)
{
    const struct world *world = node->peer.world;
    if (node->visits > 0) {
        uint64_t interval = node->tally_until_ns / world->interval_ns - 1;
        if (interval < world->interval_count) {
            node->peer.usage[interval].busy_ns += node->busy_ns;
            node->peer.usage[interval].visits += node->visits;
        }
        node->busy_ns = 0;
        node->visits = 0;
    }
    if (start_ns >= node->tally_until_ns) {
        node->tally_until_ns = (start_ns / world->interval_ns + 1) * world->interval_ns;
    }
}

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

/* `unit`: one draw from the exponential law of mean 1, for all of the visit. */
static struct work_done cpu_work(struct cassandra *node, uint64_t at_ns, double unit,
                                 struct work work)
{
    struct outage *outage = &node->peer.outage;
    uint64_t first_ns = (uint64_t)(unit * work.coordinate_ns);
    uint64_t both_ns = (uint64_t)(unit * (work.coordinate_ns + work.share_ns));
    uint64_t all_ns = both_ns + work.rest_ns;
    uint64_t arrival_ns = at_ns > node->cpu.arrived_ns ? at_ns : node->cpu.arrived_ns;
    struct fifo_visit visit = fifo_serve_through(&node->cpu, outage, arrival_ns, all_ns);
    if (visit.start_ns == SIM_NEVER) {
        return (struct work_done){SIM_NEVER, SIM_NEVER};
    }
    if (visit.start_ns >= node->tally_until_ns) {
        cassandra_tally(node, visit.start_ns);
    }
    node->busy_ns += all_ns;
    node->visits++;
    node->peer.busy_ns += is_measured(node, visit.start_ns) ? all_ns : 0;
    if (visit.departure_ns == visit.start_ns + all_ns) {
        return (struct work_done){visit.start_ns + first_ns, visit.start_ns + both_ns};
    }
    return (struct work_done){outage_finish(outage, visit.start_ns, first_ns),
                              outage_finish(outage, visit.start_ns, both_ns)};
}

/* A slot held for `hold_ns` from when one is free: when it is given back. */
static uint64_t slot_work(struct cassandra *node, struct fifo *slots, uint64_t at_ns,
                          double hold_ns)
{
    uint64_t arrival_ns = at_ns > slots->arrived_ns ? at_ns : slots->arrived_ns;
    return fifo_serve_through(slots, &node->peer.outage, arrival_ns, (uint64_t)hold_ns)
        .departure_ns;
}

static const struct share *share_of(const struct cassandra_ring *ring, uint32_t op, uint32_t round)
{
    if ((op & 0xfff) == STORE_CLAIM) {
        return &ring->claims[round];
    }
    return &ring->shares[(op & CASSANDRA_SECOND) != 0 ? 0 : op & 0xfff];
}

/* Charges a replica's disk; returns the compaction that the write will cause. */
static uint64_t share_write(struct cassandra *node, const struct share *share, uint64_t now_ns,
                            const struct call *call)
{
    uint32_t rows = share->rows ? call->argument : 1;
    uint32_t text = share->text ? call->entry.size_bytes : 0;
    uint64_t written_bytes = (uint64_t)rows * share->written_bytes + text;
    if (is_measured(node, now_ns)) {
        node->written_bytes += written_bytes;
        node->kept_bytes += (uint64_t)rows * share->kept_bytes + text;
    }
    uint64_t rest_ns = written_bytes * node->ring->compact_ps / 1000;
    if (node->replay > 0) {
        node->replay--;
        node->written_bytes += is_measured(node, now_ns) ? written_bytes : 0;
        rest_ns += rest_ns + (uint64_t)share->cpu_ns;
    }
    return rest_ns;
}

/* A replica's share, after `coordinate_ns` of other work. */
static struct work_done share_work(struct cassandra *node, uint64_t at_ns, struct rng_bits bits,
                                   double coordinate_ns, const struct share *share,
                                   const struct call *call)
{
    struct cassandra_ring *ring = node->ring;
    double unit = dist_value(&ring->unit, bits.word[0]);
    struct work work = {.coordinate_ns = coordinate_ns, .share_ns = share->cpu_ns};
    if (!share->read) {
        work.rest_ns = share_write(node, share, at_ns, call);
        struct work_done done = cpu_work(node, at_ns, unit, work);
        if (ring->write_hold > 0) {
            uint64_t back_ns =
                slot_work(node, &node->writes, at_ns, unit * share->cpu_ns * ring->write_hold);
            done.share_ns = back_ns > done.share_ns ? back_ns : done.share_ns;
        }
        return done;
    }
    struct work_done done = cpu_work(node, at_ns, unit, work);
    uint64_t disk_ns = dist_ns(&ring->read_disk, bits.word[1]);
    uint64_t back_ns = slot_work(node, &node->reads, at_ns,
                                 (unit * share->cpu_ns + (double)disk_ns) * ring->read_hold);
    if (done.share_ns != SIM_NEVER) {
        done.share_ns = outage_finish(&node->peer.outage, done.share_ns, disk_ns);
        done.share_ns = back_ns > done.share_ns ? back_ns : done.share_ns;
    }
    return done;
}

/* -- Rounds -------------------------------------------------------------------------------------
 */
void operation_ask(struct sim_context *context, struct cassandra *node, uint32_t index,
                   uint16_t flags, uint64_t depart_ns, const struct call *call)
{
    struct sim_event event = {.kind = EV_INNER, .flags = flags};
    EVENT_WRITE(&event, call);
    const struct world *world = node->peer.world;
    net_send(context, &node->peer, world->base[CLASS_CASSANDRA] + index, depart_ns,
             call_bytes(world, call), &event);
}

/* The other replicas that are to answer: all that live for a write, as few as will do for a read.
 */
static uint32_t targets_of(const struct operation *operation, bool read, uint64_t random)
{
    uint32_t others = operation->live & ~(1u << operation->self);
    uint32_t wanted = operation->needed - (operation->self == RANK_NONE ? 0u : 1u);
    uint32_t count = (uint32_t)__builtin_popcount(others);
    for (; read && count > wanted; count--) {
        uint32_t skip = (uint32_t)(random & 0xff) * count >> 8;
        uint32_t from = others;
        while (skip-- > 0) {
            from &= from - 1;
        }
        others &= ~(from & (0 - from));
        random >>= 8;
    }
    return others;
}

static void ask_all(struct sim_context *context, struct cassandra *node, uint64_t depart_ns,
                    const struct operation *operation, const struct call *call)
{
    const struct world *world = node->peer.world;
    for (uint32_t i = 0; i < node->ring->node_count; i++) {
        bool up =
            cassandra_reaches(world, node->peer.node, world->base[CLASS_CASSANDRA] + i, depart_ns);
        if (i != node->peer.index && up) {
            operation_ask(context, node, i, FLAGS_MAKE(operation->flags >> 8, operation->round, 0),
                          depart_ns, call);
        }
    }
}

/* Where nothing but the own share is missing, its end is an event; where a claim has no chance
 * left, that is said. */
static void operation_wait(struct sim_context *context, struct cassandra *node, uint32_t slot,
                           uint64_t at_ns)
{
    struct operation *operation = operation_at(node, slot);
    bool only_own = operation->count + 1 >= operation->needed && operation->local_ns != SIM_NEVER;
    if (only_own && (operation->state & OPERATION_TIMED) == 0) {
        operation->state |= OPERATION_TIMED;
        struct sim_event event = {.time_ns = operation->local_ns,
                                  .node = node->peer.node,
                                  .kind = EV_TICK2,
                                  .flags = FLAGS_MAKE(0, operation->round, 0)};
        event.data[0] = handle_of(operation, slot);
        sim_send(context, &event);
        return;
    }
    uint32_t live = (uint32_t)__builtin_popcount(operation->live);
    if (operation->refused > 0 && live - operation->refused < operation->needed) {
        contents_reply(context, node, slot, at_ns, CHAT_ERR_UNKNOWN);
    }
}

void operation_round(struct sim_context *context, struct cassandra *node, uint32_t slot,
                     uint64_t at_ns, struct call *call)
{
    const struct cassandra_ring *ring = node->ring;
    struct operation *operation = operation_at(node, slot);
    const struct share *share = share_of(ring, call->op, operation->round);
    struct rng_bits bits = rng_next(&node->peer.rng);
    struct work_done done = share_work(node, at_ns, bits, ring->coordinate_ns, share, call);
    operation->count = 0;
    operation->refused = 0;
    operation->state &= (uint8_t)~OPERATION_TIMED;
    operation->local_ns = operation->self == RANK_NONE ? SIM_NEVER : done.share_ns;
    if (node->ring->contents && !contents_local(node, slot, call, at_ns)) {
        operation->local_ns = SIM_NEVER;
        operation->refused = 1;
    }
    if (done.coordinate_ns == SIM_NEVER) {
        return; /* Dies before it has asked anybody. */
    }
    call->token = handle_of(operation, slot);
    call->source = node->peer.node;
    if (node->ring->contents && contents_scatters(node, slot)) {
        ask_all(context, node, done.coordinate_ns, operation, call);
    } else {
        uint32_t targets = targets_of(operation, share->read, bits.word[1]);
        for (; targets != 0; targets &= targets - 1) {
            uint32_t rank = (uint32_t)__builtin_ctz(targets);
            operation_ask(context, node, ring_index(ring, operation->first, rank),
                          FLAGS_MAKE(operation->flags >> 8, operation->round, rank),
                          done.coordinate_ns, call);
        }
    }
    operation_wait(context, node, slot, at_ns);
}

/* The last quorum is there: answers, and has the commit done that nobody waits for. */
static void operation_finish(struct sim_context *context, struct cassandra *node, uint32_t slot,
                             uint64_t at_ns)
{
    struct cassandra_ring *ring = node->ring;
    struct operation *operation = operation_at(node, slot);
    bool commits = (operation->op & 0xfff) == STORE_CLAIM && ring->round_count < 4;
    struct rng_bits bits = rng_next(&node->peer.rng);
    struct call commit = {.op = operation->op, .source = node->peer.node};
    struct work_done done;
    if (commits && !node->ring->contents) {
        done = share_work(node, at_ns, bits, ring->coordinate_ns, &ring->claims[ROUND_COMMIT],
                          &commit);
    } else {
        double unit = dist_value(&ring->unit, bits.word[0]);
        done = cpu_work(node, at_ns, unit, (struct work){.coordinate_ns = ring->coordinate_ns});
    }
    if (done.coordinate_ns == SIM_NEVER) {
        return;
    }
    if (node->ring->contents) {
        contents_reply(context, node, slot, done.coordinate_ns, CHAT_OK);
        return;
    }
    struct sim_event event = {.kind = EV_REPLY, .flags = operation->flags & 0xff};
    uint32_t op = operation->op & 0xfff;
    struct reply reply = {.token = operation->token, .plain.value = op >= READ_RECEIPT};
    EVENT_WRITE(&event, &reply);
    net_send(context, &node->peer, operation->source, done.coordinate_ns,
             reply_bytes(ring->world, (enum chat_op)op, operation->argument), &event);
    uint32_t others = commits ? operation->live & ~(1u << operation->self) : 0;
    for (; others != 0; others &= others - 1) {
        uint32_t rank = (uint32_t)__builtin_ctz(others);
        operation_ask(context, node, ring_index(ring, operation->first, rank),
                      FLAGS_MAKE(operation->flags >> 8, ROUND_COMMIT, rank), done.coordinate_ns,
                      &commit);
    }
    operation_close(node, slot);
}

static void round_done(struct sim_context *context, struct cassandra *node, uint32_t slot,
                       uint64_t at_ns)
{
    struct operation *operation = operation_at(node, slot);
    if (node->ring->contents) {
        if (contents_done(context, node, slot, at_ns)) {
            operation_finish(context, node, slot, at_ns);
        }
        return;
    }
    if ((operation->op & 0xfff) == STORE_CLAIM && operation->round < node->ring->round_count) {
        struct call call = {.op = operation->op};
        operation->round++;
        operation_round(context, node, slot, at_ns, &call);
        return;
    }
    operation_finish(context, node, slot, at_ns);
}

void operation_progress(struct sim_context *context, struct cassandra *node, uint32_t slot,
                        uint64_t at_ns)
{
    struct operation *operation = operation_at(node, slot);
    if ((operation->state & OPERATION_REPLIED) != 0) {
        return;
    }
    if (operation->count + (operation->local_ns <= at_ns) >= operation->needed) {
        round_done(context, node, slot, at_ns);
        return;
    }
    operation_wait(context, node, slot, at_ns);
}

/* -- Events -------------------------------------------------------------------------------------
 */
static void refuse(struct sim_context *context, struct cassandra *node,
                   const struct sim_event *event, uint64_t at_ns)
{
    struct reply reply = {.err = CHAT_ERR_FAILED};
    reply_send(context, &node->peer, event, at_ns, &reply);
}

uint8_t operation_live(const struct cassandra *node, uint32_t first, uint64_t now_ns)
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

static void on_call(struct sim_context *context, struct cassandra *node,
                    const struct sim_event *event)
{
    const struct cassandra_ring *ring = node->ring;
    const struct plan_cassandra *plan = &ring->world->plan->cassandra;
    struct call call;
    EVENT_READ(event, &call);
    uint64_t at_ns = net_receive(&node->peer, event->time_ns, call_bytes(ring->world, &call));
    uint32_t first = (uint32_t)rng_below(cassandra_key(&call), ring->node_count);
    uint32_t self = node->peer.index + (node->peer.index < first ? ring->node_count : 0) - first;
    CHECK(self < ring->replication);
    uint8_t live = operation_live(node, first, event->time_ns);
    uint32_t op = call.op & 0xfff;
    uint32_t needed = op == STORE_CLAIM ? ring->quorum : ring->needed;
    uint32_t slot = SLOT_NONE;
    if ((uint32_t)__builtin_popcount(live) >= needed) {
        slot = operation_open(node);
    }
    if (slot == SLOT_NONE) {
        refuse(context, node, event, at_ns);
        return;
    }
    struct operation *operation = operation_at(node, slot);
    *operation = (struct operation){
        .token = call.token,
        .stamp = stamp_next(node, event->time_ns),
        .deadline_ns =
            event->time_ns + (op >= READ_RECEIPT ? plan->read_timeout_ns : plan->write_timeout_ns),
        .source = call.source,
        .first = first,
        .op = call.op,
        .flags = event->flags,
        .argument = call.argument,
        .needed = (uint16_t)needed,
        .live = live,
        .self = (uint8_t)self,
        .round = 1,
    };
    if (node->ring->contents && !contents_open(node, slot, &call)) {
        operation_close(node, slot);
        refuse(context, node, event, at_ns);
        return;
    }
    operation_round(context, node, slot, at_ns, &call);
}

static void on_inner(struct sim_context *context, struct cassandra *node,
                     const struct sim_event *event)
{
    const struct cassandra_ring *ring = node->ring;
    struct call call;
    EVENT_READ(event, &call);
    uint64_t at_ns = net_receive(&node->peer, event->time_ns, call_bytes(ring->world, &call));
    const struct share *share = share_of(ring, call.op, FLAGS_ROUND(event->flags));
    struct rng_bits bits = rng_next(&node->peer.rng);
    struct work_done done = share_work(node, at_ns, bits, 0, share, &call);
    if (node->ring->contents) {
        contents_replica(context, node, event, done.share_ns);
        return;
    }
    if (done.share_ns == SIM_NEVER || call.token == 0) {
        return; /* It dies before; or it is a commit. */
    }
    struct sim_event answer = {.kind = EV_INNER2, .flags = event->flags};
    answer.data[0] = call.token;
    net_send(context, &node->peer, call.source, done.share_ns,
             reply_bytes(ring->world, STORE_MESSAGE, 1), &answer);
}

static void on_answer(struct sim_context *context, struct cassandra *node,
                      const struct sim_event *event)
{
    uint64_t at_ns =
        net_receive(&node->peer, event->time_ns, reply_bytes(node->peer.world, STORE_MESSAGE, 1));
    if (((uint32_t)event->data[0] & SLOT_MASK) == SLOT_HINT) {
        hints_done(node, event->data[0], FLAGS_RANK(event->flags));
        return;
    }
    uint32_t slot = operation_find(node, event->data[0]);
    if (slot == SLOT_NONE || operation_at(node, slot)->round != FLAGS_ROUND(event->flags)) {
        return;
    }
    struct operation *operation = operation_at(node, slot);
    if (node->ring->contents && !contents_answer(node, slot, event)) {
        if (operation->refused > 0) {
            operation_progress(context, node, slot, at_ns);
        }
        return;
    }
    operation->count++;
    if ((operation->state & OPERATION_REPLIED) != 0 &&
        operation->count + 1 == __builtin_popcount(operation->live)) {
        operation_close(node, slot); /* The last of those that nobody waited for. */
        return;
    }
    operation_progress(context, node, slot, at_ns);
}

void cassandra_handle(struct sim_context *context, void *state, const struct sim_event *event)
{
    struct cassandra *node = state;
    outage_pass(&node->peer.outage, event->time_ns);
    bool down = outage_is_down(&node->peer.outage, event->time_ns);
    if (event->kind < EV_CALL) {
        cassandra_own(context, node, event, down);
        return;
    }
    if (down) {
        count_add(context, node->peer.world, COUNT_LOST, 1);
        return;
    }
    switch (event->kind) {
    case EV_CALL:
        on_call(context, node, event);
        break;
    case EV_INNER:
        on_inner(context, node, event);
        break;
    case EV_INNER2:
        on_answer(context, node, event);
        break;
    default:
        CHECK(!"an event of Cassandra");
    }
}

void cassandra_prefetch(const void *state, const struct sim_event *event)
{
    const char *node = state;
    __builtin_prefetch(node, 1);
    __builtin_prefetch(node + 64, 1);
    __builtin_prefetch(node + 128, 1);
    __builtin_prefetch(node + offsetof(struct cassandra, cpu), 1);
    if (event->kind == EV_INNER2 || event->kind == EV_TICK2) {
        uint32_t slot = (uint32_t)event->data[0] & (SLOTS_INLINE - 1);
        __builtin_prefetch(
            node + offsetof(struct cassandra, operations) + slot * sizeof(struct operation), 1);
        return;
    }
    __builtin_prefetch(node + offsetof(struct cassandra, cpu_memory), 1);
    __builtin_prefetch(node + offsetof(struct cassandra, cpu_memory) + 64, 1);
}
