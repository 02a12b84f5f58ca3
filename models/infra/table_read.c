/* Reads of one replica, and how the answers of several become one.
 *
 * A range is complete only up to where a replica's page ended, so a merged range is complete up to
 * the nearest of those ends, and rows beyond it are dropped. READ_UNACKED also answers what it left
 * out because it is acknowledged, since the other replica may not know that. */
#include "models/core/check.h"
#include "models/core/snowflake.h"
#include "models/infra/table_state.h"

#include <string.h>

static void read_receipt(const struct table *table, const struct chat_effect *effect,
                         struct table_reply *reply)
{
    const struct user_rows *rows = table_user(table, effect->user);
    uint32_t at = rows == NULL ? 0 : table_receipt_at(rows, effect->entry.id);
    if (rows == NULL || at == rows->receipt_count || rows->receipts[at].id != effect->entry.id) {
        return;
    }
    reply->entries[reply->entry_count++] = (struct chat_entry){
        .id = effect->entry.id,
        .user = rows->receipts[at].sender,
        .channel = rows->receipts[at].channel,
    };
}

static uint32_t rows_wanted(const struct chat_effect *effect)
{
    return effect->count == 0 || effect->count > CHAT_DRAIN_MAX ? CHAT_DRAIN_MAX : effect->count;
}

static void read_history(const struct table *table, const struct chat_effect *effect,
                         struct table_reply *reply)
{
    const struct channel_rows *rows = table_channel(table, effect->entry.channel);
    uint32_t at = rows == NULL ? 0 : table_message_at(rows, effect->entry.id);
    while (at > 0 && reply->entry_count < rows_wanted(effect)) {
        reply->entries[reply->entry_count++] = rows->messages[--at];
    }
    reply->upto = at == 0 ? 0 : rows->messages[at].id;
}

/* `left` as chat.h has it: CHAT_NEVER while in it. */
static struct chat_member member_row(const struct chat_member *row)
{
    struct chat_member member = *row;
    member.left = member.left > member.joined ? member.left : CHAT_NEVER;
    return member;
}

static void read_members(const struct table *table, const struct chat_effect *effect,
                         struct table_reply *reply)
{
    const struct channel_rows *rows = table_channel(table, effect->entry.channel);
    bool one = effect->op == READ_MEMBER;
    for (uint32_t i = 0; rows != NULL && i < rows->member_count; i++) {
        struct chat_member member = member_row(&rows->members[i]);
        reply->value += member.left == CHAT_NEVER;
        bool wanted = one ? member.user == effect->user : member.user > effect->user;
        if (!wanted) {
            continue;
        }
        if (reply->member_count < CHAT_PAGE_MAX) {
            reply->members[reply->member_count++] = member;
        } else {
            reply->upto = reply->members[CHAT_PAGE_MAX - 1].user;
        }
    }
}

static void read_devices(const struct table *table, const struct chat_effect *effect,
                         struct table_reply *reply)
{
    const struct user_rows *rows = table_user(table, effect->user);
    if (rows != NULL) {
        reply->device_count = rows->device_count;
        memcpy(reply->devices, rows->devices, rows->device_count * sizeof reply->devices[0]);
    }
}

/* When the device acknowledged it; 0: it has not. */
static uint64_t ack_ms(const struct receipt_row *row, uint32_t device)
{
    for (uint32_t i = 0; i < row->ack_count; i++) {
        const struct ack *ack = &row->acks[i];
        if (ack->device == device) {
            return ack->delivered_ms != 0 ? ack->delivered_ms : ack->read_ms;
        }
    }
    return 0;
}

static uint64_t ack_latest_ms(const struct user_rows *rows, uint32_t device)
{
    uint64_t latest_ms = 0;
    for (uint32_t i = 0; i < rows->receipt_count; i++) {
        uint64_t at_ms = ack_ms(&rows->receipts[i], device);
        latest_ms = at_ms > latest_ms ? at_ms : latest_ms;
    }
    return latest_ms;
}

