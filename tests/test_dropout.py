"""dropout and dropout_backward on contiguous arrays: every backend, bit for bit against the reference."""

from itertools import product

import numpy as np
import pytest
import reference
from conftest import (
    DTYPES,
    STORES,
    assert_guards,
    assert_mask,
    assert_same,
    expected,
    guarded,
    is_nan,
    kept,
    rng,
    sign_and_inf,
    specials,
    to_bits,
    values,
)

import fastdrop as fd

SIZES = (0, 1, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 100003)
OFFSETS = (0, 1, 63, 64, 4000, 2**40 + 5, "end")  # "end": the last element has index 2**64 - 1
PS = (0, 1, 1 / 2, 1 / 4, 3 / 4, 3 / 8, 5 / 16, 11 / 32, 33 / 64, 127 / 128, 1 / 256, 255 / 256, 3 / 512, 511 / 512)
PS += (0.1, 2**-20, 2**-60, 2**-64, 2**-65, 1 - 2**-53)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_store = pytest.mark.parametrize("store", STORES)


def cover():
    """Every pair of size and p; the other arguments step at other paces, so that every pair of any two occurs."""
    for (a, n), (b, p) in product(enumerate(SIZES), enumerate(PS)):
        dtype, offset = DTYPES[(a + b) % len(DTYPES)], OFFSETS[(a + 2 * b) % len(OFFSETS)]
        threads, align = (1, 2, 3, 7)[(a // 3 + b) % 4], (a + 3 * b) % 17
        start = 2**64 - n if offset == "end" else offset
        yield pytest.param(dtype, n, start, p, threads, align, id=f"{dtype}-n{n}-off{offset}-p{p}-t{threads}-al{align}")


def three_ways(f, data, align):
    """The results of f(x, out) into a new array, into out and in place, where x is data between guard bytes."""
    x, out = guarded(data.size, data.dtype, align), guarded(data.size, data.dtype, align + 3)
    x[:] = data
    fresh, into = f(x, None), f(x, out)
    assert into[0] is out
    assert not np.shares_memory(fresh[0], x)
    assert x.tobytes() == data.tobytes()
    yield fresh
    yield into
    here = f(x, x)
    assert here[0] is x
    yield here
    assert_guards(x, out)


def drop(p, **kwargs):
    """dropout as an f of three_ways, the same stream at every call."""
    return lambda x, out: fd.dropout(x, p, rng=rng(), out=out, **kwargs)


def back(mask):
    return lambda dy, out: (fd.dropout_backward(dy, mask, out=out),)


@pytest.mark.parametrize(("dtype", "n", "offset", "p", "threads", "align"), list(cover()), indirect=["threads"])
def test_forward_and_backward(backend, dtype, n, offset, p, threads, align):
    x, dy, keep = values(n, dtype), values(n, dtype, seed=1), kept(p, n, offset)
    y, dx = expected(x, keep, p), expected(dy, keep, p)
    for store in STORES:
        for got, mask in three_ways(drop(p, offset=offset, store=store), x, align):
            assert_same(got, y)
            assert_mask(mask, keep)
            assert (mask.p, mask.scale) == (p, reference.scale(p))
        for (got,) in three_ways(back(mask), dy, align):
            assert_same(got, dx)
        assert_same(mask.apply(dy), dx)


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("c16")], ids=str)
def test_enough_work_for_a_team(backend, threads, dtype):
    n, p, offset = 2**20 + 4099, 0.1, 4095
    x, keep = values(n, dtype), kept(p, n, offset)
    want, packed = expected(x, keep, p), reference.pack(keep)
    for store in STORES:
        for y, mask in three_ways(drop(p, offset=offset, store=store), x, 1):
            assert_same(y, want)
            np.testing.assert_array_equal(mask.bits, packed)
        for (dx,) in three_ways(back(mask), x, 1):
            assert_same(dx, want)


# Values


@every_store
@every_dtype
@pytest.mark.parametrize("p", [0.3, 0.5])
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "not-inverted"])
def test_special_values(backend, dtype, store, p, inverted):
    x = np.resize(specials(dtype), 9001)
    keep = kept(p, x.size)
    want = expected(x, keep, p, inverted)
    # The oracle is held to the rules as well: dropped is +0.0, and what is kept stays NaN, Inf, 0.0 or -0.0.
    before, after, sign, inf = to_bits(x), to_bits(want), *sign_and_inf(dtype)
    kept_parts = np.repeat(keep, before.size // x.size)
    magnitude = before & (sign - 1)
    unchanged = kept_parts & ((magnitude == 0) | (magnitude == inf))
    assert not after[~kept_parts].any()
    assert (after[unchanged] == before[unchanged]).all()
    assert (is_nan(want) == is_nan(x) & kept_parts).all()
    for y, mask in three_ways(drop(p, store=store, inverted=inverted), x, 0):
        assert_same(y, want)
        assert mask.scale == (1 / (1 - p) if inverted else 1)
        if not inverted:  # untouched, the payloads of NaNs included
            np.testing.assert_array_equal(to_bits(y[keep]), to_bits(x[keep]))
    for (dx,) in three_ways(back(mask), x, 0):
        assert_same(dx, want)


@every_store
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.itemsize == 2], ids=str)
def test_rounding_of_every_16_bit_pattern(backend, dtype, store):
    p, keep = 0.3, kept(0.3, 100003)
    patterns = np.arange(2**16, dtype=np.uint16).view(dtype)
    x = np.full(keep.size, np.nan, dtype)
    x[np.flatnonzero(keep)[: 2**16]] = patterns
    with np.errstate(all="ignore"):
        product = patterns.astype(np.float32) * np.float32(1 / 0.7)
        want = product.astype(dtype)
    for y, mask in three_ways(drop(p, store=store), x, 1):
        assert_same(y[keep][: 2**16], want)
        assert_same(y, expected(x, keep, p))
        assert_same(fd.dropout_backward(x, mask), expected(x, keep, p))
    assert_same(fd.Mask.from_bool(np.ones(2**16, bool), p).apply(patterns), want)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.itemsize == 2], ids=str)
