/* Parameters whose effect is a sum, held to it on a small system. */
#include "tests/formula/whole.h"

#include "models/client/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#define TINY "scenarios/tiny.json"

static void assert_near(double value, double expected, double share)
{
    if (fabs(value - expected) > share * fabs(expected)) {
        fail_msg("%g instead of %g +- %g%%", value, expected, 100 * share);
    }
}

static double used(const struct whole *whole, const char *tier, const char *name)
{
    const struct result_tier *found = result_tier(whole_result(whole), tier);
    for (uint32_t i = 0; i < RESULT_RESOURCES; i++) {
        const struct result_resource *resource = &found->resources[i];
        if (resource->present && strcmp(resource->name, name) == 0) {
            return resource->used_mean;
        }
    }
    fail_msg("%s has no %s", tier, name);
    return 0;
}

/* -- Clients ------------------------------------------------------------------------------------
 */

static struct whole *beating(const char *heartbeat)
{
    return whole_run(TINY, (const char *const[]){
                               "population.users=2000", "population.connected=1000",
                               "population.devices_per_user=1", "population.message_rate=0.001/s",
                               "population.connection_life=0", heartbeat, NULL});
}

static void heartbeats_cost_a_frame_in_and_a_frame_out(void **state)
{
    (void)state;
    struct whole *often = beating("client.heartbeat=100 ms");
    struct whole *seldom = beating("client.heartbeat=200 ms");
    /* 1000 clients on 3 servers of 2 cores, 5 + 3 us a beat, 5 a second more. */
    double cpu = used(often, "gateway", "cpu") - used(seldom, "gateway", "cpu");
    assert_near(cpu, 5 * 1000 / 6.0 * 8e-6, 0.01);
    double bytes_per_s = used(often, "gateway", "nic_in") - used(seldom, "gateway", "nic_in");
    assert_near(bytes_per_s, 5 * 1000 / 3.0 * 80, 0.01);
    bytes_per_s = used(often, "gateway", "nic_out") - used(seldom, "gateway", "nic_out");
    assert_near(bytes_per_s, 5 * 1000 / 3.0 * 80, 0.01);
    whole_free(seldom);
    whole_free(often);
}

static double forgotten_per_s(const char *heartbeat, const char *idle_timeout)
{
    struct whole *whole = whole_run(
        TINY, (const char *const[]){"population.users=2000", "population.connected=1000",
                                    "population.devices_per_user=1",
                                    "population.message_rate=0.001/s", "run.duration=100 s",
                                    "population.connection_life=0", heartbeat, idle_timeout, NULL});
    double per_s = whole_count(whole, "disconnects") / 100;
    double connects_per_s = whole_count(whole, "connects") / 100;
    assert_true(fabs(per_s - connects_per_s) < 1 + 0.1 * per_s); /* They come back. */
    whole_free(whole);
    return per_s;
}

static void the_path_forgets_connections_that_do_not_beat(void **state)
{
    (void)state;
    assert_true(forgotten_per_s("client.heartbeat=30 s", "network.idle_timeout=60 s") == 0);
    /* Silent from the start: each of 1000 is forgotten once in a timeout. */
    assert_near(forgotten_per_s("client.heartbeat=1 h", "network.idle_timeout=60 s"), 1000 / 60.0,
                0.1);
    assert_near(forgotten_per_s("client.heartbeat=1 h", "network.idle_timeout=20 s"), 1000 / 20.0,
                0.1);
}

/* Of what is written, the share of the most active tenth: the integral of (x + 1/20)^-s. */
static void activity_is_skewed_by_its_exponent(void **state)
{
    (void)state;
    static const double exponents[] = {0, 0.5, 1, 1.5, 3};
    static struct plan plan;
    for (uint32_t i = 0; i < sizeof exponents / sizeof *exponents; i++) {
        struct workload workload;
        double s = exponents[i];
        plan.population.zipf_s = s;
        plan.population.users = 1000;
        plan.population.record_size = (struct plan_law){.kind = PLAN_LAW_CONSTANT, .mean = 200};
        plan.population.group_size_mean = 5;
        workload_init(&workload, &plan, 1000, 0);
        const struct rng_stream stream = rng_stream(1, "test");
        uint32_t within = 0;
        for (uint32_t n = 0; n < 100000; n++) {
            uint64_t index = workload_active(&workload, rng_draw(&stream, i, n).word[0], 1000);
            assert_true(index < 1000);
            within += index < 100;
        }
        double low = 1 / 20.0;
        double expected = s == 1 ? log((0.1 + low) / low) / log((1 + low) / low)
                                 : (pow(0.1 + low, 1 - s) - pow(low, 1 - s)) /
                                       (pow(1 + low, 1 - s) - pow(low, 1 - s));
        assert_near(within / 100000.0, expected, 0.03);
    }
}

