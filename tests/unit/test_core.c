#include "tests/unit/core_bed.h"

static void test_the_ack_comes_after_claim_store_and_publish(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    write_to(bench, 0, chat_pair(ALICE, BOB), 1);
    uint64_t id = expect(bench, CHAT_FX_STORE, STORE_CLAIM)->entry.id;
    carry_on(bench, 1);
    const struct chat_effect *store = expect(bench, CHAT_FX_STORE, STORE_MESSAGE);
    assert_int_equal(store->entry.id, id);
    assert_int_equal(store->user, BOB);
    assert_null(find(bench, CHAT_FX_PUBLISH, 0, 0));
    carry_on(bench, 1);
    assert_int_equal(expect(bench, CHAT_FX_PUBLISH, 0)->entry.id, id);
    assert_null(sent(bench, FRAME_ACK, 0));
    carry_on(bench, 1);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->msg_id, id);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->client_key, 1);
    assert_int_equal(chat_counts(bench->chat).flights, 0);
    bench_destroy(bench);
}

static void test_the_loser_of_a_claim_takes_the_winners_id(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    write_to(bench, 0, chat_pair(ALICE, BOB), 1);
    uint64_t token = expect(bench, CHAT_FX_STORE, STORE_CLAIM)->token;
    uint64_t winner = expect(bench, CHAT_FX_STORE, STORE_CLAIM)->entry.id + 1000;
    step(bench, (struct chat_event){
                    .kind = CHAT_EV_DONE, .token = token, .err = CHAT_ERR_EXISTS, .value = winner});
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_MESSAGE)->entry.id, winner);
    carry_on(bench, 2);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->msg_id, winner);
    write_to(bench, 0, chat_pair(ALICE, BOB), 2); /* It mints above every id that it has seen. */
    assert_true(expect(bench, CHAT_FX_STORE, STORE_CLAIM)->entry.id > winner);
    bench_destroy(bench);
}

static void test_unknown_is_tried_again_with_the_same_id_and_a_new_token(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    write_to(bench, 0, chat_pair(ALICE, BOB), 1);
    struct chat_effect first = *expect(bench, CHAT_FX_STORE, STORE_CLAIM);
    done(bench, first.token, CHAT_ERR_UNKNOWN);
    assert_int_equal(bench->effects.count, 0);
    write_to(bench, 0, chat_pair(ALICE, BOB), 1); /* The device repeats what is under way. */
    assert_null(find(bench, CHAT_FX_STORE, 0, 0));
    wait_for(bench, CHAT_FX_STORE, STORE_CLAIM);
    const struct chat_effect *again = expect(bench, CHAT_FX_STORE, STORE_CLAIM);
    assert_int_equal(again->entry.id, first.entry.id);
    assert_int_equal(again->again, 1);
    assert_int_not_equal(again->token, first.token);
    bench_destroy(bench);
}

static void test_messages_to_one_channel_go_one_after_another(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    write_to(bench, 0, chat_pair(ALICE, BOB), 1);
    uint64_t first = expect(bench, CHAT_FX_STORE, STORE_CLAIM)->token;
    write_to(bench, 0, chat_pair(ALICE, BOB), 2);
    assert_int_equal(bench->effects.count, 0);
    write_to(bench, 0, chat_pair(ALICE, 3), 3); /* Another channel waits for nothing. */
    assert_non_null(find(bench, CHAT_FX_STORE, STORE_CLAIM, 0));
    done(bench, first, CHAT_OK);
    carry_on(bench, 2);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->client_key, 1);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_CLAIM)->client_key, 2);
    bench_destroy(bench);
}

static void test_what_is_behind_a_refused_message_waits_for_it(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.send_tries_max = 0;
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    write_to(bench, 0, chat_pair(ALICE, BOB), 1);
    uint64_t first = expect(bench, CHAT_FX_STORE, STORE_CLAIM)->token;
    write_behind(bench, 0, chat_pair(ALICE, BOB), 2);
    done(bench, first, CHAT_ERR_FAILED);
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_UNAVAILABLE);
    assert_int_equal(sent(bench, FRAME_ERROR, 1)->err, CHAT_ERR_BUSY); /* It had waited. */
    assert_int_equal(sent(bench, FRAME_ERROR, 1)->client_key, 2);
    write_behind(bench, 0, chat_pair(ALICE, BOB), 3); /* It was under way to here. */
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_BUSY);
    assert_int_equal(chat_counts(bench->chat).flights, 0);
    for (uint64_t key = 1; key <= 3; key++) { /* The device begins again. */
        (key == 1 ? write_to : write_behind)(bench, 0, chat_pair(ALICE, BOB), key);
        assert_null(sent(bench, FRAME_ERROR, 0));
    }
    assert_int_equal(chat_counts(bench->chat).flights, 3);
    bench_destroy(bench);
}

