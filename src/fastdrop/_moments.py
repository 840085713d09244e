"""What samples that come one by one amount to: mean, variance, entropies, whether they differ at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .layers.base import Array

SUM_TOLERANCE = 0.01  # of probabilities: more than what rounding to half precision takes from them


class Statistics:
    """The statistics of the samples so far, by Welford's recurrences in double precision."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.count = 0
        self.mean: Array = np.zeros(shape, np.complex128 if dtype.kind == "c" else np.float64)
        self.fault = ""  # what kept a sample from being probabilities
        self._squares = np.zeros(shape)  # the sum of |y - mean|^2
        self._entropies = np.zeros(shape[:-1])  # their sum, as long as there is no fault
        self._first = b""  # the first sample, as long as all others are the same

    def add(self, y: Array) -> None:
        """Take in a sample, of the shape and dtype of the first; without warnings, as the core."""
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
            # From a mean that is infinite nothing is subtracted: it stays so, as numpy.mean has it.
            np.subtract(delta, self.mean, out=delta, where=np.isfinite(self.mean))
            self.mean += delta / self.count
            if self.count > 1:
                self._squares += np.abs(delta) ** 2 * (1 - 1 / self.count)

    @property
    def constant(self) -> bool:
        """Whether all samples are equal in every bit, and have any."""
        return self._first != b""

    @property
    def std(self) -> Array:
        """The standard deviation; NaN where the mean is not finite, as numpy.std has it."""
        with np.errstate(all="ignore"):
            return np.where(np.isfinite(self.mean), np.sqrt(self._squares / self.count), np.nan)

    @property
    def mean_entropy(self) -> Array:
        """The mean of the samples' entropies, if there was no fault."""
        with np.errstate(all="ignore"):
            return self._entropies / self.count


def entropy(p: Array) -> Array:
    """Return the entropies over the last axis in nats, where 0 log 0 is 0."""
    with np.errstate(all="ignore"):
        log = np.log(p, out=np.zeros_like(p), where=p > 0)
        return np.asarray(0 - (p * log).sum(axis=-1))  # not the negative, which is -0.0 where one entry is 1


def _fault(y: Array) -> str:
    """Return what keeps y from being probabilities, nothing where it is."""
    if y.ndim == 0 or y.dtype.kind == "c":
        return f"a {y.ndim}-d array of {y.dtype}"
    least = y.min(initial=0)
    if not least >= 0:  # NaN too
        return f"a value of {least:g}"
    sums = np.ravel(y.sum(axis=-1))
    error = np.abs(sums - 1)
    return f"a sum of {sums[error.argmax()]:g}" if error.max(initial=0) > SUM_TOLERANCE else ""
