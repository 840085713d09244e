"""dropout(x + bias) + residual in one pass over memory, and its gradients in another."""

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from .arguments cimport check_apart, contiguous, floating, keeps_bits, probability, result
from .binding cimport bias_residual, bias_residual_backward
from .c_fastdrop cimport FD_BIAS_SLACK, fd_dtype
from .execution cimport backward
from .mask cimport Mask, new_mask
from .recipe cimport Recipe, new_recipe
from .rng cimport row_of
from .streams cimport take

from .arithmetic import rounded
from .indices import resolve
from .mask import _rebuild_mask
from .saved import check_parts
from .._public import public

cnp.import_array()


cdef class FusedMask(Mask):
    """FusedMask()
--

    A Mask that records whether there was a bias and a residual, for the gradients of `bias_dropout_residual`.
    """

    cdef bint bias, residual

    def __reduce__(self):
        return _rebuild_fused_mask, (1, self.bias, self.residual, *super().__reduce__()[1][1:])


cdef FusedMask fused_mask(Mask mask, bint bias, bint residual):
    """Make a FusedMask with the recipe and the bits of `mask`."""
    cdef FusedMask fused = FusedMask.__new__(FusedMask)
    fused.recipe, fused.stored, fused.bias, fused.residual = mask.recipe, mask.stored, bias, residual
    return fused


@public
def _rebuild_fused_mask(version, bias, residual, *mask):
    """Make a FusedMask from its pickle, which calls this function: all arguments are checked."""
    cdef Mask plain = _rebuild_mask(version, *mask)
    cdef Recipe recipe = plain.recipe
    bias, residual = check_parts(bias, residual, plain.shape)
    if plain.given or recipe.noise is not None or recipe.strides is not None or recipe.p_array is not None:
        raise ValueError("a pickled Mask of bias_dropout_residual must be as that makes them, got another recipe")
    return fused_mask(plain, bias, residual)


cdef cnp.ndarray beside(object operand, str name, tuple shape, cnp.ndarray x):
    """Return an operand as an array, or None; refuse another dtype than x's, and another shape."""
    if operand is None:
        return None
    cdef fd_dtype dtype
    cdef cnp.ndarray array = floating(operand, name, &dtype)
    if (<object> array).shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {(<object> array).shape}")
    if array.dtype.newbyteorder("=") != x.dtype.newbyteorder("="):
        raise ValueError(
            f"{name} must have dtype {x.dtype.newbyteorder('=')}, got {array.dtype.newbyteorder('=')}")
    return array


cdef bint same_memory(cnp.ndarray a, object b) noexcept:
    return b is not None and cnp.PyArray_DATA(a) == cnp.PyArray_DATA(<cnp.ndarray> b)


cdef cnp.ndarray repeated(cnp.ndarray bias):
    """Return a bias followed by repetitions of itself, as far as the kernels read past its end."""
    cdef size_t size = bias.itemsize, n = cnp.PyArray_SIZE(bias), total = n + FD_BIAS_SLACK, done = n
    cdef cnp.npy_intp length = total
    cdef cnp.ndarray tiled = np.empty(length, bias.dtype)
    cdef uint8_t *to = <uint8_t *> cnp.PyArray_DATA(tiled)
    memcpy(to, cnp.PyArray_DATA(bias), n * size)
    while done < total:
        memcpy(to + done * size, to, min(done, total - done) * size)
        done += min(done, total - done)
    return tiled


