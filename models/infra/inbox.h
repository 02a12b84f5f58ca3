/* What one Redis shard holds: who is where, and what waits for whom.
 *
 * Pure data behind the CACHE operations of chat.h: no time of its own, no I/O, no threads. The
 * simulator's Redis node charges time and calls inbox_apply(); tests call it directly.
 *
 *     user --- device --- presence   gateway, conn_id
 *                    \--- inbox      trimmed < n <= last, each n one entry
 *
 * Positions are generation << 40 | n. n counts the appends to one device's inbox, without holes,
 * so `pending` is always last - trimmed. The generation is the shard's: it grows when the shard was
 * lost (inbox_flush) or fell back to a replica that lagged (inbox_failover), and every inbox is
 * then *fresh* until it has been rebuilt. A position of another generation means "from the head" to
 * INBOX and LIVE, and nothing to TRIM.
 *
 * Presence costs no write to keep: a gateway says inbox_refresh() once for all that it holds. An
 * entry is alive while its gateway's last refresh is younger than the time to live. A gateway that
 * comes too late, or starts again, begins a new *epoch*, and what it had registered before is gone;
 * so a refresh never raises the dead.
 *
 * Two modes, chosen at creation:
 *   contents  Users exist once registered or named; entries are kept, and expire by their own age.
 *             For fault runs: hundreds of users.
 *   counted   Capacity runs. Every user of the shard exists, with devices 1 to `devices_max`; an
 *             inbox is two counters; nothing expires; 24 bytes a device, allocated once. INBOX
 *             answers entries of which only kind and position are right: the host fills in the
 *             rest. MEMBERS and MEMBER answer MISSING, as nothing is cached.
 *
 * A shard holds the users with user % stride == rest. Member lists belong to whichever shard the
 * host chooses by channel.
 *
 * What it does not do: APPEND is RPUSH, so a repeated one stands in the inbox twice; devices tell
 * by id. Nothing moves by itself: what expired is dropped when its inbox is next touched.
 */
#ifndef MODELS_INFRA_INBOX_H
#define MODELS_INFRA_INBOX_H

#include "models/core/chat.h"

#include <stdbool.h>
#include <stdint.h>

#define INBOX_POSITION_BITS 40u
#define INBOX_GATEWAYS_MAX 65535u

struct inbox; /* Opaque. */

/* Bytes as real Redis would hold them; see docs on Redis for the sources. */
struct inbox_bytes {
    uint32_t device;   /* Per known device: the key with last, trimmed and generation. */
    uint32_t presence; /* Per registered device: a key with a time to live. */
    uint32_t list;     /* Per inbox that is not empty: key and list. */
    uint32_t element;  /* Per entry, its data included. */
    uint32_t group;    /* Per cached member list. */
    uint32_t member;   /* Per member in one. */
};

struct inbox_config {
    bool contents;
    uint32_t gateways_max; /* Gateway names are below this, and it is <= INBOX_GATEWAYS_MAX. */
    uint32_t devices_max;  /* Of one user: 1 to CHAT_DEVICES_MAX. Counted: exactly so many. */
    uint64_t stride;       /* This shard's users: user % stride == rest. 1 and 0: all. */
    uint64_t rest;
    uint64_t users_max;        /* Counted: users of the shard; user / stride is below it. */
    uint64_t presence_ttl_ms;  /* An entry outlives its gateway's last refresh by this. */
    uint64_t entry_ttl_ms;     /* Contents: an entry older than this is gone. 0: never. */
    uint64_t memory_max_bytes; /* REGISTER, APPEND and REBUILD beyond it answer FAILED. 0: none. */
    struct inbox_bytes bytes;
};

/* Defaults: ttl 60 s and 30 days, one shard for all users, 200-byte elements, no limit. */
struct inbox_config inbox_config_default(bool contents);

/* The answer to one operation; only the first `count` of the array that the operation fills, by
 * chat.h, are written. 15 KB: a host keeps one and reuses it. REGISTER answers, behind
 * locations[0], the user's other devices too. */
struct inbox_reply {
    int32_t err; /* CHAT_OK or a negative enum chat_err. */
    uint64_t value;
    uint32_t location_count;
    uint32_t entry_count;
    uint32_t member_count;
    struct chat_location locations[CHAT_DEVICES_MAX];
    struct chat_entry entries[CHAT_DRAIN_MAX];
    struct chat_member members[CHAT_PAGE_MAX];
};

/* NULL where memory is short. The caller frees it by inbox_destroy(). The first generation is 1;
 * no user is fresh in counted mode. */
