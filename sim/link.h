/* A link: bytes take turns on the wire, then travel.
 *
 *     send --> [ FIFO of one: bytes / bandwidth ] --> [ latency, each its own ] --> arrival
 *
 * Bandwidth is shared in order of sending, without a packet's interleaving; latency is drawn per
 * send and has a floor, so that the engine may count on a lookahead. Two sends may overtake each
 * other by their latencies: whoever needs order (a TCP connection) takes the later of its arrivals.
 * A link loses nothing; loss is the model's.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "sim/dist.h"
#include "sim/fifo.h"

#include <stdint.h>

enum link_err {
    LINK_OK = 0,
    LINK_ERR_BANDWIDTH = -1, /* Below 1 byte a second, or not a number. */
};

/* Read freely; write only through the functions below. */
struct link {
    struct fifo wire; /* Its waits, busy time and count of sends. */
    uint64_t bytes;
    uint64_t ns_per_byte_q32;   /* Fixed point, 32 binary digits; 0 is unlimited bandwidth. */
    const struct dist *latency; /* Borrowed, in ns; NULL is none. */
};

/* `bandwidth_bytes_per_s` INFINITY is unlimited. `latency` must outlive `link`. */
enum link_err link_init(struct link *link, double bandwidth_bytes_per_s,
                        const struct dist *latency);

/* Time on the wire, without waiting and latency; rounded to the nearest ns. */
static inline uint64_t link_wire_ns(const struct link *link, uint64_t bytes)
{
    const unsigned __int128 q32 = (unsigned __int128)bytes * link->ns_per_byte_q32;
    return (uint64_t)((q32 + (UINT64_C(1) << 31)) >> 32);
}

/* Sends `bytes` at `now_ns` (not before the previous send) and returns when the last of them
 * arrives. `bits` draw the latency. */
static inline uint64_t link_send(struct link *link, uint64_t now_ns, uint64_t bytes, uint64_t bits)
{
    const struct fifo_visit visit = fifo_serve(&link->wire, now_ns, link_wire_ns(link, bytes));
    link->bytes += bytes;
    return visit.departure_ns + (link->latency ? dist_ns(link->latency, bits) : 0);
}

/* No arrival is sooner than this after its sending. */
static inline uint64_t link_floor_ns(const struct link *link)
{
    return link->latency ? dist_min_ns(link->latency) : 0;
}

/* Share of [0, now_ns) in which the wire was busy, 0 to 1. Work already accepted for later than
 * now_ns is not counted. */
double link_utilization(const struct link *link, uint64_t now_ns);

#endif
