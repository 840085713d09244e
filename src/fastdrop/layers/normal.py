"""Normal deviates as a function of the logical index, from NumPy's generator; `gaussian_dropout` says how."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core.arithmetic import compute_dtype

if TYPE_CHECKING:
    from .base import Array

BLOCK = 16384  # how many elements take their deviates from one generator


def fill_normal(
    noise: Array, call: tuple[int, int], start: int, strides: tuple[int, ...] | None, mean: float, deviation: float
) -> None:
    """Set noise to ``mean + deviation * z``, for each run of consecutive indices and each block in it."""
    outer = () if strides is None else noise.shape[:-1]
    starts = [start + sum(map(operator.mul, at, strides or ())) for at in np.ndindex(outer)]
    runs = noise.reshape(len(starts), -1)
    end = starts[-1] + runs.shape[1]
    dtype, block, values = compute_dtype(noise.dtype), -1, noise
    for run, index in zip(runs, starts, strict=True):
        at = 0
        while at < run.size:
            number, within = divmod(index + at, BLOCK)
            if number != block:
                block = number
                values = _block(call, block, min(BLOCK, end - block * BLOCK), dtype)
                values *= dtype.type(deviation)
                values += dtype.type(mean)
            part = values[within : within + run.size - at]
            run[at : at + part.size] = part
            at += part.size


def _block(call: tuple[int, int], block: int, n: int, dtype: np.dtype[Any]) -> Array:
    """Return the deviates z of the first n elements of a block."""
    from numpy.random import Generator, Philox  # imported late: it takes longer than all of fastdrop

    # uint64 arrays, since NumPy converts Python ints of 2**63 and more through float64.
    key, counter = np.array(call, np.uint64), np.array([0, 0, block, 0], np.uint64)
    return Generator(Philox(key=key, counter=counter)).standard_normal(n, dtype=dtype)
