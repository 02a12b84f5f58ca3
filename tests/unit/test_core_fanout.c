#include "tests/unit/core_bed.h"

/* Position 2 is a receipt that comes late, so 3 was sent before it: that the device has 3 does not
 * say that it has 2. */
static void test_what_was_sent_ahead_confirms_nothing_before_it(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_MESSAGE, 53, AT(3));
    route(bench, ENTRY_READ, 40, AT(2));
    assert_int_equal(sent(bench, FRAME_RECEIPT, 0)->msg_id, 40);
    say_of(bench, FRAME_DELIVERED, 53);
    carry_on(bench, 2);
    assert_null(trimmed(bench));
    wait_for(bench, CHAT_FX_SEND, 0);
    assert_int_equal(sent(bench, FRAME_PING, 0)->position, AT(3));
    const struct chat_frame pong = {.kind = FRAME_PONG, .position = AT(3)};
    say(bench, 0, &pong);
    assert_int_equal(trimmed(bench)->position, AT(3));
    bench_destroy(bench);
}

/* A record that was consumed twice stands in the inbox twice, with a receipt between. */
static void test_each_copy_of_a_message_speaks_for_itself(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_MESSAGE, 50, AT(2));
    route(bench, ENTRY_READ, 40, AT(3));
    route(bench, ENTRY_MESSAGE, 50, AT(4));
    say_of(bench, FRAME_DELIVERED, 50);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(2));
    say_of(bench, FRAME_DELIVERED, 50); /* The second has arrived: nothing is stored again. */
    assert_null(find(bench, CHAT_FX_READ, 0, 0));
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(4));
    assert_int_equal(chat_counts(bench->chat).unacked, 0);
    bench_destroy(bench);
}

static void test_a_delivered_that_finds_no_room_is_stored_later(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.records_max = 1;
    config.flights_max = 2;
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    uint64_t tokens[2];
    for (uint64_t n = 2; n < 5; n++) {
        route(bench, ENTRY_MESSAGE, 50 + n, AT(n));
        say_of(bench, FRAME_DELIVERED, 50 + n);
        if (n < 4) {
            tokens[n - 2] = expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->token;
        }
    }
    assert_int_equal(bench->effects.count, 0);
    done(bench, tokens[0], CHAT_OK);
    carry_on(bench, 1);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->entry.id, 54);
    bench_destroy(bench);
}

static void test_a_receipt_comes_from_a_recipient_only(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    say_of(bench, FRAME_READ, 60);
    assert_int_equal(expect(bench, CHAT_FX_READ, READ_RECEIPT)->entry.user, ALICE);
    done(bench, expect(bench, CHAT_FX_READ, READ_RECEIPT)->token, CHAT_ERR_MISSING);
    while (sent(bench, FRAME_ERROR, 0) == NULL) {
        wait_for(bench, CHAT_FX_READ, READ_RECEIPT);
        done(bench, expect(bench, CHAT_FX_READ, READ_RECEIPT)->token, CHAT_ERR_MISSING);
    }
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->err, CHAT_ERR_FORBIDDEN);
    assert_int_equal(sent(bench, FRAME_ERROR, 0)->status, FRAME_READ);
    bench_destroy(bench);
}

static void test_a_watermark_stands_for_one_sender_and_what_was_sent_before(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.receipts = RECEIPTS_WATERMARK;
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_MESSAGE, 50, AT(2));
    route(bench, ENTRY_MESSAGE, 53, AT(3));
    route(bench, ENTRY_MESSAGE, 51, AT(4)); /* Lower, but sent after. */
    say_of(bench, FRAME_DELIVERED, 53);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(3));
    say_of(bench, FRAME_DELIVERED, 51);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->entry.id, 51);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(4));
    bench_destroy(bench);
}

/* The receipt of 50 took in 53, and is no longer found by its own id. */
static void test_by_watermark_a_second_copy_is_settled_too(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.receipts = RECEIPTS_WATERMARK;
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_MESSAGE, 50, AT(2));
    route(bench, ENTRY_MESSAGE, 53, AT(3));
    route(bench, ENTRY_MESSAGE, 50, AT(4));
    say_of(bench, FRAME_DELIVERED, 50);
    uint64_t store = expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->token;
    say_of(bench, FRAME_DELIVERED, 53);
    say_of(bench, FRAME_DELIVERED, 50);
    done(bench, store, CHAT_OK);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->entry.id, 53);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(4));
    assert_int_equal(chat_counts(bench->chat).unacked, 0);
    bench_destroy(bench);
}

