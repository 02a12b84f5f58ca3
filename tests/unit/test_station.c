/* fifo, link and station, each against a twin that does the same naively: nanosecond by nanosecond,
 * or by looking through everybody who ever came. */
#include "sim/dist.h"
#include "sim/fifo.h"
#include "sim/link.h"
#include "sim/station.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define JOBS_MAX 400u
#define SERVICE_MAX 40u

struct job {
    uint64_t arrive_ns;
    uint64_t service_ns;
    uint64_t left_ns;
    uint64_t start_ns;
    uint64_t departure_ns;
    uint32_t priority;
    bool here;
    bool in_service;
};

static struct job jobs[JOBS_MAX];
static uint64_t memory[4096];

static uint64_t pick(struct rng_cursor *cursor, uint64_t n)
{
    return rng_below(rng_next(cursor).word[0], n);
}

/* Jobs in order of arrival, some at once, about as many as `server_count` servers can bear. */
static void draw_jobs(struct rng_cursor *cursor, uint32_t count, uint32_t server_count,
                      uint32_t priority_count)
{
    const uint64_t gap = 1 + SERVICE_MAX / server_count;
    uint64_t now_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        now_ns += pick(cursor, gap + 1);
        jobs[i] = (struct job){
            .arrive_ns = now_ns,
            .service_ns = 1 + pick(cursor, SERVICE_MAX),
            .start_ns = SIM_NEVER,
            .departure_ns = SIM_NEVER,
            .priority = (uint32_t)pick(cursor, priority_count),
        };
        jobs[i].left_ns = jobs[i].service_ns;
    }
}

static uint32_t count_jobs(uint32_t count, bool in_service_only)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += in_service_only ? jobs[i].in_service : jobs[i].here;
    }
    return found;
}

/* Who is next: the most urgent, of these the first to come. */
static struct job *next_waiting(uint32_t count)
{
    struct job *next = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].here && !jobs[i].in_service &&
            (next == NULL || jobs[i].priority < next->priority)) {
            next = &jobs[i];
        }
    }
    return next;
}

static void start_waiting(uint64_t t, uint32_t count, uint32_t server_count)
{
    struct job *next = next_waiting(count);
    for (; next != NULL && count_jobs(count, true) < server_count; next = next_waiting(count)) {
        next->in_service = true;
        next->start_ns = t;
    }
}

/* One nanosecond: those who are done leave, a DOWN takes everybody; who waits goes on; arrivals;
 * progress. */
static void twin_step(uint64_t t, uint32_t count, uint32_t server_count, uint32_t capacity,
                      const struct outage *outage)
{
    const bool down = outage_is_down(outage, t);
    for (uint32_t i = 0; i < count; i++) {
        struct job *job = &jobs[i];
        if (job->in_service && job->left_ns == 0) {
            job->departure_ns = t;
            job->here = job->in_service = false;
        }
        if (down) {
            job->here = job->in_service = false;
        }
    }
    start_waiting(t, count, server_count);
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].arrive_ns == t && !down) {
            jobs[i].here = capacity == 0 || count_jobs(count, false) < capacity;
            start_waiting(t, count, server_count);
        }
    }
    const struct outage_interval *interval = outage_at(outage, t);
    const bool paused = interval != NULL && interval->kind == OUTAGE_PAUSE;
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].left_ns -= jobs[i].in_service && !paused;
    }
}

static void twin_run(uint32_t count, uint32_t server_count, uint32_t capacity,
                     const struct outage *outage)
{
    const uint64_t end_ns = jobs[count - 1].arrive_ns + (count + 20) * SERVICE_MAX;
    for (uint64_t t = 0; t < end_ns; t++) {
        if (t > jobs[count - 1].arrive_ns && count_jobs(count, false) == 0) {
            return;
        }
        twin_step(t, count, server_count, capacity, outage);
    }
}

/* ---- fifo ---- */

