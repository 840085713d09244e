cimport numpy as cnp

from .c_fastdrop cimport fd_dtype

cdef extern from "numpy/arrayobject.h":  # missing in NumPy's own pxd
    int NPY_HALF, NPY_USERDEF

cpdef int refuse_masked(object x, str name) except -1
cdef object with_axis(object p, str name)
cdef bint is_real(object x) except -1
cdef double real_number(object value, str name) except? -1.0
cdef double probability(object p) except -1.0
cdef cnp.ndarray floating(object x, str name, fd_dtype *dtype)
cdef cnp.ndarray contiguous(cnp.ndarray x)
cdef int array_of(object a, str name, str dtype) except -1
cdef cnp.ndarray output(object out, cnp.ndarray source, str name)
cpdef cnp.ndarray result(cnp.ndarray x, object out, str name)
cdef int check_apart(object operand, str name, object out, bint may_be_out=*) except -1
cdef int refuse_arithmetic() except -1
cdef bint keeps_bits(object store) except -1
cdef object integer(object value, str name, object limit)
