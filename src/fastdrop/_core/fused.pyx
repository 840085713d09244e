"""bias + dropout + residual and the gradients, each in one pass over memory."""

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from .arguments cimport check_apart, contiguous, floating, inverse_of_keeping, keeps_bits, probability, result
from .binding cimport bias_residual, bias_residual_backward, make_draw
from .mask cimport Mask
from .rng cimport as_rng, row_of
from .c_fastdrop cimport FD_BIAS_SLACK, FD_C64, fd_draw, fd_dtype

from .indices import resolve
from .arithmetic import rounded
from .._public import public

cnp.import_array()


cdef cnp.ndarray beside(object operand, str name, tuple shape, cnp.ndarray x):
    """An operand of x's dtype and of that shape."""
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
    """A bias, and what follows it: the same again, for as long as the kernels read on."""
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

    The result is that of the separate steps bit for bit, each rounded to x's dtype.

    Parameters
    ----------
    x : array_like
        As in `dropout`.
    bias : array_like, shape (x.shape[-1],), or None
        Added to each row, of x's dtype.
    residual : array_like or None
        Added to what dropout makes, of x's shape and dtype.
    p : float
        The probability of dropping, 0 <= p <= 1.
    rng, store
        As in `dropout`.
    out : ndarray, optional
        As in `dropout`; may be `x` or `residual`, and is apart from `bias`.

    Returns
    -------
    y : ndarray
        `out`, or a new array of x's shape and dtype.
    mask : Mask
        For `bias_dropout_residual_backward`.

    Raises
    ------
    TypeError, ValueError
        Before anything is written or drawn.

    Notes
    -----
    What follows the linear maps of a transformer's block. An x, residual or out that is not C-contiguous is copied.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> x, bias, residual = np.ones((2, 3)), np.array([1.0, 2.0, 3.0]), np.full((2, 3), 0.5)
    >>> fd.bias_dropout_residual(x, bias, residual, 0.5, rng=0)[0]
    array([[4.5, 0.5, 0.5],
           [4.5, 6.5, 8.5]])
    """
    cdef fd_dtype dtype
    cdef cnp.ndarray source = floating(x, "x", &dtype), y, into, tiled = None
    cdef Mask mask = Mask.__new__(Mask)
    cdef bint stored = keeps_bits(store)
    cdef object row = row_of(rng)
    cdef fd_draw draw
    mask.shape, mask.drawn = (<object> source).shape, True
    if bias is not None and not mask.shape:
        raise ValueError("x must have an axis for a bias, got a 0-d array")
    cdef cnp.ndarray added = beside(bias, "bias", mask.shape[len(mask.shape) - 1:], source)
    cdef cnp.ndarray skipped = beside(residual, "residual", mask.shape, source)
    mask.p_number = probability(p)
    mask.scale_number = inverse_of_keeping(mask.p_number)
    if row:
        mask.noise, mask.start, mask.strides = resolve(mask.shape, None, 0, None, row)
    mask.fused = 1 | (added is not None) << 1 | (skipped is not None) << 2
    y = result(source, out, "x")
    if out is not None:
        check_apart(added, "bias", y)
        check_apart(skipped, "residual", y, True)
    if stored:
        mask.make_store()
    if added is not None and cnp.PyArray_SIZE(source) > 0:
        tiled = repeated(contiguous(added))
    if skipped is not None:
        skipped = contiguous(skipped)
    source = contiguous(source)
    into = y if cnp.PyArray_IS_C_CONTIGUOUS(y) else np.empty_like(source)
    as_rng(rng).take(&mask.key, &mask.stream)
    draw = make_draw(mask.key, mask.stream, mask.p_number)
    bias_residual(&draw, dtype, mask.start, mask.scale_number, source, tiled, skipped, into,
                  NULL if mask.stored is None else <uint8_t *> PyBytes_AS_STRING(mask.stored))
    if into is not y:
        cnp.PyArray_CopyInto(y, into)
    return y, mask


@public
def bias_dropout_residual_backward(dy, mask, *, out=None):
    """Compute the gradients of `bias_dropout_residual` in one pass over memory.

    Parameters
    ----------
    dy : array_like
        The gradient of the loss by y, of the mask's shape.
    mask : Mask
        What `bias_dropout_residual` returned.
    out : ndarray, optional
        Where dx goes, as in `dropout_backward`; may be `dy`.

    Returns
    -------
    dx : ndarray
        ``dy * scale`` where kept, +0.0 where dropped.
    dbias : ndarray or None
        The sum of dx over its rows, added in double precision, of dy's dtype; None where there was no bias.
    dresidual : ndarray or None
        dy itself, or a copy where `out` is dy; None where there was no residual.

    Raises
    ------
    TypeError, ValueError
        Before anything is written.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y, mask = fd.bias_dropout_residual(np.zeros((2, 3)), np.zeros(3), None, 0.5, rng=0)
    >>> fd.bias_dropout_residual_backward(np.ones((2, 3)), mask)[1]
    array([4., 2., 2.])
    """
    cdef fd_dtype dtype
    if type(mask) is not Mask:
        raise TypeError(f"mask must be a fastdrop.Mask, got {type(mask).__name__}")
    cdef Mask kept = mask
    if not kept.fused:
        raise ValueError("mask must come from bias_dropout_residual, got another function's")
    cdef cnp.ndarray source = floating(dy, "dy", &dtype), dx, into, sums
    if (<object> source).shape != kept.shape:
        raise ValueError(f"dy must have the mask's shape {kept.shape}, got {(<object> source).shape}")
    dx = result(source, out, "dy")
    dresidual = None
    if kept.fused & 4:
        dresidual = source.copy() if same_memory(dx, source) else dy if isinstance(dy, np.ndarray) else source
    if not kept.fused & 2:
        return kept.backward(source, dx, "dy"), None, dresidual
    if cnp.PyArray_SIZE(source) == 0:
        return dx, np.zeros(kept.shape[len(kept.shape) - 1], source.dtype.newbyteorder("=")), dresidual
    source = contiguous(source)
    into = dx if cnp.PyArray_IS_C_CONTIGUOUS(dx) else np.empty_like(source)
    bits = kept.packed()
    sums = bias_residual_backward(dtype, kept.scale_number if kept.p_number < 1 else 1,
                                  <uint8_t *> PyBytes_AS_STRING(bits), source, into)
    if into is not dx:
        cnp.PyArray_CopyInto(dx, into)
    if dtype >= FD_C64:
        sums = sums.view(np.complex128)
    return dx, rounded(sums, source.dtype), dresidual
