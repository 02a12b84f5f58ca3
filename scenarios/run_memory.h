/* How much memory this process can still get. */
#ifndef SCENARIOS_RUN_MEMORY_H
#define SCENARIOS_RUN_MEMORY_H

#include <stdint.h>

/* The least of: what the machine has available; what the control groups of this process (v1 and
 * v2, each with those above it) leave, page cache that gives way included; the limit of its address
 * space. UINT64_MAX where nothing of that can be read. `root` stands before /proc and /sys: "" but
 * for tests. */
uint64_t run_memory_available(const char *root);

/* Resident now, in bytes; 0 where it can't be read. */
uint64_t run_memory_resident(void);

#endif
