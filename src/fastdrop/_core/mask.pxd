from libc.stdint cimport uint64_t
cimport numpy as cnp

from .c_fastdrop cimport fd_draw, fd_dtype, fd_key, fd_p_array, fd_values


cdef class Mask:
    cdef readonly tuple shape
    cdef double p_number, scale_number  # p and scale, where p is a number
    cdef object p_array       # an array p, read-only; else None
    cdef bint inverted        # whether an array p gives its elements' scales
    cdef tuple noise          # the noise shape; None: shape
    cdef tuple strides        # the steps of the logical index along its axes; None: consecutive
    cdef uint64_t start       # the logical index of its first element
    cdef fd_key key
    cdef uint64_t stream
    cdef bint drawn           # whether the bits follow from key, stream and p
    cdef bytes stored         # the packed bits; None: a recipe
    cdef int fused            # of bias_dropout_residual: 1, and 2 where it had a bias, 4 a residual; else 0

    cdef tuple extents(self)
    cdef int set_p(self, object p, bint inverted, bint checked=*, bint keep=*) except -1
    cdef int make_store(self) except -1
    cdef Py_ssize_t nbytes(self) except -1
    cdef fd_draw spec(self, fd_p_array *p_array) noexcept
    cdef bytes packed(self)
    cdef fd_values values(self) noexcept
    cdef int run(self, fd_dtype dtype, cnp.ndarray x, cnp.ndarray y, const fd_values *values, bint draws,
                 object rng) except -1
    cdef tuple forward(self, fd_dtype dtype, cnp.ndarray x, object out, object rng, object store,
                       const fd_values *values)
    cdef cnp.ndarray backward(self, object x, object out, str name)
