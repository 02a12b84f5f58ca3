#include "models/client/judge.h"

#include "models/client/judge_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words of a message: sender/device#key. */
#define WHOSE "%" PRIu64 "/%" PRIu64 "#%" PRIu64
#define WHOSE_OF(s) (s)->name.user, (s)->name.device, (s)->name.key

struct judge *judge_create(void)
{
    return calloc(1, sizeof(struct judge));
}

#define FREE_ALL(type, head)                                                                       \
    do {                                                                                           \
        struct type *one;                                                                          \
        struct type *next;                                                                         \
        HASH_ITER(hh, head, one, next)                                                             \
        {                                                                                          \
            HASH_DEL(head, one);                                                                   \
            free(one);                                                                             \
        }                                                                                          \
    } while (0)

void judge_destroy(struct judge *judge)
{
    if (judge == NULL) {
        return;
    }
    FREE_ALL(sent, judge->sends);
    FREE_ALL(known, judge->messages);
    FREE_ALL(screen, judge->screens);
    FREE_ALL(showing, judge->showings);
    FREE_ALL(holding, judge->holdings);
    FREE_ALL(pulled, judge->pulled);
    FREE_ALL(minted, judge->minted);
    FREE_ALL(core_last, judge->lasts);
    free(judge->stays);
    free(judge->changes);
    free(judge);
}

static void *make(size_t size_bytes)
{
    void *memory = calloc(1, size_bytes);
    CHECK(memory != NULL);
    return memory;
}

void judge_violate(struct judge *judge, enum judge_guarantee guarantee, const char *format, ...)
{
    judge->counts[guarantee]++;
    judge->total++;
    if (judge->kept == JUDGE_VIOLATIONS_MAX) {
        return;
    }
    struct judge_violation *violation = &judge->violations[judge->kept++];
    violation->guarantee = guarantee;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(violation->words, sizeof violation->words, format, arguments);
    va_end(arguments);
}

/* Who is where. */

void judge_device(struct judge *judge, uint64_t user, uint32_t device)
{
    struct screen *screen = make(sizeof *screen);
    screen->name.user = user;
    screen->name.device = device;
    screen->since_turn = ++judge->turn;
    struct screen *known;
    HASH_FIND(hh, judge->screens, &screen->name, sizeof screen->name, known);
    if (known != NULL) {
        free(screen);
        return;
    }
    HASH_ADD(hh, judge->screens, name, sizeof screen->name, screen);
}

void judge_caught_up(struct judge *judge, uint64_t user, uint32_t device)
{
    struct screen wanted = {.name = {user, device}};
    struct screen *screen;
    HASH_FIND(hh, judge->screens, &wanted.name, sizeof wanted.name, screen);
    CHECK(screen != NULL);
    screen->caught_up = true;
}

static bool same(struct chat_channel a, struct chat_channel b)
{
    return a.first == b.first && a.second == b.second;
}

bool judge_member(const struct judge *judge, struct chat_channel channel, uint64_t user,
                  uint64_t id, bool surely)
{
    if (!chat_is_group(channel)) {
        return channel.first == user || channel.second == user;
    }
    for (uint32_t i = 0; i < judge->stay_count; i++) {
        const struct stay *stay = &judge->stays[i];
        uint64_t from = surely ? stay->joined_last : stay->joined;
        uint64_t until = surely ? stay->left_first : stay->left;
        if (stay->user == user && same(stay->channel, channel) && from <= id && id < until) {
            return true;
        }
    }
    return false;
}

static void *grow(void *array, uint32_t count, uint32_t *max, size_t size_bytes)
{
    if (count < *max) {
        return array;
    }
    *max = *max == 0 ? 16 : 2 * *max;
    array = realloc(array, *max * size_bytes);
    CHECK(array != NULL);
    return array;
}

/* The user's last stay in the channel, NULL if there was none. */
static struct stay *stay_last(const struct judge *judge, struct chat_channel channel, uint64_t user)
{
    for (uint32_t i = judge->stay_count; i > 0; i--) {
        struct stay *stay = &judge->stays[i - 1];
        if (stay->user == user && same(stay->channel, channel)) {
            return stay;
        }
    }
    return NULL;
}

