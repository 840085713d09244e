"""Which logical indices an array's elements have: noise shapes, offsets, windows and rows (csrc/README.md)."""

import math
import operator
from collections.abc import Sequence
from typing import Any

from .arguments import natural

INDICES = 2**64
MAX_DIMS = 64  # NumPy's limit

Ints = tuple[int, ...]


def resolve(
    shape: Ints, noise_shape: object, offset: object, window: object, row: int, row_axis: int = 0
) -> tuple[Ints | None, int, Ints | None]:
    """Return the noise shape (None: x's shape), the first index, and the steps of the index (None: consecutive).

    `row_axis` is the axis of the rng's rows; the noise shape has extent 1 on the axes before it.
    """
    entries = None if noise_shape is None else _entries(noise_shape, shape)
    start = natural(offset, "offset")
    if window is not None and start:
        raise ValueError("offset and window exclude each other, got both")
    if row and (start or window is not None):
        raise ValueError(f"offset and window exclude an rng at a row, got row {row}")
    if row and not shape:
        raise ValueError("an rng at a row needs an x with an axis, got a 0-d array")
    if entries is not None and (row or window is not None) and any(e not in (None, 1) for e in entries):
        beside = "an rng at a row" if row else "a window"
        raise ValueError(f"noise_shape must have only None and 1 beside {beside}, got {noise_shape}")
    noise = shape if entries is None else tuple(n if e is None else e for n, e in zip(shape, entries, strict=True))
    strides = None
    if window is not None:
        start, strides = _window(window, shape, entries, noise)
    else:
        if row and (entries is None or entries[row_axis] is None):
            start = row * math.prod(noise[row_axis + 1 :])
        n = math.prod(noise)
        if start + n > INDICES:
            raise ValueError(f"offset + n must be at most 2**64, got {start} + {n}")
    return (None if noise == shape else noise), start % INDICES, strides


def _entries(noise_shape: object, shape: Ints) -> tuple[int | None, ...]:
    if not isinstance(noise_shape, (tuple, list)):
        raise TypeError(f"noise_shape must be a tuple of ints and None, got {type(noise_shape).__name__}")
    entries: list[int | None] = []
    for entry in noise_shape:
        try:
            entries.append(None if entry is None else operator.index(entry))
        except TypeError:
            raise TypeError(f"noise_shape must be a tuple of ints and None, got {type(entry).__name__}") from None
    padded = [1] * (len(shape) - len(entries)) + entries
    if len(padded) != len(shape) or any(e not in (None, 1, n) for e, n in zip(padded, shape, strict=True)):
        raise ValueError(f"noise_shape must broadcast to x's shape {shape}, got {tuple(noise_shape)}")
    return tuple(padded)


def _ints(window: Any) -> tuple[Ints, Ints]:
    try:
        full_shape, start = window
        return tuple(map(operator.index, full_shape)), tuple(map(operator.index, start))
    except (TypeError, ValueError):
        raise TypeError(
            f"window must be a pair (full_shape, start) of int sequences, got {type(window).__name__}"
        ) from None


def _window(window: object, shape: Ints, entries: Sequence[int | None] | None, noise: Ints) -> tuple[int, Ints | None]:
    full_shape, start = _ints(window)
    if len(full_shape) != len(shape) or len(start) != len(shape):
        raise ValueError(f"window must have x's {len(shape)} axes, got full_shape {full_shape} and start {start}")
    if any(s < 0 or s + n > full for full, s, n in zip(full_shape, start, shape, strict=True)):
        raise ValueError(f"window must lie inside full_shape {full_shape}, got start {start} and shape {shape}")
    if math.prod(full_shape) > INDICES:
        raise ValueError(f"the product of full_shape must be at most 2**64, got {full_shape}")
    first, step, strides, consecutive = 0, 1, [], True
    expected = 1
    for d in reversed(range(len(shape))):
        shared = entries is not None and entries[d] == 1
        if noise[d] > 1:
            consecutive = consecutive and step == expected
        expected *= noise[d]
        strides.append(step if noise[d] > 1 else 1)
        if not shared:
            first += start[d] * step
            step *= full_shape[d]
    return first, None if consecutive else tuple(reversed(strides))


def check_broadcast(shape: Ints, noise: Ints) -> None:
    """Refuse the shape of an array p that does not broadcast to the noise shape."""
    pairs = zip(reversed(shape), reversed(noise), strict=False)
    if len(shape) > len(noise) or any(n not in (1, extent) for n, extent in pairs):
        raise ValueError(f"p must broadcast to the noise shape {noise}, got {shape}")


def as_shape(shape: Any) -> Ints:
    """Return the shape that an int or a sequence of ints means; none may be negative."""
    try:
        extents = tuple(map(operator.index, shape)) if hasattr(shape, "__iter__") else (operator.index(shape),)
    except TypeError:
        raise TypeError(f"shape must be an int or a sequence of ints, got {type(shape).__name__}") from None
    if any(extent < 0 for extent in extents):
        raise ValueError(f"shape must not be negative, got {extents}")
    if len(extents) > MAX_DIMS:
        raise ValueError(f"shape must have at most {MAX_DIMS} axes, got {len(extents)}")
    return extents
