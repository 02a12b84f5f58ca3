/* Effect -> event to a node of the fleet. The twin, in the real server, is effect -> adapter; every
 * kind of effect that the core can ask for has its row in both. */
#include "models/infra/cassandra.h"
#include "models/infra/client_link.h"
#include "models/infra/faults.h"
#include "models/infra/inbox.h"
#include "models/infra/redis.h"
#include "models/infra/server.h"

#define COMMIT_FLUSH_NS 5000000u
#define OFFSET_BITS 40u

uint64_t server_cost(const struct server *server, const struct chat_effects *effects)
{
    const struct plan *plan = server->peer.world->plan;
    bool gateway = server->peer.class == CLASS_GATEWAY;
    uint64_t call_ns = gateway ? plan->gateway.cpu_effect_ns : plan->fanout.cpu_recipient_ns;
    uint64_t route_ns = gateway ? plan->gateway.cpu_effect_ns : plan->fanout.cpu_route_ns;
    uint64_t cost_ns = 0;
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct chat_effect *effect = &effects->list[i];
        switch ((enum chat_effect_kind)effect->kind) {
        case CHAT_FX_SEND:
            cost_ns += plan->gateway.cpu_frame_out_ns;
            if (effect->frame.kind == FRAME_MSG) {
                cost_ns += effect->frame.text.size_bytes * plan->gateway.cpu_byte_ps / 1000;
            }
            break;
        case CHAT_FX_STORE:
        case CHAT_FX_READ:
        case CHAT_FX_PUBLISH:
        case CHAT_FX_CACHE:
        case CHAT_FX_PUSH:
            cost_ns += call_ns;
            break;
        case CHAT_FX_ROUTE:
            cost_ns += route_ns;
            break;
        default:
            break;
        }
    }
    return cost_ns;
}

/* What every call begins with. */
static void call_begin(const struct server *server, uint32_t worker,
                       const struct chat_effect *effect, struct sim_event *event, struct call *call)
{
    *event = (struct sim_event){
        .kind = EV_CALL,
        .flags = (uint16_t)(worker | effect->device << 8),
    };
    *call = (struct call){
        .token = effect->token,
        .source = server->peer.node,
        .op = (uint16_t)(effect->op | (effect->token == 0 ? 0x8000 : 0)),
        .argument = effect->count,
    };
}

static void call_entry(const struct chat_effect *effect, struct call *call)
{
    entry_pack(&effect->entry, &call->entry);
    call->entry.more = (uint32_t)effect->user;
}

static void apply_store(struct sim_context *context, struct server *server, uint32_t worker,
                        const struct chat_effects *effects, const struct chat_effect *effect,
                        uint64_t now_ns)
{
    struct sim_event event;
    struct call call;
    call_begin(server, worker, effect, &event, &call);
    if (effect->op == STORE_RESERVE) {
        call.key.position = effect->position;
        call.key.user = (uint32_t)effect->user;
    } else {
        struct chat_entry entry = effect->entry;
        entry.id = entry.id == CHAT_NEVER ? UINT64_MAX : entry.id;
        entry_pack(&entry, &call.entry);
        call.entry.more = (uint32_t)effect->user;
        if (effect->op == STORE_CLAIM) {
            call.entry.stamp = (uint32_t)effect->client_key;
        }
    }
    bool rows = effect->op == STORE_RECEIPT_ROWS && server->peer.world->plan->run.contents;
    uint32_t count = rows ? effect->count : 1;
    server_call_note(server, worker, effect, now_ns, count * cassandra_answers(&call));
    for (uint32_t i = 0; i < count; i++) {
        if (rows) { /* Backends that keep contents get them one by one. */
            call.entry.more = (uint32_t)effects->members[effect->first + i].user;
            call.argument = 1;
        }
        cassandra_send(context, &server->peer, now_ns, event.flags, &call);
    }
}

static void apply_cache(struct sim_context *context, struct server *server, uint32_t worker,
                        const struct chat_effects *effects, const struct chat_effect *effect,
                        uint64_t now_ns)
{
    struct world *world = server->peer.world;
    struct sim_event event;
    struct call call;
    uint64_t shard_key = effect->user;
    call_begin(server, worker, effect, &event, &call);
    switch ((enum chat_op)effect->op) {
    case CACHE_REGISTER:
    case CACHE_UNREGISTER:
    case CACHE_LIVE:
    case CACHE_INBOX:
    case CACHE_TRIM:
        call.key.conn_id = effect->conn_id;
        call.key.position = effect->position;
        call.key.channel = gateway_name(server, worker);
        call.key.user = (uint32_t)effect->user;
        break;
    case CACHE_MEMBERS:
    case CACHE_MEMBER:
    case CACHE_FORGET:
        call_entry(effect, &call);
        shard_key = effect->entry.channel.first;
        break;
    default:
        call_entry(effect, &call);
        call.argument = 0;
        for (uint32_t i = 0; i < effect->count; i++) {
            call.argument |= (uint16_t)(1u << effects->locations[effect->first + i].device);
        }
        if (effect->op == CACHE_REBUILD) {
            call.argument = (uint16_t)(effect->position >> INBOX_POSITION_BITS);
        }
        break;
    }
    if (effect->token != 0) {
        server_call_note(server, worker, effect, now_ns, 1);
    }
    EVENT_WRITE(&event, &call);
    net_send(context, &server->peer, world->base[CLASS_REDIS] + world_redis_shard(world, shard_key),
             now_ns, call_bytes(world, &call), &event);
}

