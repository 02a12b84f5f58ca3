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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activity_is_skewed_by_its_exponent),
        cmocka_unit_test(heartbeats_cost_a_frame_in_and_a_frame_out),
        cmocka_unit_test(the_path_forgets_connections_that_do_not_beat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
