"""
Thinc: masks for its networks
=============================

A network of Thinc with masks by fastdrop, and the time of its steps beside Thinc's own masks::

    pip install "numpy-fastdrop[thinc]"
    python examples/doors/thinc_backend.py
"""

import argparse
from statistics import median
from time import perf_counter

import numpy as np
from thinc.api import Adam, Dropout, Relu, Softmax, chain, fix_random_seed, use_ops


def steps(name, x, y, width, count):
    """Build a network with the ops of that name, and yield the seconds of each step, its loss, and the network."""
    fix_random_seed(0)
    with use_ops(name):  # before the network is built: its layers keep these ops
        model = chain(Relu(width), Dropout(0.5), Relu(width), Dropout(0.5), Softmax()).initialize(x, y)
    optimizer = Adam(0.001)
    for _ in range(count):
        start = perf_counter()
        predicted, backprop = model.begin_update(x)
        backprop((predicted - y) / len(x))
        model.finish_update(optimizer)
        yield perf_counter() - start, -np.log(predicted[y == 1]).mean()


def main():
    """Train two networks, a step of each in turn."""
    parser = argparse.ArgumentParser(description="A network of Thinc with masks by fastdrop")
    parser.add_argument("--width", type=int, default=512, help="units of a hidden layer (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="of training (default: %(default)s)")
    options = parser.parse_args()
    x = np.random.default_rng(0).standard_normal((500, 64)).astype(np.float32)
    y = np.eye(10, dtype=np.float32)[abs(x[:, :10]).argmax(axis=1)]
    runs = [steps(name, x, y, options.width, options.steps) for name in ("numpy", "fastdrop")]
    pairs = list(zip(*runs, strict=True))
    for name, run in zip(("numpy", "fastdrop"), zip(*pairs, strict=True), strict=True):
        print(f"{name:8}  loss {run[0][1]:.2f} to {run[-1][1]:.2f}, a step {1e3 * median(s for s, _ in run):.2f} ms")
    print(f"time by fastdrop / by numpy, median of pairs: {median(b[0] / a[0] for a, b in pairs):.2f}")


if __name__ == "__main__":
    main()
