/* redis: what it answers, in both modes; and its inline path, against inbox_apply(). */
#include "models/infra/inbox_counted.h"
#include "tests/unit/redis_bed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

static void test_entries_travel_as_one_packet_that_ends_with_the_last_position(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    bed->plan.run.contents = true;
    bed->plan.redis.nic_bytes_per_s = 1000000; /* So that rows apart would be told apart. */
    redis_bed_start(bed, 0);
    struct call call = redis_bed_append(1, 4, 100, 2);
    redis_bed_call(bed, 1 * MS, 0, 0, &call);
    call = redis_bed_append(2, 4, 101, 0);
    redis_bed_call(bed, 2 * MS, 0, 0, &call);
    call = (struct call){.op = CACHE_REBUILD | 0x8000, .argument = 1, .entry = {.more = 4}};
    redis_bed_call(bed, 2 * MS, 0, 1, &call); /* The rebuilding is complete. */
    call = redis_bed_key(CACHE_INBOX, 3, 4, 0, POSITION(1));
    redis_bed_call(bed, 3 * MS, 0, 1, &call);
    call = redis_bed_key(CACHE_INBOX, 4, 4, 0, POSITION(2));
    redis_bed_call(bed, 4 * MS, 0, 1, &call);
    call = redis_bed_key(CACHE_INBOX, 5, 4, 0, 0);
    redis_bed_call(bed, 5 * MS, 0, 2, &call);
    sim_run(bed->sim, 10 * MS);
    const struct redis_host *host = &bed->hosts[0];
    assert_int_equal(host->count, 6);
    struct reply entry = redis_bed_reply(host, host->kept[2].data[1] == 101 ? 2 : 3);
    struct reply end = redis_bed_reply(host, host->kept[2].data[1] == 101 ? 3 : 2);
    assert_int_equal(host->kept[2].time_ns, host->kept[3].time_ns);
    assert_int_equal(entry.row, ROW_ENTRY);
    assert_int_equal(entry.entry.id, 101);
    assert_int_equal(entry.entry.more, 2);
    assert_int_equal(entry.value_low, 1);
    assert_int_equal(entry.total, 2);
    assert_int_equal(end.row, ROW_NONE);
    assert_int_equal(end.total, 2);
    assert_int_equal(end.index, 1);
    assert_int_equal(end.plain.value, POSITION(2));
    end = redis_bed_reply(host, 4); /* Nothing behind. */
    assert_int_equal(end.row, ROW_NONE);
    assert_int_equal(end.total, 1);
    assert_int_equal(end.plain.value, POSITION(2));
    assert_int_equal(redis_bed_reply(host, 5).err, CHAT_ERR_MISSING); /* No such device. */
    redis_bed_destroy(bed);
}

static void test_far_users_are_woken_and_take_no_memory(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    redis_bed_start(bed, 10);
    uint64_t bytes = inbox_counts(redis_inbox(bed->shard)).memory_bytes;
    const uint32_t users[] = {4000000000u, 11, 11};
    for (uint32_t i = 0; i < 3; i++) {
        const struct call call = redis_bed_append(1 + i, users[i], 9, 0);
        redis_bed_call(bed, (1 + i) * MS, 0, 0, &call);
    }
    struct call call = redis_bed_key(CACHE_LOCATE, 8, 11, 0, 0);
    redis_bed_call(bed, 5 * MS, 0, 0, &call);
    call = redis_bed_key(CACHE_TRIM, 0, 11, 0, 4);
    redis_bed_call(bed, 6 * MS, 0, 1, &call);
    sim_run(bed->sim, 10 * MS);
    assert_int_equal(bed->hosts[0].count, 4);
    for (uint32_t i = 0; i < 3; i++) {
        const struct reply reply = redis_bed_reply(&bed->hosts[0], i);
        assert_int_equal(reply.row, ROW_LOCATION);
        assert_int_equal(reply.total, 1);
        assert_int_equal(reply.location.user, users[i]);
        assert_int_equal(reply.location.device, 1);
        assert_int_equal(reply.location.conn_id, 0);
        assert_int_equal(reply.location.flags, 0);
    }
    const struct reply located = redis_bed_reply(&bed->hosts[0], 3);
    assert_int_equal(located.err, CHAT_OK);
    assert_int_equal(located.row, ROW_NONE);
    assert_int_equal(inbox_counts(redis_inbox(bed->shard)).memory_bytes, bytes);
    redis_bed_destroy(bed);
}

