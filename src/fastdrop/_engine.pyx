"""The only module that calls the kernels: arrays become pointers and counts here, and the GIL is let go."""

import os

import numpy as np

cimport numpy as cnp

from .c_fastdrop cimport (
    FD_BIAS_SLACK, fd_apply, fd_axis, fd_backend_at, fd_backend_name, fd_backend_supported, fd_bias_parts,
    fd_bias_residual, fd_bias_residual_backward, fd_bits, fd_compiler, fd_descend, fd_draw_each, fd_draw_init,
    fd_dropout, fd_fold_in, fd_gather, fd_has_openmp, fd_max_threads, fd_part, fd_rates_copy, fd_rates_of, fd_run,
    fd_run_default, fd_samples, fd_scatter)
from ._checks cimport is_real, refuse_masked

from ._checks import natural
from ._threads import default_threads

cnp.import_array()

# Work on fewer elements is over before another thread could have taken the GIL.
cdef size_t RELEASE = 1 << 14

cdef fd_run settings = fd_run_default()
cdef int threads, threads_at_import = fd_max_threads()


cdef fd_run current() noexcept:
    """The settings of one call: OpenMP's own limit caps them where it has been lowered since the import."""
    cdef fd_run run = settings
    cdef int limit = fd_max_threads()
    if not fd_has_openmp() or (limit < threads_at_import and limit < threads):
        run.threads = limit
    else:
        run.threads = threads
    return run


cdef fd_key fold_in(fd_key key, uint64_t v) noexcept:
    return fd_fold_in(key, v)


cdef tuple call_key(fd_key key, uint64_t stream):
    """The key of one call, (c0, c1)."""
    cdef fd_draw draw = fd_draw_init(key, stream, 0)
    return draw.c0, draw.c1


cdef fd_draw make_draw(fd_key key, uint64_t stream, double p) noexcept:
    return fd_draw_init(key, stream, p)


cdef fd_draw make_draw_each(fd_key key, uint64_t stream, const fd_rates *rates) noexcept:
    return fd_draw_each(key, stream, rates)


cdef object array_p(object p, bint keep=True):
    """p as a read-only array of doubles in [0, 1], or None where it is a number.

    keep: it is a copy, which outlives the call.
    """
    if not isinstance(p, (np.ndarray, list, tuple)) or (isinstance(p, np.ndarray) and p.ndim == 0):
        return None
    refuse_masked(p, "p")
    given = np.asarray(p)
    if not is_real(given):
        raise TypeError(f"p must be real numbers, got {given.dtype}")
    cdef cnp.ndarray source = cnp.PyArray_FROMANY(  # not numpy.ascontiguousarray, which leaves it misaligned
        given, cnp.NPY_DOUBLE, 0, 0, cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST)
    cdef cnp.ndarray rates = np.empty((<object> source).shape) if keep else source
    cdef fd_run run = current()
    cdef size_t wrong, n = cnp.PyArray_SIZE(source)
    cdef const double *values = <const double *> cnp.PyArray_DATA(source)
    cdef double *copy = <double *> cnp.PyArray_DATA(rates) if keep else NULL
    if n < RELEASE:
        wrong = fd_rates_copy(&run, values, n, copy)
    else:
        with nogil:
            wrong = fd_rates_copy(&run, values, n, copy)
    if wrong < n:
        raise ValueError(f"p must be between 0 and 1, got {given.flat[wrong]}")
    if keep:
        rates.setflags(write=False)
    return rates


cdef fd_rates rates_of(cnp.ndarray p, tuple extents):
    """An array p of doubles, broadcast to the extents; it must outlive the result."""
    cdef size_t shape[64]
    cdef ptrdiff_t step[64]
    cdef int d, ndim = len(extents), missing = ndim - cnp.PyArray_NDIM(p)
    for d in range(ndim):
        shape[d] = extents[d]
        step[d] = 0 if d < missing or cnp.PyArray_DIM(p, d - missing) == 1 else cnp.PyArray_STRIDE(p, d - missing)
    return fd_rates_of(<const double *> cnp.PyArray_DATA(p), ndim, shape, step)


