/* What a Kafka topic holds, in contents runs: partitions of records, and how far each group is.
 *
 *     |0 1 2 ... committed|... taken ...|... high|... next|
 *      consumed by all     under way     readable  appended, but on the leader alone
 *
 * A record is readable below the high watermark, which rises as replicas fetch. A worker's core may
 * finish records in any order: the committed offset moves over what is finished without a hole.
 * What was finished beyond it, the worker alone knows, and log_rewind() forgets: that is
 * redelivered.
 *
 * Pure data: no time, no I/O, no threads. Offsets begin at 0.
 */
#ifndef MODELS_INFRA_LOG_H
#define MODELS_INFRA_LOG_H

#include "models/core/chat.h"

#include <stdbool.h>
#include <stdint.h>

struct log; /* Opaque. */

/* NULL where memory is short; later shortage is a CHECK. Freed by log_destroy(). */
struct log *log_create(uint32_t partition_count, uint32_t group_count);
void log_destroy(struct log *log);

/* The partition of a channel: a hash, so that a channel keeps its order. */
uint32_t log_partition(struct chat_channel channel, uint32_t partition_count);

/* Returns the record's offset. */
uint64_t log_append(struct log *log, uint32_t partition, const struct chat_entry *entry);

/* Replicas have everything below `offset`; never falls. */
void log_raise(struct log *log, uint32_t partition, uint64_t offset);

/* The leader is gone and a replica takes over: what is not below the high watermark is lost.
 * Returns how many records. */
uint64_t log_truncate(struct log *log, uint32_t partition);

/* False where `offset` is not below the high watermark. */
bool log_read(const struct log *log, uint32_t partition, uint64_t offset, struct chat_entry *entry);

/* `group` has finished the record at `offset`. */
void log_commit(struct log *log, uint32_t group, uint32_t partition, uint64_t offset);

/* A worker takes the partition over: where it has to begin. What was finished beyond is forgotten.
 */
uint64_t log_rewind(struct log *log, uint32_t group, uint32_t partition);

uint64_t log_committed(const struct log *log, uint32_t group, uint32_t partition);
uint64_t log_high(const struct log *log, uint32_t partition);
uint64_t log_next(const struct log *log, uint32_t partition); /* Of the next append. */

#endif
