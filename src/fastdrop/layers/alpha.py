"""Dropout for self-normalizing networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

from .._core.alpha import alpha_dropout
from .._foreign_words import own_keywords
from .._public import public
from .base import Layer
from .structured import channel_axis_number, feature_maps

if TYPE_CHECKING:
    from .._core.mask import Mask
    from .._core.rng import AnyRng
    from .base import Array


@public
class AlphaDropout(Layer):
    """Dropout that keeps the mean 0 and variance 1 of SELU activations, as `alpha_dropout`.

    Dropped elements take SELU's limit at minus infinity instead of 0, and then all undergo an affine map.

    Parameters
    ----------
    p : float
        The probability of dropping.
    rng
        As in `Dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.AlphaDropout(0.1, rng=0)
    >>> y = layer.forward(np.random.default_rng(0).standard_normal(100_000))
    >>> bool(abs(y.mean()) < 0.02), bool(abs(y.var() - 1) < 0.02)
    (True, True)
    """

    @own_keywords
    def __init__(self, p: SupportsFloat = 0.5, *, rng: AnyRng = None) -> None:
        super().__init__(p, rng)

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask]:
        return alpha_dropout(x, self._p, rng=rng)


@public
class FeatureAlphaDropout(AlphaDropout):
    """`AlphaDropout` of a whole feature map of a sample together, as `SpatialDropout` drops them.

    Parameters
    ----------
    p : float
        The probability of dropping a feature map.
    channel_axis : int
        As in `SpatialDropout`.
    rng
        As in `Dropout`.

    Raises
    ------
    ValueError
        From forward: `x` has less than three axes, or no such channel axis.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NIPS 2017.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> y = fd.FeatureAlphaDropout(0.5, rng=0).forward(np.ones((2, 3, 4, 4)))
    >>> bool((y == y[:, :, :1, :1]).all())
    True
    """

    @own_keywords
    def __init__(self, p: SupportsFloat = 0.5, channel_axis: SupportsIndex = 1, *, rng: AnyRng = None) -> None:
        super().__init__(p, rng=rng)
        self.channel_axis = channel_axis_number(channel_axis)

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask]:
        return alpha_dropout(x, self._p, rng=rng, noise_shape=feature_maps(x, self.channel_axis))
