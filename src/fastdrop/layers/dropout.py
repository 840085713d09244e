"""Dropout and StandardDropout, and the base class of all layers that are `dropout` with a noise shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.arguments import check_array, check_separate, check_store, refuse_masked, result
from .._core.arithmetic import multiply
from .._core.dropout import check_p, dropout_rows
from .._foreign_words import own_keywords
from .._public import public
from .base import Layer

if TYPE_CHECKING:
    from .._core.arguments import Store
    from .._core.dropout import NoiseShape, Rate
    from .._core.mask import Mask
    from .._core.rng import AnyRng
    from .base import Array


class ShapedLayer(Layer):
    """A layer that is `dropout` with a noise shape: subclasses implement `_noise_shape`."""

    _row_axis: int | None = 0  # the axis of the rng's rows; None: they are ignored

    @own_keywords
    def __init__(
        self,
        p: Rate = 0.5,
        *,
        rng: AnyRng = None,
        inplace: bool = False,
        store: Store = "bits",
        inverted: bool = True,
    ) -> None:
        super().__init__(p, rng)
        self.inplace = inplace
        self.store = check_store(store)
        self.inverted = inverted

    def _checked(self, p: Rate) -> Any:
        return check_p(p, arrays=True)

    def _noise_shape(self, x: Array) -> NoiseShape | None:
        """Return the noise shape for `x`, as `dropout` takes it."""
        raise NotImplementedError

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask]:
        return dropout_rows(
            x,
            self._p,
            rng,
            writable(x) if self.inplace else None,
            self._noise_shape(x),
            self.store,
            self.inverted,
            self._row_axis,
        )


def writable(x: Array) -> Array:
    """Return the `x` of a layer with ``inplace=True``, if the result can be written to it."""
    refuse_masked(x, "x")
    if not isinstance(x, np.ndarray):
        raise TypeError(f"with inplace=True, x must be a numpy.ndarray, got {type(x).__name__}")
    if not x.flags.writeable:
        raise ValueError("with inplace=True, x must be writable, got a read-only array")
    if not x.dtype.isnative:
        raise ValueError(f"with inplace=True, x must be in native byte order, got {x.dtype.str}")
    if not x.flags.aligned:
        raise ValueError("with inplace=True, x must be aligned, got a misaligned array")
    if not x.flags.c_contiguous:
        check_separate(x, "with inplace=True, x")
    return x


@public
class Dropout(ShapedLayer):
    """Inverted dropout as a layer of a network.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping, 0 <= p <= 1; an array as in `dropout`. The attribute may be set between steps.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        Turned into an `Rng` once. A seed is used for the whole run, with a new mask at every step. Two layers with the
        same seed draw the same masks, so give each its own child: ``Rng(seed).fold_in(layer)``. An `Rng` is shared, not
        copied. None: the layer has its own key from the operating system, and another one in a forked child.
    noise_shape : tuple of int and None, optional
        As in `dropout`.
    inplace : bool
        Whether forward writes its result into `x`, which must be a writable, aligned ndarray in native byte order.
    store : {"bits", "recipe"}
        What the mask keeps, as in `dropout`.
    inverted : bool
        As in `dropout`.

    Attributes
    ----------
    mask : Mask or None
        The mask of the last forward, or None if that drew none.
    training : bool
        Whether forward drops.

    Raises
    ------
    TypeError
        If `p` is not real, or `rng` of another type; from forward, as `dropout`.
    ValueError
        If `p` is not between 0 and 1, `store` is neither of the two, or a seed is negative; from forward, as `dropout`.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient, or from ``y, mask = fd.dropout(...)``.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014.

    Examples
    --------
    Several layers from one seed, with different masks:

    >>> import fastdrop as fd, numpy as np
    >>> first, second = (fd.Dropout(0.5, rng=rng) for rng in fd.Rng(0).spawn(2))
    >>> y = first.forward(np.ones((2, 3), np.float32))
    >>> dx = first.backward(np.ones_like(y))
    >>> np.array_equal(dx, y)
    True
    >>> first.eval()(y) is y
    True

    A schedule: p rises linearly over the steps.

    >>> for step in range(100):
    ...     second.p = 0.5 * step / 99
    ...     y = second.forward(np.ones((2, 3)))
    """

    @own_keywords
    def __init__(
        self,
        p: Rate = 0.5,
        *,
        rng: AnyRng = None,
        noise_shape: NoiseShape | None = None,
        inplace: bool = False,
        store: Store = "bits",
        inverted: bool = True,
    ) -> None:
        super().__init__(p, rng=rng, inplace=inplace, store=store, inverted=inverted)
        self.noise_shape = noise_shape

    def _noise_shape(self, x: Array) -> NoiseShape | None:
        return self.noise_shape


@public
class StandardDropout(Dropout):
    """Dropout in its original formulation: kept elements are not scaled, and eval mode multiplies all by ``1 - p``.

    In expectation, outputs are those of inverted dropout times ``1 - p``, in both modes. Where p is 1, eval mode gives
    +0.0, as training does. After a forward in eval mode, backward multiplies by ``1 - p``, too.

    Parameters
    ----------
    p, rng, noise_shape, inplace, store
        As in `Dropout`.

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
    Hinton, Srivastava, Krizhevsky, Sutskever and Salakhutdinov, "Improving neural networks by preventing
    co-adaptation of feature detectors", arXiv:1207.0580, 2012; and Srivastava et al., JMLR 15, 2014.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.StandardDropout(0.25, rng=0)
    >>> np.unique(layer.forward(np.ones(100))).tolist()
    [0.0, 1.0]
    >>> layer.eval().forward(np.ones(2)), layer.backward(np.ones(2))
    (array([0.75, 0.75]), array([0.75, 0.75]))
    """

    @own_keywords
    def __init__(
        self,
        p: Rate = 0.5,
        *,
        rng: AnyRng = None,
        noise_shape: NoiseShape | None = None,
        inplace: bool = False,
        store: Store = "bits",
    ) -> None:
        super().__init__(p, rng=rng, noise_shape=noise_shape, inplace=inplace, store=store, inverted=False)

    def _evaluate(self, x: Array) -> Array:
        source = check_array(x, "x")
        y = result(source, writable(x) if self.inplace else None, "x")
        factor = 1 - self._p
        self._multiply(source, factor, y)
        self._factor, self._shape = factor, y.shape
        return y

    @staticmethod
    def _multiply(x: Array, factor: Any, y: Array) -> None:
        multiply(x, factor, y)
        zero = np.equal(factor, 0)
        if zero.any():  # +0.0 also for infinite elements, as in training
            y[np.broadcast_to(zero, y.shape)] = 0
