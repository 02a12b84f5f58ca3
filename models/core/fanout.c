/* Fan-out: a record of the log reaches the inbox of every device of every recipient.
 *
 *   1:1      RECORD itself appends for the recipient; a DELIVERY for the sender's other devices
 *   group    MEMBERS --> a page --> ROWS --> a DELIVERY for each member --> next page ...
 *   hybrid   as group, but no rows, and each member is only LOCATEd: whoever is online is sent the
 *            message, and the others pull it from the store when they open the channel
 *
 * ROWS come first, so that whatever stands in an inbox can be found again in the store: by a
 * receipt that looks for its sender, and by whoever rebuilds an inbox that was lost.
 *
 *   APPEND --MISSING: the cache does not know the user--> DEVICES --> APPEND with the devices named
 *
 * A record is committed when all its children are done, so a worker that dies hands it to another,
 * which appends again: harmless, since a device tells a redelivery by its id. A record that finds
 * no page, no flight or no room in the step waits in line, and is pumped when one comes free. */
#include "models/core/state.h"

#include <string.h>

#define LOCATE_TRIES 3u
#define ROOM_MIN 4u /* Effects that one member may ask for. */

enum record_stage {
    RECORD_WAITING, /* For a page. */
    RECORD_MEMBERS,
    RECORD_MEMBERS_STORE,
    RECORD_DELIVERING,
};

enum delivery_stage {
    DELIVERY_APPEND,
    DELIVERY_DEVICES,
    DELIVERY_LOCATE,
    DELIVERY_ROWS,
};

/* RECORD of a 1:1 message delivers to the recipient itself; its stages are a delivery's, shifted.
 */
#define RECORD_APPEND (RECORD_DELIVERING + 1)
#define RECORD_DEVICES (RECORD_DELIVERING + 2)

static void wait_in_line(struct chat *chat, struct flight *record)
{
    uint32_t slot = flight_slot(chat, record);
    record->next = NONE;
    if (chat->record_tail == NONE) {
        chat->record_head = slot;
    } else {
        flight_at(chat, chat->record_tail)->next = slot;
    }
    chat->record_tail = slot;
}

/* One that holds a page goes before those that wait for one: else, with all pages taken, nobody
 * would ever go on. */
static void wait_first(struct chat *chat, struct flight *record)
{
    record->next = chat->record_head;
    chat->record_head = flight_slot(chat, record);
    if (chat->record_tail == NONE) {
        chat->record_tail = chat->record_head;
    }
}

static void append_call(struct chat *chat, struct flight *flight, const struct chat_entry *entry,
                        uint64_t user, const struct chat_event *devices)
{
    struct chat_effect *effect = effect_call(chat, CHAT_FX_CACHE, CACHE_APPEND, flight);
    effect->entry = *entry;
    effect->entry.position = 0;
    effect->user = user;
    effect->device = user == entry->user ? entry->device : 0;
    effect_devices(chat, effect, devices);
}

static void devices_call(struct chat *chat, struct flight *flight, uint64_t user)
{
    effect_call(chat, CHAT_FX_READ, READ_DEVICES, flight)->user = user;
}

/* Who may see a message is decided by its id: joined before it, and not left before it. */
static bool is_entitled(const struct chat_member *member, uint64_t id)
{
    return member->joined <= id && id < member->left;
}

static bool page_has_entitled(const struct chat *chat, const struct flight *record)
{
    const struct page *page = &chat->pages[record->record.page];
    for (uint32_t i = 0; i < record->record.count; i++) {
        if (is_entitled(&page->members[i], record->entry.id)) {
            return true;
        }
    }
    return false;
}

static void rows_call(struct chat *chat, struct flight *flight, const struct flight *record)
{
    const struct page *page = &chat->pages[record->record.page];
    struct chat_effects *effects = chat->effects;
    struct chat_effect *effect = effect_call(chat, CHAT_FX_STORE, STORE_RECEIPT_ROWS, flight);
    CHECK(flight->delivery.count <= CHAT_PAGE_MAX - effects->member_count);
    effect->entry = record->entry;
    effect->first = effects->member_count;
    for (uint32_t i = 0; i < flight->delivery.count; i++) {
        if (is_entitled(&page->members[i], record->entry.id)) {
            effects->members[effects->member_count++] = page->members[i];
            effect->count++;
        }
    }
    CHECK(effect->count > 0);
}

