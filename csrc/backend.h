/* What one instruction set provides: a table of kernels over contiguous data, which know no threads. */
#ifndef FD_BACKEND_H
#define FD_BACKEND_H

#include "common.h"
#include "fastdrop.h"

/* The stream's geometry, fixed by its specification. */
enum { FD_LANES = 8, FD_WORD = 64, FD_GROUP = 512, FD_GROUPS = 8, FD_BLOCK = 4096, FD_BLOCK_BYTES = 512 };

enum { FD_LINE = 64 }; /* bytes of a cache line, or less */

/*
 * Where the data are not in the cache, `ahead` > 0: their lines are asked for so many bytes before they are needed, and
 * what is not in place is stored around the cache.
 */
size_t fd_ahead(const fd_run *run, size_t bytes, int heavy);

struct fd_backend {
    const char *name;
    int (*supported)(void);

    /* The bits of the first `groups` groups of a block: 64 bytes each. */
    void (*draw)(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits);

    /* `blocks` whole blocks, drawn and applied in one pass; their bits go to `bits` unless it is NULL. */
    void (*dropout[FD_DTYPES])(const fd_draw *draw, uint64_t block, size_t blocks, double scale, const void *x, void *y,
                               uint8_t *bits, size_t ahead);

    /* n elements and their ceil(n/8) bytes of bits. */
    void (*apply[FD_DTYPES])(const uint8_t *bits, size_t n, double scale, const void *x, void *y, size_t ahead);
};

#ifdef FD_X86
extern const fd_backend fd_avx512, fd_avx2;
#endif
#ifdef FD_NEON
extern const fd_backend fd_neon;
#endif
extern const fd_backend fd_portable;

#endif
