"""An array p: one U an element, each element with the rate and the scale of its own, bit for bit as the reference."""

import array
import collections
import copy
import json
import math
import pickle
import re
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import reference
from conftest import (
    DTYPES,
    FOREIGN,
    KEY,
    LAYOUTS,
    STORES,
    assert_guards,
    assert_mask,
    assert_same,
    guarded,
    rng,
    specials,
    to_bits,
    values,
)
from conftest import kept as kept_by_one_p
from test_dropout import back, drop, three_ways

import fastdrop as fd

SIZES = (0, 1, 7, 8, 9, 63, 64, 65, 511, 513, 4095, 4096, 4097, 20011)
OFFSETS = (0, 1, 7, 64, 4001, 2**40 + 5, "end")  # "end": the last element has index 2**64 - 1
ENTRIES = np.array([0, 1, 2**-66, 2**-20, 0.5, 1 - 2**-53, 0.1, 0.9])
KNOWN = json.loads(Path(__file__).with_name("stream-check.json").read_text(encoding="utf-8"))
KNOWN = KNOWN["array p: key, stream, p of each element, start, bits"]
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_store = pytest.mark.parametrize("store", STORES)


@cache
def rates(shape):
    """An array p, half of it the entries that have a way of their own."""
    g = np.random.default_rng(math.prod(shape))
    p = np.where(g.random(shape) < 0.5, g.choice(ENTRIES, shape), g.integers(0, 98, shape) / 97)
    p.flags.writeable = False
    return p


@cache
def kept(p_shape, noise_shape, offset=0, stream=0):
    """The reference's mask of the noise elements from offset on, under KEY and the rates of p_shape."""
    n = math.prod(noise_shape)
    indices = (np.arange(n, dtype=np.uint64) + np.uint64(offset % 2**64)).reshape(noise_shape)
    return reference.kept_each(KEY, stream, rates(p_shape), indices)


def assert_rates(mask, p, inverted=True):
    """The mask's p and scale are arrays of p's shape."""
    for got, want in ((mask.p, p), (mask.scale, reference.scale(p, inverted))):
        assert (type(got), got.dtype, got.shape) == (np.ndarray, np.float64, p.shape)
        np.testing.assert_array_equal(got, want)


def cover():
    """Every pair of size and offset; dtype, threads and alignment step at other paces."""
    for (a, n), (b, offset) in product(enumerate(SIZES), enumerate(OFFSETS)):
        dtype, threads, align = DTYPES[(a + b) % len(DTYPES)], (1, 2, 3, 7)[(a // 3 + b) % 4], (a + 3 * b) % 17
        start = 2**64 - n if offset == "end" else offset
        yield pytest.param(dtype, n, start, threads, align, id=f"{dtype}-n{n}-off{offset}-t{threads}-al{align}")


@pytest.mark.parametrize(("dtype", "n", "offset", "threads", "align"), list(cover()), indirect=["threads"])
def test_per_element(backend, dtype, n, offset, threads, align):
    x, dy, keep, scale = values(n, dtype), values(n, dtype, 1), kept((n,), (n,), offset), reference.scale(rates((n,)))
    p = guarded(n, "f8", align)
    p[...] = rates((n,))
    for store in STORES:
        for y, mask in three_ways(drop(p, offset=offset, store=store), x, align):
            assert_same(y, reference.apply(x, keep, scale))
            assert_mask(mask, keep)
            assert_rates(mask, p)
        for (dx,) in three_ways(back(mask), dy, align):
            assert_same(dx, reference.apply(dy, keep, scale))
        assert_same(mask.apply(dy), dx)
    assert_guards(p)


@pytest.mark.parametrize("each", [1, 64], ids=["every-element", "one-of-a-word"])
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "standard"])
def test_a_rate_that_is_its_own_u(backend, each, inverted):
    """Kernels tell U from T by their upper bits: here these are alike, so that the lower ones decide."""
    n = 20011
    u = reference.uniforms(KEY, 0, np.arange(n, dtype=np.uint64)).astype(np.float64) * 2.0**-64
    g = np.random.default_rng(2)
    p = np.where(np.arange(n) % each == 0, np.clip(u + g.integers(-4, 5, n) * 2.0**-53, 0, 1), g.random(n))
    x, keep = values(n, np.dtype("f4")), reference.kept_each(KEY, 0, p, np.arange(n))
    y, mask = fd.dropout(x, p, rng=rng(), inverted=inverted)
    assert_mask(mask, keep)
    assert_same(y, reference.apply(x, keep, reference.scale(p) if inverted else 1.0))
    assert 0.2 < keep[::each].mean() < 0.8


