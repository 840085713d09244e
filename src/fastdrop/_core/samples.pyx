"""Many samples of dropout of one array, which is read once."""

import numpy as np

cimport numpy as cnp

from .arguments cimport check_apart, contiguous, floating, output
from .binding cimport draw_samples, fold_in
from .c_fastdrop cimport fd_dtype, fd_key
from .execution cimport run
from .recipe cimport Recipe, new_recipe
from .rng cimport Rng, row_of
from .streams cimport as_rng

from .arguments import natural
from .indices import resolve
from .streams import own_rng
from .._public import public

cnp.import_array()


@public
def mc_dropout(x, p, samples, *, rng=None, out=None):
    """Draw many samples of dropout of one array, which is read once: Monte Carlo dropout.

    Parameters
    ----------
    x : array_like
        As in `dropout`.
    p : float or array_like
        The probability of dropping, 0 <= p <= 1; an array that broadcasts to x's shape gives each unit its own.
    samples : int
        How many samples, at least 1.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        Sample t is the first draw of ``rng.fold_in(t)``. So an `Rng` gives the same samples at every call, and no
        stream is taken from it. A NumPy generator is advanced by two 64-bit words. None: a new key at every call.
    out : ndarray, optional
        Where the samples go: of shape ``(samples, *x.shape)`` and x's dtype, without overlap with `x`.

    Returns
    -------
    ndarray
        `out`, or a new array of shape ``(samples, *x.shape)`` and x's dtype.

    Raises
    ------
    TypeError
        If `samples` is not an int; else as in `dropout`.
    ValueError
        If `samples` is less than 1; if `out` has another shape or dtype, or overlaps `x`; else as in `dropout`.

    Notes
    -----
    All arguments are checked before anything is written or drawn. Ctrl-C ends a long call: the contents of `out` are
    then undefined. With an array `p`, `x` is read once for each sample.

    References
    ----------
    Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning", ICML
    2016.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> rng = fd.Rng(0)
    >>> y = fd.mc_dropout(np.ones(4), 0.5, 3, rng=rng)
    >>> np.array_equal(y[2], fd.dropout(np.ones(4), 0.5, rng=rng.fold_in(2))[0])
    True
    """
    cdef fd_dtype dtype
    x = floating(x, "x", &dtype)
    cdef cnp.ndarray y, into
    cdef fd_key key
    count = natural(samples, "samples", 1)
    shape = count, *x.shape
    start = resolve(x.shape, None, 0, None, row_of(rng))[1]
    cdef Recipe recipe = new_recipe(x.shape, p, 0, None, start, None)
    if out is None:
        y = np.empty(shape, x.dtype.newbyteorder("="))
    else:
        if isinstance(out, np.ndarray):
            check_apart(x, "x", out)
        y = output(out, np.broadcast_to(x, shape), "x")
    x = contiguous(x)
    into = y if cnp.PyArray_IS_C_CONTIGUOUS(y) else np.empty(shape, y.dtype)
    key = (<Rng> (own_rng(None) if rng is None else as_rng(rng))).current_key()
    if recipe.p_array is None:
        draw_samples(key, recipe.p, dtype, recipe.start, count, x, into)
    else:
        for t in range(count):
            recipe.key = fold_in(key, t)
            run(recipe, None, False, None, dtype, x, into[t, ...], &recipe.values)
    if into is not y:
        cnp.PyArray_CopyInto(y, into)
    return y