/* What was sent beyond a hole is still asked after when all before the hole is confirmed. */
static void test_a_receipt_sent_ahead_is_asked_after(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_DELIVERED, 40, AT(2));
    route(bench, ENTRY_DELIVERED, 42, AT(4));
    const struct chat_frame pong = {.kind = FRAME_PONG, .position = AT(2)};
    say(bench, 0, &pong);
    assert_int_equal(trimmed(bench)->position, AT(2));
    route(bench, ENTRY_MESSAGE, 50, AT(3));
    say_of(bench, FRAME_DELIVERED, 50);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(3));
    wait_for(bench, CHAT_FX_SEND, 0);
    assert_int_equal(sent(bench, FRAME_PING, 0)->position, AT(4));
    bench_destroy(bench);
}

/* It may be said again on a new connection, before what that one sends has arrived. */
static void test_a_read_says_nothing_of_what_was_sent(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    route(bench, ENTRY_DELIVERED, 40, AT(2));
    route(bench, ENTRY_MESSAGE, 50, AT(3));
    say_of(bench, FRAME_READ, 50);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->entry.kind, ENTRY_READ);
    carry_on(bench, 2);
    assert_null(trimmed(bench));
    say_of(bench, FRAME_DELIVERED, 50);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(3));
    bench_destroy(bench);
}

static void test_watermarks_wait_for_each_other(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.receipts = RECEIPTS_WATERMARK;
    config.window_ns = 1000000000u;
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    uint64_t from_ns = bench->now_ns;
    for (uint64_t n = 2; n < 7; n++) {
        route(bench, ENTRY_MESSAGE, 50 + n, AT(n));
        say_of(bench, FRAME_DELIVERED, 50 + n);
        assert_int_equal(bench->effects.count, 0);
    }
    wait_for(bench, CHAT_FX_STORE, STORE_RECEIPT);
    assert_true(bench->now_ns - from_ns >= config.window_ns);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->entry.id, 56);
    carry_on(bench, 2); /* Stored once, told once. */
    assert_int_equal(trimmed(bench)->position, AT(6));
    assert_int_equal(chat_counts(bench->chat).flights, 0);
    bench_destroy(bench);
}

static void test_a_device_is_told_which_of_its_reads_are_durable(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    resume(bench, 0, ALICE, AT(1));
    for (uint64_t id = 60; id < 62; id++) {
        say_of(bench, FRAME_READ, id);
        const struct chat_entry row = {.id = id, .user = BOB, .channel = chat_pair(ALICE, BOB)};
        uint64_t token = expect(bench, CHAT_FX_READ, READ_RECEIPT)->token;
        step(bench, (struct chat_event){
                        .kind = CHAT_EV_DONE, .token = token, .entries = &row, .count = 1});
        carry_on(bench, 2);
    }
    wait_for(bench, CHAT_FX_SEND, 0);
    assert_int_equal(sent(bench, FRAME_PING, 0)->client_key, 2);
    bench_destroy(bench);
}

/* -- Polls --------------------------------------------------------------------------------------
 */

static void test_a_long_poll_is_held_and_woken(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_LONG_POLL, AT(1));
    const struct chat_location here = {
        .user = ALICE, .device = 1, .position = AT(1), .trimmed = AT(1)};
    answer_registered(bench, &here);
    answer_inbox(bench, NULL, 0, AT(1));
    done(bench, expect(bench, CHAT_FX_CACHE, CACHE_LIVE)->token, CHAT_OK);
    assert_int_equal(bench->effects.count, 0); /* Held. */
    route(bench, ENTRY_MESSAGE, 50, AT(2));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 50);
    assert_int_equal(sent(bench, FRAME_END, 0)->position, AT(2));
    assert_int_equal(expect(bench, CHAT_FX_DROP, 0)->err, CHAT_OK);
    assert_int_equal(chat_counts(bench->chat).sessions, 0);
    bench_destroy(bench);
}

