#include "models/infra/faults.h"
#include "models/infra/infra.h"

void entry_pack(const struct chat_entry *entry, struct packed_entry *packed)
{
    CHECK(entry->channel.first <= UINT32_MAX && entry->channel.second <= UINT32_MAX);
    CHECK(entry->user <= UINT32_MAX);
    *packed = (struct packed_entry){
        .id = entry->id,
        .first = (uint32_t)entry->channel.first,
        .second = (uint32_t)entry->channel.second,
        .user = (uint32_t)entry->user,
        .stamp = entry->text.handle,
        .size_bytes = (uint16_t)entry->text.size_bytes,
        .kind = entry->kind,
        .device = (uint8_t)(entry->device | (entry->alone ? 0x80 : 0)),
    };
}

void entry_unpack(const struct packed_entry *packed, struct chat_entry *entry)
{
    *entry = (struct chat_entry){
        .id = packed->id,
        .channel = {packed->first, packed->second},
        .user = packed->user,
        .text = {packed->stamp, packed->size_bytes},
        .kind = packed->kind,
        .device = packed->device & 0xf,
        .alone = (packed->device & 0x80) != 0,
    };
}

void peer_init(struct peer *peer, struct world *world, enum infra_class class, uint32_t index,
               uint64_t nic_bytes_per_s)
{
    static const char *const streams[CLASS_COUNT] = {"population", "gateway", "fanout", "kafka",
                                                     "cassandra",  "redis",   "push"};
    uint32_t node = world->base[class] + index;
    world->intervals_per_ns = 1 / (double)world->interval_ns;
    world->batches_per_ns = BATCHES / (double)(world->until_ns - world->from_ns);
    peer->world = world;
    peer->node = node;
    peer->class = (uint16_t) class;
    peer->index = index;
    peer->zone = (uint16_t)plan_zone_of(world->plan, index);
    peer->out_ps = nic_bytes_per_s == 0 ? 0 : (uint32_t)(1000000000000u / nic_bytes_per_s);
    peer->rng = (struct rng_cursor){
        .stream = rng_stream(world->plan->run.seed, streams[class]),
        .entity = index,
    };
    peer->usage = &world->usage[(size_t)node * world->interval_count];
    if (world->outages[node] != NULL) {
        CHECK(outage_init(&peer->outage, world->outages[node], world->outage_counts[node]) ==
              OUTAGE_OK);
    }
}

void peer_use(const struct peer *peer, struct resource_use uses[RESOURCE_COUNT])
{
    const struct world *world = peer->world;
    double seconds = (double)(world->until_ns - world->from_ns) * 1e-9;
    if (peer->out_ps == 0) {
        return;
    }
    double limit = 1e12 / (double)peer->out_ps;
    uses[RESOURCE_NIC_OUT] = (struct resource_use){(double)peer->out_bytes / seconds, limit};
    uses[RESOURCE_NIC_IN] = (struct resource_use){(double)peer->in_bytes / seconds, limit};
}

uint64_t net_cut(struct sim_context *context, const struct peer *peer, uint32_t to,
                 uint64_t sent_ns, uint64_t bits)
{
    uint64_t delay_ns = cuts_delay(peer->world, peer->node, to, sent_ns, bits);
    if (delay_ns == SIM_NEVER) {
        count_add(context, peer->world, COUNT_LOST, 1);
    }
    return delay_ns;
}

void net_send(struct sim_context *context, struct peer *peer, uint32_t to, uint64_t depart_ns,
              uint32_t bytes, struct sim_event *event)
{
    event->node = to;
    event->time_ns = net_arrival(context, peer, to, depart_ns, bytes, rng_next(&peer->rng).word[0]);
    if (event->time_ns != SIM_NEVER) {
        sim_send(context, event);
    }
}

void reply_send(struct sim_context *context, struct peer *peer, const struct sim_event *call_event,
                uint64_t depart_ns, struct reply *reply)
{
    struct call call;
    EVENT_READ(call_event, &call);
    struct sim_event event = {.kind = EV_REPLY, .flags = call_event->flags & 0xff};
    reply->token = call.token;
    EVENT_WRITE(&event, reply);
    uint32_t bytes = reply_bytes(peer->world, (enum chat_op)(call.op & 0xfff),
                                 reply->total == 0 ? 1 : reply->total);
    uint32_t share = reply->total > 1 ? bytes / reply->total : bytes;
    net_send(context, peer, call.source, depart_ns, share, &event);
}

/* Ids, keys and lengths around the text, as the binary protocols write them. */
#define CALL_KEY_BYTES 48u
#define ENTRY_KEY_BYTES 40u

uint32_t call_bytes(const struct world *world, const struct call *call)
{
    uint32_t framing = (uint32_t)world->plan->network.framing_inside_bytes;
    switch (call->op & 0xfff) {
    case 0:
    case STORE_MESSAGE:
    case CACHE_APPEND:
    case CACHE_REBUILD:
        return framing + ENTRY_KEY_BYTES + call->entry.size_bytes;
    case STORE_RECEIPT_ROWS:
        return framing + ENTRY_KEY_BYTES + call->argument * 16u;
    default:
        return framing + CALL_KEY_BYTES;
    }
}

uint32_t reply_bytes(const struct world *world, enum chat_op op, uint32_t rows)
{
    uint32_t framing = (uint32_t)world->plan->network.framing_inside_bytes;
    switch (op) {
    case READ_HISTORY:
    case READ_UNACKED:
    case CACHE_INBOX:
        return framing + rows * (uint32_t)world->plan->population.record_size.mean;
    case READ_MEMBERS:
    case CACHE_MEMBERS:
        return framing + rows * 8u;
    case CACHE_APPEND:
    case CACHE_REGISTER:
    case CACHE_LOCATE:
        return framing + rows * 24u;
    default:
        return framing + 16u;
    }
}

bool world_is_up(const struct world *world, uint32_t node, uint64_t time_ns)
{
    const struct outage_interval *intervals = world->outages[node];
    for (uint32_t i = 0; intervals != NULL && i < world->outage_counts[node]; i++) {
        if (intervals[i].from_ns > time_ns) {
            break;
        }
        if (time_ns < intervals[i].until_ns && intervals[i].kind == OUTAGE_DOWN) {
            return false;
        }
    }
    return true;
}
