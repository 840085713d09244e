"""Monte-Carlo dropout: many passes with dropout on; their spread tells how uncertain a network is."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ._core.arguments import natural, refuse_masked
from ._core.rng import Rng
from ._core.streams import own_rng
from ._moments import Statistics, entropy
from ._public import public

if TYPE_CHECKING:
    from typing import SupportsIndex

    from numpy.typing import ArrayLike, DTypeLike

    from ._core.rng import AnyRng
    from .layers.base import Array

    Function = Callable[[Array, Rng], ArrayLike]


@public
class MonteCarlo:
    """The result of `monte_carlo`. Below, y is an output of its `f`.

    Attributes
    ----------
    mean : ndarray of float64 (complex128 for complex outputs), shape ``y.shape``
        The mean of the samples: the prediction.
    std : ndarray of float64, shape ``y.shape``
        Their standard deviation, as `numpy.std` computes it.
    entropy : ndarray of float64, shape ``y.shape[:-1]``
        The predictive entropy: the entropy of the mean over the last axis, in nats. How uncertain the prediction is.
    mutual_information : ndarray of float64, shape ``y.shape[:-1]``
        `entropy` minus the mean entropy of the samples [1]_, in nats: the part of the uncertainty that comes from
        disagreement between the thinned networks, and that more data would reduce.
    samples : ndarray of y's dtype, shape ``(samples, *y.shape)``, or None
        All outputs, if ``keep=True``.

    Raises
    ------
    ValueError
        If `entropy` or `mutual_information` is read, but the outputs are not probabilities: real, at least 0, with sum
        1 over the last axis.

    References
    ----------
    .. [1] Houlsby, Huszar, Ghahramani and Lengyel, "Bayesian active learning for classification and preference
       learning", 2011, arXiv:1112.5745.

    Examples
    --------
    Each sample is certain, but they disagree: all of the uncertainty is mutual information.

    >>> import fastdrop as fd, numpy as np
    >>> def f(x, rng):
    ...     return np.eye(2)[fd.bernoulli(len(x), 0.5, rng=rng).astype(int)]
    >>> result = fd.monte_carlo(f, np.zeros(1), samples=1000, rng=0)
    >>> result.entropy.round(2), result.mutual_information.round(2)
    (array([0.69]), array([0.69]))
    """

    def __init__(self, statistics: Statistics, samples: Array | None) -> None:
        self.mean, self.std, self.samples = statistics.mean, statistics.std, samples
        self._count = statistics.count
        self._mean_entropy, self._fault = statistics.mean_entropy, statistics.fault

    @property
    def entropy(self) -> Array:
        """The entropy of the mean, in nats over the last axis."""
        self._need_probabilities("entropy")
        return entropy(self.mean)

    @property
    def mutual_information(self) -> Array:
        """The entropy of the mean minus the mean entropy; not negative, despite rounding."""
        self._need_probabilities("mutual_information")
        information: Array = np.maximum(entropy(self.mean) - self._mean_entropy, 0)
        return information

    def __repr__(self) -> str:
        keep = self.samples is not None
        return f"{type(self).__name__}(samples={self._count}, shape={self.mean.shape}, keep={keep})"

    def _need_probabilities(self, name: str) -> None:
        if self._fault:
            raise ValueError(
                f"{name} needs outputs that are probabilities, at least 0 with sum 1 over the last axis, "
                f"got {self._fault}"
            )


@public
def monte_carlo(
    f: Function,
    x: ArrayLike,
    samples: SupportsIndex = 100,
    *,
    rng: AnyRng = None,
    batch_size: SupportsIndex | None = None,
    keep: bool = False,
    progress: bool = False,
) -> MonteCarlo:
    """Run `f` many times with different masks: the mean is the prediction, the spread its uncertainty [1]_.

    Parameters
    ----------
    f : callable
        ``f(x, rng)`` returns an array, and draws its masks from the `Rng` that it receives: layers by
        ``layer.forward(x, rng=rng)``, in training mode. All its outputs have the same shape and dtype.
    x : array_like
        The input, with rows along axis 0. f receives read-only views of it.
    samples : int
        How many outputs to take, at least 1.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        Sample t draws from ``rng.fold_in(t)``. So the same `Rng` or seed gives the same samples at every call, and no
        stream is taken from an `Rng`. A NumPy generator is advanced by two 64-bit words. None: a new key at every call.
    batch_size : int, optional
        How many rows f receives at once, at least 1; all by default. Each output must then have as many rows as its
        batch. The batch that begins at row r draws from ``rng.fold_in(t).at_row(r)``, so no mask depends on the batch
        size. `LockedDropout` with time on axis 0 refuses such an rng, since its axis 0 is not rows.
    keep : bool
        Whether to keep all outputs, as `MonteCarlo.samples`.
    progress : bool
        Whether to show a progress bar on stderr (needs rich).

    Returns
    -------
    MonteCarlo
        With `mean`, `std`, `entropy`, `mutual_information` and `samples`.

    Raises
    ------
    TypeError
        If `f` is not callable, `samples` or `batch_size` not an int, `rng` of another type than above, or `x` a masked
        array; if f returns something else than an array of numbers, or another dtype than before.
    ValueError
        If `samples` or `batch_size` is less than 1, there is a `batch_size` and `x` is 0-d, or a seed is negative; if f
        returns another shape than before, or another number of rows than it received.
    ImportError
        If ``progress=True`` and rich is not installed.

    Warns
    -----
    UserWarning
        If there are two samples or more, and all are equal in every bit, or f never used its rng: it drew nothing from
        it, derived nothing and did not read its key, so the samples cannot be drawn again.

    Notes
    -----
    Arguments are checked before anything is drawn. Mean and variance are updated with each sample, in float64 [2]_, so
    memory does not grow with `samples`, unless they are kept.

    References
    ----------
    .. [1] Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning",
       ICML 2016.
    .. [2] Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4, 1962.

    Examples
    --------
    >>> import fastdrop as fd, numpy as np
    >>> layer, w = fd.Dropout(0.5), np.random.default_rng(0).standard_normal((8, 3))
    >>> def f(x, rng):
    ...     y = np.exp(layer.forward(x, rng=rng) @ w)
    ...     return y / y.sum(axis=-1, keepdims=True)
    >>> x = np.ones((4, 8))
    >>> result = fd.monte_carlo(f, x, samples=50, rng=fd.Rng(0))
    >>> result.mean.shape, result.entropy.shape
    ((4, 3), (4,))
    >>> parts = fd.monte_carlo(f, x, samples=50, rng=fd.Rng(0), batch_size=3)
    >>> np.allclose(parts.std, result.std)
    True
    """
    if not callable(f):
        raise TypeError(f"f must be callable, got {type(f).__name__}")
    refuse_masked(x, "x")
    data = np.asarray(x).view()
    data.flags.writeable = False  # so that a layer with inplace=True does not change the input of the next sample
    count = natural(samples, "samples", 1)
    size = None if batch_size is None else natural(batch_size, "batch_size", 1)
    if size is not None and data.ndim == 0:
        raise ValueError("batch_size needs an x with an axis, got a 0-d array")
    used = False

    def watched(x: Array, rng: Rng) -> ArrayLike:
        nonlocal used
        y = f(x, rng)
        used = used or rng._used
        return y

    with _counted(count, progress) as steps:
        source = own_rng(rng)
        for t in steps:
            y = _sample(watched, data, source.fold_in(t), size)
            if t == 0:
                statistics, dtype = Statistics(y.shape, y.dtype), y.dtype
                kept = np.empty((count, *y.shape), y.dtype) if keep else None
            _check_same(y, statistics.mean.shape, dtype)
            statistics.add(y)
            if kept is not None:
                kept[t] = y
    findings = []
    if statistics.constant:
        findings.append(f"all {count} samples are equal in every bit")
    if not used:
        findings.append(
            "f never used its rng, so what it drew cannot be drawn again: "
            "is a layer in eval mode, or the rng not passed on, as in layer.forward(x, rng=rng)?"
        )
    if count > 1 and findings:
        warnings.warn(", and ".join(findings), stacklevel=2)
    return MonteCarlo(statistics, kept)


def _sample(f: Function, x: Array, rng: Rng, batch_size: int | None) -> Array:
    """Return the output of one sample, put together from its batches."""
    if batch_size is None:
        return _output(f(x, rng))
    rows = len(x)
    for r in range(0, max(rows, 1), batch_size):
        batch = x[r : r + batch_size]
        part = _output(f(batch, rng.at_row(r)))
        if part.shape[:1] != (len(batch),):
            raise ValueError(f"f must return a row for each of {len(batch)} rows, got shape {part.shape}")
        if r == 0:
            y = np.empty((rows, *part.shape[1:]), part.dtype)
        _check_same(part, (len(batch), *y.shape[1:]), y.dtype)
        y[r : r + batch_size] = part  # copied now, since f may return the same buffer every time
    return y


def _output(y: ArrayLike) -> Array:
    """Return an output of f as an array; refuse dtypes that cannot be cast to complex128 without loss."""
    if isinstance(y, tuple):  # such as (y, mask) of dropout, which NumPy would make one array of
        raise TypeError("f must return an array, got a tuple")
    refuse_masked(y, "f(x, rng)")
    array = np.asarray(y)
    if not np.can_cast(array.dtype, np.complex128):
        raise TypeError(f"f must return numbers of double precision or less, got {array.dtype}")
    return array


def _check_same(y: Array, shape: tuple[int, ...], dtype: DTypeLike) -> None:
    if y.shape != shape:
        raise ValueError(f"f must return one shape, got {shape} and then {y.shape}")
    if y.dtype != dtype:
        raise TypeError(f"f must return one dtype, got {dtype} and then {y.dtype}")


@contextmanager
def _counted(samples: int, progress: bool) -> Iterator[Iterable[int]]:
    """Yield the numbers of the samples; if asked for, with a progress bar that ends with the block."""
    if not progress:
        yield range(samples)
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        raise ImportError("progress=True needs rich: pip install 'numpy-fastdrop[demo]'") from None
    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield bar.track(range(samples), description="samples")