static void test_a_held_poll_is_answered_when_its_time_is_up(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_LONG_POLL, 0);
    const struct chat_location here = {.user = ALICE, .device = 1, .position = AT(0)};
    answer_registered(bench, &here);
    answer_inbox(bench, NULL, 0, AT(0));
    done(bench, expect(bench, CHAT_FX_CACHE, CACHE_LIVE)->token, CHAT_OK);
    uint64_t from_ns = bench->now_ns;
    wait_for(bench, CHAT_FX_SEND, 0);
    assert_int_equal(sent(bench, FRAME_END, 0)->status, 0);
    assert_true(bench->now_ns - from_ns >= config.hold_ns);
    bench_destroy(bench);
}

static void test_a_naive_server_looks_again_instead_of_being_woken(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.check_ns = 500000000u;
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_LONG_POLL, AT(1));
    const struct chat_location here = {
        .user = ALICE, .device = 1, .position = AT(1), .trimmed = AT(1)};
    answer_registered(bench, &here);
    assert_non_null(find(bench, CHAT_FX_CACHE, CACHE_UNREGISTER, 0)); /* Nothing is routed here. */
    uint64_t from_ns = bench->now_ns;
    for (uint32_t looks = 0; looks < 10; looks++) {
        answer_inbox(bench, NULL, 0, AT(1));
        assert_int_equal(bench->effects.count, 0);
        wait_for(bench, CHAT_FX_CACHE, CACHE_INBOX);
    }
    assert_in_range(bench->now_ns - from_ns, 10 * config.check_ns, 11 * config.check_ns);
    const struct chat_entry entry = {
        .kind = ENTRY_MESSAGE, .id = 50, .user = BOB, .position = AT(2)};
    answer_inbox(bench, &entry, 1, AT(2));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 50);
    assert_int_equal(sent(bench, FRAME_END, 0)->position, AT(2));
    assert_int_equal(chat_counts(bench->chat).sessions, 0);
    bench_destroy(bench);
}

static void test_a_naive_server_gives_up_when_the_hold_is_over(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.check_ns = 400000000u;
    config.hold_ns = 1000000000u;
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_LONG_POLL, 0);
    const struct chat_location here = {.user = ALICE, .device = 1, .position = AT(0)};
    uint64_t from_ns = bench->now_ns;
    answer_registered(bench, &here);
    for (uint32_t looks = 0; looks < 3; looks++) { /* The third at the end of the hold. */
        answer_inbox(bench, NULL, 0, AT(0));
        assert_null(sent(bench, FRAME_END, 0));
        wait_for(bench, CHAT_FX_CACHE, CACHE_INBOX);
    }
    answer_inbox(bench, NULL, 0, AT(0));
    assert_int_equal(sent(bench, FRAME_END, 0)->status, 0);
    assert_in_range(bench->now_ns - from_ns, config.hold_ns, config.hold_ns + 100000000u);
    bench_destroy(bench);
}

/* `since` counts as delivered; and a receipt among what it acknowledges goes only when the receipts
 * of the messages before it are kept. */
static void test_a_poll_acknowledges_what_it_names(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_POLL, AT(3));
    const struct chat_entry entries[] = {
        {.kind = ENTRY_MESSAGE, .id = 50, .user = BOB, .position = AT(2)},
        {.kind = ENTRY_READ, .id = 40, .user = BOB, .position = AT(3)},
        {.kind = ENTRY_MESSAGE, .id = 51, .user = BOB, .position = AT(4)},
    };
    answer_inbox(bench, entries, 3, AT(4));
    assert_int_equal(sent(bench, FRAME_MSG, 0)->msg_id, 51);
    assert_null(sent(bench, FRAME_MSG, 1));
    assert_int_equal(sent(bench, FRAME_END, 0)->position, AT(4));
    assert_int_equal(sent(bench, FRAME_END, 0)->status, 1);
    assert_null(trimmed(bench));
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT)->entry.id, 50);
    carry_on(bench, 2);
    assert_int_equal(trimmed(bench)->position, AT(2));
    bench_destroy(bench);
}

