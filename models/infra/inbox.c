#include "models/infra/inbox.h"

#include "models/infra/inbox_state.h"
#include "sim/pages.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct slot) == 24, "inbox.h promises 24 bytes a device");

struct inbox_config inbox_config_default(bool contents)
{
    return (struct inbox_config){
        .contents = contents,
        .gateways_max = 1024,
        .devices_max = contents ? CHAT_DEVICES_MAX : 1,
        .stride = 1,
        .presence_ttl_ms = 60000,
        .entry_ttl_ms = 30ull * 24 * 3600 * 1000,
        .bytes = {.device = 85,
                  .presence = 224,
                  .list = 85 + 130,
                  .element = 3 + 200,
                  .group = 85 + 130,
                  .member = 3 + 24},
    };
}

struct inbox *inbox_create(const struct inbox_config *config)
{
    CHECK(config->gateways_max > 0 && config->gateways_max <= INBOX_GATEWAYS_MAX);
    CHECK(config->devices_max > 0 && config->devices_max <= CHAT_DEVICES_MAX);
    CHECK(config->stride > 0 && config->rest < config->stride);
    struct inbox *inbox = aligned_alloc(64, (sizeof *inbox + 63) / 64 * 64);
    if (inbox == NULL) {
        return NULL;
    }
    memset(inbox, 0, sizeof *inbox);
    inbox->config = *config;
    inbox->counts.generation = 1;
    inbox->gateways = calloc(config->gateways_max, sizeof *inbox->gateways);
    bool failed = inbox->gateways == NULL;
    if (!config->contents) {
        inbox->counts.devices = config->users_max * config->devices_max;
        inbox->slots_bytes = inbox->counts.devices * sizeof(struct slot);
        inbox->slots = pages_allocate(inbox->slots_bytes);
        failed = failed || inbox->slots == NULL;
    }
    if (failed) {
        inbox_destroy(inbox);
        return NULL;
    }
    return inbox;
}

static void users_free(struct user **users)
{
    struct user *user;
    struct user *next;
    HASH_ITER(hh, *users, user, next)
    {
        HASH_DEL(*users, user);
        for (uint32_t i = 0; i < user->device_count; i++) {
            free(user->devices[i].kept);
        }
        free(user);
    }
}

void inbox_destroy(struct inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    users_free(&inbox->users);
    users_free(&inbox->replica);
    inbox_groups_free(&inbox->groups);
    if (inbox->slots != NULL) {
        pages_free(inbox->slots, inbox->slots_bytes);
    }
    free(inbox->gateways);
    free(inbox);
}

bool inbox_owns(const struct inbox *inbox, uint64_t user)
{
    return user % inbox->config.stride == inbox->config.rest;
}

static struct slot *slot_at(const struct inbox *inbox, uint64_t user, uint32_t device)
{
    uint64_t index = user / inbox->config.stride;
    CHECK(index < inbox->config.users_max);
    return &inbox->slots[index * inbox->config.devices_max + device - 1];
}

void inbox_prefetch(const struct inbox *inbox, uint64_t user)
{
    if (!inbox->config.contents) {
        __builtin_prefetch(slot_at(inbox, user, 1), 1);
    }
}

static struct user *user_find(const struct inbox *inbox, uint64_t id)
{
    struct user *user;
    HASH_FIND(hh, inbox->users, &id, sizeof id, user);
    return user;
}

uint32_t inbox_devices(const struct inbox *inbox, uint64_t user_id,
                       struct found found[CHAT_DEVICES_MAX])
{
    CHECK(inbox_owns(inbox, user_id));
    uint32_t count = 0;
    if (!inbox->config.contents) {
        struct slot *slot = slot_at(inbox, user_id, 1);
        for (uint32_t i = 0; i < inbox->config.devices_max; i++) {
            if ((slot[i].flags & SLOT_UNKNOWN) == 0) {
                found[count++] = (struct found){.id = i + 1, .slot = &slot[i]};
            }
        }
        return count;
    }
    struct user *user = user_find(inbox, user_id);
    for (; user != NULL && count < user->device_count; count++) {
        struct device *device = &user->devices[count];
        found[count] = (struct found){device->id, &device->slot, device};
    }
    return count;
}

