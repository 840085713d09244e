/* Drawing a run of bits that begins and ends anywhere. */
#ifndef FD_BITS_H
#define FD_BITS_H

#include "backend.h"
#include "bitcopy.h"
#include "p_array.h"

/* What bits are drawn from, and the last block drawn, which neighbouring rows of a window often share. */
typedef struct {
    const fd_backend *backend;
    const fd_draw *draw;
    fd_walk *walk; /* over an array p; NULL without one */
    uint64_t block;
    int groups; /* how many of the block's groups `bytes` holds; 0: none yet */
    int dense;  /* whether the next run is likely to be in the same block */
    uint8_t bytes[FD_BLOCK_BYTES + FD_BIT_SLACK];
} fd_source;

/* A source whose next run begins with `element` of the call; *walk is initialised if there is an array p. */
fd_source fd_source_at(const fd_backend *backend, const fd_draw *draw, size_t element, fd_walk *walk);

/* Draws the bits of index .. index+n-1, and writes them from bit `at` of bits on, as copy_bits does. */
void fd_draw_run(fd_source *source, uint64_t index, size_t n, uint8_t *bits, size_t at);

#endif
