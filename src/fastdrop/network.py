"""A multi-layer network in NumPy with dropout between its layers: an example to read and to copy.

>>> import numpy as np
>>> from fastdrop.network import SGD, Network, accuracy, train_epoch
>>> generator = np.random.default_rng(0)
>>> x = generator.random((200, 2), dtype=np.float32)
>>> labels = (x[:, 0] > x[:, 1]).astype(int)
>>> network = Network([2, 32, 2], p_input=0, p_hidden=0.2, seed=0)
>>> optimizer = SGD(network, learning_rate=0.1)
>>> for _ in range(30):
...     loss = train_epoch(network, optimizer, x, labels, batch_size=20, generator=generator)
>>> accuracy(network, x, labels) > 0.9
True
"""
# mypy: no-warn-return-any

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastdrop import Dropout, Rng

__all__ = ["SGD", "Linear", "Network", "ReLU", "accuracy", "softmax_cross_entropy", "train_epoch"]

Array: TypeAlias = NDArray[Any]


class Linear:
    """A fully connected layer, ``y = x @ w + b``.

    Parameters
    ----------
    inputs, outputs : int
        The units below and above.
    generator : numpy.random.Generator
        Draws the weights: normal, of variance ``2 / inputs``, which keeps the signal's size through ReLU layers [1]_.
    dtype : dtype, optional
        Of the weights.

    Attributes
    ----------
    w, b : ndarray
        Weights ``(inputs, outputs)`` and biases ``(outputs,)``.
    dw, db : ndarray
        Their gradients, overwritten by each `backward`.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun, "Delving deep into rectifiers", ICCV 2015.
    """

    def __init__(
        self, inputs: int, outputs: int, generator: np.random.Generator, dtype: DTypeLike = np.float32
    ) -> None:
        self.w = (generator.standard_normal((inputs, outputs)) * np.sqrt(2 / inputs)).astype(dtype)
        self.b = np.zeros(outputs, dtype)
        self.dw, self.db = np.zeros_like(self.w), np.zeros_like(self.b)

    def forward(self, x: Array) -> Array:
        """Return ``x @ w + b``; x has shape ``(samples, inputs)``."""
        self.x = x
        return x @ self.w + self.b

    def backward(self, dy: Array) -> Array:
        """Set `dw` and `db` from the gradient of the loss by y, and return the one by x."""
        np.matmul(self.x.T, dy, out=self.dw)
        np.sum(dy, axis=0, out=self.db)
        return dy @ self.w.T


