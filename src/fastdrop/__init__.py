"""Dropout for NumPy at the speed of memory, whose mask is a pure function of key, stream, p and index."""

from ._config import show_config
from ._core import bernoulli, dropout, dropout_backward
from ._engine import backend, backends, get_num_threads, set_num_threads
from ._fused import alpha_dropout, bias_dropout_residual, bias_dropout_residual_backward, mc_dropout
from ._mask import Mask
from ._monte_carlo import MonteCarlo, monte_carlo
from ._rng import Rng
from ._version import __version__
from .alpha import AlphaDropout, FeatureAlphaDropout
from .dropblock import DropBlock
from .embedding import EmbeddingDropout
from .gaussian import GaussianDropout, GaussianNoise, gaussian_dropout
from .layers import Dropout, StandardDropout
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
    "get_num_threads",
    "mc_dropout",
    "monte_carlo",
    "set_num_threads",
    "show_config",
]