void judge_joined(struct judge *judge, struct chat_channel channel, uint64_t user, uint64_t id)
{
    CHECK(chat_is_group(channel));
    struct stay *stay = stay_last(judge, channel, user);
    if (stay != NULL && (stay->left == CHAT_NEVER || id < stay->left)) {
        stay->joined = id < stay->joined ? id : stay->joined;
        stay->joined_last = id > stay->joined_last ? id : stay->joined_last;
        return;
    }
    judge->stays = grow(judge->stays, judge->stay_count, &judge->stay_max, sizeof *judge->stays);
    judge->stays[judge->stay_count++] =
        (struct stay){channel, user, id, id, CHAT_NEVER, CHAT_NEVER};
}

void judge_left(struct judge *judge, struct chat_channel channel, uint64_t user, uint64_t id)
{
    struct stay *stay = stay_last(judge, channel, user);
    if (stay == NULL || id < stay->joined_last) {
        return; /* Of a stay before this one, told again. */
    }
    stay->left = stay->left == CHAT_NEVER || id > stay->left ? id : stay->left;
    stay->left_first = id < stay->left_first ? id : stay->left_first;
}

void judge_changing(struct judge *judge, struct chat_channel channel, uint64_t user)
{
    judge->changes =
        grow(judge->changes, judge->change_count, &judge->change_max, sizeof *judge->changes);
    judge->changes[judge->change_count++] =
        (struct change){channel, user, ++judge->turn, CHAT_NEVER};
}

void judge_settled(struct judge *judge, struct chat_channel channel, uint64_t user)
{
    judge->turn++;
    for (uint32_t i = 0; i < judge->change_count; i++) {
        struct change *change = &judge->changes[i];
        if (change->user == user && same(change->channel, channel) &&
            change->to_turn == CHAT_NEVER) {
            change->to_turn = judge->turn;
        }
    }
}

bool judge_changed(const struct judge *judge, const struct known *known, uint64_t user)
{
    uint64_t from = known->sent == NULL ? 0 : known->sent->turn;
    uint64_t to = known->sent == NULL ? CHAT_NEVER : known->sent->acked_turn;
    for (uint32_t i = 0; i < judge->change_count; i++) {
        const struct change *change = &judge->changes[i];
        if (change->user == user && same(change->channel, known->channel) &&
            change->from_turn <= to && from <= change->to_turn) {
            return true;
        }
    }
    return false;
}

void judge_pulled(struct judge *judge, struct chat_channel channel)
{
    if (judge_is_pulled(judge, channel)) {
        return;
    }
    struct pulled *pulled = make(sizeof *pulled);
    pulled->channel = channel;
    HASH_ADD(hh, judge->pulled, channel, sizeof pulled->channel, pulled);
}

void judge_watermark(struct judge *judge)
{
    judge->watermark = true;
}

bool judge_is_pulled(const struct judge *judge, struct chat_channel channel)
{
    struct pulled *pulled;
    HASH_FIND(hh, judge->pulled, &channel, sizeof channel, pulled);
    return pulled != NULL;
}

/* What was sent. */

static struct sent *sent_find(const struct judge *judge, const struct judge_message *message)
{
    struct sent wanted = {.name = {message->user, message->device, message->key}};
    struct sent *sent;
    HASH_FIND(hh, judge->sends, &wanted.name, sizeof wanted.name, sent);
    return sent;
}

void judge_sent(struct judge *judge, const struct judge_message *message, uint64_t after)
{
    CHECK(message->key != 0);
    if (sent_find(judge, message) != NULL) {
        return;
    }
    struct sent *sent = make(sizeof *sent);
    sent->name.user = message->user;
    sent->name.device = message->device;
    sent->name.key = message->key;
    sent->channel = message->channel;
    sent->turn = ++judge->turn;
    sent->acked_turn = CHAT_NEVER;
    sent->after = after;
    HASH_ADD(hh, judge->sends, name, sizeof sent->name, sent);
    judge->sums.sent++;
}

static struct known *known_find(const struct judge *judge, uint64_t id)
{
    struct known *known;
    HASH_FIND(hh, judge->messages, &id, sizeof id, known);
    return known;
}

/* The message of this id, made if it is new; told apart from what was said of the id before. */
static struct known *known_make(struct judge *judge, uint64_t id, uint64_t sender,
                                struct chat_channel channel, const char *where)
{
    struct known *known = known_find(judge, id);
    if (known == NULL) {
        known = make(sizeof *known);
        known->id = id;
        known->sender = sender;
        known->channel = channel;
        HASH_ADD(hh, judge->messages, id, sizeof known->id, known);
    } else if (known->sender != sender || !same(known->channel, channel)) {
        judge_violate(judge, JUDGE_ONE_ORDER,
                      "message %" PRIu64 " is by %" PRIu64 " in %" PRIx64 ".%" PRIx64
                      " %s, but by %" PRIu64 " in %" PRIx64 ".%" PRIx64 " elsewhere",
                      id, sender, channel.first, channel.second, where, known->sender,
                      known->channel.first, known->channel.second);
    }
    return known;
}

