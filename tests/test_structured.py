"""The layers that are dropout with a noise shape, against masks made by hand; StandardDropout's eval mode."""

import copy
import math
import pickle
import re

import numpy as np
import pytest
import reference
from conftest import DTYPES, KEY, STORES, assert_mask, assert_same, expected, kept, rng, specials, values

import fastdrop as fd

CASES = {  # class, its options, shape of x, shape of the mask
    "spatial-1d": (fd.SpatialDropout, {}, (4, 3, 5), (4, 3, 1)),
    "spatial-2d": (fd.SpatialDropout, {}, (2, 3, 4, 5), (2, 3, 1, 1)),
    "spatial-3d": (fd.SpatialDropout, {"channel_axis": np.int8(1)}, (2, 3, 4, 5, 6), (2, 3, 1, 1, 1)),
    "spatial-last": (fd.SpatialDropout, {"channel_axis": -1}, (4, 5, 6, 3), (4, 1, 1, 3)),
    "spatial-middle": (fd.SpatialDropout, {"channel_axis": -2}, (4, 5, 3, 6), (4, 1, 3, 1)),
    "unit": (fd.UnitDropout, {}, (5, 70), (1, 70)),
    "unit-3d": (fd.UnitDropout, {}, (2, 5, 7), (1, 1, 7)),
    "locked": (fd.LockedDropout, {}, (7, 3, 5), (1, 3, 5)),
    "locked-time-1": (fd.LockedDropout, {"time_axis": 1}, (3, 7, 5), (3, 1, 5)),
    "locked-4d": (fd.LockedDropout, {"time_axis": np.int64(0)}, (7, 3, 5, 2), (1, 3, 5, 2)),
    "path": (fd.DropPath, {}, (6, 3, 2), (6, 1, 1)),
    "path-1d": (fd.DropPath, {}, (70,), (70,)),
    "connect": (fd.DropConnect, {}, (40, 5), (40, 5)),
    "connect-1d": (fd.DropConnect, {}, (9,), (9,)),
    "standard": (fd.StandardDropout, {}, (40, 5), (40, 5)),
    "standard-unit": (fd.StandardDropout, {"noise_shape": (1, None)}, (40, 5), (1, 5)),
}
cases = pytest.mark.parametrize(("cls", "options", "shape", "noise"), CASES.values(), ids=CASES)


def array(shape, dtype="f8", seed=0):
    return values(int(np.prod(shape)), np.dtype(dtype), seed).reshape(shape)


# Values