static void test_counted_inboxes_say_how_many_rows_there_would_be(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    redis_bed_start(bed, 10);
    inbox_place(redis_inbox(bed->shard), 3, 1, 0, 0, 5, WALL_BASE_MS);
    struct call call = redis_bed_key(CACHE_INBOX, 1, 3, 0, 0);
    redis_bed_call(bed, 1 * MS, 0, 1, &call);
    call = redis_bed_key(CACHE_TRIM, 0, 3, 0, POSITION(4));
    redis_bed_call(bed, 2 * MS, 0, 1, &call);
    call = redis_bed_key(CACHE_INBOX, 2, 3, 0, 0);
    redis_bed_call(bed, 3 * MS, 0, 1, &call);
    sim_run(bed->sim, 10 * MS);
    struct reply reply = redis_bed_reply(&bed->hosts[0], 0);
    assert_int_equal(reply.row, ROW_NONE);
    assert_int_equal(reply.plain.value, POSITION(5));
    assert_int_equal(reply.value_low, 5);
    reply = redis_bed_reply(&bed->hosts[0], 1);
    assert_int_equal(reply.value_low, 1);
    redis_bed_destroy(bed);
}

static void test_member_lists_are_found_as_often_as_a_cache_would(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    bed->plan.population.groups = 1000;
    bed->plan.population.group_share = 0.5;
    bed->plan.population.message_rate_per_s = 1000;
    bed->plan.core.member_cache_ttl_ns = 6000 * MS; /* a T = 3: 3 of 4 hit. */
    redis_bed_start(bed, 10);
    for (uint32_t i = 0; i < 20000; i++) {
        struct call call = {.token = i + 1, .op = CACHE_MEMBERS};
        call.entry.first = 1 + i % 1000;
        redis_bed_call(bed, i * 10000u, 0, 0, &call);
    }
    sim_run(bed->sim, 1000 * MS);
    assert_int_equal(bed->hosts[0].count, 20000);
    uint32_t hits = 0;
    for (uint32_t i = 0; i < REDIS_BED_KEPT_MAX; i++) {
        const struct reply reply = redis_bed_reply(&bed->hosts[0], i);
        assert_true(reply.err == CHAT_OK || reply.err == CHAT_ERR_MISSING);
        hits += reply.err == CHAT_OK;
    }
    assert_true(hits > REDIS_BED_KEPT_MAX * 0.65 && hits < REDIS_BED_KEPT_MAX * 0.85);
    struct resource_use uses[RESOURCE_COUNT] = {{0, 0}};
    redis_use(bed->shard, uses);
    double held = (double)inbox_counts(redis_inbox(bed->shard)).memory_bytes;
    assert_true(fabs(uses[RESOURCE_MEMORY].used - held - 750 * (200 + 10 * 24)) < 1);
    redis_bed_destroy(bed);
}

/* Members 5 and 6 of group 9, the second of them first, as of a version. */
static void offer(struct redis_bed *bed, uint64_t at_ns, uint64_t version)
{
    for (uint16_t i = 2; i-- > 0;) {
        struct call call = {.token = version, .op = REDIS_OFFER | 0x8000, .argument = i};
        call.key.conn_id = 1;
        call.key.position = CHAT_NEVER;
        call.key.channel = 9;
        call.key.user = 5u + i;
        call.key.id = 2 << 16 | 2;
        redis_bed_call(bed, at_ns + i, 0, 0, &call);
    }
}

