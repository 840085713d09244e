"""A fully connected layer that computes only what dropout keeps."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.arguments import check_array, check_separate, refuse_masked
from .._core.mask import Mask
from .._core.packed import draw_units, gather, kept_units, scatter, sgd_step
from .._foreign_words import own_keywords
from .._public import public
from .base import Layer

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    from .._core.rng import AnyRng
    from .base import Array

    UnitMask: TypeAlias = Mask | NDArray[np.bool_] | None
    Indices: TypeAlias = NDArray[np.intp]


@public
class ThinnedLinear(Layer):
    """A fully connected layer with dropout of its units, ``y = dropout(x @ w + b)``, computed as a smaller product.

    A unit is dropped for the whole mini-batch, so each mini-batch trains a thinned network, and only that is computed:
    the kept columns of `w` are packed and multiplied, without the rows that belong to units that the layer before has
    dropped. At p = 0.5 this is half the work of the three products of a step, or a quarter if the layer before is
    thinned, too.

    Parameters
    ----------
    w : ndarray of float32 or float64, shape (inputs, outputs)
        The weights, in any layout; referred to, not copied. (BLAS has no float16, and gradients of complex weights have
        no single convention.)
    b : ndarray of w's dtype, shape (outputs,), optional
        The biases; referred to, not copied.
    p : float
        The probability of dropping an output unit, 0 <= p <= 1. The attribute may be set between steps.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        As in `Dropout`: turned into an `Rng` once. Give each layer its own child: ``Rng(seed).fold_in(layer)``.

    Attributes
    ----------
    w, b : ndarray
        The weights and biases that were given.
    mask : Mask or None
        Of y's shape, with the noise shape ``(1, None)``: the mask that `dropout` would draw for ``x @ w + b``, except
        that the row of an rng (`Rng.at_row`) is ignored. None unless the last forward drew one.
    columns, rows : ndarray of intp
        The kept columns of `w`, and the rows that were not skipped, in the last forward; all of them in eval mode.
    dw_kept : ndarray, shape (len(rows), len(columns))
        The gradient with respect to the kept weights, packed. Each `backward` overwrites it; None after a forward.
    db_kept : ndarray, shape (len(columns),)
        The gradient with respect to the kept biases; None without `b`.

    Raises
    ------
    TypeError
        If `w` is not an ndarray of float32 or float64, `b` not an ndarray of w's dtype, `p` not a real number, or `rng`
        of another type.
    ValueError
        If `w` has not two axes, or is byte-swapped or misaligned; if `b` has not one entry for each column of `w`; if
        `p` is not between 0 and 1, or a seed is negative.

    See Also
    --------
    UnitDropout : The same mask in a layer of its own.

    Notes
    -----
    backward belongs to the last forward. A layer used twice in one graph also needs the inputs of each forward, so
    ``layer.mask.apply`` is not enough: make two layers with the same `w` and `b`, and add their gradients.

    `sgd_step` does not change the dropped weights. Momentum and weight decay would: they move a weight also in steps in
    which it is dropped. An optimizer of your own reads `dw_kept`; to leave dropped weights unchanged, it updates only
    the kept ones, as in ``velocity[np.ix_(layer.rows, layer.columns)]``.

    backward reads the `x` of the last forward again, and `w` if nothing of it was left out: do not change them before.
    The weights are not part of `state_dict`.

    References
    ----------
    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", JMLR 15, 2014, section 5.1. There each training case has its own thinned network.

    Examples
    --------
    Two layers, where `x_mask` tells the second which of its inputs the first has dropped:

    >>> import fastdrop as fd, numpy as np
    >>> generator, rng = np.random.default_rng(0), fd.Rng(1)
    >>> first = fd.ThinnedLinear(generator.standard_normal((8, 6)), np.zeros(6), rng=rng.fold_in(1))
    >>> second = fd.ThinnedLinear(generator.standard_normal((6, 4)), np.zeros(4), p=0, rng=rng.fold_in(2))
    >>> h = np.maximum(first.forward(generator.standard_normal((5, 8))), 0)
    >>> y = second.forward(h, x_mask=first.mask)
    >>> dx = first.backward(second.backward(y) * (h > 0))
    >>> first.columns
    array([1, 2, 3, 4])
    >>> second.dw_kept.shape
    (4, 4)
    >>> before = first.w.copy()
    >>> first.sgd_step(0.1)
    >>> np.flatnonzero((first.w == before).all(axis=0))
    array([0, 5])
    """

    @own_keywords
    def __init__(self, w: Array, b: Array | None = None, p: float = 0.5, *, rng: AnyRng = None) -> None:
        _check_parameters(w, b)
        super().__init__(p, rng)
        self.w, self.b = w, b
        self.rows: Any = None
        self.columns: Any = None
        self.dw_kept: Any = None
        self.db_kept: Any = None
        self._packed: tuple[Array, Array] | None = None  # the parts of x and w that the last forward multiplied

    def forward(self, x: Array, x_mask: UnitMask = None, rng: AnyRng = None) -> Array:  # type: ignore[override]
        """Return ``dropout(x @ w + b)`` in training mode, ``x @ w + b`` in eval mode.

        Parameters
        ----------
        x : array_like of w's dtype, shape (n, inputs)
            The inputs of n samples.
        x_mask : Mask or ndarray of bool of shape (inputs,), optional
            Which columns of x are not zero, True = kept: the unit mask of the layer before. The other columns are not
            read, and their gradient is +0.0. In eval mode all are read.
        rng : optional
            The source of this call's mask, as in `dropout`, instead of the layer's own `rng`.

        Returns
        -------
        ndarray, shape (n, outputs)
            A new array of w's dtype, +0.0 in the dropped columns.

        Raises
        ------
        TypeError
            If `x` has not w's dtype, or is a masked or sparse array; if `x_mask` is not a Mask or an array of bool; if
            `rng` is of another type.
        ValueError
            If `x` has another shape; if `x_mask` has another length, or is a Mask that differs between the rows of x.
        OverflowError
            If the `Rng` has no stream left.
        """
        _check_parameters(self.w, self.b)
        w = np.asarray(self.w)
        inputs, outputs = w.shape
        x = _operand(x, "x", w.dtype)
        if x.ndim != 2 or x.shape[1] != inputs:
            raise ValueError(f"x must have shape (n, {inputs}), a column for each row of w, got {x.shape}")
        rows = _kept_rows(x_mask, inputs)
        mask: Mask | None = None
        if self.training:
            mask, columns = draw_units((len(x), outputs), self._p, self._rng if rng is None else rng)
        else:
            rows, columns = np.arange(inputs), np.arange(outputs)
        x_kept, w_kept = _pack(x, np.arange(len(x)), rows), _pack(w, rows, columns)
        with np.errstate(all="ignore"):  # an overflow turned into an error would leave a stream taken
            y = x_kept @ w_kept
            if self.b is not None:
                y += self.b[columns]
            if mask is not None:
                y *= w.dtype.type(mask.scale)
        self.mask, self.rows, self.columns, self._packed = mask, rows, columns, (x_kept, w_kept)
        self.dw_kept = self.db_kept = None
        return _spread(y, np.arange(len(x)), columns, (len(x), outputs))

    def backward(self, dy: Array) -> Array:  # type: ignore[override]
        """Set `dw_kept` and `db_kept`, and return the gradient with respect to x.

        Parameters
        ----------
        dy : array_like of w's dtype, shape (n, outputs)
            The gradient of the loss with respect to y.

        Returns
        -------
        ndarray, shape (n, inputs)
            A new array of w's dtype, +0.0 in the columns that `x_mask` left out.

        Raises
        ------
        RuntimeError
            If there was no forward before.
        TypeError
            If `dy` has not w's dtype, or is a masked or sparse array.
        ValueError
            If `dy` has another shape than the last forward's result.
        """
        if self._packed is None:
            raise RuntimeError("backward needs a forward before it")
        x_kept, w_kept = self._packed
        n, (inputs, outputs) = len(x_kept), self.w.shape
        dy = _operand(dy, "dy", w_kept.dtype)
        if dy.shape != (n, outputs):
            raise ValueError(f"dy must have the output's shape {(n, outputs)}, got {dy.shape}")
        dy = _pack(dy, np.arange(n), self.columns)
        with np.errstate(all="ignore"):
            if self.mask is not None:
                dy = dy * dy.dtype.type(self.mask.scale)
            self.dw_kept = x_kept.T @ dy
            self.db_kept = None if self.b is None else dy.sum(axis=0)
            dx = dy @ w_kept.T
        return _spread(dx, np.arange(n), self.rows, (n, inputs))

    @property
    def dw(self) -> Array:
        """The gradient with respect to `w`, of its shape: +0.0 for the weights that were not used."""
        if self.dw_kept is None:
            raise RuntimeError("dw needs a backward before it")
        return _spread(self.dw_kept, self.rows, self.columns, self.w.shape)

    @property
    def db(self) -> Array | None:
        """The gradient with respect to `b`, of its shape: +0.0 for the units that were dropped; None without `b`."""
        if self.dw_kept is None:
            raise RuntimeError("db needs a backward before it")
        if self.db_kept is None:
            return None
        db = np.zeros(self.w.shape[1], self.w.dtype)
        db[self.columns] = self.db_kept
        return db

    def sgd_step(self, lr: float) -> None:
        """Subtract ``lr`` times their gradients from the kept weights and biases; the others do not change.

        Parameters
        ----------
        lr : float
            The learning rate. It is rounded to w's dtype, as are product and difference (``w -= lr * dw``).

        Raises
        ------
        RuntimeError
            If there was no backward after the last forward.
        TypeError
            If `lr` is not a real number; if `w` or `b` has been replaced by an array that the constructor refuses.
        ValueError
            If `w` or `b` is read-only, or overlaps itself.
        """
        if self.dw_kept is None:
            raise RuntimeError("sgd_step needs a backward before it")
        if not isinstance(lr, numbers.Real):
            raise TypeError(f"lr must be a real number, got {type(lr).__name__}")
        _check_parameters(self.w, self.b)
        for name, array in (("w", self.w), ("b", self.b)):
            if array is None:
                continue
            if not array.flags.writeable:
                raise ValueError(f"{name} must be writable, got a read-only array")
            check_separate(array, name)
        sgd_step(self.dw_kept, self.rows, self.columns, np.asarray(self.w), float(lr))
        if self.b is not None and self.db_kept is not None:
            with np.errstate(all="ignore"):  # no warnings, as for w: as errors, they would leave a step half done
                self.b[self.columns] -= self.db_kept.dtype.type(lr) * self.db_kept


def _check_parameters(w: object, b: object) -> None:
    """Refuse a `w` that is not a matrix of weights, and a `b` that does not fit it."""
    if not isinstance(w, np.ndarray):
        raise TypeError(f"w must be a numpy.ndarray, got {type(w).__name__}")
    if w.dtype.type not in (np.float32, np.float64):
        raise TypeError(
            f"w must have dtype float32 or float64, got {w.dtype}: cast it first, as in w.astype(numpy.float32)"
        )
    if w.ndim != 2:
        raise ValueError(f"w must have shape (inputs, outputs), got {w.shape}")
    if not (w.dtype.isnative and w.flags.aligned):
        raise ValueError(f"w must be in native byte order and aligned, got {w.dtype.str}")
    check_array(w, "w")
    if b is None:
        return
    if not isinstance(b, np.ndarray):
        raise TypeError(f"b must be a numpy.ndarray or None, got {type(b).__name__}")
    if _operand(b, "b", w.dtype).shape != w.shape[1:]:
        raise ValueError(f"b must have shape {w.shape[1:]}, an entry for each column of w, got {b.shape}")


def _operand(a: Any, name: str, dtype: np.dtype[Any]) -> Array:
    """Return `a` as an aligned, native array; refuse another dtype than w's."""
    array = check_array(a, name)
    native = array.dtype.newbyteorder("=")
    if native != dtype:
        raise TypeError(f"{name} must have w's dtype {dtype}, got {array.dtype}")
    return array if array.dtype.isnative and array.flags.aligned else array.astype(native)