static struct flight *parent_of(struct chat *chat, const struct flight *flight)
{
    struct flight *record = flight_at(chat, flight->delivery.parent);
    CHECK(record->kind == FLIGHT_RECORD);
    return record;
}

static void delivery_call(struct chat *chat, struct flight *flight,
                          const struct chat_event *devices)
{
    struct flight *record = parent_of(chat, flight);
    switch ((enum delivery_stage)flight->stage) {
    case DELIVERY_APPEND:
        append_call(chat, flight, &record->entry, flight->delivery.user, devices);
        break;
    case DELIVERY_DEVICES:
        devices_call(chat, flight, flight->delivery.user);
        break;
    case DELIVERY_LOCATE:
        effect_call(chat, CHAT_FX_CACHE, CACHE_LOCATE, flight)->user = flight->delivery.user;
        break;
    case DELIVERY_ROWS:
        rows_call(chat, flight, record);
        break;
    }
}

/* Starts a child of the record; false where no flight is left. */
static bool child_start(struct chat *chat, struct flight *record, enum delivery_stage stage,
                        uint64_t user, uint32_t row_count)
{
    struct flight *flight =
        flight_take(chat, stage == DELIVERY_ROWS ? FLIGHT_ROWS : FLIGHT_DELIVERY);
    if (flight == NULL) {
        return false;
    }
    flight->stage = (uint8_t)stage;
    flight->delivery.user = user;
    flight->delivery.parent = flight_slot(chat, record);
    flight->delivery.count = (uint16_t)row_count;
    record->record.outstanding++;
    delivery_call(chat, flight, NULL);
    return true;
}

static void page_free(struct chat *chat, struct flight *record)
{
    if (record->record.page != NONE) {
        chat->pages[record->record.page].next = chat->free_page;
        chat->free_page = record->record.page;
        record->record.page = NONE;
    }
}

static void commit(struct chat *chat, uint64_t offset, struct chat_blob text)
{
    struct chat_effect *effect = effect_add(chat, CHAT_FX_COMMIT);
    effect->position = offset;
    effect->entry.text = text;
}

static void record_commit(struct chat *chat, struct flight *record)
{
    commit(chat, record->record.offset, record->entry.text);
    page_free(chat, record);
    chat->record_count--;
    flight_free(chat, record);
}

static void members_call(struct chat *chat, struct flight *record)
{
    bool store = record->stage == RECORD_MEMBERS_STORE;
    struct chat_effect *effect = store ? effect_call(chat, CHAT_FX_READ, READ_MEMBERS, record)
                                       : effect_call(chat, CHAT_FX_CACHE, CACHE_MEMBERS, record);
    effect->user = record->record.above;
}

/* Is there room for one more delivery of a group, beside what records may need that the host is yet
 * to hand over? */
static bool has_room_for_child(const struct chat *chat)
{
    const struct chat_config *config = &chat->config;
    uint32_t promised = 3 * (config->records_max - chat->record_count);
    uint32_t most = config->flights_max / 4 * 3;
    uint32_t reserve = promised < most ? promised : most;
    return config->flights_max - chat->flight_count > reserve;
}

/* The next thing to do for a group's record, until it must wait. True: it waits for an answer; it
 * has left the line. False: for room, and it stays. */
static bool record_pump(struct chat *chat, struct flight *record)
{
    if (record->stage == RECORD_WAITING) {
        if (chat->free_page == NONE) {
            return false;
        }
        record->record.page = chat->free_page;
        chat->free_page = chat->pages[record->record.page].next;
        record->stage = RECORD_MEMBERS;
        members_call(chat, record);
        return true;
    }
    const struct page *page = &chat->pages[record->record.page];
    while (record->record.cursor < record->record.count) {
        const struct chat_member *member = &page->members[record->record.cursor];
        bool entitled = is_entitled(member, record->entry.id);
        bool oneself = member->user == record->entry.user;
        if (entitled && !(oneself && record->entry.alone)) {
            if (effect_room(chat) < ROOM_MIN) {
                chat->more = true;
                return false;
            }
            if (!has_room_for_child(chat) ||
                !child_start(chat, record,
                             record->record.hybrid ? DELIVERY_LOCATE : DELIVERY_APPEND,
                             member->user, 0)) {
                return false;
            }
        }
        record->record.cursor++;
    }
    return true;
}

