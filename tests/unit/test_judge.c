/* The judge is tried by breaking every promise once: each breach is found, named by its guarantee,
 * and counted once; and a faultless story has none. */
#include "models/client/judge.h"

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

#define ANA 1u
#define BEN 2u
#define CAT 3u
#define GROUP ((struct chat_channel){900, 0})

static struct judge_message by(uint64_t user, uint32_t device, uint64_t key, uint64_t to)
{
    return (struct judge_message){user, device, key, chat_pair(user, to)};
}

static struct judge_message in_group(uint64_t user, uint64_t key)
{
    return (struct judge_message){user, 1, key, GROUP};
}

/* Ana on two devices, Ben on one, Cat on one; Ana's first message to Ben, id 100, all well. */
static struct judge *story(void)
{
    struct judge *judge = judge_create();
    EXPECT(judge != NULL);
    judge_device(judge, ANA, 1);
    judge_device(judge, ANA, 2);
    judge_device(judge, BEN, 1);
    judge_device(judge, CAT, 1);
    struct judge_message message = by(ANA, 1, 1, BEN);
    judge_sent(judge, &message, 0);
    judge_minted(judge, 0, 100);
    judge_acked(judge, &message, 100);
    judge_shown(judge, BEN, 1, &message, 100);
    judge_shown(judge, ANA, 2, &message, 100);
    judge_receipt(judge, ANA, 1, 100, BEN, FRAME_DELIVERED);
    judge_receipt(judge, ANA, 2, 100, BEN, FRAME_DELIVERED);
    judge_read(judge, BEN, 1, 100, true);
    judge_receipt(judge, ANA, 1, 100, BEN, FRAME_READ);
    judge_receipt(judge, ANA, 2, 100, BEN, FRAME_READ);
    judge_stored(judge, ANA, message.channel, 100);
    return judge;
}

/* Everyone is caught up; exactly `count` violations, all of this guarantee. */
static void expect_verdict(struct judge *judge, enum judge_guarantee guarantee, uint64_t count)
{
    judge_caught_up(judge, ANA, 1);
    judge_caught_up(judge, ANA, 2);
    judge_caught_up(judge, BEN, 1);
    judge_caught_up(judge, CAT, 1);
    uint64_t total = judge_verdict(judge, true);
    uint32_t kept;
    const struct judge_violation *violations = judge_violations(judge, &kept);
    for (uint32_t i = 0; i < kept && (total != count || violations[i].guarantee != guarantee);
         i++) {
        fprintf(stderr, "guarantee %d: %s\n", violations[i].guarantee, violations[i].words);
    }
    EXPECT(total == count);
    EXPECT(kept == count);
    EXPECT(judge_count(judge, guarantee) == count);
    judge_destroy(judge);
}

static void test_a_faultless_story_has_no_violations(void)
{
    struct judge *judge = story();
    struct judge_message answer = by(BEN, 1, 1, ANA);
    judge_sent(judge, &answer, 100);
    judge_sent(judge, &answer, 100);
    judge_minted(judge, 1, 101);
    judge_acked(judge, &answer, 101);
    judge_acked(judge, &answer, 101);
    judge_shown(judge, ANA, 1, &answer, 101);
    judge_shown(judge, ANA, 2, &answer, 101);
    judge_receipt(judge, BEN, 1, 101, ANA, FRAME_DELIVERED);
    judge_stored(judge, BEN, answer.channel, 101);
    struct judge_sums sums = judge_sums(judge);
    EXPECT(sums.sent == 2 && sums.acked == 2 && sums.shown == 4 && sums.receipts == 5);
    expect_verdict(judge, JUDGE_NO_LOSS, 0);
}

static void test_an_acked_message_that_the_store_lost(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 2, BEN);
    judge_sent(judge, &message, 100);
    judge_acked(judge, &message, 101);
    judge_shown(judge, BEN, 1, &message, 101);
    judge_shown(judge, ANA, 2, &message, 101);
    judge_receipt(judge, ANA, 1, 101, BEN, FRAME_DELIVERED);
    judge_receipt(judge, ANA, 2, 101, BEN, FRAME_DELIVERED);
    expect_verdict(judge, JUDGE_DURABLE_ACK, 1);
}

static void test_a_message_that_never_came(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 2, CAT);
    judge_sent(judge, &message, 100);
    judge_acked(judge, &message, 101);
    judge_stored(judge, ANA, message.channel, 101);
    expect_verdict(judge, JUDGE_NO_LOSS, 2); /* Not to Cat, and not to Ana's other device. */
}

