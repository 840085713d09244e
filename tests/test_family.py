"""What all layers of the family share: gradients, eval mode, rows, state, refusals."""

import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import assert_same, rng, values

import fastdrop as fd

LAYERS = {  # every class of the family: how it is made, and a shape it takes
    "Dropout": (fd.Dropout, (6, 5)),
    "SpatialDropout": (fd.SpatialDropout, (6, 3, 4, 5)),
    "UnitDropout": (fd.UnitDropout, (6, 5)),
    "LockedDropout": (lambda **k: fd.LockedDropout(time_axis=1, **k), (6, 4, 5)),
    "DropPath": (fd.DropPath, (6, 5)),
    "DropConnect": (fd.DropConnect, (6, 5)),
    "StandardDropout": (fd.StandardDropout, (6, 5)),
    "AlphaDropout": (fd.AlphaDropout, (6, 5)),
    "FeatureAlphaDropout": (fd.FeatureAlphaDropout, (6, 3, 4, 5)),
    "DropBlock": (lambda **k: fd.DropBlock(0.4, 2, **k), (6, 3, 4, 5)),
    "GaussianDropout": (fd.GaussianDropout, (6, 5)),
    "GaussianNoise": (lambda **k: fd.GaussianNoise(0.3, **k), (6, 5)),
}
layers = pytest.mark.parametrize("name", LAYERS)


def array(shape, dtype="f8", seed=0):
    return values(int(np.prod(shape)), np.dtype(dtype), seed).reshape(shape)


def new(name, **options):
    make, shape = LAYERS[name]
    return make(**options), array(shape)


@layers
def test_eval_draws_nothing(name):
    layer, x = new(name, rng=rng())
    dy = x + 1
    layer(x)
    assert layer.eval()(x) is x or name == "StandardDropout"
    assert (layer.mask, layer.rng.counter) == (None, 1)
    if name != "StandardDropout":
        assert layer.backward(dy) is dy
        out = np.zeros_like(dy)
        assert layer.backward(dy, out=out) is out
        assert_same(out, dy)


@layers
def test_the_gradient_is_the_numerical_one(name):
    layer, x = new(name)
    weight = array(x.shape, seed=3)

    def loss(x):
        return (weight * layer.forward(x, rng=5) ** 2).sum()

    numerical = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-6
        numerical[i] = (loss(x + step) - loss(x - step)) / 2e-6
    dx = layer.backward(2 * weight * layer.forward(x, rng=5))
    np.testing.assert_allclose(dx, numerical, rtol=1e-6, atol=1e-7)


@layers
def test_backward_needs_a_forward(name):
    layer, x = new(name)
    with pytest.raises(RuntimeError, match=re.escape("backward needs a forward before it")):
        layer.backward(x)


@layers
def test_a_batch_in_parts(name):
    layer, x = new(name)
    whole = layer.forward(x, rng=fd.Rng(5))
    for size in (1, 2, 3):
        rows = range(0, 6, size)
        if name == "DropConnect":  # drops weights: the same ones for every row of a batch
            assert all((layer.forward(x, rng=fd.Rng(5).at_row(r)) == whole).all() for r in rows)
        else:
            parts = [layer.forward(x[r : r + size], rng=fd.Rng(5).at_row(r)) for r in rows]
            assert_same(np.concatenate(parts), whole)


def test_layers_of_spawned_rngs_differ():
    x = np.ones(100)
    spawned = [fd.Dropout(rng=r) for r in fd.Rng(0).spawn(4)]
    assert len({layer(x).tobytes() for layer in spawned for _ in range(2)}) == 8


@layers
def test_empty(name):
    layer, x = new(name, rng=rng())
    y = layer(x[:0])
    assert y.shape == layer.backward(y).shape == x[:0].shape
    assert layer.rng.counter == 1


# State


@pytest.mark.parametrize("trip", ["json", "npz"])
def test_a_resumed_run_in_another_process(trip, tmp_path):
    stopped = {name: new(name, rng=fd.Rng(3).fold_in(i).at_row(i)) for i, name in enumerate(LAYERS)}
    for name, (layer, x) in stopped.items():
        layer(x)
        np.savez(tmp_path / f"{name}.npz", **layer.state_dict())
        (tmp_path / f"{name}.json").write_text(json.dumps(layer.state_dict()), encoding="utf-8")
    code = """if True:
        import json, pathlib, sys, numpy as np, fastdrop as fd
        sys.path.insert(0, sys.argv[3])
        from test_family import LAYERS, new
        for name in LAYERS:
            path = pathlib.Path(sys.argv[1], f"{name}.{sys.argv[2]}")
            layer, x = new(name, rng=1)
            npz = sys.argv[2] == "npz"
            layer.load_state_dict(np.load(path) if npz else json.loads(path.read_text(encoding="utf-8")))
            print(layer(x).tobytes().hex())"""
    command = [sys.executable, "-c", code, tmp_path, trip, __file__.rpartition("/")[0]]
    printed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.split()
    assert printed == [layer(x).tobytes().hex() for layer, x in stopped.values()]


@layers
def test_pickle_and_repr(name):
    layer, x = new(name, rng=3)
    layer(x)
    twin = pickle.loads(pickle.dumps(layer))
    assert repr(twin) == repr(layer) == f"{name}({layer._rate}={getattr(layer, layer._rate)})"
    assert_same(twin.backward(x), layer.backward(x))
    assert_same(twin(x), layer(x))


# Refusals


@pytest.mark.parametrize("bad", [lambda shape: np.ones(shape, int), np.ma.ones], ids=["int", "masked"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@layers
def test_a_refused_forward_changes_nothing(name, training, bad):
    layer, x = new(name, rng=rng())
    layer.training = training
    layer(x)
    dx, mask, counter = layer.backward(x), layer.mask, layer.rng.counter
    with pytest.raises(TypeError, match=r"\Ax must "):
        layer.train()(bad(x.shape))
    assert layer.mask is mask
    assert layer.rng.counter == counter
    assert_same(layer.backward(x), dx)