bool inbox_device(const struct inbox *inbox, uint64_t user_id, uint32_t id, struct found *device)
{
    struct found all[CHAT_DEVICES_MAX];
    uint32_t count = inbox_devices(inbox, user_id, all);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].id == id) {
            *device = all[i];
            return true;
        }
    }
    return false;
}

bool inbox_device_make(struct inbox *inbox, uint64_t user_id, uint32_t id, struct found *found)
{
    CHECK(id != 0);
    if (inbox_device(inbox, user_id, id, found)) {
        return true;
    }
    if (!inbox->config.contents) {
        if (id > inbox->config.devices_max) {
            return false;
        }
        *found = (struct found){.id = id, .slot = slot_at(inbox, user_id, id)};
        *found->slot = (struct slot){.flags = SLOT_FRESH};
        inbox->counts.devices++;
        return true;
    }
    struct user *user = user_find(inbox, user_id);
    if (user == NULL) {
        user = calloc(1, sizeof *user);
        CHECK(user != NULL);
        user->id = user_id;
        HASH_ADD(hh, inbox->users, id, sizeof user->id, user);
    }
    if (user->device_count == inbox->config.devices_max) {
        return false;
    }
    struct device *device = &user->devices[user->device_count++];
    *device = (struct device){.id = id, .slot = {.flags = SLOT_FRESH}};
    *found = (struct found){id, &device->slot, device};
    inbox->counts.devices++;
    return true;
}

struct gateway *inbox_gateway(const struct inbox *inbox, uint32_t gateway)
{
    CHECK(gateway < inbox->config.gateways_max);
    return &inbox->gateways[gateway];
}

/* Registered in its gateway's present epoch, though perhaps no longer refreshed. */
static bool slot_registered(const struct inbox *inbox, const struct slot *slot)
{
    return slot->conn_id != 0 && inbox_gateway(inbox, slot->gateway)->epoch == slot->epoch;
}

bool inbox_alive(const struct inbox *inbox, const struct slot *slot, uint64_t now_ms)
{
    return slot_registered(inbox, slot) &&
           inbox_gateway(inbox, slot->gateway)->refreshed_ms + inbox->config.presence_ttl_ms >
               now_ms;
}

void inbox_unregister(struct inbox *inbox, struct slot *slot)
{
    if (slot_registered(inbox, slot)) {
        struct gateway *gateway = inbox_gateway(inbox, slot->gateway);
        CHECK(gateway->registered > 0);
        gateway->registered--;
        inbox->counts.registered--;
    }
    slot->conn_id = 0;
}

void inbox_register(struct inbox *inbox, struct slot *slot, uint32_t gateway_id, uint64_t conn_id)
{
    bool itself = slot->gateway == gateway_id && slot->conn_id == conn_id;
    if (inbox->config.contents && slot_registered(inbox, slot) && !itself) {
        inbox_gateway(inbox, slot->gateway)->taken++;
    }
    inbox_unregister(inbox, slot);
    struct gateway *gateway = inbox_gateway(inbox, gateway_id);
    slot->conn_id = conn_id;
    slot->gateway = (uint16_t)gateway_id;
    slot->epoch = gateway->epoch;
    slot->flags &= ~(uint32_t)SLOT_PUSHED;
    gateway->registered++;
    inbox->counts.registered++;
}

/* All that the gateway registered so far is gone. */
static void gateway_lapse(struct inbox *inbox, struct gateway *gateway)
{
    CHECK(inbox->counts.registered >= gateway->registered);
    if (gateway->registered > 0) {
        inbox->lapsed = true;
        inbox->calm_until_ms = 0;
    }
    inbox->counts.registered -= gateway->registered;
    gateway->registered = 0;
    gateway->epoch++;
}

void inbox_gateway_touch(struct inbox *inbox, struct gateway *gateway, uint64_t now_ms)
{
    if (gateway->refreshed_ms + inbox->config.presence_ttl_ms <= now_ms) {
        gateway_lapse(inbox, gateway);
    }
    if (now_ms > gateway->refreshed_ms) {
        gateway->refreshed_ms = now_ms;
    }
}

