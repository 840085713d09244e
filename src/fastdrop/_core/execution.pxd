cimport numpy as cnp

from .c_fastdrop cimport fd_dtype, fd_values
from .recipe cimport Recipe

cdef bytes draw(Recipe recipe, bint forward, object rng)
cdef int run(Recipe recipe, bytes bits, bint forward, object rng, fd_dtype dtype, cnp.ndarray x, cnp.ndarray y,
             const fd_values *values) except -1
cdef cnp.ndarray backward(Recipe recipe, bytes bits, object x, object out, str name)
