"""Names that PyTorch, Keras, JAX and others use, and ours: error messages suggest the one for the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_MAPS = "SpatialDropout(p)"
NAMES = {
    **{f"Dropout{n}d": _MAPS for n in (1, 2, 3)},
    **{f"dropout{n}d": _MAPS + ".forward(x)" for n in (1, 2, 3)},
    **{f"SpatialDropout{n}D": "SpatialDropout(p, channel_axis=-1)" for n in (1, 2, 3)},
    "FeatureDropout": _MAPS,
    "feature_dropout": _MAPS + ".forward(x)",
    "feature_alpha_dropout": "FeatureAlphaDropout(p).forward(x)",
    "DropBlock2d": "DropBlock(p, block_size)",
    "DropBlock2D": "DropBlock(p, block_size)",
    "drop_block2d": "DropBlock(p, block_size).forward(x)",
    "StochasticDepth": "DropPath(p)",
    "stochastic_depth": "DropPath(p).forward(x)",
    "drop_path": "DropPath(p).forward(x)",
    "VariationalDropout": "LockedDropout(p)",
    "WeightDrop": "DropConnect(p)",
    "gaussian_noise": "GaussianNoise(stddev).forward(x)",
}
_MODE = "train() or eval() of the layer"
KEYWORDS = {
    "rate": "p",
    "drop_prob": "p",
    "keep_prob": "p = 1 - keep_prob",
    "training": _MODE,
    "train": _MODE,
    "deterministic": _MODE,
    "seed": "rng",
    "key": "rng",
    "generator": "rng",
}


def check_keywords(given: Mapping[str, object], of: str) -> None:
    """Refuse a keyword of another library, and name ours."""
    for word in given:
        if word in KEYWORDS:
            raise TypeError(f"{of} has no keyword {word}: it is {KEYWORDS[word]} here")


def own_keywords(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a method refuse keywords of other libraries with the message of `check_keywords`."""

    @wraps(function)
    def checked(*args: Parameters.args, **options: Parameters.kwargs) -> Result:
        check_keywords(options, type(args[0]).__name__)
        return function(*args, **options)

    return checked