/* Acknowledged, and the sender knows. */
static bool row_acked(const struct table *table, const struct user_rows *rows, uint32_t at,
                      uint32_t device)
{
    const struct receipt_row *row = &rows->receipts[at];
    uint64_t at_ms = ack_ms(row, device);
    bool own = row->sender == rows->user; /* The device may have sent the later one itself. */
    for (uint32_t i = at + 1; table->config.watermark && !own && i < rows->receipt_count; i++) {
        const struct receipt_row *later = &rows->receipts[i];
        if (at_ms == 0 && later->sender == row->sender &&
            later->channel.first == row->channel.first &&
            later->channel.second == row->channel.second) {
            at_ms = ack_ms(later, device);
        }
    }
    return at_ms != 0 && (own || at_ms + table->config.unsure_ms <= ack_latest_ms(rows, device));
}

/* The message of a receipt row; kind 0 where this replica does not have it. */
static struct chat_entry message_of(const struct table *table, const struct chat_entry *row)
{
    const struct channel_rows *rows = table_channel(table, row->channel);
    uint32_t at = rows == NULL ? 0 : table_message_at(rows, row->id);
    if (rows == NULL || at == rows->message_count || rows->messages[at].id != row->id) {
        return *row;
    }
    return rows->messages[at];
}

/* How far a recipient has got, by all his devices: 0, not at all. */
static uint8_t row_kind(const struct receipt_row *row)
{
    uint8_t kind = row->ack_count == 0 ? 0 : ENTRY_DELIVERED;
    for (uint32_t i = 0; i < row->ack_count; i++) {
        kind = row->acks[i].read_ms != 0 ? ENTRY_READ : kind;
    }
    return kind;
}

static bool is_above(const struct chat_entry *entry, uint64_t id, uint64_t user)
{
    return entry->id > id || (entry->id == id && entry->user > user);
}

/* The first receipt behind (entry.id, entry.user). */
static void read_receipts(const struct table *table, const struct chat_effect *effect,
                          uint64_t now_ms, struct table_reply *reply)
{
    struct chat_entry first = {.id = CHAT_NEVER, .user = CHAT_NEVER};
    for (const struct user_rows *rows = table->users; rows != NULL; rows = rows->hh.next) {
        uint32_t at = table_receipt_at(rows, effect->entry.id);
        for (; at < rows->receipt_count && rows->receipts[at].id <= first.id; at++) {
            const struct receipt_row *row = &rows->receipts[at];
            const struct chat_entry entry = {
                .id = row->id, .user = rows->user, .channel = row->channel, .kind = row_kind(row)};
            bool told = row->sender == effect->user && rows->user != effect->user &&
                        entry.kind != 0 && snowflake_ms(row->id) + table->config.expiry_ms > now_ms;
            if (told && is_above(&entry, effect->entry.id, effect->entry.user) &&
                is_above(&first, entry.id, entry.user)) {
                first = entry;
            }
        }
    }
    if (first.kind != 0) {
        reply->entries[reply->entry_count++] = first;
    }
}

static void read_unacked(const struct table *table, const struct chat_effect *effect,
                         uint64_t now_ms, struct table_reply *reply)
{
    const struct user_rows *rows = table_user(table, effect->user);
    uint32_t at = rows == NULL ? 0 : table_receipt_at(rows, effect->entry.id + 1);
    for (; rows != NULL && at < rows->receipt_count; at++) {
        const struct receipt_row *row = &rows->receipts[at];
        if (reply->entry_count == rows_wanted(effect) || reply->acked_count == TABLE_ACKED_MAX) {
            reply->upto = rows->receipts[at - 1].id;
            return;
        }
        bool expired = snowflake_ms(row->id) + table->config.expiry_ms <= now_ms;
        if (expired || row_acked(table, rows, at, effect->device)) {
            reply->acked[reply->acked_count++] = row->id;
        } else {
            const struct chat_entry wanted = {
                .id = row->id, .user = row->sender, .channel = row->channel};
            reply->entries[reply->entry_count++] = message_of(table, &wanted);
        }
    }
}

void table_read(const struct table *table, const struct chat_effect *effect, uint64_t now_ms,
                struct table_reply *reply)
{
    CHECK(effect->kind == CHAT_FX_READ);
    reply->err = CHAT_OK;
    reply->value = 0;
    reply->upto = CHAT_NEVER;
    reply->entry_count = 0;
    reply->member_count = 0;
    reply->device_count = 0;
    reply->acked_count = 0;
    switch (effect->op) {
    case READ_RECEIPT:
        read_receipt(table, effect, reply);
        break;
    case READ_HISTORY:
        read_history(table, effect, reply);
        break;
    case READ_MEMBER:
    case READ_MEMBERS:
        read_members(table, effect, reply);
        break;
    case READ_DEVICES:
        read_devices(table, effect, reply);
        break;
    case READ_RECEIPTS:
        read_receipts(table, effect, now_ms, reply);
        break;
    case READ_UNACKED:
        read_unacked(table, effect, now_ms, reply);
        break;
    default:
        CHECK(!"a read");
    }
}

