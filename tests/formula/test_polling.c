/* Polling against arithmetic: who asks every T, with a phase that knows nothing of the messages,
 * waits T / 2 on average and any wait up to T is as likely as another. */
#include "tests/formula/whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poller_waits_half_an_interval),
        cmocka_unit_test(no_poller_waits_longer_than_an_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