static void test_who_is_no_member_is_forbidden(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    write_to(bench, 0, chat_pair(BOB, 3), 1);
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_FORBIDDEN);
    write_to(bench, 0, GROUP, 2);
    done(bench, expect(bench, CHAT_FX_CACHE, CACHE_MEMBER)->token, CHAT_ERR_MISSING);
    done(bench, expect(bench, CHAT_FX_READ, READ_MEMBER)->token, CHAT_ERR_MISSING);
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_FORBIDDEN);
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->client_key, 2);
    assert_null(find(bench, CHAT_FX_STORE, 0, 0));
    bench_destroy(bench);
}

static void test_ids_rise_though_the_clock_steps_back(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    uint64_t last = 0;
    for (uint64_t key = 1; key <= 6; key++) {
        write_to(bench, 0, chat_pair(ALICE, 10 + key), key);
        uint64_t id = expect(bench, CHAT_FX_STORE, STORE_CLAIM)->entry.id;
        assert_true(id > last);
        last = id;
        bench->wall_ms -= 700;
    }
    const struct chat_frame forged = {.kind = FRAME_MSG,
                                      .channel = chat_pair(ALICE, BOB),
                                      .client_key = 9,
                                      .msg_id = last + ((uint64_t)3600000 << 22)};
    say(bench, 0, &forged); /* "after" an hour ahead. */
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_CLOCK);
    bench_destroy(bench);
}

/* Receipts under way do not keep a device from writing, nor does it get more than its share. */
static void test_a_full_table_is_answered_busy(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.session_sends_max = 2;
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    for (uint64_t n = 2; n < 6; n++) {
        route(bench, ENTRY_MESSAGE, n, AT(n));
        say_of(bench, FRAME_DELIVERED, n);
    }
    write_to(bench, 0, chat_pair(ALICE, BOB), 1);
    write_to(bench, 0, chat_pair(ALICE, 3), 2);
    assert_non_null(find(bench, CHAT_FX_STORE, STORE_CLAIM, 0));
    write_to(bench, 0, chat_pair(ALICE, 4), 3);
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_BUSY);
    assert_int_equal(chat_counts(bench->chat).refused, 1);
    bench_destroy(bench);
}

static void test_a_sender_is_alone_only_where_nobody_can_have_two_devices(void **state)
{
    (void)state;
    for (uint32_t devices = 1; devices <= 2; devices++) {
        struct chat_config config = small();
        config.devices_max = devices;
        struct bench *bench = bench_create(&config);
        resume(bench, 0, ALICE, 0);
        write_to(bench, 0, chat_pair(ALICE, BOB), 1);
        carry_on(bench, 2);
        struct chat_entry record = expect(bench, CHAT_FX_PUBLISH, 0)->entry;
        assert_int_equal(record.alone, devices == 1);
        step(bench, (struct chat_event){.kind = CHAT_EV_RECORD, .entries = &record, .count = 1});
        assert_int_equal(expect(bench, CHAT_FX_CACHE, CACHE_APPEND)->user, BOB);
        const struct chat_effect *own = find(bench, CHAT_FX_CACHE, CACHE_APPEND, 1);
        assert_int_equal(own != NULL, devices == 2);
        assert_true(own == NULL || (own->user == ALICE && own->device == 1));
        bench_destroy(bench);
    }
}

/* Whatever the clock says, it stands behind what its channel's log has before it. */
static void test_a_change_of_membership_is_above_all_that_came_before(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, 0);
    const struct chat_frame join = {
        .kind = FRAME_JOIN, .channel = GROUP, .user_id = BOB, .client_key = 1};
    say(bench, 0, &join);
    uint64_t soon = (bench->wall_ms + 2000 - 1700000000000u) << 22;
    const struct chat_member alice = {ALICE, soon - 9, CHAT_NEVER};
    const struct chat_member bob = {BOB, soon - 5, soon + 7};
    const struct chat_entry newest = {.kind = ENTRY_MESSAGE, .id = soon};
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                    .token = expect(bench, CHAT_FX_CACHE, CACHE_MEMBER)->token,
                                    .members = &alice,
                                    .count = 1});
    assert_true(expect(bench, CHAT_FX_READ, READ_HISTORY)->entry.id == CHAT_NEVER);
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                    .token = expect(bench, CHAT_FX_READ, READ_HISTORY)->token,
                                    .entries = &newest,
                                    .count = 1});
    assert_int_equal(expect(bench, CHAT_FX_READ, READ_MEMBER)->user, BOB);
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                    .token = expect(bench, CHAT_FX_READ, READ_MEMBER)->token,
                                    .members = &bob,
                                    .count = 1});
    assert_true(expect(bench, CHAT_FX_STORE, STORE_MEMBER)->entry.id > soon + 7);
    carry_on(bench, 1);
    expect(bench, CHAT_FX_CACHE, CACHE_FORGET); /* Before the ack: then the old list is gone. */
    carry_on(bench, 1);
    expect(bench, CHAT_FX_PUBLISH, 0);
    carry_on(bench, 1);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->status, FRAME_JOIN);
    write_to(bench, 0, GROUP, 2); /* A member writes above its own joining. */
    const struct chat_member late = {ALICE, soon + ((uint64_t)1000 << 22), CHAT_NEVER};
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                    .token = expect(bench, CHAT_FX_CACHE, CACHE_MEMBER)->token,
                                    .members = &late,
                                    .count = 1});
    assert_true(expect(bench, CHAT_FX_STORE, STORE_CLAIM)->entry.id > late.joined);
    bench_destroy(bench);
}

