"""Alpha dropout: as dropout, with other values for kept and dropped elements."""

cimport numpy as cnp
from libc.math cimport sqrt

from .arguments cimport floating, keeps_bits, probability, result, with_axis
from .c_fastdrop cimport fd_dtype, fd_values
from .execution cimport run
from .mask cimport Mask, new_mask
from .recipe cimport Recipe, new_recipe
from .rng cimport row_of

from .indices import resolve
from .._public import public

cnp.import_array()


# SELU's limit at minus infinity, -scale * alpha (Klambauer et al. 2017), to as many digits as PyTorch has.
cdef double ALPHA = -1.7580993408473766


cdef fd_values alpha_values(double p) noexcept:
    """Return the values of alpha dropout: a * x + b where kept, a * ALPHA + b where dropped."""
    cdef double a = 1 / sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    return fd_values(a, -a * ALPHA * p, a * ALPHA * (1 - p), NULL)


@public
def alpha_dropout(x, p=0.5, *, rng=None, out=None, noise_shape=None, offset=0, window=None, store="bits"):
    """Set elements to SELU's limit at minus infinity at random, then restore mean and variance by an affine map.

    Parameters
    ----------
    x : array_like
        Of dtype float16, bfloat16 (ml_dtypes), float32 or float64; any shape and layout.
    p : float
        The probability of dropping, 0 <= p <= 1: a number, since the affine map restores mean and variance for one p.
    rng, out, noise_shape, offset, window, store
        As in `dropout`.

    Returns
    -------
    y : ndarray
        ``a * x + b`` where kept, ``a * alpha' + b`` where dropped, with ``alpha' = -1.7580993408473766``,
        ``a = 1 / sqrt((alpha'**2 * p + 1) * (1 - p))`` and ``b = -a * alpha' * p``; +0.0 everywhere at p = 1.
    mask : Mask
        For `dropout_backward`: its `scale` is a.

    Raises
    ------
    TypeError
        If `x` is complex, or `p` an array; else as in `dropout`.
    ValueError, OverflowError
        As in `dropout`.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> x = np.random.default_rng(0).standard_normal(100_000)
    >>> y, mask = fd.alpha_dropout(x, 0.2, rng=0)
    >>> bool(abs(y.mean()) < 0.02), bool(abs(y.std() - 1) < 0.02)
    (True, True)
    """
    cdef fd_dtype dtype
    x = floating(x, "x", &dtype)
    if cnp.PyArray_ISCOMPLEX(<cnp.ndarray> x):
        raise TypeError(f"x must have a real dtype, got {x.dtype}: alpha dropout has no complex form")
    if with_axis(p, "p") is not None:
        raise TypeError(f"p must be a real number, got {type(p).__name__}: alpha dropout's mean and variance are those "
                        "of one p")
    cdef cnp.ndarray y = result(x, out, "x")
    cdef bint stored = keeps_bits(store)
    cdef double number = probability(p)
    cdef fd_values values = alpha_values(number)
    noise, start, strides = resolve(x.shape, noise_shape, offset, window, row_of(rng))
    cdef Recipe recipe = new_recipe(x.shape, number, values.scale, noise, start, strides)
    cdef Mask mask = new_mask(recipe, stored)
    cdef tuple both = (y, mask)
    run(recipe, mask.stored, True, rng, dtype, x, y, &values)
    return both
