/* The judge: the guarantees of the chat, checked from what every screen showed.
 *
 * Any host can feed it: the swarm, the simulator's fault runs, the load driver against a real
 * server. A host reports what happened as it happens, in the order in which it happened; at the end
 * it says which devices are caught up and what the store holds, and asks for the verdict. The
 * guarantees, by their numbers in the specification:
 *
 *   1 durable ack   what was acked is in the store at the end
 *   2 no loss       what was acked was shown on every device of every recipient, and on the
 *                   sender's other devices, where they existed before it was sent and are caught up
 *   3 no duplicates a screen shows an id once; one (user, device, key) has one id, ever
 *   4 one order     one sender's messages in a channel have ids in the order in which they were
 *                   sent; an answer is above what its writer had seen; all screens agree on what
 *                   an id is
 *   5 receipts      tell the truth, move forward on every screen, come from recipients to the
 *                   sender, and reach every device of the sender that is caught up
 *   6 membership    nothing shown to, sent by, or told to one who was not in the channel
 *   7 ids           minted once, ascending per core
 *
 * Not judged: expiry (a host ends before anything expires), the text (ciphertext to everyone), and
 * pre-keys. Groups above the hybrid threshold are pulled: a host says so by judge_pulled(), and the
 * judge then asks for no deliveries there.
 *
 * A violation is recorded once, in words, with the ids needed to find it in a log. The judge
 * allocates as it goes; it is no part of a capacity run.
 */
#ifndef MODELS_CLIENT_JUDGE_H
#define MODELS_CLIENT_JUDGE_H

#include "models/core/chat.h"

#include <stdbool.h>
#include <stdint.h>

#define JUDGE_VIOLATIONS_MAX 64u /* Kept in words; all are counted. */
#define JUDGE_WORDS_MAX 256u

enum judge_guarantee {
    JUDGE_DURABLE_ACK = 1,
    JUDGE_NO_LOSS,
    JUDGE_NO_DUPLICATES,
    JUDGE_ONE_ORDER,
    JUDGE_RECEIPTS,
    JUDGE_MEMBERSHIP,
    JUDGE_IDS,
    JUDGE_GUARANTEES,
};

struct judge_violation {
    enum judge_guarantee guarantee;
    char words[JUDGE_WORDS_MAX];
};

struct judge; /* Opaque. */

/* NULL where memory is short; later shortage is a CHECK. Freed by judge_destroy(). */
struct judge *judge_create(void);
void judge_destroy(struct judge *judge);

/* A message: who wrote it, as which number on which device, where. `key` is the client_key; hosts
 * that cannot tell the key of what a screen shows pass 0, and it is found by id. */
struct judge_message {
    uint64_t user;
    uint32_t device;
    uint64_t key;
    struct chat_channel channel;
};

/* The device exists from now on. Repeated calls change nothing. */
void judge_device(struct judge *judge, uint64_t user, uint32_t device);

/* The user sent this, for the first time or again; `after` is the highest id the device had seen at
 * the first time. The first calls for a device and channel give the order. */
void judge_sent(struct judge *judge, const struct judge_message *message, uint64_t after);

/* A device was told that its message is durable, under this id; or that it is refused for good. */
void judge_acked(struct judge *judge, const struct judge_message *message, uint64_t id);
void judge_refused(struct judge *judge, const struct judge_message *message);

/* A core, by any number that stays the same over restarts, made this id (a claim that is not a
 * retry). */
void judge_minted(struct judge *judge, uint32_t core, uint64_t id);

/* The screen of (user, device) shows this message for the first time (CLIENT_FX_SHOW). */
void judge_shown(struct judge *judge, uint64_t user, uint32_t device,
                 const struct judge_message *message, uint64_t id);

/* The user has read it on one device. `told`: the device will see to it that the server learns of
 * it, so the sender's devices have to show it at the end. */
void judge_read(struct judge *judge, uint64_t user, uint32_t device, uint64_t id, bool told);

/* A device of the sender shows that `recipient` has got so far: FRAME_DELIVERED or FRAME_READ. */
void judge_receipt(struct judge *judge, uint64_t user, uint32_t device, uint64_t id,
                   uint64_t recipient, uint8_t status);

/* The channel's own log says: a member from `id` on, or no more. For groups; a pair needs none.
 * Repeated calls change nothing; a change that was repeated under another id leaves what lies
 * between the two ids open. */
void judge_joined(struct judge *judge, struct chat_channel channel, uint64_t user, uint64_t id);
void judge_left(struct judge *judge, struct chat_channel channel, uint64_t user, uint64_t id);

/* A change of this membership was asked for, and later: it is done, and has been consumed from the
 * log. What was under way in between is neither owed to the user nor forbidden. */
void judge_changing(struct judge *judge, struct chat_channel channel, uint64_t user);
void judge_settled(struct judge *judge, struct chat_channel channel, uint64_t user);

/* Nothing has to be delivered in this channel: members pull. */
void judge_pulled(struct judge *judge, struct chat_channel channel);

/* A receipt stands for all earlier messages of its sender in the channel. Called before the
 * verdict, if at all. */
void judge_watermark(struct judge *judge);

/* At the end. The store holds this message. */
void judge_stored(struct judge *judge, uint64_t sender, struct chat_channel channel, uint64_t id);

/* At the end. The device is connected, and its inbox is empty. */
void judge_caught_up(struct judge *judge, uint64_t user, uint32_t device);

/* Goes through everything once more, and returns how many violations there are in all. Call once,
 * last. `stored_known`: the host has fed the store, so guarantee 1 can be judged. */
uint64_t judge_verdict(struct judge *judge, bool stored_known);

/* The first `*count` violations in words, at most JUDGE_VIOLATIONS_MAX, in the order found. Valid
 * until the next call of any judge function. */
const struct judge_violation *judge_violations(const struct judge *judge, uint32_t *count);

/* How many of this kind. */
uint64_t judge_count(const struct judge *judge, enum judge_guarantee guarantee);

/* How much was judged: messages acked, showings, receipts. A verdict over nothing is worth nothing.
 */
struct judge_sums {
    uint64_t sent;
    uint64_t acked;
    uint64_t refused;
    uint64_t shown;
    uint64_t receipts;
    uint64_t owed; /* (message, device) pairs that had to be shown; known after the verdict. */
};
struct judge_sums judge_sums(const struct judge *judge);

#endif
