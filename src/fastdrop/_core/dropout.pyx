"""dropout, its gradient, and the plain Bernoulli array."""

import math

import numpy as np

cimport numpy as cnp

from .arguments cimport floating, keeps_bits, probability, result
from .binding cimport array_p
from .c_fastdrop cimport fd_dtype
from .execution cimport backward, draw, run
from .mask cimport Mask, new_mask
from .recipe cimport Recipe, new_recipe
from .rng cimport row_of

from .indices import as_shape, resolve
from .._public import public

cnp.import_array()


cdef tuple drop(object x, object p, object rng, object out, object noise_shape, object offset, object window,
                object store, object inverted, object row_axis, bint checked):
    """Do what dropout does. row_axis: the axis of the rng's rows; None: they are ignored. checked: p is valid."""
    cdef fd_dtype dtype
    x = floating(x, "x", &dtype)
    cdef cnp.ndarray y = result(x, out, "x")
    cdef bint stored = keeps_bits(store)
    cdef tuple shape = x.shape, noise = None, strides = None
    cdef object row = 0 if row_axis is None else row_of(rng), start = 0
    if noise_shape is not None or window is not None or type(offset) is not int or offset != 0 or row:
        noise, start, strides = resolve(shape, noise_shape, offset, window, row, row_axis or 0)
    cdef Recipe recipe = new_recipe(shape, p, 0 if inverted else 1, noise, start, strides, checked)
    cdef Mask mask = new_mask(recipe, stored)
    cdef tuple both = (y, mask)
    run(recipe, mask.stored, True, rng, dtype, x, y, &recipe.values)
    return both


@public
def dropout(x, p=0.5, *, rng=None, out=None, noise_shape=None, offset=0, window=None, store="bits", inverted=True):
    """Drop elements at random and scale the others: inverted dropout.

    Each element becomes +0.0 with probability `p`, and ``x / (1 - p)`` otherwise. Which elements are dropped is a pure
    function of the key and the stream of `rng`, of `p`, and of the element's index in C order: it does not depend on
    layout, dtype, threads, processor or release.

    Parameters
    ----------
    x : array_like
        Of dtype float16, bfloat16 (ml_dtypes), float32, float64, complex64 or complex128; any shape and layout. Not a
        masked array, nor a sequence that contains one.
    p : float or array_like
        The probability of dropping, 0 <= p <= 1. An array that broadcasts to the noise shape gives each channel,
        sample, unit or element its own probability and scale; its mask differs from that of a number. It is copied, so
        it may share memory with `out`.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        An `Rng` gives its next stream. A seed gives the same mask at every call, so use an `Rng` in a loop, and
        `Rng.fold_in` for each layer. A NumPy generator is advanced by two 64-bit words. None: a source shared by the
        process, seeded from the operating system.
    out : ndarray, optional
        Where the result goes: of x's shape and dtype, writable, aligned, in native byte order; either `x` itself (in
        place) or without overlap with it.
    noise_shape : tuple of int and None, optional
        A shape that broadcasts to x's shape; elements that share an element of it are dropped together. None entries
        mean x's size.
    offset : int, optional
        The logical index of the first element, if `x` is a part of a larger flat array; 0 <= offset. With a
        `noise_shape` it counts the elements of that.
    window : tuple (full_shape, start), optional
        Which part of a larger array `x` is: two sequences of x.ndim ints, the shape of that array and the index of x's
        first element in it. However an array is split, its parts then get the mask of the whole. Not together with
        `offset`.
    store : {"bits", "recipe"}
        What the mask keeps: one bit per element, or about 100 bytes from which backward draws the bits again.
    inverted : bool
        False: kept elements are not scaled, forward and backward.

    Returns
    -------
    y : ndarray
        `out`, or a new array of x's shape and layout, and its dtype in native byte order.
    mask : Mask
        For `dropout_backward`. Its True means kept.

    Raises
    ------
    TypeError
        If `x` has another dtype, or is or contains a masked array, or is sparse; if `p` is not real; if `rng` is of
        another type; if `out` is not an ndarray; if `noise_shape`, `offset` or `window` are not made of ints.
    ValueError
        If `p` is not between 0 and 1, or an array that does not broadcast to the noise shape; if `out` has another
        shape or dtype than `x`, is read-only, misaligned or byte-swapped, or overlaps `x` in part, or itself; if
        `noise_shape` does not broadcast to x's shape; if `offset` is negative or passes 2**64; if `window` does not fit
        x's shape, or comes with an `offset`, or `noise_shape` has other entries than None and 1 beside it; if `store`
        is neither of the two; if a seed is negative.
    OverflowError
        If the `Rng` has no stream left.

    Notes
    -----
    All arguments are checked before anything is written and before a stream is taken. The stream is specified in
    csrc/README.md.

    Ctrl-C ends a long call: the contents of `out` are then undefined, and the stream is taken.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> x = np.ones(8, np.float32)
    >>> y, mask = fd.dropout(x, 0.5, rng=0)
    >>> y
    array([2., 0., 0., 2., 2., 2., 0., 2.], dtype=float32)
    >>> dx = fd.dropout_backward(np.ones_like(y), mask)
    >>> fd.dropout(x, 0.5, rng=0, out=x)[0] is x
    True
    """
    return drop(x, p, rng, out, noise_shape, offset, window, store, inverted, 0, False)


