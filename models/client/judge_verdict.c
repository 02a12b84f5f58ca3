/* The end: what had to be shown and was not. Everything that can be seen to be wrong at once was
 * recorded when it was fed; here stands what only the whole can tell. */
#include "models/client/judge_state.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *device_of(const struct screen *screen, const struct known *known)
{
    return screen->name.user == known->sender ? "sender's other device" : "recipient's device";
}

/* Had this screen to show that message? A member's device that existed before it was sent, but not
 * the one that wrote it. */
static bool owed(const struct judge *judge, const struct screen *screen, const struct known *known)
{
    const struct sent *sent = known->sent;
    if (!screen->caught_up || sent == NULL || !sent->acked || screen->since_turn > sent->turn ||
        judge_is_pulled(judge, known->channel)) {
        return false;
    }
    bool wrote = screen->name.user == sent->name.user && screen->name.device == sent->name.device;
    return !wrote && judge_member(judge, known->channel, screen->name.user, known->id, true) &&
           !judge_changed(judge, known, screen->name.user);
}

static void verdict_shown(struct judge *judge, const struct known *known)
{
    for (const struct screen *screen = judge->screens; screen != NULL; screen = screen->hh.next) {
        if (!owed(judge, screen, known)) {
            continue;
        }
        judge->sums.owed++;
        if (judge_showing(judge, screen->name.user, screen->name.device, known->id, 0) == NULL) {
            judge_violate(
                judge, JUDGE_NO_LOSS,
                "message %" PRIu64 " (%" PRIu64 "/%" PRIu64 "#%" PRIu64
                ") was acked, but is not on %" PRIu64 "/%" PRIu64 ", a %s that is caught up",
                known->id, known->sent->name.user, known->sent->name.device, known->sent->name.key,
                screen->name.user, screen->name.device, device_of(screen, known));
        }
    }
}

/* How far the screen shows that `recipient` has got with the message: by its own receipt or, by
 * watermark, by one of a later message. 0: not at all. */
static uint64_t receipt_status(const struct judge *judge, const struct screen *screen,
                               const struct known *known, uint64_t recipient)
{
    const struct showing *own =
        judge_showing(judge, screen->name.user, screen->name.device, known->id, recipient);
    uint64_t status = own == NULL ? 0 : own->status;
    const struct known *later = judge->watermark ? judge->messages : NULL;
    for (; later != NULL; later = later->hh.next) {
        if (later->id <= known->id || later->sender != known->sender ||
            later->channel.first != known->channel.first ||
            later->channel.second != known->channel.second) {
            continue;
        }
        const struct showing *showing =
            judge_showing(judge, screen->name.user, screen->name.device, later->id, recipient);
        status = showing != NULL && showing->status > status ? showing->status : status;
    }
    return status;
}

/* The receipt of one who has the message, on every caught-up device of its sender. */
static void verdict_receipt(struct judge *judge, const struct holding *holding,
                            const struct known *known)
{
    const struct sent *sent = known->sent;
    uint64_t recipient = holding->name.user;
    bool member = judge_member(judge, known->channel, recipient, known->id, true) &&
                  !judge_changed(judge, known, recipient);
    if (recipient == known->sender || !member || sent == NULL ||
        judge_is_pulled(judge, known->channel)) {
        return;
    }
    uint8_t status = holding->read_told ? FRAME_READ : FRAME_DELIVERED;
    for (const struct screen *screen = judge->screens; screen != NULL; screen = screen->hh.next) {
        if (screen->name.user != known->sender || !screen->caught_up ||
            screen->since_turn > sent->turn) {
            continue;
        }
        uint64_t shown = receipt_status(judge, screen, known, recipient);
        if (shown < status) {
            judge_violate(judge, JUDGE_RECEIPTS,
                          "message %" PRIu64 " was %s by %" PRIu64
                          ", but its sender's device %" PRIu64 "/%" PRIu64 " shows %s",
                          known->id, status == FRAME_READ ? "read" : "received", recipient,
                          screen->name.user, screen->name.device,
                          shown == 0 ? "no receipt" : "it as delivered only");
        }
    }
}

static bool recipient_caught_up(const struct judge *judge, const struct holding *holding)
{
    for (const struct screen *screen = judge->screens; screen != NULL; screen = screen->hh.next) {
        bool has = screen->name.user == holding->name.user && screen->caught_up;
        if (has && judge_showing(judge, screen->name.user, screen->name.device, holding->name.id,
                                 0) != NULL) {
            return true;
        }
    }
    return false;
}

/* One sender's messages to a channel: ids in the order in which they were sent, device by device.
 */
static void verdict_order(struct judge *judge)
{
    for (const struct sent *later = judge->sends; later != NULL; later = later->hh.next) {
        if (later->id == 0) {
            continue;
        }
        if (later->id <= later->after) {
            judge_violate(judge, JUDGE_ONE_ORDER,
                          "message %" PRIu64 " (%" PRIu64 "/%" PRIu64 "#%" PRIu64
                          ") stands before %" PRIu64 ", which its sender had seen",
                          later->id, later->name.user, later->name.device, later->name.key,
                          later->after);
        }
        const struct sent *earlier = later->hh.prev;
        for (; earlier != NULL; earlier = earlier->hh.prev) {
            bool line = earlier->id != 0 && earlier->name.user == later->name.user &&
                        earlier->name.device == later->name.device &&
                        earlier->channel.first == later->channel.first &&
                        earlier->channel.second == later->channel.second;
            if (line && earlier->id >= later->id) {
                judge_violate(judge, JUDGE_ONE_ORDER,
                              "%" PRIu64 "/%" PRIu64 " sent #%" PRIu64 " before #%" PRIu64
                              ", but their ids are %" PRIu64 " and %" PRIu64,
                              later->name.user, later->name.device, earlier->name.key,
                              later->name.key, earlier->id, later->id);
            }
            if (line) {
                break; /* Neighbours suffice: order is transitive. */
            }
        }
    }
}

uint64_t judge_verdict(struct judge *judge, bool stored_known)
{
    for (const struct known *known = judge->messages; known != NULL; known = known->hh.next) {
        const struct sent *sent = known->sent;
        if (stored_known && sent != NULL && sent->acked && !known->stored) {
            judge_violate(judge, JUDGE_DURABLE_ACK,
                          "message %" PRIu64 " (%" PRIu64 "/%" PRIu64 "#%" PRIu64
                          ") was acked, but the store does not have it",
                          known->id, sent->name.user, sent->name.device, sent->name.key);
        }
        verdict_shown(judge, known);
    }
    for (const struct holding *holding = judge->holdings; holding != NULL;
         holding = holding->hh.next) {
        const struct known *known;
        HASH_FIND(hh, judge->messages, &holding->name.id, sizeof holding->name.id, known);
        if (known != NULL && recipient_caught_up(judge, holding)) {
            verdict_receipt(judge, holding, known);
        }
    }
    verdict_order(judge);
    return judge->total;
}