static const uint32_t server_counts[] = {1, 2, 3, 5, 8, 9, 16, 40, 64};

static void expect_visit(uint64_t seed, uint32_t i, struct fifo_visit visit)
{
    if (visit.start_ns != jobs[i].start_ns || visit.departure_ns != jobs[i].departure_ns) {
        fail_msg("seed %llu, visit %u: %llu to %llu, twin %llu to %llu", (unsigned long long)seed,
                 i, (unsigned long long)visit.start_ns, (unsigned long long)visit.departure_ns,
                 (unsigned long long)jobs[i].start_ns, (unsigned long long)jobs[i].departure_ns);
    }
}

/* Sums that a fifo must have kept. */
static void expect_sums(const struct fifo *fifo, uint32_t count)
{
    uint64_t wait_ns = 0;
    uint64_t wait_max_ns = 0;
    uint64_t losses = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].departure_ns == SIM_NEVER) {
            losses++;
            continue;
        }
        const uint64_t wait = jobs[i].start_ns - jobs[i].arrive_ns;
        wait_ns += wait;
        wait_max_ns = wait > wait_max_ns ? wait : wait_max_ns;
    }
    assert_int_equal(fifo->arrivals, count);
    assert_int_equal(fifo->losses, losses);
    assert_int_equal(fifo->wait_ns, wait_ns);
    assert_int_equal(fifo->wait_max_ns, wait_max_ns);
}

static void expect_fifo(uint64_t seed, uint32_t server_count, uint32_t capacity)
{
    struct rng_cursor cursor = {.stream = rng_stream(seed, "fifo"), .entity = server_count};
    struct fifo fifo;
    const struct outage none = {0};
    const uint32_t count = 150;
    draw_jobs(&cursor, count, server_count, 1);
    twin_run(count, server_count, capacity, &none);
    fifo_init(&fifo, server_count, capacity, memory);
    uint64_t busy_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (capacity > 0) {
            uint32_t here = 0;
            for (uint32_t j = 0; j < i; j++) {
                here +=
                    jobs[j].departure_ns != SIM_NEVER && jobs[j].departure_ns > jobs[i].arrive_ns;
            }
            assert_int_equal(fifo_count(&fifo, jobs[i].arrive_ns), here);
        }
        expect_visit(seed, i, fifo_serve(&fifo, jobs[i].arrive_ns, jobs[i].service_ns));
        busy_ns += jobs[i].departure_ns == SIM_NEVER ? 0 : jobs[i].service_ns;
    }
    expect_sums(&fifo, count);
    assert_int_equal(fifo.busy_ns, busy_ns);
    /* Utilization up to the last arrival, from every job's share of it. */
    const uint64_t now_ns = jobs[count - 1].arrive_ns;
    uint64_t within_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].departure_ns != SIM_NEVER && jobs[i].start_ns < now_ns) {
            within_ns +=
                (jobs[i].departure_ns < now_ns ? jobs[i].departure_ns : now_ns) - jobs[i].start_ns;
        }
    }
    const double expected = (double)within_ns / ((double)now_ns * server_count);
    assert_true(fabs(fifo_utilization(&fifo, now_ns) - expected) < 1e-12);
}

static void test_a_fifo_serves_as_its_twin_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        for (size_t i = 0; i < sizeof server_counts / sizeof server_counts[0]; i++) {
            expect_fifo(seed, server_counts[i], 0);
            expect_fifo(seed, server_counts[i], server_counts[i]);
            expect_fifo(seed, server_counts[i], server_counts[i] + 1);
            expect_fifo(seed, server_counts[i], server_counts[i] + 5);
        }
    }
}

static void test_visits_without_service_start_and_end_at_once(void **state)
{
    (void)state;
    struct fifo fifo;
    fifo_init(&fifo, 2, 2, memory);
    for (uint32_t i = 0; i < 10; i++) {
        const struct fifo_visit visit = fifo_serve(&fifo, 5, 0);
        assert_int_equal(visit.start_ns, 5);
        assert_int_equal(visit.departure_ns, 5);
    }
    assert_int_equal(fifo_count(&fifo, 5), 0);
    assert_int_equal(fifo.losses, 0);
}