/* Merging. Each keeps its rows in the order of the read. */

static bool goes_before(const struct chat_effect *effect, uint64_t a, uint64_t b)
{
    return effect->op == READ_HISTORY ? a > b : a < b;
}

static void merge_entries(const struct chat_effect *effect, struct table_reply *into,
                          const struct table_reply *from)
{
    struct chat_entry merged[2 * CHAT_DRAIN_MAX];
    uint32_t count = 0;
    uint32_t i = 0;
    uint32_t k = 0;
    while (i < into->entry_count || k < from->entry_count) {
        const struct chat_entry *a = i < into->entry_count ? &into->entries[i] : NULL;
        const struct chat_entry *b = k < from->entry_count ? &from->entries[k] : NULL;
        bool same = a != NULL && b != NULL && a->id == b->id;
        bool first = b == NULL || same || (a != NULL && goes_before(effect, a->id, b->id));
        merged[count++] = first && !(same && a->kind == 0) ? *a : *b;
        i += first;
        k += !first || same;
    }
    bool down = effect->op == READ_HISTORY;
    if (down ? from->upto > into->upto && from->upto != CHAT_NEVER : from->upto < into->upto) {
        into->upto = from->upto;
    }
    into->entry_count = 0;
    for (i = 0; i < count && into->entry_count < CHAT_DRAIN_MAX; i++) {
        bool complete = into->upto == CHAT_NEVER || merged[i].id == into->upto ||
                        goes_before(effect, merged[i].id, into->upto);
        if (complete) {
            into->entries[into->entry_count++] = merged[i];
        }
    }
    if (i < count) {
        into->upto = into->entries[CHAT_DRAIN_MAX - 1].id;
    }
}

static bool acked_in(const struct table_reply *reply, uint64_t id)
{
    for (uint32_t i = 0; i < reply->acked_count; i++) {
        if (reply->acked[i] == id) {
            return true;
        }
    }
    return false;
}

/* What either knows to be acknowledged is not delivered again. */
static void merge_unacked(const struct chat_effect *effect, struct table_reply *into,
                          const struct table_reply *from)
{
    merge_entries(effect, into, from);
    for (uint32_t i = 0; i < from->acked_count; i++) {
        if (into->acked_count < TABLE_ACKED_MAX && !acked_in(into, from->acked[i])) {
            into->acked[into->acked_count++] = from->acked[i];
        }
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < into->entry_count; i++) {
        if (!acked_in(into, into->entries[i].id) && !acked_in(from, into->entries[i].id)) {
            into->entries[kept++] = into->entries[i];
        }
    }
    into->entry_count = kept;
}

/* Each answer is complete up to its row, so the lower of two rows is the first; of one receipt the
 * one that tells more. */
static void merge_receipts(struct table_reply *into, const struct table_reply *from)
{
    struct chat_entry *a = &into->entries[0];
    const struct chat_entry *b = &from->entries[0];
    if (from->entry_count == 0) {
        return;
    }
    bool same = into->entry_count > 0 && a->id == b->id && a->user == b->user;
    if (into->entry_count == 0 || (same ? b->kind > a->kind : is_above(a, b->id, b->user))) {
        *a = *b;
    }
    into->entry_count = 1;
}

static struct chat_member member_merge(const struct chat_member *a, const struct chat_member *b)
{
    struct chat_member member = *a;
    member.joined = b->joined > a->joined ? b->joined : a->joined;
    uint64_t left_a = a->left == CHAT_NEVER ? 0 : a->left;
    uint64_t left_b = b->left == CHAT_NEVER ? 0 : b->left;
    member.left = left_a > left_b ? left_a : left_b;
    return member_row(&member);
}

