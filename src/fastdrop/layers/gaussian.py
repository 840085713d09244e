"""Gaussian noise that is multiplied (Gaussian dropout) or added."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

import numpy as np

from .._core.arguments import check_array, result
from .._core.arithmetic import multiply, on_reals
from .._core.dropout import check_p
from .._core.execution import take_call
from .._foreign_words import own_keywords
from .._public import public
from .base import Layer
from .normal import fill_normal

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._core.dropout import Window
    from .._core.rng import AnyRng
    from .base import Array


@public
def gaussian_dropout(
    x: ArrayLike,
    p: SupportsFloat = 0.5,
    *,
    rng: AnyRng = None,
    out: Array | None = None,
    offset: SupportsIndex = 0,
    window: Window | None = None,
) -> tuple[Array, Array]:
    """Multiply by Gaussian noise of mean 1 and variance ``p / (1 - p)``, as inverted dropout has.

    Parameters
    ----------
    x : array_like
        As in `dropout`.
    p : float
        The noise has the variance of inverted dropout with this probability, 0 <= p < 1.
    rng, out, offset, window
        As in `dropout`.

    Returns
    -------
    y : ndarray
        ``x * noise``; both parts of a complex element are multiplied by the same real number. Else as in `dropout`.
    noise : ndarray
        Real, of x's shape and precision. The gradient is ``dy * noise``.

    Raises
    ------
    TypeError
        If `p` is an array; else as in `dropout`.
    ValueError
        If `p` is 1; else as in `dropout`.
    OverflowError
        If the `Rng` has no stream left.

    Notes
    -----
    The noise is a function of the call's key and of the element's index, as masks are: it does not depend on threads,
    layout, or how the work is split. Its numbers are those of NumPy's generator seeded from that key: element i is
    number ``i % 16384`` of ``Generator(Philox(key, counter=[0, 0, i // 16384, 0])).standard_normal``, drawn in float64
    for float64 and complex128, in float32 for the other dtypes. A release of NumPy may change that stream, and with it
    the noise.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014, section 10.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y, noise = fd.gaussian_dropout(np.full(10000, 3.0), 0.2, rng=0)
    >>> bool((y == 3 * noise).all()), round(float(noise.mean()), 1), round(float(noise.std()), 1)
    (True, 1.0, 0.5)
    """
    p = _below_one(p)
    x, y, noise = _draw(x, 1, math.sqrt(p / (1 - p)), rng, out, offset, window)
    multiply(x, noise, y)
    return y, noise


@public
class GaussianDropout(Layer):
    """Multiplies by Gaussian noise of mean 1 and variance ``p / (1 - p)``, as `gaussian_dropout`; nothing is dropped.

    The gradient is ``dy * noise``.

    Parameters
    ----------
    p : float
        The noise has the variance of inverted dropout with this probability, 0 <= p < 1.
    rng
        As in `Dropout`.

    Attributes
    ----------
    mask : None
        There is noise, but no mask.

    Raises
    ------
    TypeError
        If `p` is not a real number, or `rng` of another type; from forward, if `x` has no dtype of `dropout`.
    ValueError
        If `p` is negative, NaN, 1 or more, or a seed is negative.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its noise explicitly: from
    ``y, noise = fd.gaussian_dropout(...)``, as there is no ``layer.mask.apply``; the gradient is ``dy * noise``.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014, section 10.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.GaussianDropout(0.2, rng=0)
    >>> y = layer.forward(np.ones((2, 3)))
    >>> np.array_equal(layer.backward(np.ones_like(y)), y)
    True
    """

    @own_keywords
    def __init__(self, p: SupportsFloat = 0.5, *, rng: AnyRng = None) -> None:
        super().__init__(p, rng)

    def _checked(self, p: Any) -> float:
        return _below_one(p)

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, None]:
        y, self._factor = gaussian_dropout(x, self._p, rng=rng)
        self._shape = y.shape
        return y, None


@public
class GaussianNoise(Layer):
    """Adds Gaussian noise of mean 0; nothing is dropped.

    y is ``x + stddev * z``, where z are the deviates of `gaussian_dropout`; its Notes say how far they are
    reproducible. z is real, so the imaginary part of a complex `x` does not change. The gradient is dy itself.

    Parameters
    ----------
    stddev : float
        The standard deviation of the noise, in the units of `x`; finite and at least 0.
    rng
        As in `Dropout`.

    Attributes
    ----------
    mask : None
        There is noise, but no mask.

    Raises
    ------
    TypeError
        If `stddev` is not a real number, or `rng` of another type; from forward, if `x` has no dtype of `dropout`.
    ValueError
        If `stddev` is negative, NaN or infinite, or a seed is negative.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph needs no ``layer.mask`` here, since its
    gradient is always dy.

    References
    ----------
    Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7(1), 1995.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.GaussianNoise(0.1, rng=0)
    >>> y = layer.forward(np.zeros(10000))
    >>> round(float(y.std()), 2)
    0.1
    """

    _rate = "stddev"
    p: Any = property(doc="Nothing: this layer has a `stddev`.")

    @own_keywords
    def __init__(self, stddev: SupportsFloat, *, rng: AnyRng = None) -> None:
        super().__init__(stddev, rng)

    @property
    def stddev(self) -> float:
        """The standard deviation of the noise."""
        return float(self._p)

    @stddev.setter
    def stddev(self, stddev: SupportsFloat) -> None:
        self._p = self._checked(stddev)

    def _checked(self, stddev: Any) -> float:
        if isinstance(stddev, (bool, np.bool_, str, bytes)) or np.ndim(stddev) > 0:
            raise TypeError(f"stddev must be a real number, got {type(stddev).__name__}")
        try:
            value = float(stddev)
        except TypeError:
            raise TypeError(f"stddev must be a real number, got {type(stddev).__name__}") from None
        except OverflowError:
            value = math.inf
        if not 0 <= value < math.inf:
            raise ValueError(f"stddev must be finite and at least 0, got {stddev}")
        return value

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, None]:
        x, y, noise = _draw(x, 0, self._p, rng, None, 0, None)
        on_reals(np.add, x.real, noise, y.real)
        if x.dtype.kind == "c":
            y.imag = x.imag
        return y, None


def _below_one(p: Any) -> float:
    value = float(check_p(p, arrays=False))
    if value == 1:
        raise ValueError(f"p must be less than 1, got {p}")
    return value


def _draw(
    x: ArrayLike,
    mean: float,
    deviation: float,
    rng: AnyRng,
    out: Array | None,
    offset: SupportsIndex,
    window: Window | None,
) -> tuple[Array, Array, Array]:
    """Check all arguments; return x as an array, the array for the result, and the noise."""
    x = check_array(x, "x")
    y = result(x, out, "x")
    noise = np.empty(x.shape, x.real.dtype.newbyteorder("="))
    call, start, strides = take_call(rng, x.shape, offset, window)
    if noise.size:
        with np.errstate(all="ignore"):  # as in the core; and a stream has been taken, so nothing may fail
            fill_normal(noise, call, start, strides, mean, deviation)
    return x, y, noise
