"""Dropout for NumPy at the speed of memory; the mask is a pure function of key, stream, p and index."""

import importlib
from typing import TYPE_CHECKING, Any

# NumPy comes first: if it refuses to be imported in a sub-interpreter, our extensions must not have been imported yet.
import numpy as _numpy  # noqa: F401

from ._core.binding import backend, backends, get_num_threads, num_threads, set_num_threads
from ._core.dropout import bernoulli, dropout, dropout_backward
from ._core.mask import Mask, _rebuild_mask  # noqa: F401 (pickles name it here)
from ._core.rng import Rng, _rebuild_rng  # noqa: F401 (as above)
from ._version import __version__
from .layers.dropout import Dropout, StandardDropout

if TYPE_CHECKING:
    from ._core.alpha import alpha_dropout
    from ._core.config import show_config
    from ._core.fused import bias_dropout_residual, bias_dropout_residual_backward
    from ._core.samples import mc_dropout
    from ._include import get_include
    from ._monte_carlo import MonteCarlo, monte_carlo
    from .layers.alpha import AlphaDropout, FeatureAlphaDropout
    from .layers.dropblock import DropBlock
    from .layers.embedding import EmbeddingDropout
    from .layers.gaussian import GaussianDropout, GaussianNoise, gaussian_dropout
    from .layers.structured import DropConnect, DropPath, LockedDropout, SpatialDropout, UnitDropout
    from .layers.thinned import ThinnedLinear

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

# These names are imported when they are first used, since most programs need few of them.
_LATER = {
    "_core.alpha": ("alpha_dropout",),
    "_core.config": ("show_config",),
    "_core.fused": ("bias_dropout_residual", "bias_dropout_residual_backward", "_rebuild_fused_mask"),
    "_core.samples": ("mc_dropout",),
    "_include": ("get_include",),
    "_monte_carlo": ("MonteCarlo", "monte_carlo"),
    "layers.alpha": ("AlphaDropout", "FeatureAlphaDropout"),
    "layers.dropblock": ("DropBlock",),
    "layers.embedding": ("EmbeddingDropout",),
    "layers.gaussian": ("GaussianDropout", "GaussianNoise", "gaussian_dropout"),
    "layers.structured": ("DropConnect", "DropPath", "LockedDropout", "SpatialDropout", "UnitDropout"),
    "layers.thinned": ("ThinnedLinear",),
}


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            value = globals()[name] = getattr(importlib.import_module(f".{module}", __name__), name)
            return value
    from ._foreign_words import NAMES

    here = f": it is fastdrop.{NAMES[name]} here" if name in NAMES else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{here}")


def __dir__() -> list[str]:
    return list(__all__)
