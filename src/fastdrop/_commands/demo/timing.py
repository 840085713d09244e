"""Where the time of a training step goes: two networks that take turns, so that a slow minute strikes both."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...layers.dropout import ShapedLayer
from ...network import Network, train_epoch
from .members import Member
from .training import BATCH, TRAIN, Advance, split

Array: TypeAlias = NDArray[Any]
STEPS = -(-TRAIN // BATCH)  # of an epoch
EPOCHS = 60  # of either network


class Step(NamedTuple):
    """Microseconds of a training step, and of the dropout in it."""

    whole: float
    dropout: float


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


def has_idiom(member: Member) -> bool:
    """Return whether there is a NumPy idiom for all that the member's network drops."""
    return all(isinstance(layer, ShapedLayer) for layer in member.build(0, True).dropouts())


def contenders(member: Member) -> dict[str, Network]:
    """Return the networks to time by name: the member's, and what does the same work in another way."""
    if member.rival:
        return {name: member.build(0, bool(on)) for on, name in enumerate(member.names)}
    names = ("fastdrop", "NumPy idiom") if has_idiom(member) else ("fastdrop",)
    return {name: member.build(0, True) for name in names}


def median_step(epochs: list[tuple[float, float]]) -> Step:
    """Return the medians of seconds an epoch, as microseconds a step."""
    return Step(*(1e6 / STEPS * np.median(epochs, axis=0)))


def time_steps(member: Member, rate: float, advance: Advance) -> dict[str, Step]:
    """Train the contenders in turn, epoch by epoch, each first as often as second."""
    trained, digits = [], split(0).train
    for name, network in contenders(member).items():
        clock = Clock()
        for layer in network.dropouts():
            work = NumpyIdiom(layer) if name == "NumPy idiom" else layer
            layer.forward, layer.backward = clock.wrap(work.forward), clock.wrap(work.backward)
        trained.append((name, network, member.optimizer(network, rate), np.random.default_rng(0), clock, []))
    for epoch in range(EPOCHS):
        for _, network, optimizer, generator, clock, epochs in trained[:: -1 if epoch % 2 else 1]:
            start, before = perf_counter(), clock.seconds
            with np.errstate(all="ignore"):  # a rate that suits the plain network may diverge here: a step is a step
                train_epoch(network, optimizer, *digits, BATCH, generator)
            epochs.append((perf_counter() - start, clock.seconds - before))
            advance()
    return {name: median_step(epochs) for name, *_, epochs in trained}