void server_offer(struct sim_context *context, struct server *server, uint32_t worker,
                  const struct server_call *call, uint64_t version, const struct chat_event *page)
{
    struct world *world = server->peer.world;
    uint32_t shard = world_redis_shard(world, call->id);
    struct sim_event event = {.kind = EV_CALL, .flags = (uint16_t)worker};
    for (uint32_t i = 0; i < page->count; i++) {
        struct call offer = {
            .token = version,
            .key = {.conn_id = page->members[i].joined,
                    .position = page->members[i].left,
                    .id = (uint64_t)call->user << 32 | (page->value & 0xffff) << 16 | page->count,
                    .channel = (uint32_t)call->id,
                    .user = (uint32_t)page->members[i].user},
            .source = server->peer.node,
            .op = REDIS_OFFER | 0x8000,
            .argument = (uint16_t)i,
        };
        EVENT_WRITE(&event, &offer);
        if (i > 0) { /* As the first was sent, so are the others. */
            sim_send(context, &event);
            continue;
        }
        uint32_t bytes = call_bytes(world, &offer) * page->count;
        net_send(context, &server->peer, world->base[CLASS_REDIS] + shard, sim_context_now(context),
                 bytes, &event);
        if (event.time_ns == SIM_NEVER) {
            return;
        }
    }
}

static void apply_publish(struct sim_context *context, struct server *server, uint32_t worker,
                          const struct chat_effect *effect, uint64_t now_ns)
{
    struct sim_event event;
    struct call call;
    call_begin(server, worker, effect, &event, &call);
    call_entry(effect, &call);
    server_call_note(server, worker, effect, now_ns, 1);
    server->workers[worker].calls[(uint32_t)effect->token].id =
        kafka_produce(server->producer, context, &server->peer, worker, now_ns, &call);
}

static void apply_push(struct sim_context *context, struct server *server, uint32_t worker,
                       const struct chat_effect *effect, uint64_t now_ns)
{
    struct world *world = server->peer.world;
    struct sim_event event;
    struct call call;
    call_begin(server, worker, effect, &event, &call);
    call.key.user = (uint32_t)effect->user;
    server_call_note(server, worker, effect, now_ns, 1);
    EVENT_WRITE(&event, &call);
    count_add(context, world, COUNT_PUSHES, 1);
    net_send(context, &server->peer, world->base[CLASS_PUSH], now_ns,
             (uint32_t)world->plan->push.payload_bytes, &event);
}

/* The name of the gateway worker that a ROUTE goes to. By sticky routing it is where the load
 * balancer sends the device's connections: whoever was refused there, or came while it was dead, is
 * not found. A KICK is for the connection of before, which presence knows. */
static uint32_t route_target(const struct world *world, const struct chat_effect *effect,
                             uint64_t now_ns)
{
    if (world->plan->routing != PLAN_ROUTING_STICKY || effect->entry.kind == ENTRY_KICK) {
        return effect->gateway;
    }
    uint32_t cores = world->plan->gateway.cores;
    uint32_t number = client_number(world, effect->user, effect->device);
    return client_gateway(world, number, now_ns, 0) * cores + number % cores;
}