class ReLU:
    """Rectified linear units, ``y = max(x, 0)`` [1]_.

    References
    ----------
    .. [1] Nair, Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.
    """

    def forward(self, x: Array) -> Array:
        """Return ``max(x, 0)``."""
        self.y = np.maximum(x, 0)
        return self.y

    def backward(self, dy: Array) -> Array:
        """Return `dy` where x was positive, 0 elsewhere."""
        return dy * (self.y > 0)


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy of softmax(logits), and its gradient by the logits.

    Parameters
    ----------
    logits : ndarray, shape (samples, classes)
    labels : ndarray of int, shape (samples,)
        The true classes.

    Returns
    -------
    loss : float
    dlogits : ndarray
        Of the logits' shape and dtype: ``(softmax(logits) - onehot(labels)) / samples``.
    """
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)  # exp cannot overflow
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dlogits = np.exp(log_softmax)
    dlogits[rows, labels] -= 1
    return -float(log_softmax[rows, labels].mean()), dlogits / len(labels)


class Network:
    """A classifier of fully connected ReLU layers, with dropout on the input and on every hidden layer [1]_.

    Parameters
    ----------
    sizes : sequence of int
        Units of the input, of each hidden layer, and of the output (one a class).
    p_input, p_hidden : float, optional
        Probability of dropping an input, a hidden unit. 0 is a network without dropout.
    seed : int, optional
        Of the weights and the masks. Each dropout layer has its own child of one `fastdrop.Rng`.
    dtype : dtype, optional
        Of the weights; give x of the same.
    dropout : callable, optional
        ``dropout(p, rng=...)`` makes each layer that drops: a class of the family, as `fastdrop.UnitDropout`.

    References
    ----------
    .. [1] Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent neural
       networks from overfitting", JMLR 15, 2014.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        p_input: float = 0.2,
        p_hidden: float = 0.5,
        seed: int = 0,
        dtype: DTypeLike = np.float32,
        dropout: Callable[..., Any] = Dropout,
    ) -> None:
        generator, rng = np.random.default_rng(seed), Rng(seed)
        self.layers: list[Any] = [dropout(p_input, rng=rng.fold_in(0))]
        for number, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
            if number > 1:
                self.layers += [ReLU(), dropout(p_hidden, rng=rng.fold_in(number - 1))]
            self.layers.append(Linear(inputs, outputs, generator, dtype))

    def train(self, mode: bool = True) -> "Network":
        """Turn dropout on, or off where `mode` is False; return the network."""
        for layer in self.dropouts():
            layer.train(mode)
        return self

    def eval(self) -> "Network":
        """Turn dropout off, to predict; return the network."""
        return self.train(False)

    def dropouts(self) -> list[Any]:
        """Return the layers that drop: those that can be switched."""
        return [layer for layer in self.layers if hasattr(layer, "eval")]

    def forward(self, x: Array, rng: Rng | None = None) -> Array:
        """Return the logits, shape ``(samples, classes)``; an `rng` draws all masks, instead of the layers' own."""
        for layer in self.layers:
            x = layer.forward(x, rng=rng) if hasattr(layer, "eval") else layer.forward(x)
        return x

    def backward(self, dy: Array) -> Array:
        """Set every layer's gradients from that of the loss by the logits; return the one by x."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def parameters(self) -> list[tuple[Array, Array]]:
        """Return the pairs (weights, their gradient), arrays that training changes in place."""
        linear = [layer for layer in self.layers if isinstance(layer, Linear)]
        return [pair for layer in linear for pair in ((layer.w, layer.dw), (layer.b, layer.db))]


class SGD:
    """Stochastic gradient descent with momentum [1]_.

    Parameters
    ----------
    network : Network
        Whose weights `step` changes.
    learning_rate, momentum : float, optional

    References
    ----------
    .. [1] Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and momentum in deep learning",
       ICML 2013.
    """

    def __init__(self, network: Network, learning_rate: float = 0.01, momentum: float = 0.9) -> None:
        self.learning_rate, self.momentum = learning_rate, momentum
        self.state = [(w, dw, np.zeros_like(w)) for w, dw in network.parameters()]

    def step(self) -> None:
        """Move the weights by the gradients of the last backward."""
        for w, dw, velocity in self.state:
            velocity *= self.momentum
            velocity -= self.learning_rate * dw
            w += velocity


def train_epoch(
    network: Network, optimizer: SGD, x: Array, labels: Array, batch_size: int, generator: np.random.Generator
) -> float:
    """Train once over the data in mini-batches of a random order; return the mean loss.

    Parameters
    ----------
    network : Network
        Left in training mode.
    optimizer : SGD
    x : ndarray, shape (samples, inputs)
    labels : ndarray of int, shape (samples,)
    batch_size : int
    generator : numpy.random.Generator
        Draws the order.

    Returns
    -------
    float
    """
    network.train()
    order = generator.permutation(len(x))
    losses = []
    for start in range(0, len(x), batch_size):
        rows = order[start : start + batch_size]
        loss, dlogits = softmax_cross_entropy(network.forward(x[rows]), labels[rows])
        network.backward(dlogits)
        optimizer.step()
        losses.append(loss)
    return float(np.mean(losses))


def accuracy(network: Network, x: Array, labels: Array) -> float:
    """Return the share of x that the network classifies right, with dropout off (and leaves it off)."""
    return float((network.eval().forward(x).argmax(axis=1) == labels).mean())