/* -- Connecting ---------------------------------------------------------------------------------
 */

static void test_what_is_routed_while_it_drains_is_not_stranded(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_WEBSOCKET, 0);
    const struct chat_location here = {
        .user = ALICE, .device = 1, .position = AT(2), .trimmed = AT(1)};
    answer_registered(bench, &here);
    const struct chat_entry entries[] = {
        {.kind = ENTRY_MESSAGE, .id = 50, .user = BOB, .position = AT(2)},
        {.kind = ENTRY_MESSAGE, .id = 51, .user = BOB, .position = AT(3)},
    };
    uint64_t token = expect(bench, CHAT_FX_CACHE, CACHE_INBOX)->token;
    route(bench, ENTRY_MESSAGE, 51, AT(3));
    assert_null(sent(bench, FRAME_MSG, 0)); /* It does not overtake what the inbox holds. */
    step(bench,
         (struct chat_event){
             .kind = CHAT_EV_DONE, .token = token, .value = AT(2), .entries = entries, .count = 1});
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 50);
    assert_int_equal(sent(bench, FRAME_MSG, 0)->again, 1);
    uint64_t ask = expect(bench, CHAT_FX_CACHE, CACHE_LIVE)->token;
    route(bench, ENTRY_MESSAGE, 51, AT(3)); /* After the check, before its answer. */
    done(bench, ask, CHAT_OK);
    answer_inbox(bench, &entries[1], 1, AT(3));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 51);
    route(bench, ENTRY_MESSAGE, 52, AT(4));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 52); /* Live. */
    bench_destroy(bench);
}

static void test_the_newest_connection_replaces_the_older(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_WEBSOCKET, 0);
    const struct chat_location here = {
        .user = ALICE, .device = 1, .gateway = 9, .conn_id = 77, .position = AT(0)};
    answer_registered(bench, &here);
    const struct chat_effect *kick = expect(bench, CHAT_FX_ROUTE, 0);
    assert_int_equal(kick->entry.kind, ENTRY_KICK);
    assert_true(kick->gateway == 9 && kick->conn_id == 77);
    route(bench, ENTRY_KICK, 0, 0); /* And is replaced in turn. */
    assert_int_equal(expect(bench, CHAT_FX_DROP, 0)->err, CHAT_ERR_REPLACED);
    assert_null(find(bench, CHAT_FX_CACHE, CACHE_UNREGISTER, 0));
    route(bench, ENTRY_MESSAGE, 50, AT(1)); /* Presence that points here is stale. */
    assert_int_equal(expect(bench, CHAT_FX_CACHE, CACHE_UNREGISTER)->conn_id, CONN(0));
    bench_destroy(bench);
}

static void test_an_older_connection_that_registers_late_is_dropped(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    step(bench, (struct chat_event){.kind = CHAT_EV_OPEN,
                                    .conn_id = CONN(0),
                                    .user_id = ALICE,
                                    .device_id = 1,
                                    .value = 12});
    assert_int_equal(expect(bench, CHAT_FX_CACHE, CACHE_REGISTER)->position, 12);
    done(bench, expect(bench, CHAT_FX_CACHE, CACHE_REGISTER)->token, CHAT_ERR_EXISTS);
    assert_int_equal(expect(bench, CHAT_FX_DROP, 0)->err, CHAT_ERR_REPLACED);
    assert_int_equal(bench->effects.count, 1); /* It kicks nobody. */
    assert_int_equal(chat_counts(bench->chat).flights, 0);
    assert_int_equal(chat_counts(bench->chat).sessions, 0);
    bench_destroy(bench);
}

