/* The inbox by example, promise by promise, then against an oracle that cannot share its bug: it
 * keeps every entry ever appended, in one list, and answers by going through it. */
#include "models/infra/inbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #cond);                    \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define TTL_MS 60000u

static struct inbox *create(bool contents, uint32_t devices)
{
    struct inbox_config config = inbox_config_default(contents);
    config.users_max = 16;
    config.devices_max = devices;
    config.entry_ttl_ms = 100000;
    struct inbox *inbox = inbox_create(&config);
    EXPECT(inbox != NULL);
    return inbox;
}

struct bench {
    struct inbox *inbox;
    struct inbox_reply reply;
    uint64_t now_ms;
    uint32_t gateway;
};

static struct chat_effect operation(enum chat_op op, uint64_t user, uint32_t device)
{
    return (struct chat_effect){
        .kind = CHAT_FX_CACHE, .op = (uint8_t)op, .user = user, .device = device};
}

static int32_t apply(struct bench *bench, const struct chat_effect *effect)
{
    inbox_apply(bench->inbox, bench->gateway, effect, NULL, bench->now_ms, &bench->reply);
    return bench->reply.err;
}

static int32_t enlist(struct bench *bench, uint64_t user, uint32_t device, uint64_t conn_id)
{
    struct chat_effect effect = operation(CACHE_REGISTER, user, device);
    effect.conn_id = conn_id;
    return apply(bench, &effect);
}

static int32_t append(struct bench *bench, uint64_t user, uint64_t id, uint32_t except)
{
    struct chat_effect effect = operation(CACHE_APPEND, user, except);
    effect.entry.kind = ENTRY_MESSAGE;
    effect.entry.id = id;
    return apply(bench, &effect);
}

/* The entry of this kind and message to the inbox that is being rebuilt; kind 0: it is complete. */
static int32_t rebuild(struct bench *bench, uint64_t user, uint32_t device, uint8_t kind,
                       uint64_t id, uint64_t generation)
{
    struct chat_effect effect = operation(CACHE_REBUILD, user, device);
    effect.entry.kind = kind;
    effect.entry.id = id;
    effect.position = generation << INBOX_POSITION_BITS;
    return apply(bench, &effect);
}

static int32_t at_position(struct bench *bench, enum chat_op op, uint64_t user, uint32_t device,
                           uint64_t position, uint64_t conn_id)
{
    struct chat_effect effect = operation(op, user, device);
    effect.position = position;
    effect.conn_id = conn_id;
    return apply(bench, &effect);
}

static uint64_t position(uint64_t generation, uint64_t number)
{
    return generation << INBOX_POSITION_BITS | number;
}

static void test_an_unknown_user_is_missing_until_devices_are_named(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    EXPECT(append(&bench, 5, 100, 0) == CHAT_ERR_MISSING);
    static struct chat_effects effects;
    struct chat_effect effect = operation(CACHE_APPEND, 5, 0);
    effect.entry.kind = ENTRY_MESSAGE;
    effects.location_count = 2;
    effects.locations[0].device = 1;
    effects.locations[1].device = 2;
    effect.count = 2;
    inbox_apply(bench.inbox, 0, &effect, &effects, 1, &bench.reply);
    EXPECT(bench.reply.err == CHAT_OK);
    EXPECT(bench.reply.location_count == 2);
    EXPECT(bench.reply.locations[0].fresh && bench.reply.locations[1].fresh);
    EXPECT(bench.reply.locations[1].position == position(1, 1));
    inbox_destroy(bench.inbox);
}

static void test_a_wake_up_is_asked_for_once_until_the_device_registers(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    enlist(&bench, 5, 1, 77);
    at_position(&bench, CACHE_UNREGISTER, 5, 1, 0, 77);
    append(&bench, 5, 100, 0);
    EXPECT(bench.reply.location_count == 1);
    EXPECT(bench.reply.locations[0].conn_id == 0 && !bench.reply.locations[0].pushed);
    append(&bench, 5, 101, 0);
    EXPECT(bench.reply.location_count == 0);
    enlist(&bench, 5, 1, 78);
    EXPECT(bench.reply.locations[0].pending == 2);
    append(&bench, 5, 102, 0);
    EXPECT(bench.reply.location_count == 1 && bench.reply.locations[0].conn_id == 78);
    inbox_destroy(bench.inbox);
}

