"""Dropout for dask arrays: the mask of the whole array, whatever its chunks, its scheduler and its machines.

A chunk is a window of the array, and a mask a pure function of key, stream, p and index, so that each task draws its
part by itself; nothing is kept for backward but the recipe, a few numbers.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import fastdrop as fd

try:
    import dask.array as da
    from dask.array.utils import meta_from_array
    from dask.delayed import delayed
except ImportError as error:
    raise ImportError(f"fastdrop.dask needs dask, got {error}: pip install 'numpy-fastdrop[dask]'") from error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import SupportsFloat, SupportsIndex

    from numpy.random import BitGenerator, Generator, SeedSequence
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]
    AnyRng = fd.Rng | SupportsIndex | Sequence[int] | SeedSequence | Generator | BitGenerator | None
    Entries = tuple[int | None, ...]

__all__ = ["Mask", "MonteCarlo", "dropout", "monte_carlo"]


@dataclass(frozen=True, eq=False)
class Mask:
    """Which elements of a dask array were kept: a recipe, from which every task draws its part again.

    Attributes
    ----------
    shape : tuple of int
        The shape of the masked array.
    p : float or ndarray
        The probability of dropping.
    noise_shape : tuple of int and None
        Of x's number of axes, 1 where a mask element is shared along the axis.
    key : tuple of two ints
        Of the rng.
    stream, row : int
        The rng's counter and its row when `dropout` was called.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastdrop.dask
    >>> y, mask = fastdrop.dask.dropout(da.ones((4, 6), chunks=3), rng=0)
    >>> dx = mask.apply(da.ones((4, 6), chunks=(2, 6)))
    >>> bool((dx == y).all())
    True
    """

    shape: tuple[int, ...]
    p: float | Array
    noise_shape: Entries
    key: tuple[int, int]
    stream: int
    row: int

    __array_ufunc__ = None  # arithmetic with a mask is a TypeError, as with fastdrop's own

    def apply(self, dy: da.Array) -> da.Array:
        """Return ``dy * scale`` where kept and 0 elsewhere: the gradient.

        Parameters
        ----------
        dy : dask array
            Of the mask's shape, in any chunks of known sizes, and of any dtype that `fastdrop.dropout` takes.

        Returns
        -------
        dask array
            Of dy's dtype and chunks.

        Raises
        ------
        TypeError, ValueError
            Where dy is no dask array, or of another shape, of another kind of numbers, or with unknown chunk sizes.
        """
        _check(dy, "dy")
        if dy.shape != self.shape:
            raise ValueError(f"dy must have the mask's shape {self.shape}, got {dy.shape}")
        # With a meta, dask does not call the function to find out what it returns.
        meta = fd.dropout_backward(meta_from_array(dy), fd.Mask.from_bool(np.zeros((0,) * dy.ndim, bool), 0.0))
        dx: da.Array = da.map_blocks(_drop, dy, self, dtype=meta.dtype, meta=meta)
        return dx


def _full_shape(shape: tuple[int, ...], row: int) -> tuple[int, ...]:
    """Return the shape of the array of which one at a row is a part: it has rows before it."""
    return tuple(n + row * (axis == 0) for axis, n in enumerate(shape))


def _drop(x: Array, mask: Mask, block_info: Any) -> Array:
    """Drop one chunk."""
    place = block_info[None]["array-location"]
    start = [first + mask.row * (axis == 0) for axis, (first, _) in enumerate(place)]
    p = mask.p
    if isinstance(p, np.ndarray):
        p = p[tuple(slice(*place[axis]) if p.shape[axis] > 1 else slice(1) for axis in range(-p.ndim, 0))]
    y: Array
    with fd.num_threads(1):  # the scheduler has a thread for each task already
        y, _ = fd.dropout(
            x,
            p,
            rng=fd.Rng.from_key(*mask.key, mask.stream),
            noise_shape=mask.noise_shape,
            window=(_full_shape(mask.shape, mask.row), start),
            store="recipe",
        )
    return y


def dropout(
    x: da.Array,
    p: SupportsFloat | ArrayLike = 0.5,
    *,
    rng: AnyRng,
    noise_shape: Sequence[SupportsIndex | None] | None = None,
) -> tuple[da.Array, Mask]:
    """Set elements of a dask array to zero with probability p, and scale the others by ``1 / (1 - p)`` [1]_.

    Bit for bit ``fd.dropout(x.compute(), p, rng=rng, noise_shape=noise_shape)``, whatever the chunks.

    Parameters
    ----------
    x : dask array
        Of a dtype that `fastdrop.dropout` takes, with chunks of known sizes.
    p : float or array_like
        The probability of dropping, from 0 to 1; an array broadcasts to the noise shape.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        Taken at the call, not when the result is computed: an `Rng` moves by one stream, a NumPy generator by one key;
        None is a new key, an int the same mask at every call.
    noise_shape : sequence of int and None, optional
        The shape of the mask, which broadcasts to x's: 1 where an element is shared along the axis, None or x's size
        elsewhere.

    Returns
    -------
    y : dask array
        Of x's dtype and chunks.
    mask : Mask
        Whose `apply` is the gradient.

    Raises
    ------
    TypeError, ValueError
        On a bad argument, and where a chunk's size is unknown; nothing is drawn then.

    References
    ----------
    .. [1] Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent neural networks
       from overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> import fastdrop as fd, fastdrop.dask
    >>> x = da.ones((4, 6), chunks=(3, 2))
    >>> y, mask = fastdrop.dask.dropout(x, 0.5, rng=fd.Rng(0))
    >>> np.array_equal(y.compute(), fd.dropout(np.ones((4, 6)), 0.5, rng=fd.Rng(0))[0])
    True
    >>> dx = mask.apply(da.ones_like(x))
    """
    _check(x, "x")
    entries = _entries(noise_shape, x.shape)
    rate = fd.Dropout(p, rng=0).p
    noise = tuple(n if e is None else e for n, e in zip(x.shape, entries, strict=True))
    if isinstance(rate, np.ndarray) and not _broadcasts(rate.shape, noise):
        raise ValueError(f"p must broadcast to the noise shape {noise}, got {rate.shape}")
    row = int(rng.state["row"]) if isinstance(rng, fd.Rng) else 0
    if row and not x.ndim:
        raise ValueError(f"an rng at a row needs an x with an axis, got row {row} and a 0-d array")
    # Refuses x's dtype, and more elements than a mask has, before the rng is touched.
    fd.dropout(meta_from_array(x), 0.0, rng=0, window=(_full_shape(x.shape, row), (0,) * x.ndim))
    source = fd.Dropout(rng=rng).rng
    mask = Mask(x.shape, rate, entries, source.key, _take(source), row)
    return mask.apply(x), mask


def _check(x: Any, name: str) -> None:
    if not isinstance(x, da.Array):
        raise TypeError(f"{name} must be a dask array, got {type(x).__name__}")
    if any(np.isnan(n) for n in x.shape):
        raise ValueError(
            f"{name} must have chunks of known sizes, got shape {x.shape}: call {name}.compute_chunk_sizes() first"
        )


def _entries(noise_shape: Any, shape: tuple[int, ...]) -> Entries:
    """Return a noise shape of x's number of axes in which a full size is None: a chunk has another size there."""
    if noise_shape is None:
        return (None,) * len(shape)
    try:
        given = tuple(None if entry is None else operator.index(entry) for entry in noise_shape)
    except TypeError:
        raise TypeError(f"noise_shape must be a tuple of ints and None, got {noise_shape!r}") from None
    padded = (1,) * (len(shape) - len(given)) + given
    if len(padded) != len(shape) or any(e not in (None, 1, n) for e, n in zip(padded, shape, strict=True)):
        raise ValueError(f"noise_shape must broadcast to x's shape {shape}, got {given}")
    return tuple(1 if entry == 1 else None for entry in padded)