void inbox_calm_find(struct inbox *inbox, uint64_t now_ms)
{
    uint64_t until_ms = now_ms + inbox->config.presence_ttl_ms; /* Of who registers yet. */
    for (uint32_t i = 0; i < inbox->config.gateways_max; i++) {
        const struct gateway *gateway = &inbox->gateways[i];
        uint64_t dies_ms = gateway->refreshed_ms + inbox->config.presence_ttl_ms;
        if (gateway->registered > 0 && dies_ms < until_ms) {
            until_ms = dies_ms;
        }
    }
    inbox->calm_until_ms = inbox->lapsed ? 0 : until_ms;
    inbox->calm_again_ms = now_ms + 1000;
}

uint64_t inbox_refresh(struct inbox *inbox, uint32_t gateway_id, uint64_t now_ms)
{
    struct gateway *gateway = inbox_gateway(inbox, gateway_id);
    inbox_gateway_touch(inbox, gateway, now_ms);
    return (uint64_t)inbox->counts.generation << 32 | (uint64_t)gateway->taken << 16 |
           gateway->epoch;
}

void inbox_gateway_started(struct inbox *inbox, uint32_t gateway_id, uint64_t now_ms)
{
    struct gateway *gateway = inbox_gateway(inbox, gateway_id);
    gateway_lapse(inbox, gateway);
    gateway->refreshed_ms = now_ms;
}

bool inbox_holds(const struct inbox *inbox, uint64_t user, uint32_t device, uint32_t gateway,
                 uint64_t conn_id, uint64_t now_ms)
{
    struct found found;
    return inbox_device(inbox, user, device, &found) && inbox_alive(inbox, found.slot, now_ms) &&
           found.slot->gateway == gateway && found.slot->conn_id == conn_id;
}

uint64_t inbox_position(const struct inbox *inbox, uint32_t number)
{
    return (uint64_t)inbox->counts.generation << INBOX_POSITION_BITS | number;
}

