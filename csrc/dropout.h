/* Dropout of contiguous data in one pass: the arguments that all chunks of the work share. */
#ifndef FD_DROPOUT_H
#define FD_DROPOUT_H

#include "backend.h"

/* How many elements a thread must have to save more time than waking it costs (benchmarks/README.md). */
enum { FD_ELEMENTS_PER_THREAD = 1 << 17 };

typedef struct {
    const fd_run *run;
    const fd_draw *draw;
    fd_dtype dtype;
    uint64_t index;
    size_t n;
    fd_values values;
    const uint8_t *x;
    uint8_t *y, *bits;
    fd_access access;
} fd_dropout_job;

/* How many elements of its block come before the first chunk, rounded down to 64s. */
FD_INLINE size_t fd_place_in_block(const fd_dropout_job *job) { return job->index % FD_BLOCK / FD_WORD * FD_WORD; }

/* The number of chunks. */
FD_INLINE size_t fd_chunks(const fd_dropout_job *job) { return (job->n + fd_place_in_block(job) - 1) / FD_BLOCK + 1; }

/* Runs chunks begin .. end-1 of a fd_dropout_job. */
void fd_dropout_chunks(const void *job, size_t begin, size_t end);

#endif
