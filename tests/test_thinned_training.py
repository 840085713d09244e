"""fd.ThinnedLinear in training: the gradient of a chain, the step; evaluation; state."""

import json
import pickle

import numpy as np
import pytest
from conftest import assert_same, kept, rng, to_bits
from test_packed import every_dtype, every_layout
from test_thinned import INPUTS, OUTPUTS, arrays, assert_close, full, normal

import fastdrop as fd


def three_layers():
    sizes, rates = (5, 8, 7, 3), (0.4, 0.5, 0)
    return [
        fd.ThinnedLinear(normal((i, o), seed=i), normal(o, seed=o), p)
        for i, o, p in zip(sizes[:-1], sizes[1:], rates, strict=True)
    ]


def hidden(x, layers):
    """x and the output of each ReLU layer; each draws the same mask every time, and tells the next."""
    outputs, x_mask = [x], None
    for number, layer in enumerate(layers):
        outputs.append(np.maximum(layer.forward(outputs[-1], x_mask, rng=number + 4), 0))
        x_mask = layer.mask
    return outputs


def test_the_numerical_gradient_of_a_chain():
    layers, x, weight = three_layers(), normal((6, 5), seed=1), normal((6, 3), seed=2)
    dx = weight
    for layer, h in zip(layers[::-1], hidden(x, layers)[:0:-1], strict=True):
        dx = layer.backward(dx * (h > 0))
    gradients = [(x, dx), *((a, d) for layer in layers for a, d in ((layer.w, layer.dw), (layer.b, layer.db)))]
    assert [(len(layer.rows), len(layer.columns)) for layer in layers] == [(5, 7), (7, 2), (2, 3)]
    for array, gradient in gradients:
        assert (gradient != 0).any()
        numerical = np.empty_like(array)
        for i in np.ndindex(array.shape):
            before, sides = array[i], []
            for step in (1e-6, -1e-6):
                array[i] = before + step
                sides.append((weight * hidden(x, layers)[-1]).sum())
            array[i] = before
            numerical[i] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-8)


# The step


@every_dtype
@every_layout
@pytest.mark.parametrize("lr", [0.1, np.float64(0.3), np.float32(0.7), 1], ids=repr)
def test_sgd_step_is_that_of_numpy(lr, layout, dtype):
    x, w, b, dy = arrays(dtype)
    w, b, rows = layout(w), np.repeat(b, 2)[::2], np.arange(INPUTS) % 3 > 0
    layer = fd.ThinnedLinear(w, b, 0.5, rng=rng())
    layer.forward(x, x_mask=rows)
    layer.backward(dy)
    want, want_b, part, columns = w.copy(), b.copy(), np.ix_(layer.rows, layer.columns), layer.columns
    for _ in range(2):
        want[part] -= dtype.type(lr) * layer.dw_kept
        want_b[columns] -= dtype.type(lr) * layer.db_kept
        layer.sgd_step(lr)
        assert_same(np.array(w), want)
        assert_same(np.array(b), want_b)
    assert layer.w is w


@pytest.mark.parametrize("value", [np.nan, -0.0, 1e-310])
def test_dropped_weights_keep_their_bits(value):
    x, w, b, dy = arrays()
    columns, rows = kept(0.5, OUTPUTS), np.arange(INPUTS) % 3 > 0
    w[~rows], w[:, ~columns], b[~columns] = (value,) * 3
    layer = fd.ThinnedLinear(w, b, rng=rng())
    layer.forward(x, x_mask=rows)
    layer.backward(dy)
    before, before_b = to_bits(w).reshape(w.shape), to_bits(b)
    layer.sgd_step(0.5)
    same = to_bits(w).reshape(w.shape) == before
    np.testing.assert_array_equal(same, ~(rows[:, None] & columns))
    np.testing.assert_array_equal(to_bits(b) == before_b, ~columns)


def test_training_learns():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((256, 4))
    target = np.abs(x).sum(axis=1, keepdims=True)
    first = fd.ThinnedLinear(generator.standard_normal((4, 128)) / 2, np.zeros(128), 0.2, rng=1)
    second = fd.ThinnedLinear(generator.standard_normal((128, 1)) / 12, np.zeros(1), 0)
    for _ in range(300):
        h = np.maximum(first(x), 0)
        dy = (second(h, first.mask) - target) / len(x)
        first.backward(second.backward(dy) * (h > 0))
        first.sgd_step(0.05)
        second.sgd_step(0.05)
    y = second.eval()(np.maximum(first.eval()(x), 0))
    assert np.square(y - target).mean() < 0.2 * target.var()


# Evaluation, state


@pytest.mark.parametrize("x_mask", [None, np.arange(INPUTS) % 3 > 0], ids=["", "x_mask"])
def test_eval_is_the_full_product(x_mask):
    x, w, b, dy = arrays()
    layer = fd.ThinnedLinear(w, b, rng=rng())
    layer.forward(x)
    assert layer.eval() is layer
    y, dx, dw, db = full(x, w, b, dy, np.ones(OUTPUTS, bool), np.ones(INPUTS, bool), 1)
    assert_close(layer.forward(x, x_mask=x_mask), y)
    assert layer.mask is None
    assert (layer.rng.counter, len(layer.rows), len(layer.columns)) == (1, INPUTS, OUTPUTS)
    assert_close(layer.train().backward(dy), dx)  # of the last forward
    assert_close(layer.dw, dw)
    assert_close(layer.db, db)
    before = w.copy()
    layer.sgd_step(0.1)
    assert_same(w, before - 0.1 * layer.dw_kept)


def test_p_may_be_set_between_steps():
    x, w, b, _ = arrays()
    layer = fd.ThinnedLinear(w, b, 0.3, rng=rng())
    assert repr(layer) == "ThinnedLinear(p=0.3)"
    for stream, p in enumerate([0.3, 0.5, np.float32(0.1), 0, 1]):
        layer.p = p
        layer(x)
        np.testing.assert_array_equal(layer.columns, np.flatnonzero(kept(float(p), OUTPUTS, stream=stream)))


@pytest.mark.parametrize("trip", [lambda s: json.loads(json.dumps(s)), dict], ids=["json", "dict"])
def test_a_resumed_run_draws_on(trip):
    x, w, b, dy = arrays()
    layer, resumed = fd.ThinnedLinear(w, b, 0.3, rng=rng()), fd.ThinnedLinear(w.copy(), b.copy(), rng=1).eval()
    layer(x)
    state = layer.state_dict()
    assert state == layer.rng.state | {"p": 0.3, "training": True}
    resumed.load_state_dict(trip(state))
    for _ in range(3):
        for each in (layer, resumed):
            each(x)
            each.backward(dy)
            each.sgd_step(0.1)
        assert_same(resumed.w, layer.w)
        assert_same(resumed.b, layer.b)


def test_pickles_between_forward_and_step():
    x, w, b, dy = arrays()
    layer = fd.ThinnedLinear(w, b, 0.3, rng=rng())
    for act in (lambda a: a.forward(x), lambda a: a.backward(dy), lambda a: a.sgd_step(0.1), lambda a: a.forward(x)):
        copy = pickle.loads(pickle.dumps(layer))
        for each in (layer, copy):
            act(each)
        assert_same(copy.w, layer.w)
        assert copy.state_dict() == layer.state_dict()
    assert_same(copy.backward(dy), layer.backward(dy))
