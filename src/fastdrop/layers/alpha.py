"""Dropout for self-normalizing networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex

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
    """Dropout that keeps the mean 0 and variance 1 of SELU activations, as `alpha_dropout` does.

    Dropped elements take SELU's limit at minus infinity instead of 0; then an affine map is applied to all elements.

    Parameters
    ----------
    p : float
        The probability of dropping, 0 <= p <= 1: a number, since the affine map restores mean and variance for one p.
    rng
        As in `Dropout`.

    Raises
    ------
    TypeError
        If `p` is not a real number, or `rng` is of another type; from forward, if `x` has no real dtype of `dropout`.
    ValueError
        If `p` is not between 0 and 1, or a seed is negative.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.

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

    def _checked(self, p: Any) -> Any:
        try:
            return super()._checked(p)
        except TypeError as error:
            if isinstance(p, (list, tuple)) or getattr(p, "ndim", 0) > 0:
                raise TypeError(f"{error}: alpha dropout's mean and variance are those of one p") from None
            raise

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask]:
        return alpha_dropout(x, self._p, rng=rng)


@public
class FeatureAlphaDropout(AlphaDropout):
    """`AlphaDropout` that drops whole feature maps of a sample, as `SpatialDropout` does.

    Parameters
    ----------
    p : float
        The probability of dropping a feature map, 0 <= p <= 1.
    channel_axis : int
        Which axis of `x` counts the feature maps, as in `SpatialDropout`.
    rng
        As in `Dropout`.

    Raises
    ------
    TypeError
        If `channel_axis` is not an int; else as in `AlphaDropout`.
    ValueError
        If `channel_axis` is 0; from forward, if `x` has less than three axes, or no such channel axis; else as in
        `AlphaDropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Klambauer, Unterthiner, Mayr and Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.

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