/* Pauses and deaths only: what SLOW does is outage's to test. */
static uint32_t draw_outages(struct rng_cursor *cursor, struct outage_interval *intervals)
{
    uint64_t now_ns = 0;
    uint32_t count = 0;
    while (count < 20) {
        now_ns += 1 + pick(cursor, 200);
        const uint64_t until_ns = now_ns + 1 + pick(cursor, 60);
        intervals[count++] = (struct outage_interval){
            .from_ns = now_ns,
            .until_ns = until_ns,
            .kind = pick(cursor, 2) == 0 ? OUTAGE_PAUSE : OUTAGE_DOWN,
        };
        now_ns = until_ns;
    }
    return count;
}

static uint64_t first_down(const struct outage_interval *intervals, uint32_t count,
                           uint64_t from_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        if (intervals[i].kind == OUTAGE_DOWN && intervals[i].from_ns >= from_ns) {
            return intervals[i].from_ns;
        }
    }
    return SIM_NEVER;
}

static void expect_fifo_through(uint64_t seed, uint32_t server_count, uint32_t capacity)
{
    struct rng_cursor cursor = {.stream = rng_stream(seed, "through"), .entity = server_count};
    struct fifo fifo;
    struct outage_interval intervals[20];
    struct outage outage;
    const uint32_t count = 150;
    draw_jobs(&cursor, count, server_count, 1);
    const uint32_t interval_count = draw_outages(&cursor, intervals);
    assert_int_equal(outage_init(&outage, intervals, interval_count), OUTAGE_OK);
    twin_run(count, server_count, capacity, &outage);
    fifo_init(&fifo, server_count, capacity, memory);
    for (uint32_t i = 0; i < count; i++) {
        expect_visit(seed, i,
                     fifo_serve_through(&fifo, &outage, jobs[i].arrive_ns, jobs[i].service_ns));
    }
    expect_sums(&fifo, count);
    /* Servers were held as long as the twin's were: unless lost, from start to departure. */
    uint64_t held_ns = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t start_ns = jobs[i].start_ns;
        const uint64_t down_ns =
            start_ns == SIM_NEVER ? start_ns : first_down(intervals, interval_count, start_ns);
        const uint64_t until_ns =
            jobs[i].departure_ns == SIM_NEVER ? down_ns : jobs[i].departure_ns;
        held_ns += start_ns == SIM_NEVER ? 0 : until_ns - start_ns;
    }
    assert_int_equal(fifo.busy_ns, held_ns);
    const uint64_t end_ns = jobs[count - 1].arrive_ns + 100000;
    const double utilization = (double)held_ns / ((double)end_ns * server_count);
    assert_true(fabs(fifo_utilization(&fifo, end_ns) - utilization) < 1e-12);
}

static void test_a_fifo_with_outages_serves_as_its_twin_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        for (size_t i = 0; i < 5; i++) {
            expect_fifo_through(seed, server_counts[i], 0);
            expect_fifo_through(seed, server_counts[i], server_counts[i] + 3);
        }
    }
}

static void test_a_dead_server_is_idle(void **state)
{
    (void)state;
    const struct outage_interval down = {.from_ns = 100, .until_ns = 200, .kind = OUTAGE_DOWN};
    struct outage outage;
    struct fifo fifo;
    assert_int_equal(outage_init(&outage, &down, 1), OUTAGE_OK);
    fifo_init(&fifo, 1, 3, memory);
    const struct fifo_visit killed = fifo_serve_through(&fifo, &outage, 50, 100);
    assert_int_equal(killed.start_ns, 50);
    assert_int_equal(killed.departure_ns, SIM_NEVER);
    assert_int_equal(fifo_serve_through(&fifo, &outage, 60, 1).start_ns, SIM_NEVER);
    assert_int_equal(fifo_count(&fifo, 60), 2);
    assert_int_equal(fifo_serve_through(&fifo, &outage, 150, 1).start_ns, SIM_NEVER);
    assert_int_equal(fifo_count(&fifo, 150), 0);
    assert_true(fabs(fifo_utilization(&fifo, 150) - 50.0 / 150.0) < 1e-12);
    assert_int_equal(fifo_serve_through(&fifo, &outage, 200, 7).departure_ns, 207);
    assert_int_equal(fifo.losses, 3);
}

