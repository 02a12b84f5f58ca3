/* Answers with rows: a table's reply as a run of events of one time. Contents runs only.
 *
 *     piece 0        how many of each there are, and what the ranges are complete up to
 *     then           entries, members, devices (all in one), acknowledged ids (4 a piece)
 *
 * A run arrives whole and in order: its pieces have one time, and (flags, handle, node, piece) is
 * how the engine orders equal times. So one buffer a node is enough to put them together. */
#include "models/infra/cassandra_state.h"
#include "models/infra/faults.h"
#include "models/infra/table.h"

#define ACKED_A_PIECE 4u

static uint32_t devices_pieces(const struct table_reply *reply)
{
    return reply->device_count > 0;
}

static uint32_t run_length(const struct table_reply *reply)
{
    return 1 + reply->entry_count + reply->member_count + devices_pieces(reply) +
           (reply->acked_count + ACKED_A_PIECE - 1) / ACKED_A_PIECE;
}

static void piece_make(const struct table_reply *reply, uint32_t at, struct sim_event *event)
{
    if (at == 0) {
        event->data[2] = reply->upto;
        event->data[3] = reply->value;
        event->data[4] = (uint64_t)reply->entry_count << 48 | (uint64_t)reply->member_count << 32 |
                         reply->device_count << 16 | reply->acked_count;
        return;
    }
    at--;
    if (at < reply->entry_count) {
        struct packed_entry packed;
        entry_pack(&reply->entries[at], &packed);
        memcpy(&event->data[2], &packed, sizeof packed);
        return;
    }
    at -= reply->entry_count;
    if (at < reply->member_count) {
        memcpy(&event->data[2], &reply->members[at], sizeof reply->members[at]);
        return;
    }
    at -= reply->member_count;
    if (at < devices_pieces(reply)) {
        memcpy(&event->data[2], reply->devices, sizeof reply->devices);
        return;
    }
    at = (at - devices_pieces(reply)) * ACKED_A_PIECE;
    uint32_t count =
        reply->acked_count - at < ACKED_A_PIECE ? reply->acked_count - at : ACKED_A_PIECE;
    memcpy(&event->data[2], &reply->acked[at], count * sizeof reply->acked[0]);
}

static void piece_take(struct table_reply *reply, uint32_t at, const struct sim_event *event)
{
    if (at == 0) {
        reply->err = CHAT_OK;
        reply->upto = event->data[2];
        reply->value = event->data[3];
        reply->entry_count = (uint32_t)(event->data[4] >> 48);
        reply->member_count = (uint32_t)(event->data[4] >> 32) & 0xffff;
        reply->device_count = (uint32_t)(event->data[4] >> 16) & 0xffff;
        reply->acked_count = (uint32_t)event->data[4] & 0xffff;
        return;
    }
    at--;
    if (at < reply->entry_count) {
        struct packed_entry packed;
        memcpy(&packed, &event->data[2], sizeof packed);
        entry_unpack(&packed, &reply->entries[at]);
        return;
    }
    at -= reply->entry_count;
    if (at < reply->member_count) {
        memcpy(&reply->members[at], &event->data[2], sizeof reply->members[at]);
        return;
    }
    at -= reply->member_count;
    if (at < devices_pieces(reply)) {
        memcpy(reply->devices, &event->data[2], sizeof reply->devices);
        return;
    }
    at = (at - devices_pieces(reply)) * ACKED_A_PIECE;
    uint32_t count =
        reply->acked_count - at < ACKED_A_PIECE ? reply->acked_count - at : ACKED_A_PIECE;
    memcpy(&reply->acked[at], &event->data[2], count * sizeof reply->acked[0]);
}

void run_send(struct sim_context *context, struct peer *peer, const struct table_reply *reply,
              enum chat_op op, uint64_t depart_ns, const struct sim_event *answer)
{
    uint32_t count = run_length(reply);
    uint32_t bytes = reply_bytes(peer->world, op, count - 1);
    uint64_t arrival_ns =
        net_arrival(context, peer, answer->node, depart_ns, bytes, rng_next(&peer->rng).word[0]);
    for (uint32_t at = 0; at < count && arrival_ns != SIM_NEVER; at++) {
        struct sim_event event = *answer;
        event.time_ns = arrival_ns;
        event.data[1] = (uint64_t)peer->index << 32 | at;
        piece_make(reply, at, &event);
        sim_send(context, &event);
    }
}

bool run_take(struct table_reply *assembly, const struct sim_event *event)
{
    uint32_t at = (uint32_t)event->data[1];
    piece_take(assembly, at, event);
    return at + 1 == run_length(assembly);
}

void run_reply(struct sim_context *context, struct cassandra *node, uint32_t slot,
               uint64_t depart_ns, const struct call *call, const struct table_reply *rows)
{
    const struct operation *operation = operation_at(node, slot);
    uint32_t total = rows->entry_count + rows->member_count + rows->device_count;
    uint32_t bytes = reply_bytes(node->peer.world, (enum chat_op)(call->op & 0xfff), total);
    uint64_t arrival_ns = net_arrival(context, &node->peer, operation->source, depart_ns, bytes,
                                      rng_next(&node->peer.rng).word[0]);
    for (uint32_t i = 0; i < (total == 0 ? 1 : total) && arrival_ns != SIM_NEVER; i++) {
        struct reply reply = {.token = operation->token,
                              .err = (int8_t)rows->err,
                              .index = (uint16_t)i,
                              .total = (uint16_t)total,
                              .value_low = (uint16_t)rows->value};
        if (total == 0) {
            reply.plain.value = rows->value;
        } else if (rows->entry_count > 0) {
            entry_pack(&rows->entries[i], &reply.entry);
            reply.row = ROW_ENTRY;
        } else if (rows->member_count > 0) {
            reply.member.user = rows->members[i].user;
            reply.member.joined = rows->members[i].joined;
            reply.member.left = rows->members[i].left;
            reply.row = ROW_MEMBER;
        } else {
            reply.location.device = (uint8_t)rows->devices[i];
            reply.location.user = call->entry.more;
            reply.row = ROW_LOCATION;
        }
        struct sim_event event = {.time_ns = arrival_ns,
                                  .node = operation->source,
                                  .kind = EV_REPLY,
                                  .flags = operation->flags & 0xff};
        EVENT_WRITE(&event, &reply);
        sim_send(context, &event);
    }
}
