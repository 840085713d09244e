"""What decides a mask's bits and what becomes of an element: made once, and given its key and stream last."""

import numpy as np

cimport cython
cimport numpy as cnp
from libc.math cimport INFINITY

from .arguments cimport probability
from .binding cimport array_p

from .indices import check_broadcast

cnp.import_array()


@cython.final
@cython.no_gc
@cython.freelist(16)
cdef class Recipe:
    cdef Py_ssize_t nbytes(self) except -1:
        """The size of the packed bits."""
        n = 1
        for extent in self.extents():
            n *= extent
        return (n + 7) // 8


cdef Recipe new_recipe(tuple shape, object p, double scale, tuple noise, uint64_t start, tuple strides,
                       bint checked=False, bint keep=True):
    """The one constructor. A scale of 0 stands for 1 / (1 - p); an array p takes that, or a scale of 1.

    checked: an array p is array_p's already; else it is copied if `keep`.
    """
    cdef Recipe recipe = Recipe.__new__(Recipe)
    recipe.shape, recipe.noise, recipe.start, recipe.strides = shape, noise, start, strides
    if type(p) is not float:
        recipe.p_array = p if checked and isinstance(p, np.ndarray) else array_p(p, keep)
    if recipe.p_array is None:
        recipe.p = p + 0.0 if type(p) is float and 0 <= <double> p <= 1 else probability(p)  # -0.0 is 0
        if scale == 0:
            scale = INFINITY if recipe.p == 1 else 1 / (1 - recipe.p)
    else:
        if recipe.p_array.shape != recipe.extents():
            check_broadcast(recipe.p_array.shape, recipe.extents())
        if scale == 0:
            recipe.values.p = <const double *> cnp.PyArray_DATA(<cnp.ndarray> recipe.p_array)
        scale = 1
    recipe.values.scale = scale
    return recipe
