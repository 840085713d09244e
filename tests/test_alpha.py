"""alpha_dropout: every backend, bit for bit against the reference, and what it is for: SELU's mean and variance."""

import copy
import math
import pickle
from functools import cache
from itertools import product

import numpy as np
import pytest
import reference
from conftest import (
    DTYPES,
    FOREIGN,
    KEY,
    LAYOUTS,
    STORES,
    assert_mask,
    assert_same,
    kept,
    rng,
    specials,
    to_bits,
    values,
)
from test_dropout import back, three_ways

import fastdrop as fd

FLOATS = [d for d in DTYPES if d.kind != "c"]
SIZES = (0, 1, 63, 64, 65, 511, 4095, 4096, 4097, 20011)
OFFSETS = (0, 1, 64, 4001, 2**40 + 5)
PS = (0, 1, 0.1, 1 / 2, 1 / 4, 5 / 8, 0.9, 2**-20, 2**-66, 1 - 2**-53)
every_dtype = pytest.mark.parametrize("dtype", FLOATS, ids=str)
every_store = pytest.mark.parametrize("store", STORES)


def a_of(p):
    """The factor of the kept elements, and of their gradient."""
    return math.inf if p == 1 else reference.alpha_affine(p)[0]


def drop(p, **kwargs):
    """alpha_dropout as an f of three_ways, the same stream at every call."""
    return lambda x, out: fd.alpha_dropout(x, p, rng=rng(), out=out, **kwargs)