static void merge_members(struct table_reply *into, const struct table_reply *from)
{
    struct chat_member merged[2 * CHAT_PAGE_MAX];
    uint32_t count = 0;
    uint32_t i = 0;
    uint32_t k = 0;
    while (i < into->member_count || k < from->member_count) {
        const struct chat_member *a = i < into->member_count ? &into->members[i] : NULL;
        const struct chat_member *b = k < from->member_count ? &from->members[k] : NULL;
        bool same = a != NULL && b != NULL && a->user == b->user;
        bool first = b == NULL || same || (a != NULL && a->user < b->user);
        merged[count++] = same ? member_merge(a, b) : first ? *a : *b;
        i += first;
        k += !first || same;
    }
    into->upto = from->upto < into->upto ? from->upto : into->upto;
    into->value = from->value > into->value ? from->value : into->value;
    into->member_count = 0;
    for (i = 0; i < count && into->member_count < CHAT_PAGE_MAX; i++) {
        if (merged[i].user <= into->upto) {
            into->members[into->member_count++] = merged[i];
        }
    }
}

static void merge_devices(struct table_reply *into, const struct table_reply *from)
{
    for (uint32_t k = 0; k < from->device_count; k++) {
        uint32_t at = into->device_count;
        while (at > 0 && into->devices[at - 1] >= from->devices[k]) {
            at--;
        }
        bool known = at < into->device_count && into->devices[at] == from->devices[k];
        if (known || into->device_count == CHAT_DEVICES_MAX) {
            continue;
        }
        memmove(into->devices + at + 1, into->devices + at,
                (into->device_count - at) * sizeof into->devices[0]);
        into->devices[at] = from->devices[k];
        into->device_count++;
    }
}

void table_merge(const struct chat_effect *effect, struct table_reply *into,
                 const struct table_reply *from)
{
    switch (effect->op) {
    case READ_RECEIPT:
    case READ_HISTORY:
        merge_entries(effect, into, from);
        break;
    case READ_RECEIPTS:
        merge_receipts(into, from);
        break;
    case READ_UNACKED:
        merge_unacked(effect, into, from);
        break;
    case READ_MEMBER:
    case READ_MEMBERS:
        merge_members(into, from);
        break;
    case READ_DEVICES:
        merge_devices(into, from);
        break;
    default:
        CHECK(!"a read");
    }
}

uint64_t table_finish(const struct chat_effect *effect, struct table_reply *reply)
{
    uint32_t kept = 0;
    bool rows = effect->op == READ_UNACKED || effect->op == READ_HISTORY;
    for (uint32_t i = 0; rows && i < reply->entry_count && kept < rows_wanted(effect); i++) {
        if (reply->entries[i].kind != 0) { /* A receipt row whose message no replica asked has. */
            reply->entries[kept++] = reply->entries[i];
        }
    }
    reply->entry_count = rows ? kept : reply->entry_count;
    bool nothing = (effect->op == READ_RECEIPT && reply->entry_count == 0) ||
                   (effect->op == READ_MEMBER && reply->member_count == 0) ||
                   (effect->op == READ_DEVICES && reply->device_count == 0);
    reply->err = nothing ? CHAT_ERR_MISSING : CHAT_OK;
    bool on = effect->op == READ_UNACKED && kept == 0 && reply->upto != CHAT_NEVER;
    return on ? reply->upto : 0;
}

/* One replica may have the row alone, and another the message alone. */
static void messages_find(const struct table *const *tables, uint32_t count,
                          struct table_reply *reply)
{
    for (uint32_t i = 0; i < reply->entry_count; i++) {
        for (uint32_t k = 0; k < count && reply->entries[i].kind == 0; k++) {
            reply->entries[i] = message_of(tables[k], &reply->entries[i]);
        }
    }
}

void table_quorum_read(const struct table *const *tables, uint32_t count,
                       const struct chat_effect *effect, uint64_t now_ms, struct table_reply *reply)
{
    CHECK(count > 0);
    struct chat_effect again = *effect;
    do {
        table_read(tables[0], &again, now_ms, reply);
        for (uint32_t i = 1; i < count; i++) {
            struct table_reply other;
            table_read(tables[i], &again, now_ms, &other);
            table_merge(&again, reply, &other);
        }
        if (again.op == READ_UNACKED) {
            messages_find(tables, count, reply);
        }
        again.entry.id = table_finish(&again, reply);
    } while (again.entry.id != 0);
}