static void apply_route(struct sim_context *context, struct server *server,
                        const struct chat_effect *effect, uint64_t now_ns)
{
    struct world *world = server->peer.world;
    struct route route = {.position = effect->entry.position, .conn_id = effect->conn_id};
    entry_pack(&effect->entry, &route.entry);
    route.entry.more = (uint32_t)effect->user;
    route.entry.device = (uint8_t)((effect->entry.device & 0xf) | effect->device << 4);
    uint32_t gateway = route_target(world, effect, sim_context_now(context));
    struct sim_event event = {.kind = EV_ROUTE, .flags = (uint16_t)gateway};
    EVENT_WRITE(&event, &route);
    count_add(context, world, COUNT_ROUTES, 1);
    uint32_t node = world->base[CLASS_GATEWAY] + gateway / world->plan->gateway.cores;
    if (node == server->peer.node) {
        event.time_ns = now_ns;
        event.node = node;
        sim_send(context, &event);
        return;
    }
    if (world->plan->routing == PLAN_ROUTING_REDIS) {
        node = world->base[CLASS_REDIS] + gateway % world->count[CLASS_REDIS];
    } else if (world->plan->routing == PLAN_ROUTING_KAFKA) {
        node = kafka_route_broker(world, gateway, now_ns);
    }
    uint32_t bytes =
        (uint32_t)world->plan->network.framing_inside_bytes + 56 + effect->entry.text.size_bytes;
    net_send(context, &server->peer, node, now_ns, bytes, &event);
}

static struct server_commit *commit_slot(struct server_worker *w, uint32_t partition)
{
    for (uint32_t i = 0; i < SERVER_COMMITS_MAX; i++) {
        struct server_commit *commit = &w->commits[(partition + i) % SERVER_COMMITS_MAX];
        if (commit->partition == 0 || commit->partition == partition + 1) {
            return commit;
        }
    }
    CHECK(!"a worker consumes more partitions than SERVER_COMMITS_MAX");
    return NULL;
}

void server_commit_open(struct server *server, uint32_t worker, uint32_t partition, uint64_t offset)
{
    struct server_commit *commit = commit_slot(&server->workers[worker], partition);
    bool known = commit->partition != 0 && offset >= commit->next && offset - commit->next < 64;
    if (!known) { /* Newly assigned, or handed out again from the committed offset. */
        *commit = (struct server_commit){.partition = partition + 1, .next = offset};
    }
}

static void apply_commit(struct sim_context *context, struct server *server, uint32_t worker,
                         const struct chat_effect *effect, uint64_t now_ns)
{
    struct server_worker *w = &server->workers[worker];
    uint32_t partition = (uint32_t)(effect->position >> OFFSET_BITS);
    uint64_t offset = effect->position & (((uint64_t)1 << OFFSET_BITS) - 1);
    struct server_commit *commit = commit_slot(w, partition);
    commit->credit++;
    if (offset >= commit->next && offset - commit->next < 64) {
        commit->done |= (uint64_t)1 << (offset - commit->next);
        while ((commit->done & 1) != 0) {
            commit->done >>= 1;
            commit->next++;
        }
    }
    if (!w->flush_armed) {
        w->flush_armed = true;
        struct sim_event event = {
            .time_ns = now_ns + COMMIT_FLUSH_NS,
            .node = server->peer.node,
            .kind = EV_INNER,
            .flags = (uint16_t)worker,
        };
        sim_send(context, &event);
    }
}

void server_commit_flush(struct sim_context *context, struct server *server, uint32_t worker,
                         uint64_t now_ns)
{
    struct server_worker *w = &server->workers[worker];
    w->flush_armed = false;
    for (uint32_t i = 0; i < SERVER_COMMITS_MAX; i++) {
        struct server_commit *commit = &w->commits[i];
        if (commit->credit == 0) {
            continue;
        }
        kafka_commit(context, &server->peer, worker, now_ns, commit->partition - 1, commit->next,
                     commit->credit);
        commit->credit = 0;
    }
}

void server_apply(struct sim_context *context, struct server *server, uint32_t worker,
                  const struct chat_effects *effects, uint64_t now_ns)
{
    for (uint32_t i = 0; i < effects->count; i++) {
        const struct chat_effect *effect = &effects->list[i];
        switch ((enum chat_effect_kind)effect->kind) {
        case CHAT_FX_SEND:
            server_send_frame(context, server, worker, effect->conn_id, &effect->frame, now_ns);
            break;
        case CHAT_FX_DROP:
            server_drop(context, server, worker, effect->conn_id, effect->err, now_ns);
            break;
        case CHAT_FX_STORE:
        case CHAT_FX_READ:
            apply_store(context, server, worker, effects, effect, now_ns);
            break;
        case CHAT_FX_PUBLISH:
            apply_publish(context, server, worker, effect, now_ns);
            break;
        case CHAT_FX_COMMIT:
            apply_commit(context, server, worker, effect, now_ns);
            break;
        case CHAT_FX_CACHE:
            apply_cache(context, server, worker, effects, effect, now_ns);
            break;
        case CHAT_FX_ROUTE:
            apply_route(context, server, effect, now_ns);
            break;
        case CHAT_FX_PUSH:
            apply_push(context, server, worker, effect, now_ns);
            break;
        case CHAT_FX_RELEASE: /* A stamp has no bytes. */
        case CHAT_FX_KINDS:
            break;
        }
    }
}
