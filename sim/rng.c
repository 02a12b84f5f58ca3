#include "sim/rng.h"

#include "sim/check.h"

#include <stddef.h>

#define ROUND_COUNT 5u
#define STATE_BYTES 16u

/* Bytes as AES numbers them: column by column, least significant byte of word 0 first. */
struct state {
    uint8_t bytes[STATE_BYTES];
};

/* AES S-box, FIPS 197, figure 7. */
static const uint8_t sbox[256] = {
    0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76,
    0xca, 0x82, 0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0,
    0xb7, 0xfd, 0x93, 0x26, 0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15,
    0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96, 0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75,
    0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0, 0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84,
    0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb, 0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf,
    0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f, 0x50, 0x3c, 0x9f, 0xa8,
    0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff, 0xf3, 0xd2,
    0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
    0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb,
    0xe0, 0x32, 0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79,
    0xe7, 0xc8, 0x37, 0x6d, 0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08,
    0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6, 0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a,
    0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e, 0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e,
    0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e, 0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf,
    0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f, 0xb0, 0x54, 0xbb, 0x16,
};

static struct state state_from_words(uint64_t low, uint64_t high)
{
    struct state state;
    for (unsigned i = 0; i < 8; i++) {
        state.bytes[i] = (uint8_t)(low >> (8 * i));
        state.bytes[i + 8] = (uint8_t)(high >> (8 * i));
    }
    return state;
}

static struct rng_bits state_to_words(const struct state *state)
{
    struct rng_bits bits = {{0, 0}};
    for (unsigned i = 0; i < 8; i++) {
        bits.word[0] |= (uint64_t)state->bytes[i] << (8 * i);
        bits.word[1] |= (uint64_t)state->bytes[i + 8] << (8 * i);
    }
    return bits;
}

/* SubBytes and ShiftRows, FIPS 197, 5.1.1 and 5.1.2: row r of column c comes from column c + r. */
static struct state state_substitute(const struct state *from)
{
    struct state to;
    for (unsigned column = 0; column < 4; column++) {
        for (unsigned row = 0; row < 4; row++) {
            to.bytes[4 * column + row] = sbox[from->bytes[4 * ((column + row) % 4) + row]];
        }
    }
    return to;
}

/* Multiplication by x in GF(2^8), FIPS 197, 4.2.1. */
static uint8_t times_x(uint8_t byte)
{
    return (uint8_t)((byte << 1) ^ ((byte >> 7) * 0x1b));
}

/* MixColumns, FIPS 197, 5.1.3. */
static struct state state_mix(const struct state *from)
{
    struct state to;
    for (unsigned column = 0; column < 4; column++) {
        const uint8_t *in = &from->bytes[4 * column];
        const uint8_t all = in[0] ^ in[1] ^ in[2] ^ in[3];
        for (unsigned row = 0; row < 4; row++) {
            const uint8_t pair = in[row] ^ in[(row + 1) % 4];
            to.bytes[4 * column + row] = in[row] ^ all ^ times_x(pair);
        }
    }
    return to;
}

static void state_add(struct state *state, uint64_t low, uint64_t high)
{
    const struct state key = state_from_words(low, high);
    for (unsigned i = 0; i < STATE_BYTES; i++) {
        state->bytes[i] ^= key.bytes[i];
    }
}

struct rng_bits rng_draw_portable(const struct rng_stream *stream, uint64_t entity, uint64_t n)
{
    uint64_t low = stream->key[0];
    uint64_t high = stream->key[1];
    struct state state = state_from_words(n, entity);
    state_add(&state, low, high);
    for (unsigned round = 1; round <= ROUND_COUNT; round++) {
        low += UINT64_C(0x9E3779B97F4A7C15);
        high += UINT64_C(0xBB67AE8584CAA73B);
        state = state_substitute(&state);
        if (round < ROUND_COUNT) { /* The last round of AES does not mix. */
            state = state_mix(&state);
        }
        state_add(&state, low, high);
    }
    return state_to_words(&state);
}

/* FNV-1a, 64 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    }
    return hash;
}

struct rng_stream rng_stream(uint64_t seed, const char *name)
{
    CHECK(name != NULL);
    /* Two passes of a permutation of (seed, hash): different pairs, different keys, and keys of
     * neighbouring seeds have nothing in common. The constants are pi's first digits. */
    const struct rng_stream root = {
        {UINT64_C(0x243F6A8885A308D3), UINT64_C(0x13198A2E03707344)},
    };
    const struct rng_bits once = rng_draw_portable(&root, hash_name(name), seed);
    const struct rng_bits twice = rng_draw_portable(&root, once.word[1], once.word[0]);
    return (struct rng_stream){{twice.word[0], twice.word[1]}};
}
