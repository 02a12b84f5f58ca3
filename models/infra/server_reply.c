/* Calls under way: each has one answer, whatever the network does. A late answer is swallowed, and
 * one that never came is UNKNOWN after the backend's timeout.
 *
 * In a capacity run the backends keep no contents, and answer how many rows there are; what is in
 * them is made here, from ids. */
#include "models/infra/faults.h"
#include "models/infra/server.h"

#include <stdlib.h>

/* Rows of one answer, on their way: as many as the widest answer has. */
struct server_rows {
    uint64_t value;
    union {
        struct chat_entry entries[CHAT_DRAIN_MAX];
        struct chat_location locations[CHAT_DEVICES_MAX];
        struct chat_member members[CHAT_PAGE_MAX];
    };
};

static struct server_call *call_find(struct server *server, uint32_t worker, uint64_t token)
{
    struct server_call *call = &server->workers[worker].calls[(uint32_t)token];
    CHECK((uint32_t)token <= server->flights_max);
    return call->answers > 0 && call->generation == token >> 32 ? call : NULL;
}

void server_call_note(struct server *server, uint32_t worker, const struct chat_effect *effect,
                      uint64_t now_ns, uint32_t answers)
{
    struct server_call *call = &server->workers[worker].calls[(uint32_t)effect->token];
    CHECK((uint32_t)effect->token <= server->flights_max);
    free(call->rows);
    *call = (struct server_call){
        .issued_ns = now_ns,
        .generation = (uint32_t)(effect->token >> 32),
        .op = (uint8_t)(effect->kind == CHAT_FX_PUBLISH ? SERVER_PUBLISH
                        : effect->kind == CHAT_FX_PUSH  ? SERVER_PUSH
                                                        : effect->op),
        .answers = (uint16_t)answers,
        .user = (uint32_t)effect->user,
        .entry_kind = effect->entry.kind,
    };
    struct server_worker *w = &server->workers[worker];
    if ((uint32_t)effect->token > w->call_high) {
        w->call_high = (uint32_t)effect->token;
    }
    if (effect->op == READ_RECEIPT) {
        call->id = effect->entry.id;
        call->user = (uint32_t)effect->entry.user;
    } else if (effect->op == CACHE_INBOX || effect->op == STORE_RESERVE) {
        call->id = effect->position;
    } else if (effect->op == CACHE_MEMBERS || effect->op == READ_MEMBERS) {
        call->id = effect->entry.channel.first;
    } else if (effect->op == READ_HISTORY) {
        call->id = effect->entry.channel.first << 32 | effect->entry.channel.second;
        call->user = effect->count;
    }
}

static void stage_of_call(struct sim_context *context, const struct server *server,
                          const struct server_call *call)
{
    static const uint8_t stages[] = {
        [STORE_CLAIM] = STAGE_CLAIM + 1,
        [STORE_MESSAGE] = STAGE_STORE + 1,
        [STORE_RECEIPT] = STAGE_RECEIPT_STORE + 1,
        [READ_RECEIPT] = STAGE_LOOKUP + 1,
        [CACHE_APPEND] = STAGE_INBOX + 1,
        [SERVER_PUBLISH] = STAGE_PUBLISH + 1,
        [SERVER_PUSH] = 0,
    };
    if (call->op < sizeof stages && stages[call->op] != 0 &&
        (call->op != CACHE_APPEND || call->entry_kind == ENTRY_MESSAGE)) {
        stage_record(context, server->peer.world, (enum stage)(stages[call->op] - 1),
                     sim_context_now(context) - call->issued_ns);
    }
}

