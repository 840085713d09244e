"""What the demo's networks need beside `fastdrop.network`: other units, and places for structured dropout.

A layer with something of the family inside holds it as `drop`.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import fastdrop as fd

from ...layers.base import Layer
from ...network import Linear, Network, ReLU

Array: TypeAlias = NDArray[Any]
SIDE = 8  # of an image, in pixels


class Stack(Network):
    """A network of any layers."""

    def __init__(self, layers: list[Any]) -> None:
        self.layers = layers

    def dropouts(self) -> list[Layer]:
        """Return the layers that drop, those inside others too."""
        layers = [getattr(layer, "drop", layer) for layer in self.layers]
        return [layer for layer in layers if isinstance(layer, Layer)]


class SELU:
    """Scaled exponential linear units; Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017."""

    ALPHA, SCALE = np.float32(1.6732632423543772), np.float32(1.0507009873554805)

    def forward(self, x: Array) -> Array:
        """Return ``scale * x`` where x is positive, ``scale * alpha * (exp(x) - 1)`` elsewhere."""
        self.y = self.SCALE * np.where(x > 0, x, self.ALPHA * np.expm1(np.minimum(x, 0)))
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return `dy` times the slope."""
        return dy * np.where(self.y > 0, self.SCALE, self.y + self.SCALE * self.ALPHA)


class DroppedLinear(Linear):
    """A fully connected layer whose weights are dropped."""

    def __init__(self, inputs: int, outputs: int, generator: np.random.Generator, drop: fd.DropConnect) -> None:
        super().__init__(inputs, outputs, generator)
        self.drop = drop

    def forward(self, x: Array) -> Array:
        """Return ``x @ drop(w) + b``."""
        self.x, self.kept = x, self.drop.forward(self.w)
        return x @ self.kept + self.b

    def backward(self, dy: Array) -> Array:
        """Set `dw` and `db`, and return the gradient by x."""
        self.drop.backward(self.x.T @ dy, out=self.dw)
        np.sum(dy, axis=0, out=self.db)
        return dy @ self.kept.T


class Residual(Linear):
    """A residual block, ``y = x + drop(relu(x @ w + b))``."""

    def __init__(self, units: int, generator: np.random.Generator, drop: Layer) -> None:
        super().__init__(units, units, generator)
        self.drop, self.relu = drop, ReLU()

    def forward(self, x: Array) -> Array:
        """Return x and what the branch adds."""
        return x + self.drop.forward(self.relu.forward(super().forward(x)))

    def backward(self, dy: Array) -> Array:
        """Set `dw` and `db`, and return the gradient by x."""
        return dy + super().backward(self.relu.backward(self.drop.backward(dy)))


class Convolution(Linear):
    """A window that moves over the images, each a row of pixels; feature maps ``(samples, height, width, maps)``."""

    def __init__(self, window: tuple[int, int], maps: int, generator: np.random.Generator, side: int = SIDE) -> None:
        super().__init__(window[0] * window[1], maps, generator)
        self.window, self.side = window, side
        self.shape = side + 1 - window[0], side + 1 - window[1], maps

    def forward(self, x: Array) -> Array:
        """Multiply the pixels of each position of the window by the weights."""
        windows = sliding_window_view(x.reshape(-1, self.side, self.side), self.window, axis=(1, 2))
        return super().forward(windows.reshape(-1, len(self.w))).reshape(-1, *self.shape)

    def backward(self, dy: Array) -> Array:
        """Set `dw` and `db`, and return the gradient by the pixels, summed over the windows that have them."""
        height, width, maps = self.shape
        dwindows = super().backward(dy.reshape(-1, maps)).reshape(len(dy), height, width, *self.window)
        dx = np.zeros((len(dy), self.side, self.side), dy.dtype)
        for i, j in np.ndindex(self.window):
            dx[:, i : i + height, j : j + width] += dwindows[..., i, j]
        return dx.reshape(len(dy), -1)


class ChannelsFirst:
    """Feature maps ``(samples, height, width, maps)`` seen as ``(samples, maps, height, width)``."""

    def forward(self, x: Array) -> Array:
        """Move the maps to the front."""
        return np.moveaxis(x, -1, 1)

    def backward(self, dy: Array) -> Array:
        """Move them back."""
        return np.moveaxis(dy, 1, -1)


class Flatten:
    """Each sample as a row."""

    def forward(self, x: Array) -> Array:
        """Join the axes after the first."""
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        """Part them again."""
        return dy.reshape(self.shape)


class Words(Linear):
    """An image as a bag of words, of which an embedding table's rows are summed.

    A word is a pixel and its grey, which is one of three: about the mean of that pixel, above it, or below.
    """

    EDGES = -0.5, 0.5

    def __init__(self, pixels: int, features: int, generator: np.random.Generator, drop: fd.EmbeddingDropout) -> None:
        greys = len(self.EDGES) + 1
        super().__init__(greys * pixels, features, generator)
        self.w *= np.sqrt(np.float32(greys))  # of all words, an image has one in so many
        self.drop, self.first = drop, greys * np.arange(pixels)

    def forward(self, x: Array) -> Array:
        """Look the words up, and sum."""
        self.words = self.first + np.searchsorted(self.EDGES, x)
        return self.drop.forward(self.w, self.words).sum(axis=1) + self.b

    def backward(self, dy: Array) -> None:
        """Set `dw` and `db`; words have no gradient."""
        np.sum(dy, axis=0, out=self.db)
        self.dw[:] = self.drop.backward(np.broadcast_to(dy[:, None], (*self.words.shape, dy.shape[1])))