static void test_unregister_by_an_older_connection_changes_nothing(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    enlist(&bench, 5, 1, 77);
    enlist(&bench, 5, 1, 78);
    EXPECT(bench.reply.locations[0].conn_id == 77);
    at_position(&bench, CACHE_UNREGISTER, 5, 1, 0, 77);
    EXPECT(inbox_holds(bench.inbox, 5, 1, 0, 78, 1));
    bench.gateway = 1; /* The same number at another gateway is another connection. */
    at_position(&bench, CACHE_UNREGISTER, 5, 1, 0, 78);
    EXPECT(inbox_holds(bench.inbox, 5, 1, 0, 78, 1));
    enlist(&bench, 5, 1, 99);
    EXPECT(bench.reply.locations[0].conn_id == 78 && bench.reply.locations[0].gateway == 0);
    enlist(&bench, 5, 1, 99); /* A repetition does not find itself. */
    EXPECT(bench.reply.locations[0].conn_id == 0);
    inbox_destroy(bench.inbox);
}

/* Its REGISTER was on the way for long: whoever came after it, and perhaps went, stays. */
static void test_an_older_connection_registers_in_vain(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    EXPECT(at_position(&bench, CACHE_REGISTER, 5, 1, 12, 77) == CHAT_OK);
    EXPECT(at_position(&bench, CACHE_REGISTER, 5, 1, 11, 66) == CHAT_ERR_EXISTS);
    EXPECT(inbox_holds(bench.inbox, 5, 1, 0, 77, 2));
    EXPECT(at_position(&bench, CACHE_REGISTER, 5, 1, 12, 77) == CHAT_OK); /* Again. */
    at_position(&bench, CACHE_UNREGISTER, 5, 1, 0, 77);
    EXPECT(at_position(&bench, CACHE_REGISTER, 5, 1, 11, 66) == CHAT_ERR_EXISTS);
    EXPECT(at_position(&bench, CACHE_REGISTER, 5, 1, 13, 88) == CHAT_OK);
    EXPECT(at_position(&bench, CACHE_REGISTER, 5, 2, 1, 99) == CHAT_OK); /* Another device. */
    inbox_destroy(bench.inbox);
}

static void test_presence_lives_as_long_as_its_gateway_and_the_dead_stay_dead(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1000};
    enlist(&bench, 5, 1, 77);
    uint64_t stamp = inbox_refresh(bench.inbox, 0, 2000);
    EXPECT(inbox_holds(bench.inbox, 5, 1, 0, 77, 2000 + TTL_MS - 1));
    EXPECT(!inbox_holds(bench.inbox, 5, 1, 0, 77, 2000 + TTL_MS));
    EXPECT(inbox_refresh(bench.inbox, 0, 2000 + TTL_MS - 1) == stamp);
    EXPECT(inbox_refresh(bench.inbox, 0, 3 * TTL_MS) != stamp);
    EXPECT(!inbox_holds(bench.inbox, 5, 1, 0, 77, 3 * TTL_MS));
    EXPECT(inbox_counts(bench.inbox).registered == 0);
    bench.now_ms = 3 * TTL_MS;
    enlist(&bench, 5, 1, 78);
    inbox_gateway_started(bench.inbox, 0, 3 * TTL_MS);
    EXPECT(!inbox_holds(bench.inbox, 5, 1, 0, 78, 3 * TTL_MS));
    inbox_destroy(bench.inbox);
}

static void test_live_says_whether_anything_stands_behind(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    enlist(&bench, 5, 1, 77);
    rebuild(&bench, 5, 1, 0, 0, 1);
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, position(1, 0), 77) == CHAT_OK);
    append(&bench, 5, 100, 0);
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, position(1, 0), 77) == CHAT_ERR_EXISTS);
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, position(1, 1), 77) == CHAT_OK);
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, position(1, 1), 76) == CHAT_ERR_MISSING);
    inbox_destroy(bench.inbox);
}

static void test_entries_expire_by_their_own_age(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    enlist(&bench, 5, 1, 77);
    rebuild(&bench, 5, 1, 0, 0, 1);
    append(&bench, 5, 100, 0);
    bench.now_ms = 50000;
    append(&bench, 5, 101, 0);
    bench.now_ms = 100001;
    at_position(&bench, CACHE_INBOX, 5, 1, 0, 0);
    EXPECT(bench.reply.entry_count == 1 && bench.reply.entries[0].id == 101);
    EXPECT(bench.reply.entries[0].position == position(1, 2));
    EXPECT(inbox_counts(bench.inbox).expired == 1);
    inbox_destroy(bench.inbox);
}

