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
    assert repr(twin) == repr(layer)
    assert_same(twin.backward(x), layer.backward(x))
    assert_same(twin(x), layer(x))


def test_repr_shows_what_is_not_default():
    shown = {
        "Dropout(p=0.5)": fd.Dropout(rng=1),
        "Dropout(p=0.2, noise_shape=(None, 1), inplace=True, store='recipe', inverted=False)": fd.Dropout(
            0.2, noise_shape=(None, 1), inplace=True, store="recipe", inverted=False
        ),
        "StandardDropout(p=0.5, inplace=True)": fd.StandardDropout(inplace=True),
        "SpatialDropout(p=0.5, channel_axis=-1)": fd.SpatialDropout(channel_axis=-1),
        "UnitDropout(p=0.5, inverted=False)": fd.UnitDropout(inverted=False),
        "LockedDropout(p=0.5, time_axis=1)": fd.LockedDropout(time_axis=1),
        "DropPath(p=0.5, store='recipe')": fd.DropPath(store="recipe"),
        "DropConnect(p=[0.1 0.2])": fd.DropConnect([0.1, 0.2]),
        "DropBlock(p=0.3, block_size=5)": fd.DropBlock(0.3, 5),
        "DropBlock(p=0.3, channel_axis=3)": fd.DropBlock(0.3, channel_axis=3),
        "FeatureAlphaDropout(p=0.5, channel_axis=2)": fd.FeatureAlphaDropout(channel_axis=2),
        "AlphaDropout(p=0.5)": fd.AlphaDropout(),
        "GaussianNoise(stddev=0.3)": fd.GaussianNoise(0.3),
        "EmbeddingDropout(p=0.1)": fd.EmbeddingDropout(0.1),
        "ThinnedLinear(p=0.25)": fd.ThinnedLinear(np.ones((3, 2)), p=0.25),
    }
    assert list(shown) == [repr(layer) for layer in shown.values()]


@pytest.mark.parametrize("name", [*LAYERS, "EmbeddingDropout", "ThinnedLinear"])
def test_the_page_says_whose_gradient_backward_is(name):
    text = " ".join(getattr(fd, name).__doc__.split())
    assert "backward belongs to the last forward. A layer used twice in one graph" in text
    assert "layer.mask" in text


# Modes


@layers
def test_train_takes_a_mode(name):
    layer, _ = new(name)
    for mode in (False, True, np.bool_(False)):
        assert layer.train(mode) is layer
        assert layer.training is bool(mode)
    assert layer.train(mode=True).training is layer.train().training is True
    with pytest.raises(TypeError, match=re.escape("mode must be a bool, got int")):
        layer.train(0)
    assert layer.training is True


class Table:
    """What only NumPy knows to read, as a DataFrame."""

    def __init__(self, a):
        self.a = a

    def __array__(self, dtype=None, copy=None):
        return self.a


@layers
def test_eval_gives_an_array(name):
    layer, x = new(name)
    layer.eval()
    scale = 0.5 if name == "StandardDropout" else 1
    for given in (x.tolist(), Table(x), memoryview(x)):
        assert_same(layer(given), scale * x)
        assert_same(layer.backward(given), scale * x)
    swapped = x.astype(">f8")
    assert layer(swapped) is swapped or name == "StandardDropout"
    assert layer.backward(swapped) is swapped or name == "StandardDropout"


# In place


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


INPLACE = ["Dropout", "SpatialDropout", "UnitDropout", "LockedDropout", "DropPath", "DropConnect", "StandardDropout"]
UNFIT = {
    "list": (np.ndarray.tolist, TypeError, "with inplace=True, x must be a numpy.ndarray, got list"),
    "table": (Table, TypeError, "with inplace=True, x must be a numpy.ndarray, got Table"),
    "read-only": (read_only, ValueError, "with inplace=True, x must be writable, got a read-only array"),
    "swapped": (lambda x: x.astype(">f8"), ValueError, "with inplace=True, x must be in native byte order, got >f8"),
    "itself": (
        lambda x: np.lib.stride_tricks.as_strided(x.copy(), x.shape, (0, *x.strides[1:])),
        ValueError,
        "with inplace=True, x must not overlap itself, got strides (0, ",
    ),
}


@pytest.mark.parametrize(("spoil", "error", "message"), UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("name", INPLACE)
def test_what_inplace_cannot_write_into(name, spoil, error, message):
    layer, x = new(name, rng=rng(), inplace=True)
    unfit = spoil(x)
    for _ in range(2):
        with pytest.raises(error, match=rf"\A{re.escape(message)}"):
            layer(unfit)
        assert (layer.mask, layer.rng.counter, layer._ran) == (None, 0, False)
        if name != "StandardDropout":  # which alone writes in eval mode
            break
        layer.eval()


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