/* (user, device, key) and id name each other, for ever. */
static void bind(struct judge *judge, struct sent *sent, struct known *known, const char *where)
{
    if (sent->id != 0 && sent->id != known->id) {
        judge_violate(judge, JUDGE_NO_DUPLICATES,
                      "message " WHOSE " has id %" PRIu64 " %s, but had %" PRIu64 " before",
                      WHOSE_OF(sent), known->id, where, sent->id);
        return;
    }
    if (known->sent != NULL && known->sent != sent) {
        judge_violate(judge, JUDGE_IDS, "id %" PRIu64 " names both " WHOSE " and " WHOSE, known->id,
                      WHOSE_OF(known->sent), WHOSE_OF(sent));
    }
    if (sent->id == 0) {
        sent->id = known->id;
    }
    if (known->sent == NULL) {
        known->sent = sent;
    }
}

void judge_acked(struct judge *judge, const struct judge_message *message, uint64_t id)
{
    struct sent *sent = sent_find(judge, message);
    CHECK(sent != NULL); /* A client acks only what it sent. */
    struct known *known = known_make(judge, id, message->user, message->channel, "when acked");
    bind(judge, sent, known, "when acked");
    if (!sent->acked) {
        judge->sums.acked++;
        sent->acked = true;
        sent->acked_turn = ++judge->turn;
    }
    if (!judge_member(judge, message->channel, message->user, id, false) &&
        !judge_changed(judge, known, message->user)) {
        judge_violate(judge, JUDGE_MEMBERSHIP,
                      "%" PRIu64 " sent message %" PRIu64 " to %" PRIx64 ".%" PRIx64
                      " without being a member",
                      message->user, id, message->channel.first, message->channel.second);
    }
}

void judge_refused(struct judge *judge, const struct judge_message *message)
{
    struct sent *sent = sent_find(judge, message);
    CHECK(sent != NULL);
    judge->sums.refused += !sent->refused;
    sent->refused = true;
}

void judge_minted(struct judge *judge, uint32_t core, uint64_t id)
{
    struct minted *minted;
    HASH_FIND(hh, judge->minted, &id, sizeof id, minted);
    if (minted != NULL) {
        judge_violate(judge, JUDGE_IDS,
                      "id %" PRIu64 " was minted by core %" PRIu32 " and by core %" PRIu32, id,
                      minted->core, core);
        return;
    }
    minted = make(sizeof *minted);
    minted->id = id;
    minted->core = core;
    HASH_ADD(hh, judge->minted, id, sizeof minted->id, minted);
    struct core_last *last;
    HASH_FIND(hh, judge->lasts, &core, sizeof core, last);
    if (last == NULL) {
        last = make(sizeof *last);
        last->core = core;
        HASH_ADD(hh, judge->lasts, core, sizeof last->core, last);
    }
    if (id < last->id) {
        judge_violate(judge, JUDGE_IDS, "core %" PRIu32 " minted id %" PRIu64 " after %" PRIu64,
                      core, id, last->id);
    }
    last->id = id > last->id ? id : last->id;
}

/* What was shown. */

const struct showing *judge_showing(const struct judge *judge, uint64_t user, uint64_t device,
                                    uint64_t id, uint64_t recipient)
{
    struct showing wanted = {.name = {user, device, id, recipient}};
    struct showing *showing;
    HASH_FIND(hh, judge->showings, &wanted.name, sizeof wanted.name, showing);
    return showing;
}

static struct showing *showing_make(struct judge *judge, uint64_t user, uint64_t device,
                                    uint64_t id, uint64_t recipient)
{
    struct showing *showing = make(sizeof *showing);
    showing->name.user = user;
    showing->name.device = device;
    showing->name.id = id;
    showing->name.recipient = recipient;
    HASH_ADD(hh, judge->showings, name, sizeof showing->name, showing);
    return showing;
}

static struct holding *holding_make(struct judge *judge, uint64_t user, uint64_t id)
{
    struct holding wanted = {.name = {user, id}};
    struct holding *holding;
    HASH_FIND(hh, judge->holdings, &wanted.name, sizeof wanted.name, holding);
    if (holding == NULL) {
        holding = make(sizeof *holding);
        holding->name = wanted.name;
        HASH_ADD(hh, judge->holdings, name, sizeof holding->name, holding);
    }
    return holding;
}

