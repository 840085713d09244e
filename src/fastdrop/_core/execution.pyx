"""Forward and backward: check, allocate, take a stream; then one pass over the data, which cannot fail."""

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uint64_t

from .arguments cimport floating, result
from .binding cimport apply_bits, call_key, draw_bits, dropout_contiguous
from .c_fastdrop cimport fd_dtype, fd_key, fd_values
from .recipe cimport Recipe
from .rng cimport row_of
from .streams cimport take

from .indices import resolve

cnp.import_array()


cdef bytes draw(Recipe recipe, bint forward, object rng):
    """Draw the packed bits: if forward, with the next stream of rng, else with the key and stream of the recipe."""
    cdef bytes bits = PyBytes_FromStringAndSize(NULL, recipe.nbytes())
    if forward:
        take(rng, &recipe.key, &recipe.stream)
    draw_bits(recipe.key, recipe.stream, recipe.p, recipe.p_array, recipe.extents(), recipe.strides, recipe.start,
              <uint8_t *> PyBytes_AS_STRING(bits))
    return bits


cdef int run(Recipe recipe, bytes bits, bint forward, object rng, fd_dtype dtype, cnp.ndarray x, cnp.ndarray y,
             const fd_values *values) except -1:
    """Make y of x; they may be the same array. y is aligned and native.

    forward: draws with the next stream of rng, and stores the bits in `bits` unless that is None. Otherwise applies
    `bits`, or draws them again from the recipe if None.
    """
    cdef bint make = forward or bits is None, readable = cnp.PyArray_ISBEHAVED_RO(x)
    cdef bint at_once = (make and recipe.noise is None and recipe.strides is None and cnp.PyArray_IS_C_CONTIGUOUS(y)
                         and (not readable or cnp.PyArray_IS_C_CONTIGUOUS(x)))
    cdef cnp.ndarray p = None
    if bits is None and not at_once:
        bits = PyBytes_FromStringAndSize(NULL, recipe.nbytes())
    if values.p != NULL and not at_once:
        p = recipe.p_array if recipe.p_array.shape == recipe.shape else np.broadcast_to(recipe.p_array, recipe.shape)
    cdef uint8_t *packed = NULL if bits is None else <uint8_t *> PyBytes_AS_STRING(bits)
    if forward:
        take(rng, &recipe.key, &recipe.stream)
    if not readable:
        cnp.PyArray_CopyInto(y, x)
        x = y
    if make and recipe.p_array is None and recipe.p == 0:
        if x is not y:
            cnp.PyArray_CopyInto(y, x)
    elif recipe.p_array is None and (values.scale == INFINITY or (make and recipe.p == 1)):
        (<object> y).fill(0)
    elif at_once:
        dropout_contiguous(recipe.key, recipe.stream, recipe.p, recipe.p_array, dtype, recipe.start, values, x, y,
                           packed)
    else:
        if make:
            draw_bits(recipe.key, recipe.stream, recipe.p, recipe.p_array, recipe.extents(), recipe.strides,
                      recipe.start, packed)
        apply_bits(packed, recipe.noise, dtype, values, p, x, y)
    return 0


cdef cnp.ndarray backward(Recipe recipe, bytes bits, object x, object out, str name):
    """Mask and scale x as forward did. bits None: drawn again from the recipe. name: what messages call x."""
    cdef fd_dtype dtype
    x = floating(x, name, &dtype)
    if x.shape != recipe.shape:
        raise ValueError(f"{name} must have the mask's shape {recipe.shape}, got {x.shape}")
    cdef cnp.ndarray y = result(x, out, name)
    run(recipe, bits, False, None, dtype, x, y, &recipe.values)
    return y


def take_call(rng, shape, offset, window):
    """Take a stream for noise that is drawn outside C: the key of the call (c0, c1), the first index, and its steps."""
    cdef fd_key key
    cdef uint64_t stream
    _, start, strides = resolve(shape, None, offset, window, row_of(rng))
    take(rng, &key, &stream)
    return call_key(key, stream), start, strides
