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

/* All that a shared library exports: it is built with FD_SHARED, and else hidden visibility. */
#ifdef FD_SHARED
#pragma GCC visibility push(default)
#endif

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
    size_t cache_bytes;        /* of the last level: out of place, arrays over half this size are written with
                                  non-temporal stores; SIZE_MAX: none are */
    int prefetch;              /* whether arrays over half of it are prefetched: it depends on the processor */
} fd_run;

/*
 * The best supported backend, as many threads as OpenMP offers here, 32 MiB of cache; prefetching where it has been
 * measured to pay on this processor (benchmarks/README.md).
 */
fd_run fd_run_default(void);

/* The number of threads that OpenMP would use for a parallel region begun here; 1 without OpenMP. */
int fd_max_threads(void);

/* Whether the library was built with OpenMP. */
int fd_has_openmp(void);

/*
 * Calls take fewer threads than they may where a team costs more than it saves: beside busy processes, beside another
 * library's threads, for short calls that come now and then. For how many seconds yet some calls take one thread
 * because the last ones in a team lost time; 0 where threads pay. csrc/parallel.c says how it is measured.
 */
double fd_threads_pause(void);

/* Whether all calls of the process take as many threads as they may, paying or not: for tests and benchmarks. */
void fd_threads_always(int always);

/* The compiler that built the library, as "gcc 12.2.0". */
const char *fd_compiler(void);

/* 128 bits from which every mask follows. */
typedef struct {
    uint64_t k0, k1;
} fd_key;

/* An independent child key for the value v: a layer, a step, a rank. */
fd_key fd_fold_in(fd_key key, uint64_t v);

/* The most axes of an array: NumPy's limit. */
#define FD_MAX_DIMS 64

/* One axis of a pass over arrays: its extent, and the step of each operand along it (0 repeats). */
typedef struct {
    size_t extent;
    int64_t bit; /* in bits, or of the logical index */
    ptrdiff_t x; /* in bytes */
    ptrdiff_t y; /* in bytes */
    ptrdiff_t p; /* in bytes, of an array p; 0 where there is none */
} fd_axis;

/* An array p: the probability of each element, in C order. */
typedef struct {
    const double *p;
    size_t begin; /* the element that the call begins with */
    int ndim;
    fd_axis axes[FD_MAX_DIMS]; /* of which only extent and p count */
} fd_p_array;

/* An array p from its first value, its shape and its steps, in as few axes as it can be walked by. */
fd_p_array fd_p_array_of(const double *p, int ndim, const size_t *shape, const ptrdiff_t *step);

/*
 * Copies n probabilities, -0.0 as 0, unless copy is NULL; returns the place of the first that is not between 0 and 1,
 * or n.
 */
size_t fd_p_array_copy(const fd_run *run, const double *p, size_t n, double *copy);

/* All that a mask depends on but the index: made once a call. */
typedef struct {
    uint64_t c0, c1;           /* the key of the call */
    uint64_t threshold;        /* T: an element is dropped iff U < T; 0 for p = 1, which has none */
    int planes;                /* k: how many outputs give the top bits of U */
    int rounds;                /* whether undecided elements compare the rest of U with the rest of T */
    int all;                   /* p = 1: everything is dropped */
    const fd_p_array *p_array; /* an array p, one U an element: nothing above but the key counts; else NULL */
} fd_draw;

/* The mask of (key, stream, p), 0 <= p <= 1 the probability of dropping. */
fd_draw fd_draw_init(fd_key key, uint64_t stream, double p);

/* The same of an array p, which is kept by reference. */
fd_draw fd_draw_init_array(fd_key key, uint64_t stream, const fd_p_array *p_array);

typedef enum { FD_F16, FD_BF16, FD_F32, FD_F64, FD_C64, FD_C128, FD_DTYPES } fd_dtype;

/* Bytes of one element: 2, 2, 4, 8, 8, 16. */
size_t fd_itemsize(fd_dtype dtype);

/*
 * What elements become: x * scale + shift where kept, `dropped` where dropped, each rounded once to the compute type
 * (float, or double for FD_F64 and FD_C128) before it is used. Plain dropout is { 1 / (1 - p), 0, 0, NULL }; complex
 * types know no other shift and dropped than 0. A scale of 1 leaves every bit of what is kept where shift and dropped
 * are 0.
 */
typedef struct {
    double scale, shift, dropped;
    const double *p; /* not NULL: the scale is 1 / (1 - p) of each element's own p, and shift and dropped are 0 */
} fd_values;

