#include "models/infra/table.h"

#include "models/core/check.h"
#include "models/core/snowflake.h"
#include "models/infra/table_state.h"

#include <stdlib.h>
#include <string.h>

struct table_config table_config_default(void)
{
    uint64_t day_ms = 24ull * 3600 * 1000;
    return (struct table_config){
        .expiry_ms = 30 * day_ms, .claim_ttl_ms = 7 * day_ms, .unsure_ms = 60000};
}

struct table *table_create(const struct table_config *config)
{
    struct table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->config = *config;
    }
    return table;
}

#define FREE_ALL(type, head, inside)                                                               \
    do {                                                                                           \
        struct type *one;                                                                          \
        struct type *next;                                                                         \
        HASH_ITER(hh, head, one, next)                                                             \
        {                                                                                          \
            HASH_DEL(head, one);                                                                   \
            inside;                                                                                \
            free(one);                                                                             \
        }                                                                                          \
    } while (0)

static void rows_free(struct table *table)
{
    FREE_ALL(claim, table->claims, (void)0);
    FREE_ALL(channel_rows, table->channels, free(one->messages); free(one->members));
    FREE_ALL(user_rows, table->users, free(one->receipts));
    FREE_ALL(cursor, table->cursors, (void)0);
    FREE_ALL(reserve, table->reserves, (void)0);
}

void table_destroy(struct table *table)
{
    if (table != NULL) {
        rows_free(table);
        free(table->log);
        free(table);
    }
}

static void *make(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes);
    CHECK(memory != NULL);
    return memory;
}

/* Room for one more element in an array that doubles. */
static void *grow(void *array, uint32_t count, uint32_t *max, size_t size_bytes)
{
    if (count < *max) {
        return array;
    }
    *max = *max == 0 ? 8 : 2 * *max;
    array = realloc(array, *max * size_bytes);
    CHECK(array != NULL);
    return array;
}

struct channel_rows *table_channel(const struct table *table, struct chat_channel channel)
{
    struct channel_rows *rows;
    HASH_FIND(hh, table->channels, &channel, sizeof channel, rows);
    return rows;
}

struct user_rows *table_user(const struct table *table, uint64_t user)
{
    struct user_rows *rows;
    HASH_FIND(hh, table->users, &user, sizeof user, rows);
    return rows;
}

static struct channel_rows *channel_make(struct table *table, struct chat_channel channel)
{
    struct channel_rows *rows = table_channel(table, channel);
    if (rows == NULL) {
        rows = make(sizeof *rows);
        rows->channel = channel;
        HASH_ADD(hh, table->channels, channel, sizeof rows->channel, rows);
    }
    return rows;
}

static struct user_rows *user_make(struct table *table, uint64_t user)
{
    struct user_rows *rows = table_user(table, user);
    if (rows == NULL) {
        rows = make(sizeof *rows);
        rows->user = user;
        HASH_ADD(hh, table->users, user, sizeof rows->user, rows);
    }
    return rows;
}

uint32_t table_message_at(const struct channel_rows *rows, uint64_t id)
{
    uint32_t at = rows->message_count;
    while (at > 0 && rows->messages[at - 1].id >= id) {
        at--;
    }
    return at;
}

uint32_t table_receipt_at(const struct user_rows *rows, uint64_t id)
{
    uint32_t at = rows->receipt_count;
    while (at > 0 && rows->receipts[at - 1].id >= id) {
        at--;
    }
    return at;
}

static void message_put(struct table *table, const struct chat_entry *entry)
{
    struct channel_rows *rows = channel_make(table, entry->channel);
    uint32_t at = table_message_at(rows, entry->id);
    if (at < rows->message_count && rows->messages[at].id == entry->id) {
        return;
    }
    rows->messages =
        grow(rows->messages, rows->message_count, &rows->message_max, sizeof *rows->messages);
    memmove(rows->messages + at + 1, rows->messages + at,
            (rows->message_count - at) * sizeof *rows->messages);
    rows->messages[at] = *entry;
    rows->messages[at].position = 0;
    rows->message_count++;
}

static struct receipt_row *receipt_put(struct table *table, uint64_t user, uint64_t id,
                                       uint64_t sender, struct chat_channel channel)
{
    struct user_rows *rows = user_make(table, user);
    uint32_t at = table_receipt_at(rows, id);
    if (at < rows->receipt_count && rows->receipts[at].id == id) {
        return &rows->receipts[at];
    }
    rows->receipts =
        grow(rows->receipts, rows->receipt_count, &rows->receipt_max, sizeof *rows->receipts);
    memmove(rows->receipts + at + 1, rows->receipts + at,
            (rows->receipt_count - at) * sizeof *rows->receipts);
    rows->receipts[at] = (struct receipt_row){.id = id, .sender = sender, .channel = channel};
    rows->receipt_count++;
    return &rows->receipts[at];
}

