"""ThinnedLinear beside the full product, dropout and SGD: `python benchmarks/thinned.py`, a minute.

First a training step (forward, backward, update) of one layer and of a chain of two, then the training of the demo's
network. All contenders have the same number of threads, in BLAS and in fastdrop, and take turns.
"""

import argparse
import statistics
import time

import numpy as np
from threadpoolctl import threadpool_limits

import fastdrop as fd
from fastdrop._commands.demo.members import MEMBERS
from fastdrop._commands.demo.thinned import Descent
from fastdrop._commands.demo.training import BATCH, split
from fastdrop.network import SGD, ReLU, accuracy, train_epoch

SAMPLES, UNITS, P, LR, ROUNDS = 512, 1024, 0.5, 1e-4, 31
SEEDS, EPOCHS, RATE = 5, 300, 0.1  # the demo's; its 0.01 with momentum 0.9 moves as far


class FullLinear:
    """The full product, fd.Dropout and SGD, nothing allocated that can be used again."""

    def __init__(self, w, b, rng):
        self.w, self.b, self.dropout = w, b, fd.Dropout(P, rng=rng, inplace=True)
        self.y, self.dz, self.dx = (np.empty((SAMPLES, UNITS), np.float32) for _ in range(3))
        self.dw, self.db, self.mask = np.empty_like(w), np.empty_like(b), None

    def forward(self, x, x_mask=None):
        self.x = x
        np.matmul(x, self.w, out=self.y)
        self.y += self.b
        return self.dropout.forward(self.y)

    def backward(self, dy):
        self.dropout.backward(dy, out=self.dz)
        np.matmul(self.x.T, self.dz, out=self.dw)
        np.sum(self.dz, axis=0, out=self.db)
        return np.matmul(self.dz, self.w.T, out=self.dx)

    def sgd_step(self, lr):
        for a, da in ((self.w, self.dw), (self.b, self.db)):
            da *= np.float32(lr)
            a -= da


class FancyLinear(fd.ThinnedLinear):
    """ThinnedLinear as NumPy alone would have it: fancy indexing in the place of the gather and scatter in C."""

    def forward(self, x, x_mask=None):
        self.mask = fd.dropout(np.zeros((1, UNITS), np.float32), P, rng=self.rng)[1]
        self.columns = np.flatnonzero(self.mask.to_bool())
        self.rows = np.arange(UNITS) if x_mask is None else np.flatnonzero(x_mask.to_bool()[0])
        self.kept = x if x_mask is None else x[:, self.rows], self.w[np.ix_(self.rows, self.columns)]
        y = np.zeros((SAMPLES, UNITS), np.float32)
        y[:, self.columns] = (self.kept[0] @ self.kept[1] + self.b[self.columns]) * np.float32(1 / (1 - P))
        return y

    def backward(self, dy):
        dz = dy[:, self.columns] * np.float32(1 / (1 - P))
        self.dw_kept, self.db_kept = self.kept[0].T @ dz, dz.sum(axis=0)
        dx = np.zeros((SAMPLES, UNITS), np.float32)
        dx[:, self.rows] = dz @ self.kept[1].T
        return dx

    def sgd_step(self, lr):
        self.w[np.ix_(self.rows, self.columns)] -= np.float32(lr) * self.dw_kept
        self.b[self.columns] -= np.float32(lr) * self.db_kept


KINDS = (FullLinear, FancyLinear, fd.ThinnedLinear)


def step_of(kind, layers):
    """Return a training step of ReLU layers of that kind."""
    generator, rng = np.random.default_rng(0), fd.Rng(0)
    x, dy = generator.standard_normal((2, SAMPLES, UNITS), np.float32)
    stack = []
    for number in range(layers):
        w = generator.standard_normal((UNITS, UNITS), np.float32) / 32
        stack.append((kind(w, np.zeros(UNITS, np.float32), rng=rng.fold_in(number)), ReLU()))

    def step():
        h, x_mask = x, None
        for linear, relu in stack:
            h, x_mask = relu.forward(linear.forward(h, x_mask)), linear.mask
        d = dy
        for linear, relu in reversed(stack):
            d = linear.backward(relu.backward(d))
        for linear, _ in stack:
            linear.sgd_step(LR)

    return step


def milliseconds(calls):
    """Return the median of each call, in a turn with the others."""
    taken = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(times[1:]) for times in taken]


def train(seed):
    """Train the networks of `demo --layer thinned` on the digits; return a median epoch's ms and the test accuracy."""
    digits = split(seed)
    momentum, plain, thinned = (MEMBERS["thinned"].build(seed, on) for on in (False, False, True))
    contenders = {
        "full, momentum 0.9": (momentum, SGD(momentum, RATE / 10, 0.9)),
        "full, plain SGD": (plain, Descent(plain, RATE)),
        "thinned, plain SGD": (thinned, Descent(thinned, RATE)),
    }
    generators = [np.random.default_rng(seed) for _ in contenders]
    taken = {name: [] for name in contenders}
    for _ in range(EPOCHS):
        for (name, (network, optimizer)), generator in zip(contenders.items(), generators, strict=True):
            start = time.perf_counter()
            train_epoch(network, optimizer, *digits.train, BATCH, generator)
            taken[name].append(1e3 * (time.perf_counter() - start))
    return {
        name: (statistics.median(taken[name]), accuracy(network, *digits.test))
        for name, (network, _) in contenders.items()
    }


def main():
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(f"{fd.show_config(mode='dicts')['processor']}; {SAMPLES} samples, {UNITS} to {UNITS} units, float32, p={P}")
    for threads in sorted({1, fd.get_num_threads()}):
        fd.set_num_threads(threads)
        with threadpool_limits(threads):
            for layers in (1, 2):
                full, fancy, thinned = milliseconds([step_of(kind, layers) for kind in KINDS])
                print(
                    f"{threads} threads, {layers} layers: full {full:.1f} ms, fancy indexing {fancy:.1f} ms "
                    f"({full / fancy:.2f} times as fast), thinned {thinned:.1f} ms ({full / thinned:.2f})"
                )
    print(f"the demo's network, {EPOCHS} epochs of each of {SEEDS} seeds, one thread")
    with threadpool_limits(1):
        fd.set_num_threads(1)
        runs = [train(seed) for seed in range(SEEDS)]
    for name in runs[0]:
        epochs, shares = zip(*(run[name] for run in runs), strict=True)
        print(
            f"{name:20} {statistics.median(epochs):6.2f} ms an epoch   test accuracy {statistics.mean(shares):.1%} "
            f"+- {statistics.stdev(shares):.1%}"
        )


if __name__ == "__main__":
    main()