cdef void dropout_contiguous(const fd_draw *draw, fd_dtype dtype, uint64_t index, const fd_values *values,
                             cnp.ndarray x, cnp.ndarray y, uint8_t *bits) noexcept:
    """Draw and apply in one pass; x and y are C-contiguous, bits may be NULL."""
    cdef fd_run run = current()
    cdef size_t n = cnp.PyArray_SIZE(x)
    cdef const void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(y)
    if n < RELEASE:
        fd_dropout(&run, draw, dtype, index, n, values, source, target, bits)
    else:
        with nogil:
            fd_dropout(&run, draw, dtype, index, n, values, source, target, bits)


cdef int draw_bits(const fd_draw *draw, tuple noise, tuple strides, uint64_t start, uint8_t *bits) except -1:
    """The bits of the noise shape, in its C order; strides None: consecutive indices."""
    cdef fd_run run = current()
    cdef size_t shape[64]
    cdef uint64_t index_stride[64]
    cdef size_t n = 1
    cdef int d, ndim = len(noise)
    for d in range(ndim):
        shape[d] = noise[d]
        n *= shape[d]
        if strides is not None:
            index_stride[d] = strides[d]
    if strides is None:
        ndim, shape[0], index_stride[0] = 1, n, 1
    if n < RELEASE:
        fd_bits(&run, draw, ndim, shape, index_stride, start, bits)
    else:
        with nogil:
            fd_bits(&run, draw, ndim, shape, index_stride, start, bits)
    return 0


cdef int apply_bits(const uint8_t *bits, tuple noise, fd_dtype dtype, const fd_values *values, cnp.ndarray p,
                    cnp.ndarray x, cnp.ndarray y) except -1:
    """Bits of the noise shape (None: x's own) broadcast over x, in any layout; p, if any, is of x's shape."""
    cdef fd_run run = current()
    cdef fd_axis axes[64]
    cdef ptrdiff_t step = 1
    cdef int d, ndim = cnp.PyArray_NDIM(x)
    cdef size_t extent, n = cnp.PyArray_SIZE(x)
    for d in reversed(range(ndim)):
        extent = cnp.PyArray_DIM(x, d) if noise is None else noise[d]
        axes[d].extent = cnp.PyArray_DIM(x, d)
        axes[d].bit = 0 if extent == 1 else step
        axes[d].x = cnp.PyArray_STRIDE(x, d)
        axes[d].y = cnp.PyArray_STRIDE(y, d)
        axes[d].p = 0 if p is None else cnp.PyArray_STRIDE(p, d)
        step *= <ptrdiff_t> extent
    cdef const void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(y)
    if n < RELEASE:
        fd_apply(&run, dtype, ndim, axes, values, bits, source, target)
    else:
        with nogil:
            fd_apply(&run, dtype, ndim, axes, values, bits, source, target)
    return 0


cdef void bias_residual(const fd_draw *draw, fd_dtype dtype, uint64_t index, double scale, cnp.ndarray x,
                        cnp.ndarray bias, cnp.ndarray residual, cnp.ndarray y, uint8_t *bits) noexcept:
    """All C-contiguous; bias is None or repeated past its period, residual may be None, bits NULL."""
    cdef fd_run run = current()
    cdef size_t n = cnp.PyArray_SIZE(x), period = 1 if bias is None else cnp.PyArray_SIZE(bias) - FD_BIAS_SLACK
    cdef const void *source = cnp.PyArray_DATA(x)
    cdef const void *added = NULL if bias is None else cnp.PyArray_DATA(bias)
    cdef const void *skipped = NULL if residual is None else cnp.PyArray_DATA(residual)
    cdef void *target = cnp.PyArray_DATA(y)
    with nogil:
        fd_bias_residual(&run, draw, dtype, index, n, scale, source, added, period, skipped, target, bits)


cdef cnp.ndarray bias_residual_backward(fd_dtype dtype, double scale, const uint8_t *bits, cnp.ndarray dy,
                                        cnp.ndarray dx):
    """Fill dx; return the sums of its rows, real by real, as doubles. Both C-contiguous, neither empty."""
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


cdef void draw_samples(fd_key key, double p, fd_dtype dtype, uint64_t index, size_t samples, cnp.ndarray x,
                       cnp.ndarray y) noexcept:
    """Both C-contiguous; y has an axis of samples more."""
    cdef fd_run run = current()
    cdef size_t n = cnp.PyArray_SIZE(x)
    cdef const void *source = cnp.PyArray_DATA(x)
    cdef void *target = cnp.PyArray_DATA(y)
    with nogil:
        fd_samples(&run, key, p, dtype, index, n, samples, source, target)