@pytest.mark.parametrize("p", [0, 0.3, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@cases
def test_forward_and_backward(cls, options, shape, noise, dtype, p):
    layer = cls(p, rng=rng(), **options)
    special = np.resize(specials(dtype), shape)
    for stream, x in enumerate([array(shape, dtype), special]):
        keep = kept(p, int(np.prod(noise)), stream=stream).reshape(noise)
        inverted = cls is not fd.StandardDropout
        assert_same(layer(x), expected(x, keep, p, inverted))
        assert_mask(layer.mask, keep, shape)
        dy = array(shape, dtype, seed=1)
        assert_same(layer.backward(dy), expected(dy, keep, p, inverted))


@cases
def test_options(cls, options, shape, noise):
    keep = kept(0.3, int(np.prod(noise))).reshape(noise)
    x = array(shape)
    layer = cls(0.3, rng=rng(), inplace=True, store="recipe", **options)
    assert layer(x) is x
    assert len(pickle.dumps(layer.mask)) < 500
    assert_mask(layer.mask, keep, shape)
    if cls is not fd.StandardDropout:
        layer = cls(0.3, rng=rng(), inverted=False, **options)
        assert_same(layer(array(shape)), expected(array(shape), keep, 0.3, inverted=False))


@pytest.mark.parametrize("store", STORES)
@cases
def test_array_p(cls, options, shape, noise, store):
    g = np.random.default_rng(0)
    indices = np.arange(math.prod(noise)).reshape(noise)
    for stream, p in enumerate([g.random(noise), g.choice([0, 0.1, 0.9, 1], noise[-1:])]):
        layer = cls(p, rng=rng(stream), store=store, **options)
        keep, x, dy = reference.kept_each(KEY, stream, p, indices), array(shape), array(shape, "f4", seed=1)
        scale = reference.scale(p, cls is not fd.StandardDropout)
        assert_same(layer(x), reference.apply(x, keep, scale))
        layer.p = 0.5
        assert_same(layer.backward(dy), reference.apply(dy, keep, scale))


def test_channels_last_memory():
    base = array((2, 3, 6, 3), "f4")
    x = base.transpose(0, 3, 1, 2)[..., ::2]
    for axis, noise in ((1, (2, 3, 1, 1)), (-1, (2, 1, 1, 3))):
        y = fd.SpatialDropout(0.5, axis, rng=rng())(x)
        assert_same(y, expected(x, kept(0.5, 6).reshape(noise), 0.5))


def test_axis_0_is_the_sample_axis():
    x = np.ones((20, 3, 4))
    first, last = fd.SpatialDropout(0.5, rng=1)(x), fd.SpatialDropout(0.5, channel_axis=-1, rng=1)(x)
    assert (first == first[:, :, :1]).all()
    assert (last == last[:, :1]).all()
    assert len(np.unique(first[:, :, 0], axis=0)) > 4
    assert len(np.unique(last[:, 0], axis=0)) > 4


def test_masks_cost_a_bit_for_what_is_dropped_together():
    layer = fd.SpatialDropout(rng=1)
    layer(np.ones((8, 64, 32, 32), "f4"))
    assert layer.mask.bits.nbytes == 64


def test_a_batch_of_one_row_is_dropped_or_kept():
    layer = fd.DropPath(0.5, rng=1)
    seen = {tuple(np.unique(layer(np.ones((1, 3)))).tolist()) for _ in range(30)}
    assert seen == {(0.0,), (2.0,)}


@pytest.mark.parametrize("p", [0, 0.3, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_standard_dropout_scales_in_eval_mode(dtype, p):
    layer = fd.StandardDropout(p, rng=rng()).eval()
    for x in (array((70, 3), dtype), np.resize(specials(dtype), (70, 3))):
        want = reference.apply(x, p < 1, 1 - p)
        assert_same(layer(x), want)
        assert_same(layer.backward(x), want)
        out = x.copy()
        assert layer.backward(out, out=out) is out
        assert_same(out, want)
    assert (layer.mask, layer.rng.counter) == (None, 0)
    layer.p = 0.9
    assert_same(layer.backward(x), want)


def test_standard_dropout_scales_nothing_in_training():
    layer, x = fd.StandardDropout(0.3, rng=rng()), array((70, 3))
    want = expected(x, kept(0.3, x.size).reshape(x.shape), 0.3, inverted=False)
    assert_same(layer(x), want)
    assert_same(layer.backward(x), want)


def test_standard_dropout_of_an_array_p_in_eval_mode():
    layer = fd.StandardDropout([0, 0.25, 1]).eval()
    assert_same(layer(np.full((2, 3), np.inf)), np.array([[np.inf, np.inf, 0]] * 2))
    assert_same(layer.backward(np.ones((2, 3))), np.array([[1, 0.75, 0]] * 2))
    with pytest.raises(ValueError, match=re.escape("dy must have the output's shape (2, 3), got (3,)")):
        layer.backward(np.ones(3))


def test_standard_dropout_in_place():
    layer, x = fd.StandardDropout(0.75, inplace=True).eval(), np.ones(3)
    assert layer(x) is x
    assert x.tolist() == [0.25] * 3


def test_standard_dropout_is_the_inverted_one_in_expectation():
    x, p, n = array((1, 50)), 0.3, 20000
    standard = fd.StandardDropout(p, rng=1)
    mean = standard(np.repeat(x, n, axis=0)).mean(axis=0)
    bound = 5 * np.abs(x[0]) * np.sqrt(p * (1 - p) / n)
    assert (np.abs(mean - standard.eval()(x)[0]) <= bound).all()


BATCHES = {  # rngs that stand for some rows of a larger array
    "row-0": lambda: fd.Rng(5).at_row(0),
    "row-2": lambda: fd.Rng(5).at_row(2),
    "folded": lambda: fd.Rng(5).at_row(0).fold_in(1),
    "spawned": lambda: fd.Rng(5).at_row(0).spawn(1)[0],
    "copied": lambda: copy.copy(fd.Rng(5).at_row(0)),
    "pickled": lambda: pickle.loads(pickle.dumps(fd.Rng(5).at_row(0))),
    "state": lambda: with_state(fd.Rng(5).at_row(2).state),
}
NO_ROWS = "an rng that is a batch of rows (Rng.at_row, or batch_size of monte_carlo) needs rows on axis 0 of x"


def with_state(state):
    r = fd.Rng(1)
    r.state = state
    return r


@pytest.mark.parametrize("make", BATCHES.values(), ids=BATCHES)
def test_time_on_axis_0_and_rows_exclude_each_other(make):
    x = array((4, 6, 5))
    for layer in (fd.LockedDropout(rng=make()), fd.LockedDropout(time_axis=-3, rng=make())):
        with pytest.raises(ValueError, match=re.escape(NO_ROWS)):
            layer(x)
        assert (layer.mask, layer.rng.counter) == (None, 0)
        with pytest.raises(ValueError, match=re.escape(NO_ROWS)):
            layer.forward(x, rng=make())
        assert layer.forward(x, rng=fd.Rng(5)).shape == x.shape
        assert layer.eval()(x) is x
    for layer in (fd.LockedDropout(time_axis=1), fd.LockedDropout(time_axis=-2)):
        assert layer.forward(x, rng=make()).shape == x.shape


def test_a_state_without_a_row_is_no_batch():
    x, r = array((4, 6, 5)), fd.Rng(5).at_row(0)
    r.state = fd.Rng(5).state
    assert_same(fd.LockedDropout(rng=r)(x), fd.LockedDropout(rng=fd.Rng(5))(x))


def test_a_batch_of_monte_carlo_is_rows():
    x, locked = array((4, 6, 5)), fd.LockedDropout()
    for size in (2, 100):
        with pytest.raises(ValueError, match=re.escape(NO_ROWS)):
            fd.monte_carlo(locked, x, 3, rng=1, batch_size=size)
    whole = fd.monte_carlo(locked, x, 3, rng=1)
    assert (whole.std == whole.std[:1]).sum() < x.size
    rows = fd.LockedDropout(time_axis=1)
    whole, parts = (fd.monte_carlo(rows, x, 3, rng=1, batch_size=size) for size in (None, 2))
    assert_same(parts.std, whole.std)


@pytest.mark.parametrize(("axis", "shape"), [(0, (4, 6, 5)), (1, (4, 6, 5)), (0, (4, 6, 5, 3)), (1, (4, 6, 5, 3))])
def test_a_negative_time_axis(axis, shape):
    x = array(shape)
    want = fd.LockedDropout(0.5, axis, rng=rng())(x)
    layer = fd.LockedDropout(0.5, axis - len(shape), rng=rng())
    assert_same(layer(x), want)
    assert_same(layer.backward(x), want)


@pytest.mark.parametrize(("axis", "shape"), [(-2, (4, 6, 5, 3)), (-4, (4, 6, 5))])
def test_a_negative_time_axis_that_is_not_there(axis, shape):
    layer = fd.LockedDropout(0.5, axis, rng=rng())
    message = f"time_axis must be axis 0 or 1 of x, got {axis} for {len(shape)} axes"
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        layer(array(shape))
    assert (layer.mask, layer.rng.counter) == (None, 0)


# Bad input

AXIS = "channel_axis must be an axis of x other than 0, got {}"
REFUSED = {  # make, shape of x, message
    "spatial-2d": (fd.SpatialDropout, (2, 3), "x must have at least 3 axes, got 2"),
    "feature-2d": (fd.FeatureAlphaDropout, (2, 3), "x must have at least 3 axes, got 2"),
    "feature-axis": (lambda **k: fd.FeatureAlphaDropout(0.5, 3, **k), (2, 3, 4), AXIS.format("3 for 3 axes")),
    "spatial-axis": (lambda **k: fd.SpatialDropout(channel_axis=3, **k), (2, 3, 4), AXIS.format("3 for 3 axes")),
    "spatial-last": (lambda **k: fd.SpatialDropout(channel_axis=-4, **k), (2, 3, 4), AXIS.format("-4 for 3 axes")),
    "spatial-first": (lambda **k: fd.SpatialDropout(channel_axis=-3, **k), (2, 3, 4), AXIS.format("-3 for 3 axes")),
    "unit-1d": (fd.UnitDropout, (3,), "x must have at least 2 axes, got 1"),
    "locked-2d": (fd.LockedDropout, (7, 3), "x must have at least 3 axes, got 2"),
    "path-0d": (fd.DropPath, (), "x must have at least 1 axis, got 0"),
}


@pytest.mark.parametrize(("make", "shape", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_axes(make, shape, message):
    layer = make(rng=rng())
    x, good = np.ones(shape), np.ones((2, 3, 4, 5, 6))
    with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
        layer(x)
    assert (x == 1).all()
    assert (layer.mask, layer.rng.counter) == (None, 0)
    with pytest.raises(RuntimeError, match="backward needs a forward"):
        layer.backward(good)


@pytest.mark.parametrize("cls", [fd.SpatialDropout, fd.FeatureAlphaDropout])
def test_channel_axis(cls):
    with pytest.raises(ValueError, match=rf"\A{re.escape(AXIS.format(0))}\Z"):
        cls(channel_axis=0)
    with pytest.raises(TypeError, match=re.escape("channel_axis must be an int, got float")):
        cls(channel_axis=1.0)


def test_time_axis():
    for axis in (-1, 2):
        with pytest.raises(ValueError, match=re.escape(f"time_axis must be 0 or 1, got {axis}")):
            fd.LockedDropout(time_axis=axis)
    with pytest.raises(TypeError, match=re.escape("time_axis must be an int, got float")):
        fd.LockedDropout(time_axis=0.0)
