from libc.stdint cimport uint64_t
cimport numpy as cnp

from .c_fastdrop cimport fd_dtype, fd_key


cdef class Mask:
    cdef readonly tuple shape
    cdef readonly double p, scale
    cdef tuple noise         # the noise shape; None: shape
    cdef tuple strides       # the steps of the logical index along its axes; None: consecutive
    cdef uint64_t start      # the logical index of its first element
    cdef fd_key key
    cdef uint64_t stream
    cdef bint drawn          # whether the bits follow from key, stream and p
    cdef bytes stored        # the packed bits; None: a recipe

    cdef Py_ssize_t nbytes(self) except -1
    cdef bytes packed(self)
    cdef int run(self, fd_dtype dtype, cnp.ndarray x, cnp.ndarray y, bint draw) except -1
    cdef cnp.ndarray backward(self, object x, object out, str name)


cdef cnp.ndarray new_like(cnp.ndarray x, bint direct)
