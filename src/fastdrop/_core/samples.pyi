from typing import Any, SupportsIndex, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .dropout import Rate
from .rng import AnyRng

_D = TypeVar("_D", bound=np.inexact[Any])

@overload
def mc_dropout(
    x: NDArray[_D],
    p: Rate,
    samples: SupportsIndex,
    *,
    rng: AnyRng = None,
    out: NDArray[_D] | None = None,
) -> NDArray[_D]: ...
@overload
def mc_dropout(
    x: ArrayLike,
    p: Rate,
    samples: SupportsIndex,
    *,
    rng: AnyRng = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]: ...