/* ---- link ---- */

static void test_bytes_take_turns_on_the_wire_then_travel(void **state)
{
    (void)state;
    static struct dist latency;
    struct link link;
    const struct dist_spec spec = {.law = DIST_CONSTANT, .mean = 1000};
    assert_int_equal(dist_init(&latency, &spec), DIST_OK);
    assert_int_equal(link_init(&link, 0.5, &latency), LINK_ERR_BANDWIDTH);
    assert_int_equal(link_init(&link, NAN, &latency), LINK_ERR_BANDWIDTH);
    assert_int_equal(link_init(&link, 125e6, &latency), LINK_OK); /* 1 Gbit/s: 8 ns a byte. */
    assert_int_equal(link_floor_ns(&link), 1000);
    assert_int_equal(link_send(&link, 0, 200, 1), 1600 + 1000);
    assert_int_equal(link_send(&link, 100, 100, 2), 2400 + 1000);
    assert_int_equal(link_send(&link, 10000, 1, 3), 10008 + 1000);
    assert_int_equal(link.bytes, 301);
    assert_int_equal(link.wire.wait_ns, 1500);
    assert_true(fabs(link_utilization(&link, 20000) - 2408.0 / 20000) < 1e-12);
    assert_int_equal(link_init(&link, 3e9, NULL), LINK_OK);
    assert_int_equal(link_wire_ns(&link, 3000000), 1000000); /* A third of a ns a byte. */
    assert_int_equal(link_init(&link, INFINITY, NULL), LINK_OK);
    assert_int_equal(link_send(&link, 7, UINT64_C(1) << 40, 0), 7);
}

/* ---- station ---- */

static struct dist service;

static struct station_config station_base(uint64_t seed)
{
    const struct dist_spec spec = {.law = DIST_UNIFORM, .low = 1, .high = SERVICE_MAX};
    assert_int_equal(dist_init(&service, &spec), DIST_OK);
    return (struct station_config){
        .server_count = 1,
        .batch_max = 1,
        .priority_count = 1,
        .capacity = JOBS_MAX,
        .service = &service,
        .seed = seed,
        .name = "s",
    };
}

/* The station's own services, as station.h says that they are drawn. */
static void draw_services(uint64_t seed, uint32_t count)
{
    const struct rng_stream stream = rng_stream(seed, "station/s/service");
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].service_ns = dist_ns(&service, rng_draw(&stream, i, 0).word[0]);
        jobs[i].left_ns = jobs[i].service_ns;
    }
}

/* Runs the jobs through a station and returns what it counted when all were gone. */
static struct station_counts run_station(const struct station_config *config, uint32_t count)
{
    const struct sim_config engine = {
        .scheduler = SIM_PLAIN, .thread_count = 1, .node_count_max = 4};
    struct sim *sim = sim_create(&engine);
    struct station *station = station_create(config);
    assert_non_null(sim);
    assert_non_null(station);
    const uint32_t node = sim_add_node(sim, &station_class, station, 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_event event =
            station_arrival(node, jobs[i].arrive_ns, i, jobs[i].priority);
        sim_post(sim, &event);
    }
    const uint64_t end_ns = 1000000;
    sim_run(sim, end_ns);
    assert_int_equal(sim_pending(sim), 0);
    const struct station_counts counts = station_counts(station, end_ns);
    station_destroy(station);
    sim_destroy(sim);
    return counts;
}

