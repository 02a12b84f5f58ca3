/* What one Cassandra replica holds, in contents runs: rows, and which of them a crash would take.
 *
 * Pure data behind the STORE and READ operations of chat.h: no time of its own, no I/O, no threads.
 * The coordinator model decides who is asked and who must answer; a replica only holds.
 *
 *     claims    (user, device, client_key) -> id, ballot
 *     messages  (channel), id              -> the entry
 *     receipts  (user), id                 -> sender, channel; by device: delivered_at, read_at
 *     members   (group), user              -> joined, left: ids
 *     cursors   (user, device, channel)    -> id
 *     devices   (user), device
 *     reserve   (machine)                  -> ms
 *
 * Columns merge without asking who wrote first: a message never changes, acknowledgements are only
 * set (the earlier time stays), cursors and reservations take the highest, joined and left are
 * written under their own id as timestamp. So repeated, late and reordered writes do no harm, and
 * any two replicas that saw the same writes hold the same. Claims alone are decided by the
 * coordinator's lightweight transaction: claim_get from a majority, claim_put with a higher ballot.
 *
 * Every write also goes to the commit log, numbered from 1. A periodic commit log is synced now and
 * then: table_crash() keeps what was synced, by replaying the log up to there.
 *
 *     log   |1 2 3 ... synced|... written|      crash: rows := replay(1 .. synced)
 *
 * Not for capacity runs: everything is kept, for ever.
 */
#ifndef MODELS_INFRA_TABLE_H
#define MODELS_INFRA_TABLE_H

#include "models/core/chat.h"

#include <stdbool.h>
#include <stdint.h>

struct table; /* Opaque. */

struct table_config {
    uint64_t expiry_ms; /* READ_UNACKED leaves out messages older than this, by their id. */
    uint64_t claim_ttl_ms;
    uint64_t unsure_ms; /* READ_UNACKED: the minute before the device's latest acknowledgement, that
                           is, the latest of which this replica knows. */
    bool watermark; /* RECEIPTS_WATERMARK: a receipt stands for the channel's earlier messages. */
};

/* 30 days, 7 days, a minute, a receipt per message. */
struct table_config table_config_default(void);

/* NULL where memory is short; later shortage is a CHECK. Freed by table_destroy(). */
struct table *table_create(const struct table_config *config);
void table_destroy(struct table *table);

/* Carries out a STORE effect other than STORE_CLAIM. `effects` is the step's list, for
 * STORE_RECEIPT_ROWS. `now_ms` (Unix time) becomes delivered_at or read_at. Returns the number of
 * the last log record it wrote. */
uint64_t table_store(struct table *table, const struct chat_effect *effect,
                     const struct chat_effects *effects, uint64_t now_ms);

/* The commit log is on disk up to `record`, or further if it was already. */
void table_sync(struct table *table, uint64_t record);
uint64_t table_written(const struct table *table);
uint64_t table_synced(const struct table *table);

/* The node died and came back: what was not synced is gone. */
void table_crash(struct table *table);

/* Anti-entropy: everything that `from` holds is written to `table` too (and to its log). */
void table_repair(struct table *table, const struct table *from);

/* The winner's id of a claim, 0 if there is none that is younger than claim_ttl_ms, and the ballot
 * that it was put with. Of several replicas' answers the one with the highest ballot counts. */
uint64_t table_claim_get(const struct table *table, uint64_t user, uint32_t device, uint64_t key,
                         uint64_t now_ms, uint64_t *ballot);
/* Unless a higher ballot was put already. Returns as table_store(). */
uint64_t table_claim_put(struct table *table, uint64_t user, uint32_t device, uint64_t key,
                         uint64_t id, uint64_t ballot, uint64_t now_ms);

/* Ids up to this time may have been minted by `machine`; 0 if it never said so. */
uint64_t table_reserved(const struct table *table, uint64_t machine);

#define TABLE_ACKED_MAX 256u

/* A replica's answer to a READ, and what merging it with another needs to know. 20 KB. */
struct table_reply {
    int32_t err;    /* CHAT_OK or CHAT_ERR_MISSING. */
    uint64_t value; /* READ_MEMBERS: members in all. */
    uint64_t upto;  /* Ranges: complete up to this key (down to it, for READ_HISTORY). */
    uint32_t entry_count;
    uint32_t member_count;
    uint32_t device_count;
    uint32_t acked_count;
    struct chat_entry entries[CHAT_DRAIN_MAX];
    struct chat_member members[CHAT_PAGE_MAX];
    uint32_t devices[CHAT_DEVICES_MAX];
    uint64_t acked[TABLE_ACKED_MAX]; /* READ_UNACKED: ids in range that need no delivery. */
};

/* What this replica alone would answer. */
void table_read(const struct table *table, const struct chat_effect *effect, uint64_t now_ms,
                struct table_reply *reply);

/* `into` becomes the answer of both: the union of rows, the newest of each. */
void table_merge(const struct chat_effect *effect, struct table_reply *into,
                 const struct table_reply *from);

/* Makes the merged reply the one that the core is to get: err, and at most effect->count rows.
 * Returns 0 when that is all there is to say. Otherwise the replicas disagreed so much that no row
 * is left although more exist: read again with entry.id (READ_UNACKED) set to what is returned. */
uint64_t table_finish(const struct chat_effect *effect, struct table_reply *reply);

/* All of it, for hosts whose replicas are at hand: reads `count` of them, merges, finishes, reads
 * on where that is asked for. */
void table_quorum_read(const struct table *const *tables, uint32_t count,
                       const struct chat_effect *effect, uint64_t now_ms,
                       struct table_reply *reply);

/* The messages held, one by one, in the order in which they first came: false when `index` is past
 * the last. For judges. */
bool table_message(const struct table *table, uint64_t index, struct chat_entry *entry);

#endif
