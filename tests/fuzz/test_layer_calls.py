"""Any layer, any input: what its function gives with that noise shape, or an error that changes nothing in it."""

import json
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import reference
from conftest import KEY, assert_same
from test_dropblock import by_hand, scaled

pytest.importorskip("hypothesis")
from fuzz import arguments, rules
from fuzz.arguments import rarely
from fuzz.rules import ERRORS
from fuzz.test_public_functions import draw_x
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd


def with_1_at(shape, axes, least):
    """The noise shape of what is dropped together along these axes; None for fewer axes than the layer needs."""
    together = [axis % len(shape) for axis in axes(len(shape))] if len(shape) >= least else None
    return None if together is None else tuple(1 if i in together else n for i, n in enumerate(shape))


maps = partial(with_1_at, axes=lambda ndim: range(2, ndim), least=3)
last_maps = partial(with_1_at, axes=lambda ndim: range(1, ndim - 1), least=3)
SHAPED = {  # the layer, the noise shape for that of x
    "Dropout": (fd.Dropout, lambda shape: shape),
    "StandardDropout": (fd.StandardDropout, lambda shape: shape),
    "DropConnect": (fd.DropConnect, lambda shape: shape),
    "SpatialDropout": (fd.SpatialDropout, maps),
    "SpatialDropout-last": (partial(fd.SpatialDropout, channel_axis=-1), last_maps),
    "UnitDropout": (fd.UnitDropout, partial(with_1_at, axes=lambda ndim: range(ndim - 1), least=2)),
    "LockedDropout": (fd.LockedDropout, partial(with_1_at, axes=lambda ndim: [0], least=3)),
    "LockedDropout-1": (partial(fd.LockedDropout, time_axis=1), partial(with_1_at, axes=lambda ndim: [1], least=3)),
    "DropPath": (fd.DropPath, partial(with_1_at, axes=lambda ndim: range(1, ndim), least=1)),
}
ALPHA = {"AlphaDropout": (fd.AlphaDropout, lambda shape: shape)}
ALPHA |= {"FeatureAlphaDropout": (fd.FeatureAlphaDropout, maps)}
ALPHA |= {"FeatureAlphaDropout-last": (partial(fd.FeatureAlphaDropout, channel_axis=-1), last_maps)}


def attempted(calls, layer, call, *buffers):
    """The call's result, or None where it was refused and changed nothing."""
    before, was = [b.copy() for b in buffers], (layer.mask, layer.rng.state, layer._ran)
    calls["calls"] += 1
    try:
        return call()
    except (*ERRORS, IndexError, RuntimeError) as reason:
        refusal = reason
    calls["refused"] += 1
    assert str(refusal)
    assert (layer.mask, layer.rng.state, layer._ran) == was
    assert all((a == b).all() for a, b in zip(before, buffers, strict=True))
    return None


def result_of(call):
    """What the function gives; None where it refuses."""
    with suppress(*ERRORS):
        return call()
    return None


def shape_of(x):
    with suppress(ValueError):
        return np.shape(x)
    return ()


def check(calls, data, make, noise_shape, function, inplace):
    """A layer beside its function."""
    x, buffer, _ = draw_x(data)
    noise = noise_shape(shape_of(x))
    p = data.draw(arguments.ps(shape_of(x) if noise is None else noise))
    calls["calls"] += 1
    layer = result_of(lambda: make(p, rng=fd.Rng(3)))
    if layer is None:
        assert result_of(lambda: function([1.0], p)) is None or np.ndim(p) > 0
        return
    twin = x
    if isinstance(x, np.ndarray) and x.base is buffer:
        start = x.__array_interface__["data"][0] - buffer.__array_interface__["data"][0] if x.size else 0
        twin = np.ndarray(x.shape, x.dtype, buffer.copy(), start, x.strides)
        twin.flags.writeable = x.flags.writeable
    out = {"out": twin} if inplace else {}
    want = None if noise is None else result_of(lambda: function(twin, p, rng=3, noise_shape=noise, **out))
    dy, _, _ = draw_x(data, shape_of(x))
    assert attempted(calls, layer, lambda: layer.backward(dy)) is None
    y = attempted(calls, layer, lambda: layer.forward(x), buffer)
    assert (y is None) == (want is None)
    if y is None:
        return
    assert layer.rng.counter == 1
    assert (y is x) == inplace
    assert_same(np.array(y), np.array(want[0]))
    dx, of_function = attempted(calls, layer, lambda: layer.backward(dy)), result_of(lambda: want[1].apply(dy))
    assert (dx is None) == (of_function is None)
    if dx is not None:
        assert_same(dx, of_function)
    assert attempted(calls, layer, lambda: layer.eval().forward(x)) is not None


