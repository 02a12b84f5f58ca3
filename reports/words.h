/* The words of a report: names of tiers and resources as people say them, and figures that are not
 * known as such. Buffers are of WORDS_SIZE, and returned. */
#ifndef REPORTS_WORDS_H
#define REPORTS_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "models/result.h"

#define WORDS_SIZE 256u
#define WORDS_FULL 0.995  /* From here on a station has no room left. */
#define WORDS_BEHIND 0.99 /* Of messages acknowledged: below it, it falls behind. */
#define WORDS_NEAR 0.8    /* From here on it is near its limit. */

/* "chat server" and "chat servers" for gateway; the name itself for what is not known. */
const char *words_tier(const char *name, bool plural);

/* "CPU", "network out", ... of a tier. */
const char *words_resource(const struct result_tier *tier, const struct result_resource *resource);

/* "16 cores", "1 thread": what a node works with. */
const char *words_servers(const struct result_tier *tier, char *buffer);

/* An amount of a resource with its unit: "1.2 GB/s"; of CPU as so many of a node's cores. */
const char *words_amount(const struct result_tier *tier, const struct result_resource *resource,
                         double amount, char *buffer);

/* "144 ms"; "-" where nothing passed or too few for that quantile. */
const char *words_quantile(const struct result_stage *stage, uint32_t quantile, char *buffer);

/* "131–158 ms" of "131 ms" and "158 ms", "950 us–1.2 ms" of different units. */
const char *words_span(const char *low, const char *high, char *buffer);

/* "131–158 ms", of 95%; "" where it is not known. */
const char *words_interval(const struct result_stage *stage, uint32_t quantile, char *buffer);

/* Of fewer samples a quantile is only the greatest of them. */
bool words_has_quantile(const struct result_stage *stage, uint32_t quantile);

/* Messages queue for it: CPU, network, disk throughput. The others fill up. */
bool words_is_station(const struct result_resource *resource);

/* The resource of highest mean utilization of a tier; NULL: none. Of stations only, where
 * `stations`; else disk space and quotas count only where there is nothing else or they don't do:
 * they fill with days, not with load. */
const struct result_resource *words_busiest(const struct result_tier *tier, bool stations);

/* The counter's rate; 0 where there is none. */
double words_per_s(const struct result *result, const char *counter);

/* Of the messages sent in the measured time, the share that was acknowledged in it, at most 1. */
double words_acked_share(const struct result *result);

/* One sentence: what binds, whether it keeps up. Plain text. */
const char *words_finding(const struct result *result, char *buffer);

#endif
