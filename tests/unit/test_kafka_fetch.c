/* kafka: what operators set of fetches and requests, against arithmetic. */
#include "tests/unit/kafka_bed.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

static void run(struct kafka_bed *bed, uint64_t until_ns)
{
    kafka_bed_start(bed);
    sim_run(bed->sim, until_ns);
}

static void check_each_once(const struct kafka_bed *bed)
{
    uint32_t *counts = kafka_bed_counts(bed);
    for (uint32_t i = 0; i < bed->options.hosts * bed->options.records; i++) {
        assert_int_equal(bed->asked[i].err, CHAT_OK);
        assert_int_equal(counts[i], 1);
    }
    free(counts);
}

static void test_no_more_records_are_under_way_than_a_core_works_on(void **state)
{
    (void)state;
    struct kafka_bed *bed = kafka_bed_plan(1, 8, 60 * SECOND);
    bed->plan.kafka.replication = 1;
    bed->plan.kafka.min_insync = 1;
    bed->plan.fanout.in_flight_max = 12;
    bed->options.service_ns = SIM_NEVER;
    run(bed, 10 * SECOND);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(bed->servers[i].under_way_max, 4 * 12);
    }
    kafka_bed_free(bed);
}

/* From its answer, which is when consumers may read it, to its worker. */
static double mean_delay_ms(const struct kafka_bed *bed)
{
    double sum_ns = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            const struct kafka_seen *seen = &bed->servers[i].seen[k];
            sum_ns += (double)seen->time_ns - (double)bed->asked[seen->record].answered_ns;
            count++;
        }
    }
    return sum_ns / count * 1e-6;
}

static double delay_with_ms(uint64_t fetch_min_bytes)
{
    struct kafka_bed *bed = kafka_bed_plan(3, 12, 60 * SECOND);
    bed->plan.kafka.fetch_min_bytes = fetch_min_bytes;
    bed->plan.kafka.fetch_wait_ns = 100 * MS;
    run(bed, 60 * SECOND);
    check_each_once(bed);
    double delay_ms = mean_delay_ms(bed);
    kafka_bed_free(bed);
    return delay_ms;
}

/* What never fills a fetch waits for the end of fetch_wait, which comes at any time alike; what
 * fills one sooner waits for less. 3,000 records/s over 24 links: one in 8 ms. */
static void test_a_fetch_waits_for_its_least_bytes_or_its_time(void **state)
{
    (void)state;
    double at_once_ms = delay_with_ms(1);
    assert_true(at_once_ms < 1);
    double full_ms = delay_with_ms(100000000) - at_once_ms;
    assert_true(full_ms > 45 && full_ms < 55);
    double some_ms = delay_with_ms(4 * 240) - at_once_ms; /* Three more records: 24 ms at most. */
    assert_true(some_ms > 5 && some_ms < 20);
}

/* 64 records of one channel at once: how long it takes until the last has come. */
static uint64_t spread_ns(uint64_t fetch_bytes, uint64_t fetch_partition_bytes)
{
    struct kafka_bed *bed = kafka_bed_plan(3, 6, 60 * SECOND);
    bed->plan.kafka.fetch_bytes = fetch_bytes;
    bed->plan.kafka.fetch_partition_bytes = fetch_partition_bytes;
    bed->options.hosts = 1;
    bed->options.channels = 1;
    bed->options.records = 64;
    bed->options.burst = 64;
    run(bed, 60 * SECOND);
    check_each_once(bed);
    uint64_t first_ns = SIM_NEVER;
    uint64_t last_ns = 0;
    for (uint32_t i = 0; i < bed->options.servers; i++) {
        for (uint32_t k = 0; k < bed->servers[i].seen_count; k++) {
            uint64_t time_ns = bed->servers[i].seen[k].time_ns;
            first_ns = time_ns < first_ns ? time_ns : first_ns;
            last_ns = time_ns > last_ns ? time_ns : last_ns;
        }
    }
    kafka_bed_free(bed);
    return last_ns - first_ns;
}

static void test_a_response_takes_so_many_bytes_and_the_next_a_round_trip(void **state)
{
    (void)state;
    const uint64_t many = 100000000;
    assert_true(spread_ns(many, many) < 1 * MS);
    assert_in_range(spread_ns(1, many), 63 * 2 * LATENCY_NS - 1000, 64 * 2 * LATENCY_NS);
    assert_in_range(spread_ns(many, 1), 63 * 2 * LATENCY_NS - 1000, 64 * 2 * LATENCY_NS);
    /* Records of 217 B: 8 in a response of 1,900, so 7 round trips. */
    assert_in_range(spread_ns(1900, many), 7 * 2 * LATENCY_NS - 1000, 8 * 2 * LATENCY_NS);
}

/* Answers at distinct times: each is a request's. A record each 0.1 ms, without a linger, to a
 * broker that answers 0.44 ms and some bytes later. */
static uint32_t requests_with(uint32_t in_flight_max)
{
    struct kafka_bed *bed = kafka_bed_plan(1, 1, 60 * SECOND);
    bed->plan.kafka.replication = 1;
    bed->plan.kafka.min_insync = 1;
    bed->plan.kafka.linger_ns = 0;
    bed->plan.kafka.delivery_timeout_ns = 5 * SECOND;
    bed->plan.kafka.requests_in_flight_max = in_flight_max;
    bed->options.hosts = 1;
    bed->options.gap_ns = MS / 10;
    bed->options.regular = true;
    run(bed, 60 * SECOND);
    check_each_once(bed);
    uint32_t count = 1;
    for (uint32_t i = 1; i < bed->options.records; i++) {
        count += bed->asked[i].answered_ns != bed->asked[i - 1].answered_ns;
    }
    kafka_bed_free(bed);
    return count;
}

static void test_no_more_requests_are_in_flight_than_may_be(void **state)
{
    (void)state;
    assert_in_range(requests_with(5), 990, 1000); /* 4.4 would do. */
    assert_in_range(requests_with(2), 2 * 1000 / 4.41 * 0.9, 2 * 1000 / 4.41 * 1.1);
    assert_in_range(requests_with(1), 1000 / 4.41 * 0.9, 1000 / 4.41 * 1.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_more_records_are_under_way_than_a_core_works_on),
        cmocka_unit_test(test_a_fetch_waits_for_its_least_bytes_or_its_time),
        cmocka_unit_test(test_a_response_takes_so_many_bytes_and_the_next_a_round_trip),
        cmocka_unit_test(test_no_more_requests_are_in_flight_than_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
