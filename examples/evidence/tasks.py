"""The tasks of `family.py`: data, and a network with a place for each kind of dropout made for it.

A task's `build(kind, p, seed)` gives the network; p = 0 is the network without dropout. Digits are halved to 14 by 14
pixels. The words are those of docstrings of the standard library, and differ from one Python version to another.
"""

import ast
import importlib.util
import re
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from shared import split

import fastdrop as fd
from fastdrop._commands.demo.layers import ChannelsFirst, Convolution, DroppedLinear, Flatten, Residual, Stack
from fastdrop._commands.demo.members import self_normalizing
from fastdrop.network import Linear, Network, ReLU

SIZE, SIDE, MAPS, HIDDEN, BLOCKS, CLASSES = 1000, 14, 16, 64, 4, 10
LENGTH, FEATURES = 40, 32  # of a docstring that are read, and of a word
MODULES = [
    "_pydecimal",
    "enum",
    "inspect",
    "ipaddress",
    "mailbox",
    "pydoc",
    "statistics",
    "tarfile",
    "turtle",
    "typing",
]


def digits(seed):
    """Return training, validation and test digits of 14 by 14 pixels, of mean 0 and deviation 1."""
    parts = []
    for x, labels in split(seed, SIZE):
        halved = x.reshape(-1, SIDE, 2, SIDE, 2).mean(axis=(2, 4)).reshape(len(x), -1)
        parts.append(((halved - np.float32(0.13)) / np.float32(0.27), labels))
    return parts


@cache
def docstrings():
    """Return (word numbers, 0 where there is none, shape (docstrings, LENGTH); module of each; number of words)."""
    texts, labels, numbers = [], [], {}
    for label, module in enumerate(MODULES):
        tree = ast.parse(Path(importlib.util.find_spec(module).origin).read_text(encoding="utf-8"))
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        texts += [text for node in nodes if (text := ast.get_docstring(node))]
        labels += [label] * (len(texts) - len(labels))
    words = np.zeros((len(texts), LENGTH), int)
    for row, text in zip(words, texts, strict=True):
        found = re.findall(r"[a-z]+", text.lower())[:LENGTH]
        row[: len(found)] = [numbers.setdefault(word, len(numbers) + 1) for word in found]
    return words, np.array(labels), len(numbers) + 1


def words(seed):
    """Return training, validation and test docstrings: a half, a quarter that is as large, and a quarter."""
    x, labels, _ = docstrings()
    order, quarter = np.random.default_rng(0).permutation(len(x)), len(x) // 4
    rest = np.random.default_rng(seed).permutation(order[quarter:])
    return [(x[rows], labels[rows]) for rows in (rest[quarter:], rest[:quarter], order[:quarter])]


class Bag(Linear):
    """The mean of a docstring's words, which are rows of a table; a word 0 counts as nothing."""

    def __init__(self, count, features, generator, drop):
        super().__init__(count, features, generator)
        self.w *= np.sqrt(np.float32(count / 2))  # of variance 1
        self.drop = drop

    def forward(self, x):
        """Look the words up, and take the mean."""
        self.words = x
        self.weights = ((x > 0) / np.maximum(1, (x > 0).sum(axis=1, keepdims=True))).astype(np.float32)[..., None]
        return (self.drop.forward(self.w, x) * self.weights).sum(axis=1) + self.b

    def backward(self, dy):
        """Set `dw` and `db`; words have no gradient."""
        np.sum(dy, axis=0, out=self.db)
        self.dw[:] = self.drop.backward(dy[:, None] * self.weights)


class Recurrent(Linear):
    """Units that read one row after the other, ``h = tanh([row, h] @ w + b)``; gives all h, (samples, rows, units)."""

    def __init__(self, inputs, units, generator):
        super().__init__(inputs + units, units, generator)
        self.w /= np.sqrt(np.float32(2))

    def forward(self, x):
        """Read x, of shape (samples, rows, inputs)."""
        self.joint, self.h = [], np.zeros((len(x), x.shape[1] + 1, len(self.b)), np.float32)
        for t in range(x.shape[1]):
            self.joint.append(np.concatenate([x[:, t], self.h[:, t]], axis=1))
            self.h[:, t + 1] = np.tanh(self.joint[t] @ self.w + self.b)
        return self.h[:, 1:]

    def backward(self, dy):
        """Set `dw` and `db`, and return the gradient by x: through time, from the last row to the first."""
        inputs, dh = len(self.w) - len(self.b), 0
        dx = np.empty((*dy.shape[:2], inputs), np.float32)
        self.dw[:], self.db[:] = 0, 0
        for t in reversed(range(dy.shape[1])):
            d = (dy[:, t] + dh) * (1 - self.h[:, t + 1] ** 2)
            self.dw += self.joint[t].T @ d
            self.db += d.sum(axis=0)
            djoint = d @ self.w.T
            dx[:, t], dh = djoint[:, :inputs], djoint[:, inputs:]
        return dx


