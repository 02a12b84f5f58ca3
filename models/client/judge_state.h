/* The judge's memory, shared by judge.c (what is fed) and judge_verdict.c (the end). */
#ifndef MODELS_CLIENT_JUDGE_STATE_H
#define MODELS_CLIENT_JUDGE_STATE_H

#include "models/client/judge.h"
#include "models/core/check.h"

#include <stddef.h>
#include <uthash.h>

/* A send: (user, device, key). `turn` is the judge's count of calls, so it orders all that it was
 * told. */
struct sent {
    struct {
        uint64_t user;
        uint64_t device;
        uint64_t key;
    } name;
    struct chat_channel channel;
    uint64_t turn;
    uint64_t acked_turn; /* CHAT_NEVER until it is. */
    uint64_t after;
    uint64_t id; /* 0: not known yet. */
    bool acked;
    bool refused;
    UT_hash_handle hh;
};

/* A message by its id. */
struct known {
    uint64_t id;
    uint64_t sender;
    struct chat_channel channel;
    struct sent *sent; /* NULL: not known which. */
    bool stored;
    UT_hash_handle hh;
};

struct screen {
    struct {
        uint64_t user;
        uint64_t device;
    } name;
    uint64_t since_turn;
    bool caught_up;
    UT_hash_handle hh;
};

/* Message `id` on a screen: shown, or a receipt of `recipient` for it. */
struct showing {
    struct {
        uint64_t user;
        uint64_t device;
        uint64_t id;
        uint64_t recipient; /* 0: the message itself. */
    } name;
    uint8_t status; /* Receipts: FRAME_DELIVERED, FRAME_READ. */
    UT_hash_handle hh;
};

/* A user has a message: on some device, and perhaps read it. */
struct holding {
    struct {
        uint64_t user;
        uint64_t id;
    } name;
    bool read;
    bool read_told;
    UT_hash_handle hh;
};

/* A user is in a group from id to id, CHAT_NEVER while in it. A change that was repeated has two
 * ids: a message between them is allowed, but not owed. */
struct stay {
    struct chat_channel channel;
    uint64_t user;
    uint64_t joined;
    uint64_t joined_last;
    uint64_t left_first;
    uint64_t left;
};

/* While this lasted, nothing was owed or forbidden. */
struct change {
    struct chat_channel channel;
    uint64_t user;
    uint64_t from_turn;
    uint64_t to_turn; /* CHAT_NEVER: still going on. */
};

struct pulled {
    struct chat_channel channel;
    UT_hash_handle hh;
};

struct minted {
    uint64_t id;
    uint32_t core;
    UT_hash_handle hh;
};

struct core_last {
    uint32_t core;
    uint64_t id;
    UT_hash_handle hh;
};

struct judge {
    uint64_t turn;
    bool watermark;     /* A receipt stands for earlier messages too. */
    struct sent *sends; /* In order of turn, as uthash keeps it. */
    struct known *messages;
    struct screen *screens;
    struct showing *showings;
    struct holding *holdings;
    struct stay *stays; /* By the time they were told. */
    uint32_t stay_count;
    uint32_t stay_max;
    struct change *changes;
    uint32_t change_count;
    uint32_t change_max;
    struct pulled *pulled;
    struct minted *minted;
    struct core_last *lasts;
    struct judge_sums sums;
    uint64_t counts[JUDGE_GUARANTEES];
    uint64_t total;
    uint32_t kept;
    struct judge_violation violations[JUDGE_VIOLATIONS_MAX];
};

/* Records a violation in words, as printf() would put them. */
__attribute__((format(printf, 3, 4))) void
judge_violate(struct judge *judge, enum judge_guarantee guarantee, const char *format, ...);

const struct showing *judge_showing(const struct judge *judge, uint64_t user, uint64_t device,
                                    uint64_t id, uint64_t recipient);

/* Was `user` in the channel when `id` was minted? `surely`: whichever of two ids a change has. */
bool judge_member(const struct judge *judge, struct chat_channel channel, uint64_t user,
                  uint64_t id, bool surely);
/* Was the message under way while the membership of `user` changed? */
bool judge_changed(const struct judge *judge, const struct known *known, uint64_t user);
bool judge_is_pulled(const struct judge *judge, struct chat_channel channel);

#endif
