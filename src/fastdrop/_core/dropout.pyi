from collections.abc import Iterable, Sequence
from typing import Any, SupportsFloat, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import Store
from .mask import Mask
from .rng import AnyRng

NoiseShape: TypeAlias = Sequence[SupportsIndex | None]
Rate: TypeAlias = SupportsFloat | ArrayLike

_D = TypeVar("_D", bound=np.inexact[Any])
Window: TypeAlias = tuple[Iterable[SupportsIndex], Iterable[SupportsIndex]]

@overload
def dropout(
    x: NDArray[_D],
    p: Rate = 0.5,
    *,
    rng: AnyRng = None,
    out: NDArray[_D] | None = None,
    noise_shape: NoiseShape | None = None,
    offset: SupportsIndex = 0,
    window: Window | None = None,
    store: Store = "bits",
    inverted: bool = True,
) -> tuple[NDArray[_D], Mask]: ...
@overload
def dropout(
    x: ArrayLike,
    p: Rate = 0.5,
    *,
    rng: AnyRng = None,
    out: NDArray[Any] | None = None,
    noise_shape: NoiseShape | None = None,
    offset: SupportsIndex = 0,
    window: Window | None = None,
    store: Store = "bits",
    inverted: bool = True,
) -> tuple[NDArray[Any], Mask]: ...
@overload
def dropout_backward(dy: NDArray[_D], mask: Mask, *, out: NDArray[_D] | None = None) -> NDArray[_D]: ...
@overload
def dropout_backward(dy: ArrayLike, mask: Mask, *, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
def bernoulli(shape: SupportsIndex | Iterable[SupportsIndex], p: Rate, *, rng: AnyRng = None) -> NDArray[np.bool_]: ...
def dropout_rows(
    x: NDArray[_D],
    p: Rate,
    rng: AnyRng,
    out: NDArray[_D] | None,
    noise_shape: NoiseShape | None,
    store: Store,
    inverted: bool,
    row_axis: int | None,
) -> tuple[NDArray[_D], Mask]: ...
def check_p(p: Rate, arrays: bool) -> float | NDArray[np.float64]: ...