@public
def dropout_backward(dy, mask, *, out=None):
    """Compute the gradient of `dropout`: mask and scale `dy` as the forward pass did with `x`.

    Parameters
    ----------
    dy : array_like
        The gradient of the loss with respect to y, of the mask's shape and any of the dtypes of `dropout`.
    mask : Mask
        What `dropout` returned.
    out : ndarray, optional
        Where the result goes, as in `dropout`; may be `dy`.

    Returns
    -------
    dx : ndarray
        ``dy * scale`` where kept, +0.0 where dropped: `out`, or a new array of dy's shape and dtype.

    Raises
    ------
    TypeError
        If `mask` is not a Mask; if `dy` has no dtype of `dropout`, or is a masked or sparse array; if `out` is not an
        ndarray.
    ValueError
        If `dy` has not the mask's shape, or `out` is refused by `dropout`.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y, mask = fd.dropout(np.zeros(4), 0.5, rng=1, store="recipe")
    >>> fd.dropout_backward(np.ones(4), mask)
    array([2., 2., 0., 0.])
    """
    if not isinstance(mask, Mask):
        raise TypeError(f"mask must be a fastdrop.Mask, got {type(mask).__name__}: make one with Mask.from_bool")
    return backward((<Mask> mask).recipe, (<Mask> mask).stored, dy, out, "dy")


@public
def bernoulli(shape, p, *, rng=None):
    """Draw independent Bernoulli variables: True with probability `p`.

    True are the elements that `dropout` with the same `rng` drops. (In a Mask, True means kept.) The draws are
    bit-sliced: threshold and generator are specified in csrc/README.md.

    Parameters
    ----------
    shape : int or sequence of int
        The shape of the result.
    p : float or array_like
        The probability of True, 0 <= p <= 1, exact to 2**-64; an array that broadcasts to `shape` gives each element
        its own.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        Where the draws come from, as in `dropout`.

    Returns
    -------
    ndarray of bool
        Of that shape.

    Raises
    ------
    TypeError
        If `shape` is not made of ints, `p` is not real, or `rng` is of another type.
    ValueError
        If `shape` has a negative entry or more than 64; if `p` is not between 0 and 1, or does not broadcast to
        `shape`; if a seed is negative.
    OverflowError
        If the `Rng` has no stream left.

    References
    ----------
    Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM Transactions on Mathematical Software
    47(4), 2021: the generator xoshiro256++.

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.bernoulli(5, 0.5, rng=0)
    array([False,  True,  True, False, False])
    """
    shape = as_shape(shape)
    noise, start, strides = resolve(shape, None, 0, None, row_of(rng))
    cdef Recipe recipe = new_recipe(shape, p, 0, noise, start, strides, False, False)
    np.empty(shape, np.bool_)  # if memory is short, MemoryError is raised here, before a stream is taken
    bits = np.frombuffer(draw(recipe, True, rng), np.uint8)
    dropped = np.unpackbits(np.invert(bits), count=math.prod(shape), bitorder="little")
    return dropped.view(np.bool_).reshape(shape)


def dropout_rows(x, p, rng, out, noise_shape, store, inverted, row_axis):
    """Do what dropout does, for layers: p was checked. row_axis: the axis of the rng's rows; None: they are ignored."""
    return drop(x, p, rng, out, noise_shape, 0, None, store, inverted, row_axis, True)


def check_p(p, arrays):
    """Return the p of a layer as a float, or, if arrays are allowed, a read-only array; refuse any other."""
    array = array_p(p) if arrays else None
    return probability(p) if array is None else array
