/*
 * fastdrop: inverted dropout whose mask is a pure function of (key, stream, p, index).
 *
 * The mask is specified in csrc/README.md. Nothing here allocates, reads the environment, or knows Python; every
 * function may be called from any thread. Two words are used throughout:
 *
 *   bits   a packed mask: one bit per element, 1 = kept. Element i is bit i % 8 of byte i / 8; n elements have
 *          ceil(n/8) bytes, and the bits past n are zero. The bytes are the same on every machine.
 *   index  the logical index of an element, 0 .. 2^64-1: its place in the (possibly larger) array being masked.
 *
 * Sizes and strides are not checked: a caller passes what the comment before each prototype asks for.
 */
#ifndef FASTDROP_H
#define FASTDROP_H

#include <stddef.h>
#include <stdint.h>

/* A shared library exports only what is declared here: it is built with FD_SHARED and -fvisibility=hidden. */
#ifdef FD_SHARED
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* One implementation of the kernels for one instruction set. */
typedef struct fd_backend fd_backend;

/* The i-th backend compiled in, best first, whether or not this processor supports it; NULL past the end. */
const fd_backend *fd_backend_at(int i);

/* "portable", "avx2", "avx512" or "neon". */
const char *fd_backend_name(const fd_backend *backend);

/* Whether the processor and the operating system of this machine support the backend; "portable" always works. */
int fd_backend_supported(const fd_backend *backend);

/* Where and how to run. */
typedef struct {
    const fd_backend *backend; /* a supported one */
    int threads;               /* the largest number of threads; 1 if the library was built without OpenMP */
    size_t cache_bytes;        /* size of the last-level cache: out of place, arrays over half this size are written
                                  with non-temporal stores; SIZE_MAX: none are */
    int prefetch;              /* whether arrays over half this size are prefetched: not faster on every processor */
} fd_run;

/*
 * The best supported backend, fd_max_threads() threads, 32 MiB of cache, and prefetching on the processors where it was
 * measured to be faster (benchmarks/README.md).
 */
fd_run fd_run_default(void);

/* How many threads OpenMP would use for a parallel region that begins here; 1 without OpenMP. */
int fd_max_threads(void);

/* Whether the library was built with OpenMP. */
int fd_has_openmp(void);

/*
 * For how many more seconds some calls use one thread, because the last ones were slower with more: beside busy
 * processes, beside the threads of another library, or for rare short calls. 0 if threads are worth it. csrc/parallel.c
 * says how it is measured.
 */
double fd_threads_pause(void);

/* Whether all calls of the process use as many threads as they may, even if that is slower: for tests and benchmarks.
 */
void fd_threads_always(int always);

/* The compiler that built the library, such as "gcc 12.2.0". */
const char *fd_compiler(void);

/* The 128 bits that all masks are derived from. */
typedef struct {
    uint64_t k0, k1;
} fd_key;

/* An independent child key for the value v: a layer, a step, a rank. */
fd_key fd_fold_in(fd_key key, uint64_t v);

/* An array has at most this many axes: NumPy's limit. */
#define FD_MAX_DIMS 64

/* One axis of a pass over arrays: its extent, and the step of each operand along it (0: the same element again). */
typedef struct {
    size_t extent;
    int64_t bit; /* in bits of the packed mask, or in logical indices */
    ptrdiff_t x; /* in bytes */
    ptrdiff_t y; /* in bytes */
    ptrdiff_t p; /* in bytes, of an array p; 0 without one */
} fd_axis;

/* An array p: the probability of each element, in C order. */
typedef struct {
    const double *p;
    size_t begin; /* the first element of the call */
    int ndim;
    fd_axis axes[FD_MAX_DIMS]; /* only extent and p are used */
} fd_p_array;

/* An array p from its first value, its shape and its steps in bytes; axes are merged where possible. */
fd_p_array fd_p_array_of(const double *p, int ndim, const size_t *shape, const ptrdiff_t *step);

/*
 * Copies n probabilities, -0.0 as 0, unless copy is NULL; returns the position of the first that is not between 0 and
 * 1, or n if all are.
 */
size_t fd_p_array_copy(const fd_run *run, const double *p, size_t n, double *copy);

/* All that a mask depends on, except for the index: made once per call. */
typedef struct {
    uint64_t c0, c1;           /* the key of the call */
    uint64_t threshold;        /* T: an element is dropped iff U < T; 0 for p = 1, which has no T */
    int planes;                /* k: how many outputs of the generator give the top bits of U */
    int rounds;                /* whether the rest of U is compared with the rest of T for undecided elements */
    int all;                   /* p = 1: everything is dropped */
    const fd_p_array *p_array; /* NULL, or an array p, with one U per element: then only the key above is used */
} fd_draw;

/* The mask of (key, stream, p), where p is the probability of dropping, 0 <= p <= 1. */
fd_draw fd_draw_init(fd_key key, uint64_t stream, double p);

/* The mask of an array p; *p_array must live as long as the result. */
fd_draw fd_draw_init_array(fd_key key, uint64_t stream, const fd_p_array *p_array);

/*
 * The type of an array's elements: half, bfloat16, float, double, complex numbers of two floats and of two doubles.
 * FD_DTYPES is how many types there are.
 */
typedef enum { FD_F16, FD_BF16, FD_F32, FD_F64, FD_C64, FD_C128, FD_DTYPES } fd_dtype;

/* Bytes of one element: 2, 2, 4, 8, 8, 16. */
size_t fd_itemsize(fd_dtype dtype);

