"""Imports the libraries named in that order and calls them in turn, then at once: `python imports.py NAME ...`.

Each has an OpenMP of its own. What fastdrop gives must be the oracle's throughout, what the others give must stay.
"""

import functools
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reference

N, P, SEED, THREADS, ROUNDS = 2**20 + 4097, 0.3, 5, 4, 5
X = np.random.default_rng(0).standard_normal((2000, 20), np.float32)


@functools.cache
def oracle():
    """x, which elements are kept, and y."""
    x = np.arange(N, dtype=np.float32)
    kept = reference.kept(reference.key_from_seed(SEED), 0, P, 0, N)
    return x, kept, reference.apply(x, kept, reference.scale(P))


def fastdrop():
    """Forward and backward, large enough for a team of threads."""
    import fastdrop as fd

    x, kept, want = oracle()
    with fd.num_threads(THREADS):
        y, mask = fd.dropout(x, P, rng=SEED)
        dx = fd.dropout_backward(x, mask)
    assert np.array_equal(mask.to_bool(), kept), "another mask than the oracle's"
    assert y.tobytes() == want.tobytes(), "other values than the oracle's"
    assert dx.tobytes() == want.tobytes(), "another gradient than the oracle's"
    return y


def sklearn():
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=5).fit(X, X[:, 0]).predict(X)


@functools.cache
def numba_squares():
    import numba

    @numba.njit(parallel=True)
    def squares(x):
        y = np.empty_like(x)
        for i in numba.prange(len(x)):
            y[i] = x[i] * x[i]
        return y

    return squares


def numba():
    return numba_squares()(X.ravel())


def torch():
    import torch

    torch.set_num_threads(THREADS)
    a = torch.from_numpy(X)
    return torch.exp(a @ a.T / 20).numpy()


def again(call, first):
    for _ in range(ROUNDS):
        np.testing.assert_allclose(call(), first, rtol=1e-5)


def main(names):
    first = {}
    for name in names:
        call = globals()[name]
        first[call] = call()
        for earlier, result in first.items():
            again(earlier, result)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(again, call, result) for call, result in first.items()]:
            done.result()
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    runtimes = sorted(set(re.findall(r"/(lib(?:g|i|)omp[^/\n]*)", maps)))
    print(f"fastdrop's results are the oracle's beside {', '.join(names)}; loaded: {', '.join(runtimes)}")


if __name__ == "__main__":
    main(sys.argv[1:])
