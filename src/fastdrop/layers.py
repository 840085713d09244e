"""What remembers: layers that draw a new mask at each forward and apply it again in backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ._core import check_layer, dropout, dropout_backward
from ._mask import Mask, identity
from ._rng import Rng, own_rng

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._core import NoiseShape, Store
    from ._rng import AnyRng


class Dropout:
    """Inverted dropout as a layer of a network.

    Parameters
    ----------
    p : float
        The probability of dropping, 0 <= p <= 1. The attribute may be set between steps.
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
        p: float = 0.5,
        *,
        rng: AnyRng = None,
        noise_shape: NoiseShape | None = None,
        inplace: bool = False,
        store: Store = "bits",
        inverted: bool = True,
    ) -> None:
        self._p = check_layer(p, store)
        self._rng = own_rng(rng)
        self.noise_shape = noise_shape
        self.inplace = inplace
        self.store = store
        self.inverted = inverted
        self.training = True
        self.mask: Mask | None = None
        self._ran = False

    @property
    def p(self) -> float:
        """The probability of dropping."""
        return self._p

    @p.setter
    def p(self, p: float) -> None:
        self._p = check_layer(p, self.store)

    @property
    def rng(self) -> Rng:
        """Where the masks come from."""
        return self._rng

    @rng.setter
    def rng(self, rng: AnyRng) -> None:
        self._rng = own_rng(rng)

    def forward(self, x: NDArray[Any], rng: AnyRng = None) -> NDArray[Any]:
        """Drop and scale in training mode, return `x` itself in eval mode.

        Parameters
        ----------
        x : array_like
            As in `dropout`.
        rng : optional
            As in `dropout`: where this call's mask comes from, instead of the layer's own `rng`.

        Returns
        -------
        ndarray
        """
        mask = None
        if self.training:
            x, mask = dropout(
                x,
                self._p,
                rng=self._rng if rng is None else rng,
                out=x if self.inplace else None,
                noise_shape=self.noise_shape,
                store=self.store,
                inverted=self.inverted,
            )
        self.mask = mask
        self._ran = True
        return x

    __call__ = forward

    def backward(self, dy: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Compute the gradient of the last forward: masked and scaled, or `dy` itself after one in eval mode.

        Parameters
        ----------
        dy : array_like
            The gradient of the loss by the layer's output.
        out : ndarray, optional
            As in `dropout_backward`.

        Returns
        -------
        ndarray

        Raises
        ------
        RuntimeError
            Before any forward.
        """
        if self.mask is not None:
            return dropout_backward(dy, self.mask, out=out)
        if not self._ran:
            raise RuntimeError("backward needs a forward before it")
        if out is None:
            return dy
        return dropout_backward(dy, identity(np.shape(dy)), out=out)

    def train(self) -> Self:
        """Switch dropping on; returns the layer."""
        self.training = True
        return self

    def eval(self) -> Self:
        """Switch dropping off; returns the layer."""
        self.training = False
        return self

    def state_dict(self) -> dict[str, int | float | str | bool]:
        """Return what a resumed run needs to draw the masks of one that never stopped.

        Returns
        -------
        dict
            Flat, of types that `json` and `numpy.savez` both take: `Rng.state`, `p` and `training`.
        """
        return {**self._rng.state, "p": self._p, "training": self.training}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state, also as `json.load` or `numpy.load` give it back; a shared Rng is set in place.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned.
        """
        state = {name: np.asarray(value).item() for name, value in dict(state).items()}
        missing = {"p", "training"} - state.keys()
        if missing:
            raise ValueError(f"a layer's state must have the keys p and training, got {list(state)}")
        p, training = check_layer(state.pop("p"), self.store), state.pop("training")
        if not isinstance(training, bool):
            raise TypeError(f"training must be a bool, got {type(training).__name__}")
        self._rng.state = state
        self._p, self.training = p, training

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self._p})"