class Rows:
    """A digit as a sequence of its rows."""

    def forward(self, x):
        """Return x as (samples, rows, pixels)."""
        return x.reshape(-1, SIDE, SIDE)

    def backward(self, dy):
        """Join the rows again."""
        return dy.reshape(len(dy), -1)


class Last:
    """What the units hold after the last row."""

    def forward(self, x):
        """Return the last row's."""
        self.shape = x.shape
        return x[:, -1]

    def backward(self, dy):
        """Return 0 for all rows but the last."""
        dx = np.zeros(self.shape, np.float32)
        dx[:, -1] = dy
        return dx


def on_maps(kind, p, seed):
    """Drop after a convolution of 5 by 5."""
    generator, before = np.random.default_rng(seed), Convolution((5, 5), MAPS, np.random.default_rng(seed + 1), SIDE)
    drop = {
        "Dropout": fd.Dropout,
        "SpatialDropout": fd.SpatialDropout,
        "DropBlock": partial(fd.DropBlock, block_size=3),
    }
    hidden, last = Linear(int(np.prod(before.shape)), HIDDEN, generator), Linear(HIDDEN, CLASSES, generator)
    return Stack([before, ReLU(), ChannelsFirst(), drop[kind](p, rng=seed), Flatten(), hidden, ReLU(), last])


def on_rows(kind, p, seed):
    """Drop between two recurrent layers."""
    generator = np.random.default_rng(seed)
    drop = fd.Dropout(p, rng=seed) if kind == "Dropout" else fd.LockedDropout(p, time_axis=1, rng=seed)
    first, second = Recurrent(SIDE, HIDDEN, generator), Recurrent(HIDDEN, HIDDEN, generator)
    return Stack([Rows(), first, drop, second, Last(), Linear(HIDDEN, CLASSES, generator)])


def on_words(kind, p, seed):
    """Drop words, or features of the mean of the words."""
    generator, features = np.random.default_rng(seed), kind == "Dropout"
    bag = Bag(docstrings()[2], FEATURES, generator, fd.EmbeddingDropout(0 if features else p, rng=seed))
    drop = fd.Dropout(p if features else 0, rng=seed)
    hidden, last = Linear(FEATURES, HIDDEN, generator), Linear(HIDDEN, len(MODULES), generator)
    return Stack([bag, drop, hidden, ReLU(), last])


def on_branches(kind, p, seed):
    """Drop in the branches of residual blocks, or whole branches."""
    generator, rng = np.random.default_rng(seed), fd.Rng(seed)
    first = Linear(SIDE * SIDE, HIDDEN, generator)
    blocks = [Residual(HIDDEN, generator, getattr(fd, kind)(p, rng=rng.fold_in(n))) for n in range(BLOCKS)]
    for block in blocks:
        block.w /= np.float32(4)  # each adds little at first
    return Stack([first, ReLU(), *blocks, Linear(HIDDEN, CLASSES, generator)])


def on_selu(kind, p, seed):
    """Drop the units of a self-normalizing network."""
    sizes = [SIDE * SIDE, *[2 * HIDDEN] * 3, CLASSES]
    return self_normalizing(lambda seed, on: Network(sizes, 0, p, seed, dropout=getattr(fd, kind)))(seed, True)


def on_weights(kind, p, seed):
    """Drop the weights of two hidden layers, or their units."""
    sizes = [SIDE * SIDE, 2 * HIDDEN, 2 * HIDDEN, CLASSES]
    if kind == "Dropout":
        return Network(sizes, 0, p, seed)
    generator, rng = np.random.default_rng(seed), fd.Rng(seed)
    drops = [fd.DropConnect(p, rng=rng.fold_in(number)) for number in range(2)]
    first, second = (DroppedLinear(*sizes[i : i + 2], generator, drops[i]) for i in range(2))
    return Stack([first, ReLU(), second, ReLU(), Linear(*sizes[2:], generator)])


class Task(NamedTuple):
    """Data by seed, a network by kind, p and seed, and the kinds made for the task."""

    data: Any
    build: Any
    kinds: tuple[str, ...]


TASKS = {
    "feature maps": Task(digits, on_maps, ("SpatialDropout", "DropBlock")),
    "rows as a sequence": Task(digits, on_rows, ("LockedDropout",)),
    "words of docstrings": Task(words, on_words, ("EmbeddingDropout",)),
    "residual network": Task(digits, on_branches, ("DropPath",)),
    "SELU network": Task(digits, on_selu, ("AlphaDropout",)),
    "weights": Task(digits, on_weights, ("DropConnect",)),
}