/* -- What is asked for now and then ------------------------------------------------------------
 */

static struct whole *asking(const char *first, const char *second)
{
    return whole_run(TINY, (const char *const[]){"population.connected=300", "run.duration=20 s",
                                                 "population.message_rate=1/s",
                                                 "client.heartbeat=1 h", first, second, NULL});
}

static void pages_of_history_are_read_and_sent(void **state)
{
    (void)state;
    struct whole *none = asking("population.history_rate=0", "core.history_page=20");
    struct whole *short_ = asking("population.history_rate=50/s", "core.history_page=5");
    struct whole *long_ = asking("population.history_rate=50/s", "core.history_page=25");
    assert_near(whole_count(long_, "pages"), 1000, 0.1);
    assert_near((double)result_stage(whole_result(long_), "history")->count,
                whole_count(long_, "pages"), 0.05);
    assert_true(whole_mean_s(long_, "history") < 0.2);
    /* 20 rows of 200 B and framing more. */
    double more = used(long_, "gateway", "nic_out") - used(short_, "gateway", "nic_out");
    assert_near(3 * more, 50 * 20 * 280, 0.1);
    more = used(short_, "cassandra", "cpu") - used(none, "cassandra", "cpu");
    assert_true(3 * 16 * more > 50 * 2e-3 && 3 * 16 * more < 50 * 6e-3); /* A quorum reads. */
    assert_true(whole_count(long_, "deliveries") < 1.3 * whole_count(none, "deliveries"));
    whole_free(long_);
    whole_free(short_);
    whole_free(none);
}

static void changes_of_members_go_through_the_log(void **state)
{
    (void)state;
    struct whole *none = asking("population.membership_rate=0", "population.group_share=0");
    struct whole *some = asking("population.membership_rate=50/s", "population.group_share=0");
    assert_near(whole_count(some, "memberships"), 1000, 0.1);
    assert_near(whole_count(some, "records_consumed") - whole_count(none, "records_consumed"),
                whole_count(some, "memberships"), 0.05);
    whole_free(some);
    whole_free(none);
}

/* Contents runs: who is judged is judged right while others come and go and read back. */
static void guarantees_hold_with_changes_and_pages(void **state)
{
    (void)state;
    struct whole *whole = whole_run(
        TINY,
        (const char *const[]){"run.contents=true", "population.users=60", "population.connected=40",
                              "population.group_share=50%", "population.groups=40",
                              "population.membership_rate=2/s", "population.history_rate=10/s",
                              "run.duration=20 s", "run.drain=30 s", NULL});
    const struct result *result = whole_result(whole);
    assert_true(result->judged && result->judged_owed > 100);
    if (result->violation_count > 0) {
        fail_msg("%s", result->violations[0]);
    }
    assert_true(whole_count(whole, "memberships") > 10 && whole_count(whole, "pages") > 100);
    whole_free(whole);
}

/* Whoever reads a member list from the store leaves it in the cache: ten lists of 200 members weigh
 * what they weigh there. */
static void member_lists_that_were_read_are_cached(void **state)
{
    (void)state;
    double kept[2];
    for (uint32_t i = 0; i < 2; i++) {
        const char *share = i == 0 ? "population.group_share=0" : "population.group_share=100%";
        struct whole *whole = whole_run(
            TINY,
            (const char *const[]){"run.contents=true", "population.users=300",
                                  "population.connected=100", "population.groups=10",
                                  "population.group_size.mean=200", "population.group_size.sigma=0",
                                  "run.drain=30 s", "population.group_size.max=200", share, NULL});
        kept[i] = 3 * used(whole, "redis", "memory");
        whole_free(whole);
    }
    /* A list 124 + 130 B, a member 3 + 24 B; times 1.2 resident, times 1.3 while saving. */
    assert_near(kept[1] - kept[0], 10 * (254 + 200 * 27) * 1.2 * 1.3, 0.15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activity_is_skewed_by_its_exponent),
        cmocka_unit_test(heartbeats_cost_a_frame_in_and_a_frame_out),
        cmocka_unit_test(pages_of_history_are_read_and_sent),
        cmocka_unit_test(changes_of_members_go_through_the_log),
        cmocka_unit_test(guarantees_hold_with_changes_and_pages),
        cmocka_unit_test(member_lists_that_were_read_are_cached),
        cmocka_unit_test(the_path_forgets_connections_that_do_not_beat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
