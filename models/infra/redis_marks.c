#include "models/infra/redis_marks.h"

#include "sim/pages.h"

#define BITS_LEAST 2u
#define ROUND_NS 1000000000u /* From an answer to the next request's being read, at most. */
#define BITS_MOST 6u

uint32_t redis_mark_bits(const struct plan *plan)
{
    bool faults = plan->fault_count + plan->random_fault_count > 0;
    if (plan->run.contents || (plan->client.transport == PLAN_WEBSOCKET && !faults)) {
        return 0;
    }
    const struct plan_population *population = &plan->population;
    /* A request that is held is answered by the first entry, or at the first look after it. */
    uint64_t wait_ns = plan->client.poll_check_ns + ROUND_NS;
    if (plan->client.transport == PLAN_POLLING) {
        wait_ns = plan->client.poll_interval_ns;
    } else if (plan->client.transport == PLAN_WEBSOCKET) {
        wait_ns = 2 * plan->core.redeliver_ns; /* Until a session that was quiet looks. */
    }
    /* Messages, and as many receipts of both kinds to their senders. */
    double entries_per_s = population->message_rate_per_s * plan_recipients(plan) *
                           (2 + population->read_share) / (double)population->connected;
    double marks = 4 + 4 * entries_per_s * (double)wait_ns * 1e-9;
    uint32_t bits = BITS_LEAST;
    while (bits < BITS_MOST && (double)(1u << bits) < marks) {
        bits++;
    }
    return bits;
}

uint64_t redis_device_bytes(const struct plan *plan)
{
    uint32_t bits = redis_mark_bits(plan);
    return sizeof(struct slot) + (bits == 0 ? 0 : (1u << bits) * sizeof(uint32_t));
}

static size_t marks_bytes(const struct redis *redis)
{
    const struct inbox_config *config = &redis->inbox->config;
    return ((config->users_max * config->devices_max) << redis->view.mark_bits) *
           sizeof *redis->marks;
}

bool redis_marks_create(struct redis *redis)
{
    redis->view.mark_bits = redis_mark_bits(redis->peer.world->plan);
    if (redis->view.mark_bits == 0) {
        return true;
    }
    CHECK(redis->view.slots != NULL);
    redis->marks = pages_allocate(marks_bytes(redis));
    return redis->marks != NULL;
}

void redis_marks_destroy(struct redis *redis)
{
    if (redis->marks != NULL) {
        pages_free(redis->marks, marks_bytes(redis));
    }
}

void redis_marks_clear(struct redis *redis)
{
    if (redis->marks != NULL) {
        memset(redis->marks, 0, marks_bytes(redis));
    }
}

void redis_marks_read(const struct redis *redis, uint32_t user, uint32_t device,
                      struct inbox_reply *answer)
{
    const struct slot *slot = &inbox_counted_slots(&redis->view, user)[device - 1];
    for (uint32_t i = 0; i < answer->entry_count; i++) {
        struct chat_entry *entry = &answer->entries[i];
        uint32_t number = (uint32_t)entry->position;
        bool held = slot->last - number < 1u << redis->view.mark_bits;
        uint32_t mark = held ? *redis_mark(redis, slot, number) : 0;
        entry->kind = mark & 3;
        entry->text.handle = mark & ~3u;
    }
}