/*
 * What elements become: x * scale + shift where kept, `dropped` where dropped. The three values are first rounded to
 * the compute type (float, or double for FD_F64 and FD_C128). Plain dropout is { 1 / (1 - p), 0, 0, NULL }; for complex
 * dtypes shift and dropped must be 0. If they are 0 and the scale is 1, kept elements are copied bit for bit.
 */
typedef struct {
    double scale, shift, dropped;
    const double *p; /* if not NULL: the scale is 1 / (1 - p) of each element's own p; shift and dropped must be 0 */
} fd_values;

/*
 * Forward in one pass, for i < n: makes y[i] of x[i], depending on whether the element of index + i is kept. p = 1
 * gives +0.0 everywhere. If nothing is dropped, the scale is 1 and the shift is 0, y is a copy of x bit for bit.
 * x and y are aligned to the real type of dtype, and are the same pointer or do not overlap. bits, if not NULL,
 * receives the packed mask. An array p has n values; values->p is then NULL or draw->p_array->p. index + n <= 2^64.
 */
void fd_dropout(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n,
                const fd_values *values, const void *x, void *y, uint8_t *bits);

/*
 * Only the packed mask, of an N-dimensional part of a larger array: the element at (i0, i1, ...) < shape has the index
 * start + i0*index_stride[0] + i1*index_stride[1] + ..., and the bits are in C order of shape. ndim is at least 1, and
 * index_stride[ndim-1] is 1 if shape[ndim-1] > 1. Consecutive elements are one axis of stride 1. An array p has this
 * shape.
 */
void fd_bits(const fd_run *run, const fd_draw *draw, int ndim, const size_t *shape, const uint64_t *index_stride,
             uint64_t start, uint8_t *bits);

/*
 * Backward, and forward from stored bits: makes y of x, where an element is kept if its bit is 1. There are at most
 * FD_MAX_DIMS axes, in any order, which the function reorders in place. Steps of x and y have any sign, those of bits
 * are not negative. x and y are aligned to the real type of dtype, and are the same elements or do not overlap; y does
 * not overlap itself. The scale is finite; where a p is 1, the bits are 0.
 */
void fd_apply(const fd_run *run, fd_dtype dtype, int ndim, fd_axis *axes, const fd_values *values, const uint8_t *bits,
              const void *x, void *y);

/* How many elements of a bias are read past its period: one block. */
enum { FD_BIAS_SLACK = 4096 };

/*
 * y = dropout(x + bias) + residual in one pass over n contiguous elements, each step rounded to dtype as if it were
 * stored. index, scale and bits are as in fd_dropout; draw has no array p. bias is NULL or has period + FD_BIAS_SLACK
 * elements, which repeat with that period; bias[i % period] is added to x[i]. residual is NULL or has n elements. y is
 * x, or residual, or overlaps nothing.
 */
void fd_bias_residual(const fd_run *run, const fd_draw *draw, fd_dtype dtype, uint64_t index, size_t n, double scale,
                      const void *x, const void *bias, size_t period, const void *residual, void *y, uint8_t *bits);

/* How many partial sums fd_bias_residual_backward makes: a function of n alone, so that threads change no result. */
size_t fd_bias_parts(size_t n);

/*
 * Makes dx of dy as fd_apply does, and sums the rows of dx, as stored. All arrays are contiguous; a row has `period`
 * elements, hence `reals` = period, or 2 * period for complex dtypes, sums; n is a multiple of period. `sums` has
 * (fd_bias_parts(n) + 1) * 2 * reals doubles, which are 0 before; the first `reals` of them receive the result.
 */
void fd_bias_residual_backward(const fd_run *run, fd_dtype dtype, size_t n, size_t period, double scale,
                               const uint8_t *bits, const void *dy, void *dx, double *sums);

/*
 * Monte Carlo, for t < samples: sample t is fd_dropout of x with stream 0 of fd_fold_in(key, t) and p, and begins t * n
 * elements after y. x is read once. x and y do not overlap. index + n <= 2^64.
 */
void fd_samples(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t samples,
                const void *x, void *y);

/* A part of fd_samples: samples first .. first + samples - 1, to y, y + stride elements, and so on. */
void fd_samples_part(const fd_run *run, fd_key key, double p, fd_dtype dtype, uint64_t index, size_t n, size_t first,
                     size_t samples, size_t stride, const void *x, void *y);

/*
 * Some rows and columns of a matrix `whole`, to be held in a smaller matrix `packed`, in C order: its element (i, j) is
 * the element (row[i], column[j]) of whole. No index occurs twice. The strides have any sign; it is faster if
 * column_stride is the smaller.
 */
typedef struct {
    size_t rows, columns;
    const ptrdiff_t *row, *column;
    ptrdiff_t row_stride, column_stride; /* of whole, in bytes */
} fd_part;

/* packed = the part of whole. Here and below dtype is FD_F32 or FD_F64; both are aligned to it and do not overlap. */
void fd_gather(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *whole, void *packed);

/* The part of whole = packed; nothing else in whole is written. */
void fd_scatter(const fd_run *run, fd_dtype dtype, const fd_part *part, const void *packed, void *whole);

/* The part of whole -= rate * packed; rate, product and difference are each rounded to dtype. Nothing else changes. */
void fd_sgd_step(const fd_run *run, fd_dtype dtype, const fd_part *part, double rate, const void *packed, void *whole);

#ifdef __cplusplus
}
#endif

#ifdef FD_SHARED
#pragma GCC visibility pop
#endif

#endif
