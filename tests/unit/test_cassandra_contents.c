/* Cassandra's ring, contents runs: whatever a host was told is so, with nodes dying, cut off and
 * forgetting what was not synced. */
#include "tests/unit/cassandra_bed.h"

#include "models/infra/table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static struct bed *contents_plan(uint32_t nodes, uint64_t run_ns)
{
    struct bed *bed = bed_plan(nodes, run_ns);
    bed->plan.run.contents = true;
    bed->plan.cassandra.coordinator_max = 512;
    bed->plan.cassandra.cpu_write_ns = 200000;
    bed->plan.cassandra.cpu_read_ns = 200000;
    bed->plan.cassandra.cpu_coordinate_ns = 200000;
    return bed;
}

static uint64_t messages_held(const struct bed *bed, uint32_t index)
{
    const struct table *table = cassandra_table(cassandra_at(bed->ring, index));
    struct chat_entry entry;
    uint64_t count = 0;
    while (table_message(table, count, &entry)) {
        count++;
    }
    return count;
}

/* Message n, in the channel (n + 1, 5000), is asked for, as answer `token`. */
static void ask_for(struct bed *bed, uint32_t host, uint64_t time_ns, uint32_t token, uint32_t n)
{
    bed_call(bed, host, time_ns, token, 0, history(n + 1, 5000, 1));
}

static bool is_found(const struct bed *bed, uint32_t token, uint32_t n)
{
    const struct answer *answer = &bed->answers[token];
    return answer->err == CHAT_OK && answer->row_count == 1 && answer->ids[0] == message_id(n);
}

static void test_with_one_node_down_all_writes_succeed_and_it_catches_up(void **state)
{
    (void)state;
    const uint32_t count = 1600;
    for (uint32_t nodes = 3; nodes <= 6; nodes += 3) {
        struct bed *bed = contents_plan(nodes, 30 * SECOND);
        bed_fault(bed, PLAN_FAULT_KILL, 1, 2 * SECOND, 4 * SECOND);
        bed_start(bed);
        for (uint32_t i = 0; i < count; i++) { /* Hosts in the zones of the nodes that stay. */
            bed_call(bed, i % 2 * 2, 5 * MS * (i + 1), i, 0,
                     message(message_id(i), i + 1, 5000, 0));
            ask_for(bed, i % HOSTS, 25 * SECOND + i * MS, count + i, i);
        }
        sim_run(bed->sim, 29 * SECOND);
        uint64_t held = 0;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(bed->answers[i].err, CHAT_OK);
            assert_true(is_found(bed, count + i, i));
        }
        for (uint32_t i = 0; i < nodes; i++) {
            held += messages_held(bed, i);
        }
        /* What it missed has been replayed; what it forgot has not. */
        uint64_t forgotten = 3 * count - held;
        assert_true(forgotten <= 400);
        assert_true(nodes > 3 || messages_held(bed, 1) >= count - 400);
        bed_free(bed);
    }
}

static void test_a_kill_before_the_sync_loses_nothing_at_quorum(void **state)
{
    (void)state;
    const uint32_t count = 300;
    uint32_t forgetful = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct bed *bed = contents_plan(3, 20 * SECOND);
        bed->plan.run.seed = seed;
        bed_fault(bed, PLAN_FAULT_KILL, (uint32_t)seed % 3, SECOND, SECOND);
        bed_start(bed);
        for (uint32_t i = 0; i < count; i++) {
            bed_call(bed, i % HOSTS, 3 * MS * (i + 1), i, 0,
                     message(message_id(i), i + 1, 5000, 0));
            ask_for(bed, i % HOSTS, 5 * SECOND + i * MS, count + i, i);
        }
        sim_run(bed->sim, 19 * SECOND);
        forgetful += messages_held(bed, (uint32_t)seed % 3) < count;
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(bed->answers[i].err, CHAT_OK);
            assert_true(is_found(bed, count + i, i));
        }
        bed_free(bed);
    }
    assert_true(forgetful > 5); /* Else nothing was tested. */
}