/* Messages, then receipts of one's own: none is known to have been told. */
static void test_an_inbox_that_was_lost_is_rebuilt_from_the_store(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_WEBSOCKET, 0);
    const struct chat_location here = {
        .user = ALICE, .device = 1, .position = AT(0), .trimmed = AT(0), .fresh = true};
    answer_registered(bench, &here);
    carry_on(bench, 1); /* STORE_DEVICE */
    const struct chat_entry found[] = {
        {.kind = ENTRY_MESSAGE, .id = 50, .user = BOB, .channel = chat_pair(ALICE, BOB)},
        {.kind = ENTRY_READ, .id = 40, .user = BOB, .channel = chat_pair(ALICE, BOB)},
        {.kind = ENTRY_DELIVERED, .id = 40, .user = 3, .channel = GROUP},
    };
    for (uint32_t i = 0; i < 3; i++) {
        const struct chat_effect *read =
            expect(bench, CHAT_FX_READ, i == 0 ? READ_UNACKED : READ_RECEIPTS);
        assert_true(read->entry.id == (i == 2 ? 40 : 0) && read->entry.user == (i == 2 ? BOB : 0));
        step(bench,
             (struct chat_event){
                 .kind = CHAT_EV_DONE, .token = read->token, .entries = &found[i], .count = 1});
        const struct chat_effect *rebuild = expect(bench, CHAT_FX_CACHE, CACHE_REBUILD);
        assert_memory_equal(&rebuild->entry, &found[i], sizeof found[i]);
        assert_true(rebuild->user == ALICE && rebuild->position == AT(0));
        carry_on(bench, 1 + (i == 0)); /* There is no more to be read of the kind. */
    }
    assert_int_equal(expect(bench, CHAT_FX_READ, READ_RECEIPTS)->entry.user, 3);
    carry_on(bench, 1);
    assert_int_equal(expect(bench, CHAT_FX_CACHE, CACHE_REBUILD)->entry.kind, 0);
    done(bench, expect(bench, CHAT_FX_CACHE, CACHE_REBUILD)->token, CHAT_ERR_MISSING);
    expect(bench, CHAT_FX_CACHE, CACHE_REGISTER); /* Another generation has begun: from the top. */
    bench_destroy(bench);
}

static void test_a_hole_is_filled_from_the_inbox(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_MESSAGE, 53, AT(3));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 53);
    wait_for(bench, CHAT_FX_CACHE, CACHE_INBOX);
    const struct chat_entry entries[] = {
        {.kind = ENTRY_MESSAGE, .id = 52, .user = BOB, .position = AT(2)},
        {.kind = ENTRY_MESSAGE, .id = 53, .user = BOB, .position = AT(3)},
    };
    answer_inbox(bench, entries, 2, AT(3));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 52);
    assert_null(sent(bench, FRAME_MSG, 1)); /* 53 went out before. */
    bench_destroy(bench);
}

/* -- Receipts -----------------------------------------------------------------------------------
 */

static void test_the_inbox_is_trimmed_after_the_receipt_is_kept_and_told(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_MESSAGE, 50, AT(2));
    say_of(bench, FRAME_DELIVERED, 50);
    const struct chat_effect *store = expect(bench, CHAT_FX_STORE, STORE_RECEIPT);
    assert_true(store->user == BOB && store->entry.user == ALICE && store->entry.id == 50);
    carry_on(bench, 1);
    assert_int_equal(expect(bench, CHAT_FX_CACHE, CACHE_APPEND)->user, BOB);
    assert_null(trimmed(bench));
    carry_on(bench, 1);
    assert_int_equal(trimmed(bench)->position, AT(2));
    assert_int_equal(chat_counts(bench->chat).unacked, 0);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_ack_comes_after_claim_store_and_publish),
        cmocka_unit_test(test_the_loser_of_a_claim_takes_the_winners_id),
        cmocka_unit_test(test_unknown_is_tried_again_with_the_same_id_and_a_new_token),
        cmocka_unit_test(test_messages_to_one_channel_go_one_after_another),
        cmocka_unit_test(test_what_is_behind_a_refused_message_waits_for_it),
        cmocka_unit_test(test_who_is_no_member_is_forbidden),
        cmocka_unit_test(test_ids_rise_though_the_clock_steps_back),
        cmocka_unit_test(test_a_full_table_is_answered_busy),
        cmocka_unit_test(test_a_sender_is_alone_only_where_nobody_can_have_two_devices),
        cmocka_unit_test(test_a_change_of_membership_is_above_all_that_came_before),
        cmocka_unit_test(test_what_is_routed_while_it_drains_is_not_stranded),
        cmocka_unit_test(test_the_newest_connection_replaces_the_older),
        cmocka_unit_test(test_an_older_connection_that_registers_late_is_dropped),
        cmocka_unit_test(test_an_inbox_that_was_lost_is_rebuilt_from_the_store),
        cmocka_unit_test(test_a_hole_is_filled_from_the_inbox),
        cmocka_unit_test(test_the_inbox_is_trimmed_after_the_receipt_is_kept_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