struct inbox *inbox_create(const struct inbox_config *config);
void inbox_destroy(struct inbox *inbox);

/* Carries out one CACHE effect of the core named `gateway` and writes the whole answer, also for
 * operations that are not answered. `effects` is the step's list, for APPEND with devices named.
 * Time is the shard's own wall clock and should not run backwards. On an error nothing has changed:
 *
 *   CHAT_ERR_MISSING  APPEND: no device of the user is known, and none was named.
 *                     REBUILD: no such device, or the position is of another generation.
 *                     INBOX: no such device, or it is fresh. LIVE: likewise, or it is not
 *                     registered at that connection.
 *                     REGISTER: counted mode has no such device.
 *                     MEMBERS, MEMBER: not cached, or not in the cached list.
 *   CHAT_ERR_EXISTS   LIVE: something stands behind the position. REGISTER: contents mode, a later
 *                     connection of the device has registered.
 *   CHAT_ERR_FAILED   The memory limit is reached, or the user has devices_max devices.
 */
void inbox_apply(struct inbox *inbox, uint32_t gateway, const struct chat_effect *effect,
                 const struct chat_effects *effects, uint64_t now_ms, struct inbox_reply *reply);

/* Asks the processor for the state of a user of this shard. Counted mode; else does nothing. */
void inbox_prefetch(const struct inbox *inbox, uint64_t user);

/* Does this shard hold `user`? */
bool inbox_owns(const struct inbox *inbox, uint64_t user);

/* The gateway is alive and renews all it holds. The answer is a stamp: while it stays the same,
 * nothing was lost; when it differs from the one before (the gateway came too late, the shard was
 * lost or failed over or, in contents mode, another connection took an entry over), the host asks
 * inbox_holds() for each of its connections and says CHAT_EV_LOST where the answer is no. */
uint64_t inbox_refresh(struct inbox *inbox, uint32_t gateway, uint64_t now_ms);

/* The gateway has started anew: what it registered before is gone. */
void inbox_gateway_started(struct inbox *inbox, uint32_t gateway, uint64_t now_ms);

/* Is `device` registered, and alive, at that connection? For hosts that say LOST one by one. */
bool inbox_holds(const struct inbox *inbox, uint64_t user, uint32_t device, uint32_t gateway,
                 uint64_t conn_id, uint64_t now_ms);

/* Counted mode, before a run: the state that a steady system would be in. conn_id 0: offline.
 * Registered devices are live. `pending` entries wait. */
void inbox_place(struct inbox *inbox, uint64_t user, uint32_t device, uint32_t gateway,
                 uint64_t conn_id, uint32_t pending, uint64_t now_ms);

/* The member cache is filled by whoever answers READ_MEMBERS. Take the version when the read is
 * sent, and offer the page with it when it is answered: a FORGET in between makes the offer void.
 * `after` is what the page was asked for (`user` of READ_MEMBERS), `total` how many there are in
 * all; pages are taken in order, and one shorter than CHAT_PAGE_MAX completes the list. Contents
 * mode; else does nothing. */
uint64_t inbox_members_version(const struct inbox *inbox, struct chat_channel channel);
void inbox_members_offer(struct inbox *inbox, struct chat_channel channel, uint64_t version,
                         uint64_t after, uint64_t total, const struct chat_member *members,
                         uint32_t count);

/* Faults. All is lost: a new generation, no user known, nobody registered, no member list. */
void inbox_flush(struct inbox *inbox);

/* The replica has caught up: what is held now is what inbox_failover() falls back to. Contents
 * mode; in counted mode the replica never lags. */
void inbox_replicate(struct inbox *inbox);

/* The replica takes over: what came after the last inbox_replicate() is lost, a new generation
 * begins, and every inbox is fresh, its entries numbered anew from 1. Member lists are dropped,
 * since a FORGET may be among what was lost. */
void inbox_failover(struct inbox *inbox);

struct inbox_counts {
    uint32_t generation;
    uint64_t devices;    /* Known. */
    uint64_t registered; /* Not unregistered, not of an epoch gone by. */
    uint64_t lists;      /* Inboxes with something in them. */
    uint64_t elements;
    uint64_t groups;       /* Member lists cached, or begun. */
    uint64_t members;      /* Cached, over all lists. */
    uint64_t expired;      /* Entries dropped for their age, since creation. */
    uint64_t refused;      /* Operations answered FAILED, since creation. */
    uint64_t memory_bytes; /* As real Redis would hold it. */
};
struct inbox_counts inbox_counts(const struct inbox *inbox);

#endif