static void test_a_failover_loses_the_tail_and_begins_a_generation(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    enlist(&bench, 5, 1, 77);
    append(&bench, 5, 100, 0);
    append(&bench, 5, 101, 0);
    at_position(&bench, CACHE_TRIM, 5, 1, position(1, 1), 0);
    inbox_replicate(bench.inbox);
    append(&bench, 5, 102, 0);
    at_position(&bench, CACHE_TRIM, 5, 1, position(1, 3), 0);
    inbox_failover(bench.inbox);
    at_position(&bench, CACHE_TRIM, 5, 1, position(1, 3), 0); /* Of old: nothing. */
    rebuild(&bench, 5, 1, ENTRY_MESSAGE, 101, 2);
    EXPECT(bench.reply.locations[0].pending == 1 && bench.reply.locations[0].fresh);
    rebuild(&bench, 5, 1, ENTRY_MESSAGE, 102, 2);
    EXPECT(bench.reply.locations[0].pending == 2);
    rebuild(&bench, 5, 1, 0, 0, 2);
    EXPECT(!bench.reply.locations[0].fresh);
    at_position(&bench, CACHE_INBOX, 5, 1, position(1, 3), 0); /* Of old: from the head. */
    EXPECT(bench.reply.entry_count == 2 && bench.reply.entries[0].id == 101);
    EXPECT(bench.reply.entries[0].position == position(2, 1));
    inbox_destroy(bench.inbox);
}

/* Else a session that holds on over a failover would never learn what the tail held; and what was
 * rebuilt before another one would count as complete. */
static void test_a_fresh_inbox_is_not_read_and_is_rebuilt_in_one_generation(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    enlist(&bench, 5, 1, 77);
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, 0, 77) == CHAT_ERR_MISSING);
    EXPECT(rebuild(&bench, 5, 1, 0, 0, 1) == CHAT_OK);
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, 0, 77) == CHAT_OK);
    inbox_replicate(bench.inbox);
    inbox_failover(bench.inbox);
    EXPECT(inbox_holds(bench.inbox, 5, 1, 0, 77, 2));
    EXPECT(at_position(&bench, CACHE_LIVE, 5, 1, 0, 77) == CHAT_ERR_MISSING);
    EXPECT(at_position(&bench, CACHE_INBOX, 5, 1, 0, 77) == CHAT_ERR_MISSING);
    EXPECT(rebuild(&bench, 5, 1, ENTRY_MESSAGE, 100, 2) == CHAT_OK);
    inbox_failover(bench.inbox);
    EXPECT(rebuild(&bench, 5, 1, ENTRY_MESSAGE, 101, 2) == CHAT_ERR_MISSING);
    EXPECT(rebuild(&bench, 5, 1, 0, 0, 2) == CHAT_ERR_MISSING);
    EXPECT(enlist(&bench, 5, 1, 77) == CHAT_OK && bench.reply.locations[0].fresh);
    inbox_destroy(bench.inbox);
}

static void test_a_member_list_is_not_cached_across_a_forget(void)
{
    struct bench bench = {.inbox = create(true, 8), .now_ms = 1};
    struct chat_channel group = {900, 0};
    struct chat_member members[2] = {{3, 1, CHAT_NEVER}, {7, 1, CHAT_NEVER}};
    struct chat_effect ask = operation(CACHE_MEMBERS, 0, 0);
    ask.entry.channel = group;
    EXPECT(apply(&bench, &ask) == CHAT_ERR_MISSING);
    uint64_t version = inbox_members_version(bench.inbox, group);
    struct chat_effect forget = operation(CACHE_FORGET, 0, 0);
    forget.entry.channel = group;
    apply(&bench, &forget);
    inbox_members_offer(bench.inbox, group, version, 0, 2, members, 2);
    EXPECT(apply(&bench, &ask) == CHAT_ERR_MISSING);
    version = inbox_members_version(bench.inbox, group);
    inbox_members_offer(bench.inbox, group, version, 0, 2, members, 2);
    EXPECT(apply(&bench, &ask) == CHAT_OK);
    EXPECT(bench.reply.member_count == 2 && bench.reply.value == 2);
    ask.user = 3;
    EXPECT(apply(&bench, &ask) == CHAT_OK && bench.reply.member_count == 1);
    ask.op = CACHE_MEMBER;
    EXPECT(apply(&bench, &ask) == CHAT_OK && bench.reply.members[0].user == 3);
    ask.user = 4;
    EXPECT(apply(&bench, &ask) == CHAT_ERR_MISSING);
    EXPECT(inbox_counts(bench.inbox).members == 2);
    inbox_destroy(bench.inbox);
}

