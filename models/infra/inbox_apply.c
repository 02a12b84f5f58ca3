#include "models/infra/inbox_state.h"

/* True, with the answer written, where the memory limit forbids to store more. */
static bool refused(struct inbox *inbox, struct inbox_reply *reply)
{
    uint64_t limit = inbox->config.memory_max_bytes;
    if (limit == 0 || inbox_memory_bytes(inbox) < limit) {
        return false;
    }
    inbox->counts.refused++;
    reply->err = CHAT_ERR_FAILED;
    return true;
}

static struct chat_location *reply_location(const struct inbox *inbox, struct inbox_reply *reply,
                                            uint64_t user, const struct found *of, uint64_t now_ms)
{
    CHECK(reply->location_count < CHAT_DEVICES_MAX);
    const struct slot *slot = of->slot;
    bool online = inbox_alive(inbox, slot, now_ms);
    struct chat_location *location = &reply->locations[reply->location_count++];
    *location = (struct chat_location){
        .user = user,
        .conn_id = online ? slot->conn_id : 0,
        .position = inbox_position(inbox, slot->last),
        .trimmed = inbox_position(inbox, slot->trimmed),
        .gateway = online ? slot->gateway : 0,
        .device = of->id,
        .pending = slot->last - slot->trimmed,
        .fresh = (slot->flags & SLOT_FRESH) != 0,
        .pushed = (slot->flags & SLOT_PUSHED) != 0,
    };
    return location;
}

static void on_register(struct inbox *inbox, uint32_t gateway, const struct chat_effect *effect,
                        uint64_t now_ms, struct inbox_reply *reply)
{
    if (refused(inbox, reply)) {
        return;
    }
    CHECK(effect->conn_id != 0);
    struct found found;
    inbox_gateway_touch(inbox, inbox_gateway(inbox, gateway), now_ms);
    if (!inbox_device_make(inbox, effect->user, effect->device, &found)) {
        reply->err = inbox->config.contents ? CHAT_ERR_FAILED : CHAT_ERR_MISSING;
        return;
    }
    if (found.device != NULL) {
        if (effect->position < found.device->number) {
            reply->err = CHAT_ERR_EXISTS;
            return;
        }
        found.device->number = (uint32_t)effect->position;
    }
    inbox_expire(inbox, &found, now_ms);
    struct chat_location *here = reply_location(inbox, reply, effect->user, &found, now_ms);
    if (here->conn_id == effect->conn_id && here->gateway == gateway) {
        here->conn_id = 0; /* A repeated REGISTER found itself. */
        here->gateway = 0;
    }
    inbox_register(inbox, found.slot, gateway, effect->conn_id);
    struct found all[CHAT_DEVICES_MAX];
    uint32_t count = inbox_devices(inbox, effect->user, all);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].id != effect->device) {
            reply_location(inbox, reply, effect->user, &all[i], now_ms);
        }
    }
    reply->value = count;
}

static void on_unregister(struct inbox *inbox, uint32_t gateway, const struct chat_effect *effect)
{
    struct found found;
    if (inbox_device(inbox, effect->user, effect->device, &found) &&
        found.slot->conn_id == effect->conn_id && found.slot->gateway == gateway) {
        inbox_unregister(inbox, found.slot);
    }
}

static void on_append(struct inbox *inbox, const struct chat_effect *effect,
                      const struct chat_effects *effects, uint64_t now_ms,
                      struct inbox_reply *reply)
{
    if (refused(inbox, reply)) {
        return;
    }
    struct found all[CHAT_DEVICES_MAX];
    for (uint32_t i = 0; i < effect->count; i++) {
        CHECK(effect->first + i < effects->location_count);
        /* A device too many is left out: it was refused when it registered, too. */
        inbox_device_make(inbox, effect->user, effects->locations[effect->first + i].device,
                          &all[0]);
    }
    uint32_t count = inbox_devices(inbox, effect->user, all);
    if (count == 0) {
        reply->err = CHAT_ERR_MISSING;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].id == effect->device) {
            continue;
        }
        inbox_expire(inbox, &all[i], now_ms);
        inbox_append(inbox, &all[i], &effect->entry, now_ms);
        bool online = inbox_alive(inbox, all[i].slot, now_ms);
        if (online || (all[i].slot->flags & SLOT_PUSHED) == 0) {
            reply_location(inbox, reply, effect->user, &all[i], now_ms);
        }
        if (!online) {
            all[i].slot->flags |= SLOT_PUSHED;
        }
    }
}

static bool holds_entry(const struct found *in, const struct chat_entry *entry)
{
    uint32_t held = in->slot->last - in->slot->trimmed;
    for (uint32_t i = 0; in->device != NULL && i < held; i++) {
        const struct chat_entry *other = &in->device->kept[i].entry;
        if (other->id == entry->id && other->kind == entry->kind && other->user == entry->user) {
            return true;
        }
    }
    return false;
}