static void test_with_the_commit_log_synced_at_once_nothing_is_forgotten(void **state)
{
    (void)state;
    struct bed *bed = contents_plan(3, 20 * SECOND);
    bed->plan.cassandra.commitlog_sync_ns = 0;
    for (uint32_t i = 0; i < 3; i++) { /* One after another, all die. */
        bed_fault(bed, PLAN_FAULT_KILL, i, (3 * i + 1) * SECOND, SECOND);
    }
    bed_start(bed);
    for (uint32_t i = 0; i < 200; i++) {
        bed_call(bed, i % HOSTS, 3 * MS * (i + 1), i, 0, message(message_id(i), i + 1, 5000, 0));
        ask_for(bed, i % HOSTS, 15 * SECOND + i * MS, 200 + i, i);
    }
    sim_run(bed->sim, 19 * SECOND);
    for (uint32_t i = 0; i < 200; i++) {
        assert_true(bed->answers[i].err != CHAT_OK || is_found(bed, 200 + i, i));
    }
    assert_int_equal(messages_held(bed, 0), 200);
    bed_free(bed);
}

static void test_a_replica_that_was_cut_off_gets_hints(void **state)
{
    (void)state;
    struct bed *bed = contents_plan(3, 20 * SECOND);
    bed_fault(bed, PLAN_FAULT_PARTITION, 2, SECOND, SECOND);
    bed_start(bed);
    for (uint32_t i = 0; i < 100; i++) {
        bed_call(bed, i % 2, SECOND + 5 * MS * (i + 1), i, 0,
                 message(message_id(i), i + 1, 5000, 0));
    }
    sim_run(bed->sim, 2 * SECOND);
    assert_int_equal(messages_held(bed, 2), 0);
    sim_run(bed->sim, 19 * SECOND);
    assert_int_equal(messages_held(bed, 2), 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(bed->answers[i].err, CHAT_OK);
    }
    bed_free(bed);
}

/* As one that is dead, once it is known: neither hosts nor coordinators ask it. */
static void test_after_a_second_a_partition_costs_nobody_a_timeout(void **state)
{
    (void)state;
    struct bed *bed = contents_plan(3, 20 * SECOND);
    bed_fault(bed, PLAN_FAULT_PARTITION, 2, SECOND, 10 * SECOND);
    bed_start(bed);
    bed_call(bed, 2, SECOND + SECOND / 2, 0, 0, message(message_id(0), 1, 5000, 0));
    for (uint32_t i = 1; i < 30; i++) { /* Host 2 has node 2 in its zone. */
        bed_call(bed, i % HOSTS, 3 * SECOND + i * MS, i, 0, message(message_id(i), i, 5000, 0));
    }
    sim_run(bed->sim, 19 * SECOND);
    assert_int_equal(bed->answers[0].err, 1); /* It asked node 2. */
    for (uint32_t i = 1; i < 30; i++) {
        assert_int_equal(bed->answers[i].err, CHAT_OK);
        assert_true(bed->answers[i].done_ns - bed->answers[i].asked_ns < 20 * MS);
    }
    assert_int_equal(messages_held(bed, 2), 29); /* Hints. */
    bed_free(bed);
}

/* -- Claims -------------------------------------------------------------------------------------
 */
#define CLAIM_KEYS 4u

/* Hosts in three zones claim the same keys under ids of their own at about the same time, and ask
 * again until they are told; nodes are cut off and die meanwhile. */
static void claims_race(uint64_t seed, uint32_t *told, uint32_t *raced)
{
    struct rng_cursor rng = {.stream = rng_stream(seed, "race")};
    struct bed *bed = contents_plan(3 + (uint32_t)(seed % 2) * 2, 3 * SECOND);
    bed->plan.run.seed = seed;
    bed->plan.cassandra.lwt_rounds = 1 + (uint32_t)(seed % 5);
    bed->plan.cassandra.commitlog_sync_ns = 0;
    bed->plan.cassandra.write_timeout_ns = 10 * MS;
    bed->retries = true;
    for (uint32_t i = 0; i < 6; i++) {
        bool kill = rng_next(&rng).word[0] % 4 == 0;
        bed_fault(bed, kill ? PLAN_FAULT_KILL : PLAN_FAULT_PARTITION,
                  (uint32_t)(rng_next(&rng).word[0] % bed->plan.cassandra.nodes),
                  rng_next(&rng).word[0] % (60 * MS), 1 + rng_next(&rng).word[0] % (10 * MS));
    }
    bed_start(bed);
    for (uint32_t key = 0; key < CLAIM_KEYS; key++) {
        for (uint32_t host = 0; host < HOSTS; host++) {
            bed_call(bed, host, 1 + rng_next(&rng).word[0] % (seed % 3 == 0 ? MS : 20 * MS),
                     key * HOSTS + host, 1, claim(1000 * (key + 1) + host, 7, key));
        }
    }
    sim_run(bed->sim, 3 * SECOND);
    for (uint32_t key = 0; key < CLAIM_KEYS; key++) {
        uint64_t winner = 0;
        uint32_t tries = 0;
        for (uint32_t host = 0; host < HOSTS; host++) {
            const struct answer *answer = &bed->answers[key * HOSTS + host];
            bool own = answer->value == 1000 * (key + 1) + host;
            tries += answer->tries;
            if (answer->err != CHAT_OK && answer->err != CHAT_ERR_EXISTS) {
                continue;
            }
            if ((answer->err == CHAT_OK) != own || (winner != 0 && answer->value != winner)) {
                fail_msg("key %u of seed %llu: host %u was told %d %llu, others %llu", key,
                         (unsigned long long)seed, host, answer->err,
                         (unsigned long long)answer->value, (unsigned long long)winner);
            }
            winner = answer->value;
            (*told)++;
        }
        *raced += tries > HOSTS;
    }
    bed_free(bed);
}