static void test_the_memory_limit_refuses_and_counts(void)
{
    struct inbox_config config = inbox_config_default(true);
    config.bytes = (struct inbox_bytes){.device = 10, .presence = 20, .list = 30, .element = 40};
    config.memory_max_bytes = 140;
    struct bench bench = {.inbox = inbox_create(&config), .now_ms = 1};
    EXPECT(enlist(&bench, 5, 1, 77) == CHAT_OK);
    EXPECT(inbox_counts(bench.inbox).memory_bytes == 30);
    EXPECT(append(&bench, 5, 100, 0) == CHAT_OK);
    EXPECT(inbox_counts(bench.inbox).memory_bytes == 100);
    EXPECT(append(&bench, 5, 101, 0) == CHAT_OK);
    EXPECT(append(&bench, 5, 102, 0) == CHAT_ERR_FAILED);
    at_position(&bench, CACHE_TRIM, 5, 1, position(1, 2), 0);
    EXPECT(inbox_counts(bench.inbox).memory_bytes == 30);
    EXPECT(inbox_counts(bench.inbox).refused == 1);
    inbox_destroy(bench.inbox);
}

/* The oracle. */

#define USERS 4u
#define DEVICES 2u
#define ENTRIES_MAX 4096u

struct naive_entry {
    uint64_t user;
    uint32_t device;
    uint64_t id;
    uint64_t number;
    bool gone;
};
struct naive {
    struct naive_entry entries[ENTRIES_MAX];
    uint32_t entry_count;
    uint64_t conns[USERS][DEVICES + 1]; /* conn_id, at gateway conn_id % 3. */
    bool pushed[USERS][DEVICES + 1];
};

static uint64_t prng_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t naive_last(const struct naive *naive, uint64_t user, uint32_t device)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < naive->entry_count; i++) {
        const struct naive_entry *e = &naive->entries[i];
        last += e->user == user && e->device == device;
    }
    return last;
}

static uint32_t naive_pending(const struct naive *naive, uint64_t user, uint32_t device,
                              uint64_t behind, uint64_t *first_id)
{
    uint32_t pending = 0;
    for (uint32_t i = 0; i < naive->entry_count; i++) {
        const struct naive_entry *e = &naive->entries[i];
        if (e->user == user && e->device == device && !e->gone && e->number > behind) {
            *first_id = pending++ == 0 ? e->id : *first_id;
        }
    }
    return pending;
}

static void naive_append(struct naive *naive, struct bench *bench, uint64_t user, uint32_t except,
                         uint64_t id)
{
    EXPECT(append(bench, user, id, except) == CHAT_OK);
    uint32_t at = 0;
    for (uint32_t device = 1; device <= DEVICES; device++) {
        if (device == except) {
            continue;
        }
        uint64_t number = naive_last(naive, user, device) + 1;
        naive->entries[naive->entry_count++] =
            (struct naive_entry){user, device, id, number, false};
        uint64_t conn = naive->conns[user][device];
        if (conn != 0 || !naive->pushed[user][device]) {
            const struct chat_location *location = &bench->reply.locations[at++];
            EXPECT(location->device == device && location->conn_id == conn);
            EXPECT(location->position == position(1, number));
            uint64_t first;
            EXPECT(location->pending == naive_pending(naive, user, device, 0, &first));
        }
        naive->pushed[user][device] = naive->pushed[user][device] || conn == 0;
    }
    EXPECT(bench->reply.location_count == at);
}

static void naive_look(struct naive *naive, struct bench *bench, uint64_t user, uint32_t device,
                       uint64_t number, bool contents)
{
    uint64_t first_id = 0;
    uint32_t pending = naive_pending(naive, user, device, number, &first_id);
    at_position(bench, CACHE_INBOX, user, device, position(1, number), 0);
    EXPECT(bench->reply.entry_count == (pending < CHAT_DRAIN_MAX ? pending : CHAT_DRAIN_MAX));
    EXPECT(bench->reply.value == position(1, naive_last(naive, user, device)));
    if (pending > 0 && contents) {
        EXPECT(bench->reply.entries[0].id == first_id);
    }
    uint64_t conn = naive->conns[user][device];
    bench->gateway = (uint32_t)(conn % 3);
    int32_t live = at_position(bench, CACHE_LIVE, user, device, position(1, number), conn);
    EXPECT(live == (conn == 0 ? CHAT_ERR_MISSING : pending == 0 ? CHAT_OK : CHAT_ERR_EXISTS));
}

static void naive_trim(struct naive *naive, struct bench *bench, uint64_t user, uint32_t device,
                       uint64_t number)
{
    at_position(bench, CACHE_TRIM, user, device, position(1, number), 0);
    for (uint32_t i = 0; i < naive->entry_count; i++) {
        struct naive_entry *e = &naive->entries[i];
        e->gone = e->gone || (e->user == user && e->device == device && e->number <= number);
    }
}