def cover():
    """Every pair of size and p; the other arguments step at other paces."""
    for (i, n), (j, p) in product(enumerate(SIZES), enumerate(PS)):
        dtype, offset = FLOATS[(i + j) % len(FLOATS)], OFFSETS[(i + 2 * j) % len(OFFSETS)]
        threads, align = (1, 2, 3, 7)[(i // 3 + j) % 4], (i + 3 * j) % 17
        name = f"{dtype}-n{n}-off{offset}-p{p}-t{threads}-al{align}"
        yield pytest.param(dtype, n, offset, p, threads, align, id=name)


@pytest.mark.parametrize(("dtype", "n", "offset", "p", "threads", "align"), list(cover()), indirect=["threads"])
def test_forward_and_backward(backend, dtype, n, offset, p, threads, align):
    x, dy, keep = values(n, dtype), values(n, dtype, seed=1), kept(p, n, offset)
    y, dx = reference.alpha(x, keep, p), reference.apply(dy, keep, a_of(p))
    for store in STORES:
        for got, mask in three_ways(drop(p, offset=offset, store=store), x, align):
            assert_same(got, y)
            assert_mask(mask, keep)
            assert (mask.p, mask.scale) == (p, a_of(p))
        for (got,) in three_ways(back(mask), dy, align):
            assert_same(got, dx)
        assert_same(mask.apply(dy), dx)


@cache
def team_case(dtype):
    x, keep = values(2**20 + 4099, dtype), kept(0.1, 2**20 + 4099, 4095)
    return x, reference.pack(keep), reference.alpha(x, keep, 0.1)


@pytest.mark.parametrize("dtype", [np.dtype("f2"), np.dtype("f4")], ids=str)
def test_enough_work_for_a_team(backend, threads, dtype):
    x, packed, want = team_case(dtype)
    for y, mask in three_ways(drop(0.1, offset=4095), x, 1):
        assert_same(y, want)
        np.testing.assert_array_equal(mask.bits, packed)


# Values


@every_store
@every_dtype
@pytest.mark.parametrize("p", [0.3, 0.5])
def test_special_values(backend, dtype, store, p):
    """What is dropped is the dropped value, also where x was not finite; a kept Inf or NaN stays."""
    x, keep = np.resize(specials(dtype), 9001), kept(p, 9001)
    want = reference.alpha(x, keep, p)
    for y, mask in three_ways(drop(p, store=store), x, 0):
        assert_same(y, want)
        assert mask.scale == a_of(p)
        assert np.unique(to_bits(y[~keep])).size == 1
    for (dx,) in three_ways(back(mask), x, 0):
        assert_same(dx, reference.apply(x, keep, a_of(p)))


@every_store
@every_dtype
def test_p_0_leaves_every_bit_and_p_1_none(backend, dtype, store):
    x = np.resize(specials(dtype), 4099)
    for p in (0, -0.0, 1):
        for y, mask in three_ways(drop(p, store=store), x, 3):
            assert y.tobytes() == (bytes(x.nbytes) if p == 1 else x.tobytes())
            assert mask.scale == a_of(p)
        for (dx,) in three_ways(back(mask), x, 3):
            assert dx.tobytes() == y.tobytes()


@pytest.mark.parametrize("dtype", [d for d in FLOATS if d.itemsize == 2], ids=str)
def test_rounding_of_every_16_bit_pattern(backend, dtype):
    x, p, keep = np.resize(np.arange(2**16, dtype=np.uint16).view(dtype), 2**18), 0.3, kept(0.3, 2**18)
    for y, _ in three_ways(drop(p), x, 1):
        assert_same(y, reference.alpha(x, keep, p))


@every_dtype
@pytest.mark.parametrize("p", [5e-324, 2**-66, 1e-10, 2**-20, 0.1, 0.5, 0.9, 1 - 2**-20, 1 - 2**-53])
def test_no_nan_for_any_p(backend, dtype, p):
    x = np.linspace(-10, 10, 9001).astype(dtype)
    y, mask = fd.alpha_dropout(x, p, rng=rng())
    assert np.isfinite(y.astype(np.float64)).all()
    assert math.isfinite(mask.scale)
    assert_same(y, reference.alpha(x, kept(p, x.size), p))


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")], ids=str)
@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_selu_activations_keep_mean_and_variance(p, dtype):
    z = np.random.default_rng(1).standard_normal(10**6)
    selu = 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
    y, _ = fd.alpha_dropout(selu.astype(dtype), p, rng=3)
    assert abs(y.mean(dtype=np.float64) - selu.mean()) < 0.01
    assert y.var(dtype=np.float64) == pytest.approx(selu.var(), rel=0.01)


def test_backward_is_the_gradient(backend):
    x, weight, way = np.random.default_rng(0).standard_normal((3, 40, 33))
    _, mask = fd.alpha_dropout(x, 0.3, rng=5)

    def loss(t):
        return (weight * fd.alpha_dropout(x + t * way, 0.3, rng=5)[0]).sum()

    slope = (loss(1e-3) - loss(-1e-3)) / 2e-3
    assert (fd.dropout_backward(weight, mask) * way).sum() == pytest.approx(slope, rel=1e-9)


# Places


def run(shape, offset=0):
    """The logical indices of a contiguous call."""
    return (np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(offset)).reshape(shape)


PLACES = {  # name: (shape, row, keywords, indices of the noise elements)
    "noise-map": ((5, 6, 8, 9), 0, {"noise_shape": (None, None, 1, 1)}, run((5, 6, 1, 1))),
    "noise-unit": ((33, 70), 0, {"noise_shape": (70,)}, run((70,))),
    "noise-offset": ((33, 70), 0, {"noise_shape": (None, 1), "offset": 4090}, run((33, 1), 4090)),
    "window": ((2, 31), 0, {"window": ((9, 100), (3, 4))}, reference.window_indices((9, 100), (3, 4), (2, 31))),
    "row": ((5, 700), 4, {}, run((5, 700), 2800)),
    "0-d": ((), 0, {}, run(())),
    "empty": ((3, 0), 0, {}, run((3, 0))),
}


@every_store
@pytest.mark.parametrize("layout", LAYOUTS | FOREIGN)
@pytest.mark.parametrize("name", PLACES)
def test_places(backend, name, layout, store):
    shape, row, kwargs, indices = PLACES[name]
    keep = reference.kept_at(KEY, 0, 0.3, indices)
    data = values(math.prod(shape), np.dtype("f4")).reshape(shape)
    x, want = (LAYOUTS | FOREIGN)[layout](data), reference.alpha(data, keep, 0.3)
    for out in (None, np.empty_like(data), *([x] if layout in LAYOUTS else [])):
        r = rng().at_row(row) if row else rng()
        y, mask = fd.alpha_dropout(x, 0.3, rng=r, out=out, store=store, **kwargs)
        assert out is None or y is out
        assert_same(np.array(y), want)
        assert_mask(mask, keep, shape)
    for m in (mask, copy.copy(mask), pickle.loads(pickle.dumps(mask))):
        assert (m.p, m.scale) == (0.3, a_of(0.3))
        assert_same(fd.dropout_backward(data, m), reference.apply(data, keep, a_of(0.3)))
