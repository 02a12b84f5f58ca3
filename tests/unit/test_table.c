/* A replica and a log by example; then three replicas that miss writes, against an oracle that saw
 * every write: what a majority answers must be what the oracle says. */
#include "models/infra/log.h"
#include "models/infra/table.h"

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

#define EPOCH_MS 1700000000000u
#define NOW_MS (EPOCH_MS + 1000)

static struct table *create(void)
{
    struct table_config config = table_config_default();
    config.unsure_ms = 0;
    struct table *table = table_create(&config);
    EXPECT(table != NULL);
    return table;
}

static struct chat_effect store_of(enum chat_op op)
{
    return (struct chat_effect){.kind = CHAT_FX_STORE, .op = (uint8_t)op};
}

static struct chat_effect read_of(enum chat_op op, uint64_t user)
{
    return (struct chat_effect){.kind = CHAT_FX_READ, .op = (uint8_t)op, .user = user};
}

static struct chat_effect message(uint64_t id, uint64_t sender, uint64_t recipient)
{
    struct chat_effect effect = store_of(STORE_MESSAGE);
    effect.user = recipient;
    effect.entry = (struct chat_entry){
        .kind = ENTRY_MESSAGE, .id = id, .user = sender, .channel = chat_pair(sender, recipient)};
    return effect;
}

static struct chat_effect receipt(uint64_t id, uint64_t sender, uint64_t recipient, uint32_t device,
                                  enum chat_entry_kind kind)
{
    struct chat_effect effect = message(id, sender, recipient);
    effect.op = STORE_RECEIPT;
    effect.user = sender;
    effect.device = device;
    effect.entry.user = recipient;
    effect.entry.kind = (uint8_t)kind;
    return effect;
}

static struct chat_effect change(enum chat_entry_kind kind, uint64_t user, uint64_t id)
{
    struct chat_effect effect = store_of(STORE_MEMBER);
    effect.entry = (struct chat_entry){.kind = (uint8_t)kind, .id = id, .user = user};
    effect.entry.channel.first = 900;
    return effect;
}

static struct table_reply reply;

static int32_t read_one(const struct table *table, const struct chat_effect *effect)
{
    table_quorum_read(&table, 1, effect, NOW_MS, &reply);
    return reply.err;
}

static void test_a_receipt_finds_its_message(void)
{
    struct table *table = create();
    struct chat_effect put = message(50, 1, 2);
    table_store(table, &put, NULL, NOW_MS);
    struct chat_effect ask = read_of(READ_RECEIPT, 2);
    ask.entry.id = 50;
    EXPECT(read_one(table, &ask) == CHAT_OK);
    EXPECT(reply.entries[0].user == 1 && reply.entries[0].channel.second == 2);
    ask.user = 3;
    EXPECT(read_one(table, &ask) == CHAT_ERR_MISSING);
    table_destroy(table);
}

static void test_unacked_is_by_device_and_in_order_of_id(void)
{
    struct table *table = create();
    for (uint64_t id = 60; id > 50; id--) {
        struct chat_effect put = message(id, 1, 2);
        table_store(table, &put, NULL, NOW_MS);
    }
    struct chat_effect ack = receipt(53, 1, 2, 7, ENTRY_DELIVERED);
    table_store(table, &ack, NULL, NOW_MS);
    struct chat_effect ask = read_of(READ_UNACKED, 2);
    ask.device = 7;
    ask.count = 3;
    ask.entry.id = 51;
    EXPECT(read_one(table, &ask) == CHAT_OK);
    EXPECT(reply.entry_count == 3);
    EXPECT(reply.entries[0].id == 52 && reply.entries[1].id == 54 && reply.entries[2].id == 55);
    ask.device = 8;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entries[1].id == 53);
    ask.entry.id = 60;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 0);
    table_quorum_read((const struct table *const[]){table}, 1, &ask, NOW_MS + (1ull << 40), &reply);
    EXPECT(reply.entry_count == 0); /* Expired. */
    table_destroy(table);
}

/* The gateway of the latest acknowledgement may have died before the sender was told; not so that
 * of one a minute before. */