@pytest.mark.parametrize("name", SHAPED)
@given(data=st.data())
def test_layers_of_a_noise_shape(calls, name, data):
    kind, noise_shape = SHAPED[name]
    store, inplace = data.draw(st.sampled_from(["bits", "recipe"])), data.draw(st.booleans())
    function = partial(fd.dropout, inverted=kind is not fd.StandardDropout)
    check(calls, data, partial(kind, store=store, inplace=inplace), noise_shape, function, inplace)


@pytest.mark.parametrize("name", ALPHA)
@given(data=st.data())
def test_alpha_layers(calls, name, data):
    check(calls, data, *ALPHA[name], fd.alpha_dropout, inplace=False)


@given(data=st.data())
def test_drop_block(calls, data):
    shape = data.draw(rarely(st.tuples(*[st.integers(0, 5)] * 2, *[st.integers(1, 7)] * 2), arguments.shapes))
    (x, buffer, _), p, b = (
        draw_x(data, shape),
        data.draw(st.sampled_from([0, 0.05, 0.3, 1])),
        data.draw(st.integers(1, 4)),
    )
    layer = fd.DropBlock(p, b, rng=fd.Rng.from_key(*KEY))
    y = attempted(calls, layer, lambda: layer.forward(x), buffer)
    fits = (
        isinstance(x, np.ndarray)
        and not np.ma.isMaskedArray(x)
        and len(shape) == 4
        and (x.size == 0 or b <= min(shape[2:]))
    )
    fits = fits and x.dtype.newbyteorder("=") in arguments.DTYPES
    assert (y is not None) == fits
    if y is not None:
        keep = np.zeros(shape, bool) if p == 1 or not x.size else by_hand(shape, p, b)
        native = x.astype(x.dtype.newbyteorder("="))
        assert_same(y, scaled(native, keep) if x.size else native)
        dy, buffer, _ = draw_x(data, shape)
        dx = attempted(calls, layer, lambda: layer.backward(dy), buffer)
        if dx is not None and dx.size:
            assert_same(dx, scaled(np.asarray(dy).astype(dx.dtype), keep))


@given(data=st.data())
def test_embedding_dropout(calls, data):
    words, features = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 5))
    table, buffer, _ = draw_x(data, data.draw(rarely(st.just((words, features)), arguments.shapes)))
    indices = np.random.default_rng(data.draw(st.integers(0, 99))).integers(
        -words, max(words, 1), data.draw(arguments.shapes)
    )
    odd = st.sampled_from(
        [indices + 1, indices - 1, indices.astype("f8"), "a", None, 0, [], [[], []], indices > 0, ...]
    )
    indices = data.draw(rarely(st.sampled_from([indices, indices.tolist(), indices.astype("i1")]), odd))
    layer = fd.EmbeddingDropout(data.draw(st.sampled_from([0, 0.3, 1])), rng=fd.Rng.from_key(*KEY))
    y = attempted(calls, layer, lambda: layer.forward(table, indices), buffer)
    if y is None:
        return
    keep = reference.kept(KEY, 0, layer.p, 0, len(table)) if len(table) else np.zeros(0, bool)
    native = np.asarray(table).astype(y.dtype)
    index = np.asarray(indices, None if np.size(indices) else np.intp)
    assert_same(y, reference.apply(native[index], keep[index][..., None], reference.scale(layer.p)))
    dy, buffer, _ = draw_x(data, y.shape)
    dtable = attempted(calls, layer, lambda: layer.backward(dy), buffer)
    if dtable is not None:
        assert (dtable.shape, dtable.dtype) == (native.shape, np.asarray(dy).dtype.newbyteorder("="))
        untouched = np.ones(len(table), bool)
        untouched[index] = False
        assert not dtable[untouched | ~keep].any()


@given(data=st.data())
def test_states(calls, data):
    """A state in which one entry was replaced is refused, or it is what the layer has then."""
    layer = data.draw(st.sampled_from([fd.Dropout, fd.DropPath, fd.AlphaDropout, fd.GaussianDropout]))(0.3, rng=1)
    before = layer.state_dict()
    state = json.loads(json.dumps(before))
    odd = [0, 1, 0.25, 0.5, True, -1, 2**64, "a", "0" * 32, None, [0.5], [[0.1], [0.2]], [], [2.0], {}, float("nan")]
    odd += [np.array(True), np.array(0.5), np.array(3), np.array("f" * 32)]
    name = data.draw(st.sampled_from([*state, "other"]))
    state[name] = data.draw(st.sampled_from(odd))
    if attempted(calls, layer, lambda: (layer.load_state_dict(state),)) is None:
        assert layer.state_dict() == before
    else:
        plain = {key: np.asarray(value).tolist() for key, value in state.items()}
        assert layer.state_dict() == plain
        rules.rate(layer.p)
