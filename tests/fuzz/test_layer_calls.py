"""Any layer, any input: what `dropout` gives with that noise shape, or an error that changes nothing in the layer."""

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from fuzz import arguments
from fuzz.rules import ERRORS
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd

NOISE_SHAPES = {  # of a layer, from x's shape; None: not of x
    fd.Dropout: lambda shape: shape,
    fd.StandardDropout: lambda shape: shape,
    fd.DropConnect: lambda shape: shape,
    fd.SpatialDropout: lambda shape: (*shape[:2], *[1] * (len(shape) - 2)) if len(shape) > 2 else None,
    fd.UnitDropout: lambda shape: (1,) * (len(shape) - 1) + shape[-1:] if len(shape) > 1 else None,
    fd.LockedDropout: lambda shape: (1, *shape[1:]) if len(shape) > 2 else None,
    fd.DropPath: lambda shape: (shape[0], *[1] * (len(shape) - 1)) if shape else None,
}
OTHERS = [lambda: fd.AlphaDropout(rng=3), lambda: fd.DropBlock(0.3, 2, rng=3), lambda: fd.GaussianDropout(rng=3)]
OTHERS += [lambda: fd.GaussianNoise(0.5, rng=3)]


def draw_x(data):
    buffer = data.draw(arguments.buffers())
    shape = data.draw(arguments.shapes)
    view = arguments.views(buffer, data.draw(arguments.dtypes), shape)
    return data.draw(arguments.rarely(view, arguments.array_likes(shape))), buffer


def attempted(calls, layer, call, *buffers):
    """The call's result, or None where it was refused and changed nothing."""
    before, was = [b.copy() for b in buffers], (layer.mask, layer.rng.state, layer._ran)
    calls["calls"] += 1
    try:
        return call()
    except (*ERRORS, RuntimeError) as reason:
        refusal = reason
    calls["refused"] += 1
    assert str(refusal)
    assert (layer.mask, layer.rng.state, layer._ran) == was
    assert all((a == b).all() for a, b in zip(before, buffers, strict=True))
    return None


@pytest.mark.parametrize("kind", NOISE_SHAPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_layers_of_a_noise_shape(calls, kind, data):
    x, buffer = draw_x(data)
    shape = np.shape(x) if isinstance(x, np.ndarray) else ()
    p, store = data.draw(st.sampled_from([0, 0.5, 0.1, 1])), data.draw(st.sampled_from(["bits", "recipe"]))
    layer = kind(p, rng=fd.Rng(3), store=store, inplace=data.draw(st.booleans()))
    dy, _ = draw_x(data)
    assert attempted(calls, layer, lambda: layer.backward(dy)) is None
    copy = np.array(x) if isinstance(x, np.ndarray) else x
    y = attempted(calls, layer, lambda: layer.forward(x), buffer)
    if y is None:
        return
    noise = NOISE_SHAPES[kind](shape if isinstance(x, np.ndarray) else np.shape(x))
    assert noise is not None
    want, mask = fd.dropout(copy, p, rng=3, noise_shape=noise, inverted=kind is not fd.StandardDropout)
    assert (y.tobytes(), layer.rng.counter) == (want.tobytes(), 1)
    dx = attempted(calls, layer, lambda: layer.backward(dy))
    if dx is not None:
        assert dx.tobytes() == fd.dropout_backward(dy, mask).tobytes()
    assert attempted(calls, layer, lambda: layer.eval().forward(x)) is not None


@pytest.mark.parametrize("make", OTHERS, ids=["AlphaDropout", "DropBlock", "GaussianDropout", "GaussianNoise"])
@given(data=st.data())
def test_other_layers(calls, make, data):
    layer, (x, buffer), (dy, _) = make(), draw_x(data), draw_x(data)
    before = buffer.copy()
    y = attempted(calls, layer, lambda: layer.forward(x), buffer)
    assert (buffer == before).all()
    if y is not None:
        assert (y.shape, y.dtype, layer.rng.counter) == (np.shape(x), np.asarray(x).dtype.newbyteorder("="), 1)
        attempted(calls, layer, lambda: layer.backward(dy))
        assert y.tobytes() == make().forward(x).tobytes()
