/* Workload: who writes what to whom, as pure functions of ids.
 *
 * Nothing is stored for a message, a contact or a member of a group: each is f(seed, id, n). So a
 * retry rebuilds the same message, 50 million users cost nothing here, and the population of the
 * simulator and a load driver write the same.
 *
 *     users     1 .. near          modelled one by one; most are connected
 *               near + 1 .. users  far: they exist, receive, and stay offline for the whole run
 *     groups    1 .. groups        members ascend with their index, so a page can be resumed
 *
 * A trace takes the place of the draw: number `seq` of a user is its seq-th message in the trace.
 *
 * An old message (sent before the run, read during it) is a function of its id: its low 22 bits say
 * which contact of the reader wrote it.
 */
#ifndef MODELS_CLIENT_WORKLOAD_H
#define MODELS_CLIENT_WORKLOAD_H

#include "models/core/chat.h"
#include "models/plan.h"
#include "sim/dist.h"
#include "sim/rng.h"

struct workload {
    uint64_t near;
    uint64_t users;
    uint64_t groups;
    double group_share;
    bool strict;      /* One writes to groups one is in: for runs whose backends know who is. */
    double far_share; /* Of recipients: those far away. */
    double read_share;
    const uint32_t *trace_starts;     /* Replayed: by user - 1, where its recipients begin ... */
    const uint32_t *trace_recipients; /* ... in order of time. NULL: synthetic. */
    double zipf_power; /* 1 - zipf_s, and with it what the quantile function is made of: */
    double zipf_low;
    double zipf_span; /* 0: activity is even. */
    struct rng_stream messages;
    struct rng_stream sizes;
    struct rng_stream contacts;
    struct rng_stream members;
    struct dist record_size;
    struct dist group_size;
};

struct workload_message {
    struct chat_channel channel;
    uint32_t size_bytes;
};

/* `near` users are modelled; `far_share` of recipients are not among them. */
void workload_init(struct workload *workload, const struct plan *plan, uint64_t near,
                   double far_share);

/* What `user` writes as number `seq`. */
struct workload_message workload_message(const struct workload *workload, uint64_t user,
                                         uint32_t seq);

/* A channel that `user` writes to, by some bits. */
struct chat_channel workload_channel(const struct workload *workload, uint64_t user, uint32_t bits);

/* A group that `user` writes to, by some bits; 0: there is none. */
uint64_t workload_pick_group(const struct workload *workload, uint64_t user, uint64_t bits);

/* The k-th contact of `user`: another user, near or far. */
uint64_t workload_contact(const struct workload *workload, uint64_t user, uint32_t k);

/* Index, below `count`, of who is active now: even, or skewed by a Zipf-Mandelbrot law of exponent
 * zipf_s whose offset of count / 20 keeps the most active at some 7 times the mean where that is 1,
 * as people are. */
uint64_t workload_active(const struct workload *workload, uint64_t bits, uint64_t count);

bool workload_is_member(const struct workload *workload, uint64_t group, uint64_t user);
uint32_t workload_group_size(const struct workload *workload, uint64_t group);
/* Writes up to `count_max` members with an id above `above`, ascending; returns how many. */
uint32_t workload_members(const struct workload *workload, uint64_t group, uint64_t above,
                          struct chat_member *members, uint32_t count_max);

/* An id of a message that `user` got before, `age_ms` before `wall_ms`; its sender. */
uint64_t workload_old_id(uint64_t wall_ms, uint64_t age_ms, uint64_t bits);
uint64_t workload_old_sender(const struct workload *workload, uint64_t user, uint64_t id);

/* What stands in the inbox of `user` at entry->position: a message, or a receipt for one of the
 * user's own, in the proportion in which they come in. Fills in all but the position. */
void workload_old_entry(const struct workload *workload, uint64_t user, uint64_t wall_ms,
                        struct chat_entry *entry);
/* Entries of an inbox for each message in it. */
double workload_entries(const struct workload *workload);

/* Row `n`, from the newest, of the history of a channel, as of `wall_ms`. */
void workload_old_row(const struct workload *workload, uint64_t first, uint64_t second,
                      uint64_t wall_ms, uint32_t n, struct chat_entry *entry);

#endif
