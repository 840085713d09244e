/* Applying packed bits to data of any strides: what the plan, its runs and its tiles share. */
#ifndef FD_STRIDED_H
#define FD_STRIDED_H

#include "backend.h"
#include "bitcopy.h"
#include "iterate.h"

/*
 * How runs whose bits are neighbours across the runs, not along them (Fortran order, channels last), are cut into
 * tiles: `width` runs of at most `piece` elements.
 */
typedef struct {
    fd_axis axis;        /* from run to run; of extent 1 if there are no tiles */
    size_t width, piece; /* piece: how many elements of a run are in one chunk, with tiles or without */
    int square;          /* 64 or 32: how many runs' bits are turned at a time */
    int joined;          /* whether the runs of a tile, and their bits, are contiguous one after the other */
    int interleaved;     /* whether they are so short that their bits are packed element by element */
} fd_tiling;

typedef struct {
    const fd_run *run;
    fd_dtype dtype;
    size_t size, n; /* of an element, in bytes; n: how many there are */
    fd_values values;
    const uint8_t *bits, *bits_end, *x;
    uint8_t *y;
    fd_access access;
    fd_axis run_axis;
    fd_axis row_axis; /* of extent 0; or the short rows of a run: run_axis.bit is then the step per row */
    fd_tiling tiles;
    uint64_t first_bit; /* of element 0 */
    int ndim;           /* number of the axes that count chunks; the last two count tiles and pieces of runs */
    fd_axis axes[FD_MAX_DIMS + 2];
} fd_apply_job;

FD_INLINE size_t at_most(size_t n, size_t limit) { return n < limit ? n : limit; }

/* n <= 64 bits from bit `at` on, without a read past the end of the bits. */
FD_INLINE uint64_t load_bits(const fd_apply_job *job, size_t at, size_t n) {
    const uint8_t *bytes = job->bits + at / 8;
    if (job->bits_end - bytes >= 9)
        return bits_at(bytes, at % 8);
    return load_bits_le(job->bits, at, n);
}

/* A run of any stride whose bits are packed, from bit 0 of `bits` on. */
void fd_apply_run(const fd_apply_job *job, const uint8_t *bits, fd_place at, size_t n);

/* A run whose bits have any step: they are packed in a buffer first, unless they are packed already. */
void fd_apply_scattered(const fd_apply_job *job, fd_place at, size_t n);

/* How to cut runs of the job into tiles, if one step along `across` is one bit. */
fd_tiling fd_tiling_of(const fd_apply_job *job, fd_axis across);

/* A tile of `width` runs of n elements. */
void fd_apply_tile(const fd_apply_job *job, fd_place at, size_t n, size_t width);

#endif