void judge_shown(struct judge *judge, uint64_t user, uint32_t device,
                 const struct judge_message *message, uint64_t id)
{
    judge->sums.shown++;
    if (judge_showing(judge, user, device, id, 0) != NULL) {
        judge_violate(judge, JUDGE_NO_DUPLICATES,
                      "%" PRIu64 "/%" PRIu32 " shows message %" PRIu64 " twice", user, device, id);
        return;
    }
    showing_make(judge, user, device, id, 0);
    holding_make(judge, user, id);
    struct known *known = known_make(judge, id, message->user, message->channel, "on a screen");
    if (message->key != 0) {
        struct sent *sent = sent_find(judge, message);
        if (sent == NULL || !same(sent->channel, message->channel)) {
            judge_violate(judge, JUDGE_NO_LOSS,
                          "%" PRIu64 "/%" PRIu32 " shows message %" PRIu64
                          ", which nobody sent to this channel",
                          user, device, id);
        } else {
            bind(judge, sent, known, "on a screen");
        }
    }
    if (!judge_member(judge, message->channel, user, id, false) &&
        !judge_changed(judge, known, user)) {
        judge_violate(judge, JUDGE_MEMBERSHIP,
                      "%" PRIu64 "/%" PRIu32 " is shown message %" PRIu64 " of %" PRIx64 ".%" PRIx64
                      " without being a member",
                      user, device, id, message->channel.first, message->channel.second);
    }
}

void judge_read(struct judge *judge, uint64_t user, uint32_t device, uint64_t id, bool told)
{
    (void)device;
    struct holding *holding = holding_make(judge, user, id);
    holding->read = true;
    holding->read_told = holding->read_told || told;
}

/* Is the receipt true: does the recipient have the message, or has it read it? */
static bool receipt_true(const struct judge *judge, uint64_t recipient, uint64_t id, uint8_t status)
{
    struct holding wanted = {.name = {recipient, id}};
    struct holding *holding;
    HASH_FIND(hh, judge->holdings, &wanted.name, sizeof wanted.name, holding);
    return holding != NULL && (status != FRAME_READ || holding->read);
}

void judge_receipt(struct judge *judge, uint64_t user, uint32_t device, uint64_t id,
                   uint64_t recipient, uint8_t status)
{
    CHECK(status == FRAME_DELIVERED || status == FRAME_READ);
    CHECK(recipient != 0);
    judge->sums.receipts++;
    const char *what = status == FRAME_READ ? "read" : "delivered";
    struct known *known = known_find(judge, id);
    if (known != NULL && known->sender != user) {
        judge_violate(judge, JUDGE_RECEIPTS,
                      "%" PRIu64 "/%" PRIu32 " is told that message %" PRIu64
                      " was %s, but %" PRIu64 " sent it",
                      user, device, id, what, known->sender);
    }
    if (recipient == user || !receipt_true(judge, recipient, id, status)) {
        judge_violate(judge, JUDGE_RECEIPTS,
                      "%" PRIu64 "/%" PRIu32 " is told that message %" PRIu64 " was %s by %" PRIu64
                      ", which is not so",
                      user, device, id, what, recipient);
    }
    const struct showing *before = judge_showing(judge, user, device, id, recipient);
    if (before != NULL && before->status > status) {
        judge_violate(judge, JUDGE_RECEIPTS,
                      "%" PRIu64 "/%" PRIu32 " shows message %" PRIu64 " as %s by %" PRIu64
                      ", after it was read",
                      user, device, id, what, recipient);
        return;
    }
    struct showing *showing = before == NULL ? showing_make(judge, user, device, id, recipient)
                                             : (struct showing *)(uintptr_t)before;
    showing->status = status;
}

/* The end. */

void judge_stored(struct judge *judge, uint64_t sender, struct chat_channel channel, uint64_t id)
{
    known_make(judge, id, sender, channel, "in the store")->stored = true;
}

const struct judge_violation *judge_violations(const struct judge *judge, uint32_t *count)
{
    *count = judge->kept;
    return judge->violations;
}

uint64_t judge_count(const struct judge *judge, enum judge_guarantee guarantee)
{
    CHECK(guarantee > 0 && guarantee < JUDGE_GUARANTEES);
    return judge->counts[guarantee];
}

struct judge_sums judge_sums(const struct judge *judge)
{
    return judge->sums;
}
