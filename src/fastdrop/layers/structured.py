"""Structured dropout: layers that differ only in their noise shape, that is, in what is dropped together."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from .._foreign_words import own_keywords
from .._public import public
from .dropout import ShapedLayer

if TYPE_CHECKING:
    from .._core.arguments import Store
    from .._core.dropout import NoiseShape, Rate
    from .._core.mask import Mask
    from .._core.rng import AnyRng
    from .base import Array


def count_axes(x: Array, least: int) -> int:
    """Return the number of x's axes; refuse less than `least`."""
    ndim = np.ndim(x)
    if ndim < least:
        raise ValueError(f"x must have at least {least} {'axis' if least == 1 else 'axes'}, got {ndim}")
    return ndim


def axis_number(axis: SupportsIndex, name: str) -> int:
    """Return an axis as an int."""
    try:
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {type(axis).__name__}") from None


def channel_axis_number(axis: SupportsIndex) -> int:
    """Return a channel axis as an int; refuse axis 0, which counts the samples."""
    number = axis_number(axis, "channel_axis")
    if number == 0:
        raise ValueError("channel_axis must be an axis of x other than 0, got 0")
    return number


def resolved_channel(channel_axis: int, ndim: int) -> int:
    """Return a channel axis of an array with `ndim` axes as a non-negative number."""
    channel = channel_axis + ndim if channel_axis < 0 else channel_axis
    if not 0 < channel < ndim:
        raise ValueError(f"channel_axis must be an axis of x other than 0, got {channel_axis} for {ndim} axes")
    return channel


def feature_maps(x: Array, channel_axis: int) -> NoiseShape:
    """Return the noise shape with one element for each feature map of each sample."""
    ndim = count_axes(x, 3)
    channel = resolved_channel(channel_axis, ndim)
    return tuple(None if axis in (0, channel) else 1 for axis in range(ndim))


@public
class SpatialDropout(ShapedLayer):
    """Drops whole feature maps of a sample, since neighbours in a map are so similar that dropping one has no effect.

    The noise shape is ``(samples, channels, 1, ..., 1)``, with the channels on `channel_axis`. The default is that of
    PyTorch's Dropout1d, Dropout2d and Dropout3d; ``channel_axis=-1`` gives Keras's SpatialDropout1D, 2D and 3D. Axis 0
    is always the sample axis: pass a single sample as ``x[None]``.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping a feature map, 0 <= p <= 1; an array broadcasts to the noise shape.
    channel_axis : int
        Which axis of `x` counts the feature maps; not axis 0.
    rng, inplace, store, inverted
        As in `Dropout`.

    Raises
    ------
    TypeError
        If `channel_axis` is not an int; else as in `Dropout`.
    ValueError
        If `channel_axis` is 0; from forward, if `x` has less than three axes, or no such channel axis; else as in
        `Dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Tompson, Goroshin, Jain, LeCun and Bregler, "Efficient object localization using convolutional networks",
    CVPR 2015.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.SpatialDropout(0.5, rng=0)
    >>> y = layer.forward(np.ones((8, 64, 32, 32), np.float32))
    >>> bool((y == y[:, :, :1, :1]).all()), layer.mask.bits.nbytes
    (True, 64)
    """

    @own_keywords
    def __init__(
        self,
        p: Rate = 0.5,
        channel_axis: SupportsIndex = 1,
        *,
        rng: AnyRng = None,
        inplace: bool = False,
        store: Store = "bits",
        inverted: bool = True,
    ) -> None:
        super().__init__(p, rng=rng, inplace=inplace, store=store, inverted=inverted)
        self.channel_axis = channel_axis_number(channel_axis)

    def _noise_shape(self, x: Array) -> NoiseShape:
        return feature_maps(x, self.channel_axis)


@public
class UnitDropout(ShapedLayer):
    """Drops units for the whole mini-batch: all its samples run through the same thinned network.

    The noise shape is ``(1, ..., 1, units)``: a unit is an entry of the last axis.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping a unit, 0 <= p <= 1; an array broadcasts to the noise shape.
    rng, inplace, store, inverted
        As in `Dropout`.

    Raises
    ------
    TypeError
        As in `Dropout`.
    ValueError
        From forward, if `x` has less than two axes; else as in `Dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014: the thinned networks, one for each mini-batch.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y = fd.UnitDropout(0.5, rng=0).forward(np.ones((3, 8)))
    >>> bool((y == y[0]).all())
    True
    """

    def _noise_shape(self, x: Array) -> NoiseShape:
        return (1,) * (count_axes(x, 2) - 1) + (None,)


