"""Dropout of square regions of a feature map."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from .._core.arguments import check_array, natural, result
from .._core.dropout import bernoulli
from .._core.mask import Mask
from .._foreign_words import own_keywords
from .._public import public
from .base import Layer
from .structured import channel_axis_number, resolved_channel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._core.dropout import Rate
    from .._core.rng import AnyRng
    from .base import Array


@public
class DropBlock(Layer):
    """Drops square regions of `block_size` by `block_size` elements, in each feature map independently.

    For `x` of shape ``(samples, channels, height, width)`` and ``b = block_size``, the seeds are the elements that
    `dropout` drops in an array of shape ``(samples, channels, height - b + 1, width - b + 1)`` with probability ::

        p * height * width / (b * b * (height - b + 1) * (width - b + 1))

    and seed (i, j) drops rows i to i + b - 1 and columns j to j + b - 1. Blocks overlap, so somewhat less than `p` is
    dropped. Kept elements are multiplied by ``channels * height * width / kept``, where `kept` is their number in that
    sample, so that a sample's result does not depend on the others. Dropped ones are +0.0; p = 1 drops all.

    Parameters
    ----------
    p : float
        The probability of dropping an element, 0 <= p <= 1, if blocks did not overlap.
    block_size : int
        The side of a block in elements, at least 1 and at most the height and the width; 7 in the paper.
    channel_axis : int
        Which axis of `x` counts the maps; not axis 0. ``channel_axis=-1`` is for ``(samples, height, width,
        channels)``. The mask is that of the array with channels on axis 1, with its axes moved.
    rng
        As in `Dropout`.

    Attributes
    ----------
    masks : list of Mask
        The mask of each sample in the last forward, with that sample's scale; empty after one in eval mode.
    mask : None
        There is none, since a Mask has one scale for all samples.

    Raises
    ------
    TypeError
        If `p` is not a real number, `block_size` or `channel_axis` not an int, or `rng` of another type; from forward,
        if `x` has no dtype of `dropout`.
    ValueError
        If `p` is not between 0 and 1, `block_size` is less than 1, or `channel_axis` is 0; from forward, if `x` has not
        four axes, no such channel axis, or a height or width below `block_size`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as
    ``layer.masks`` after each forward, where ``layer.masks[i].apply`` gives the gradient with respect to sample i.

    References
    ----------
    Ghiasi, Lin and Le, "DropBlock: a regularization method for convolutional networks", NeurIPS 2018.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.DropBlock(0.2, block_size=3, rng=0)
    >>> y = layer.forward(np.ones((2, 3, 8, 8)))
    >>> y.sum(axis=(1, 2, 3)).round(6).tolist()
    [192.0, 192.0]
    >>> bool((layer.backward(np.ones_like(y)) == y).all())
    True
    """

    @own_keywords
    def __init__(
        self, p: Rate = 0.5, block_size: SupportsIndex = 7, channel_axis: SupportsIndex = 1, *, rng: AnyRng = None
    ) -> None:
        super().__init__(p, rng)
        self.block_size = natural(block_size, "block_size", 1)
        self.channel_axis = channel_axis_number(channel_axis)

    @property
    def masks(self) -> list[Mask]:
        """The mask of each sample of the last forward."""
        return self._factor or []

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, None]:
        x = check_array(x, "x")
        y = result(x, None, "x")
        if x.ndim != 4:
            raise ValueError(f"x must have 4 axes, got {x.ndim}")
        channel = resolved_channel(self.channel_axis, 4)
        kept = np.moveaxis(self._draw(np.moveaxis(x, channel, 1).shape, rng), 1, channel)
        masks = [_sample_mask(sample, self._p) for sample in kept]
        self._multiply(x, masks, y)
        self._factor, self._shape = masks, x.shape
        return y, None

    def _draw(self, shape: tuple[int, ...], rng: AnyRng) -> NDArray[np.bool_]:
        """Return which elements of an array with channels on axis 1 are kept."""
        if math.prod(shape) == 0:  # an empty array need not have room for a block
            return bernoulli(shape, self._p, rng=rng)
        samples, channels, height, width = shape
        b = self.block_size
        if b > min(height, width):
            raise ValueError(f"block_size must be at most x's height and width {shape[2:]}, got {b}")
        rows, columns = height - b + 1, width - b + 1
        rate = 1.0 if self._p == 1 else self._p * height * width / (b * b * rows * columns)
        return ~_blocks(bernoulli((samples, channels, rows, columns), rate, rng=rng), b)

    @staticmethod
    def _multiply(x: Array, factor: list[Mask], y: Array) -> None:
        for mask, source, target in zip(factor, x, y, strict=True):
            mask.apply(source, out=target)


def _blocks(seeds: NDArray[np.bool_], b: int) -> NDArray[np.bool_]:
    """Return the elements that are covered by blocks whose first corners are the seeds: one axis after the other."""
    for axis in (2, 3):
        shape, n = list(seeds.shape), seeds.shape[axis]
        shape[axis] += b - 1
        covered = np.zeros(shape, np.bool_)
        along = np.moveaxis(covered, axis, 0)
        for i in range(b):
            along[i : i + n] |= np.moveaxis(seeds, axis, 0)
        seeds = covered
    return seeds


def _sample_mask(kept: NDArray[np.bool_], p: float) -> Mask:
    """Return the mask of one sample, with the scale that keeps its sum in expectation."""
    count = np.count_nonzero(kept)
    return Mask.from_bool(kept, p, kept.size / count if count else None)
