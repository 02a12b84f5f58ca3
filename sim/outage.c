#include "sim/outage.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "sim/check.h"
#include "sim/dist.h"

#define MILLI 1000u

static bool interval_holds(const struct outage_interval *interval)
{
    return interval->from_ns < interval->until_ns && interval->kind <= OUTAGE_DOWN &&
           (interval->kind != OUTAGE_SLOW || interval->stretch_milli >= MILLI);
}

static void outage_aim(struct outage *outage)
{
    outage->next_ns =
        outage->index < outage->interval_count ? outage->intervals[outage->index].from_ns + 1 : 0;
}

enum outage_err outage_init(struct outage *outage, const struct outage_interval *intervals,
                            uint32_t interval_count)
{
    CHECK(outage != NULL);
    CHECK(interval_count == 0 || intervals != NULL);
    for (uint32_t i = 0; i < interval_count; i++) {
        if (!interval_holds(&intervals[i])) {
            return OUTAGE_ERR_INTERVAL;
        }
        if (i > 0 && intervals[i].from_ns < intervals[i - 1].until_ns) {
            return OUTAGE_ERR_ORDER;
        }
    }
    *outage = (struct outage){.intervals = intervals, .interval_count = interval_count};
    outage_aim(outage);
    return OUTAGE_OK;
}

/* ---- Questions ---- */

/* Index of the first interval that ends after `time_ns`. */
static uint32_t outage_index(const struct outage *outage, uint64_t time_ns)
{
    uint32_t index = outage->index;
    while (index < outage->interval_count && outage->intervals[index].until_ns <= time_ns) {
        index++;
    }
    return index;
}

void outage_pass_slow(struct outage *outage, uint64_t now_ns)
{
    outage->index = outage_index(outage, now_ns);
    outage_aim(outage);
}

const struct outage_interval *outage_find(const struct outage *outage, uint64_t time_ns)
{
    const uint32_t index = outage_index(outage, time_ns);
    if (index == outage->interval_count || time_ns < outage->intervals[index].from_ns) {
        return NULL;
    }
    return &outage->intervals[index];
}

uint64_t outage_finish_slow(const struct outage *outage, uint64_t start_ns, uint64_t work_ns)
{
    CHECK(start_ns != SIM_NEVER);
    CHECK(work_ns < SIM_NEVER - start_ns);
    uint64_t now_ns = start_ns;
    uint64_t left_ns = work_ns;
    for (uint32_t i = outage_index(outage, start_ns); i < outage->interval_count; i++) {
        const struct outage_interval *interval = &outage->intervals[i];
        if (now_ns + left_ns <= interval->from_ns) {
            break;
        }
        if (now_ns < interval->from_ns) {
            left_ns -= interval->from_ns - now_ns;
            now_ns = interval->from_ns;
        }
        if (interval->kind == OUTAGE_DOWN) {
            return SIM_NEVER;
        }
        const uint64_t length_ns = interval->until_ns - now_ns;
        if (interval->kind == OUTAGE_SLOW) {
            const unsigned __int128 milli = (unsigned __int128)left_ns * interval->stretch_milli;
            const unsigned __int128 needed_ns = (milli + MILLI - 1) / MILLI;
            if (needed_ns <= length_ns) {
                return now_ns + (uint64_t)needed_ns;
            }
            left_ns -= (uint64_t)((unsigned __int128)length_ns * MILLI / interval->stretch_milli);
            CHECK(left_ns > 0);
        }
        if (interval->until_ns == SIM_NEVER) {
            return SIM_NEVER;
        }
        now_ns = interval->until_ns;
    }
    return now_ns + left_ns;
}

uint64_t outage_up_slow(const struct outage *outage, uint64_t time_ns)
{
    uint64_t up_ns = time_ns;
    for (uint32_t i = outage_index(outage, time_ns); i < outage->interval_count; i++) {
        const struct outage_interval *interval = &outage->intervals[i];
        if (up_ns < interval->from_ns || interval->kind != OUTAGE_DOWN) {
            break;
        }
        up_ns = interval->until_ns;
    }
    return up_ns;
}

uint64_t outage_down_slow(const struct outage *outage, uint64_t from_ns, uint64_t until_ns)
{
    for (uint32_t i = outage_index(outage, from_ns); i < outage->interval_count; i++) {
        const struct outage_interval *interval = &outage->intervals[i];
        if (interval->from_ns >= until_ns) {
            break;
        }
        if (interval->kind == OUTAGE_DOWN) {
            return interval->from_ns;
        }
    }
    return SIM_NEVER;
}

