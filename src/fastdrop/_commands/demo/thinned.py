"""A chain of `ThinnedLinear` in the demo's network, and the optimizer that leaves dropped weights as they are."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

import fastdrop as fd

from ...network import Linear, Network, ReLU

Array: TypeAlias = NDArray[Any]


class Link(fd.ThinnedLinear):
    """A ThinnedLinear that asks the layer before which units that kept."""

    def __init__(self, before: Any, linear: Linear, p: float, rng: Any) -> None:
        super().__init__(linear.w, linear.b, p, rng=rng)
        self.before = before

    def forward(self, x: Array, rng: Any = None) -> Array:
        """Return ``dropout(x @ w + b)``."""
        return super().forward(x, self.before.mask, rng)


class Descent:
    """Gradient descent without momentum, which moves the kept weights alone."""

    def __init__(self, network: Network, learning_rate: float) -> None:
        self.full, self.learning_rate = network.parameters(), learning_rate
        self.thinned = [layer for layer in network.layers if isinstance(layer, fd.ThinnedLinear)]

    def step(self) -> None:
        """Move the weights by the gradients of the last backward."""
        for w, dw in self.full:
            dw *= self.learning_rate
            w -= dw
        for layer in self.thinned:
            layer.sgd_step(self.learning_rate)


def thin(network: Network) -> Network:
    """Put links in the places of Linear and the UnitDropout after it, with their weights and masks."""
    before, *drops = network.dropouts()
    linear = [layer for layer in network.layers if isinstance(layer, Linear)]
    network.layers = [before]
    for layer, drop in zip(linear, [*drops, fd.UnitDropout(0)], strict=True):
        before = Link(before, layer, drop.p, drop.rng)
        network.layers += [before, ReLU()]
    network.layers.pop()  # no unit after the logits
    return network