uint32_t inbox_number(const struct inbox *inbox, uint64_t position)
{
    uint64_t number = position & (((uint64_t)1 << INBOX_POSITION_BITS) - 1);
    bool ours = position >> INBOX_POSITION_BITS == inbox->counts.generation;
    return !ours ? 0 : number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

void inbox_append(struct inbox *inbox, struct found *to, const struct chat_entry *entry,
                  uint64_t now_ms)
{
    struct slot *slot = to->slot;
    uint32_t held = slot->last - slot->trimmed;
    CHECK(slot->last < UINT32_MAX);
    if (to->device != NULL) {
        struct device *device = to->device;
        if (held == device->kept_max) {
            device->kept_max = held == 0 ? 8 : 2 * held;
            device->kept = realloc(device->kept, device->kept_max * sizeof *device->kept);
            CHECK(device->kept != NULL);
        }
        device->kept[held] = (struct kept){*entry, now_ms};
        device->kept[held].entry.position = inbox_position(inbox, slot->last + 1);
    }
    slot->last++;
    inbox->counts.elements++;
    inbox->counts.lists += held == 0;
}

void inbox_trim(struct inbox *inbox, struct found *from, uint32_t number)
{
    struct slot *slot = from->slot;
    number = number > slot->last ? slot->last : number;
    if (number <= slot->trimmed) {
        return;
    }
    uint32_t gone = number - slot->trimmed;
    if (from->device != NULL) {
        struct kept *kept = from->device->kept;
        memmove(kept, kept + gone, (slot->last - number) * sizeof *kept);
    }
    slot->trimmed = number;
    CHECK(inbox->counts.elements >= gone);
    inbox->counts.elements -= gone;
    inbox->counts.lists -= slot->trimmed == slot->last;
}

void inbox_expire(struct inbox *inbox, struct found *from, uint64_t now_ms)
{
    uint64_t ttl_ms = inbox->config.entry_ttl_ms;
    if (from->device == NULL || ttl_ms == 0) {
        return;
    }
    const struct slot *slot = from->slot;
    uint32_t old = 0;
    while (old < slot->last - slot->trimmed &&
           from->device->kept[old].appended_ms + ttl_ms <= now_ms) {
        old++;
    }
    inbox->counts.expired += old;
    inbox_trim(inbox, from, slot->trimmed + old);
}

uint64_t inbox_memory_bytes(const struct inbox *inbox)
{
    const struct inbox_bytes *bytes = &inbox->config.bytes;
    const struct inbox_counts *counts = &inbox->counts;
    return counts->devices * bytes->device + counts->registered * bytes->presence +
           counts->lists * bytes->list + counts->elements * bytes->element +
           counts->groups * bytes->group + counts->members * bytes->member;
}

void inbox_place(struct inbox *inbox, uint64_t user, uint32_t device, uint32_t gateway,
                 uint64_t conn_id, uint32_t pending, uint64_t now_ms)
{
    CHECK(!inbox->config.contents);
    CHECK(device >= 1 && device <= inbox->config.devices_max);
    struct slot *slot = slot_at(inbox, user, device);
    CHECK(slot->conn_id == 0 && slot->last == slot->trimmed);
    slot->last += pending;
    inbox->counts.elements += pending;
    inbox->counts.lists += pending > 0;
    if (conn_id != 0) {
        inbox_gateway_touch(inbox, inbox_gateway(inbox, gateway), now_ms);
        inbox_register(inbox, slot, gateway, conn_id);
    } else if (pending > 0) {
        slot->flags |= SLOT_PUSHED;
    }
}

static void generation_begin(struct inbox *inbox)
{
    inbox_groups_free(&inbox->groups);
    inbox->counts.groups = 0;
    inbox->counts.members = 0;
    inbox->counts.registered = 0;
    inbox->counts.lists = 0;
    inbox->counts.elements = 0;
    inbox->counts.generation++;
    for (uint32_t i = 0; i < inbox->config.gateways_max; i++) {
        inbox->gateways[i].registered = 0;
    }
}

void inbox_flush(struct inbox *inbox)
{
    generation_begin(inbox);
    inbox->counts.devices = 0;
    users_free(&inbox->users);
    users_free(&inbox->replica);
    for (size_t i = 0; i < inbox->slots_bytes / sizeof(struct slot); i++) {
        inbox->slots[i] = (struct slot){.flags = SLOT_UNKNOWN};
    }
}

void inbox_replicate(struct inbox *inbox)
{
    users_free(&inbox->replica);
    struct user *user;
    struct user *next;
    HASH_ITER(hh, inbox->users, user, next)
    {
        struct user *copy = malloc(sizeof *copy);
        CHECK(copy != NULL);
        *copy = *user;
        for (uint32_t i = 0; i < copy->device_count; i++) {
            struct device *device = &copy->devices[i];
            device->kept_max = device->slot.last - device->slot.trimmed;
            device->kept = NULL;
            if (device->kept_max > 0) {
                device->kept = malloc(device->kept_max * sizeof *device->kept);
                CHECK(device->kept != NULL);
                memcpy(device->kept, user->devices[i].kept,
                       device->kept_max * sizeof *device->kept);
            }
        }
        HASH_ADD(hh, inbox->replica, id, sizeof copy->id, copy);
    }
}

/* After a failover: the slot as a new generation sees it. */
static void slot_renumber(struct inbox *inbox, struct slot *slot)
{
    slot->last -= slot->trimmed;
    slot->trimmed = 0;
    slot->flags |= SLOT_FRESH;
    inbox->counts.elements += slot->last;
    inbox->counts.lists += slot->last > 0;
    if (slot_registered(inbox, slot)) {
        inbox->counts.registered++;
        inbox_gateway(inbox, slot->gateway)->registered++;
    }
}

void inbox_failover(struct inbox *inbox)
{
    generation_begin(inbox);
    for (size_t i = 0; i < inbox->slots_bytes / sizeof(struct slot); i++) {
        if ((inbox->slots[i].flags & SLOT_UNKNOWN) == 0) {
            slot_renumber(inbox, &inbox->slots[i]);
        }
    }
    if (!inbox->config.contents) {
        return;
    }
    users_free(&inbox->users);
    inbox->users = inbox->replica;
    inbox->replica = NULL;
    inbox->counts.devices = 0;
    struct user *user;
    struct user *next;
    HASH_ITER(hh, inbox->users, user, next)
    {
        for (uint32_t i = 0; i < user->device_count; i++) {
            struct device *device = &user->devices[i];
            slot_renumber(inbox, &device->slot);
            inbox->counts.devices++;
            for (uint32_t k = 0; k < device->slot.last; k++) {
                device->kept[k].entry.position = inbox_position(inbox, k + 1);
            }
        }
    }
    inbox_replicate(inbox);
}

struct inbox_counts inbox_counts(const struct inbox *inbox)
{
    struct inbox_counts counts = inbox->counts;
    counts.memory_bytes = inbox_memory_bytes(inbox);
    return counts;
}
