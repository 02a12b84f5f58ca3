/* A node in time: what it is asked, how long that takes, and when a quorum has answered. Slots and
 * handles: cassandra_state.h. */
#include "models/infra/cassandra_state.h"

/* -- Slots --------------------------------------------------------------------------------------
 */
static uint32_t operation_open(struct cassandra *node)
{
    uint32_t slot = node->slot_free;
    if (slot != SLOT_NONE) {
        node->slot_free = operation_at(node, slot)->next;
        return slot;
    }
    return node->slot_used < node->ring->slot_count ? node->slot_used++ : SLOT_NONE;
}

void operation_close(struct cassandra *node, uint32_t slot)
{
    struct operation *operation = operation_at(node, slot);
    CHECK(operation->stamp != 0);
    contents_close(node, slot);
    operation->stamp = 0;
    operation->next = node->slot_free;
    node->slot_free = slot;
}

uint32_t operation_find(struct cassandra *node, uint64_t handle)
{
    uint32_t slot = (uint32_t)handle & SLOT_MASK;
    if (slot >= node->slot_used) {
        return SLOT_NONE;
    }
    return operation_at(node, slot)->stamp == handle >> SLOT_BITS ? slot : SLOT_NONE;
}

static uint64_t stamp_next(struct cassandra *node, uint64_t now_ns)
{
    int64_t clock_ns = (int64_t)now_ns + contents_skew_ns(node, now_ns);
    uint64_t stamp = clock_ns > 0 ? (uint64_t)clock_ns >> STAMP_SHIFT : 0;
    node->stamp = stamp > node->stamp ? stamp : node->stamp + 1;
    return node->stamp;
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
    struct load load = {call->argument, call->entry.size_bytes};
    struct work_done done =
        cassandra_share(node, sim_context_now(context), at_ns, bits,
                        (struct coordination){.before_ns = ring->coordinate_ns}, share, load);
    operation->count = 0;
    operation->refused = 0;
    operation->state &= (uint8_t)~OPERATION_TIMED;
    operation->local_ns = operation->self == RANK_NONE ? SIM_NEVER : done.share_ns;
    if (!contents_local(node, slot, call, at_ns)) {
        operation->local_ns = SIM_NEVER;
        operation->refused = 1;
    }
    if (done.coordinate_ns == SIM_NEVER) {
        return; /* Dies before it has asked anybody. */
    }
    call->token = handle_of(operation, slot);
    call->source = node->peer.node;
    if (contents_scatters(node, slot)) {
        ask_all(context, node, done.coordinate_ns, operation, call);
    } else {
        uint32_t targets = cassandra_targets(operation->live, operation->self, operation->needed,
                                             share->read, bits.word[1]);
        for (; targets != 0; targets &= targets - 1) {
            uint32_t rank = (uint32_t)__builtin_ctz(targets);
            operation_ask(context, node, ring_index(ring, operation->first, rank),
                          FLAGS_MAKE(operation->flags >> 8, operation->round, rank),
                          done.coordinate_ns, call);
        }
    }
    operation_wait(context, node, slot, at_ns);
}

/* The last quorum is there: answers. */
static void operation_finish(struct sim_context *context, struct cassandra *node, uint32_t slot,
                             uint64_t at_ns)
{
    struct cassandra_ring *ring = node->ring;
    double unit = dist_value(&ring->unit, rng_next(&node->peer.rng).word[0]);
    struct work_done done = cassandra_work(node, sim_context_now(context), at_ns, unit,
                                           (struct work){.coordinate_ns = ring->coordinate_ns});
    if (done.coordinate_ns != SIM_NEVER) {
        contents_reply(context, node, slot, done.coordinate_ns, CHAT_OK);
    }
}

static void round_done(struct sim_context *context, struct cassandra *node, uint32_t slot,
                       uint64_t at_ns)
{
    if (contents_done(context, node, slot, at_ns)) {
        operation_finish(context, node, slot, at_ns);
    }
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

static void on_call(struct sim_context *context, struct cassandra *node,
                    const struct sim_event *event)
{
    const struct cassandra_ring *ring = node->ring;
    const struct plan_cassandra *plan = &ring->world->plan->cassandra;
    struct call call;
    EVENT_READ(event, &call);
    uint64_t at_ns = net_receive(&node->peer, event->time_ns, call_bytes(ring->world, &call));
    uint32_t first = cassandra_first(ring->world, cassandra_key(&call));
    uint32_t self = ring_rank(ring, first, node->peer.index);
    CHECK(self != RANK_NONE);
    uint8_t live = cassandra_live(node, first, event->time_ns);
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
    if (!contents_open(node, slot, &call)) {
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
    struct load load = {call.argument, call.entry.size_bytes};
    struct work_done done = cassandra_share(node, sim_context_now(context), at_ns, bits,
                                            (struct coordination){0}, share, load);
    contents_replica(context, node, event, done.share_ns);
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
    if (!contents_answer(node, slot, event)) {
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
