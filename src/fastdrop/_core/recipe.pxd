from libc.stdint cimport uint64_t

from .c_fastdrop cimport fd_key, fd_values


cdef class Recipe:
    cdef tuple shape          # of the masked array
    cdef tuple noise          # the noise shape; None: shape
    cdef tuple strides        # the steps of the logical index along the noise shape's axes; None: consecutive
    cdef uint64_t start       # the logical index of the first element
    cdef double p             # where it is a number
    cdef object p_array       # where it is an array: read-only; else None
    cdef fd_values values     # what the gradient makes of an element
    cdef fd_key key           # the key and the stream come last, from execution; a mask of given bits has none
    cdef uint64_t stream

    cdef inline tuple extents(self):
        """The noise shape."""
        return self.shape if self.noise is None else self.noise

    cdef Py_ssize_t nbytes(self) except -1


cdef Recipe new_recipe(tuple shape, object p, double scale, tuple noise, uint64_t start, tuple strides,
                       bint checked=*, bint keep=*)
