#include "sim/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#define SMALL_BYTES ((size_t)4 << 10)
#define HUGE_BYTES ((size_t)2 << 20)

static size_t round_up(size_t size_bytes, size_t unit)
{
    return (size_bytes + unit - 1) / unit * unit;
}

/* How much of it lies on huge pages: what is left over does too, if it nearly fills one. */
static size_t huge_bytes(size_t size_bytes)
{
    return (size_bytes + HUGE_BYTES / 4) / HUGE_BYTES * HUGE_BYTES;
}

static size_t mapped_bytes(size_t size_bytes)
{
    size_t small = round_up(size_bytes, SMALL_BYTES);
    return huge_bytes(size_bytes) > small ? huge_bytes(size_bytes) : small;
}

void *pages_allocate(size_t size_bytes)
{
    size_t size = mapped_bytes(size_bytes);
    size_t huge = huge_bytes(size_bytes);
    size_t extra = huge > 0 ? HUGE_BYTES : 0;
    char *memory = mmap(NULL, size + extra, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    if (huge == 0) {
        return memory;
    }
    char *aligned = memory + (HUGE_BYTES - (uintptr_t)memory % HUGE_BYTES) % HUGE_BYTES;
    if (aligned > memory) {
        munmap(memory, (size_t)(aligned - memory));
    }
    size_t tail = (size_t)(memory + size + extra - (aligned + size));
    if (tail > 0) {
        munmap(aligned + size, tail);
    }
    madvise(aligned, huge, MADV_HUGEPAGE);
    return aligned;
}

void *pages_allocate_sparse(size_t size_bytes)
{
    void *memory = mmap(NULL, mapped_bytes(size_bytes), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void pages_free(void *memory, size_t size_bytes)
{
    if (memory != NULL) {
        munmap(memory, mapped_bytes(size_bytes));
    }
}
