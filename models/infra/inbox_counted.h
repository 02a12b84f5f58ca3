/* The inbox in counted mode, for a host that cannot afford inbox_apply(): APPEND, TRIM and LOCATE,
 * device by device, in some 10 ns and two cache lines. tests/unit/test_redis.c holds them to
 * inbox_apply(), answers and state.
 *
 * A host takes a view once, after inbox_create(), and finds slots through it: those of a user's
 * devices 1, 2, ... stand side by side. What concerns a device that inbox_counted_known() denies
 * (forgotten by a flush, or never there) is for inbox_apply(), which knows what to say.
 */
#ifndef MODELS_INFRA_INBOX_COUNTED_H
#define MODELS_INFRA_INBOX_COUNTED_H

#include "models/infra/inbox_state.h"

struct inbox_view {
    struct slot *slots; /* NULL: contents mode. */
    uint64_t inverse;   /* ceil(2^64 / stride): times a 32-bit user, the high half is user / stride
                           (Lemire, Kaser, Kurz 2019). 0: the stride is 1. */
    uint32_t devices;   /* Of each user. */
    uint32_t mark_bits; /* The host's own: redis_marks.h. */
};

static inline struct inbox_view inbox_view(const struct inbox *inbox)
{
    uint64_t stride = inbox->config.stride;
    CHECK(stride <= UINT32_MAX);
    return (struct inbox_view){
        .slots = inbox->config.contents ? NULL : inbox->slots,
        .inverse = stride == 1 ? 0 : UINT64_MAX / stride + 1,
        .devices = inbox->config.devices_max,
    };
}

/* The slots of a user, who is one of the shard's and below its users_max * stride. */
static inline struct slot *inbox_counted_slots(const struct inbox_view *view, uint32_t user)
{
    uint64_t quotient = (uint64_t)(((unsigned __int128)view->inverse * user) >> 64);
    return &view->slots[(view->inverse == 0 ? user : quotient) * view->devices];
}

static inline bool inbox_counted_known(const struct slot *slot)
{
    return (slot->flags & SLOT_UNKNOWN) == 0;
}

static inline bool inbox_counted_online(struct inbox *inbox, const struct slot *slot,
                                        uint64_t now_ms)
{
    if (slot->conn_id == 0) {
        return false;
    }
    if (now_ms >= inbox->calm_until_ms && now_ms >= inbox->calm_again_ms) {
        inbox_calm_find(inbox, now_ms);
    }
    return now_ms < inbox->calm_until_ms || inbox_alive(inbox, slot, now_ms);
}

/* A location of the answer: chat_location without user, device and pending. */
struct inbox_located {
    uint64_t conn_id;
    uint64_t position;
    uint64_t trimmed;
    uint16_t gateway;
    bool fresh;
    bool pushed;
};

static inline struct inbox_located inbox_counted_located(const struct inbox *inbox,
                                                         const struct slot *slot, bool online)
{
    uint64_t generation = (uint64_t)inbox->counts.generation << INBOX_POSITION_BITS;
    return (struct inbox_located){
        .conn_id = online ? slot->conn_id : 0,
        .position = generation | slot->last,
        .trimmed = generation | slot->trimmed,
        .gateway = online ? slot->gateway : 0,
        .fresh = (slot->flags & SLOT_FRESH) != 0,
        .pushed = (slot->flags & SLOT_PUSHED) != 0,
    };
}

/* APPEND to this device. False: it answers no location of it. */
static inline bool inbox_counted_append(struct inbox *inbox, struct slot *slot, uint64_t now_ms,
                                        struct inbox_located *located)
{
    CHECK(slot->last < UINT32_MAX);
    inbox->counts.lists += slot->last == slot->trimmed;
    inbox->counts.elements++;
    slot->last++;
    bool online = inbox_counted_online(inbox, slot, now_ms);
    bool told = online || (slot->flags & SLOT_PUSHED) == 0;
    if (told) {
        *located = inbox_counted_located(inbox, slot, online);
    }
    slot->flags |= online ? 0 : (uint32_t)SLOT_PUSHED;
    return told;
}

/* LOCATE. False: it answers no location of this device. */
static inline bool inbox_counted_locate(struct inbox *inbox, const struct slot *slot,
                                        uint64_t now_ms, struct inbox_located *located)
{
    if (!inbox_counted_online(inbox, slot, now_ms)) {
        return false;
    }
    *located = inbox_counted_located(inbox, slot, true);
    return true;
}

/* TRIM. */
static inline void inbox_counted_trim(struct inbox *inbox, struct slot *slot, uint64_t position)
{
    uint64_t number = position & (((uint64_t)1 << INBOX_POSITION_BITS) - 1);
    bool ours = position >> INBOX_POSITION_BITS == inbox->counts.generation;
    number = number > slot->last ? slot->last : number;
    if (!ours || number <= slot->trimmed) {
        return;
    }
    uint32_t gone = (uint32_t)number - slot->trimmed;
    CHECK(inbox->counts.elements >= gone);
    slot->trimmed = (uint32_t)number;
    inbox->counts.elements -= gone;
    inbox->counts.lists -= slot->trimmed == slot->last;
}

#endif
