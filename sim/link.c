#include "sim/link.h"

#include <math.h>
#include <stddef.h>

#include "sim/check.h"

#define NS_PER_S 1e9
#define Q32 0x1p32

enum link_err link_init(struct link *link, double bandwidth_bytes_per_s, const struct dist *latency)
{
    CHECK(link != NULL);
    if (!(bandwidth_bytes_per_s >= 1.0)) {
        return LINK_ERR_BANDWIDTH;
    }
    *link = (struct link){
        .ns_per_byte_q32 = (uint64_t)(NS_PER_S * Q32 / bandwidth_bytes_per_s + 0.5),
        .latency = latency,
    };
    fifo_init(&link->wire, 1, 0, NULL);
    return LINK_OK;
}

double link_utilization(const struct link *link, uint64_t now_ns)
{
    return fifo_utilization(&link->wire, now_ns);
}
