"""Dropout masks for Thinc: a backend that is Thinc's `NumpyOps`, but for its masks, which fastdrop draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import fastdrop as fd

try:
    from thinc.backends import NumpyOps  # thinc.api may be half imported when it loads the entry points
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"fastdrop.thinc needs Thinc, got {error}: pip install 'numpy-fastdrop[thinc]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["FastdropOps"]


class FastdropOps(NumpyOps):
    """Thinc's `NumpyOps` with masks by fastdrop, found by its entry point as ``get_ops("fastdrop")``.

    A model keeps the ops that were current when it was built, so `set_current_ops` comes first.

    Parameters
    ----------
    **kwargs
        Those of `NumpyOps`: `device_type`, `device_id`, `use_blis`.

    Examples
    --------
    >>> from thinc.api import Dropout, Relu, chain, fix_random_seed, get_ops, set_current_ops
    >>> set_current_ops(get_ops("fastdrop"))
    >>> model = chain(Relu(64, 8), Dropout(0.2))
    >>> fix_random_seed(0)
    >>> model.ops.get_dropout_mask((2, 4), 0.2)
    array([[1.25, 0.  , 1.25, 0.  ],
           [1.25, 1.25, 0.  , 1.25]], dtype=float32)
    """

    name = "fastdrop"

    def get_dropout_mask(self, shape: int | Sequence[int], drop: float | None) -> NDArray[np.float32]:
        """Return a new mask: 0 where a unit is dropped, ``1 / (1 - drop)`` where it is kept.

        Parameters
        ----------
        shape : int or sequence of int
            Of the mask.
        drop : float or None
            The probability of dropping. None, and what is not above 0, drops nothing; 1 and more drops all, as in
            Thinc.

        Returns
        -------
        ndarray of float32
            The mask, whose key is drawn from NumPy's global generator: `thinc.api.fix_random_seed` rules it.
        """
        ones = np.ones(shape, np.float32)
        if drop is None or drop <= 0:
            return ones
        rng = np.random.get_bit_generator()  # type: ignore[attr-defined] # of the global state, which Thinc seeds
        fd.dropout(ones, min(drop, 1.0), rng=rng, out=ones, store="recipe")
        return ones
