#include "models/infra/log.h"

#include "models/core/check.h"

#include <stdlib.h>
#include <string.h>

struct partition {
    struct chat_entry *entries;
    uint64_t count;
    uint64_t count_max;
    uint64_t high;
};

struct progress {
    uint64_t committed;
    uint8_t *finished; /* By offset: whether it is, at or beyond `committed`. */
    uint64_t finished_max;
};

struct log {
    uint32_t partition_count;
    uint32_t group_count;
    struct partition *partitions;
    struct progress *progress; /* group * partition_count + partition. */
};

struct log *log_create(uint32_t partition_count, uint32_t group_count)
{
    CHECK(partition_count > 0);
    CHECK(group_count > 0);
    struct log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return NULL;
    }
    log->partition_count = partition_count;
    log->group_count = group_count;
    log->partitions = calloc(partition_count, sizeof *log->partitions);
    log->progress = calloc((size_t)partition_count * group_count, sizeof *log->progress);
    if (log->partitions == NULL || log->progress == NULL) {
        log_destroy(log);
        return NULL;
    }
    return log;
}

void log_destroy(struct log *log)
{
    if (log == NULL) {
        return;
    }
    for (uint32_t i = 0; log->partitions != NULL && i < log->partition_count; i++) {
        free(log->partitions[i].entries);
    }
    for (uint32_t i = 0; log->progress != NULL && i < log->partition_count * log->group_count;
         i++) {
        free(log->progress[i].finished);
    }
    free(log->partitions);
    free(log->progress);
    free(log);
}

static struct partition *partition_at(const struct log *log, uint32_t partition)
{
    CHECK(partition < log->partition_count);
    return &log->partitions[partition];
}

static struct progress *progress_at(const struct log *log, uint32_t group, uint32_t partition)
{
    CHECK(group < log->group_count);
    CHECK(partition < log->partition_count);
    return &log->progress[group * log->partition_count + partition];
}

uint32_t log_partition(struct chat_channel channel, uint32_t partition_count)
{
    uint64_t mixed = (channel.first * 0x9E3779B97F4A7C15u) ^ (channel.second * 0xC2B2AE3D27D4EB4Fu);
    mixed ^= mixed >> 32;
    mixed *= 0xD6E8FEB86659FD93u;
    mixed ^= mixed >> 32;
    return (uint32_t)(mixed % partition_count);
}

uint64_t log_append(struct log *log, uint32_t partition, const struct chat_entry *entry)
{
    struct partition *p = partition_at(log, partition);
    if (p->count == p->count_max) {
        p->count_max = p->count_max == 0 ? 64 : 2 * p->count_max;
        p->entries = realloc(p->entries, p->count_max * sizeof *p->entries);
        CHECK(p->entries != NULL);
    }
    p->entries[p->count] = *entry;
    return p->count++;
}

void log_raise(struct log *log, uint32_t partition, uint64_t offset)
{
    struct partition *p = partition_at(log, partition);
    CHECK(offset <= p->count);
    p->high = offset > p->high ? offset : p->high;
}

uint64_t log_truncate(struct log *log, uint32_t partition)
{
    struct partition *p = partition_at(log, partition);
    uint64_t lost = p->count - p->high;
    p->count = p->high;
    return lost;
}

bool log_read(const struct log *log, uint32_t partition, uint64_t offset, struct chat_entry *entry)
{
    const struct partition *p = partition_at(log, partition);
    if (offset >= p->high) {
        return false;
    }
    *entry = p->entries[offset];
    return true;
}

void log_commit(struct log *log, uint32_t group, uint32_t partition, uint64_t offset)
{
    const struct partition *p = partition_at(log, partition);
    struct progress *progress = progress_at(log, group, partition);
    CHECK(offset < p->high);
    if (offset >= progress->finished_max) {
        uint64_t max = progress->finished_max;
        progress->finished_max = p->count_max;
        progress->finished = realloc(progress->finished, progress->finished_max);
        CHECK(progress->finished != NULL);
        memset(progress->finished + max, 0, progress->finished_max - max);
    }
    progress->finished[offset] = 1;
    while (progress->committed < progress->finished_max &&
           progress->finished[progress->committed] != 0) {
        progress->committed++;
    }
}

uint64_t log_rewind(struct log *log, uint32_t group, uint32_t partition)
{
    struct progress *progress = progress_at(log, group, partition);
    for (uint64_t i = progress->committed; i < progress->finished_max; i++) {
        progress->finished[i] = 0;
    }
    return progress->committed;
}

uint64_t log_committed(const struct log *log, uint32_t group, uint32_t partition)
{
    return progress_at(log, group, partition)->committed;
}

uint64_t log_high(const struct log *log, uint32_t partition)
{
    return partition_at(log, partition)->high;
}

uint64_t log_next(const struct log *log, uint32_t partition)
{
    return partition_at(log, partition)->count;
}
