"""Dropout of words: whole rows of an embedding table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .._core.arguments import check_array, refuse_masked
from .._core.dropout import dropout_backward, dropout_rows
from .._core.mask import Mask, identity
from .._foreign_words import own_keywords
from .._public import public
from .base import Layer

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .._core.dropout import Rate
    from .._core.rng import AnyRng
    from .base import Array


@public
class EmbeddingDropout(Layer):
    """Looks up words in an embedding table whose rows are dropped: all occurrences of a word are dropped together.

    In training mode y is ``table[indices] / (1 - p)`` where the word is kept, and +0.0 where it is dropped; in eval
    mode it is ``table[indices]``. One bit is drawn for each row of the table, and only the rows looked up are read. The
    row that an `Rng` is at (`Rng.at_row`) is ignored.

    Parameters
    ----------
    p : float
        The probability of dropping a word, 0 <= p <= 1.
    rng
        As in `Dropout`.

    Attributes
    ----------
    mask : Mask or None
        Of y's shape; None after a forward in eval mode.

    Raises
    ------
    TypeError
        If `p` is not a real number, or `rng` of another type.
    ValueError
        If `p` is not between 0 and 1, or a seed is negative.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph takes its masks explicitly: as ``layer.mask``
    after each forward, whose ``layer.mask.apply`` is the gradient with respect to the looked-up rows.

    References
    ----------
    Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016,
    section 4.2.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> table = np.arange(20.0).reshape(10, 2)
    >>> layer = fd.EmbeddingDropout(0.5, rng=0)
    >>> y = layer.forward(table, [3, 7, 3, -1])
    >>> bool((y[0] == y[2]).all())
    True
    >>> dtable = layer.backward(np.ones_like(y))
    >>> bool((dtable[3] == 2 * layer.mask.scale * layer.mask.to_bool()[0]).all())
    True
    """

    _kinds: ClassVar[dict[str, Any]] = {**Layer._kinds, "_words": np.ndarray}

    @own_keywords
    def __init__(self, p: Rate = 0.5, *, rng: AnyRng = None) -> None:
        super().__init__(p, rng)
        self._words: NDArray[np.intp] = np.zeros(0, np.intp)
        self._table_shape: tuple[int, ...] = (0, 0)

    def forward(self, table: Array, indices: ArrayLike, rng: AnyRng = None) -> Array:  # type: ignore[override]
        """Look up the rows of words; the rows of dropped words are +0.0.

        Parameters
        ----------
        table : array_like, shape (words, features)
            The embedding table, of a dtype of `dropout`.
        indices : array_like of int, any shape
            Which rows to look up, as in NumPy's indexing: -1 is the last row.
        rng : optional
            The source of this call's mask, as in `Dropout.forward`.

        Returns
        -------
        ndarray, shape ``(*indices.shape, features)``
            A new array in native byte order, in eval mode too.

        Raises
        ------
        TypeError
            If `table` has no dtype of `dropout`, `indices` is a masked array, or `rng` is of another type.
        ValueError
            If `table` has not two axes.
        IndexError
            If an index is out of bounds, or `indices` are not ints.
        """
        table = check_array(table, "table")
        if table.ndim != 2:
            raise ValueError(f"table must have 2 axes, got {table.ndim}")
        refuse_masked(indices, "indices")
        indices = np.asarray(indices)
        if indices.size == 0:  # NumPy cannot know the type of an empty list
            indices = indices.astype(np.intp)
        words = np.asarray(np.arange(len(table))[indices])  # counted from the start
        y = table.take(words, axis=0)
        if not y.dtype.isnative:
            y = y.astype(y.dtype.newbyteorder("="))
        mask = None
        if self.training:
            kept = self._kept_words(len(table), self._rng if rng is None else rng)
            mask = Mask.from_bool(np.broadcast_to(kept[words][..., None], y.shape), self._p)
            y = mask.apply(y, out=y)
        self.mask, self._words, self._table_shape, self._ran = mask, words, table.shape, True
        return y

    def _kept_words(self, n: int, rng: AnyRng) -> NDArray[np.bool_]:
        # row_axis is None, since an rng's rows are those of a batch, not of the table.
        return dropout_rows(np.zeros(n, np.float32), self._p, rng, None, None, "bits", True, None)[1].to_bool()

    def backward(self, dy: Array) -> Array:  # type: ignore[override]
        """Compute the gradient with respect to the table: for each word, the sum over its occurrences.

        Parameters
        ----------
        dy : array_like
            The gradient of the loss with respect to the last forward's result, of its shape.

        Returns
        -------
        ndarray
            Of the table's shape and dy's dtype. Sums are computed in float32, or dy's dtype if that is more precise.

        Raises
        ------
        RuntimeError
            If there was no forward before.
        TypeError
            If `dy` has no dtype of `dropout`, or is a masked or sparse array.
        ValueError
            If `dy` has another shape than the last forward's result.
        """
        if not self._ran:
            raise RuntimeError("backward needs a forward before it")
        words, features = self._table_shape
        mask = identity((*self._words.shape, features)) if self.mask is None else self.mask
        rows = dropout_backward(dy, mask).reshape(self._words.size, features)
        dtable: NDArray[Any] = np.zeros((words, features), rows.dtype)
        order = np.argsort(self._words, axis=None, kind="stable")
        sorted_words = self._words.reshape(-1)[order]
        first = np.flatnonzero(np.diff(sorted_words, prepend=-1))
        if first.size:
            dtype = np.float32 if rows.dtype.itemsize == 2 else None
            with np.errstate(all="ignore"):
                dtable[sorted_words[first]] = np.add.reduceat(rows[order], first, axis=0, dtype=dtype)
        return dtable
