/* A node's own clockwork: what took too long, dying and coming back, syncing. All of it rare. */
#include "models/infra/cassandra_state.h"

static void expire(struct sim_context *context, struct cassandra *node, uint32_t slot,
                   uint64_t now_ns)
{
    struct operation *operation = operation_at(node, slot);
    if (operation->stamp == 0 || operation->deadline_ns > now_ns) {
        return;
    }
    if (node->contents != NULL) {
        uint32_t silent =
            operation->live & ~(1u << operation->self) & ~contents_answered(node, slot);
        hints_keep(node, slot, silent, now_ns);
        if ((operation->state & OPERATION_REPLIED) == 0) {
            contents_reply(context, node, slot, now_ns, CHAT_ERR_UNKNOWN);
        }
        if (operation->stamp != 0) {
            operation_close(node, slot);
        }
        return;
    }
    struct sim_event event = {.kind = EV_REPLY, .flags = operation->flags & 0xff};
    struct reply reply = {.token = operation->token, .err = CHAT_ERR_UNKNOWN};
    EVENT_WRITE(&event, &reply);
    net_send(context, &node->peer, operation->source, now_ns,
             reply_bytes(node->peer.world, STORE_MESSAGE, 1), &event);
    operation_close(node, slot);
}

static void sweep(struct sim_context *context, struct cassandra *node, const struct sim_event *tick,
                  bool down)
{
    for (uint32_t slot = 0; slot < SLOTS_INLINE && !down; slot++) {
        expire(context, node, slot, tick->time_ns);
    }
    for (uint32_t i = 0; i < node->overflow_used && !down; i++) {
        expire(context, node, SLOTS_INLINE + i, tick->time_ns);
    }
    if (node->contents != NULL && !down) {
        hints_tick(context, node, tick->time_ns);
    }
    cassandra_tally(node, tick->time_ns);
    struct sim_event next = *tick;
    next.time_ns += CASSANDRA_SWEEP_NS;
    sim_send(context, &next);
}

static void on_down(struct cassandra *node, uint64_t now_ns)
{
    for (uint32_t slot = 0; slot < SLOTS_INLINE + node->overflow_used; slot++) {
        if (operation_at(node, slot)->stamp != 0) {
            operation_close(node, slot);
        }
    }
    node->peer.out_free_ns = now_ns;
    node->peer.in_free_ns = now_ns;
    node->down_ns = now_ns;
    node->replay = 0;
    if (node->contents != NULL) {
        contents_crash(node);
    }
}

/* What it missed: as much as it did in the same time before, as far as there are hints. */
static void on_up(struct cassandra *node, uint64_t now_ns)
{
    const struct world *world = node->peer.world;
    uint64_t window_ns = world->plan->cassandra.hint_window_ns;
    uint64_t missed_ns = now_ns - node->down_ns < window_ns ? now_ns - node->down_ns : window_ns;
    uint64_t visits = 0;
    for (uint32_t i = 0; i < world->interval_count; i++) {
        visits += node->peer.usage[i].visits;
    }
    if (node->contents == NULL && node->down_ns > 0) {
        double missed = (double)visits * (double)missed_ns / (double)node->down_ns;
        node->replay = missed < UINT32_MAX ? (uint32_t)missed : UINT32_MAX;
    }
}

void cassandra_own(struct sim_context *context, struct cassandra *node,
                   const struct sim_event *event, bool down)
{
    switch (event->kind) {
    case EV_DOWN:
        on_down(node, event->time_ns);
        break;
    case EV_UP:
        on_up(node, event->time_ns);
        break;
    case EV_TICK:
        sweep(context, node, event, down);
        break;
    case EV_TICK2: {
        uint32_t slot = operation_find(node, event->data[0]);
        if (slot != SLOT_NONE && operation_at(node, slot)->round == FLAGS_ROUND(event->flags)) {
            operation_progress(context, node, slot, event->time_ns);
        }
        break;
    }
    case EV_TICK3: {
        if (!down) {
            contents_sync(node);
        }
        struct sim_event next = *event;
        next.time_ns += node->peer.world->plan->cassandra.commitlog_sync_ns;
        sim_send(context, &next);
        break;
    }
    default:
        CHECK(!"an event of Cassandra");
    }
}
