/* What one instruction set provides: a table of kernels, which know no threads. */
#ifndef FD_BACKEND_H
#define FD_BACKEND_H

#include "common.h"
#include "fastdrop.h"

/* The stream's geometry, fixed by its specification. */
enum { FD_LANES = 8, FD_WORD = 64, FD_GROUP = 512, FD_GROUPS = 8, FD_BLOCK = 4096, FD_BLOCK_BYTES = 512 };

enum { FD_LINE = 64 }; /* bytes of a cache line, or less */

/* Whether this processor is one on which prefetching has been measured to pay. */
int fd_prefetch_pays(void);

/* How a kernel reaches data that are beyond the cache. */
typedef struct {
    size_t prefetch; /* prefetch distance in bytes; 0: none */
    int nontemporal; /* whether results are written with non-temporal stores, where they are 16-byte aligned */
} fd_access;

/* What suits a pass over so many bytes; slow_draw: the generator's full work lies between two lines of data. */
fd_access fd_access_of(const fd_run *run, size_t bytes, int in_place, int slow_draw);

/* round_half_even(p * 2^64), for 0 <= p < 1. */
uint64_t fd_threshold(double p);

/* One word of a block, by 64 values of p: for what a kernel leaves undecided. */
uint64_t fd_exact_word(const fd_draw *draw, uint64_t block, size_t word, const double *p);

struct fd_walk; /* iterate.h */

/* What is done with the elements of one dtype. */
typedef struct {
    size_t size, reals; /* of an element: its bytes, and its real numbers */

    /* Words first, first+1, ... of a block, by 64 values of p each: drawn and applied in one pass. */
    void (*dropout_p_array)(const fd_draw *draw, uint64_t block, size_t first, size_t words, struct fd_walk *walk,
                            const void *x, void *y, uint8_t *bits);

    /* `blocks` whole blocks, drawn and applied in one pass; their bits go to `bits` unless it is NULL. */
    void (*dropout)(const fd_draw *draw, uint64_t block, size_t blocks, double scale, const void *x, void *y,
                    uint8_t *bits, fd_access access);

    /* n elements and their ceil(n/8) bytes of bits. */
    void (*apply)(const uint8_t *bits, size_t n, double scale, const void *x, void *y, fd_access access);

    /* The same with a shift, and a value for dropped elements; NULL for complex dtypes. */
    void (*affine)(const uint8_t *bits, size_t n, const fd_values *values, const void *x, void *y, fd_access access);

    /* The same with a p for each element. */
    void (*apply_p_array)(const uint8_t *bits, size_t n, const double *p, const void *x, void *y);

    /* dropout(x + bias) + residual, where bias and residual may be NULL. */
    void (*residual)(const uint8_t *bits, size_t n, double scale, const void *x, const void *bias, const void *residual,
                     void *y, fd_access access);

    /* Adds n elements, real by real, to as many sums; each sum has its compensation. */
    void (*accumulate)(const void *x, size_t n, double *sum, double *compensation);
} fd_kernels;

struct fd_backend {
    const char *name;
    int (*supported)(void);

    /* The bits of the first `groups` groups of a block: 64 bytes each. */
    void (*draw)(const fd_draw *draw, uint64_t block, int groups, uint8_t *bits);

    /* n values of an array p, -0.0 as 0, to `copy` unless that is NULL; whether all are between 0 and 1. */
    int (*copy_p)(const double *p, size_t n, double *copy);

    /* An array p: n elements of a block from in_block on, the bits of all the words they are in. */
    void (*draw_p_array)(const fd_draw *draw, uint64_t block, size_t in_block, size_t n, struct fd_walk *walk,
                         uint8_t *bits);

    const fd_kernels *of[FD_DTYPES];
};

/* `apply` or `affine`, by what the values ask for. */
FD_INLINE void fd_apply_values(const fd_backend *backend, fd_dtype dtype, const uint8_t *bits, size_t n,
                               const fd_values *values, const void *x, void *y, fd_access access) {
    if (values->shift == 0 && values->dropped == 0)
        backend->of[dtype]->apply(bits, n, values->scale, x, y, access);
    else
        backend->of[dtype]->affine(bits, n, values, x, y, access);
}

#ifdef FD_X86
/* Whether the processor has all that the kernel is compiled for, and the operating system keeps its registers. */
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