/* Rows that no backend keeps in a capacity run. */
static void rows_made(const struct server *server, struct server_scratch *scratch,
                      const struct server_call *call, const struct reply *reply,
                      struct chat_event *event)
{
    const struct workload *workload = server->workload;
    if (call->err != CHAT_OK) {
        return; /* Refused, late, or not cached: the core goes another way. */
    }
    uint64_t now_ms = WALL_BASE_MS + event->now_ns / 1000000;
    switch (call->op) {
    case READ_RECEIPT: {
        uint64_t sender = workload_old_sender(workload, call->user, call->id);
        scratch->entries[0] = (struct chat_entry){
            .id = call->id, .user = sender, .channel = chat_pair(call->user, sender)};
        event->entries = scratch->entries;
        event->count = 1;
        event->err = CHAT_OK;
        break;
    }
    case CACHE_INBOX:
        event->count = reply->value_low < CHAT_DRAIN_MAX ? reply->value_low : CHAT_DRAIN_MAX;
        for (uint32_t i = 0; i < event->count; i++) {
            scratch->entries[i].position = reply->plain.first + i;
            workload_old_entry(workload, call->user, now_ms, &scratch->entries[i]);
        }
        event->entries = scratch->entries;
        break;
    case READ_HISTORY:
        event->count = call->user < CHAT_DRAIN_MAX ? call->user : CHAT_DRAIN_MAX;
        for (uint32_t i = 0; i < event->count; i++) {
            workload_old_row(workload, call->id >> 32, call->id & UINT32_MAX, now_ms, i,
                             &scratch->entries[i]);
        }
        event->entries = scratch->entries;
        break;
    case CACHE_MEMBERS:
    case READ_MEMBERS:
        event->count =
            workload_members(workload, call->id, call->user, scratch->members, CHAT_PAGE_MAX);
        event->value = workload_group_size(workload, call->id);
        event->members = scratch->members;
        event->err = CHAT_OK;
        break;
    case CACHE_MEMBER:
    case READ_MEMBER:
        scratch->members[0] = (struct chat_member){call->user, 0, CHAT_NEVER};
        event->members = scratch->members;
        event->count = 1;
        event->err = CHAT_OK;
        break;
    default:
        break;
    }
}

/* What a polled inbox holds is known but for ids: kind and stamp, where the shard still had them.
 */
static void rows_complete(const struct server *server, const struct server_call *call,
                          struct chat_entry *entries, uint32_t count, uint64_t now_ms)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct chat_entry known = entries[i];
        workload_old_entry(server->workload, call->user, now_ms, &entries[i]);
        if (known.kind != 0) {
            bool message = known.kind == ENTRY_MESSAGE;
            uint32_t size_bytes = message ? (uint32_t)server->workload->record_size.mean : 0;
            entries[i].kind = known.kind;
            entries[i].text = (struct chat_blob){known.text.handle, size_bytes};
        }
    }
}

static void row_location(const struct reply *reply, struct chat_location *location)
{
    *location = (struct chat_location){
        .user = reply->location.user,
        .conn_id = reply->location.conn_id,
        .position = reply->location.position,
        .trimmed = reply->location.trimmed,
        .gateway = reply->location.gateway,
        .device = reply->location.device,
        .fresh = (reply->location.flags & 1) != 0,
        .pushed = (reply->location.flags & 2) != 0,
    };
}

static void row_take(const struct reply *reply, struct chat_entry *entry,
                     struct chat_location *location, struct chat_member *member)
{
    switch ((enum reply_row)reply->row) {
    case ROW_ENTRY:
        entry_unpack(&reply->entry, entry);
        entry->position =
            reply->entry.more == 0 ? 0 : (uint64_t)reply->value_low << 40 | reply->entry.more;
        break;
    case ROW_LOCATION:
        row_location(reply, location);
        break;
    case ROW_MEMBER:
        *member =
            (struct chat_member){reply->member.user, reply->member.joined, reply->member.left};
        break;
    case ROW_NONE:
        break;
    }
}

/* Several rows: kept until the last is here. True when it is. */
static bool rows_collect(struct server_call *call, const struct reply *reply)
{
    if (call->rows == NULL) {
        call->rows = calloc(1, sizeof *call->rows);
        CHECK(call->rows != NULL);
    }
    CHECK(reply->index < CHAT_PAGE_MAX);
    struct server_rows *rows = call->rows;
    if (reply->row == ROW_NONE) {
        rows->value = reply->plain.value;
    }
    row_take(reply, &rows->entries[reply->row == ROW_ENTRY ? reply->index : 0],
             &rows->locations[reply->row == ROW_LOCATION ? reply->index : 0],
             &rows->members[reply->row == ROW_MEMBER ? reply->index : 0]);
    call->got++;
    return call->got == reply->total;
}

/* Contents runs: what the cache did not have, and the store has answered, goes into the cache. */
static void members_offer(struct sim_context *context, struct server *server, uint32_t worker,
                          const struct server_call *call, const struct chat_event *event)
{
    uint64_t *version =
        &server->versions[worker * (server->flights_max + 1) + (uint32_t)event->token];
    if (call->op == CACHE_MEMBERS && call->err == CHAT_ERR_MISSING) {
        *version = event->value;
    } else if (call->op == READ_MEMBERS && call->err == CHAT_OK && *version != 0) {
        server_offer(context, server, worker, call, *version, event);
    } else if (call->op != READ_MEMBERS) {
        *version = 0; /* Of another operation in this slot. */
    }
}

