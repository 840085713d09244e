"""DropBlock against blocks laid one by one in plain NumPy."""

import pickle
import re

import numpy as np
import pytest
import reference
from conftest import DTYPES, KEY, assert_same, rng, specials, values

import fastdrop as fd

SHAPES = [(3, 2, 5, 6), (1, 1, 7, 7), (2, 3, 4, 9), (4, 1, 1, 3)]


def by_hand(shape, p, b, stream=0, row=0):
    """Which elements are kept: the seeds are the reference's, and each drops its block."""
    n, c, height, width = shape
    seeds_shape = (n, c, height - b + 1, width - b + 1)
    rate = p * height * width / (b * b * seeds_shape[2] * seeds_shape[3])
    first = row * int(np.prod(seeds_shape[1:]))
    seeds = ~reference.kept(KEY, stream, rate, first, int(np.prod(seeds_shape))).reshape(seeds_shape)
    kept = np.ones(shape, bool)
    for s, k, i, j in np.argwhere(seeds):
        kept[s, k, i : i + b, j : j + b] = False
    return kept


def scaled(x, kept):
    """Each sample times C*H*W / kept, rounded once to the compute type."""
    scales = [k.size / k.sum() if k.any() else 1.0 for k in kept]
    return np.stack([reference.apply(a, k, s) for a, k, s in zip(x, kept, scales, strict=True)])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("p", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("b", [1, 2, 3, 4])
def test_forward_and_backward(b, p, dtype):
    layer = fd.DropBlock(p, b, rng=rng())
    for stream, shape in enumerate([s for s in SHAPES if b <= min(s[2:])]):
        n = int(np.prod(shape))
        keep = by_hand(shape, p, b, stream)
        x = values(n, dtype).reshape(shape) if stream else np.resize(specials(dtype), shape)
        dy = values(n, dtype, seed=1).reshape(shape)
        assert_same(layer(x), scaled(x, keep))
        for _ in range(2):
            assert_same(layer.backward(dy), scaled(dy, keep))
        np.testing.assert_array_equal([mask.to_bool() for mask in layer.masks], keep)
        assert layer.mask is None


def test_out_and_layouts():
    layer, x = fd.DropBlock(0.3, 2, rng=rng()), values(3 * 4 * 5 * 6, np.dtype("f4")).reshape(3, 4, 5, 6)
    want = scaled(x, by_hand(x.shape, 0.3, 2))
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    for layout in (x, last, x.astype(">f4"), np.asfortranarray(x)):
        layer.rng = rng()
        assert_same(layer(layout), want)
        assert_same(layer.backward(layout), want)
    assert layer(last).strides == last.strides
    layer.rng = rng()
    layer(x)
    out = x.copy()
    assert layer.backward(out, out=out) is out
    assert_same(out, want)


def test_p_0_is_the_identity_and_p_1_drops_all():
    x = np.resize(specials(np.dtype("f4")), (2, 3, 4, 5))
    assert_same(fd.DropBlock(0, 3)(x), x)
    for b in (1, 2, 4):
        layer = fd.DropBlock(1, b)
        assert_same(layer(x), np.zeros_like(x))
        assert_same(layer.backward(x), np.zeros_like(x))


def test_a_block_as_large_as_the_map_drops_it_whole():
    y = fd.DropBlock(0.5, 4, rng=1)(np.ones((50, 2, 4, 4)))
    assert (y == y[:, :, :1, :1]).all()
    assert {0.0, 1.0, 2.0} == set(np.unique(y))  # of two maps: none, both or one kept


def test_a_row_is_its_own():
    layer, x = fd.DropBlock(0.3, 2), values(6 * 2 * 5 * 5, np.dtype("f8")).reshape(6, 2, 5, 5)
    whole = layer.forward(x, rng=rng())
    assert_same(whole, scaled(x, by_hand(x.shape, 0.3, 2)))
    assert_same(layer.forward(x[4:], rng=rng().at_row(4)), scaled(x[4:], by_hand((2, 2, 5, 5), 0.3, 2, row=4)))


def test_expected_share():
    """At p = 0.1 a block of 3 misses p by the overlaps alone: an element is kept where no block of its 9 is seeded."""
    n, size, b, p = 400, 12, 3, 0.1
    layer = fd.DropBlock(p, b, rng=1)
    layer(np.zeros((n, 1, size, size), "f4"))
    rate = p * size**2 / (b**2 * (size - b + 1) ** 2)
    inner = np.array([mask.to_bool()[0, b:-b, b:-b] for mask in layer.masks]).mean(axis=(1, 2))
    assert abs(inner.mean() - (1 - rate) ** (b * b)) < 5 * inner.std() / np.sqrt(n)


def test_eval_then_backward():
    layer, x = fd.DropBlock(0.5, 2, rng=1), np.ones((2, 1, 3, 3))
    layer(x)
    assert layer.eval()(x) is x
    assert layer.masks == []
    assert layer.backward(x) is x


def test_pickle():
    layer, x = fd.DropBlock(0.5, 2, rng=1), np.ones((2, 1, 3, 3))
    y = layer(x)
    assert_same(pickle.loads(pickle.dumps(layer)).backward(x), y)


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8, 8), (2, 3, 0, 8), (2, 3, 8, 0)], ids=str)
def test_empty(shape):
    layer = fd.DropBlock(0.5, 7, rng=rng())
    y = layer(np.ones(shape))
    assert y.shape == layer.backward(y).shape == shape
    assert layer.rng.counter == 1


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_channel_axis(axis, dtype):
    first = values(3 * 2 * 5 * 6, dtype).reshape(3, 2, 5, 6)
    x = np.moveaxis(first, 1, axis)
    kept = by_hand(first.shape, 0.3, 2)
    want = np.ascontiguousarray(np.moveaxis(scaled(first, kept), 1, axis))
    layer = fd.DropBlock(0.3, 2, axis, rng=rng())
    for given in (x, np.ascontiguousarray(x)):
        layer.rng = rng()
        assert_same(layer(given), want)
        assert_same(layer.backward(given), want)
        np.testing.assert_array_equal([mask.to_bool() for mask in layer.masks], np.moveaxis(kept, 1, axis))
    parts = [layer.forward(x[r : r + 1], rng=rng().at_row(r)) for r in range(3)]
    assert_same(np.concatenate(parts), want)


