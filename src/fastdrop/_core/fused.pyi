from typing import Any, SupportsFloat, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import Store
from .mask import Mask
from .rng import AnyRng

_D = TypeVar("_D", bound=np.inexact[Any])

@overload
def bias_dropout_residual(
    x: NDArray[_D],
    bias: ArrayLike | None,
    residual: ArrayLike | None,
    p: SupportsFloat = 0.5,
    *,
    rng: AnyRng = None,
    out: NDArray[_D] | None = None,
    store: Store = "bits",
) -> tuple[NDArray[_D], Mask]: ...
@overload
def bias_dropout_residual(
    x: ArrayLike,
    bias: ArrayLike | None,
    residual: ArrayLike | None,
    p: SupportsFloat = 0.5,
    *,
    rng: AnyRng = None,
    out: NDArray[Any] | None = None,
    store: Store = "bits",
) -> tuple[NDArray[Any], Mask]: ...
@overload
def bias_dropout_residual_backward(
    dy: NDArray[_D], mask: Mask, *, out: NDArray[_D] | None = None
) -> tuple[NDArray[_D], NDArray[_D] | None, NDArray[_D] | None]: ...
@overload
def bias_dropout_residual_backward(
    dy: ArrayLike, mask: Mask, *, out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]: ...

class FusedMask(Mask): ...

def _rebuild_fused_mask(version: Any, bias: Any, residual: Any, *mask: Any) -> FusedMask: ...