def _broadcasts(shape: tuple[int, ...], noise: tuple[int, ...]) -> bool:
    pairs = zip(reversed(shape), reversed(noise), strict=False)
    return len(shape) <= len(noise) and all(n in (1, extent) for n, extent in pairs)


def _take(rng: fd.Rng) -> int:
    """Take a stream of the rng and return its number.

    Where the counter has moved by one since it was read, the one call that moved it is this one; where other threads
    draw from the rng between, another stream is taken.
    """
    while True:
        counter = rng.counter
        fd.bernoulli(0, 0.5, rng=rng)
        if rng.counter == counter + 1:
            return counter


class MonteCarlo:
    """What `monte_carlo` will find out, as dask arrays; y stands for an output of f.

    Attributes
    ----------
    mean, std : dask array of float64 (mean: complex128 for complex outputs), of y's shape
    entropy, mutual_information : dask array of float64, shape ``y.shape[:-1]``
        Of outputs that are probabilities, with two axes or more. See `fastdrop.MonteCarlo`.
    """

    def __init__(self, parts: list[Any], rows: tuple[int, ...], output: fd.MonteCarlo) -> None:
        self._parts, self._rows = parts, rows
        self.mean = self._gather("mean", output.mean)
        self.std = self._gather("std", output.std)
        self._lead = output.std[..., 0] if output.std.ndim > 1 else None

    @property
    def entropy(self) -> da.Array:
        """The entropy of the mean, in nats over the last axis."""
        return self._gather("entropy", self._lead)

    @property
    def mutual_information(self) -> da.Array:
        """The entropy of the mean less the mean entropy of the samples."""
        return self._gather("mutual_information", self._lead)

    def _gather(self, name: str, row: Array | None) -> da.Array:
        """Put together what the blocks of rows have under that name; `row` is the like of one row."""
        if row is None:
            raise ValueError(f"{name} needs outputs of two axes or more, got one")
        pairs = zip(self._parts, self._rows, strict=True)
        blocks = [da.from_delayed(getattr(part, name), (n, *row.shape[1:]), row.dtype) for part, n in pairs]
        whole: da.Array = da.concatenate(blocks)
        return whole