static void test_the_latest_acknowledgements_are_not_sure(void)
{
    struct table_config config = table_config_default();
    struct table *table = table_create(&config);
    for (uint64_t id = 50; id < 53; id++) {
        struct chat_effect put = message(id, 1, 2);
        put.entry.device = 1;
        struct chat_effect ack = receipt(id, 1, 2, 7, ENTRY_DELIVERED);
        table_store(table, &put, NULL, NOW_MS);
        table_store(table, &ack, NULL, NOW_MS + (id - 50) * 40000);
    }
    struct chat_effect ask = read_of(READ_UNACKED, 2);
    ask.device = 7;
    ask.count = 9;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 2);
    EXPECT(reply.entries[0].id == 51 && reply.entries[1].id == 52);
    ask.user = 1; /* Of its own nobody is told. */
    ask.device = 1;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 0);
    table_destroy(table);
}

/* A quorum of each was written, and no replica asked has both. */
static void test_a_row_finds_its_message_at_another_replica(void)
{
    struct table *tables[2] = {create(), create()};
    struct chat_effect put = message(50, 1, 2);
    put.user = 0; /* The message alone. */
    table_store(tables[0], &put, NULL, NOW_MS);
    struct chat_effect row = receipt(50, 1, 2, 8, ENTRY_READ); /* Makes the row. */
    table_store(tables[1], &row, NULL, NOW_MS);
    struct chat_effect ask = read_of(READ_UNACKED, 2);
    ask.device = 7;
    ask.count = 1;
    table_quorum_read((const struct table *const *)tables, 2, &ask, NOW_MS, &reply);
    EXPECT(reply.entry_count == 1 && reply.entries[0].kind == ENTRY_MESSAGE);
    table_destroy(tables[0]);
    table_destroy(tables[1]);
}

/* Message by message and recipient by recipient, each with the most that any of his devices said.
 */
static void test_receipts_of_ones_own_messages_are_found_one_after_another(void)
{
    struct table *table = create();
    const struct chat_effect writes[] = {
        message(50, 1, 2),
        receipt(50, 1, 2, 7, ENTRY_READ),
        receipt(50, 1, 2, 8, ENTRY_DELIVERED),
        receipt(51, 1, 3, 1, ENTRY_DELIVERED), /* A group's: each member has a row. */
        receipt(51, 1, 2, 8, ENTRY_DELIVERED),
        receipt(52, 9, 2, 8, ENTRY_READ), /* Somebody else's. */
        message(53, 1, 2),                /* Nobody has it. */
        receipt(54, 1, 1, 2, ENTRY_READ), /* Seen on one's own other device. */
    };
    for (uint32_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        table_store(table, &writes[i], NULL, NOW_MS);
    }
    static const struct chat_entry told[] = {{.id = 50, .user = 2, .kind = ENTRY_READ},
                                             {.id = 51, .user = 2, .kind = ENTRY_DELIVERED},
                                             {.id = 51, .user = 3, .kind = ENTRY_DELIVERED}};
    struct chat_effect ask = read_of(READ_RECEIPTS, 1);
    for (uint32_t i = 0; i < 3; i++) {
        EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 1);
        EXPECT(reply.entries[0].id == told[i].id && reply.entries[0].user == told[i].user);
        EXPECT(reply.entries[0].kind == told[i].kind);
        ask.entry.id = reply.entries[0].id;
        ask.entry.user = reply.entries[0].user;
    }
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 0);
    ask.entry = (struct chat_entry){0};
    table_quorum_read((const struct table *const[]){table}, 1, &ask, NOW_MS + (1ull << 40), &reply);
    EXPECT(reply.entry_count == 0); /* Expired. */
    table_destroy(table);
}

static void test_history_pages_backwards(void)
{
    struct table *table = create();
    for (uint64_t id = 1; id <= 50; id++) {
        struct chat_effect put = message(id, 1, 2);
        table_store(table, &put, NULL, NOW_MS);
        table_store(table, &put, NULL, NOW_MS);
    }
    struct chat_effect ask = read_of(READ_HISTORY, 0);
    ask.entry.channel = chat_pair(1, 2);
    ask.entry.id = CHAT_NEVER;
    ask.count = 20;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 20);
    EXPECT(reply.entries[0].id == 50 && reply.entries[19].id == 31);
    ask.entry.id = 11;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 10);
    table_destroy(table);
}