static void test_a_page_of_members_is_cached_unless_it_was_forgotten(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    bed->plan.run.contents = true;
    redis_bed_start(bed, 10);
    struct call ask = {.token = 1, .op = CACHE_MEMBERS, .entry = {.first = 9}};
    redis_bed_call(bed, 1 * MS, 0, 0, &ask);
    sim_run(bed->sim, 2 * MS);
    struct reply reply = redis_bed_reply(&bed->hosts[0], 0);
    assert_int_equal(reply.err, CHAT_ERR_MISSING);
    uint64_t version = reply.plain.value;
    struct call forget = {.op = CACHE_FORGET | 0x8000, .entry = {.first = 9}};
    redis_bed_call(bed, 3 * MS, 0, 0, &forget);
    offer(bed, 4 * MS, version);
    redis_bed_call(bed, 5 * MS, 0, 0, &ask);
    sim_run(bed->sim, 6 * MS);
    reply = redis_bed_reply(&bed->hosts[0], 1);
    assert_int_equal(reply.err, CHAT_ERR_MISSING);
    offer(bed, 7 * MS, reply.plain.value);
    redis_bed_call(bed, 8 * MS, 0, 0, &ask);
    sim_run(bed->sim, 9 * MS);
    assert_int_equal(bed->hosts[0].count, 4); /* Two rows. */
    for (uint32_t i = 0; i < 2; i++) {
        reply = redis_bed_reply(&bed->hosts[0], 2 + i);
        assert_int_equal(reply.row, ROW_MEMBER);
        assert_int_equal(reply.member.user, 5 + i);
        assert_true(reply.member.joined == 1 && reply.member.left == CHAT_NEVER);
    }
    redis_bed_destroy(bed);
}

static void test_a_second_device_exists_only_where_the_plan_has_one(void **state)
{
    (void)state;
    struct redis_bed *bed = redis_bed_create();
    bed->world.devices_per_user = 2;
    bed->world.near = 10;
    bed->plan.redis.nic_bytes_per_s = 1000000;
    bed->world.client_count = 14; /* Users 1 to 4 have two. */
    redis_bed_start(bed, 10);
    assert_int_equal(inbox_counts(redis_inbox(bed->shard)).devices, 14 + 2); /* And user 0. */
    struct call call = redis_bed_append(1, 4, 9, 0);
    redis_bed_call(bed, 1 * MS, 0, 0, &call);
    call = redis_bed_append(2, 5, 9, 0);
    redis_bed_call(bed, 2 * MS, 0, 0, &call);
    call = redis_bed_append(3, 3, 9, 0);
    redis_bed_call(bed, 3 * MS, 0, 2, &call); /* Sent from device 2: only to device 1. */
    sim_run(bed->sim, 10 * MS);
    const struct redis_host *host = &bed->hosts[0];
    assert_int_equal(host->count, 4);
    assert_int_equal(redis_bed_reply(host, 0).total, 2);
    assert_int_equal(host->kept[0].time_ns, host->kept[1].time_ns);
    assert_int_equal(redis_bed_reply(host, 2).total, 1);
    assert_int_equal(redis_bed_reply(host, 2).location.device, 1);
    assert_int_equal(redis_bed_reply(host, 3).location.device, 1);
    redis_bed_destroy(bed);
}

/* -- The inline path, against inbox_apply() -----------------------------------------------------
 */

static void locations_agree(const struct inbox_reply *reply, bool told,
                            const struct inbox_located *located)
{
    assert_int_equal(reply->location_count, told);
    if (told) {
        assert_int_equal(reply->locations[0].conn_id, located->conn_id);
        assert_int_equal(reply->locations[0].position, located->position);
        assert_int_equal(reply->locations[0].trimmed, located->trimmed);
        assert_int_equal(reply->locations[0].gateway, located->gateway);
        assert_int_equal(reply->locations[0].fresh, located->fresh);
        assert_int_equal(reply->locations[0].pushed, located->pushed);
    }
}

