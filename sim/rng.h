/* Chance by counter: draw = f(seed, stream, entity, n).
 *
 * A generator with a state makes every draw depend on who drew before. Here there is no state: the
 * n-th draw of an entity in a named stream is a pure function, so results are the same whoever asks
 * first, on any thread, and adding a stream to a model leaves all other streams' draws alone.
 *
 * The function is ARS-5: five rounds of AES on the counter (n, entity) under a key made from (seed,
 * name), with a Weyl sequence as key schedule. Salmon, Moraes, Dror, Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011: Crush-resistant, period 2^128, and not cryptography.
 * Processors with AES instructions do it inline; others by rng_draw_portable(), to the same bytes.
 *
 * Within one stream, different (entity, n) never give the same 128 bits: AES rounds permute.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdint.h>

#ifdef __AES__
#include <immintrin.h>
#endif

/* A named stream under one seed. A value: copy it freely. */
struct rng_stream {
    uint64_t key[2];
};

/* 128 random bits: two independent words. */
struct rng_bits {
    uint64_t word[2];
};

/* For an entity that draws one after another. Open; `n` counts its draws so far. */
struct rng_cursor {
    struct rng_stream stream;
    uint64_t entity;
    uint64_t n;
};

/* The stream called `name` (a C string, not kept) under `seed`. */
struct rng_stream rng_stream(uint64_t seed, const char *name);

/* The same function as rng_draw(), without special instructions. Slow; the oracle in tests. */
struct rng_bits rng_draw_portable(const struct rng_stream *stream, uint64_t entity, uint64_t n);

/* The n-th draw of `entity` in `stream`. */
static inline struct rng_bits rng_draw(const struct rng_stream *stream, uint64_t entity, uint64_t n)
{
#ifdef __AES__
    const __m128i weyl = _mm_set_epi64x((long long)0xBB67AE8584CAA73B,  /* sqrt(3) - 1 */
                                        (long long)0x9E3779B97F4A7C15); /* golden ratio */
    __m128i key = _mm_set_epi64x((long long)stream->key[1], (long long)stream->key[0]);
    __m128i state = _mm_xor_si128(_mm_set_epi64x((long long)entity, (long long)n), key);
    key = _mm_add_epi64(key, weyl);
    state = _mm_aesenc_si128(state, key);
    key = _mm_add_epi64(key, weyl);
    state = _mm_aesenc_si128(state, key);
    key = _mm_add_epi64(key, weyl);
    state = _mm_aesenc_si128(state, key);
    key = _mm_add_epi64(key, weyl);
    state = _mm_aesenc_si128(state, key);
    key = _mm_add_epi64(key, weyl);
    state = _mm_aesenclast_si128(state, key);
    return (struct rng_bits){{(uint64_t)_mm_cvtsi128_si64(state),
                              (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(state, state))}};
#else
    return rng_draw_portable(stream, entity, n);
#endif
}

/* The cursor's next draw; advances it by one. */
static inline struct rng_bits rng_next(struct rng_cursor *cursor)
{
    return rng_draw(&cursor->stream, cursor->entity, cursor->n++);
}

/* A double in (0, 1), both ends excluded, from the upper 52 bits; symmetric about 1/2. */
static inline double rng_unit(uint64_t bits)
{
    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

/* An integer in [0, n), by multiply and shift; n = 0 yields 0. Its bias is at most n / 2^64. */
static inline uint64_t rng_below(uint64_t bits, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)bits * n) >> 64);
}

/* True with probability `p` (0 to 1), to within 2^-52. */
static inline _Bool rng_chance(uint64_t bits, double p)
{
    return rng_unit(bits) < p;
}

#endif