/* ---- Making schedules ---- */

static int number_compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* The severer later; among equals by time. A total order, so that qsort() has no choice. */
static int severity_compare(const void *left, const void *right)
{
    const struct outage_interval *a = left;
    const struct outage_interval *b = right;
    int order = number_compare(a->kind, b->kind);
    order = order != 0 ? order : number_compare(a->stretch_milli, b->stretch_milli);
    order = order != 0 ? order : number_compare(a->from_ns, b->from_ns);
    return order != 0 ? order : number_compare(a->until_ns, b->until_ns);
}

/* Lays `paint` over a sorted, disjoint list, cutting away what it covers. Returns the new count, at
 * most two more. */
static uint32_t list_paint(struct outage_interval *list, uint32_t count,
                           const struct outage_interval *paint)
{
    uint32_t first = count; /* The covered ones are [first, last). */
    while (first > 0 && list[first - 1].until_ns > paint->from_ns) {
        first--;
    }
    uint32_t last = first;
    while (last < count && list[last].from_ns < paint->until_ns) {
        last++;
    }
    struct outage_interval pieces[3];
    uint32_t piece_count = 0;
    if (last > first && list[first].from_ns < paint->from_ns) {
        pieces[piece_count] = list[first];
        pieces[piece_count++].until_ns = paint->from_ns;
    }
    pieces[piece_count++] = *paint;
    if (last > first && list[last - 1].until_ns > paint->until_ns) {
        pieces[piece_count] = list[last - 1];
        pieces[piece_count++].from_ns = paint->until_ns;
    }
    memmove(list + first + piece_count, list + last, (count - last) * sizeof *list);
    memcpy(list + first, pieces, piece_count * sizeof *list);
    return count - (last - first) + piece_count;
}

static uint32_t list_join(struct outage_interval *list, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct outage_interval *before = kept > 0 ? &list[kept - 1] : NULL;
        if (before != NULL && before->until_ns == list[i].from_ns && before->kind == list[i].kind &&
            before->stretch_milli == list[i].stretch_milli) {
            before->until_ns = list[i].until_ns;
        } else {
            list[kept++] = list[i];
        }
    }
    return kept;
}

int64_t outage_normalise(struct outage_interval *intervals, uint32_t count, uint32_t count_max)
{
    if (count == 0) {
        return 0;
    }
    CHECK(intervals != NULL);
    if (count_max < 2 * (uint64_t)count - 1) {
        return OUTAGE_ERR_FULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!interval_holds(&intervals[i])) {
            return OUTAGE_ERR_INTERVAL;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (intervals[i].kind != OUTAGE_SLOW) {
            intervals[i].stretch_milli = 0;
        }
    }
    /* Unpainted ones wait at the far end of the array; k painted ones are at most 2k - 1. */
    qsort(intervals, count, sizeof *intervals, severity_compare);
    struct outage_interval *waiting = intervals + (count_max - count);
    memmove(waiting, intervals, count * sizeof *intervals);
    uint32_t painted = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct outage_interval paint = waiting[i];
        painted = list_paint(intervals, painted, &paint);
        CHECK(painted <= 2 * i + 1);
    }
    return list_join(intervals, painted);
}

int64_t outage_draw(struct outage_interval *intervals, uint32_t count_max, enum outage_kind kind,
                    uint32_t stretch_milli, const struct dist *up, const struct dist *down,
                    struct rng_cursor *cursor, uint64_t until_ns)
{
    CHECK(kind != OUTAGE_SLOW || stretch_milli >= MILLI);
    uint32_t count = 0;
    uint64_t now_ns = 0;
    for (;;) {
        const struct rng_bits bits = rng_next(cursor);
        now_ns += dist_ns(up, bits.word[0]);
        if (now_ns >= until_ns) {
            return count;
        }
        if (count == count_max) {
            return OUTAGE_ERR_FULL;
        }
        const uint64_t down_ns = dist_ns(down, bits.word[1]);
        const uint64_t end_ns = now_ns + (down_ns > 0 ? down_ns : 1);
        intervals[count++] = (struct outage_interval){
            .from_ns = now_ns,
            .until_ns = end_ns,
            .kind = kind,
            .stretch_milli = kind == OUTAGE_SLOW ? stretch_milli : 0,
        };
        now_ns = end_ns;
    }
}