def backends():
    """The backends that this processor runs, best first.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.backends()[-1]
    'portable'
    """
    cdef int i = 0
    names = []
    while fd_backend_at(i) != NULL:
        if fd_backend_supported(fd_backend_at(i)):
            names.append(fd_backend_name(fd_backend_at(i)).decode())
        i += 1
    return names


def backend():
    """The backend in use: the best one, or what the environment variable ``FASTDROP_BACKEND`` names.

    Returns
    -------
    str

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.backend() in fd.backends()
    True
    """
    return fd_backend_name(settings.backend).decode()


def set_backend(str name):
    """Select a backend for the process: for tests and benchmarks, since the masks are the same."""
    cdef int i = 0
    if name not in backends():
        raise ValueError(f"backend must be one of {', '.join(backends())}, got {name!r}")
    while fd_backend_name(fd_backend_at(i)).decode() != name:
        i += 1
    settings.backend = fd_backend_at(i)


def set_num_threads(n):
    """Set how many threads a call may use, in the whole process.

    Small calls use fewer: a thread is woken only for work worth it. The masks do not depend on it.

    Parameters
    ----------
    n : int
        At least 1.

    Raises
    ------
    TypeError, ValueError
        If `n` is no int, or less than 1.

    Examples
    --------
    >>> import fastdrop as fd
    >>> before = fd.get_num_threads()
    >>> fd.set_num_threads(1)
    >>> fd.get_num_threads()
    1
    >>> fd.set_num_threads(before)
    """
    global threads, threads_source
    threads, threads_source = min(natural(n, "n", 1), 1 << 16), "set_num_threads"


def get_num_threads():
    """How many threads a call from this thread may use.

    The number is that of `set_num_threads`, else of ``FASTDROP_NUM_THREADS``, else of ``OMP_NUM_THREADS``, else the
    CPUs this process may use (affinity, control group). Where OpenMP's own limit in the calling thread is lower than
    it was at import (threadpoolctl, ``omp_set_num_threads``), that caps them all. 1 in a build without OpenMP.

    Returns
    -------
    int

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.get_num_threads() >= 1
    True
    """
    return current().threads


def build():
    """What `show_config` says of the build and of the choices made at import."""
    return {
        "compiler": fd_compiler().decode(),
        "openmp": bool(fd_has_openmp()),
        "threads source": ("a build without OpenMP" if not fd_has_openmp() else threads_source
                           if current().threads == threads else "OpenMP's limit in this thread"),
        "backend reason": backend_reason,
    }


def _configure():
    global threads, threads_source, backend_reason
    threads, threads_source = default_threads()
    threads = min(threads, 1 << 16)
    forced = os.environ.get("FASTDROP_BACKEND", "")
    if forced and forced not in backends():
        raise ImportError(f"FASTDROP_BACKEND must be one of {', '.join(backends())}, got {forced!r}")
    if forced:
        set_backend(forced)
    backend_reason = "FASTDROP_BACKEND" if forced else "the best of this processor"
    try:
        cache = os.sysconf("SC_LEVEL3_CACHE_SIZE")
    except (AttributeError, ValueError, OSError):
        cache = 0
    settings.cache_bytes = cache if cache > 0 else 1 << 25  # what current server processors give a core and more


_configure()


cdef void take(fd_dtype dtype, const fd_part *part, cnp.ndarray whole, cnp.ndarray packed) noexcept:
    cdef fd_run run = current()
    cdef const void *source = cnp.PyArray_DATA(whole)
    cdef void *target = cnp.PyArray_DATA(packed)
    with nogil:
        fd_gather(&run, dtype, part, source, target)


cdef void put(fd_dtype dtype, const fd_part *part, const double *rate, cnp.ndarray packed, cnp.ndarray whole) noexcept:
    """fd_descend at a rate, fd_scatter where it is NULL."""
    cdef fd_run run = current()
    cdef const void *source = cnp.PyArray_DATA(packed)
    cdef void *target = cnp.PyArray_DATA(whole)
    with nogil:
        if rate != NULL:
            fd_descend(&run, dtype, part, rate[0], source, target)
        else:
            fd_scatter(&run, dtype, part, source, target)