/* Else a busy device, that asks once in an interval, would fall behind for ever. */
static void test_a_poll_that_is_full_says_so(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    struct chat_entry entries[CHAT_DRAIN_MAX];
    for (uint32_t i = 0; i < CHAT_DRAIN_MAX; i++) {
        entries[i] = (struct chat_entry){
            .kind = ENTRY_MESSAGE, .id = 50 + i, .user = BOB, .position = AT(1 + i)};
    }
    open_as(bench, TRANSPORT_POLL, 0);
    answer_inbox(bench, entries, CHAT_DRAIN_MAX, AT(CHAT_DRAIN_MAX + 1));
    assert_int_equal(sent(bench, FRAME_END, 0)->status, 2);
    bench_destroy(bench);
}

static void test_a_read_that_is_posted_is_answered_when_it_is_durable(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    open_as(bench, TRANSPORT_POST, 0);
    say_of(bench, FRAME_READ, 60);
    const struct chat_entry row = {.id = 60, .user = BOB, .channel = chat_pair(ALICE, BOB)};
    uint64_t token = expect(bench, CHAT_FX_READ, READ_RECEIPT)->token;
    step(bench,
         (struct chat_event){.kind = CHAT_EV_DONE, .token = token, .entries = &row, .count = 1});
    carry_on(bench, 1);
    assert_null(sent(bench, FRAME_ACK, 0));
    carry_on(bench, 1);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->status, FRAME_READ);
    assert_int_equal(sent(bench, FRAME_ACK, 0)->msg_id, 60);
    bench_destroy(bench);
}

/* -- Fan-out ------------------------------------------------------------------------------------
 */

/* A message of user 1 to a group, of which the cache lists the users 1 to `count` of `total`. */
static void record_of_group(struct bench *bench, uint64_t total, uint32_t count)
{
    const struct chat_entry record = {
        .kind = ENTRY_MESSAGE, .id = 500, .user = 1, .device = 1, .channel = GROUP, .alone = 1};
    step(bench,
         (struct chat_event){.kind = CHAT_EV_RECORD, .entries = &record, .count = 1, .offset = 42});
    static struct chat_member members[CHAT_PAGE_MAX];
    for (uint32_t i = 0; i < count; i++) {
        members[i] = (struct chat_member){i + 1, 0, CHAT_NEVER};
    }
    step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                    .token = expect(bench, CHAT_FX_CACHE, CACHE_MEMBERS)->token,
                                    .members = members,
                                    .count = count,
                                    .value = total});
}

static void test_a_group_of_500_is_499_deliveries_after_their_rows(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    record_of_group(bench, 500, 500);
    assert_int_equal(expect(bench, CHAT_FX_STORE, STORE_RECEIPT_ROWS)->count, 500);
    assert_null(find(bench, CHAT_FX_CACHE, CACHE_APPEND, 0)); /* Whose receipt finds no row? */
    done(bench, expect(bench, CHAT_FX_STORE, STORE_RECEIPT_ROWS)->token, CHAT_OK);
    assert_true(bench->more);
    static uint64_t tokens[CHAT_PAGE_MAX];
    uint32_t count = 0;
    for (bool more = true; more;) {
        for (uint32_t i = 0; i < bench->effects.count; i++) {
            const struct chat_effect *effect = &bench->effects.list[i];
            assert_true(effect->op == CACHE_APPEND && effect->user == count + 2);
            tokens[count++] = effect->token;
        }
        more = bench->more;
        if (more) {
            step(bench, (struct chat_event){.kind = CHAT_EV_MORE});
        }
    }
    assert_int_equal(count, 499);
    for (uint32_t i = 0; i < count; i++) {
        assert_null(find(bench, CHAT_FX_COMMIT, 0, 0));
        done(bench, tokens[i], CHAT_OK);
    }
    assert_int_equal(expect(bench, CHAT_FX_COMMIT, 0)->position, 42);
    assert_int_equal(chat_counts(bench->chat).flights, 0);
    bench_destroy(bench);
}

