/* Large memory, zeroed, on huge pages where the system has them: one TLB miss less a touch. */
#ifndef SIM_PAGES_H
#define SIM_PAGES_H

#include <stddef.h>

/* NULL where memory is short. Aligned to 4 KiB, and to 2 MiB from 1.5 MiB on. Free it with
 * pages_free() and the same size. */
void *pages_allocate(size_t size_bytes);
/* The same on small pages: for memory of which little may ever be touched. */
void *pages_allocate_sparse(size_t size_bytes);
void pages_free(void *memory, size_t size_bytes);

#endif
