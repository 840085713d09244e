"""Array arithmetic in the core's compute types, and without warnings, as in the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def compute_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return float64 for float64 and complex128, float32 for the other dtypes."""
    return np.dtype(np.float64 if dtype.char in "dD" else np.float32)


def on_reals(ufunc: np.ufunc, x: Array, operand: Any, y: Array) -> None:
    """Set `y` to the ufunc of two real operands: these are rounded to x's compute type, the result to y's dtype."""
    compute = compute_dtype(x.dtype)
    with np.errstate(all="ignore"):
        ufunc(x, operand, out=y, signature=(compute,) * 3, casting="unsafe")


def rounded(x: Array, dtype: np.dtype[Any]) -> Array:
    """Return `x` in another dtype."""
    with np.errstate(all="ignore"):
        return x.astype(dtype)


def multiply(x: Array, factor: Any, y: Array) -> None:
    """Set `y` to `x` times a real factor. Both parts of a complex `x` are: NumPy would multiply by ``factor + 0j``."""
    on_reals(np.multiply, x.real, factor, y.real)
    if x.dtype.kind == "c":
        on_reals(np.multiply, x.imag, factor, y.imag)
