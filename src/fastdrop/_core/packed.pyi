from typing import Any, SupportsFloat, TypeVar

import numpy as np
from numpy.typing import NDArray

from .mask import Mask
from .rng import AnyRng

_D = TypeVar("_D", bound=np.inexact[Any])

def draw_units(shape: tuple[int, int], p: SupportsFloat, rng: AnyRng) -> tuple[Mask, NDArray[np.intp]]: ...
def kept_units(mask: Mask) -> NDArray[np.intp] | None: ...
def gather(whole: NDArray[_D], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[_D]: ...
def scatter(packed: NDArray[_D], rows: NDArray[np.intp], columns: NDArray[np.intp], whole: NDArray[_D]) -> None: ...
def sgd_step(
    packed: NDArray[_D], rows: NDArray[np.intp], columns: NDArray[np.intp], whole: NDArray[_D], rate: float
) -> None: ...