def test_a_refused_channel_axis():
    message = "channel_axis must be an axis of x other than 0, got {}"
    with pytest.raises(ValueError, match=re.escape(message.format(0))):
        fd.DropBlock(channel_axis=0)
    with pytest.raises(TypeError, match=re.escape("channel_axis must be an int, got float")):
        fd.DropBlock(channel_axis=1.0)
    for axis in (4, -4, -5):
        layer = fd.DropBlock(0.5, 2, axis, rng=rng())
        with pytest.raises(ValueError, match=re.escape(message.format(f"{axis} for 4 axes"))):
            layer(np.ones((2, 3, 4, 5)))
        assert (layer.masks, layer.rng.counter) == ([], 0)
    with pytest.raises(ValueError, match=re.escape("x's height and width (4, 2), got 3")):
        fd.DropBlock(0.5, 3, -1)(np.ones((2, 4, 2, 5)))


SIZE = "block_size must be at most x's height and width {}, got 4"


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 8, 8), "x must have 4 axes, got 3"),
        ((1, 2, 3, 8, 8), "x must have 4 axes, got 5"),
        ((2, 3, 3, 8), SIZE.format((3, 8))),
        ((2, 3, 8, 3), SIZE.format((8, 3))),
    ],
    ids=str,
)
def test_a_refused_forward(shape, message):
    layer, x = fd.DropBlock(0.5, 4, rng=rng()), np.ones((2, 1, 5, 5))
    layer(x)
    masks, dx = layer.masks, layer.backward(x)
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        layer(np.ones(shape))
    assert (layer.masks, layer.rng.counter) == (masks, 1)
    assert_same(layer.backward(x), dx)


def test_refused_arguments():
    for b in (0, -1):
        with pytest.raises(ValueError, match=re.escape(f"block_size must be at least 1, got {b}")):
            fd.DropBlock(0.5, b)
    with pytest.raises(TypeError, match=re.escape("block_size must be an int, got float")):
        fd.DropBlock(0.5, 3.0)
    with pytest.raises(TypeError, match=re.escape("p must be a real number, got list")):
        fd.DropBlock([0.5], 3)
    layer = fd.DropBlock(0.5, 2)
    layer(np.ones((2, 1, 3, 3)))
    with pytest.raises(ValueError, match=re.escape("dy must have the output's shape (2, 1, 3, 3), got (1, 1, 3, 3)")):
        layer.backward(np.ones((1, 1, 3, 3)))