static void earlier(uint64_t *set_ms, uint64_t now_ms)
{
    if (*set_ms == 0 || now_ms < *set_ms) {
        *set_ms = now_ms;
    }
}

static void ack_put(struct receipt_row *row, uint32_t device, uint8_t kind, uint64_t now_ms)
{
    uint32_t i = 0;
    while (i < row->ack_count && row->acks[i].device != device) {
        i++;
    }
    if (i == row->ack_count) {
        CHECK(row->ack_count < CHAT_DEVICES_MAX);
        row->acks[row->ack_count++] = (struct ack){.device = device};
    }
    earlier(kind == ENTRY_READ ? &row->acks[i].read_ms : &row->acks[i].delivered_ms, now_ms);
}

static void member_put(struct table *table, const struct chat_entry *entry)
{
    struct channel_rows *rows = channel_make(table, entry->channel);
    uint32_t at = rows->member_count;
    while (at > 0 && rows->members[at - 1].user >= entry->user) {
        at--;
    }
    if (at == rows->member_count || rows->members[at].user != entry->user) {
        rows->members =
            grow(rows->members, rows->member_count, &rows->member_max, sizeof *rows->members);
        memmove(rows->members + at + 1, rows->members + at,
                (rows->member_count - at) * sizeof *rows->members);
        rows->members[at] = (struct chat_member){.user = entry->user};
        rows->member_count++;
    }
    uint64_t *id =
        entry->kind == ENTRY_JOINED ? &rows->members[at].joined : &rows->members[at].left;
    *id = entry->id > *id ? entry->id : *id;
}

static void cursor_put(struct table *table, const struct table_write *write)
{
    struct cursor wanted = {.name = {write->user, write->device, write->entry.channel}};
    struct cursor *cursor;
    HASH_FIND(hh, table->cursors, &wanted.name, sizeof wanted.name, cursor);
    if (cursor == NULL) {
        cursor = make(sizeof *cursor);
        cursor->name = wanted.name;
        HASH_ADD(hh, table->cursors, name, sizeof cursor->name, cursor);
    }
    cursor->id = write->entry.id > cursor->id ? write->entry.id : cursor->id;
}

static void device_put(struct table *table, uint64_t user, uint32_t device)
{
    struct user_rows *rows = user_make(table, user);
    uint32_t at = rows->device_count;
    while (at > 0 && rows->devices[at - 1] >= device) {
        at--;
    }
    bool known = at < rows->device_count && rows->devices[at] == device;
    if (known || rows->device_count == CHAT_DEVICES_MAX) {
        return;
    }
    memmove(rows->devices + at + 1, rows->devices + at,
            (rows->device_count - at) * sizeof *rows->devices);
    rows->devices[at] = device;
    rows->device_count++;
}

static void reserve_put(struct table *table, uint64_t machine, uint64_t until_ms)
{
    struct reserve *reserve;
    HASH_FIND(hh, table->reserves, &machine, sizeof machine, reserve);
    if (reserve == NULL) {
        reserve = make(sizeof *reserve);
        reserve->machine = machine;
        HASH_ADD(hh, table->reserves, machine, sizeof reserve->machine, reserve);
    }
    reserve->until_ms = until_ms > reserve->until_ms ? until_ms : reserve->until_ms;
}

static struct claim *claim_find(const struct table *table, uint64_t user, uint64_t device,
                                uint64_t key)
{
    struct claim wanted = {.name = {user, device, key}};
    struct claim *claim;
    HASH_FIND(hh, table->claims, &wanted.name, sizeof wanted.name, claim);
    return claim;
}

static void claim_write(struct table *table, const struct table_write *write)
{
    struct claim *claim = claim_find(table, write->user, write->device, write->number);
    if (claim == NULL) {
        claim = make(sizeof *claim);
        claim->name.user = write->user;
        claim->name.device = write->device;
        claim->name.key = write->number;
        HASH_ADD(hh, table->claims, name, sizeof claim->name, claim);
    }
    if (write->ballot >= claim->ballot) {
        claim->ballot = write->ballot;
        claim->id = write->entry.id;
        claim->put_ms = write->now_ms;
    }
}

/* The recipient's row; and the sender's own, for its other devices: the one that sent it has it. */
static void receipt_rows_put(struct table *table, const struct table_write *write,
                             const struct chat_entry *entry)
{
    receipt_put(table, write->user, entry->id, entry->user, entry->channel);
    if (!entry->alone || write->user == entry->user) {
        ack_put(receipt_put(table, entry->user, entry->id, entry->user, entry->channel),
                entry->device, ENTRY_DELIVERED, write->now_ms);
    }
}

