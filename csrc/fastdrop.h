/*
 * fastdrop: inverted dropout whose mask is a pure function of (key, stream, p, index).
 *
 * The mask is specified in csrc/README.md. Nothing here allocates, reads the environment, or knows Python; every
 * function may be called from any thread. Two words are used throughout:
 *
 *   bits   a packed mask: one bit an element, 1 = kept, element i is bit i % 8 of byte i / 8, ceil(n/8) bytes,
 *          the bits past n are zero. The same bytes on every machine.
 *   index  the logical index of an element, 0 .. 2^64-1: its place in the (possibly larger) array being masked.
 *
 * Sizes and strides are checked by nobody: a caller passes what the prose before each prototype asks for.
 */
#ifndef FASTDROP_H
#define FASTDROP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One implementation of the kernels for one instruction set. */
typedef struct fd_backend fd_backend;

/* The i-th backend compiled in, best first, whether or not this processor runs it; NULL past the end. */
const fd_backend *fd_backend_at(int i);

/* "portable", "avx2", "avx512" or "neon". */
const char *fd_backend_name(const fd_backend *backend);

/* Whether the processor and the operating system of this machine run the backend. Portable always runs. */
int fd_backend_supported(const fd_backend *backend);

/* Where and how to run. */
typedef struct {
    const fd_backend *backend; /* a supported one */
    int threads;               /* at most so many threads; 1 where the library was built without OpenMP */
    size_t cache_bytes;        /* of the last level: larger arrays than half of it are fetched ahead, and stored around
                                  the cache where that is not in place; SIZE_MAX: never */
} fd_run;

/* The best supported backend, as many threads as OpenMP offers here, 32 MiB of cache. */
fd_run fd_run_default(void);

/* The number of threads that OpenMP would use for a parallel region begun here; 1 without OpenMP. */
int fd_max_threads(void);

/* Whether the library was built with OpenMP. */
int fd_has_openmp(void);

/* The compiler that built the library, as "gcc 12.2.0". */
const char *fd_compiler(void);

/* 128 bits from which every mask follows. */
typedef struct {
    uint64_t k0, k1;
} fd_key;

/* An independent child key for the value v: a layer, a step, a rank. */
fd_key fd_fold_in(fd_key key, uint64_t v);

/* All that a mask depends on but the index: made once a call. */
typedef struct {
    uint64_t c0, c1;    /* the key of the call */
    uint64_t threshold; /* T: an element is dropped iff U < T; 0 for p = 1, which has none */
    int planes;         /* k: how many outputs give the top bits of U */
    int rounds;         /* whether undecided elements compare the rest of U with the rest of T */
    int all;            /* p = 1: everything is dropped */
} fd_draw;

/* The mask of (key, stream, p), 0 <= p <= 1 the probability of dropping. */
fd_draw fd_draw_init(fd_key key, uint64_t stream, double p);

typedef enum { FD_F16, FD_BF16, FD_F32, FD_F64, FD_C64, FD_C128, FD_DTYPES } fd_dtype;

/* Bytes of one element: 2, 2, 4, 8, 8, 16. */
size_t fd_itemsize(fd_dtype dtype);

/*
 * Forward in one pass: y[i] = x[i] * scale where element index + i is kept, +0.0 where it is dropped, for i < n.
 * scale is rounded once to the compute type (float, or double for FD_F64 and FD_C128); p = 0 copies every bit.
 * x and y are aligned to the real type of dtype, and either the same pointer or n elements apart from one another.
 * bits, if not NULL, gets the packed mask. index + n <= 2^64.
 */
void fd_dropout(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n, double scale,
                const void *x, void *y, uint8_t *bits);

/*
 * The packed mask alone, of an N-dimensional part of a larger array: the element at (i0, i1, ...) < shape has the
 * index start + i0*index_stride[0] + i1*index_stride[1] + ..., and the bits are in C order of shape. 1 <= ndim,
 * index_stride[ndim-1] is 1 wherever shape[ndim-1] > 1. A run of consecutive elements is { ndim 1, stride 1 }.
 */
void fd_bits(const fd_run *run, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *index_stride,
             uint64_t start, uint8_t *bits);

/* The most axes that fd_apply takes: NumPy's limit. */
#define FD_MAX_DIMS 64

/* One axis of an elementwise pass: its extent, and the step of each operand along it (0 repeats). */
typedef struct {
    size_t extent;
    ptrdiff_t bit; /* in bits */
    ptrdiff_t x;   /* in bytes */
    ptrdiff_t y;   /* in bytes */
} fd_axis;

/*
 * Backward, and forward from stored bits: y = x * scale where the bit is 1, +0.0 where it is 0, over ndim <=
 * FD_MAX_DIMS axes in any order and of any sign; the steps of the bits are not negative. The axes are reordered in
 * place. x and y: both aligned to the real type of dtype, and either the same elements or apart; y does not overlap
 * itself.
 */
void fd_apply(const fd_run *run, fd_dtype dtype, int ndim, fd_axis *axes, double scale, const uint8_t *bits,
              const void *x, void *y);

#ifdef __cplusplus
}
#endif

#endif