static void on_rebuild(struct inbox *inbox, const struct chat_effect *effect, uint64_t now_ms,
                       struct inbox_reply *reply)
{
    struct found found;
    bool ours = effect->position >> INBOX_POSITION_BITS == inbox->counts.generation;
    if (!ours || !inbox_device(inbox, effect->user, effect->device, &found)) {
        reply->err = CHAT_ERR_MISSING;
        return;
    }
    if (effect->entry.kind == 0) {
        found.slot->flags &= ~(uint32_t)SLOT_FRESH;
    } else if (!holds_entry(&found, &effect->entry)) {
        if (refused(inbox, reply)) {
            return;
        }
        inbox_append(inbox, &found, &effect->entry, now_ms);
    }
    reply_location(inbox, reply, effect->user, &found, now_ms);
}

static void on_inbox(struct inbox *inbox, const struct chat_effect *effect, uint64_t now_ms,
                     struct inbox_reply *reply)
{
    struct found found;
    if (!inbox_device(inbox, effect->user, effect->device, &found) ||
        (found.slot->flags & SLOT_FRESH) != 0) {
        reply->err = CHAT_ERR_MISSING;
        return;
    }
    inbox_expire(inbox, &found, now_ms);
    const struct slot *slot = found.slot;
    uint32_t number = inbox_number(inbox, effect->position);
    number = number < slot->trimmed ? slot->trimmed : number;
    reply->value = inbox_position(inbox, slot->last);
    while (number < slot->last && reply->entry_count < CHAT_DRAIN_MAX) {
        struct chat_entry *entry = &reply->entries[reply->entry_count++];
        number++;
        if (found.device != NULL) {
            *entry = found.device->kept[number - slot->trimmed - 1].entry;
        } else {
            *entry = (struct chat_entry){.kind = ENTRY_MESSAGE};
            entry->position = inbox_position(inbox, number);
        }
    }
}

static void on_live(struct inbox *inbox, uint32_t gateway, const struct chat_effect *effect,
                    uint64_t now_ms, struct inbox_reply *reply)
{
    struct found found;
    if (!inbox_device(inbox, effect->user, effect->device, &found) ||
        !inbox_alive(inbox, found.slot, now_ms) || found.slot->gateway != gateway ||
        found.slot->conn_id != effect->conn_id || (found.slot->flags & SLOT_FRESH) != 0) {
        reply->err = CHAT_ERR_MISSING;
        return;
    }
    inbox_expire(inbox, &found, now_ms);
    uint32_t number = inbox_number(inbox, effect->position);
    number = number < found.slot->trimmed ? found.slot->trimmed : number;
    reply->err = number < found.slot->last ? CHAT_ERR_EXISTS : CHAT_OK;
}

static void on_trim(struct inbox *inbox, const struct chat_effect *effect)
{
    struct found found;
    if (inbox_device(inbox, effect->user, effect->device, &found)) {
        inbox_trim(inbox, &found, inbox_number(inbox, effect->position));
    }
}

static void on_locate(struct inbox *inbox, const struct chat_effect *effect, uint64_t now_ms,
                      struct inbox_reply *reply)
{
    struct found all[CHAT_DEVICES_MAX];
    uint32_t count = inbox_devices(inbox, effect->user, all);
    for (uint32_t i = 0; i < count; i++) {
        if (inbox_alive(inbox, all[i].slot, now_ms)) {
            reply_location(inbox, reply, effect->user, &all[i], now_ms);
        }
    }
}

void inbox_apply(struct inbox *inbox, uint32_t gateway, const struct chat_effect *effect,
                 const struct chat_effects *effects, uint64_t now_ms, struct inbox_reply *reply)
{
    CHECK(effect->kind == CHAT_FX_CACHE);
    reply->err = CHAT_OK;
    reply->value = 0;
    reply->location_count = 0;
    reply->entry_count = 0;
    reply->member_count = 0;
    switch (effect->op) {
    case CACHE_REGISTER:
        on_register(inbox, gateway, effect, now_ms, reply);
        break;
    case CACHE_UNREGISTER:
        on_unregister(inbox, gateway, effect);
        break;
    case CACHE_APPEND:
        on_append(inbox, effect, effects, now_ms, reply);
        break;
    case CACHE_REBUILD:
        on_rebuild(inbox, effect, now_ms, reply);
        break;
    case CACHE_INBOX:
        on_inbox(inbox, effect, now_ms, reply);
        break;
    case CACHE_LIVE:
        on_live(inbox, gateway, effect, now_ms, reply);
        break;
    case CACHE_TRIM:
        on_trim(inbox, effect);
        break;
    case CACHE_LOCATE:
        on_locate(inbox, effect, now_ms, reply);
        break;
    case CACHE_MEMBERS:
    case CACHE_MEMBER:
        inbox_on_members(inbox, effect, reply);
        break;
    case CACHE_FORGET:
        inbox_on_forget(inbox, effect);
        break;
    default:
        CHECK(!"an operation of the cache");
    }
}
