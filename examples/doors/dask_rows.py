"""
Dask: chunks change no number
=============================

Dropout of a dask array on all processors, and how sure a network is of each row, whatever the chunks::

    pip install "numpy-fastdrop[dask]"
    python examples/doors/dask_rows.py
"""

import argparse

import dask.array as da
import numpy as np

import fastdrop as fd
import fastdrop.dask


def main():
    """Drop, go back, ask; each with two ways to cut the rows."""
    parser = argparse.ArgumentParser(description="Dropout of a dask array, whatever the chunks")
    parser.add_argument("--rows", type=int, default=20_000, help="of the data (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=20, help="passes with dropout on (default: %(default)s)")
    options = parser.parse_args()

    generator = np.random.default_rng(0)
    w1 = generator.standard_normal((64, 128)) / 8
    w2 = generator.standard_normal((128, 3)) / 8

    def probabilities(x, rng):
        hidden, _ = fd.dropout(np.maximum(x @ w1, 0), 0.5, rng=rng)
        y = np.exp(hidden @ w2)
        return y / y.sum(axis=1, keepdims=True)

    means = []
    for rows in (options.rows // 4, options.rows // 7):  # of a chunk
        x = da.random.default_rng(1).standard_normal((options.rows, 64), chunks=options.rows // 4)
        x = x.rechunk((rows, 64))
        y, mask = fastdrop.dask.dropout(x, 0.2, rng=fd.Rng(2))
        dx = mask.apply(y.rechunk((rows // 2, 64)))  # the gradient of sum(y * y) / 2, in other chunks
        zeros, equal = da.compute((y == 0).mean(), ((dx == 0) == (y == 0)).all())
        print(f"chunks of {rows} rows: {zeros:.4%} dropped, backward the same elements: {equal}")
        result = fastdrop.dask.monte_carlo(probabilities, x, options.samples, rng=fd.Rng(3))
        mean, entropy = da.compute(result.mean[:5], result.entropy.mean())
        print(f"  mean entropy {entropy:.4f} nats; row 0: {mean[0].round(4)}")
        means.append(mean)
    print("rows cut in two ways agree to rounding:", np.allclose(*means, rtol=1e-12))


if __name__ == "__main__":
    main()
