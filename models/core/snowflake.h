/* Message ids: 41 bits of milliseconds since 1700000000000, 10 bits of machine, 12 of sequence.
 *
 * Ids of one minter only grow, also when the clock steps back or stands still: time is then
 * borrowed from the future, a millisecond for each sequence used up. The workers of one machine
 * split its sequence. What was minted stays below `reserved_ms`, which the owner keeps durably
 * ahead, so that a restart never mints an id twice.
 */
#ifndef MODELS_CORE_SNOWFLAKE_H
#define MODELS_CORE_SNOWFLAKE_H

#include <stdbool.h>
#include <stdint.h>

#define SNOWFLAKE_EPOCH_MS 1700000000000u
#define SNOWFLAKE_AHEAD_MS 5000u /* Ids further ahead of the wall clock are refused. */
#define SNOWFLAKE_MACHINES 1024u
#define SNOWFLAKE_SEQUENCES 4096u

struct snowflake {
    uint64_t last_ms; /* Unix time of the last id. */
    uint64_t reserved_ms;
    uint32_t next; /* Sequence of the next id in last_ms. */
    uint32_t machine;
    uint32_t first;
    uint32_t count;
};

enum snowflake_err {
    SNOWFLAKE_OK = 0,
    SNOWFLAKE_ERR_AHEAD = -1,      /* `above` is more than SNOWFLAKE_AHEAD_MS in the future. */
    SNOWFLAKE_ERR_UNRESERVED = -2, /* The id would lie at or beyond reserved_ms. */
    SNOWFLAKE_ERR_EXHAUSTED = -3,  /* So many were borrowed that the id itself would be ahead. */
};

/* `first` + `count` sequences of `machine` are this minter's. `floor_ms`: nothing at or before this
 * time is minted. */
void snowflake_init(struct snowflake *s, uint32_t machine, uint32_t first, uint32_t count,
                    uint64_t floor_ms);

/* Writes an id above `above` (0: any) and above all before it. On an error nothing has changed. */
enum snowflake_err snowflake_mint(struct snowflake *s, uint64_t wall_ms, uint64_t above,
                                  uint64_t *id);

/* Everything minted from now on is above `id`, which another minter gave. */
void snowflake_observe(struct snowflake *s, uint64_t id);

/* Unix time in ms that an id says. */
uint64_t snowflake_ms(uint64_t id);

#endif