/* Nothing outstanding and the page worked through: the next page, or the end. */
static void record_advance(struct chat *chat, struct flight *record)
{
    if (record->record.outstanding > 0 || record->record.cursor < record->record.count) {
        return;
    }
    if (record->record.last) {
        record_commit(chat, record);
        return;
    }
    record->stage = RECORD_MEMBERS;
    record->tries = 0;
    record->record.above = chat->pages[record->record.page].members[record->record.count - 1].user;
    members_call(chat, record);
}

void fanout_pump(struct chat *chat)
{
    while (chat->record_head != NONE && effect_room(chat) >= ROOM_MIN) {
        struct flight *record = flight_at(chat, chat->record_head);
        if (!record_pump(chat, record)) {
            return;
        }
        chat->record_head = record->next;
        if (chat->record_head == NONE) {
            chat->record_tail = NONE;
        }
        record->next = NONE;
        if (record->stage == RECORD_DELIVERING) {
            record_advance(chat, record);
        }
    }
    chat->more = chat->more || chat->record_head != NONE;
}

void fanout_on_record(struct chat *chat, const struct chat_event *event)
{
    CHECK(event->count == 1);
    const struct chat_entry *entry = event->entries;
    if (entry->kind != ENTRY_MESSAGE) { /* Of a change of membership nobody is told. */
        commit(chat, event->offset, entry->text);
        return;
    }
    struct flight *record = flight_take(chat, FLIGHT_RECORD);
    CHECK(record != NULL); /* Rule 6: chat_room() promised it. */
    CHECK(chat->record_count < chat->config.records_max);
    chat->record_count++;
    record->entry = *entry;
    record->record.offset = event->offset;
    if (chat_is_group(entry->channel)) {
        record->stage = RECORD_WAITING;
        wait_in_line(chat, record);
        return;
    }
    record->record.last = 1;
    record->record.outstanding = 1;
    record->stage = RECORD_APPEND;
    uint64_t recipient = channel_other(entry->channel, entry->user);
    append_call(chat, record, entry, recipient, NULL);
    if (!entry->alone && recipient != entry->user) {
        bool started = child_start(chat, record, DELIVERY_APPEND, entry->user, 0);
        CHECK(started); /* Rule 6 counts it too. */
    }
}

void fanout_locations(struct chat *chat, const struct chat_entry *entry,
                      const struct chat_event *event)
{
    for (uint32_t i = 0; i < event->count; i++) {
        const struct chat_location *to = &event->locations[i];
        if (to->conn_id != 0) {
            struct chat_effect *effect = effect_add(chat, CHAT_FX_ROUTE);
            effect->gateway = to->gateway;
            effect->conn_id = to->conn_id;
            effect->user = to->user;
            effect->device = to->device;
            effect->entry = *entry;
            effect->entry.position = to->position;
        } else if (entry->kind == ENTRY_MESSAGE && !to->pushed) {
            push_start(chat, to->user, to->device);
        }
    }
}

static void child_finish(struct chat *chat, struct flight *flight)
{
    struct flight *record = parent_of(chat, flight);
    CHECK(record->record.outstanding > 0);
    record->record.outstanding--;
    flight_free(chat, flight);
    record_advance(chat, record);
}

static void on_located(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    struct chat_entry entry = parent_of(chat, flight)->entry;
    entry.kind = ENTRY_LIVE;
    for (uint32_t i = 0; i < event->count; i++) {
        struct chat_location to = event->locations[i];
        bool origin = to.user == entry.user && to.device == entry.device;
        if (to.conn_id != 0 && !origin) {
            to.position = 0;
            struct chat_event one = {.locations = &to, .count = 1};
            fanout_locations(chat, &entry, &one);
        }
    }
    child_finish(chat, flight);
}

