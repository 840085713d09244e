/* Dropout of contiguous data in one pass: what all of its units share. */
#ifndef FD_DROPOUT_H
#define FD_DROPOUT_H

#include "backend.h"

/* A thread must have this many elements, or waking it costs more than it gives: benchmarks/README.md. */
enum { FD_ELEMENTS_PER_THREAD = 1 << 17 };

typedef struct {
    const fd_run *run;
    const fd_draw *draw;
    fd_dtype dtype;
    int plain; /* whether whole blocks are drawn and applied in one pass: one p, no shift, index a multiple of 64 */
    uint64_t index;
    size_t n, lead; /* lead: the elements of the first unit's block before it, in whole words */
    fd_values values;
    const uint8_t *x;
    uint8_t *y, *bits;
    fd_access access;
} fd_dropout_job;

/* How many units there are. */
FD_INLINE size_t fd_units(const fd_dropout_job *job) { return (job->n + job->lead - 1) / FD_BLOCK + 1; }

/* Units begin .. end-1 of a fd_dropout_job. */
void fd_dropout_units(const void *job, size_t begin, size_t end);

#endif
