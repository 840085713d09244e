"""Training of the demo's networks: the digits, the clock, and the choice of the learning rate.

The digits are split three ways. The test digits are the same in every run, and serve for the final figures alone.
Each seed draws its training digits from the others; what is left of those validates the choice of the learning rate,
which is made on the network that a member is compared with.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

from ..layers import ShapedLayer
from ..network import Network, accuracy, softmax_cross_entropy, train_epoch
from .members import Member

TRAIN, TEST, BATCH = 200, 1297, 50  # digits, of the 1797 there are
RATES, RATE_SEEDS = (0.001, 0.01, 0.1), 3
CURVE_POINTS = 60  # of the epochs, evenly on a logarithmic axis: evaluating all would cost as much as training

Array: TypeAlias = NDArray[Any]
Advance: TypeAlias = Callable[[], None]
Figures: TypeAlias = list[tuple[float, float, float]]  # of each learning rate: validation loss, accuracy, the rate


class Split(NamedTuple):
    """Digits as (pixels, labels), standardised by those to train on."""

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]


class Run(NamedTuple):
    """What one training gave, an entry an epoch (NaN: not evaluated; seconds of training alone), and the network."""

    train: Array
    test: Array
    seconds: Array
    dropout_seconds: Array
    network: Network


class NumpyIdiom:
    """The NumPy idiom in the place of a layer that chooses a noise shape, to time it at the same work."""

    def __init__(self, layer: ShapedLayer) -> None:
        self.layer, self.generator, self.scale = layer, np.random.default_rng(0), np.float32(1 / (1 - layer.p))

    def forward(self, x: Array, rng: None = None) -> Array:
        """Draw a uniform an element of the noise, compare and multiply."""
        noise_shape = self.layer._noise_shape(x) or x.shape
        shape = [whole if size is None else size for size, whole in zip(noise_shape, x.shape, strict=True)]
        self.factor = (self.generator.random(shape, dtype=np.float32) >= self.layer.p) * self.scale
        return x * self.factor

    def backward(self, dy: Array, out: Array | None = None) -> Array:
        """Multiply by the same mask."""
        return np.multiply(dy, self.factor, out=out)


class Clock:
    """Adds up the time spent in the functions it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = perf_counter()
            result = function(*args, **kwargs)
            self.seconds += perf_counter() - start
            return result

        return timed


@cache
def split(seed: int) -> Split:
    """Split the digits; the test digits do not depend on the seed."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    test, rest = order[:TEST], np.random.default_rng(seed).permutation(order[TEST:])
    train, validation = rest[:TRAIN], rest[TRAIN:]
    x = ((pixels - pixels[train].mean(axis=0)) / pixels[train].std()).astype(np.float32)
    return Split(*((x[rows], labels[rows]) for rows in (train, validation, test)))


def has_idiom(member: Member) -> bool:
    """Return whether there is a NumPy idiom for all that the member's network drops."""
    return all(isinstance(layer, ShapedLayer) for layer in member.build(0, True).dropouts())


def train(
    member: Member,
    seed: int,
    rate: float,
    epochs: int,
    advance: Advance,
    *,
    on: bool,
    curves: bool = True,
    idiom: bool = False,
) -> Run:
    """Train one network; `curves` evaluates it on the way, and after the last epoch."""
    digits, generator, clock = split(seed), np.random.default_rng(seed), Clock()
    network = member.build(seed, on)
    for layer in network.dropouts():
        work = NumpyIdiom(layer) if idiom else layer
        layer.forward, layer.backward = clock.wrap(work.forward), clock.wrap(work.backward)
    optimizer = member.optimizer(network, rate)
    evaluated = np.geomspace(1, epochs, CURVE_POINTS).round() if curves else []
    rows = []
    for epoch in range(1, epochs + 1):
        start, before = perf_counter(), clock.seconds
        train_epoch(network, optimizer, *digits.train, BATCH, generator)
        times = perf_counter() - start, clock.seconds - before
        shares = [accuracy(network, *part) if epoch in evaluated else np.nan for part in (digits.train, digits.test)]
        rows.append([*shares, *times])
        advance()
    return Run(*np.array(rows).T, network)


def try_rates(member: Member, epochs: int, advance: Advance) -> Figures:
    """Try the learning rates on the network that the member is compared with."""
    figures = []
    for rate in RATES:
        losses, shares = [], []
        for seed in range(RATE_SEEDS):
            network = train(member, seed, rate, epochs, advance, on=False, curves=False).network
            x, labels = split(seed).validation
            shares.append(accuracy(network, x, labels))
            losses.append(softmax_cross_entropy(network.forward(x), labels)[0])
        figures.append((np.mean(losses), np.mean(shares), rate))
    return figures
