from typing import Any, SupportsIndex, TypeVar

import numpy as np
from numpy.typing import NDArray

from .dropout import Rate
from .rng import AnyRng

_D = TypeVar("_D", bound=np.inexact[Any])

def mc_dropout(
    x: NDArray[_D],
    p: Rate,
    samples: SupportsIndex,
    *,
    rng: AnyRng = None,
    out: NDArray[_D] | None = None,
) -> NDArray[_D]: ...