static void test_racing_claims_agree_on_one_winner_over_a_thousand_seeds(void **state)
{
    (void)state;
    const uint64_t seeds = getenv("CHATSCALE_QUICK") == NULL ? 1000 : 100;
    uint32_t told = 0;
    uint32_t raced = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        claims_race(seed, &told, &raced);
    }
    assert_true(told > seeds * CLAIM_KEYS * HOSTS * 99 / 100); /* And all of them end. */
    assert_true(raced > seeds * CLAIM_KEYS / 4);
}

/* Nodes 0 and 1 accept, the host is told, and the commit never reaches 1. It dies and comes back;
 * then 0 is gone, and all that is known of the winner is what 1 wrote down when it accepted. */
static void test_what_was_accepted_survives_in_the_commit_log(void **state)
{
    (void)state;
    struct bed *bed = contents_plan(3, 9 * SECOND);
    struct plan_cassandra *cassandra = &bed->plan.cassandra;
    cassandra->cpu_write_ns = 0;
    cassandra->cpu_read_ns = 0;
    cassandra->cpu_coordinate_ns = 0;
    cassandra->nic_bytes_per_s = 0;
    cassandra->commitlog_sync_ns = 0;
    bed_fault(bed, PLAN_FAULT_PARTITION, 2, 1, 2 * SECOND);
    bed_fault(bed, PLAN_FAULT_PARTITION, 1, SECOND + 4 * LATENCY_NS + 20000, SECOND / 4);
    bed_fault(bed, PLAN_FAULT_KILL, 1, SECOND + SECOND / 2, SECOND / 4);
    bed_fault(bed, PLAN_FAULT_KILL, 0, 2 * SECOND, 20 * SECOND);
    bed_start(bed);
    bed_call(bed, 0, SECOND, 0, 1, claim(77, 9, 4));
    bed_call(bed, 2, 5 * SECOND, 1, 1, claim(78, 9, 4));
    sim_run(bed->sim, 9 * SECOND);
    assert_int_equal(bed->answers[0].err, CHAT_OK);
    assert_int_equal(bed->answers[0].done_ns, SECOND + 6 * LATENCY_NS);
    assert_int_equal(bed->answers[1].err, CHAT_ERR_EXISTS);
    assert_int_equal(bed->answers[1].value, 77);
    bed_free(bed);
}

static void test_a_retry_after_the_answer_is_told_the_same(void **state)
{
    (void)state;
    struct bed *bed = contents_plan(3, 5 * SECOND);
    bed_start(bed);
    bed_call(bed, 0, SECOND, 0, 1, claim(77, 9, 4));
    bed_call(bed, 1, 2 * SECOND, 1, 1, claim(77, 9, 4));
    bed_call(bed, 2, 3 * SECOND, 2, 1, claim(78, 9, 4));
    bed_call(bed, 2, 3 * SECOND, 3, 1, claim(78, 9, 5));
    sim_run(bed->sim, 5 * SECOND);
    assert_int_equal(bed->answers[0].err, CHAT_OK);
    assert_int_equal(bed->answers[1].err, CHAT_OK);
    assert_int_equal(bed->answers[2].err, CHAT_ERR_EXISTS);
    assert_int_equal(bed->answers[2].value, 77);
    assert_int_equal(bed->answers[3].err, CHAT_OK);
    bed_free(bed);
}

/* -- Rows ---------------------------------------------------------------------------------------
 */