/*
 * Forward in one pass: y[i] of x[i], by whether element index + i is kept, for i < n; p = 1 is +0.0 everywhere, and
 * where nothing is dropped a scale of 1 with a shift of 0 leaves every bit.
 * x and y are aligned to the real type of dtype, and either the same pointer or n elements apart from one another.
 * bits, if not NULL, gets the packed mask. An array p has n values; values->p is then NULL or the draw's. index + n <=
 * 2^64.
 */
void fd_dropout(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n,
                const fd_values *values, const void *x, void *y, uint8_t *bits);

/*
 * The packed mask alone, of an N-dimensional part of a larger array: the element at (i0, i1, ...) < shape has the
 * index start + i0*index_stride[0] + i1*index_stride[1] + ..., and the bits are in C order of shape. 1 <= ndim,
 * index_stride[ndim-1] is 1 wherever shape[ndim-1] > 1. A run of consecutive elements is { ndim 1, stride 1 }. An array
 * p is of that shape.
 */
void fd_bits(const fd_run *run, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *index_stride,
             uint64_t start, uint8_t *bits);

/*
 * Backward, and forward from stored bits: y of x, kept where the bit is 1, over ndim <= FD_MAX_DIMS axes in any order
 * and of any sign; the steps of the bits are not negative. The axes are reordered in place. x and y: both aligned to
 * the real type of dtype, and either the same elements or apart; y does not overlap itself. The scale is finite, and
 * where a p is 1, bits are 0.
 */
void fd_apply(const fd_run *run, fd_dtype dtype, int ndim, fd_axis *axes, const fd_values *values, const uint8_t *bits,
              const void *x, void *y);

/* How many elements past its period a bias is read: one block. */
enum { FD_BIAS_SLACK = 4096 };

/*
 * y = dropout(x + bias) + residual in one pass over n contiguous elements, each step rounded to dtype as if it were
 * stored; index, scale and bits as in fd_dropout, but for an array p, which draw has not. bias is NULL, or element i
 * adds bias[i % period], and all period + FD_BIAS_SLACK elements of it repeat with that period. residual is NULL or n
 * elements. y is x, residual, or apart from all.
 */
void fd_bias_residual(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n, double scale,
                      const void *x, const void *bias, size_t period, const void *residual, void *y, uint8_t *bits);

/* How many partial sums fd_bias_residual_backward makes of n elements: by n alone, so that threads change nothing. */
size_t fd_bias_parts(size_t n);

/*
 * dx of dy as by fd_apply, all contiguous, and the sums of dx, as stored, over its rows of `period` elements, real by
 * real. sums: fd_bias_parts(n) + 1 times 2 * reals doubles, zeroed; the first `reals` get the result. n is a multiple
 * of period.
 */
void fd_bias_residual_backward(const fd_run *run, fd_dtype dtype, size_t n, size_t period, double scale,
                               const uint8_t *bits, const void *dy, void *dx, double *sums);

/*
 * Monte Carlo: sample t, of n elements from y + t * n * itemsize on, is fd_dropout of x by stream 0 of
 * fd_fold_in(key, t) at p, for t < samples; x is read once. x and y are apart. index + n <= 2^64.
 */
void fd_samples(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t samples,
                const void *x, void *y);

/* A part of that: samples first .. first + samples - 1, each `stride` elements after the one before, y the first. */
void fd_samples_part(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t first,
                     size_t samples, size_t stride, const void *x, void *y);

/*
 * A packed matrix, in C order, that holds some rows and columns of a larger one: its element (i, j) is the element
 * (row[i], column[j]) of the larger. No index comes twice. Steps of any sign; of the two, that of the columns is better
 * the smaller.
 */
typedef struct {
    size_t rows, columns;
    const ptrdiff_t *row, *column;
    ptrdiff_t row_stride, column_stride; /* of the larger one, in bytes */
} fd_part;

/* packed = the part of whole. Here and below dtype is FD_F32 or FD_F64, both are aligned to it, and apart. */
void fd_gather(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *whole, void *packed);

/* The part of whole = packed; nothing else of whole is written. */
void fd_scatter(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *packed, void *whole);

/* The part of whole -= rate * packed, with rate, product and difference each rounded to dtype; nothing else. */
void fd_sgd_step(const fd_run *run, fd_dtype dtype, const fd_part *part, double rate, const void *packed, void *whole);

#ifdef __cplusplus
}
#endif

#ifdef FD_SHARED
#pragma GCC visibility pop
#endif

#endif