static void test_what_was_not_acked_or_not_caught_up_is_not_owed(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 2, CAT);
    judge_sent(judge, &message, 100);
    judge_device(judge, 4, 1); /* Not caught up at the end. */
    struct judge_message other = by(ANA, 2, 1, 4);
    judge_sent(judge, &other, 100);
    judge_acked(judge, &other, 102);
    judge_shown(judge, ANA, 1, &other, 102);
    judge_device(judge, CAT, 2); /* Came after the message. */
    judge_stored(judge, ANA, other.channel, 102);
    expect_verdict(judge, JUDGE_NO_LOSS, 0);
}

static void test_a_message_that_nobody_sent(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 77, BEN);
    judge_shown(judge, BEN, 1, &message, 150);
    expect_verdict(judge, JUDGE_NO_LOSS, 1);
}

static void test_a_screen_that_shows_one_twice(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 1, BEN);
    judge_shown(judge, BEN, 1, &message, 100);
    expect_verdict(judge, JUDGE_NO_DUPLICATES, 1);
}

static void test_one_send_that_became_two_messages(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 1, BEN);
    judge_shown(judge, BEN, 1, &message, 101);
    expect_verdict(judge, JUDGE_NO_DUPLICATES, 1);
}

static void send_well(struct judge *judge, uint64_t key, uint64_t id, uint64_t after)
{
    struct judge_message message = by(ANA, 1, key, BEN);
    judge_sent(judge, &message, after);
    judge_acked(judge, &message, id);
    judge_shown(judge, BEN, 1, &message, id);
    judge_shown(judge, ANA, 2, &message, id);
    judge_receipt(judge, ANA, 1, id, BEN, FRAME_DELIVERED);
    judge_receipt(judge, ANA, 2, id, BEN, FRAME_DELIVERED);
    judge_stored(judge, ANA, message.channel, id);
}

static void test_messages_out_of_the_order_in_which_they_were_sent(void)
{
    struct judge *judge = story();
    send_well(judge, 2, 120, 100);
    send_well(judge, 3, 110, 100);
    expect_verdict(judge, JUDGE_ONE_ORDER, 1);
}

static void test_an_answer_before_what_its_writer_had_seen(void)
{
    struct judge *judge = story();
    send_well(judge, 2, 120, 130);
    expect_verdict(judge, JUDGE_ONE_ORDER, 1);
}

static void test_screens_that_disagree_about_an_id(void)
{
    struct judge *judge = story();
    struct judge_message other = by(ANA, 1, 1, CAT);
    other.key = 0;
    judge_shown(judge, CAT, 1, &other, 100);
    /* Ben's and Cat's screens disagree; and Cat was none of the channel of 100. */
    expect_verdict(judge, JUDGE_ONE_ORDER, 1);
}

static void test_receipts_that_lie_go_back_or_come_from_elsewhere(void)
{
    struct judge *judge = story();
    judge_receipt(judge, ANA, 1, 100, BEN, FRAME_DELIVERED); /* Goes back. */
    judge_receipt(judge, ANA, 1, 100, CAT, FRAME_DELIVERED); /* Cat never had it. */
    judge_receipt(judge, BEN, 1, 100, BEN, FRAME_DELIVERED); /* Not Ben's, and of himself. */
    expect_verdict(judge, JUDGE_RECEIPTS, 4);
}

static void test_a_receipt_that_does_not_reach_every_device_of_the_sender(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 2, BEN);
    judge_sent(judge, &message, 100);
    judge_acked(judge, &message, 101);
    judge_shown(judge, BEN, 1, &message, 101);
    judge_shown(judge, ANA, 2, &message, 101);
    judge_receipt(judge, ANA, 1, 101, BEN, FRAME_DELIVERED);
    judge_read(judge, BEN, 1, 101, true);
    judge_stored(judge, ANA, message.channel, 101);
    expect_verdict(judge, JUDGE_RECEIPTS, 2); /* Device 1 not READ, device 2 nothing. */
}

static void test_membership_is_decided_by_id(void)
{
    struct judge *judge = story();
    judge_joined(judge, GROUP, BEN, 200);
    judge_joined(judge, GROUP, CAT, 200);
    judge_left(judge, GROUP, CAT, 300);
    judge_left(judge, GROUP, CAT, 300);
    struct judge_message early = in_group(BEN, 2);
    struct judge_message late = in_group(BEN, 3);
    judge_sent(judge, &early, 0);
    judge_sent(judge, &late, 0);
    judge_acked(judge, &early, 250);
    judge_acked(judge, &late, 350);
    judge_shown(judge, CAT, 1, &early, 250);
    judge_receipt(judge, BEN, 1, 250, CAT, FRAME_DELIVERED);
    judge_stored(judge, BEN, GROUP, 250);
    judge_stored(judge, BEN, GROUP, 350);
    judge_shown(judge, CAT, 1, &late, 350); /* Cat had left. */
    judge_receipt(judge, BEN, 1, 350, CAT, FRAME_DELIVERED);
    struct judge_message intruder = in_group(ANA, 9);
    judge_sent(judge, &intruder, 0);
    judge_acked(judge, &intruder, 400); /* Ana never joined. */
    judge_stored(judge, ANA, GROUP, 400);
    judge_shown(judge, BEN, 1, &intruder, 400);
    judge_receipt(judge, ANA, 1, 400, BEN, FRAME_DELIVERED);
    judge_receipt(judge, ANA, 2, 400, BEN, FRAME_DELIVERED);
    expect_verdict(judge, JUDGE_MEMBERSHIP, 2);
}