static void done(struct sim_context *context, struct server *server, uint32_t worker,
                 struct server_call *call, const struct reply *reply)
{
    struct server_scratch *scratch = server->scratch[sim_context_thread(context)];
    struct server_rows *rows = call->rows;
    struct chat_event event = {
        .kind = CHAT_EV_DONE,
        .token = reply->token,
        .err = call->err,
        .now_ns = sim_context_now(context),
        .value = reply->row == ROW_NONE ? reply->plain.value : reply->value_low,
    };
    if (rows != NULL) {
        event.entries = rows->entries;
        event.locations = rows->locations;
        event.members = rows->members;
        event.value = rows->value != 0 ? rows->value : reply->value_low;
        event.count = reply->total - (rows->value != 0 ? 1u : 0u);
        if (call->op == CACHE_INBOX && !server->peer.world->plan->run.contents) {
            rows_complete(server, call, rows->entries, event.count,
                          WALL_BASE_MS + event.now_ns / 1000000);
        }
    } else if (reply->row != ROW_NONE) {
        row_take(reply, scratch->entries, scratch->locations, scratch->members);
        event.entries = scratch->entries;
        event.locations = scratch->locations;
        event.members = scratch->members;
        event.count = 1;
    } else if (!server->peer.world->plan->run.contents) {
        rows_made(server, scratch, call, reply, &event);
    }
    if (server->versions != NULL) {
        members_offer(context, server, worker, call, &event);
    }
    if (call->op == STORE_RESERVE && call->err == CHAT_OK) {
        server->reserved_ms = call->id > server->reserved_ms ? call->id : server->reserved_ms;
    }
    call->rows = NULL;
    server_step(context, server, worker, &event, 0);
    free(rows);
}

void server_on_reply(struct sim_context *context, struct server *server,
                     const struct sim_event *event)
{
    struct reply reply;
    EVENT_READ(event, &reply);
    uint32_t worker = event->flags & 0xff;
    if ((reply.token & SERVER_REFRESH_TOKEN) != 0) {
        server_look_for_lost(context, server, (uint32_t)reply.token);
        return;
    }
    struct server_call *call = call_find(server, worker, reply.token);
    if (call == NULL) {
        return;
    }
    if (reply.total > 1 && !rows_collect(call, &reply)) {
        return;
    }
    if (reply.err < call->err) {
        call->err = reply.err;
    }
    if (--call->answers > 0) {
        return;
    }
    if (call->err == CHAT_ERR_UNKNOWN || call->err == CHAT_ERR_FAILED) {
        count_add(context, server->peer.world,
                  call->err == CHAT_ERR_FAILED ? COUNT_FAILURES : COUNT_TIMEOUTS, 1);
    }
    stage_of_call(context, server, call);
    if (call->op == SERVER_PUBLISH && call->id != 0) {
        kafka_producer_heard(server->producer, (uint32_t)call->id, sim_context_now(context));
    }
    done(context, server, worker, call, &reply);
}

static uint64_t timeout_ns(const struct plan *plan, uint16_t op)
{
    switch (op) {
    case SERVER_PUBLISH:
        return plan->kafka.delivery_timeout_ns;
    case SERVER_PUSH:
        return plan->push.timeout_ns;
    default:
        break;
    }
    return op >= CACHE_REGISTER ? plan->redis.timeout_ns
           : op >= READ_RECEIPT ? plan->cassandra.read_timeout_ns
                                : plan->cassandra.write_timeout_ns + 500000000u;
}

void server_timeouts(struct sim_context *context, struct server *server)
{
    const struct plan *plan = server->peer.world->plan;
    uint64_t now_ns = sim_context_now(context);
    for (uint32_t worker = 0; worker < server->worker_count; worker++) {
        struct server_worker *w = &server->workers[worker];
        for (uint32_t slot = 1; slot <= w->call_high; slot++) {
            struct server_call *call = &w->calls[slot];
            if (call->answers == 0 || now_ns < call->issued_ns + timeout_ns(plan, call->op)) {
                continue;
            }
            struct reply reply = {.token = (uint64_t)call->generation << 32 | slot};
            call->answers = 0;
            call->err = CHAT_ERR_UNKNOWN;
            free(call->rows);
            call->rows = NULL;
            count_add(context, server->peer.world, COUNT_TIMEOUTS, 1);
            done(context, server, worker, call, &reply);
        }
    }
}