/* Wake-ups that are refused and tried again may not take what deliveries need. */
static void test_refused_wake_ups_leave_room_for_deliveries(void **state)
{
    (void)state;
    struct chat_config config = small();
    struct bench *bench = bench_create(&config);
    uint32_t pushes = 0;
    for (uint32_t n = 0; n < config.flights_max; n++) {
        const struct chat_entry record = {.kind = ENTRY_MESSAGE,
                                          .id = 500 + n,
                                          .user = ALICE,
                                          .device = 1,
                                          .channel = chat_pair(ALICE, BOB),
                                          .alone = 1};
        const struct chat_location offline = {.user = BOB, .device = 1};
        step(bench, (struct chat_event){
                        .kind = CHAT_EV_RECORD, .entries = &record, .count = 1, .offset = n});
        step(bench, (struct chat_event){.kind = CHAT_EV_DONE,
                                        .token = expect(bench, CHAT_FX_CACHE, CACHE_APPEND)->token,
                                        .locations = &offline,
                                        .count = 1});
        const struct chat_effect *push = find(bench, CHAT_FX_PUSH, 0, 0);
        if (push != NULL) {
            pushes++;
            done(bench, push->token, CHAT_ERR_FAILED);
        }
    }
    assert_true(pushes > 0 && pushes <= config.flights_max / 8 + 1);
    assert_int_equal(chat_counts(bench->chat).flights, pushes);
    assert_true(chat_room(bench->chat) > 0);
    bench_destroy(bench);
}

static void test_a_hybrid_group_reaches_those_online_and_keeps_nothing(void **state)
{
    (void)state;
    struct chat_config config = small();
    config.hybrid_threshold = 10;
    struct bench *bench = bench_create(&config);
    record_of_group(bench, 11, 3);
    assert_null(find(bench, CHAT_FX_STORE, 0, 0));
    const struct chat_effect first = *expect(bench, CHAT_FX_CACHE, CACHE_LOCATE);
    const struct chat_effect *second = find(bench, CHAT_FX_CACHE, CACHE_LOCATE, 1);
    assert_non_null(second);
    uint64_t token = second->token;
    const struct chat_location online = {.user = 2, .device = 1, .gateway = 9, .conn_id = 77};
    step(bench, (struct chat_event){
                    .kind = CHAT_EV_DONE, .token = first.token, .locations = &online, .count = 1});
    assert_int_equal(expect(bench, CHAT_FX_ROUTE, 0)->entry.kind, ENTRY_LIVE);
    assert_int_equal(expect(bench, CHAT_FX_ROUTE, 0)->entry.position, 0);
    done(bench, token, CHAT_OK);
    assert_non_null(find(bench, CHAT_FX_COMMIT, 0, 0));
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_sent_ahead_confirms_nothing_before_it),
        cmocka_unit_test(test_each_copy_of_a_message_speaks_for_itself),
        cmocka_unit_test(test_a_delivered_that_finds_no_room_is_stored_later),
        cmocka_unit_test(test_a_receipt_comes_from_a_recipient_only),
        cmocka_unit_test(test_a_watermark_stands_for_one_sender_and_what_was_sent_before),
        cmocka_unit_test(test_by_watermark_a_second_copy_is_settled_too),
        cmocka_unit_test(test_a_receipt_sent_ahead_is_asked_after),
        cmocka_unit_test(test_a_read_says_nothing_of_what_was_sent),
        cmocka_unit_test(test_watermarks_wait_for_each_other),
        cmocka_unit_test(test_a_device_is_told_which_of_its_reads_are_durable),
        cmocka_unit_test(test_a_long_poll_is_held_and_woken),
        cmocka_unit_test(test_a_held_poll_is_answered_when_its_time_is_up),
        cmocka_unit_test(test_a_naive_server_looks_again_instead_of_being_woken),
        cmocka_unit_test(test_a_naive_server_gives_up_when_the_hold_is_over),
        cmocka_unit_test(test_a_poll_acknowledges_what_it_names),
        cmocka_unit_test(test_a_poll_that_is_full_says_so),
        cmocka_unit_test(test_a_read_that_is_posted_is_answered_when_it_is_durable),
        cmocka_unit_test(test_a_group_of_500_is_499_deliveries_after_their_rows),
        cmocka_unit_test(test_refused_wake_ups_leave_room_for_deliveries),
        cmocka_unit_test(test_a_hybrid_group_reaches_those_online_and_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
