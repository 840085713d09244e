"""Dropout for PyTorch on the CPU: torch's own modules and function, with fastdrop's kernel under them.

A mask is decided by a key from torch's CPU generator, so `torch.manual_seed` rules it. Nothing but that key is kept for
backward, which makes the mask again. What the kernel does not serve (other devices, `torch.func`, tracing, export,
tensor subclasses) goes to torch's own code.
"""

try:
    import ml_dtypes  # noqa: F401
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"fastdrop.torch needs PyTorch 2.13 or newer and ml_dtypes, got {error}: pip install 'numpy-fastdrop[torch]'",
        name=error.name,
    ) from error

from ._modules import (
    AlphaDropout,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    FeatureAlphaDropout,
    dropout,
    replace,
    restore,
)
from ._override import fast_dropout

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
    "dropout",
    "fast_dropout",
    "replace",
    "restore",
]

for _name in __all__:
    globals()[_name].__module__ = __name__  # what a pickled module names