REPEATED = [
    ((700, 32), (32,)),
    ((3, 90, 64), (3, 1, 64)),
    ((4500, 2), (2,)),
    ((90, 70), (90, 1)),
    ((9, 16, 67), (16, 1)),
]
REPEATED += [((3, 130, 7, 8), (130, 1, 8)), ((1, 9000), (1, 1)), ((60, 100), (100,)), ((20, 3, 130), (20, 1, 130))]


@pytest.mark.parametrize("dtype", DTYPES[1:5], ids=str)
@pytest.mark.parametrize("offset", [0, 64, 4001])
@pytest.mark.parametrize(("shape", "p_shape"), REPEATED, ids=str)
def test_rates_that_repeat(backend, shape, p_shape, offset, dtype):
    x, keep, scale = (
        values(math.prod(shape), dtype).reshape(shape),
        kept(p_shape, shape, offset),
        reference.scale(rates(p_shape)),
    )
    want = reference.apply(x, keep, scale)
    y, mask = fd.dropout(x, rates(p_shape), rng=rng(), offset=offset)
    assert_same(y, want)
    assert_mask(mask, keep)
    assert_same(fd.dropout_backward(x, mask), want)
    last = np.ascontiguousarray(np.moveaxis(x, 0, -1))
    assert_same(fd.dropout_backward(np.moveaxis(last, -1, 0), mask), want)


@pytest.mark.parametrize("offset", [0, 4095])
@pytest.mark.parametrize("p_shape", [(256, 4099), (256, 1), (4099,)], ids=["element", "sample", "unit"])
def test_enough_work_for_a_team(backend, threads, p_shape, offset):
    shape, p = (256, 4099), rates(p_shape)
    x, keep = values(256 * 4099, np.dtype("f4")).reshape(shape), kept(p_shape, shape, offset)
    want, packed = reference.apply(x, keep, reference.scale(p)), reference.pack(keep)
    for store in STORES:
        y, mask = fd.dropout(x, p, rng=rng(), offset=offset, store=store)
        assert_same(y, want)
        np.testing.assert_array_equal(mask.bits, packed)
        assert_same(fd.dropout_backward(x, mask), want)


@pytest.mark.parametrize(("key", "stream", "p", "start", "bits"), KNOWN)
def test_known_answers(backend, key, stream, p, start, bits):
    p = list(map(float.fromhex, p))
    for store in STORES:
        r = fd.Rng.from_key(*(int(k, 16) for k in key), counter=int(stream))
        _, mask = fd.dropout(np.ones(len(p)), p, rng=r, offset=int(start), store=store)
        assert mask.bits.tobytes().hex() == bits


@every_store
@every_dtype
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "not-inverted"])
def test_special_values(backend, dtype, store, inverted):
    x, p, keep = np.resize(specials(dtype), 9001), rates((9001,)), kept((9001,), (9001,))
    want = reference.apply(x, keep, reference.scale(p, inverted))
    for y, mask in three_ways(drop(p, store=store, inverted=inverted), x, 0):
        assert_same(y, want)
        assert not to_bits(y[~keep]).any()
        assert_same(y[p == 0], x[p == 0])
        assert_rates(mask, p, inverted)
    for (dx,) in three_ways(back(mask), x, 0):
        assert_same(dx, want)


@every_store
@every_dtype
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_all_or_nothing(backend, dtype, store, p):
    x = np.resize(specials(dtype), 4099)
    for shape in ((1,), (4099,)):
        y, mask = fd.dropout(x, np.full(shape, p), rng=rng(), store=store)
        for got in (y, fd.dropout_backward(x, mask)):
            assert_same(got, x if p == 0 else np.zeros_like(x))


# Shapes and layouts