static void test_rows_come_as_runs(void **state)
{
    (void)state;
    struct bed *bed = contents_plan(6, 5 * SECOND);
    bed_start(bed);
    for (uint32_t i = 0; i < 30; i++) {
        bed_call(bed, i % HOSTS, 1 + i * MS, i, 0, group_message(message_id(i), 9));
        struct call joined = {
            .entry = {.id = message_id(i), .first = 9, .user = 100 + i, .kind = ENTRY_JOINED},
            .op = STORE_MEMBER};
        bed_call(bed, i % HOSTS, 1 + i * MS, 100 + i, 0, joined);
    }
    bed_call(bed, 0, 1, 200, 3, by_user(STORE_DEVICE, 100));
    bed_call(bed, 1, 1, 201, 2, by_user(STORE_DEVICE, 100));
    bed_call(bed, 0, 2 * SECOND, 300, 0, history(9, 0, 20));
    struct call members = {.entry = {.first = 9, .more = 104}, .op = READ_MEMBERS};
    bed_call(bed, 1, 2 * SECOND, 301, 0, members);
    bed_call(bed, 2, 2 * SECOND, 302, 0, by_user(READ_DEVICES, 100));
    bed_call(bed, 2, 2 * SECOND, 303, 0, by_user(READ_DEVICES, 101));
    bed_call(bed, 2, 2 * SECOND, 304, 0, history(10, 0, 20));
    sim_run(bed->sim, 5 * SECOND);
    const struct answer *answers = bed->answers;
    assert_int_equal(answers[300].row_count, 20);
    assert_int_equal(answers[301].row_count, 25);
    for (uint32_t i = 0; i < 20; i++) {
        assert_int_equal(answers[300].ids[i], message_id(29 - i));
    }
    for (uint32_t i = 0; i < 25; i++) {
        assert_int_equal(answers[301].ids[i], 105 + i);
    }
    assert_int_equal(answers[302].row_count, 2);
    assert_int_equal(answers[302].ids[0], 2);
    assert_int_equal(answers[302].ids[1], 3);
    assert_int_equal(answers[303].err, CHAT_ERR_MISSING);
    assert_int_equal(answers[304].err, CHAT_OK);
    assert_int_equal(answers[304].row_count, 0);
    assert_int_equal(answers[304].replies, 1);
    bed_free(bed);
}

/* User 50 gets 40 messages in as many channels, and acknowledges every other one. Reading on, one
 * by one, tells the rest, wherever rows and messages lie. */
static void check_unacked(uint32_t nodes, bool one_down, uint64_t cpu_ns)
{
    struct bed *bed = contents_plan(nodes, 80 * SECOND);
    bed->plan.cassandra.cpu_write_ns = cpu_ns;
    bed->plan.cassandra.cpu_read_ns = cpu_ns;
    bed->plan.cassandra.cpu_coordinate_ns = cpu_ns;
    bed->plan.cassandra.nic_bytes_per_s = cpu_ns == 0 ? 0 : 1250000000;
    if (one_down) {
        bed_fault(bed, PLAN_FAULT_KILL, 1, 4 * SECOND, 100 * SECOND);
    }
    bed_start(bed);
    for (uint32_t i = 0; i < 43; i++) {
        /* The last come a minute later: what was acknowledged before is then sure to be told. */
        uint64_t at_ns = i < 40 ? 1 + i * MS : 62 * SECOND + i * MS;
        bed_call(bed, i % HOSTS, at_ns, i, 0, message(message_id(i), i + 1, 50, 50));
        struct call ack = {.entry = {.id = message_id(i),
                                     .first = i + 1,
                                     .second = 50,
                                     .user = 50,
                                     .kind = ENTRY_DELIVERED,
                                     .more = i + 1},
                           .op = STORE_RECEIPT};
        if (i % 2 == 0) {
            bed_call(bed, i % HOSTS, at_ns + SECOND, 100 + i, 1, ack);
        }
        struct call unacked = by_user(READ_UNACKED, 50);
        unacked.entry.id = i == 0 ? 0 : message_id(i - 1);
        bed_call(bed, i % 2 * 2, 66 * SECOND + i * 10 * MS, 200 + i, 1, unacked);
        bed_call(bed, i % 2 * 2, 70 * SECOND + i * 10 * MS, 300 + i, 2, unacked);
        struct call receipts = by_user(READ_RECEIPTS, i + 1);
        bed_call(bed, i % 2 * 2, 74 * SECOND + i * 10 * MS, 400 + i, 1, receipts);
    }
    sim_run(bed->sim, 80 * SECOND);
    uint32_t sure = 0;
    for (uint32_t i = 0; i < 40; i++) {
        const struct answer *first = &bed->answers[200 + i];
        const struct answer *second = &bed->answers[300 + i]; /* Another device: none is acked. */
        assert_int_equal(bed->answers[i].replies, 2);         /* Message and receipt row. */
        assert_int_equal(bed->answers[i].err, CHAT_OK);
        assert_int_equal(first->err, CHAT_OK);
        assert_int_equal(first->row_count, 1);
        /* Nodes that hold few of the user's rows know of no later acknowledgement. */
        bool unsure = nodes > 3 && first->ids[0] == message_id(i);
        assert_true(unsure || first->ids[0] == message_id(i | 1));
        sure += !unsure && i % 2 == 0;
        assert_int_equal(first->row.kind, ENTRY_MESSAGE);
        assert_int_equal(first->row.size_bytes, 160);
        assert_int_equal(second->ids[0], message_id(i));
        const struct answer *receipt = &bed->answers[400 + i]; /* Of those that were acked. */
        assert_int_equal(receipt->err, CHAT_OK);
        assert_int_equal(receipt->row_count, i % 2 == 0);
        if (i % 2 == 0) {
            assert_int_equal(receipt->ids[0], message_id(i));
            assert_int_equal(receipt->row.kind, ENTRY_DELIVERED);
            assert_int_equal(receipt->row.user, 50);
        }
    }
    assert_true(sure > 0);
    bed_free(bed);
}