def monte_carlo(
    f: Callable[[Array, fd.Rng], ArrayLike], x: da.Array, samples: SupportsIndex = 100, *, rng: AnyRng
) -> MonteCarlo:
    """Run `f` many times over each block of rows with other masks [1]_, as `fastdrop.monte_carlo` does.

    Parameters
    ----------
    f : callable
        ``f(x, rng)`` of NumPy arrays returns a row for each row of x, and draws its masks from the `Rng` it is handed.
        It is called once at the call, with a row of zeros, to see what it returns, and then in the tasks.
    x : dask array
        The input, rows along axis 0, with chunks of known sizes; other axes are put together.
    samples : int
        How many outputs to take, at least 1.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        As in `fastdrop.monte_carlo`: sample t of the rows from r on draws from ``rng.fold_in(t).at_row(r)``, so that no
        mask depends on the chunks. An `Rng` does not move.

    Returns
    -------
    MonteCarlo
        With `mean`, `std`, `entropy` and `mutual_information`, which are lazy.

    Raises
    ------
    TypeError, ValueError
        On a bad argument, where f returns no array of numbers or other rows than it got, and, when computed, where
        entropies are asked of outputs that are no probabilities.

    Warns
    -----
    UserWarning
        In a task, where all samples of its rows are equal in every bit: a layer in eval mode, or an unused rng; with
        chunks of a few elements also by chance.

    References
    ----------
    .. [1] Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning",
       ICML 2016.

    Examples
    --------
    >>> import dask.array as da, numpy as np
    >>> import fastdrop as fd, fastdrop.dask
    >>> def f(x, rng):
    ...     return fd.dropout(x, rng=rng)[0]
    >>> result = fastdrop.dask.monte_carlo(f, da.ones((6, 50), chunks=(2, 50)), 10, rng=0)
    >>> np.array_equal(result.std.compute(), fd.monte_carlo(f, np.ones((6, 50)), 10, rng=0).std)
    True
    """
    _check(x, "x")
    if not x.ndim:
        raise ValueError("x must have an axis of rows, got a 0-d array")
    count = operator.index(samples)
    if count < 1:
        raise ValueError(f"samples must be at least 1, got {count}")
    row = np.zeros_like(meta_from_array(x), shape=(1, *x.shape[1:]))
    output = fd.monte_carlo(f, row, 1, rng=0, batch_size=1)
    source = fd.Dropout(rng=rng).rng
    base = fd.Rng.from_key(*source.key).at_row(int(source.state["row"]))
    blocks = x.rechunk({axis: -1 for axis in range(1, x.ndim)})
    rows = blocks.chunks[0]
    run, function = delayed(_sample), delayed(f, traverse=False)
    starts = np.cumsum((0, *rows))[:-1]
    tasks = [
        run(function, block, count, base.at_row(int(start)))
        for block, start in zip(blocks.to_delayed().ravel(), starts, strict=True)
    ]
    return MonteCarlo(tasks, rows, output)


def _sample(f: Callable[[Array, fd.Rng], ArrayLike], x: Array, samples: int, rng: fd.Rng) -> fd.MonteCarlo:
    """Run f over one block of rows."""
    with fd.num_threads(1):
        return fd.monte_carlo(f, x, samples, rng=rng, batch_size=max(len(x), 1))