BROADCASTS = {  # name: (shape of x, of p, noise shape)
    "element": ((3, 5, 70), (3, 5, 70), None),
    "channel": ((4, 3, 40, 35), (3, 1, 1), None),
    "channels-last": ((4, 40, 35, 3), (3,), None),
    "sample": ((9, 500), (9, 1), None),
    "unit": ((9, 500), (500,), None),
    "middle": ((4, 5, 66), (1, 5, 1), None),
    "outer": ((4, 5, 66), (4, 1, 66), None),
    "one-element": ((3, 1400), (1,), None),
    "1x1": ((3, 1400), (1, 1), None),
    "noise-map": ((5, 6, 8, 9), (6, 1, 1), (None, None, 1, 1)),
    "noise-sample": ((70, 33), (70, 1), (None, 1)),
    "noise-unit": ((33, 70), (70,), (1, None)),
    "noise-short": ((33, 70), (70,), (70,)),
    "noise-one": ((3, 4), (1,), (1, 1)),
    "0x3": ((0, 3), (3,), None),
    "3x0x2": ((3, 0, 2), (3, 0, 2), None),
    "noise-of-nothing": ((0, 3), (0, 1), (None, 1)),
}
AS_P = LAYOUTS | FOREIGN | {"list": lambda a: a.tolist()}


@every_store
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", BROADCASTS)
def test_broadcast(backend, name, layout, store):
    shape, p_shape, noise_shape = BROADCASTS[name]
    drawn = shape if noise_shape is None else shape[len(shape) - len(noise_shape) :]
    drawn = tuple(1 if entry == 1 else size for size, entry in zip(drawn, noise_shape or drawn, strict=True))
    offset, p, keep = 4090, rates(p_shape), kept(p_shape, drawn, 4090)
    data = values(math.prod(shape), DTYPES[(len(name) + len(layout)) % len(DTYPES)]).reshape(shape)
    want = reference.apply(data, keep, reference.scale(p))
    x = LAYOUTS[layout](data)
    for out in (None, np.empty_like(data), x):
        y, mask = fd.dropout(x, p, rng=rng(), noise_shape=noise_shape, offset=offset, store=store, out=out)
        assert_same(np.array(y), want)
        assert_mask(mask, keep, shape)
        assert_rates(mask, p)
    assert_same(np.array(fd.dropout_backward(LAYOUTS[layout](data), mask)), want)
    assert fd.dropout_backward(data, mask, out=data) is data
    assert_same(data, want)


@pytest.mark.parametrize("p_shape", [(40, 33, 5), (33, 1)], ids=["element", "channel"])
@pytest.mark.parametrize("as_p", AS_P)
def test_p_in_any_layout(backend, as_p, p_shape):
    shape, p = (40, 33, 5), AS_P[as_p](rates(p_shape))
    for layout in LAYOUTS.values():
        _, mask = fd.dropout(layout(np.ones(shape)), p, rng=rng())
        assert_mask(mask, kept(p_shape, shape))
        assert_rates(mask, rates(p_shape))
    np.testing.assert_array_equal(fd.bernoulli(shape, p, rng=rng()), ~kept(p_shape, shape))


WIDENED = {"f4": np.full(70, 0.1, "f4"), "f2": np.full(70, 0.3, "f2"), "int": np.arange(70) % 2, "list": [0, 0.5] * 35}


@pytest.mark.parametrize("p", WIDENED.values(), ids=WIDENED)
def test_p_is_widened_to_doubles(p):
    wide = np.asarray(p).astype(np.float64)
    _, mask = fd.dropout(np.ones(70), p, rng=rng())
    assert_rates(mask, wide)
    np.testing.assert_array_equal(mask.to_bool(), reference.kept_each(KEY, 0, wide, range(70)))


def test_a_0d_array_is_a_number_and_a_one_element_array_is_not():
    x = np.ones(4099, np.float32)
    _, mask = fd.dropout(x, np.array(0.5), rng=rng())
    assert type(mask.p) is float
    np.testing.assert_array_equal(mask.to_bool(), kept_by_one_p(0.5, 4099))
    _, mask = fd.dropout(x, np.array([0.5]), rng=rng())
    np.testing.assert_array_equal(mask.to_bool(), reference.kept_each(KEY, 0, 0.5, range(4099)))
    assert (mask.to_bool() != kept_by_one_p(0.5, 4099)).any()


