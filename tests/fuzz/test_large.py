"""More than 2^32 elements, float16 and memory-mapped: in the long form alone (--hypothesis-profile=long).

Some minutes; 9 GB of disk for what is written, as x's file has no blocks where nothing was written to it.
"""

import shutil

import numpy as np
import pytest
import reference
from conftest import KEY, assert_same, rng

import fastdrop as fd

P = 0.1
ROWS, COLUMNS = 2**11 + 1, 2**21 + 77  # odd: each row begins elsewhere in a byte, a lane and a block
N = ROWS * COLUMNS
BORDERS = np.array([0, 2**30, 2**31, 2**31 + 4096 * 100, 2**32, 2**32 + 4096 * 100, N])
NEAR = np.unique(np.clip(BORDERS[:, None] + np.arange(-50, 50), 0, N - 1))
PLACES = np.union1d(NEAR, NEAR % ROWS * COLUMNS + NEAR // ROWS)  # in memory; the latter have such an index transposed
VALUES = np.linspace(1, 2, len(PLACES), dtype=np.float16)  # of x there; it is 0 elsewhere

CASES = {  # the array as it is passed, how, and the logical index of (row, column)
    "bits": (np.ravel, {}, lambda i, j: i * COLUMNS + j),
    "recipe": (np.ravel, {"store": "recipe"}, lambda i, j: i * COLUMNS + j),
    "transposed": (np.transpose, {"store": "recipe"}, lambda i, j: j * ROWS + i),
    "rows": (np.asarray, {"noise_shape": (None, 1)}, lambda i, j: i),
    "columns": (np.asarray, {"noise_shape": (1, None)}, lambda i, j: j),
    "window": (np.asarray, {"window": ((2**40, 2**22), (2**31, 9))}, lambda i, j: (2**31 + i) * 2**22 + 9 + j),
}


@pytest.fixture(scope="module")
def large(request, tmp_path_factory):
    """x, and out, in files without blocks."""
    if request.config.getoption("--hypothesis-profile", None) != "long":
        pytest.skip("NOT RUN: the long form alone")
    folder = tmp_path_factory.mktemp("large")
    if shutil.disk_usage(folder).free < 2 * 2 * N:
        pytest.skip("NOT RUN: the disk is short")
    x, out = (np.memmap(folder / name, np.float16, "w+", shape=(ROWS, COLUMNS)) for name in ("x", "out"))
    x.reshape(-1)[PLACES] = VALUES
    yield x, out
    shutil.rmtree(folder)


def at_places(out):
    return np.array(out.reshape(-1)[PLACES])


@pytest.mark.parametrize(("seen", "options", "index"), CASES.values(), ids=CASES)
def test_more_than_2_to_32_elements(large, seen, options, index):
    x, out = large
    keep = reference.kept_at(KEY, 0, P, index(PLACES // COLUMNS, PLACES % COLUMNS))
    want = reference.apply(VALUES, keep, reference.scale(P))
    _, mask = fd.dropout(seen(x), P, rng=rng(), out=seen(out), **options)
    assert_same(at_places(out), want)
    n = mask.bits.size * 8
    assert abs(mask.kept - 0.9 * n) < 5 * (0.09 * n) ** 0.5 + 8
    out.reshape(-1)[PLACES] = 0
    fd.dropout_backward(seen(x), mask, out=seen(out))
    assert_same(at_places(out), want)


def test_an_array_p(large):
    x, out = large
    p = np.resize([0, 0.1, 0.5, 0.9, 1], COLUMNS)
    own = p[PLACES % COLUMNS]
    want = reference.apply(VALUES, reference.kept_each(KEY, 0, own, PLACES), reference.scale(own))
    _, mask = fd.dropout(x, p, rng=rng(), out=out, store="recipe")
    assert_same(at_places(out), want)
    out.reshape(-1)[PLACES] = 0
    mask.apply(x, out)
    assert_same(at_places(out), want)


def test_bias_dropout_residual(large):
    x, out = large
    bias = np.resize(np.linspace(1, 2, 99, dtype=np.float16), COLUMNS)
    column = PLACES % COLUMNS
    keep = reference.kept_at(KEY, 0, P, PLACES)
    _, mask = fd.bias_dropout_residual(x, bias, x, P, rng=rng(), out=out)
    want = reference.apply(VALUES + bias[column], keep, reference.scale(P)) + VALUES
    assert_same(at_places(out), want)
    _, dbias, _ = fd.bias_dropout_residual_backward(x, mask, out=out)
    dx = reference.apply(VALUES, keep, reference.scale(P))
    assert_same(at_places(out), dx)
    np.testing.assert_allclose(dbias, np.bincount(column, dx, COLUMNS), rtol=1e-3)