static void test_against_oracle(uint64_t seed, bool contents)
{
    static struct naive naive;
    memset(&naive, 0, sizeof naive);
    struct bench bench = {.inbox = create(contents, DEVICES), .now_ms = 1};
    uint64_t prng = seed;
    for (uint64_t user = 0; user < USERS; user++) {
        for (uint32_t device = 1; device <= DEVICES; device++) {
            EXPECT(enlist(&bench, user, device, 3) == CHAT_OK);
            EXPECT(rebuild(&bench, user, device, 0, 0, 1) == CHAT_OK);
            at_position(&bench, CACHE_UNREGISTER, user, device, 0, 3);
        }
    }
    for (uint64_t step = 1; step < 1500; step++) {
        uint64_t user = prng_next(&prng) % USERS;
        uint32_t device = 1 + (uint32_t)(prng_next(&prng) % DEVICES);
        uint64_t number = prng_next(&prng) % (naive_last(&naive, user, device) + 3);
        uint64_t *conn = &naive.conns[user][device];
        switch (prng_next(&prng) % 6) {
        case 0:
        case 1:
            naive_append(&naive, &bench, user, (uint32_t)(prng_next(&prng) % (DEVICES + 1)),
                         1000 + step);
            break;
        case 2:
            naive_trim(&naive, &bench, user, device, number);
            break;
        case 3:
            bench.gateway = (uint32_t)(step % 3);
            EXPECT(enlist(&bench, user, device, step) == CHAT_OK);
            EXPECT(bench.reply.locations[0].conn_id == *conn);
            EXPECT(bench.reply.value == DEVICES);
            *conn = step;
            naive.pushed[user][device] = false;
            break;
        case 4:
            bench.gateway = (uint32_t)(*conn % 3);
            at_position(&bench, CACHE_UNREGISTER, user, device, 0, *conn);
            *conn = 0;
            break;
        default:
            naive_look(&naive, &bench, user, device, number, contents);
        }
    }
    uint64_t pending = 0;
    uint64_t first_id;
    for (uint64_t user = 0; user < USERS; user++) {
        for (uint32_t device = 1; device <= DEVICES; device++) {
            pending += naive_pending(&naive, user, device, 0, &first_id);
        }
    }
    EXPECT(inbox_counts(bench.inbox).elements == pending);
    inbox_destroy(bench.inbox);
}

static void test_counted_users_exist_until_a_flush(void)
{
    struct bench bench = {.inbox = create(false, 2), .now_ms = 1};
    EXPECT(append(&bench, 9, 100, 0) == CHAT_OK && bench.reply.location_count == 2);
    EXPECT(!bench.reply.locations[0].fresh);
    EXPECT(enlist(&bench, 9, 3, 77) == CHAT_ERR_MISSING);
    inbox_place(bench.inbox, 10, 1, 0, 55, 7, 1);
    EXPECT(inbox_holds(bench.inbox, 10, 1, 0, 55, 2));
    EXPECT(inbox_counts(bench.inbox).elements == 9);
    inbox_failover(bench.inbox);
    EXPECT(inbox_counts(bench.inbox).elements == 9);
    EXPECT(append(&bench, 10, 101, 0) == CHAT_OK);
    EXPECT(bench.reply.locations[0].fresh && bench.reply.locations[0].position == position(2, 8));
    inbox_flush(bench.inbox);
    EXPECT(append(&bench, 9, 100, 0) == CHAT_ERR_MISSING);
    EXPECT(enlist(&bench, 9, 2, 77) == CHAT_OK);
    EXPECT(bench.reply.locations[0].fresh && bench.reply.value == 1);
    inbox_destroy(bench.inbox);
}

int main(void)
{
    test_an_unknown_user_is_missing_until_devices_are_named();
    test_a_wake_up_is_asked_for_once_until_the_device_registers();
    test_unregister_by_an_older_connection_changes_nothing();
    test_an_older_connection_registers_in_vain();
    test_presence_lives_as_long_as_its_gateway_and_the_dead_stay_dead();
    test_live_says_whether_anything_stands_behind();
    test_entries_expire_by_their_own_age();
    test_a_failover_loses_the_tail_and_begins_a_generation();
    test_a_fresh_inbox_is_not_read_and_is_rebuilt_in_one_generation();
    test_a_member_list_is_not_cached_across_a_forget();
    test_the_memory_limit_refuses_and_counts();
    test_counted_users_exist_until_a_flush();
    for (uint64_t seed = 1; seed <= 40; seed++) {
        test_against_oracle(seed, true);
        test_against_oracle(seed, false);
    }
    puts("inbox: ok");
    return 0;
}