static void test_membership_is_by_id_whatever_the_order_of_the_writes(void)
{
    struct table *table = create();
    struct chat_effect changes[] = {change(ENTRY_LEFT, 5, 20), change(ENTRY_JOINED, 5, 10),
                                    change(ENTRY_JOINED, 6, 10), change(ENTRY_JOINED, 7, 30),
                                    change(ENTRY_LEFT, 7, 25)};
    for (uint32_t i = 0; i < 5; i++) {
        table_store(table, &changes[i], NULL, NOW_MS);
    }
    struct chat_effect ask = read_of(READ_MEMBERS, 0);
    ask.entry.channel.first = 900;
    EXPECT(read_one(table, &ask) == CHAT_OK);
    EXPECT(reply.member_count == 3 && reply.value == 2);
    EXPECT(reply.members[0].joined == 10 && reply.members[0].left == 20);
    EXPECT(reply.members[1].left == CHAT_NEVER);
    EXPECT(reply.members[2].joined == 30 && reply.members[2].left == CHAT_NEVER);
    ask.op = READ_MEMBER;
    ask.user = 8;
    EXPECT(read_one(table, &ask) == CHAT_ERR_MISSING);
    table_destroy(table);
}

static void test_a_crash_takes_what_was_not_synced(void)
{
    struct table *table = create();
    struct chat_effect put = message(50, 1, 2);
    uint64_t record = table_store(table, &put, NULL, NOW_MS);
    table_sync(table, record);
    put = message(51, 1, 2);
    table_store(table, &put, NULL, NOW_MS);
    table_claim_put(table, 1, 1, 9, 51, 1, NOW_MS);
    uint64_t ballot;
    EXPECT(table_claim_get(table, 1, 1, 9, NOW_MS, &ballot) == 51 && ballot == 1);
    table_crash(table);
    EXPECT(table_claim_get(table, 1, 1, 9, NOW_MS, &ballot) == 0 && ballot == 0);
    struct chat_entry entry;
    EXPECT(table_message(table, 0, &entry) && entry.id == 50);
    EXPECT(!table_message(table, 1, &entry));
    EXPECT(table_written(table) == 1);
    table_destroy(table);
}

static void test_a_claim_keeps_its_highest_ballot_for_seven_days(void)
{
    struct table *table = create();
    uint64_t ballot;
    table_claim_put(table, 1, 1, 9, 100, 5, NOW_MS);
    table_claim_put(table, 1, 1, 9, 101, 4, NOW_MS);
    EXPECT(table_claim_get(table, 1, 1, 9, NOW_MS, &ballot) == 100 && ballot == 5);
    EXPECT(table_claim_get(table, 1, 2, 9, NOW_MS, &ballot) == 0);
    uint64_t week_ms = 7ull * 24 * 3600 * 1000;
    EXPECT(table_claim_get(table, 1, 1, 9, NOW_MS + week_ms - 1, &ballot) == 100);
    EXPECT(table_claim_get(table, 1, 1, 9, NOW_MS + week_ms, &ballot) == 0);
    table_destroy(table);
}

static void test_reservations_and_devices_only_grow(void)
{
    struct table *table = create();
    struct chat_effect put = store_of(STORE_RESERVE);
    put.user = 3;
    put.position = 200;
    table_store(table, &put, NULL, NOW_MS);
    put.position = 100;
    table_store(table, &put, NULL, NOW_MS);
    EXPECT(table_reserved(table, 3) == 200 && table_reserved(table, 4) == 0);
    put = store_of(STORE_DEVICE);
    put.user = 5;
    for (uint32_t i = 0; i < 2; i++) {
        put.device = 2;
        table_store(table, &put, NULL, NOW_MS);
        put.device = 1;
        table_store(table, &put, NULL, NOW_MS);
    }
    struct chat_effect ask = read_of(READ_DEVICES, 5);
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.device_count == 2 && reply.devices[0] == 1);
    ask.user = 6;
    EXPECT(read_one(table, &ask) == CHAT_ERR_MISSING);
    table_destroy(table);
}

