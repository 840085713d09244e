"""Training of the demo's networks: the digits, the clock, and the choice of the learning rate.

The digits are split three ways. The test digits are the same in every run, and serve for the final figures alone.
Each seed draws its training digits from the others; what is left of those validates the choice of the learning rate,
which is made for each network alike, with seeds that the final runs do not have.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

from ...network import Network, accuracy, softmax_cross_entropy, train_epoch
from .members import Member

TRAIN, TEST, BATCH = 200, 1297, 50  # digits, of the 1797 there are
RATES, RATE_SEEDS = (0.01, 0.03, 0.1), range(1000, 1003)
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
    """What one training gave: accuracies, an entry an epoch (NaN: not evaluated), and the network."""

    train: Array
    test: Array
    network: Network


@cache
def split(seed: int) -> Split:
    """Split the digits; the test digits do not depend on the seed."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    test, rest = order[:TEST], np.random.default_rng(seed).permutation(order[TEST:])
    train, validation = rest[:TRAIN], rest[TRAIN:]
    x = ((pixels - pixels[train].mean(axis=0)) / pixels[train].std()).astype(np.float32)
    return Split(*((x[rows], labels[rows]) for rows in (train, validation, test)))


def train(
    member: Member, seed: int, rate: float, epochs: int, advance: Advance, *, on: bool, curves: bool = True
) -> Run:
    """Train one network; `curves` evaluates it on the way, and after the last epoch."""
    digits, generator = split(seed), np.random.default_rng(seed)
    network = member.build(seed, on)
    optimizer = member.optimizer(network, rate)
    evaluated = np.geomspace(1, epochs, CURVE_POINTS).round() if curves else []
    rows = []
    for epoch in range(1, epochs + 1):
        train_epoch(network, optimizer, *digits.train, BATCH, generator)
        rows.append(
            [accuracy(network, *part) if epoch in evaluated else np.nan for part in (digits.train, digits.test)]
        )
        advance()
    return Run(*np.array(rows).T, network)


def try_rates(member: Member, epochs: int, advance: Advance, *, on: bool) -> Figures:
    """Try the learning rates on one of the two networks, on digits kept apart for that."""
    figures = []
    for rate in RATES:
        losses, shares = [], []
        for seed in RATE_SEEDS:
            x, labels = split(seed).validation
            with np.errstate(over="ignore", invalid="ignore"):  # too large a rate diverges
                network = train(member, seed, rate, epochs, advance, on=on, curves=False).network
                shares.append(accuracy(network, x, labels))
                losses.append(softmax_cross_entropy(network.forward(x), labels)[0])
        figures.append((float(np.mean(losses)), float(np.mean(shares)), rate))
    return figures


def best_rate(figures: Figures) -> float:
    """Return the learning rate of the least loss; a loss that is no number is none."""
    return min(figures, key=lambda figure: (np.isnan(figure[0]), figure[0]))[2]
