"""dropout, its gradient, and the bare Bernoulli array: check, allocate, take a stream, one pass over the data."""

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
    """dropout; the rows of an rng run along row_axis, None: along no axis. checked: p has been."""
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

    Each element is +0.0 with probability `p` and ``x / (1 - p)`` otherwise. Which ones is a pure function of the
    key and the stream of `rng`, of `p`, and of the element's index in C order: layout, dtype, threads, processor and
    release do not matter.

    Parameters
    ----------
    x : array_like
        Of dtype float16, bfloat16 (ml_dtypes), float32, float64, complex64 or complex128; any shape and layout. A
        masked array, also one in a list, a tuple or another sequence, however deep, is refused.
    p : float or array_like
        The probability of dropping, 0 <= p <= 1. An array that broadcasts to the noise shape gives each channel,
        sample, unit or element its own, and its own scale; it is another mask than the number's. It is copied, and may
        share memory with `out`.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        An `Rng` gives its next stream. A seed gives the same mask at every call, so take an `Rng` in a loop, and
        `Rng.fold_in` to tell layers apart. A NumPy generator is advanced by two words. None: a source of the process,
        seeded from the system.
    out : ndarray, optional
        Where the result goes: of x's shape and dtype, writable, aligned, native; `x` itself (in place) or apart from
        it, and apart from an array `p`.
    noise_shape : tuple of int and None, optional
        A shape that broadcasts to x's; elements that share one of its elements are dropped together. None entries are
        x's size.
    offset : int, optional
        The logical index of the first element, where `x` is a part of a larger flat array.
    window : tuple (full_shape, start), optional
        Which part of a larger array `x` is, so that any split gives the mask of the whole.
    store : {"bits", "recipe"}
        What the mask keeps: one bit an element, or some hundred bytes from which backward makes the bits again.
    inverted : bool
        False: kept elements stay as they are, forward and backward.

    Returns
    -------
    y : ndarray
        `out`, or a new array of x's shape, native dtype and layout.
    mask : Mask
        For `dropout_backward`. Its True is kept.

    Raises
    ------
    TypeError, ValueError
        Before anything is written or drawn.

    Notes
    -----
    The stream is specified in csrc/README.md.

    A call that takes long looks at signals between its parts, so Ctrl-C ends it: what `out` holds is then undefined,
    and the stream is taken.

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
    """Compute the gradient of `dropout`: `dy` masked and scaled as the forward pass was.

    Parameters
    ----------
    dy : array_like
        The gradient of the loss by y, of the mask's shape and any of the dtypes of `dropout`.
    mask : Mask
        What `dropout` returned.
    out : ndarray, optional
        As in `dropout`; may be `dy`.

    Returns
    -------
    dx : ndarray
        ``dy * scale`` where kept, +0.0 where dropped.

    Raises
    ------
    TypeError, ValueError
        Before anything is written.

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

    It is what `dropout` with the same `rng` drops: True is dropped here, where a Mask's True is kept.

    Parameters
    ----------
    shape : int or sequence of int
        The shape of the result.
    p : float or array_like
        The probability of True, exact to 2**-64; an array that broadcasts to `shape` gives each element its own.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        As in `dropout`.

    Returns
    -------
    ndarray of bool

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.bernoulli(5, 0.5, rng=0)
    array([False,  True,  True, False, False])
    """
    shape = as_shape(shape)
    noise, start, strides = resolve(shape, None, 0, None, row_of(rng))
    cdef Recipe recipe = new_recipe(shape, p, 0, noise, start, strides, False, False)
    np.empty(shape, np.bool_)  # no room for the result: MemoryError before a stream is taken
    bits = np.frombuffer(draw(recipe, True, rng), np.uint8)
    dropped = np.unpackbits(np.invert(bits), count=math.prod(shape), bitorder="little")
    return dropped.view(np.bool_).reshape(shape)


def dropout_rows(x, p, rng, out, noise_shape, store, inverted, row_axis):
    """What a layer calls: `dropout` of a p that was checked; an rng's rows run along `row_axis`, None: no axis."""
    return drop(x, p, rng, out, noise_shape, 0, None, store, inverted, row_axis, True)


def check_p(p, arrays):
    """What is refused when a layer is made or its p is set; p as it is kept."""
    array = array_p(p) if arrays else None
    return probability(p) if array is None else array
