/* When what waits in an inbox was sent, and what it is: capacity runs whose clients poll, or with
 * faults.
 *
 * A counted inbox knows how many entries wait. Where clients hold a connection that is enough,
 * since what reaches a device online never waits there, unless its ROUTE is lost. A client that
 * polls finds everything there, so how long it waited is most of its latency. So each slot has a
 * ring of marks beside it, by number:
 *
 *     mark   30 bits   the entry's stamp, in units of 1,024 ns (0: it has none)
 *             2 bits   what it is: enum redis_mark; 0: nothing is known
 *
 * The ring holds some four times what comes in between two polls, on average; an entry that it has
 * lost is made up as where there are no marks, and its latency is not measured. Where nobody polls
 * and nothing fails there are none, and they cost nothing.
 */
#ifndef MODELS_INFRA_REDIS_MARKS_H
#define MODELS_INFRA_REDIS_MARKS_H

#include "models/infra/redis_state.h"

enum redis_mark { MARK_NONE, MARK_MESSAGE, MARK_DELIVERED, MARK_READ, MARK_KINDS };

/* Base-2 logarithm of the marks of a slot; 0: none, as there is no use for them. */
uint32_t redis_mark_bits(const struct plan *plan);

/* False where memory is short. After redis->view was taken. */
bool redis_marks_create(struct redis *redis);
void redis_marks_destroy(struct redis *redis);

/* The shard has lost its contents, or numbers them anew. */
void redis_marks_clear(struct redis *redis);

/* An answer to INBOX: what is known of its entries, beside their positions. */
void redis_marks_read(const struct redis *redis, uint32_t user, uint32_t device,
                      struct inbox_reply *answer);

static inline uint32_t *redis_mark(const struct redis *redis, const struct slot *slot,
                                   uint32_t number)
{
    uint32_t mask = (1u << redis->view.mark_bits) - 1;
    uint64_t index = (uint64_t)(slot - redis->view.slots);
    return &redis->marks[(index << redis->view.mark_bits) + (number & mask)];
}

/* The last entry of the inbox is this one. */
static inline void redis_mark_last(const struct redis *redis, const struct slot *slot,
                                   const struct packed_entry *entry)
{
    uint32_t kind = entry->kind >= ENTRY_MESSAGE && entry->kind <= ENTRY_READ ? entry->kind : 0u;
    _Static_assert(ENTRY_MESSAGE == (int)MARK_MESSAGE && ENTRY_READ == (int)MARK_READ, "alike");
    *redis_mark(redis, slot, slot->last) = (entry->stamp & ~3u) | kind;
}

#endif
