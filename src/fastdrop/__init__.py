"""Dropout for NumPy at the speed of memory, whose mask is a pure function of key, stream, p and index."""

from ._config import show_config
from ._core import bernoulli, dropout, dropout_backward
from ._engine import backend, backends, get_num_threads, set_num_threads
from ._mask import Mask
from ._rng import Rng
from ._version import __version__
from .layers import Dropout
from .monte_carlo import MonteCarlo, monte_carlo

__all__ = [
    "Dropout",
    "Mask",
    "MonteCarlo",
    "Rng",
    "__version__",
    "backend",
    "backends",
    "bernoulli",
    "dropout",
    "dropout_backward",
    "get_num_threads",
    "monte_carlo",
    "set_num_threads",
    "show_config",
]