static void expect_station(uint64_t seed, uint32_t server_count, uint32_t priority_count,
                           uint32_t capacity)
{
    struct rng_cursor cursor = {.stream = rng_stream(seed, "station"), .entity = server_count};
    struct station_config config = station_base(seed);
    const struct outage none = {0};
    const uint32_t count = 200;
    config.server_count = server_count;
    config.priority_count = priority_count;
    config.capacity = capacity;
    draw_jobs(&cursor, count, server_count, priority_count);
    for (uint32_t i = 1; i < count; i++) { /* Who comes first at equal times is by content. */
        if (jobs[i].arrive_ns <= jobs[i - 1].arrive_ns) {
            jobs[i].arrive_ns = jobs[i - 1].arrive_ns + 1;
        }
    }
    draw_services(seed, count);
    twin_run(count, server_count, capacity, &none);
    const struct station_counts counts = run_station(&config, count);
    uint64_t sojourn_ns = 0;
    uint64_t busy_ns = 0;
    uint64_t losses = 0;
    for (uint32_t i = 0; i < count; i++) {
        const bool lost = jobs[i].departure_ns == SIM_NEVER;
        losses += lost;
        busy_ns += lost ? 0 : jobs[i].service_ns;
        sojourn_ns += lost ? 0 : jobs[i].departure_ns - jobs[i].arrive_ns;
    }
    if (counts.sojourn_ns != sojourn_ns || counts.losses != losses) {
        fail_msg("seed %llu, %u servers: sojourns %llu, twin %llu; losses %llu, twin %llu",
                 (unsigned long long)seed, server_count, (unsigned long long)counts.sojourn_ns,
                 (unsigned long long)sojourn_ns, (unsigned long long)counts.losses,
                 (unsigned long long)losses);
    }
    assert_int_equal(counts.arrivals, count);
    assert_int_equal(counts.departures, count - losses);
    assert_int_equal(counts.exits, count - losses);
    assert_int_equal(counts.exit_sojourn_ns, sojourn_ns);
    assert_int_equal(counts.busy_ns, busy_ns);
    assert_int_equal(counts.count_ns, sojourn_ns); /* Little's law, as an identity. */
}

static void test_a_station_serves_as_its_twin_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        expect_station(seed, 1, 1, JOBS_MAX);
        expect_station(seed, 3, 1, JOBS_MAX);
        expect_station(seed, 1, 1, 4);
        expect_station(seed, 4, 1, 4);
        expect_station(seed, 1, 3, JOBS_MAX);
        expect_station(seed, 2, 8, 9);
    }
}

/* Processor sharing by its definition, in real numbers: all n advance at min(1, c / n). */
static double twin_sharing(uint32_t count, uint32_t server_count)
{
    static double left[JOBS_MAX];
    double now = 0.0;
    double sojourn = 0.0;
    uint32_t come = 0;
    uint32_t gone = 0;
    while (gone < count) {
        uint32_t here = 0;
        double least = INFINITY;
        for (uint32_t i = 0; i < come; i++) {
            here += left[i] >= 0.0;
            least = left[i] >= 0.0 ? fmin(least, left[i]) : least;
        }
        const double rate = here > server_count ? (double)server_count / here : 1.0;
        const double until = come < count ? (double)jobs[come].arrive_ns : INFINITY;
        const double step = fmin(until - now, least / rate);
        now += step;
        for (uint32_t i = 0; i < come; i++) {
            if (left[i] >= 0.0) {
                left[i] -= step * rate;
                if (left[i] < 1e-9) {
                    left[i] = -1.0;
                    sojourn += now - (double)jobs[i].arrive_ns;
                    gone++;
                }
            }
        }
        if (come < count && now >= until) {
            left[come] = (double)jobs[come].service_ns;
            come++;
        }
    }
    return sojourn;
}

