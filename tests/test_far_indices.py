"""Logical indices near 2**32, 2**33 and 2**64, also where a thread begins in the middle of a window."""

import numpy as np
import pytest
import reference
from conftest import KEY, rng

import fastdrop as fd

ROWS, COLUMNS = 2048, 1024
CORNERS = {  # full_shape, start
    "rows-of-2^33": ((2**20, 2**33), (5, 7)),
    "rows-of-2^33-far": ((2**31, 2**33), (2**31 - ROWS, 2**33 - COLUMNS)),
    "rows-of-2^32": ((2**32, 2**32), (2**32 - ROWS, 2**32 - COLUMNS)),
    "over-2^32": ((2**32, 1500), (2**32 // 1500 - 1000, 100)),
}
SOME = np.unique(np.r_[0, 1, ROWS - 1, np.arange(0, ROWS, 61), ROWS // 2 - 1 : ROWS // 2 + 2])


@pytest.mark.parametrize(("full_shape", "start"), CORNERS.values(), ids=CORNERS)
@pytest.mark.parametrize("threads", [1, 2, 3], indirect=True)
def test_a_window(threads, full_shape, start):
    x = np.ones((ROWS, COLUMNS), np.float16)
    _, mask = fd.dropout(x, 0.5, rng=rng(), window=(full_shape, start), store="recipe")
    indices = reference.window_indices(full_shape, start, x.shape)[SOME]
    np.testing.assert_array_equal(mask.to_bool()[SOME], reference.kept_at(KEY, 0, 0.5, indices))


@pytest.mark.parametrize(("full_shape", "start"), CORNERS.values(), ids=CORNERS)
@pytest.mark.parametrize("threads", [1, 2, 3], indirect=True)
def test_a_window_with_an_array_p(threads, full_shape, start):
    x, p = np.ones((128, COLUMNS), np.float16), np.linspace(0, 1, COLUMNS)
    start = start[0] + ROWS - 128, start[1]
    _, mask = fd.dropout(x, p, rng=rng(), window=(full_shape, start), store="recipe")
    indices = reference.window_indices(full_shape, start, x.shape)[::7]
    np.testing.assert_array_equal(mask.to_bool()[::7], reference.kept_each(KEY, 0, p, indices))


@pytest.mark.parametrize("middle", [2**31, 2**32, 2**44, 2**63, 2**64 - 5000], ids=hex)
@pytest.mark.parametrize("p", [0.1, np.linspace(0, 1, 10_000)], ids=["number", "array"])
def test_an_offset(backend, middle, p):
    start, n = middle - 5000, 10_000
    y, mask = fd.dropout(np.ones(n), p, rng=rng(), offset=start)
    indices = np.arange(n, dtype=np.uint64) + np.uint64(start)
    of = reference.kept_at if np.ndim(p) == 0 else reference.kept_each
    keep = of(KEY, 0, p, indices)
    np.testing.assert_array_equal(mask.to_bool(), keep)
    np.testing.assert_array_equal(y, reference.apply(np.ones(n), keep, reference.scale(p)))


@pytest.mark.parametrize("row", [2**31, 2**32 - 1, 2**60 - 6], ids=hex)
def test_rows(row):
    """Also in bias_dropout_residual and mc_dropout, which take an index but no window."""
    x, far = np.ones((6, 16)), rng().at_row(row)
    keep = reference.kept(KEY, 0, 0.3, 16 * row, 96).reshape(6, 16)
    np.testing.assert_array_equal(fd.dropout(x, 0.3, rng=far)[1].to_bool(), keep)
    far = rng().at_row(row)
    np.testing.assert_array_equal(fd.bias_dropout_residual(x, x[0], x, 0.3, rng=far)[1].to_bool(), keep)
    child = reference.kept(reference.fold_in(KEY, 1), 0, 0.3, 16 * row, 96).reshape(6, 16)
    np.testing.assert_array_equal(fd.mc_dropout(x, 0.3, 2, rng=far)[1] > 0, child)


def test_the_last_rows():
    x = np.ones((6, 16))
    for call in (
        lambda r: fd.dropout(x, rng=r),
        lambda r: fd.bernoulli((6, 16), 0.5, rng=r),
        lambda r: fd.bias_dropout_residual(x, None, None, rng=r),
        lambda r: fd.mc_dropout(x, 0.5, 2, rng=r),
        lambda r: fd.alpha_dropout(x, rng=r),
        lambda r: fd.gaussian_dropout(x, rng=r),
    ):
        call(rng().at_row(2**60 - 6))
        past = rng().at_row(2**60 - 5)
        with pytest.raises(ValueError, match="must be at most"):
            call(past)
        assert past.counter == 0
