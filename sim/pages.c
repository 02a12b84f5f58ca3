#include "sim/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#define HUGE_BYTES ((size_t)2 << 20)

static size_t round_up(size_t size_bytes, size_t unit)
{
    return (size_bytes + unit - 1) / unit * unit;
}

void *pages_allocate(size_t size_bytes)
{
    size_t unit = size_bytes >= HUGE_BYTES ? HUGE_BYTES : 4096;
    size_t size = round_up(size_bytes, unit);
    size_t extra = unit == HUGE_BYTES ? HUGE_BYTES : 0;
    char *memory = mmap(NULL, size + extra, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    if (extra != 0) {
        char *aligned = memory + (HUGE_BYTES - (uintptr_t)memory % HUGE_BYTES) % HUGE_BYTES;
        if (aligned > memory) {
            munmap(memory, (size_t)(aligned - memory));
        }
        size_t tail = (size_t)(memory + size + extra - (aligned + size));
        if (tail > 0) {
            munmap(aligned + size, tail);
        }
        memory = aligned;
        madvise(memory, size, MADV_HUGEPAGE);
    }
    return memory;
}

void pages_free(void *memory, size_t size_bytes)
{
    if (memory != NULL) {
        munmap(memory, round_up(size_bytes, size_bytes >= HUGE_BYTES ? HUGE_BYTES : 4096));
    }
}