static void test_while_a_membership_changes_nothing_is_owed_or_forbidden(void)
{
    struct judge *judge = story();
    judge_joined(judge, GROUP, BEN, 200);
    judge_changing(judge, GROUP, CAT);
    struct judge_message during = in_group(BEN, 2);
    judge_sent(judge, &during, 0);
    judge_acked(judge, &during, 250);
    judge_joined(judge, GROUP, CAT, 240);
    judge_joined(judge, GROUP, CAT, 260); /* Asked for again: a second id. */
    judge_settled(judge, GROUP, CAT);
    struct judge_message after = in_group(BEN, 3);
    judge_sent(judge, &after, 0);
    judge_acked(judge, &after, 350);
    judge_stored(judge, BEN, GROUP, 250);
    judge_stored(judge, BEN, GROUP, 350);
    expect_verdict(judge, JUDGE_NO_LOSS, 1); /* 350 alone is owed to Cat. */
}

static void test_a_group_that_is_pulled_owes_no_deliveries(void)
{
    struct judge *judge = story();
    judge_joined(judge, GROUP, BEN, 200);
    judge_joined(judge, GROUP, CAT, 200);
    judge_pulled(judge, GROUP);
    struct judge_message message = in_group(BEN, 2);
    judge_sent(judge, &message, 0);
    judge_acked(judge, &message, 250);
    judge_stored(judge, BEN, GROUP, 250);
    expect_verdict(judge, JUDGE_NO_LOSS, 0);
}

static void test_ids_that_repeat_or_go_back(void)
{
    struct judge *judge = story();
    judge_minted(judge, 1, 100); /* By another core. */
    judge_minted(judge, 0, 90);  /* Below its own last. */
    judge_minted(judge, 1, 95);  /* Another core may. */
    expect_verdict(judge, JUDGE_IDS, 2);
}

static void test_one_id_for_two_messages(void)
{
    struct judge *judge = story();
    struct judge_message second = by(ANA, 1, 2, BEN);
    judge_sent(judge, &second, 0);
    judge_acked(judge, &second, 100);
    judge_caught_up(judge, ANA, 1);
    judge_verdict(judge, true);
    EXPECT(judge_count(judge, JUDGE_IDS) == 1);
    judge_destroy(judge);
}

static void test_more_violations_than_are_kept_are_counted(void)
{
    struct judge *judge = story();
    struct judge_message message = by(ANA, 1, 1, BEN);
    for (uint32_t i = 0; i < 2 * JUDGE_VIOLATIONS_MAX; i++) {
        judge_shown(judge, BEN, 1, &message, 100);
    }
    uint32_t kept;
    judge_violations(judge, &kept);
    EXPECT(kept == JUDGE_VIOLATIONS_MAX);
    EXPECT(judge_verdict(judge, true) == 2 * JUDGE_VIOLATIONS_MAX);
    judge_destroy(judge);
}

int main(void)
{
    test_a_faultless_story_has_no_violations();
    test_an_acked_message_that_the_store_lost();
    test_a_message_that_never_came();
    test_what_was_not_acked_or_not_caught_up_is_not_owed();
    test_a_message_that_nobody_sent();
    test_a_screen_that_shows_one_twice();
    test_one_send_that_became_two_messages();
    test_messages_out_of_the_order_in_which_they_were_sent();
    test_an_answer_before_what_its_writer_had_seen();
    test_screens_that_disagree_about_an_id();
    test_receipts_that_lie_go_back_or_come_from_elsewhere();
    test_a_receipt_that_does_not_reach_every_device_of_the_sender();
    test_membership_is_decided_by_id();
    test_while_a_membership_changes_nothing_is_owed_or_forbidden();
    test_a_group_that_is_pulled_owes_no_deliveries();
    test_ids_that_repeat_or_go_back();
    test_one_id_for_two_messages();
    test_more_violations_than_are_kept_are_counted();
    puts("judge: ok");
    return 0;
}
