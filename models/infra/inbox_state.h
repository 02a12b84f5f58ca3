/* The shard's inside, shared by inbox.c (who is known and where), inbox_apply.c (the operations)
 * and inbox_members.c (member lists). */
#ifndef MODELS_INFRA_INBOX_STATE_H
#define MODELS_INFRA_INBOX_STATE_H

#include "models/core/check.h"
#include "models/infra/inbox.h"

#include <stddef.h>
#include <uthash.h>

enum slot_flag {
    SLOT_UNKNOWN = 1, /* Counted: forgotten by a flush. Contents has no slot for it at all. */
    SLOT_FRESH = 2,
    SLOT_PUSHED = 4,
};

/* One device of one user. Its inbox holds the numbers trimmed + 1 to last. */
struct slot {
    uint64_t conn_id; /* 0: offline. Valid while `epoch` is its gateway's. */
    uint32_t last;
    uint32_t trimmed;
    uint16_t gateway;
    uint16_t epoch;
    uint32_t flags;
};

struct kept {
    struct chat_entry entry;
    uint64_t appended_ms;
};

struct device {
    uint32_t id;
    uint32_t number; /* Of the latest connection that registered. */
    struct slot slot;
    struct kept *kept; /* Number trimmed + 1 + i stands at i. */
    uint32_t kept_max;
};

struct user {
    uint64_t id;
    uint32_t device_count;
    struct device devices[CHAT_DEVICES_MAX];
    UT_hash_handle hh;
};

struct group {
    struct chat_channel channel;
    uint32_t version; /* Of offers: FORGET raises it. */
    bool complete;
    uint64_t total;
    struct chat_member *members; /* By user id. */
    uint32_t count;
    uint32_t count_max;
    UT_hash_handle hh;
};

struct gateway {
    uint64_t refreshed_ms;
    uint32_t registered; /* Of this epoch. */
    uint16_t epoch;
    uint16_t taken; /* Contents: entries that another connection of the device took over. */
};

struct inbox {
    /* These, up to counts.elements, are the one line that inbox_counted.h touches besides a slot.
     */
    uint64_t calm_until_ms; /* Until then whoever has a conn_id is alive: no gateway's time is up,
                               and nobody's ever was while it held anything. */
    uint64_t calm_again_ms; /* Not looked for before. */
    struct inbox_counts counts;
    struct inbox_config config;
    bool lapsed; /* Some slots have a conn_id of an epoch gone by. */
    struct gateway *gateways;
    struct slot *slots; /* Counted: user_index * devices_max + device - 1. */
    size_t slots_bytes;
    struct user *users;   /* Contents. */
    struct user *replica; /* What a failover falls back to. */
    struct group *groups;
};

/* A device as found: its slot, and in contents mode what it keeps. */
struct found {
    uint32_t id;
    struct slot *slot;
    struct device *device; /* NULL in counted mode. */
};

/* The known devices of a user. Returns how many. */
uint32_t inbox_devices(const struct inbox *inbox, uint64_t user,
                       struct found all[CHAT_DEVICES_MAX]);
bool inbox_device(const struct inbox *inbox, uint64_t user, uint32_t id, struct found *device);
/* The device, made if it is not known: its inbox is then fresh. False: there is no room for it. */
bool inbox_device_make(struct inbox *inbox, uint64_t user, uint32_t id, struct found *found);

/* A sign of life: entries of a gateway that was silent for too long do not come back. */
void inbox_gateway_touch(struct inbox *inbox, struct gateway *gateway, uint64_t now_ms);
struct gateway *inbox_gateway(const struct inbox *inbox, uint32_t gateway);
bool inbox_alive(const struct inbox *inbox, const struct slot *slot, uint64_t now_ms);
/* Looks through all gateways for how long it stays calm; at most once in a while. */
void inbox_calm_find(struct inbox *inbox, uint64_t now_ms);
void inbox_register(struct inbox *inbox, struct slot *slot, uint32_t gateway, uint64_t conn_id);
void inbox_unregister(struct inbox *inbox, struct slot *slot);

uint64_t inbox_position(const struct inbox *inbox, uint32_t number);
/* The number behind which a position points: 0, the head, if it is of another generation. */
uint32_t inbox_number(const struct inbox *inbox, uint64_t position);
void inbox_append(struct inbox *inbox, struct found *to, const struct chat_entry *entry,
                  uint64_t now_ms);
void inbox_trim(struct inbox *inbox, struct found *from, uint32_t number);
/* Entries stand by age, as they were appended: those at the head expire first. */
void inbox_expire(struct inbox *inbox, struct found *from, uint64_t now_ms);
uint64_t inbox_memory_bytes(const struct inbox *inbox);

/* inbox_members.c */
void inbox_on_members(struct inbox *inbox, const struct chat_effect *effect,
                      struct inbox_reply *reply);
void inbox_on_forget(struct inbox *inbox, const struct chat_effect *effect);
void inbox_groups_free(struct group **groups);

#endif
