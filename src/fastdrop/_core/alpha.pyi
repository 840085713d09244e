from typing import Any, SupportsFloat, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import NDArray

from .arguments import Store
from .dropout import NoiseShape, Window
from .mask import Mask
from .rng import AnyRng

_D = TypeVar("_D", bound=np.inexact[Any])

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