static void test_messages_and_receipts_are_found_wherever_they_lie(void **state)
{
    (void)state;
    check_unacked(3, false, 200000);
    check_unacked(9, false, 200000);
    check_unacked(9, true, 200000);
    check_unacked(9, false, 0); /* All answers come at the same time. */
}

static uint64_t contents_digest(enum sim_scheduler scheduler)
{
    struct bed *bed = contents_plan(6, 2 * SECOND);
    uint64_t digest = 0;
    bed->plan.cassandra.gc_pause_ns = 50 * MS;
    bed->plan.cassandra.gc_period_ns = SECOND;
    bed_fault(bed, PLAN_FAULT_KILL, 4, SECOND, SECOND / 4);
    bed_fault(bed, PLAN_FAULT_LOSS, 2, SECOND / 2, SECOND);
    bed->plan.faults[1].loss = 0.1;
    bed_start_on(bed, 1, scheduler);
    for (uint32_t i = 0; i < 3000; i++) {
        struct call call = i % 4 == 0   ? claim(message_id(i), 1, i / 8)
                           : i % 4 == 1 ? message(message_id(i), i % 7 + 1, 50, 50)
                           : i % 4 == 2 ? by_user(READ_UNACKED, 50)
                                        : history(i % 7 + 1, 50, 20);
        bed_call(bed, i % HOSTS, 1 + i / 2 * MS, i, 1, call);
    }
    sim_run(bed->sim, 2 * SECOND);
    for (uint32_t i = 0; i < 3000; i++) {
        digest = hash_mix(digest ^ bed->answers[i].done_ns ^ bed->answers[i].ids[0]);
    }
    bed_free(bed);
    return digest;
}

static void test_results_do_not_depend_on_the_scheduler(void **state)
{
    (void)state;
    assert_true(contents_digest(SIM_WINDOWS) == contents_digest(SIM_PLAIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_one_node_down_all_writes_succeed_and_it_catches_up),
        cmocka_unit_test(test_a_kill_before_the_sync_loses_nothing_at_quorum),
        cmocka_unit_test(test_with_the_commit_log_synced_at_once_nothing_is_forgotten),
        cmocka_unit_test(test_a_replica_that_was_cut_off_gets_hints),
        cmocka_unit_test(test_after_a_second_a_partition_costs_nobody_a_timeout),
        cmocka_unit_test(test_racing_claims_agree_on_one_winner_over_a_thousand_seeds),
        cmocka_unit_test(test_what_was_accepted_survives_in_the_commit_log),
        cmocka_unit_test(test_a_retry_after_the_answer_is_told_the_same),
        cmocka_unit_test(test_rows_come_as_runs),
        cmocka_unit_test(test_messages_and_receipts_are_found_wherever_they_lie),
        cmocka_unit_test(test_results_do_not_depend_on_the_scheduler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
