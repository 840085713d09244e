"""Dropout as a layer, and those of its family that only choose what is dropped together: a noise shape each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._checks import check_store
from ._core import check_p, dropout_rows
from ._layer import Layer

if TYPE_CHECKING:
    from ._checks import Store
    from ._core import NoiseShape, Rate
    from ._layer import Array
    from ._mask import Mask
    from ._rng import AnyRng


class ShapedLayer(Layer):
    """A layer that is `dropout` with a noise shape: a subclass says which."""

    _row_axis: int | None = 0  # the axis along which an rng's rows run, if any does

    def __init__(self, p: Rate, rng: AnyRng, inplace: bool, store: Store, inverted: bool) -> None:
        super().__init__(p, rng)
        self.inplace = inplace
        self.store = check_store(store)
        self.inverted = inverted

    def _checked(self, p: Rate) -> Any:
        return check_p(p, arrays=True)

    def _noise_shape(self, x: Array) -> NoiseShape | None:
        """Return what is dropped together, as `dropout` takes it."""
        raise NotImplementedError

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask]:
        return dropout_rows(
            x,
            self._p,
            rng,
            x if self.inplace else None,
            self._noise_shape(x),
            self.store,
            self.inverted,
            self._row_axis,
        )


class Dropout(ShapedLayer):
    """Inverted dropout as a layer of a network.

    Parameters
    ----------
    p : float or array_like
        The probability of dropping, 0 <= p <= 1; an array as in `dropout`. The attribute may be set between steps.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        Turned into an `Rng` once. A seed seeds the run: a new mask at every step. Two layers of one seed draw alike,
        so give each its own child: ``Rng(seed).fold_in(layer)``. An `Rng` is shared with whoever holds it. None: a key
        of the layer's own, another one in a forked child.
    noise_shape : tuple of int and None, optional
        As in `dropout`.
    inplace : bool
        Whether forward writes its result into `x`.
    store : {"bits", "recipe"}
        What the mask keeps, as in `dropout`.
    inverted : bool
        As in `dropout`.

    Attributes
    ----------
    mask : Mask or None
        The mask of the last forward, None if that drew none.
    training : bool
        Whether forward drops.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: from
    ``y, mask = fd.dropout(...)``, or as ``layer.mask`` after each forward, whose ``layer.mask.apply`` is the gradient.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer = fd.Dropout(0.5, rng=fd.Rng(0).fold_in(1))
    >>> y = layer.forward(np.ones((2, 3), np.float32))
    >>> dx = layer.backward(np.ones_like(y))
    >>> np.array_equal(dx, y)
    True
    >>> layer.eval()(y) is y
    True
    """

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
        super().__init__(p, rng, inplace, store, inverted)
        self.noise_shape = noise_shape

    def _noise_shape(self, x: Array) -> NoiseShape | None:
        return self.noise_shape