def test_every_dropped_16_bit_pattern_is_zero(backend, dtype):
    x = np.arange(2**16, dtype=np.uint16).view(dtype)
    y, _ = fd.dropout(x, 0.9, rng=rng())
    assert not to_bits(y)[~kept(0.9, x.size)].any()
    none = fd.Mask.from_bool(np.zeros(x.size, bool), 0.9)
    assert not to_bits(none.apply(x)).any()


@every_store
@every_dtype
@pytest.mark.parametrize("p", [0, -0.0, 2**-65], ids=["0", "-0", "T=0"])
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "not-inverted"])
def test_p_0_leaves_every_bit(backend, dtype, store, p, inverted):
    x = np.resize(specials(dtype), 4099)
    exact = p == 0 or not inverted  # 2**-65 drops nothing, but multiplies by 1.0, which quiets a NaN
    for y, mask in three_ways(drop(p, store=store, inverted=inverted), x, 3):
        assert_same(y, x)
        assert not exact or y.tobytes() == x.tobytes()
        assert (mask.kept, mask.scale) == (x.size, 1)
    for (dx,) in three_ways(back(mask), x, 3):
        assert_same(dx, x)
        assert not exact or dx.tobytes() == x.tobytes()


@every_store
@every_dtype
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "not-inverted"])
def test_p_1_gives_positive_zeros(backend, dtype, store, inverted):
    x = np.resize(specials(dtype), 4099)
    for y, mask in three_ways(drop(1, store=store, inverted=inverted), x, 3):
        assert not to_bits(y).any()
        assert (mask.kept, mask.scale) == (0, np.inf if inverted else 1)
        assert not mask.bits.any()
    for (dx,) in three_ways(back(mask), x, 3):
        assert not to_bits(dx).any()


@pytest.mark.parametrize("p", [np.float32(0.1), np.float16(0.3), np.float64(0.1), np.array(0.25), np.int64(1), 1, -0.0])
def test_p_is_widened_to_a_double(p):
    _, mask = fd.dropout(values(4099, np.dtype("f4")), p, rng=rng())
    assert type(mask.p) is float
    assert mask.p == float(p)
    np.testing.assert_array_equal(mask.to_bool(), kept(float(p), 4099))


# Backward


@every_store
def test_backward_is_the_gradient(backend, store):
    generator = np.random.default_rng(0)
    x, weight, way = generator.standard_normal((3, 40, 33))
    _, mask = fd.dropout(x, 0.3, rng=5, store=store)

    def loss(t):
        return (weight * fd.dropout(x + t * way, 0.3, rng=5)[0]).sum()

    slope = (loss(1e-3) - loss(-1e-3)) / 2e-3
    assert (fd.dropout_backward(weight, mask) * way).sum() == pytest.approx(slope, rel=1e-9)


@every_store
def test_zero_input_leaks_no_gradient(backend, store):
    _, mask = fd.dropout(np.zeros(1000), 0.5, rng=rng(), store=store)
    np.testing.assert_array_equal(fd.dropout_backward(np.ones(1000), mask), 2.0 * kept(0.5, 1000))


@every_dtype
@every_store
def test_dy_has_a_dtype_of_its_own(backend, dtype, store):
    _, mask = fd.dropout(np.ones(513, np.float32), 0.1, rng=rng(), store=store)
    dy = values(513, dtype)
    assert_same(fd.dropout_backward(dy, mask), expected(dy, kept(0.1, 513), 0.1))


@pytest.mark.parametrize("threads", [1, 7], indirect=True)
def test_recipe_is_the_mask_of_its_forward(backend, threads):
    n, r, layer = 2**18 + 5, rng(3), fd.Dropout(0.1, rng=rng(4), store="recipe")
    x = values(n, np.dtype("f4"))
    y, mask = fd.dropout(x, 0.1, rng=r, store="recipe")
    z = layer.forward(x)
    fd.dropout(x, 0.5, rng=r)
    fd.bernoulli(9, 0.5, rng=layer.rng)
    r.state = rng(99).state
    layer.p = 0.7
    fd.set_num_threads(3)
    assert_same(fd.dropout_backward(x, mask), y)
    assert_same(layer.backward(x), z)
    assert_same(y, expected(x, kept(0.1, n, stream=3), 0.1))
    assert_same(z, expected(x, kept(0.1, n, stream=4), 0.1))


def test_every_valid_call_takes_one_stream(backend):
    r, x = rng(7), np.ones(300)
    calls = [(x, 0.5), (x, 0), (x, 1), (np.ones(0), 0.5), (np.ones((3, 0)), 0), (x[:1], 0.5), (x, 0.5)]
    for i, (a, p) in enumerate(calls):
        _, mask = fd.dropout(a, p, rng=r, store=STORES[i % 2])
        assert r.counter == 8 + i
        np.testing.assert_array_equal(mask.to_bool(), kept(p, a.size, stream=7 + i).reshape(a.shape))
    np.testing.assert_array_equal(fd.bernoulli(300, 0.5, rng=r), ~kept(0.5, 300, stream=14))
    assert r.counter == 15
    assert r.key == fd.Rng(8).key
