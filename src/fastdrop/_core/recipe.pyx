"""What decides a mask's bits and what elements become; its key and stream are filled in when it is executed."""

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
    pass


cdef Recipe new_recipe(tuple shape, object p, double scale, tuple noise, uint64_t start, tuple strides,
                       bint checked=False, bint keep=True):
    """Make a recipe without key and stream. A scale of 0 means 1 / (1 - p); with an array p it is 0 or 1.

    checked: if p is an array, it is a result of array_p. Otherwise an array p is checked here, and copied if `keep`.
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
