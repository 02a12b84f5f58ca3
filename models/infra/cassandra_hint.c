/* Hints: writes that a replica missed, kept by who coordinated them until it is back. They are sent
 * again each sweep until they are answered, or older than the hint window; writes may be repeated.
 */
#include "models/infra/cassandra_state.h"

#include <stdlib.h>

#define HINTS_MAX 65536u
#define HINTS_A_TICK 64u

struct hint {
    struct call call;
    uint64_t stamp;
    uint64_t until_ns;
    uint32_t index; /* Of the node that missed it. */
    uint32_t rank;
    uint16_t device;
};

void hints_free(struct hints *hints)
{
    free(hints->list);
    *hints = (struct hints){0};
}

static void hint_add(struct hints *hints, const struct hint *hint)
{
    if (hints->count == hints->max) {
        hints->max = hints->max == 0 ? 64 : 2 * hints->max;
        hints->list = realloc(hints->list, hints->max * sizeof *hints->list);
        CHECK(hints->list != NULL);
    }
    hints->list[hints->count++] = *hint;
}

void hints_keep(struct cassandra *node, uint32_t slot, uint32_t ranks, uint64_t now_ns)
{
    struct hints *hints = contents_hints(node);
    const struct operation *operation = operation_at(node, slot);
    const struct call *call = contents_call(node, slot);
    uint64_t window_ns = node->peer.world->plan->cassandra.hint_window_ns;
    uint32_t op = call->op & 0xfff;
    if (op == STORE_CLAIM || op >= READ_RECEIPT || window_ns == 0) {
        return;
    }
    for (; ranks != 0 && hints->count < HINTS_MAX; ranks &= ranks - 1) {
        uint32_t rank = (uint32_t)__builtin_ctz(ranks);
        struct hint hint = {
            .call = *call,
            .stamp = operation->stamp,
            .until_ns = now_ns + window_ns,
            .index = ring_index(node->ring, operation->first, rank),
            .rank = rank,
            .device = operation->flags >> 8,
        };
        hint_add(hints, &hint);
    }
}

void hints_done(struct cassandra *node, uint64_t handle, uint32_t rank)
{
    struct hints *hints = contents_hints(node);
    for (uint32_t i = 0; i < hints->count; i++) {
        if (hints->list[i].stamp == handle >> SLOT_BITS && hints->list[i].rank == rank) {
            hints->list[i] = hints->list[--hints->count];
            return;
        }
    }
}

void hints_tick(struct sim_context *context, struct cassandra *node, uint64_t now_ns)
{
    struct hints *hints = contents_hints(node);
    const struct world *world = node->peer.world;
    uint32_t sent = 0;
    for (uint32_t i = 0; i < hints->count && sent < HINTS_A_TICK;) {
        struct hint *hint = &hints->list[i];
        if (hint->until_ns <= now_ns) {
            *hint = hints->list[--hints->count];
            continue;
        }
        i++;
        if (!cassandra_reaches(world, node->peer.node, world->base[CLASS_CASSANDRA] + hint->index,
                               now_ns)) {
            continue;
        }
        struct call call = hint->call;
        call.token = hint->stamp << SLOT_BITS | SLOT_HINT;
        call.source = node->peer.node;
        operation_ask(context, node, hint->index, FLAGS_MAKE(hint->device, 1, hint->rank), now_ns,
                      &call);
        sent++;
    }
}
