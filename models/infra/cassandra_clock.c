/* A node's own clockwork: what took too long, dying and coming back, syncing. All of it rare. */
#include "models/infra/cassandra_state.h"

static void expire(struct sim_context *context, struct cassandra *node, uint32_t slot,
                   uint64_t now_ns)
{
    struct operation *operation = operation_at(node, slot);
    if (operation->stamp == 0 || operation->deadline_ns > now_ns) {
        return;
    }
    uint32_t silent = operation->live & ~(1u << operation->self) & ~contents_answered(node, slot);
    hints_keep(node, slot, silent, now_ns);
    if ((operation->state & OPERATION_REPLIED) == 0) {
        contents_reply(context, node, slot, now_ns, CHAT_ERR_UNKNOWN);
    }
    if (operation->stamp != 0) {
        operation_close(node, slot);
    }
}

static void sweep(struct sim_context *context, struct cassandra *node, const struct sim_event *tick,
                  bool down)
{
    for (uint32_t slot = 0; slot < node->slot_used && !down; slot++) {
        expire(context, node, slot, tick->time_ns);
    }
    if (!down) {
        hints_tick(context, node, tick->time_ns);
    }
    cassandra_tally(node, tick->time_ns);
    struct sim_event next = *tick;
    next.time_ns += CASSANDRA_SWEEP_NS;
    sim_send(context, &next);
}

static void on_down(struct cassandra *node, uint64_t now_ns)
{
    for (uint32_t slot = 0; slot < node->slot_used; slot++) {
        if (operation_at(node, slot)->stamp != 0) {
            operation_close(node, slot);
        }
    }
    node->peer.out_free_ns = now_ns;
    node->peer.in_free_ns = now_ns;
    node->down_ns = now_ns;
    contents_crash(node);
}

void cassandra_own(struct sim_context *context, struct cassandra *node,
                   const struct sim_event *event, bool down)
{
    switch (event->kind) {
    case EV_DOWN:
        on_down(node, event->time_ns);
        break;
    case EV_UP: /* Who kept hints for it delivers them. */
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