@public
class LockedDropout(ShapedLayer):
    """Drops units for all time steps of a sequence: variational dropout for recurrent networks.

    The noise shape is that of `x` with 1 on the time axis: each sample has one mask for all times.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping a unit, 0 <= p <= 1; an array broadcasts to the noise shape.
    time_axis : int
        0: `x` is ``(time, samples, ...)``; 1: ``(samples, time, ...)``. A negative one counts from the last axis, and
        must mean axis 0 or 1 of `x`.
    rng, inplace, store, inverted
        As in `Dropout`.

    Raises
    ------
    TypeError
        If `time_axis` is not an int; else as in `Dropout`.
    ValueError
        If `time_axis` cannot mean axis 0 or 1; from forward, if `x` has less than three axes, or no such time axis, or
        time is on axis 0 and the rng is from `Rng.at_row` (as with a `batch_size` of `monte_carlo`), whose rows are on
        axis 0; else as in `Dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016;
    Merity, Keskar and Socher, "Regularizing and optimizing LSTM language models" (AWD-LSTM), ICLR 2018.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y = fd.LockedDropout(0.5, rng=0).forward(np.ones((7, 2, 8)))
    >>> bool((y == y[0]).all()), bool((y[0, 0] == y[0, 1]).all())
    (True, False)
    """

    @own_keywords
    def __init__(
        self,
        p: Rate = 0.5,
        time_axis: SupportsIndex = 0,
        *,
        rng: AnyRng = None,
        inplace: bool = False,
        store: Store = "bits",
        inverted: bool = True,
    ) -> None:
        super().__init__(p, rng=rng, inplace=inplace, store=store, inverted=inverted)
        self.time_axis = axis_number(time_axis, "time_axis")
        if self.time_axis > 1 or self.time_axis == -1:  # the last of three axes or more is not axis 0 or 1
            raise ValueError(f"time_axis must be 0 or 1, got {time_axis}")

    def _time(self, x: Array) -> tuple[int, int]:
        """Return the time axis of `x`, and how many axes it has."""
        ndim = count_axes(x, 3)
        time = self.time_axis + ndim if self.time_axis < 0 else self.time_axis
        if time not in (0, 1):
            raise ValueError(f"time_axis must be axis 0 or 1 of x, got {self.time_axis} for {ndim} axes")
        return time, ndim

    def _noise_shape(self, x: Array) -> NoiseShape:
        time, ndim = self._time(x)
        return tuple(1 if axis == time else None for axis in range(ndim))

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask]:
        if self._time(x)[0] == 0 and getattr(rng, "_batch", False):
            raise ValueError(
                "an rng that is a batch of rows (Rng.at_row, or batch_size of monte_carlo) needs rows on axis 0 of x, "
                "got time there: put the samples first, with time_axis=1"
            )
        return super()._drop(x, rng)


@public
class DropPath(ShapedLayer):
    """Drops whole samples: this is stochastic depth if `x` is the output of a residual branch.

    The noise shape is ``(samples, 1, ..., 1)``.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping a sample, 0 <= p <= 1; an array broadcasts to the noise shape.
    rng, inplace, store, inverted
        As in `Dropout`.

    Raises
    ------
    TypeError
        As in `Dropout`.
    ValueError
        From forward, if `x` is 0-d; else as in `Dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic depth", ECCV 2016.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> x, branch = np.ones((4, 3)), np.full((4, 3), 0.1)
    >>> y = x + fd.DropPath(0.5, rng=0).forward(branch)
    >>> np.unique(y).tolist()
    [1.0, 1.2]
    """

    def _noise_shape(self, x: Array) -> NoiseShape:
        return (None,) + (1,) * (count_axes(x, 1) - 1)


@public
class DropConnect(ShapedLayer):
    """Drops single weights of a layer, not its outputs: forward takes the weights.

    Each weight has its own bit, which is the same for all samples of a mini-batch: ``y = x @ layer.forward(w)``.
    backward takes the gradient with respect to the result of forward, ``x.T @ dy``. The row that an `Rng` is at
    (`Rng.at_row`) is ignored.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping a weight, 0 <= p <= 1; an array broadcasts to the shape of the weights.
    rng, inplace, store, inverted
        As in `Dropout`. ``inplace=True`` overwrites the weights.

    Raises
    ------
    TypeError, ValueError
        As in `Dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Wan, Zeiler, Zhang, LeCun and Fergus, "Regularization of neural networks using DropConnect", ICML 2013.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> x, w = np.ones((5, 3)), np.ones((3, 2))
    >>> layer = fd.DropConnect(0.5, rng=0)
    >>> y = x @ layer.forward(w)
    >>> dw = layer.backward(x.T @ np.ones_like(y))
    >>> bool(((dw == 0) == ~layer.mask.to_bool()).all())
    True
    """

    _row_axis = None

    def _noise_shape(self, x: Array) -> None:
        return None
