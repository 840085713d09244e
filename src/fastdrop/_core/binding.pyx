"""The only module that calls the C core: turns arrays into pointers and counts, and releases the GIL."""

import os
from contextlib import contextmanager

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.string cimport memcpy

from .c_fastdrop cimport (
    FD_BIAS_SLACK, fd_apply, fd_axis, fd_backend_at, fd_backend_name, fd_backend_supported, fd_bias_parts,
    fd_bias_residual, fd_bias_residual_backward, fd_bits, fd_compiler, fd_draw, fd_draw_init, fd_draw_init_array,
    fd_dropout, fd_fold_in, fd_gather, fd_has_openmp, fd_itemsize, fd_max_threads, fd_p_array, fd_p_array_copy,
    fd_p_array_of, fd_part, fd_run, fd_run_default, fd_samples_part, fd_scatter, fd_sgd_step,
    fd_threads_always, fd_threads_pause)
from .arguments cimport is_real, with_axis

from .arguments import natural
from .cpus import default_threads
from .._public import public

cnp.import_array()

# From this many elements on the GIL is released; less work is done before another thread could take it.
cdef size_t RELEASE = 1 << 14

# A long pass is cut into parts of some tens of milliseconds, between which signals are handled. A part of a mask
# without data has this many elements. A part with data is four times the cache: large enough to be prefetched.
cdef size_t BITS_PART = 1 << 27
cdef size_t BLOCK = 4096
cdef int MOST_THREADS = 1 << 16

cdef extern from *:
    """
    static _Thread_local int own_threads; /* the number of num_threads, in a thread that runs its block; else 0 */
    """
    int own_threads

cdef fd_run settings = fd_run_default()
cdef int threads, threads_at_import = fd_max_threads()


cdef fd_run current() noexcept:
    """Return the settings of one call. If OpenMP's own limit has been lowered since the import, threads keep to it."""
    cdef fd_run run = settings
    cdef int limit = fd_max_threads()
    run.threads = own_threads if own_threads > 0 else threads
    if not fd_has_openmp() or (limit < threads_at_import and limit < run.threads):
        run.threads = limit
    return run


include "settings.pxi"


