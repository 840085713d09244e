"""Dropout for NumPy at the speed of memory, whose mask is a pure function of key, stream, p and index."""

import importlib
from typing import TYPE_CHECKING, Any

# First of all: where NumPy refuses a sub-interpreter, the extensions would already have bound themselves to it.
import numpy as _numpy  # noqa: F401

from ._core import bernoulli, dropout, dropout_backward
from ._engine import backend, backends, get_num_threads, num_threads, set_num_threads
from ._mask import Mask
from ._rng import Rng
from ._version import __version__
from .layers import Dropout, StandardDropout

if TYPE_CHECKING:
    from ._alpha import alpha_dropout
    from ._config import show_config
    from ._include import get_include
    from ._monte_carlo import MonteCarlo, monte_carlo
    from ._residual import bias_dropout_residual, bias_dropout_residual_backward
    from ._samples import mc_dropout
    from .alpha import AlphaDropout, FeatureAlphaDropout
    from .dropblock import DropBlock
    from .embedding import EmbeddingDropout
    from .gaussian import GaussianDropout, GaussianNoise, gaussian_dropout
    from .structured import DropConnect, DropPath, LockedDropout, SpatialDropout, UnitDropout
    from .thinned import ThinnedLinear

__all__ = [
    "AlphaDropout",
    "DropBlock",
    "DropConnect",
    "DropPath",
    "Dropout",
    "EmbeddingDropout",
    "FeatureAlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "LockedDropout",
    "Mask",
    "MonteCarlo",
    "Rng",
    "SpatialDropout",
    "StandardDropout",
    "ThinnedLinear",
    "UnitDropout",
    "__version__",
    "alpha_dropout",
    "backend",
    "backends",
    "bernoulli",
    "bias_dropout_residual",
    "bias_dropout_residual_backward",
    "dropout",
    "dropout_backward",
    "gaussian_dropout",
    "get_include",
    "get_num_threads",
    "mc_dropout",
    "monte_carlo",
    "num_threads",
    "set_num_threads",
    "show_config",
]

# What most programs never ask for is imported when it is: the import of fastdrop stays quick.
_LATER = {
    "_alpha": ("alpha_dropout",),
    "_config": ("show_config",),
    "_include": ("get_include",),
    "_monte_carlo": ("MonteCarlo", "monte_carlo"),
    "_residual": ("bias_dropout_residual", "bias_dropout_residual_backward"),
    "_samples": ("mc_dropout",),
    "alpha": ("AlphaDropout", "FeatureAlphaDropout"),
    "dropblock": ("DropBlock",),
    "embedding": ("EmbeddingDropout",),
    "gaussian": ("GaussianDropout", "GaussianNoise", "gaussian_dropout"),
    "structured": ("DropConnect", "DropPath", "LockedDropout", "SpatialDropout", "UnitDropout"),
    "thinned": ("ThinnedLinear",),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f".{module}", __name__), name)
            return value
    from ._words import NAMES

    here = f": it is fastdrop.{NAMES[name]} here" if name in NAMES else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{here}")


def __dir__() -> list[str]:
    return list(__all__)