/* One write, to the rows. */
static void rows_write(struct table *table, const struct table_write *write)
{
    const struct chat_entry *entry = &write->entry;
    switch (write->op) {
    case STORE_CLAIM:
        claim_write(table, write);
        break;
    case STORE_MESSAGE:
        message_put(table, entry);
        if (write->user != 0) {
            receipt_rows_put(table, write, entry);
        }
        break;
    case STORE_RECEIPT_ROWS:
        receipt_rows_put(table, write, entry);
        break;
    case STORE_RECEIPT:
        ack_put(receipt_put(table, entry->user, entry->id, write->user, entry->channel),
                write->device, entry->kind, write->now_ms);
        break;
    case STORE_MEMBER:
        member_put(table, entry);
        break;
    case STORE_CURSOR:
        cursor_put(table, write);
        break;
    case STORE_RESERVE:
        reserve_put(table, write->user, write->number);
        break;
    case STORE_DEVICE:
        device_put(table, write->user, write->device);
        break;
    default:
        CHECK(!"an operation of the store");
    }
}

/* One write, to the log and the rows. */
static void table_write(struct table *table, const struct table_write *write)
{
    if (table->written == table->log_max) {
        table->log_max = table->log_max == 0 ? 64 : 2 * table->log_max;
        table->log = realloc(table->log, table->log_max * sizeof *table->log);
        CHECK(table->log != NULL);
    }
    table->log[table->written++] = *write;
    rows_write(table, write);
}

uint64_t table_store(struct table *table, const struct chat_effect *effect,
                     const struct chat_effects *effects, uint64_t now_ms)
{
    CHECK(effect->kind == CHAT_FX_STORE);
    CHECK(effect->op != STORE_CLAIM);
    struct table_write write = {
        .op = effect->op,
        .device = effect->device,
        .user = effect->user,
        .number = effect->position,
        .now_ms = now_ms,
        .entry = effect->entry,
    };
    if (effect->op != STORE_RECEIPT_ROWS) {
        table_write(table, &write);
        return table->written;
    }
    CHECK(effect->first + effect->count <= effects->member_count);
    for (uint32_t i = 0; i < effect->count; i++) {
        write.user = effects->members[effect->first + i].user;
        table_write(table, &write);
    }
    return table->written;
}

uint64_t table_claim_get(const struct table *table, uint64_t user, uint32_t device, uint64_t key,
                         uint64_t now_ms, uint64_t *ballot)
{
    const struct claim *claim = claim_find(table, user, device, key);
    *ballot = claim == NULL ? 0 : claim->ballot;
    bool valid = claim != NULL && claim->put_ms + table->config.claim_ttl_ms > now_ms;
    return valid ? claim->id : 0;
}

uint64_t table_claim_put(struct table *table, uint64_t user, uint32_t device, uint64_t key,
                         uint64_t id, uint64_t ballot, uint64_t now_ms)
{
    struct table_write write = {
        .op = STORE_CLAIM,
        .user = user,
        .device = device,
        .number = key,
        .ballot = ballot,
        .now_ms = now_ms,
        .entry = {.id = id},
    };
    table_write(table, &write);
    return table->written;
}

uint64_t table_reserved(const struct table *table, uint64_t machine)
{
    struct reserve *reserve;
    HASH_FIND(hh, table->reserves, &machine, sizeof machine, reserve);
    return reserve == NULL ? 0 : reserve->until_ms;
}

void table_sync(struct table *table, uint64_t record)
{
    CHECK(record <= table->written);
    table->synced = record > table->synced ? record : table->synced;
}

uint64_t table_written(const struct table *table)
{
    return table->written;
}

uint64_t table_synced(const struct table *table)
{
    return table->synced;
}

void table_crash(struct table *table)
{
    rows_free(table);
    table->written = table->synced;
    for (uint64_t i = 0; i < table->written; i++) {
        rows_write(table, &table->log[i]);
    }
}

void table_repair(struct table *table, const struct table *from)
{
    CHECK(table != from);
    for (uint64_t i = 0; i < from->written; i++) {
        table_write(table, &from->log[i]);
    }
}

bool table_message(const struct table *table, uint64_t index, struct chat_entry *entry)
{
    const struct channel_rows *rows = table->channels;
    while (rows != NULL && index >= rows->message_count) {
        index -= rows->message_count;
        rows = rows->hh.next;
    }
    if (rows == NULL) {
        return false;
    }
    *entry = rows->messages[index];
    return true;
}