cdef size_t part_of(fd_dtype dtype, size_t rows) noexcept:
    """Return how many elements of each of `rows` samples a part of a long pass has: whole blocks."""
    return max(4 * settings.cache_bytes // fd_itemsize(dtype) // rows // BLOCK, 2 * <size_t> threads) * BLOCK


cdef fd_key fold_in(fd_key key, uint64_t v) noexcept:
    return fd_fold_in(key, v)


cdef tuple call_key(fd_key key, uint64_t stream):
    """Return the key of one call, (c0, c1)."""
    cdef fd_draw draw = fd_draw_init(key, stream, 0)
    return draw.c0, draw.c1


cdef object array_p(object p, bint keep=True):
    """Return p as a read-only array of doubles in [0, 1], or None if it is a number.

    keep: it is copied, since it must outlive the call, or `out` might overwrite it.
    """
    given = with_axis(p, "p")
    if given is None:
        return None
    if not is_real(given):
        raise TypeError(f"p must be real numbers, got {given.dtype}")
    cdef cnp.ndarray source = cnp.PyArray_FROMANY(  # not numpy.ascontiguousarray, which leaves it misaligned
        given, cnp.NPY_DOUBLE, 0, 0, cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST)
    cdef cnp.ndarray checked = np.empty((<object> source).shape) if keep else source
    cdef fd_run run = current()
    cdef size_t wrong, n = cnp.PyArray_SIZE(source)
    cdef const double *values = <const double *> cnp.PyArray_DATA(source)
    cdef double *copy = <double *> cnp.PyArray_DATA(checked) if keep else NULL
    if n < RELEASE:
        wrong = fd_p_array_copy(&run, values, n, copy)
    else:
        with nogil:
            wrong = fd_p_array_copy(&run, values, n, copy)
    if wrong < n:
        raise ValueError(f"p must be between 0 and 1, got {given.flat[wrong]}")
    if keep:
        checked.setflags(write=False)
    return checked


cdef fd_draw draw_of_array(fd_key key, uint64_t stream, cnp.ndarray p, int ndim, size_t *shape,
                           fd_p_array *p_array) noexcept:
    """Make the draw of an array p, broadcast to a shape. It points to p and *p_array, which is filled in."""
    cdef ptrdiff_t step[64]
    cdef int d, missing = ndim - cnp.PyArray_NDIM(p)
    for d in range(ndim):
        step[d] = 0 if d < missing or cnp.PyArray_DIM(p, d - missing) == 1 else cnp.PyArray_STRIDE(p, d - missing)
    p_array[0] = fd_p_array_of(<const double *> cnp.PyArray_DATA(p), ndim, shape, step)
    return fd_draw_init_array(key, stream, p_array)


cdef fd_draw part_draw(const fd_draw *draw, fd_p_array *p_array, size_t at) noexcept:
    """Make the draw of the part that begins at element `at`; *p_array is filled in if there is an array p."""
    cdef fd_draw part = draw[0]
    if draw.p_array != NULL:
        p_array[0] = draw.p_array[0]
        p_array.begin += at
        part.p_array = p_array
    return part


cdef int dropout_contiguous(fd_key key, uint64_t stream, double p, cnp.ndarray p_array, fd_dtype dtype, uint64_t index,
                            const fd_values *values, cnp.ndarray x, cnp.ndarray y, uint8_t *bits) except -1:
    """Draw and apply in one pass; x and y are C-contiguous, bits may be NULL."""
    cdef fd_run run = current()
    cdef size_t n = cnp.PyArray_SIZE(x), at = 0, count, part, size = fd_itemsize(dtype)
    cdef const uint8_t *source = <const uint8_t *> cnp.PyArray_DATA(x)
    cdef uint8_t *target = <uint8_t *> cnp.PyArray_DATA(y)
    cdef fd_draw draw, piece
    cdef fd_p_array whole, rest
    if p_array is None:
        draw = fd_draw_init(key, stream, p)
    else:
        draw = draw_of_array(key, stream, p_array, cnp.PyArray_NDIM(x), <size_t *> cnp.PyArray_DIMS(x), &whole)
    if n < RELEASE:
        fd_dropout(&run, &draw, dtype, index, n, values, source, target, bits)
        return 0
    part = part_of(dtype, 1)
    while at < n:
        count = min(part, n - at)
        piece = part_draw(&draw, &rest, at)
        with nogil:
            fd_dropout(&run, &piece, dtype, index + at, count, values, source + at * size, target + at * size,
                       NULL if bits == NULL else bits + at // 8)
        at += count
        if at < n:
            PyErr_CheckSignals()
    return 0


cdef int draw_bits(fd_key key, uint64_t stream, double p, cnp.ndarray p_array, tuple noise, tuple strides,
                   uint64_t start, uint8_t *bits) except -1:
    """Draw the bits of the noise shape, in its C order; strides None: the indices are consecutive."""
    cdef fd_run run = current()
    cdef size_t shape[64]
    cdef uint64_t index_stride[64]
    cdef size_t n = 1, at = 0, row, rows, part
    cdef int d, ndim = len(noise)
    cdef fd_draw draw, piece
    cdef fd_p_array whole, rest
    for d in range(ndim):
        shape[d] = noise[d]
        n *= shape[d]
        if strides is not None:
            index_stride[d] = strides[d]
    if p_array is None:
        draw = fd_draw_init(key, stream, p)
    else:
        draw = draw_of_array(key, stream, p_array, ndim, shape, &whole)
    if strides is None or n == 0:
        ndim, shape[0], index_stride[0] = 1, n, 1
    if n < RELEASE:
        fd_bits(&run, &draw, ndim, shape, index_stride, start, bits)
        return 0
    rows, row = shape[0], n // shape[0]
    part = max(BITS_PART // row // 8, 1) * 8  # in rows; a multiple of 8, so that its bits begin with a whole byte
    while at < rows:
        shape[0] = min(part, rows - at)
        piece = part_draw(&draw, &rest, at * row)
        with nogil:
            fd_bits(&run, &piece, ndim, shape, index_stride, start + at * index_stride[0], bits + at * row // 8)
        at += shape[0]
        if at < rows:
            PyErr_CheckSignals()
    return 0


cdef int apply_bits(const uint8_t *bits, tuple noise, fd_dtype dtype, const fd_values *values, cnp.ndarray p,
                    cnp.ndarray x, cnp.ndarray y) except -1:
    """Apply bits of the noise shape (None: x's shape) to x and y of any layout; an array p has x's shape."""
    cdef fd_run run = current()
    cdef fd_axis axes[64]
    cdef fd_axis piece[64]
    cdef fd_values own = values[0]
    cdef ptrdiff_t step = 1
    cdef int d, longest = 0, ndim = cnp.PyArray_NDIM(x)
    cdef size_t extent, n = cnp.PyArray_SIZE(x), at = 0, part
    for d in reversed(range(ndim)):
        extent = cnp.PyArray_DIM(x, d) if noise is None else noise[d]
        axes[d].extent = cnp.PyArray_DIM(x, d)
        axes[d].bit = 0 if extent == 1 else step
        axes[d].x = cnp.PyArray_STRIDE(x, d)
        axes[d].y = cnp.PyArray_STRIDE(y, d)
        axes[d].p = 0 if p is None else cnp.PyArray_STRIDE(p, d)
        step *= <ptrdiff_t> extent
        if axes[d].extent >= axes[longest].extent:
            longest = d
    cdef const uint8_t *source = <const uint8_t *> cnp.PyArray_DATA(x)
    cdef uint8_t *target = <uint8_t *> cnp.PyArray_DATA(y)
    if n < RELEASE:
        fd_apply(&run, dtype, ndim, axes, values, bits, source, target)
        return 0
    cdef fd_axis along = axes[longest]
    part = max(part_of(dtype, 1) // (n // along.extent) // 8, 1) * 8  # so that its bits begin with a whole byte
    while at < along.extent:
        memcpy(piece, axes, sizeof(axes))
        piece[longest].extent = min(part, along.extent - at)
        if values.p != NULL:
            own.p = <const double *> (<const uint8_t *> values.p + <ptrdiff_t> at * along.p)
        with nogil:
            fd_apply(&run, dtype, ndim, piece, &own, bits + <ptrdiff_t> at * along.bit // 8,
                     source + <ptrdiff_t> at * along.x, target + <ptrdiff_t> at * along.y)
        at += part
        if at < along.extent:
            PyErr_CheckSignals()
    return 0


cdef int bias_residual(fd_key key, uint64_t stream, double p, fd_dtype dtype, uint64_t index, double scale,
                       cnp.ndarray x, cnp.ndarray bias, cnp.ndarray residual, cnp.ndarray y, uint8_t *bits) except -1:
    """Run fd_bias_residual. All arrays are C-contiguous; bias and residual may be None, bits may be NULL."""
    cdef fd_run run = current()
    cdef fd_draw draw = fd_draw_init(key, stream, p)
    cdef size_t n = cnp.PyArray_SIZE(x), period = 1 if bias is None else cnp.PyArray_SIZE(bias) - FD_BIAS_SLACK
    cdef size_t size = fd_itemsize(dtype), at = 0, count
    # The least common multiple of period and BLOCK, without Python ints: this must not fail, as a stream was taken.
    cdef size_t whole = period // min(period & (0 - period), BLOCK) * BLOCK
    cdef size_t part = max(part_of(dtype, 1) // whole, 1) * whole
    cdef const uint8_t *source = <const uint8_t *> cnp.PyArray_DATA(x)
    cdef const void *added = NULL if bias is None else cnp.PyArray_DATA(bias)
    cdef uint8_t *skipped = NULL if residual is None else <uint8_t *> cnp.PyArray_DATA(residual)
    cdef uint8_t *target = <uint8_t *> cnp.PyArray_DATA(y)
    if n < RELEASE:
        fd_bias_residual(&run, &draw, dtype, index, n, scale, source, added, period, skipped, target, bits)
        return 0
    while at < n:
        count = min(part, n - at)
        with nogil:
            fd_bias_residual(&run, &draw, dtype, index + at, count, scale, source + at * size, added, period,
                             NULL if skipped == NULL else skipped + at * size, target + at * size,
                             NULL if bits == NULL else bits + at // 8)
        at += count
        if at < n:
            PyErr_CheckSignals()
    return 0


cdef cnp.ndarray bias_residual_backward(fd_dtype dtype, double scale, const uint8_t *bits, cnp.ndarray dy,
                                        cnp.ndarray dx):
    """Fill dx; return the sum of its rows, real by real, as doubles. Both are C-contiguous and not empty."""
    cdef fd_run run = current()
    cdef size_t n = cnp.PyArray_SIZE(dy), period = cnp.PyArray_DIM(dy, cnp.PyArray_NDIM(dy) - 1)
    reals = period * (2 if cnp.PyArray_ISCOMPLEX(dy) else 1)
    cdef cnp.ndarray sums = np.zeros((fd_bias_parts(n) + 1, 2, reals))
    cdef const void *source = cnp.PyArray_DATA(dy)
    cdef void *target = cnp.PyArray_DATA(dx)
    cdef double *into = <double *> cnp.PyArray_DATA(sums)
    with nogil:
        fd_bias_residual_backward(&run, dtype, n, period, scale, bits, source, target, into)
    return sums[0, 0]


cdef int draw_samples(fd_key key, double p, fd_dtype dtype, uint64_t index, size_t samples, cnp.ndarray x,
                      cnp.ndarray y) except -1:
    """Run fd_samples in parts. Both are C-contiguous; axis 0 of y counts the samples."""
    cdef fd_run run = current()
    cdef size_t n = cnp.PyArray_SIZE(x), size = fd_itemsize(dtype), at = 0, first, count, some
    cdef size_t rows = min(samples, max(part_of(dtype, 1) // min(n + 1, 2 * threads * BLOCK), 1))  # samples in a part
    cdef size_t part = part_of(dtype, rows)
    cdef const uint8_t *source = <const uint8_t *> cnp.PyArray_DATA(x)
    cdef uint8_t *target = <uint8_t *> cnp.PyArray_DATA(y)
    while at < n:
        count, first = min(part, n - at), 0
        while first < samples:
            some = min(rows, samples - first)
            with nogil:
                fd_samples_part(&run, key, p, dtype, index + at, count, first, some, n, source + at * size,
                                target + (first * n + at) * size)
            first += some
            if first < samples or at + count < n:
                PyErr_CheckSignals()
        at += count
    return 0


cdef void gather_part(fd_dtype dtype, const fd_part *part, cnp.ndarray whole, cnp.ndarray packed) noexcept:
    cdef fd_run run = current()
    cdef const void *source = cnp.PyArray_DATA(whole)
    cdef void *target = cnp.PyArray_DATA(packed)
    with nogil:
        fd_gather(&run, dtype, part, source, target)


cdef void change_part(fd_dtype dtype, const fd_part *part, const double *rate, cnp.ndarray packed,
                      cnp.ndarray whole) noexcept:
    """Run fd_sgd_step, or fd_scatter if rate is NULL."""
    cdef fd_run run = current()
    cdef const void *source = cnp.PyArray_DATA(packed)
    cdef void *target = cnp.PyArray_DATA(whole)
    with nogil:
        if rate != NULL:
            fd_sgd_step(&run, dtype, part, rate[0], source, target)
        else:
            fd_scatter(&run, dtype, part, source, target)