@pytest.mark.parametrize("which", ["p is x", "p is out", "p is x is out"])
def test_p_may_share_memory(backend, which):
    x, p = values(4099, np.dtype("f8")), rates((4099,)).copy()
    x = p.copy() if "x" in which else x
    want = reference.apply(x, kept((4099,), (4099,)), reference.scale(rates((4099,))))
    y, mask = fd.dropout(p if "x" in which else x, p, rng=rng(), out=p if "out" in which else None)
    assert_same(y, want)
    assert_rates(mask, rates((4099,)))


# Parts of a larger array


@every_store
@pytest.mark.parametrize(
    ("noise_shape", "p_shape"),
    [(None, (37, 300)), (None, (37, 1)), (None, (1, 300)), ((None, 1), (37, 1)), ((1, None), (1, 300))],
    ids=["element", "sample", "unit", "noise-rows", "noise-columns"],
)
def test_parts_make_the_whole(backend, noise_shape, p_shape, store):
    """Windows and rows, each with its part of p."""
    p, x = rates(p_shape), values(37 * 300, np.dtype("f4")).reshape(37, 300)
    want = reference.apply(x, kept(p_shape, p_shape if noise_shape else x.shape), reference.scale(p))
    rows = [slice(0, 5), slice(5, 23), slice(23, 37)]
    columns = [slice(0, 300), slice(0, 61), slice(61, 300)]
    for part in product(rows, columns):
        p_part = p[tuple(s if size > 1 else slice(None) for s, size in zip(part, p_shape, strict=True))]
        ways = [(rng(), {"window": (x.shape, [s.start for s in part])})]
        ways += [(rng().at_row(part[0].start), {})] if part[1] == columns[0] else []
        for r, place in ways:
            y, mask = fd.dropout(x[part], p_part, rng=r, noise_shape=noise_shape, store=store, **place)
            assert_same(y, want[part])
            assert_same(fd.dropout_backward(x[part], mask), want[part])


@pytest.mark.parametrize("shape", [0, 7, 4097, (3, 0), (5, 1000), [2, 3]], ids=str)
def test_bernoulli_is_the_complement(backend, threads, shape):
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    for p_shape in (sizes, sizes[-1:], (1,)):
        r = rng()
        drawn = fd.bernoulli(shape, rates(p_shape), rng=r)
        assert (type(drawn), drawn.dtype, drawn.shape, r.counter) == (np.ndarray, bool, sizes, 1)
        np.testing.assert_array_equal(drawn, ~kept(p_shape, sizes))
    whole = fd.bernoulli((9, 70), rates((9, 70)), rng=rng())
    np.testing.assert_array_equal(fd.bernoulli((5, 70), rates((9, 70))[4:], rng=rng().at_row(4)), whole[4:])


def test_every_valid_call_takes_one_stream(backend):
    r = rng(7)
    for i, p_shape in enumerate([(300,), (1,), (0,), (300,)], 7):
        n = 0 if p_shape == (0,) else 300
        _, mask = fd.dropout(np.ones(n), rates(p_shape), rng=r, store=STORES[i % 2])
        np.testing.assert_array_equal(mask.to_bool(), kept(p_shape, (n,), stream=i))
        assert r.counter == i + 1
    g, twin = np.random.default_rng(1), np.random.default_rng(1)
    drawn = fd.bernoulli(300, rates((300,)), rng=g)
    key = tuple(map(int, twin.bit_generator.random_raw(2)))
    np.testing.assert_array_equal(drawn, ~reference.kept_each(key, 0, rates((300,)), range(300)))


# What a mask remembers

MADE = {  # name: (shape, p's shape, keywords)
    "element": ((4099,), (4099,), {}),
    "not-inverted": ((4099,), (4099,), {"inverted": False}),
    "channel-offset": ((3, 5, 700), (5, 1), {"offset": 2**64 - 20000}),
    "window": ((20, 60), (20, 1), {"window": ((90, 100), (3, 40))}),
    "noise": ((90, 33), (90, 1), {"noise_shape": (None, 1)}),
    "one-element": ((100,), (1,), {}),
}
DUPLICATES = {"itself": lambda m: m, "copy": copy.copy, "deepcopy": copy.deepcopy}
DUPLICATES |= {f"pickle{i}": lambda m, i=i: pickle.loads(pickle.dumps(m, i)) for i in range(2, 6)}


