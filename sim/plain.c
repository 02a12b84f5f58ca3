/* The oracle: one queue for all nodes, a 4-ary heap ordered by (time, node, kind, content). */
#include "sim/internal.h"

#include "sim/check.h"

#include <stdlib.h>

static bool item_before(const struct plain *plain, const struct heap_item *a,
                        const struct heap_item *b)
{
    if (a->time_ns != b->time_ns) {
        return a->time_ns < b->time_ns;
    }
    if (a->node != b->node) {
        return a->node < b->node;
    }
    return event_compare(&plain->slots[a->slot], &plain->slots[b->slot]) < 0;
}

static void plain_grow(struct plain *plain)
{
    uint32_t max = plain->max == 0 ? 1024 : plain->max * 2;
    plain->heap = realloc(plain->heap, max * sizeof *plain->heap);
    plain->slots = realloc(plain->slots, max * sizeof *plain->slots);
    plain->free_slots = realloc(plain->free_slots, max * sizeof *plain->free_slots);
    CHECK(plain->heap != NULL && plain->slots != NULL && plain->free_slots != NULL);
    for (uint32_t slot = plain->max; slot < max; slot++) {
        plain->free_slots[plain->free_count++] = slot;
    }
    plain->max = max;
}

void plain_push(struct plain *plain, const struct sim_event *event)
{
    if (plain->count == plain->max) {
        plain_grow(plain);
    }
    struct heap_item item = {event->time_ns, event->node, plain->free_slots[--plain->free_count]};
    plain->slots[item.slot] = *event;
    uint32_t at = plain->count++;
    while (at > 0 && item_before(plain, &item, &plain->heap[(at - 1) / 4])) {
        plain->heap[at] = plain->heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    plain->heap[at] = item;
}

static struct sim_event plain_pop(struct plain *plain)
{
    struct sim_event event = plain->slots[plain->heap[0].slot];
    plain->free_slots[plain->free_count++] = plain->heap[0].slot;
    struct heap_item last = plain->heap[--plain->count];
    uint32_t at = 0;
    for (uint32_t first; (first = 4 * at + 1) < plain->count;) {
        uint32_t least = first;
        for (uint32_t child = first + 1; child < first + 4 && child < plain->count; child++) {
            if (item_before(plain, &plain->heap[child], &plain->heap[least])) {
                least = child;
            }
        }
        if (!item_before(plain, &plain->heap[least], &last)) {
            break;
        }
        plain->heap[at] = plain->heap[least];
        at = least;
    }
    plain->heap[at] = last;
    return event;
}

void plain_run(struct sim *sim)
{
    struct plain *plain = &sim->plain;
    struct sim_context *context = &sim->threads[0];
    while (plain->count > 0 && plain->heap[0].time_ns < sim->until_ns) {
        struct sim_event event = plain_pop(plain);
        const struct node *node = &sim->nodes[event.node];
        context->node = event.node;
        context->now_ns = event.time_ns;
        context->handled++;
        node->class->handle(context, node->state, &event);
    }
}

void plain_free(struct plain *plain)
{
    free(plain->heap);
    free(plain->slots);
    free(plain->free_slots);
}