@public
def bias_dropout_residual(x, bias, residual, p=0.5, *, rng=None, out=None, store="bits"):
    """Compute ``dropout(x + bias) + residual`` in one pass over memory.

    The result is equal bit for bit to that of the separate steps, each rounded to x's dtype.

    Parameters
    ----------
    x : array_like
        As in `dropout`.
    bias : array_like of x's dtype, shape (x.shape[-1],), or None
        Added to each row of `x`.
    residual : array_like of x's dtype and shape, or None
        Added to the result of dropout.
    p : float
        The probability of dropping, 0 <= p <= 1: a number.
    rng
        As in `dropout`.
    out : ndarray, optional
        As in `dropout`; may be `x` or `residual`, and must not overlap `bias`.
    store
        As in `dropout`.

    Returns
    -------
    y : ndarray
        `out`, or a new array of x's shape and dtype.
    mask : Mask
        For `bias_dropout_residual_backward`.

    Raises
    ------
    TypeError
        If `bias` or `residual` has no dtype of `dropout`, or `p` is an array; else as in `dropout`.
    ValueError
        If `bias` or `residual` has another shape than said above, or another dtype than `x`; if there is a bias and `x`
        is 0-d; if `out` overlaps `bias`, or `residual` in part; else as in `dropout`.
    OverflowError
        If the `Rng` has no stream left.

    Notes
    -----
    In a transformer block, this comes after the linear maps. An `x`, `residual` or `out` that is not C-contiguous is
    copied.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 5.4: dropout before the residual sum.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> x, bias, residual = np.ones((2, 3)), np.array([1.0, 2.0, 3.0]), np.full((2, 3), 0.5)
    >>> fd.bias_dropout_residual(x, bias, residual, 0.5, rng=0)[0]
    array([[4.5, 0.5, 0.5],
           [4.5, 6.5, 8.5]])
    """
    cdef fd_dtype dtype
    x = floating(x, "x", &dtype)
    cdef bint stored = keeps_bits(store)
    cdef tuple shape = x.shape
    if bias is not None and not shape:
        raise ValueError("x must have an axis for a bias, got a 0-d array")
    bias, residual = beside(bias, "bias", shape[len(shape) - 1:], x), beside(residual, "residual", shape, x)
    p = probability(p)
    cdef object row = row_of(rng)
    start = resolve(shape, None, 0, None, row)[1] if row else 0
    cdef cnp.ndarray y = result(x, out, "x"), into, repeats = None
    if out is not None:
        check_apart(bias, "bias", y)
        check_apart(residual, "residual", y, True)
    cdef Recipe recipe = new_recipe(shape, p, 0, None, start, None)
    cdef Mask mask = fused_mask(new_mask(recipe, stored), bias is not None, residual is not None)
    cdef tuple both = (y, mask)
    if bias is not None and x.size > 0:
        repeats = repeated(contiguous(bias))
    if residual is not None:
        residual = contiguous(residual)
    x = contiguous(x)
    into = y if cnp.PyArray_IS_C_CONTIGUOUS(y) else np.empty_like(x)
    take(rng, &recipe.key, &recipe.stream)
    bias_residual(recipe.key, recipe.stream, recipe.p, dtype, recipe.start, recipe.values.scale, x, repeats, residual,
                  into, NULL if mask.stored is None else <uint8_t *> PyBytes_AS_STRING(mask.stored))
    if into is not y:
        cnp.PyArray_CopyInto(y, into)
    return both


@public
def bias_dropout_residual_backward(dy, mask, *, out=None):
    """Compute the gradients of `bias_dropout_residual` in one pass over memory.

    Parameters
    ----------
    dy : array_like
        The gradient of the loss with respect to y, of the mask's shape and any of the dtypes of `dropout`.
    mask : Mask
        What `bias_dropout_residual` returned.
    out : ndarray, optional
        Where dx goes, as in `dropout_backward`; may be `dy`.

    Returns
    -------
    dx : ndarray
        ``dy * scale`` where kept, +0.0 where dropped.
    dbias : ndarray of dy's dtype, shape (dy.shape[-1],), or None
        The sum of dx over its rows, added in double precision; None if there was no bias.
    dresidual : ndarray or None
        `dy` itself, or a copy if `out` is `dy`; None if there was no residual.

    Raises
    ------
    TypeError
        If `mask` is not a Mask; if `dy` has no dtype of `dropout`, or is a masked or sparse array; if `out` is not an
        ndarray.
    ValueError
        If `mask` is not from `bias_dropout_residual`; if `dy` has not the mask's shape, or `out` is refused by
        `dropout`.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y, mask = fd.bias_dropout_residual(np.zeros((2, 3)), np.zeros(3), None, 0.5, rng=0)
    >>> fd.bias_dropout_residual_backward(np.ones((2, 3)), mask)[1]
    array([4., 2., 2.])
    """
    cdef fd_dtype dtype
    if not isinstance(mask, Mask):
        raise TypeError(f"mask must be a fastdrop.Mask, got {type(mask).__name__}")
    if not isinstance(mask, FusedMask):
        raise ValueError("mask must come from bias_dropout_residual, got another function's")
    cdef FusedMask fused = mask
    cdef Recipe recipe = fused.recipe
    given = dy
    dy = floating(dy, "dy", &dtype)
    if dy.shape != recipe.shape:
        raise ValueError(f"dy must have the mask's shape {recipe.shape}, got {dy.shape}")
    cdef cnp.ndarray dx = result(dy, out, "dy"), into, sums
    dresidual = None
    if fused.residual:
        dresidual = dy.copy() if same_memory(dx, dy) else given if isinstance(given, np.ndarray) else dy
    if not fused.bias:
        return backward(recipe, fused.stored, dy, dx, "dy"), None, dresidual
    if dy.size == 0:
        return dx, np.zeros(recipe.shape[len(recipe.shape) - 1], dy.dtype.newbyteorder("=")), dresidual
    dy = contiguous(dy)
    into = dx if cnp.PyArray_IS_C_CONTIGUOUS(dx) else np.empty_like(dy)
    bits = fused.packed()
    sums = bias_residual_backward(dtype, recipe.values.scale if recipe.p < 1 else 1,
                                  <uint8_t *> PyBytes_AS_STRING(bits), dy, into)
    if into is not dx:
        cnp.PyArray_CopyInto(dx, into)
    if cnp.PyArray_ISCOMPLEX(<cnp.ndarray> dy):
        sums = sums.view(np.complex128)
    return dx, rounded(sums, dy.dtype), dresidual