static void test_sharing_divides_the_servers_equally(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const uint32_t server_count = 1 + (uint32_t)seed % 4;
        struct rng_cursor cursor = {.stream = rng_stream(seed, "sharing")};
        struct station_config config = station_base(seed);
        const uint32_t count = 200;
        config.discipline = STATION_SHARING;
        config.server_count = server_count;
        draw_jobs(&cursor, count, server_count, 1);
        draw_services(seed, count);
        const struct station_counts counts = run_station(&config, count);
        const double twin = twin_sharing(count, server_count);
        /* Up to a ns late each, and everybody behind it with it. */
        if ((double)counts.sojourn_ns < twin - 1.0 ||
            (double)counts.sojourn_ns > twin * 1.001 + 30.0 * count) {
            fail_msg("seed %llu: sojourns %llu, twin %.1f", (unsigned long long)seed,
                     (unsigned long long)counts.sojourn_ns, twin);
        }
        assert_int_equal(counts.departures, count);
        assert_int_equal(counts.count_ns, counts.sojourn_ns);
    }
}

static void test_a_server_takes_a_batch_of_those_who_wait(void **state)
{
    (void)state;
    static struct dist constant;
    const struct dist_spec spec = {.law = DIST_CONSTANT, .mean = 100};
    assert_int_equal(dist_init(&constant, &spec), DIST_OK);
    struct station_config config = station_base(1);
    config.service = &constant;
    config.batch_max = 4;
    /* The first goes alone; of the six that come meanwhile four go together, then two. */
    for (uint32_t i = 0; i < 7; i++) {
        jobs[i] = (struct job){.arrive_ns = i};
    }
    const struct station_counts counts = run_station(&config, 7);
    assert_int_equal(counts.departures, 7);
    assert_int_equal(counts.busy_ns, 300);
    assert_int_equal(counts.sojourn_ns, 100 + 4 * 200 - (1 + 2 + 3 + 4) + 2 * 300 - (5 + 6));
}

static void test_a_reset_forgets_counts_but_not_jobs(void **state)
{
    (void)state;
    const struct sim_config engine = {
        .scheduler = SIM_PLAIN, .thread_count = 1, .node_count_max = 4};
    struct sim *sim = sim_create(&engine);
    struct station_config config = station_base(1);
    static struct dist constant;
    const struct dist_spec spec = {.law = DIST_CONSTANT, .mean = 100};
    assert_int_equal(dist_init(&constant, &spec), DIST_OK);
    config.service = &constant;
    struct station *station = station_create(&config);
    const uint32_t node = sim_add_node(sim, &station_class, station, 0);
    for (uint64_t job = 0; job < 3; job++) {
        const struct sim_event event = station_arrival(node, 10, job, 0);
        sim_post(sim, &event);
    }
    sim_run(sim, 150);
    station_reset(station, 150);
    const struct station_counts none = station_counts(station, 150);
    assert_int_equal(none.departures, 0);
    assert_int_equal(none.count_ns, 0);
    sim_run(sim, 1000);
    const struct station_counts counts = station_counts(station, 1000);
    assert_int_equal(counts.since_ns, 150);
    assert_int_equal(counts.departures, 2);
    assert_int_equal(counts.count_ns, 2 * 60 + 100);
    station_destroy(station);
    sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fifo_serves_as_its_twin_does),
        cmocka_unit_test(test_visits_without_service_start_and_end_at_once),
        cmocka_unit_test(test_a_fifo_with_outages_serves_as_its_twin_does),
        cmocka_unit_test(test_a_dead_server_is_idle),
        cmocka_unit_test(test_bytes_take_turns_on_the_wire_then_travel),
        cmocka_unit_test(test_a_station_serves_as_its_twin_does),
        cmocka_unit_test(test_sharing_divides_the_servers_equally),
        cmocka_unit_test(test_a_server_takes_a_batch_of_those_who_wait),
        cmocka_unit_test(test_a_reset_forgets_counts_but_not_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