@every_store
@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("name", MADE)
def test_a_mask_keeps_its_rates(name, duplicate, store):
    """Through pickles, and whatever becomes of the array that was p, of mask.p and of mask.scale."""
    shape, p_shape, kwargs = MADE[name]
    p, x = rates(p_shape).copy(), values(math.prod(shape), np.dtype("f4")).reshape(shape)
    y, mask = fd.dropout(x, p, rng=rng(), store=store, **kwargs)
    p[...] = 0.25
    keep, twin = mask.to_bool(), DUPLICATES[duplicate](mask)
    for a in (mask.p, mask.scale, twin.p, twin.scale):
        with suppress(ValueError):  # it may be read-only
            a[...] = 0.25
    for m in (mask, twin):
        assert_rates(m, rates(p_shape), kwargs.get("inverted", True))
        np.testing.assert_array_equal(m.to_bool(), keep)
        assert_same(fd.dropout_backward(x, m), y)


def test_a_recipe_is_small_where_p_is():
    x = np.ones((4, 3, 400, 400), np.float32)
    _, mask = fd.dropout(x, np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1), rng=rng(), store="recipe")
    assert len(pickle.dumps(mask)) < 800


# Where an array p comes from


class Rates:
    def __array__(self, dtype=None, copy=None):
        return np.linspace(0, 1, 300, dtype=dtype)


def series(a):
    return pytest.importorskip("pandas").Series(a, index=range(7, 7 + len(a)))


FORMS = {
    "tuple": lambda a: tuple(a.tolist()),
    "memoryview": memoryview,
    "array": lambda a: array.array("d", a),
    "series": series,
    "deque": lambda a: collections.deque(a.tolist()),
    "__array__": lambda a: Rates(),
    "range": lambda a: range(2),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_p_is_any_array_like(form):
    a = np.linspace(0, 1, 300)
    p = form(a)
    a = np.asarray(p, float)
    x = np.ones((4, len(a)))
    want = fd.dropout(x, a, rng=0)[0]
    np.testing.assert_array_equal(fd.dropout(x, p, rng=0)[0], want)
    np.testing.assert_array_equal(fd.bernoulli(x.shape, p, rng=0), fd.bernoulli(x.shape, a, rng=0))
    layer = fd.Dropout(p, rng=0)
    np.testing.assert_array_equal(layer.forward(x), want)
    np.testing.assert_array_equal(fd.mc_dropout(x, p, 2, rng=0), fd.mc_dropout(x, a, 2, rng=0))


@pytest.mark.parametrize("p", [[0.5], np.ones(3), (0.1, 0.2)], ids=str)
def test_alpha_dropout_says_why_it_takes_no_array(p):
    message = f"p must be a real number, got {type(p).__name__}: alpha dropout's mean and variance are those of one p"
    with pytest.raises(TypeError, match=re.escape(message)):
        fd.alpha_dropout(np.ones(3), p, rng=0)


@pytest.mark.parametrize("bad", [7.0, -3.0, np.nan])
def test_a_pickled_array_p_is_checked(bad):
    _, mask = fd.dropout(np.ones(300), np.linspace(0, 1, 300), rng=0, store="recipe")
    function, arguments = mask.__reduce__()
    place = next(i for i, a in enumerate(arguments) if isinstance(a, tuple) and a[0] is np.float64)
    for dtype in (np.float64, np.float32):
        p = np.linspace(0, 1, 300, dtype=dtype)
        good = function(*arguments[:place], (dtype, (300,), p.tobytes()), *arguments[place + 1 :])
        assert good.p.dtype == np.float64
        np.testing.assert_array_equal(good.p, p)
        p[5] = bad
        with pytest.raises(ValueError, match="p must be between 0 and 1"):
            function(*arguments[:place], (dtype, (300,), p.tobytes()), *arguments[place + 1 :])