static void test_by_watermark_a_receipt_covers_what_came_before_in_its_channel(void)
{
    struct table_config config = table_config_default();
    config.watermark = true;
    config.unsure_ms = 0;
    struct table *table = table_create(&config);
    struct chat_effect puts[] = {message(50, 1, 2), message(51, 3, 2), message(52, 1, 2),
                                 receipt(52, 1, 2, 7, ENTRY_DELIVERED)};
    for (uint32_t i = 0; i < 4; i++) {
        table_store(table, &puts[i], NULL, NOW_MS);
    }
    struct chat_effect ask = read_of(READ_UNACKED, 2);
    ask.device = 7;
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 1);
    EXPECT(reply.entries[0].id == 51);
    for (uint32_t i = 0; i < 2;
         i++) { /* In a group, one by another sender does not stand for it. */
        puts[i].entry.id += 10;
        puts[i].entry.channel = (struct chat_channel){900, 0};
        table_store(table, &puts[i], NULL, NOW_MS);
    }
    puts[3].user = 3;
    puts[3].entry.id = 61;
    puts[3].entry.channel = puts[0].entry.channel;
    table_store(table, &puts[3], NULL, NOW_MS);
    EXPECT(read_one(table, &ask) == CHAT_OK && reply.entry_count == 2);
    EXPECT(reply.entries[1].id == 60);
    table_destroy(table);
}

/* Three replicas, each write on two of them at least, each read from two. */

static uint64_t prng_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#define IDS 400u

struct oracle {
    bool stored[IDS];
    bool acked[IDS][3];
};

static void write_two(struct table *tables[3], uint64_t *prng, const struct chat_effect *effect)
{
    uint64_t left_out = prng_next(prng) % 4; /* 3: none. */
    for (uint64_t i = 0; i < 3; i++) {
        if (i != left_out) {
            table_store(tables[i], effect, NULL, NOW_MS);
        }
    }
}

static void read_two(struct table *tables[3], uint64_t *prng, const struct chat_effect *effect)
{
    uint64_t left_out = prng_next(prng) % 3;
    const struct table *two[2] = {tables[left_out == 0 ? 1 : 0], tables[left_out == 2 ? 1 : 2]};
    table_quorum_read(two, 2, effect, NOW_MS, &reply);
}

static void expect_unacked(const struct oracle *oracle, uint64_t from, uint32_t device,
                           uint32_t limit)
{
    uint32_t count = 0;
    for (uint64_t id = from + 1; id < IDS && count < limit && count < reply.entry_count; id++) {
        if (oracle->stored[id] && !oracle->acked[id][device]) {
            EXPECT(reply.entries[count].id == id);
            EXPECT(reply.entries[count].kind == ENTRY_MESSAGE);
            count++;
        }
    }
    EXPECT(count == reply.entry_count);
    for (uint64_t id = from + 1; id < IDS && count == 0; id++) {
        EXPECT(!oracle->stored[id] || oracle->acked[id][device]); /* Nothing means none. */
    }
}

static void expect_receipt(const struct oracle *oracle, uint64_t from)
{
    uint64_t id = from + 1;
    while (id < IDS && !oracle->acked[id][1] && !oracle->acked[id][2]) {
        id++;
    }
    EXPECT(reply.entry_count == (id < IDS));
    EXPECT(id == IDS || reply.entries[0].id == id);
    EXPECT(id == IDS || reply.entries[0].kind == (id % 2 == 0 ? ENTRY_READ : ENTRY_DELIVERED));
}

static void expect_history(const struct oracle *oracle, uint64_t before, uint32_t limit)
{
    uint32_t count = 0;
    for (uint64_t id = before; id-- > 1 && count < limit;) {
        if (oracle->stored[id]) {
            EXPECT(count < reply.entry_count && reply.entries[count].id == id);
            count++;
        }
    }
    EXPECT(count == reply.entry_count);
}

