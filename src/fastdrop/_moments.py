"""Statistics of samples that come one by one: mean, variance, entropies, and whether the samples differ at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .layers.base import Array

SUM_TOLERANCE = 0.01  # of a sum of probabilities: more than rounding to half precision can change it


class Statistics:
    """The statistics of all samples so far, by Welford's recurrences in double precision."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.count = 0
        self.mean: Array = np.zeros(shape, np.complex128 if dtype.kind == "c" else np.float64)
        self.fault = ""  # why the samples are not probabilities; empty if they are
        self._squares = np.zeros(shape)  # the sum of |y - mean|^2
        self._entropies = np.zeros(shape[:-1])  # the sum of the samples' entropies, as long as fault is empty
        self._first = b""  # the first sample, as long as all others are equal to it

    def add(self, y: Array) -> None:
        """Add a sample, of the shape and dtype of the first; without warnings, as in the core."""
        self.count += 1
        if self.count == 1:
            self._first = y.tobytes()
        elif self._first and self._first != y.tobytes():
            self._first = b""
        with np.errstate(all="ignore"):
            delta = y.astype(self.mean.dtype)
            self.fault = self.fault or _fault(delta)
            if not self.fault:
                self._entropies += entropy(delta)
            # Nothing is subtracted from an infinite mean, so that it stays infinite, as in numpy.mean.
            np.subtract(delta, self.mean, out=delta, where=np.isfinite(self.mean))
            self.mean += delta / self.count
            if self.count > 1:
                self._squares += np.abs(delta) ** 2 * (1 - 1 / self.count)

    @property
    def constant(self) -> bool:
        """Whether all samples are equal in every bit, and not empty."""
        return self._first != b""

    @property
    def std(self) -> Array:
        """The standard deviation; NaN where the mean is not finite, as in numpy.std."""
        with np.errstate(all="ignore"):
            return np.where(np.isfinite(self.mean), np.sqrt(self._squares / self.count), np.nan)

    @property
    def mean_entropy(self) -> Array:
        """The mean of the samples' entropies, if they are probabilities."""
        with np.errstate(all="ignore"):
            return self._entropies / self.count


def entropy(p: Array) -> Array:
    """Return the entropies over the last axis in nats, where 0 log 0 is 0."""
    with np.errstate(all="ignore"):
        log = np.log(p, out=np.zeros_like(p), where=p > 0)
        return np.asarray(0 - (p * log).sum(axis=-1))  # 0 - s, since -s would be -0.0 if an entry is 1


def _fault(y: Array) -> str:
    """Return why y is not probabilities, or an empty text if it is."""
    if y.ndim == 0 or y.dtype.kind == "c":
        return f"a {y.ndim}-d array of {y.dtype}"
    least = y.min(initial=0)
    if not least >= 0:  # NaN too
        return f"a value of {least:g}"
    sums = np.ravel(y.sum(axis=-1))
    error = np.abs(sums - 1)
    return f"a sum of {sums[error.argmax()]:g}" if error.max(initial=0) > SUM_TOLERANCE else ""
