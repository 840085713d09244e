"""What was saved and comes back, in states and pickles: nothing in it is trusted."""

import math
from typing import Any

import numpy as np

from ._geometry import INDICES, Ints, as_shape
from ._seeds import WORD

STATE = ("version", "key", "counter", "spawned", "row")


def check_state(state: object) -> tuple[int, int, int, int, int]:
    """Return k0, k1, counter, spawned and row of a state, also of one that numpy.load gave back as 0-d arrays."""
    if not isinstance(state, dict):
        raise TypeError(f"state must be a dict, got {type(state).__name__}")
    if state.keys() != set(STATE):
        raise ValueError(f"state must have the keys {', '.join(STATE)}, got {list(state)}")
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
    """Refuse the pickles of another version."""
    if type(version) is not int or version != 1:
        raise ValueError(f"the version of a pickled {of} must be 1, got {version!r}")


def check_part(shape: Ints, noise: Any, strides: Any, start: int) -> tuple[Ints | None, Ints | None]:
    """Return the noise shape and the steps of a mask that was pickled, if they fit its shape and the index."""
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


def check_bits(bits: Any, shape: Ints) -> None:
    """Refuse bits that are not those of a mask of that shape: as many, and none past the end."""
    n = math.prod(shape)
    if type(bits) is not bytes:
        raise TypeError(f"bits must be bytes, got {type(bits).__name__}")
    if len(bits) != (n + 7) // 8:
        raise ValueError(f"bits must have {(n + 7) // 8} bytes for shape {shape}, got {len(bits)}")
    if n % 8 and bits[n // 8] >> n % 8:
        raise ValueError("bits must be 0 past the end, got a set bit")


def check_function(fused: Any, shape: Ints, plain: bool) -> int:
    """Return which parts bias_dropout_residual had, 0 for other functions; plain: one p, a bit an element, in order."""
    if type(fused) is not int or fused not in (0, 1, 3, 5, 7):
        raise ValueError(f"a pickled Mask must be of a known function, got {fused!r}")
    if fused and not (plain and (shape or not fused & 2)):
        raise ValueError(f"a pickled Mask of bias_dropout_residual must be as that makes them, got shape {shape}")
    return fused