def _kept_rows(x_mask: object, inputs: int) -> Indices:
    """Return the rows of w whose column of x is kept."""
    refuse_masked(x_mask, "x_mask")
    if x_mask is None:
        return np.arange(inputs)
    if isinstance(x_mask, Mask):
        rows, shape = kept_units(x_mask), x_mask.shape[-1:]
        if rows is None:
            raise ValueError(f"x_mask must be a unit mask, the same for every row of x, got {x_mask}")
    elif isinstance(x_mask, np.ndarray) and x_mask.dtype == np.bool_:
        rows, shape = x_mask.nonzero()[0], x_mask.shape
    else:
        got = x_mask.dtype if isinstance(x_mask, np.ndarray) else type(x_mask).__name__
        raise TypeError(f"x_mask must be a fastdrop.Mask or a bool array, got {got}")
    if shape != (inputs,):
        raise ValueError(f"x_mask must have shape {(inputs,)}, an entry for each row of w, got {shape}")
    return rows


def _pack(whole: Array, rows: Indices, columns: Indices) -> Array:
    """Return ``whole[rows][:, columns]``, or the array itself if these are all rows and columns."""
    return whole if whole.shape == (len(rows), len(columns)) else gather(whole, rows, columns)


def _spread(packed: Array, rows: Indices, columns: Indices, shape: tuple[int, ...]) -> Array:
    """Return an array of that shape with `packed` in those rows and columns, and +0.0 elsewhere."""
    if packed.shape == shape:
        return packed
    whole = np.zeros(shape, packed.dtype)
    scatter(packed, rows, columns, whole)
    return whole
