from typing import Any, SupportsFloat, SupportsIndex, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arguments import Store
from .dropout import NoiseShape, Window
from .mask import Mask
from .rng import AnyRng

_D = TypeVar("_D", bound=np.inexact[Any])

@overload
def alpha_dropout(
    x: NDArray[_D],
    p: SupportsFloat = 0.5,
    *,
    rng: AnyRng = None,
    out: NDArray[_D] | None = None,
    noise_shape: NoiseShape | None = None,
    offset: SupportsIndex = 0,
    window: Window | None = None,
    store: Store = "bits",
) -> tuple[NDArray[_D], Mask]: ...
@overload
def alpha_dropout(
    x: ArrayLike,
    p: SupportsFloat = 0.5,
    *,
    rng: AnyRng = None,
    out: NDArray[Any] | None = None,
    noise_shape: NoiseShape | None = None,
    offset: SupportsIndex = 0,
    window: Window | None = None,
    store: Store = "bits",
) -> tuple[NDArray[Any], Mask]: ...