static void delivery_on_done(struct chat *chat, struct flight *flight,
                             const struct chat_event *event)
{
    bool missing = event->err == CHAT_ERR_MISSING;
    switch ((enum delivery_stage)flight->stage) {
    case DELIVERY_APPEND:
        if (missing) {
            flight->stage = DELIVERY_DEVICES;
            delivery_call(chat, flight, NULL);
            return;
        }
        fanout_locations(chat, &parent_of(chat, flight)->entry, event);
        child_finish(chat, flight);
        break;
    case DELIVERY_DEVICES:
        if (missing || event->count == 0) {
            child_finish(chat, flight); /* The store keeps it until a first device comes. */
            return;
        }
        flight->stage = DELIVERY_APPEND;
        delivery_call(chat, flight, event);
        break;
    case DELIVERY_LOCATE:
        on_located(chat, flight, event);
        break;
    case DELIVERY_ROWS:
        wait_first(chat, parent_of(chat, flight));
        child_finish(chat, flight);
        break;
    }
}

static void on_members(struct chat *chat, struct flight *record, const struct chat_event *event)
{
    if (event->err == CHAT_ERR_MISSING && record->stage == RECORD_MEMBERS) {
        record->stage = RECORD_MEMBERS_STORE;
        members_call(chat, record);
        return;
    }
    CHECK(event->count <= CHAT_PAGE_MAX);
    struct page *page = &chat->pages[record->record.page];
    memcpy(page->members, event->members, event->count * sizeof page->members[0]);
    record->record.count = (uint16_t)event->count;
    record->record.cursor = 0;
    record->record.last = event->count < CHAT_PAGE_MAX;
    record->record.hybrid = event->value > chat->config.hybrid_threshold;
    record->stage = RECORD_DELIVERING;
    if (event->count == 0) {
        record_advance(chat, record);
        return;
    }
    if (record->record.hybrid || !page_has_entitled(chat, record)) {
        wait_first(chat, record);
    } else if (!child_start(chat, record, DELIVERY_ROWS, 0, event->count)) {
        flight_retry(chat, record); /* Asks for the page again, when flights are free. */
        record->stage = RECORD_MEMBERS;
        record->record.count = 0;
    }
}

static void record_on_done(struct chat *chat, struct flight *record, const struct chat_event *event)
{
    uint64_t recipient = channel_other(record->entry.channel, record->entry.user);
    bool missing = event->err == CHAT_ERR_MISSING;
    if (record->stage == RECORD_MEMBERS || record->stage == RECORD_MEMBERS_STORE) {
        on_members(chat, record, event);
    } else if (record->stage == RECORD_APPEND && missing) {
        record->stage = RECORD_DEVICES;
        devices_call(chat, record, recipient);
    } else if (record->stage == RECORD_DEVICES && !missing && event->count > 0) {
        record->stage = RECORD_APPEND;
        append_call(chat, record, &record->entry, recipient, event);
    } else {
        if (record->stage == RECORD_APPEND) {
            fanout_locations(chat, &record->entry, event);
        }
        record->record.outstanding--;
        record_advance(chat, record);
    }
}

void fanout_on_done(struct chat *chat, struct flight *flight, const struct chat_event *event)
{
    if (failed(event->err)) {
        bool best_effort = flight->kind == FLIGHT_DELIVERY && flight->stage == DELIVERY_LOCATE;
        if (best_effort && flight->tries >= LOCATE_TRIES) {
            child_finish(chat, flight);
        } else {
            flight_retry(chat, flight);
        }
    } else if (flight->kind == FLIGHT_RECORD) {
        record_on_done(chat, flight, event);
    } else {
        delivery_on_done(chat, flight, event);
    }
}

void fanout_on_timer(struct chat *chat, struct flight *flight)
{
    if (flight->kind != FLIGHT_RECORD) {
        delivery_call(chat, flight, NULL);
        return;
    }
    uint64_t recipient = channel_other(flight->entry.channel, flight->entry.user);
    if (flight->stage == RECORD_APPEND) {
        append_call(chat, flight, &flight->entry, recipient, NULL);
    } else if (flight->stage == RECORD_DEVICES) {
        devices_call(chat, flight, recipient);
    } else {
        members_call(chat, flight);
    }
}