/* One operation on both: `quick` inline, `plain` by inbox_apply(). */
static void both_do(struct inbox *quick, struct inbox *plain, uint32_t op, uint32_t user,
                    uint64_t position, uint64_t now_ms, struct inbox_reply *reply)
{
    struct chat_effect effect = {.kind = CHAT_FX_CACHE, .op = (uint8_t)op, .user = user};
    effect.position = op == CACHE_TRIM ? position : 0;
    effect.device = op == CACHE_APPEND || op == CACHE_LOCATE ? 0 : 1;
    effect.conn_id = op == CACHE_REGISTER || op == CACHE_UNREGISTER ? 1 + position % 3 : 0;
    uint32_t gateway = user % 4;
    inbox_apply(plain, gateway, &effect, NULL, now_ms, reply);
    const struct inbox_view view = inbox_view(quick);
    struct slot *slot = inbox_counted_slots(&view, user);
    struct inbox_located located;
    if (!inbox_counted_known(slot) || op == CACHE_REGISTER || op == CACHE_UNREGISTER) {
        int32_t err = reply->err;
        inbox_apply(quick, gateway, &effect, NULL, now_ms, reply);
        assert_int_equal(err, reply->err);
    } else if (op == CACHE_APPEND) {
        locations_agree(reply, inbox_counted_append(quick, slot, now_ms, &located), &located);
    } else if (op == CACHE_LOCATE) {
        locations_agree(reply, inbox_counted_locate(quick, slot, now_ms, &located), &located);
    } else {
        inbox_counted_trim(quick, slot, position);
    }
}

static void test_the_inline_path_does_what_inbox_apply_does(void **state)
{
    (void)state;
    static const uint8_t ops[] = {CACHE_APPEND, CACHE_APPEND,   CACHE_APPEND,    CACHE_TRIM,
                                  CACHE_LOCATE, CACHE_REGISTER, CACHE_UNREGISTER};
    struct inbox_config config = inbox_config_default(false);
    config.gateways_max = 4;
    config.stride = 7;
    config.rest = 0;
    config.users_max = 20;
    struct inbox *quick = inbox_create(&config);
    struct inbox *plain = inbox_create(&config);
    struct inbox_reply *reply = malloc(sizeof *reply);
    assert_true(quick != NULL && plain != NULL && reply != NULL);
    const struct rng_stream stream = rng_stream(3, "operations");
    uint64_t now_ms = WALL_BASE_MS;
    for (uint32_t i = 0; i < 200000; i++) {
        struct rng_bits draw = rng_draw(&stream, 0, i);
        uint32_t user = 7 * (uint32_t)(draw.word[0] % 20);
        uint32_t what = (uint32_t)(draw.word[0] >> 32) % 1000;
        now_ms += draw.word[1] % 100;
        uint64_t generation = inbox_counts(plain).generation - (what % 20 == 0);
        uint64_t position = generation << INBOX_POSITION_BITS | (draw.word[1] >> 32) % 100;
        if (what == 0) {
            inbox_failover(quick);
            inbox_failover(plain);
        } else if (what == 1 && i % 5 == 0) {
            inbox_flush(quick);
            inbox_flush(plain);
        } else if (what == 2) {
            inbox_gateway_started(quick, user % 4, now_ms);
            inbox_gateway_started(plain, user % 4, now_ms);
        } else if (what < 6) { /* Seldom enough to come too late now and then. */
            assert_int_equal(inbox_refresh(quick, user % 4, now_ms),
                             inbox_refresh(plain, user % 4, now_ms));
        } else {
            both_do(quick, plain, ops[what % 7], user, position, now_ms, reply);
        }
        const struct inbox_counts a = inbox_counts(quick);
        const struct inbox_counts b = inbox_counts(plain);
        assert_memory_equal(&a, &b, sizeof a);
    }
    assert_true(inbox_counts(plain).registered > 0 && inbox_counts(plain).elements > 0);
    inbox_destroy(quick);
    inbox_destroy(plain);
    free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_travel_as_one_packet_that_ends_with_the_last_position),
        cmocka_unit_test(test_far_users_are_woken_and_take_no_memory),
        cmocka_unit_test(test_counted_inboxes_say_how_many_rows_there_would_be),
        cmocka_unit_test(test_member_lists_are_found_as_often_as_a_cache_would),
        cmocka_unit_test(test_a_page_of_members_is_cached_unless_it_was_forgotten),
        cmocka_unit_test(test_a_second_device_exists_only_where_the_plan_has_one),
        cmocka_unit_test(test_the_inline_path_does_what_inbox_apply_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
