"""Checks of loaded states and pickles, which may have been written by anybody."""

import math
from typing import Any

import numpy as np

from .indices import INDICES, Ints, as_shape
from .seeds import WORD

STATE = ("version", "key", "counter", "spawned", "row")
FLT_MAX = float(np.finfo(np.float32).max)


def check_state(state: object) -> tuple[int, int, int, int, int]:
    """Return k0, k1, counter, spawned and row of a state, whose values may be 0-d arrays, as from numpy.load."""
    if not isinstance(state, dict):
        raise TypeError(f"state must be a dict, got {type(state).__name__}")
    if state.keys() != set(STATE):
        missing = ", ".join(name for name in STATE if name not in state) or "none"
        unknown = ", ".join(str(name) for name in state if name not in STATE) or "none"
        raise ValueError(f"state must have the keys {', '.join(STATE)}, got missing: {missing}, unknown: {unknown}")
    plain = {name: v.item() if isinstance(v, (np.ndarray, np.generic)) else v for name, v in state.items()}
    key = plain["key"]
    for name in ("version", "counter", "spawned", "row"):
        if type(plain[name]) is not int:
            raise TypeError(f"state {name} must be an int, got {type(plain[name]).__name__}")
        if not 0 <= plain[name] < WORD:
            raise ValueError(f"state {name} must be between 0 and 2**64 - 1, got {plain[name]}")
    if plain["version"] != 1:
        raise ValueError(f"state version must be 1, got {plain['version']}")
    if not isinstance(key, str) or len(key) != 32 or not set(key) <= set("0123456789abcdefABCDEF"):
        raise ValueError(f"state key must be 32 hex digits, got {key!r}")
    return int(key[:16], 16), int(key[16:], 16), plain["counter"], plain["spawned"], plain["row"]


def check_version(version: object, of: str) -> None:
    """Refuse pickles of another version than 1."""
    if type(version) is not int or version != 1:
        raise ValueError(f"the version of a pickled {of} must be 1, got {version!r}")


def to_plain(value: Any) -> Any:
    """Return an array as its type, shape and bytes, since NumPy 1 cannot read arrays that NumPy 2 pickled."""
    if not isinstance(value, np.ndarray):
        return value
    return value.dtype.type, value.shape, value.astype(value.dtype.newbyteorder("<")).tobytes()


def from_plain(value: Any) -> Any:
    """Return the array that `to_plain` was given; the inverse of that."""
    if type(value) is not tuple:
        return value
    kind, shape, data = value
    if not (isinstance(kind, type) and issubclass(kind, np.generic)):
        raise TypeError(f"a pickled array must be of a NumPy type, got {kind!r}")
    return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).astype(kind, copy=False).reshape(as_shape(shape))


def check_part(shape: Ints, noise: Any, strides: Any, start: int) -> tuple[Ints | None, Ints | None]:
    """Return the noise shape and the index steps of a pickled mask; refuse them if they do not fit its shape."""
    extents = shape
    if noise is not None:
        noise = extents = as_shape(noise)
        if len(noise) != len(shape) or any(e not in (1, n) for e, n in zip(noise, shape, strict=True)):
            raise ValueError(f"the noise shape of a pickled Mask must broadcast to {shape}, got {noise}")
    if strides is None:
        last = start + math.prod(extents) - 1
    else:
        strides = as_shape(strides)
        if len(strides) != len(extents):
            raise ValueError(f"a pickled Mask of shape {shape} must have as many strides, got {strides}")
        last = max(start + sum((e - 1) * step for e, step in zip(extents, strides, strict=True)), *strides, 0)
    if last >= INDICES:
        raise ValueError(f"the last index of a pickled Mask must be below 2**64, got {last}")
    return noise, strides


def check_scale(scale: Any, p: Any) -> float:
    """Return the scale of a pickled mask; with an array p, 0 if the pickle says that it is inverted, else 1."""
    if np.ndim(p) > 0:
        if type(scale) is not bool:
            raise TypeError(f"a pickled Mask must say whether its array p is inverted, got {type(scale).__name__}")
        return 0 if scale else 1
    if not (0 < scale <= FLT_MAX or scale == (math.inf if p == 1 else 1 / (1 - p))):
        raise ValueError(f"the scale of a pickled Mask must be finite and positive, got {scale}")
    return float(scale)


def check_bits(bits: Any, shape: Ints) -> None:
    """Refuse packed bits whose number does not fit a mask of that shape, or of which one past the end is 1."""
    n = math.prod(shape)
    if type(bits) is not bytes:
        raise TypeError(f"bits must be bytes, got {type(bits).__name__}")
    if len(bits) != (n + 7) // 8:
        raise ValueError(f"bits must have {(n + 7) // 8} bytes for shape {shape}, got {len(bits)}")
    if n % 8 and bits[n // 8] >> n % 8:
        raise ValueError("bits must be 0 past the end, got a set bit")


def check_parts(bias: Any, residual: Any, shape: Ints) -> tuple[bool, bool]:
    """Return whether a pickled mask of bias_dropout_residual had a bias, and a residual."""
    if type(bias) is not bool or type(residual) is not bool:
        raise TypeError("a pickled Mask of bias_dropout_residual must say whether it had a bias and a residual")
    if bias and not shape:
        raise ValueError(f"a pickled Mask of bias_dropout_residual must have an axis for its bias, got shape {shape}")
    return bias, residual
