#include "models/core/snowflake.h"

#include "models/core/check.h"

#define TIME_SHIFT 22u
#define MACHINE_SHIFT 12u

void snowflake_init(struct snowflake *s, uint32_t machine, uint32_t first, uint32_t count,
                    uint64_t floor_ms)
{
    CHECK(machine < SNOWFLAKE_MACHINES);
    CHECK(count > 0);
    CHECK(first + count <= SNOWFLAKE_SEQUENCES);
    *s = (struct snowflake){
        .last_ms = floor_ms < SNOWFLAKE_EPOCH_MS ? SNOWFLAKE_EPOCH_MS : floor_ms,
        .next = count, /* The floor's own millisecond may have been used up before. */
        .reserved_ms = UINT64_MAX,
        .machine = machine,
        .first = first,
        .count = count,
    };
}

uint64_t snowflake_ms(uint64_t id)
{
    return (id >> TIME_SHIFT) + SNOWFLAKE_EPOCH_MS;
}

void snowflake_observe(struct snowflake *s, uint64_t id)
{
    if (snowflake_ms(id) >= s->last_ms) {
        s->last_ms = snowflake_ms(id) + 1;
        s->next = 0;
    }
}

enum snowflake_err snowflake_mint(struct snowflake *s, uint64_t wall_ms, uint64_t above,
                                  uint64_t *id)
{
    uint64_t ms = s->last_ms;
    uint32_t next = s->next;
    if (wall_ms > ms) {
        ms = wall_ms;
        next = 0;
    }
    if (above != 0 && snowflake_ms(above) >= ms) {
        /* After a step back the ids minted before it lie ahead of the wall clock, rightly. */
        uint64_t now_ms = wall_ms > s->last_ms ? wall_ms : s->last_ms;
        if (snowflake_ms(above) > now_ms + SNOWFLAKE_AHEAD_MS) {
            return SNOWFLAKE_ERR_AHEAD;
        }
        ms = snowflake_ms(above) + 1;
        next = 0;
    }
    if (next == s->count) {
        ms++;
        next = 0;
    }
    if (ms >= s->reserved_ms) {
        return SNOWFLAKE_ERR_UNRESERVED;
    }
    if (ms > wall_ms + SNOWFLAKE_AHEAD_MS && s->last_ms <= wall_ms + SNOWFLAKE_AHEAD_MS) {
        return SNOWFLAKE_ERR_EXHAUSTED;
    }
    s->last_ms = ms;
    s->next = next + 1;
    *id = (ms - SNOWFLAKE_EPOCH_MS) << TIME_SHIFT | (uint64_t)s->machine << MACHINE_SHIFT |
          (s->first + next);
    CHECK(*id > above);
    return SNOWFLAKE_OK;
}
