from libc.stdint cimport uint64_t

from .c_fastdrop cimport fd_key, fd_values


cdef class Recipe:
    cdef tuple shape          # of the masked array
    cdef tuple noise          # the noise shape; None: equal to shape
    cdef tuple strides        # steps of the logical index along the axes of the noise shape; None: consecutive
    cdef uint64_t start       # logical index of the first element
    cdef double p             # if p is a number
    cdef object p_array       # if p is an array: read-only; else None
    cdef fd_values values     # what backward makes of an element
    cdef fd_key key           # key and stream are set by execution; not used if the bits were given by the user
    cdef uint64_t stream

    cdef inline tuple extents(self):
        """The noise shape."""
        return self.shape if self.noise is None else self.noise

    cdef inline Py_ssize_t nbytes(self) except -1:
        """The size of the packed bits in bytes."""
        n = 1
        for extent in self.extents():
            n *= extent
        return (n + 7) // 8


cdef Recipe new_recipe(tuple shape, object p, double scale, tuple noise, uint64_t start, tuple strides,
                       bint checked=*, bint keep=*)
