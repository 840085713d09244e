"""float32 products that lie halfway between two numbers of a 16-bit type go to the even one, on every backend."""

import numpy as np
import pytest
from conftest import DTYPES, MANTISSA, assert_same, rng

import fastdrop as fd

SCALES = {0.2: 1.25, 1 / 3: 1.5, 0.6: 2.5, 1 - 2**-7 / 1.5: 192.0}
HALF_A_WORD = 77  # kept and dropped ones side by side, and a length that is no multiple of a vector


def ties(dtype, scale):
    """All finite patterns whose product with the scale lies halfway, and what they become."""
    patterns = np.arange(2**16, dtype=np.uint16).view(dtype)
    with np.errstate(all="ignore"):
        x = patterns.astype(np.float64)
        values = np.unique(x[np.isfinite(x)])
        product = np.where(np.isfinite(x), x * scale, np.inf)  # exact: a few bits by a few
    above = np.searchsorted(values, product).clip(1, len(values) - 1)
    low, high = values[above - 1], values[above]
    tie = product - low == high - product
    even = np.where(low.astype(dtype).view(np.uint16) % 2 == 0, low, high)
    return patterns[tie], even[tie].astype(dtype)


@pytest.mark.parametrize("p", SCALES)
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.itemsize == 2], ids=str)
def test_ties(backend, dtype, p):
    x, want = ties(dtype, SCALES[p])
    assert np.float32(1 / (1 - p)) == np.float32(SCALES[p])
    assert len(x) > 2 ** MANTISSA[dtype.name]
    up = want.astype(float) > x.astype(float) * SCALES[p]
    assert up.any()
    assert not up.all()
    everything = fd.Mask.from_bool(np.ones(len(x), bool), p)
    for layout in (np.asarray, lambda a: np.repeat(a, 3)[1::3], np.flip):
        assert_same(everything.apply(layout(x)), layout(want).copy())
    drawn = np.resize(x, 9000 + HALF_A_WORD)
    for rate in (p, np.full(drawn.shape, p), np.array([p])):
        y, mask = fd.dropout(drawn, rate, rng=rng())
        keep = mask.to_bool()
        assert_same(y, np.where(keep, np.resize(want, drawn.shape), 0).astype(dtype))
        assert_same(fd.dropout_backward(drawn, mask), y)
    y, mask = fd.bias_dropout_residual(drawn, None, None, p, rng=rng())
    assert_same(y, np.where(mask.to_bool(), np.resize(want, drawn.shape), 0).astype(dtype))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.itemsize == 2], ids=str)
def test_sums_that_are_ties(backend, dtype):
    """x + bias and y + residual: one plus half a step, and one step more than that."""
    step = 2.0 ** -MANTISSA[dtype.name]
    x = np.resize(np.array([1, 1 + step, 1 + 2 * step, 1 + 3 * step], dtype), (100, 8))
    half = np.full(8, step / 2, dtype)
    want = np.resize(np.array([1, 1 + 2 * step, 1 + 2 * step, 1 + 4 * step], dtype), (100, 8))
    assert_same(fd.bias_dropout_residual(x, half, None, 0, rng=rng())[0], want)
    assert_same(fd.bias_dropout_residual(x, None, np.tile(half, (100, 1)), 0, rng=rng())[0], want)
