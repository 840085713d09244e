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

/* round_half_even(p * 2^64), for 0 <= p < 1. */
uint64_t fd_threshold(double p);

/* One word of a block, by 64 values of p: for what a kernel leaves undecided. */
uint64_t fd_exact_word(const fd_draw *draw, uint64_t block, size_t word, const double *p);

struct fd_walk; /* rates.h */

struct fd_backend {
    const char *name;
    int (*supported)(void);

    /* The bits of the first `groups` groups of a block: 64 bytes each. */
    void (*draw)(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits);

    /* n values of an array p, -0.0 as 0, to `copy` unless that is NULL; whether all are between 0 and 1. */
    int (*copy_rates)(const double *p, size_t n, double *copy);

    /* An array p: n elements of a block from in_block on, the bits of all the words they are in. */
    void (*draw_each)(const fd_draw *draw, uint64_t block, size_t in_block, size_t n, struct fd_walk *walk,
                      uint8_t *bits);

    /* Words first, first+1, ... of a block, by 64 values of p each: drawn and applied in one pass. */
    void (*dropout_each[FD_DTYPES])(const fd_draw *draw, uint64_t block, size_t first, size_t words,
                                    struct fd_walk *walk, const void *x, void *y, uint8_t *bits);

    /* `blocks` whole blocks, drawn and applied in one pass; their bits go to `bits` unless it is NULL. */
    void (*dropout[FD_DTYPES])(const fd_draw *draw, uint64_t block, size_t blocks, double scale, const void *x, void *y,
                               uint8_t *bits, size_t ahead);

    /* n elements and their ceil(n/8) bytes of bits. */
    void (*apply[FD_DTYPES])(const uint8_t *bits, size_t n, double scale, const void *x, void *y, size_t ahead);

    /* The same with a shift and a value for the dropped ones (NULL for complex types), and with a p for each element.
     */
    void (*affine[FD_DTYPES])(const uint8_t *bits, size_t n, const fd_values *values, const void *x, void *y,
                              size_t ahead);
    void (*each[FD_DTYPES])(const uint8_t *bits, size_t n, const double *p, const void *x, void *y);

    /* dropout(x + bias) + residual, where bias and residual may be NULL. */
    void (*residual[FD_DTYPES])(const uint8_t *bits, size_t n, double scale, const void *x, const void *bias,
                                const void *residual, void *y, size_t ahead);

    /* Adds n elements, real by real, to as many sums; `lost` belongs to the sums. */
    void (*accumulate[FD_DTYPES])(const void *x, size_t n, double *sum, double *lost);
};

/* `apply` or `affine`, by what the values ask for. */
FD_INLINE void fd_apply_values(const fd_backend *backend, fd_dtype dtype, const uint8_t *bits, size_t n,
                               const fd_values *values, const void *x, void *y, size_t ahead) {
    if (values->shift == 0 && values->dropped == 0)
        backend->apply[dtype](bits, n, values->scale, x, y, ahead);
    else
        backend->affine[dtype](bits, n, values, x, y, ahead);
}

#ifdef FD_X86
extern const fd_backend fd_avx512, fd_avx2;
#endif
#ifdef FD_NEON
extern const fd_backend fd_neon;
#endif
extern const fd_backend fd_portable;

#endif
