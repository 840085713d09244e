"""The family by name: each member in a network where it has a use, at a rate from the literature.

`build(seed, on)` makes the network, with all rates 0 unless `on`; the weights are those of the seed either way.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import fastdrop as fd

from ...network import SGD, Linear, Network, ReLU
from .layers import SELU, ChannelsFirst, Convolution, DroppedLinear, Flatten, Residual, Stack, Words
from .thinned import Descent, thin

PIXELS, CLASSES = 64, 10
HIDDEN = 128  # by validation digits: examples/evidence/demo_width.py
SIZES = PIXELS, HIDDEN, HIDDEN, CLASSES
P_INPUT, P_HIDDEN = 0.2, 0.5  # the rates of Srivastava et al., 2014
WIDE = PIXELS, 512, 512, CLASSES  # in narrower ones packing costs as much as the product
MAPS, BLOCKS, FEATURES = 16, 4, 32

Build: TypeAlias = Callable[[int, bool], Network]


class Member(NamedTuple):
    """A class of the family, and where it is seen at work."""

    title: str
    place: str
    build: Build
    optimizer: Callable[[Network, float], Any] = SGD
    rival: str | None = None  # what drops the same, where that is compared with, and not a network without dropout

    @property
    def names(self) -> tuple[str, str]:
        """What to call the network that is compared with, and that of the member."""
        return f"with {self.rival}" if self.rival else f"without {self.title}", f"with {self.title}"


def in_place(dropout: Callable[..., Any], p_input: float = P_INPUT, p_hidden: float = P_HIDDEN) -> Build:
    """Put a layer in the place of Dropout, on the pixels and on each hidden layer."""
    return lambda seed, on: Network(SIZES, on * p_input, on * p_hidden, seed, dropout=dropout)


def self_normalizing(build: Build) -> Build:
    """Put SELU in the place of ReLU, and LeCun's initialisation, of variance 1 / inputs, in that of He's."""

    def build_so(seed: int, on: bool) -> Network:
        network = build(seed, on)
        network.layers = [SELU() if isinstance(layer, ReLU) else layer for layer in network.layers]
        for layer in network.layers:
            if isinstance(layer, Linear):
                layer.w /= np.sqrt(np.float32(2))
        return network

    return build_so


def on_maps(drop: Callable[..., Any], p: float, *before: Any, window: tuple[int, int] = (3, 3)) -> Build:
    """Drop the feature maps of a convolution, before a hidden layer."""

    def build(seed: int, on: bool) -> Network:
        generator = np.random.default_rng(seed)
        maps = Convolution(window, MAPS, generator)
        hidden = Linear(int(np.prod(maps.shape)), HIDDEN, generator)
        dropped = [*before, drop(on * p, rng=seed)]
        return Stack([maps, ReLU(), *dropped, Flatten(), hidden, ReLU(), Linear(HIDDEN, CLASSES, generator)])

    return build


def drop_weights(seed: int, on: bool) -> Network:
    """Drop the weights of both hidden layers."""
    generator, rng = np.random.default_rng(seed), fd.Rng(seed)
    drops = [fd.DropConnect(on * 0.5, rng=rng.fold_in(number)) for number in range(2)]
    hidden = [DroppedLinear(PIXELS, HIDDEN, generator, drops[0]), DroppedLinear(HIDDEN, HIDDEN, generator, drops[1])]
    return Stack([hidden[0], ReLU(), hidden[1], ReLU(), Linear(HIDDEN, CLASSES, generator)])


def drop_branches(seed: int, on: bool) -> Network:
    """Drop the branches of residual blocks, the deeper the more often."""
    generator, rng = np.random.default_rng(seed), fd.Rng(seed)
    first = Linear(PIXELS, HIDDEN, generator)
    drops = [fd.DropPath(on * 0.5 * number / BLOCKS, rng=rng.fold_in(number)) for number in range(1, BLOCKS + 1)]
    blocks = [Residual(HIDDEN, generator, drop) for drop in drops]
    return Stack([first, ReLU(), *blocks, Linear(HIDDEN, CLASSES, generator)])


def drop_words(seed: int, on: bool) -> Network:
    """Drop words of the images taken as bags of words."""
    generator = np.random.default_rng(seed)
    words = Words(PIXELS, FEATURES, generator, fd.EmbeddingDropout(on * 0.1, rng=seed))
    hidden = Linear(FEATURES, HIDDEN, generator)
    return Stack([words, ReLU(), hidden, ReLU(), Linear(HIDDEN, CLASSES, generator)])


def thinned(seed: int, on: bool) -> Network:
    """Drop units for the whole mini-batch either way, and multiply only the others if `on`."""
    network = Network(WIDE, P_INPUT, P_HIDDEN, seed, dropout=fd.UnitDropout)
    return thin(network) if on else network


PLAIN = "in the place of Dropout, on the pixels (p = 0.2) and on both hidden layers (0.5)"
MAPPED = "on the feature maps of a 3 by 3 convolution (p = 0.1, as in table 1 of Ghiasi et al., 2018)"
SNN = "SELU in the place of ReLU, LeCun's initialisation in that of He's"
MEMBERS = {
    "dropout": Member("dropout", PLAIN, in_place(fd.Dropout)),
    "standard": Member(
        "StandardDropout",
        f"{PLAIN};\ntraining does not scale what is kept, so the signal is weaker, and learning slower",
        in_place(fd.StandardDropout),
    ),
    "unit": Member("UnitDropout", PLAIN, in_place(fd.UnitDropout)),
    "thinned": Member(
        "ThinnedLinear",
        f"UnitDropout {PLAIN},\nof {WIDE[1]} units each; "
        "the same masks, but only what is kept is multiplied and, without momentum, moved",
        thinned,
        Descent,
        rival="UnitDropout",
    ),
    "gaussian": Member(
        "GaussianDropout",
        f"{PLAIN}, with the variance that dropout has at these p",
        in_place(fd.GaussianDropout),
    ),
    "gaussian-noise": Member(
        "GaussianNoise",
        "in the place of Dropout (standard deviation 0.5, as in the supervised networks of Rasmus et al., 2015)",
        in_place(fd.GaussianNoise, 0.5, 0.5),
    ),
    "alpha": Member(
        "AlphaDropout",
        "in the place of Dropout, on the pixels (p = 0.05) and on both hidden layers (0.1: Klambauer et al., 2017);\n"
        f"{SNN}",
        self_normalizing(in_place(fd.AlphaDropout, 0.05, 0.1)),
    ),
    "feature-alpha": Member(
        "FeatureAlphaDropout",
        f"on the feature maps of a 3 by 3 convolution (p = 0.1: Klambauer et al., 2017);\n{SNN}",
        self_normalizing(on_maps(partial(fd.FeatureAlphaDropout, channel_axis=-1), 0.1)),
    ),
    "spatial": Member("SpatialDropout", MAPPED, on_maps(partial(fd.SpatialDropout, channel_axis=-1), 0.1)),
    "dropblock": Member(
        "DropBlock",
        f"{MAPPED}; blocks of 3 by 3",
        on_maps(partial(fd.DropBlock, block_size=3), 0.1, ChannelsFirst()),
    ),
    "locked": Member(
        "LockedDropout",
        "on units that look at one row after the other, as time steps (p = 0.25: Merity et al., 2018)",
        on_maps(partial(fd.LockedDropout, time_axis=1), 0.25, window=(1, 8)),
    ),
    "dropconnect": Member(
        "DropConnect", "on the weights of both hidden layers (p = 0.5: Wan et al., 2013)", drop_weights
    ),
    "droppath": Member(
        "DropPath",
        "on the branches of 4 residual blocks (p = 1/8, 2/8, 3/8, 4/8: Huang et al., 2016)",
        drop_branches,
    ),
    "embedding": Member(
        "EmbeddingDropout",
        "on the words of an image, a word being a pixel and its grey of three (p = 0.1: Merity et al., 2018)",
        drop_words,
    ),
}
