/* Polling against arithmetic: who asks every T, with a phase that knows nothing of the messages,
 * waits T / 2 on average and any wait up to T is as likely as another. */
#include "tests/formula/whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#define SMALL "scenarios/tiny.json"
#define CROWD                                                                                      \
    "population.users=3000", "population.connected=1000", "population.message_rate=500/s",         \
        "population.group_share=0", "population.connection_life=0", "run.warmup=8 s",              \
        "run.duration=20 s"

static void assert_near(double value, double expected, double error)
{
    if (fabs(value - expected) > error) {
        fail_msg("%g s instead of %g +- %g", value, expected, error);
    }
}

static struct whole *polled(const char *transport, const char *interval)
{
    return whole_run(SMALL, (const char *const[]){CROWD, transport, interval, NULL});
}

static void a_poller_waits_half_an_interval(void **state)
{
    (void)state;
    struct whole *often = polled("client.transport=polling", "client.poll_interval=1 s");
    struct whole *seldom = polled("client.transport=polling", "client.poll_interval=5 s");
    /* All else is the same: the difference is that of the waits, (5 - 1) / 2. */
    assert_near(whole_mean_s(seldom, "delivery") - whole_mean_s(often, "delivery"), 2, 0.1);
    assert_near(whole_median_s(seldom, "delivery") - whole_median_s(often, "delivery"), 2, 0.2);
    struct whole *pushed = polled("client.transport=websocket", "client.poll_interval=1 s");
    double more_s = whole_mean_s(often, "delivery") - whole_mean_s(pushed, "delivery");
    assert_true(more_s > 0.5 && more_s < 0.6); /* And half a round trip to ask. */
    whole_free(pushed);
    whole_free(seldom);
    whole_free(often);
}

/* None waits longer than T and a round trip, and all are measured that were shown. */
static void no_poller_waits_longer_than_an_interval(void **state)
{
    (void)state;
    struct whole *whole = polled("client.transport=polling", "client.poll_interval=2 s");
    const struct result_stage *delivery = result_stage(whole_result(whole), "delivery");
    assert_true(delivery->quantile_ns[3].value > 1.95e9); /* p99 of a uniform. */
    assert_true(delivery->quantile_ns[3].value < 2.3e9);
    assert_true((double)delivery->count > 0.95 * whole_count(whole, "deliveries"));
    whole_free(whole);
}

static double redis_cpu(const struct whole *whole)
{
    const struct result_resource *cpu = &result_tier(whole_result(whole), "redis")->resources[0];
    assert_string_equal(cpu->name, "cpu");
    return cpu->used_mean;
}

/* A naive server that looks each C adds a wait of C / 2, and reads inboxes: one a held request and
 * C. */
static void a_naive_long_poll_waits_half_a_check(void **state)
{
    (void)state;
    static const char *const few[] = {
        "population.users=3000",
        "population.connected=1000",
        "population.group_share=0",
        "population.message_rate=100/s",
        "population.connection_life=0",
        "run.warmup=8 s",
        "run.duration=60 s",
        "client.transport=long_polling",
        "routing=sticky",
        NULL,
        NULL,
    };
    const char *sets[sizeof few / sizeof *few];
    memcpy(sets, few, sizeof few);
    sets[9] = "client.poll_check=0";
    struct whole *woken = whole_run(SMALL, sets);
    sets[9] = "client.poll_check=500 ms";
    struct whole *naive = whole_run(SMALL, sets);
    /* The core's timers go by ticks of 16.8 ms, so a check is half of one late on average. */
    assert_near(whole_mean_s(naive, "delivery") - whole_mean_s(woken, "delivery"), 0.254, 0.02);
    assert_true(whole_count(naive, "routes") < 0.1 * whole_count(woken, "routes"));
    double looks_per_s = (double)whole_result(naive)->online / 0.508;
    double more = redis_cpu(naive) - redis_cpu(woken);
    /* A command, 1.5 us, and most of a round trip, 8 us. */
    assert_near(3 * more / looks_per_s * 1e6, 8, 1);
    whole_free(naive);
    whole_free(woken);
}

/* Every request may be held: more of them than a gateway has operations under way. */
static void a_gateway_holds_as_many_polls_as_it_has_clients(void **state)
{
    (void)state;
    struct whole *whole =
        whole_run(SMALL, (const char *const[]){"population.users=12k", "population.connected=6k",
                                               "population.connection_life=0", "gateway.cores=1",
                                               "client.transport=long_polling", "routing=sticky",
                                               "run.warmup=8 s", NULL});
    assert_true(whole_count(whole, "deliveries") > 50);
    assert_true(whole_count(whole, "disconnects") == 0);
    assert_true(whole_mean_s(whole, "delivery") < 0.1);
    whole_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poller_waits_half_an_interval),
        cmocka_unit_test(no_poller_waits_longer_than_an_interval),
        cmocka_unit_test(a_naive_long_poll_waits_half_a_check),
        cmocka_unit_test(a_gateway_holds_as_many_polls_as_it_has_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
