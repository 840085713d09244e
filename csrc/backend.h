/* What one instruction set provides: a table of kernels, which know no threads. */
#ifndef FD_BACKEND_H
#define FD_BACKEND_H

#include "common.h"
#include "fastdrop.h"

/* The stream's geometry, fixed by its specification. */
enum { FD_LANES = 8, FD_WORD = 64, FD_GROUP = 512, FD_GROUPS = 8, FD_BLOCK = 4096, FD_BLOCK_BYTES = 512 };

enum { FD_LINE = 64 }; /* a cache line has at least this many bytes */

/* Whether prefetching was measured to be faster on processors like this one. */
int fd_prefetch_pays(void);

/* How a kernel reads and writes arrays that are larger than the cache. */
typedef struct {
    size_t prefetch; /* prefetch distance in bytes; 0: none */
    int nontemporal; /* whether results are written with non-temporal stores, where they are 16-byte aligned */
} fd_access;

/*
 * What suits a pass over `bytes` bytes. slow_draw: the bits need all planes and rounds, so that drawing takes longer
 * than loading a cache line.
 */
fd_access fd_access_of(const fd_run *run, size_t bytes, int in_place, int slow_draw);

/* round_half_even(p * 2^64), for 0 <= p < 1. */
uint64_t fd_threshold(double p);

/* The 64 bits of one word of a block, from 64 values of p: exact where a kernel's short comparison is not. */
uint64_t fd_exact_word(const fd_draw *draw, uint64_t block, size_t word, const double *p);

struct fd_walk; /* iterate.h */

/* What is done with the elements of one dtype. */
typedef struct {
    size_t size, reals; /* of an element: its bytes, and its real numbers */

    /* With an array p: words first, first+1, ... of a block, drawn and applied in one pass. */
    void (*dropout_p_array)(const fd_draw *draw, uint64_t block, size_t first, size_t words, struct fd_walk *walk,
                            const void *x, void *y, uint8_t *bits);

    /* `blocks` whole blocks, drawn and applied in one pass; their bits go to `bits` unless it is NULL. */
    void (*dropout)(const fd_draw *draw, uint64_t block, size_t blocks, double scale, const void *x, void *y,
                    uint8_t *bits, fd_access access);

    /* y = x * scale where the bit is 1, else +0.0, of n elements; there are ceil(n/8) bytes of bits. */
    void (*apply)(const uint8_t *bits, size_t n, double scale, const void *x, void *y, fd_access access);

    /* y = x * scale + shift where the bit is 1, else `dropped`; NULL for complex dtypes. */
    void (*affine)(const uint8_t *bits, size_t n, const fd_values *values, const void *x, void *y, fd_access access);

    /* As apply, with the scale 1 / (1 - p) of each element's own p. */
    void (*apply_p_array)(const uint8_t *bits, size_t n, const double *p, const void *x, void *y);

    /* dropout(x + bias) + residual, where bias and residual may be NULL. */
    void (*residual)(const uint8_t *bits, size_t n, double scale, const void *x, const void *bias, const void *residual,
                     void *y, fd_access access);

    /* Adds n elements, real by real, to one sum each; each sum has its own compensation (Kahan's summation). */
    void (*accumulate)(const void *x, size_t n, double *sum, double *compensation);
} fd_kernels;

struct fd_backend {
    const char *name;
    int (*supported)(void);

    /* The bits of the first `groups` groups of a block: 64 bytes each. */
    void (*draw)(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits);

    /* Returns whether n values of an array p are all between 0 and 1; copies them unless copy is NULL, -0.0 as 0. */
    int (*copy_p)(const double *p, size_t n, double *copy);

    /* With an array p: the bits of all words that contain the n elements of a block from in_block on. */
    void (*draw_p_array)(const fd_draw *draw, uint64_t block, size_t in_block, size_t n, struct fd_walk *walk,
                         uint8_t *bits);

    /* Squares of `size` rows of bits, a power of two, rows become columns: of the first `used` words of each row. */
    void (*turn)(uint64_t (*words)[FD_LANES], int size, int used);

    /* The first bit of each of n rows, the second of each, and so on: 8 * n bytes for each word of a row, in order.
     * Those of eight words may be written, even if fewer are used, and all rows. */
    void (*interleave)(uint64_t (*words)[FD_LANES], int n, int used, uint8_t *bits);

    const fd_kernels *of[FD_DTYPES];
};

/* Calls `apply` where shift and dropped are 0, else `affine`. */
FD_INLINE void fd_apply_values(const fd_backend *backend, fd_dtype dtype, const uint8_t *bits, size_t n,
                               const fd_values *values, const void *x, void *y, fd_access access) {
    if (values->shift == 0 && values->dropped == 0)
        backend->of[dtype]->apply(bits, n, values->scale, x, y, access);
    else
        backend->of[dtype]->affine(bits, n, values, x, y, access);
}

#ifdef FD_X86
/* Whether the processor has the instructions that the kernel uses, and the operating system saves its registers. */
typedef enum { FD_AVX2, FD_AVX512 } fd_isa;
int fd_runs(fd_isa isa);

extern const fd_backend fd_avx512, fd_avx2;
#endif
#ifdef FD_NEON
extern const fd_backend fd_neon;
#endif
extern const fd_backend fd_portable;

FD_INLINE size_t itemsize(fd_dtype dtype) { return fd_portable.of[dtype]->size; }

#endif