static void test_a_majority_knows_everything(uint64_t seed)
{
    struct table *tables[3] = {create(), create(), create()};
    struct oracle oracle;
    memset(&oracle, 0, sizeof oracle);
    uint64_t prng = seed;
    for (uint32_t step = 0; step < 1200; step++) {
        uint64_t id = 1 + prng_next(&prng) % (IDS - 1);
        uint32_t device = 1 + (uint32_t)(prng_next(&prng) % 2);
        struct chat_effect effect;
        switch (prng_next(&prng) % 9) {
        case 0:
        case 1:
            effect = message(id, 1, 2);
            write_two(tables, &prng, &effect);
            oracle.stored[id] = true;
            break;
        case 2:
        case 3:
        case 4:
            if (oracle.stored[id]) {
                effect = receipt(id, 1, 2, device, id % 2 == 0 ? ENTRY_READ : ENTRY_DELIVERED);
                write_two(tables, &prng, &effect);
                oracle.acked[id][device] = true;
            }
            break;
        case 5:
            table_repair(tables[id % 3], tables[(id + 1) % 3]);
            table_sync(tables[id % 3], table_written(tables[id % 3]));
            step += 50; /* It copies the whole log: not too often. */
            break;
        case 6:
            effect = read_of(READ_HISTORY, 0);
            effect.entry.channel = chat_pair(1, 2);
            effect.entry.id = id;
            effect.count = 5;
            read_two(tables, &prng, &effect);
            expect_history(&oracle, id, 5);
            break;
        case 7:
            effect = read_of(READ_RECEIPTS, 1);
            effect.entry = (struct chat_entry){.id = id / 2, .user = 2};
            read_two(tables, &prng, &effect);
            expect_receipt(&oracle, id / 2);
            break;
        default:
            effect = read_of(READ_UNACKED, 2);
            effect.device = device;
            effect.entry.id = id / 2;
            effect.count = 1 + (uint16_t)(step % 20);
            read_two(tables, &prng, &effect);
            expect_unacked(&oracle, id / 2, device, effect.count);
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        table_destroy(tables[i]);
    }
}

static void test_a_log_commits_without_holes_and_forgets_the_rest(void)
{
    struct log *log = log_create(2, 1);
    struct chat_entry entry = {.id = 7};
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT(log_append(log, 1, &entry) == i);
    }
    EXPECT(!log_read(log, 1, 0, &entry));
    log_raise(log, 1, 3);
    EXPECT(log_read(log, 1, 2, &entry) && !log_read(log, 1, 3, &entry));
    log_commit(log, 0, 1, 2);
    log_commit(log, 0, 1, 1);
    EXPECT(log_committed(log, 0, 1) == 0);
    EXPECT(log_rewind(log, 0, 1) == 0);
    log_commit(log, 0, 1, 0);
    EXPECT(log_committed(log, 0, 1) == 1);
    log_commit(log, 0, 1, 1);
    log_commit(log, 0, 1, 2);
    EXPECT(log_committed(log, 0, 1) == 3);
    EXPECT(log_truncate(log, 1) == 1 && log_next(log, 1) == 3);
    EXPECT(log_append(log, 1, &entry) == 3 && log_high(log, 0) == 0);
    log_destroy(log);
}

int main(void)
{
    test_a_receipt_finds_its_message();
    test_unacked_is_by_device_and_in_order_of_id();
    test_the_latest_acknowledgements_are_not_sure();
    test_a_row_finds_its_message_at_another_replica();
    test_receipts_of_ones_own_messages_are_found_one_after_another();
    test_history_pages_backwards();
    test_membership_is_by_id_whatever_the_order_of_the_writes();
    test_a_crash_takes_what_was_not_synced();
    test_a_claim_keeps_its_highest_ballot_for_seven_days();
    test_reservations_and_devices_only_grow();
    test_by_watermark_a_receipt_covers_what_came_before_in_its_channel();
    for (uint64_t seed = 1; seed <= 100; seed++) {
        test_a_majority_knows_everything(seed);
    }
    test_a_log_commits_without_holes_and_forgets_the_rest();
    puts("table: ok");
    return 0;
}
