"""fd.Dropout: training and evaluation, whose stream it draws, its state through json and npz, what a refusal leaves."""

import inspect
import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import reference
from conftest import STORES, assert_mask, assert_same, expected, kept, rng, values

import fastdrop as fd

X = values(300, np.dtype("f4")).reshape(60, 5)


def draws(layer, n=3):
    """The masks of the layer's next n steps, as one bytes."""
    return b"".join(layer.forward(X) is not None and layer.mask.bits.tobytes() for _ in range(n))


# Forward and backward


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "not-inverted"])
@pytest.mark.parametrize(("noise_shape", "noise"), [(None, (60, 5)), ((1, None), (1, 5)), ((5,), (5,))], ids=str)
def test_forward_and_backward(backend, noise_shape, noise, inverted, store):
    layer = fd.Dropout(0.3, rng=rng(), noise_shape=noise_shape, store=store, inverted=inverted)
    dy = values(300, np.dtype("f8"), seed=1).reshape(60, 5)
    for stream, call in enumerate([layer.forward, layer, lambda x: layer(x=x)]):
        keep = kept(0.3, int(np.prod(noise)), stream=stream).reshape(noise)
        assert_same(call(X), expected(X, keep, 0.3, inverted))
        assert_mask(layer.mask, keep, X.shape)
        for _ in range(2):
            assert_same(layer.backward(dy), expected(dy, keep, 0.3, inverted))
        out = dy.copy()
        assert layer.backward(out, out=out) is out
        assert_same(out, expected(dy, keep, 0.3, inverted))


def test_defaults():
    layer = fd.Dropout()
    assert (layer.p, layer.training, layer.mask, type(layer.rng)) == (0.5, True, None, fd.Rng)
    parameters = inspect.signature(fd.Dropout).parameters.values()
    assert [q.name for q in parameters if q.kind is q.KEYWORD_ONLY] == [
        "rng",
        "noise_shape",
        "inplace",
        "store",
        "inverted",
    ]
    with pytest.raises(TypeError):
        fd.Dropout(0.5, 0)


def test_backward_is_the_numerical_gradient():
    layer = fd.Dropout(0.4, rng=1)
    x, weight = np.random.default_rng(2).standard_normal((2, 6, 7))

    def loss(x):
        return (weight * layer.forward(x, rng=5) ** 2).sum()

    numerical = np.empty_like(x)
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-6
        numerical[i] = (loss(x + step) - loss(x - step)) / 2e-6
    y = layer.forward(x, rng=5)
    np.testing.assert_allclose(layer.backward(2 * weight * y), numerical, rtol=1e-6, atol=1e-8)


def test_inplace_is_about_forward_alone():
    layer, x, dy = fd.Dropout(0.3, rng=rng(), inplace=True), X.copy(), np.ones_like(X)
    y = expected(X, kept(0.3, 300).reshape(60, 5), 0.3)
    assert layer(x) is x
    assert_same(x, y)
    assert layer.backward(dy) is not dy
    assert (dy == 1).all()
    x.flags.writeable = False
    with pytest.raises(ValueError, match=re.escape("with inplace=True, x must be writable, got a read-only array")):
        layer(x)
    assert layer.rng.counter == 1
    assert layer.eval()(x) is x


def test_a_call_with_an_rng_of_its_own():
    layer, r = fd.Dropout(0.3, rng=rng(50)), rng(7)
    for given, stream in ((r, 7), (r, 8), (8, 0), (8, 0)):  # conftest's KEY is that of seed 8
        keep = kept(0.3, 300, stream=stream).reshape(60, 5)
        assert_same(layer.forward(X, rng=given), expected(X, keep, 0.3))
        assert_same(layer.backward(X), expected(X, keep, 0.3))
    layer.forward(X, rng=np.random.PCG64(1))
    layer.eval().forward(X, rng=r)
    assert (layer.rng.counter, r.counter) == (50, 9)


# Training and evaluation


def test_eval_is_the_identity():
    layer, dy = fd.Dropout(0.3, rng=rng(), inplace=True), X + 1
    layer(X.copy())
    assert layer.mask is not None
    assert layer.eval() is layer
    assert layer.training is False
    assert layer(X) is X
    assert layer.forward(X) is X
    assert layer.mask is None
    assert layer.rng.counter == 1
    assert layer.backward(dy) is dy
    out = np.zeros_like(dy)
    assert layer.backward(dy, out=out) is out
    assert layer.backward(dy, out) is out
    assert_same(out, dy)
    assert layer.train() is layer
    assert layer.training is True
    assert layer.mask is None
    assert_same(layer.backward(dy), dy)  # until the next forward: the gradient of what the last one did
    layer(X.copy())
    assert_mask(layer.mask, kept(0.3, 300, stream=1).reshape(60, 5))


def test_backward_is_that_of_the_last_forward():
    layer = fd.Dropout(0.3, rng=rng())
    y = layer(X)
    layer.eval()
    layer.p = 0.9
    assert_same(layer.backward(X), y)
    assert layer.mask is not None


@pytest.mark.parametrize("layer", [fd.Dropout(), fd.Dropout().eval()], ids=["train", "eval"])
def test_backward_needs_a_forward(layer):
    with pytest.raises(RuntimeError, match=re.escape("backward needs a forward before it")):
        layer.backward(X)
    assert layer.mask is None


@pytest.mark.parametrize("p", [0, 1, 0.3])
def test_every_step_in_training_draws(p):
    layer = fd.Dropout(p, rng=rng())
    layer(X)
    assert_mask(layer.mask, kept(p, 300).reshape(60, 5))
    assert layer.rng.counter == 1


# p, refusals


@pytest.mark.parametrize("p", [1.5, float("nan"), "a", None], ids=str)
def test_a_bad_p_changes_nothing(p):
    layer = fd.Dropout(0.3, rng=rng())
    with pytest.raises((TypeError, ValueError), match="p must be"):
        layer.p = p
    assert layer.p == 0.3
    assert layer.state_dict()["p"] == 0.3


def test_p_may_be_set_between_steps():
    layer = fd.Dropout(0.3, rng=rng())
    for stream, p in enumerate([0.3, 0.5, np.float32(0.1), 0, 1]):
        layer.p = p
        assert layer.p == p
        assert str(layer.p) in repr(layer)
        assert json.dumps(layer.state_dict())
        assert_same(layer(X), expected(X, kept(float(p), 300, stream=stream).reshape(60, 5), float(p)))


REFUSED = [np.ones(3, int), np.ma.masked_array(X.copy()), np.broadcast_to(np.float32(1), (60, 5))]


@pytest.mark.parametrize("refused", REFUSED, ids=["int", "masked", "overlaps-itself"])
@pytest.mark.parametrize("last", ["train", "eval"])
def test_a_refused_forward_changes_nothing(last, refused):
    layer = getattr(fd.Dropout(0.3, rng=rng(), inplace=True), last)()
    layer(X.copy())
    mask, state, dx = layer.mask, layer.train().state_dict(), layer.backward(X)
    with pytest.raises((TypeError, ValueError)):
        layer(refused)
    assert layer.mask is mask
    assert layer.state_dict() == state
    assert_same(layer.backward(X), dx)


# Whose stream


def test_a_seed_seeds_the_run():
    for seed in (8, [8], np.random.SeedSequence(8)):
        layer = fd.Dropout(0.3, rng=seed)
        assert (layer.rng.key, layer.rng.counter) == (reference.key_from_seed(8), 0)
        assert draws(layer) == draws(fd.Dropout(0.3, rng=seed)) == draws(fd.Dropout(0.3, rng=rng()))
        assert layer.rng.counter == 3
    assert len({draws(layer, 1) for _ in range(20)}) == 20


def test_none_is_a_key_of_its_own():
    assert len({fd.Dropout().rng.key for _ in range(3)} | {fd.Rng().key for _ in range(3)}) == 6


def test_an_rng_is_shared():
    r = rng()
    first, second = fd.Dropout(0.3, rng=r), fd.Dropout(0.3, rng=r)
    assert first.rng is second.rng is r
    for stream, layer in enumerate([first, second, second, first]):
        layer(X)
        assert_mask(layer.mask, kept(0.3, 300, stream=stream).reshape(60, 5))


def test_the_docstring_warns():
    assert "fold_in" in fd.Dropout.__doc__
    assert re.search(r"[Mm]ask\.apply|\bdropout\(", fd.Dropout.__doc__), "for a layer used twice in one graph"


# State


def through_json(state, path):
    path.write_text(json.dumps(state), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def through_npz(state, path):
    np.savez(path.with_suffix(".npz"), **state)
    return np.load(path.with_suffix(".npz"))


TRIPS = {"dict": lambda state, path: state, "json": through_json, "npz": through_npz}
TRIPS["npz-dict"] = lambda state, path: dict(through_npz(state, path))


def stopped(**options):
    """A layer after two steps, with nothing at its default."""
    layer = fd.Dropout(0.1, rng=fd.Rng.from_key(2**64 - 1, 5, counter=2**63 + 1).at_row(2), **options)
    layer.rng.spawn(3)
    draws(layer, 2)
    return layer


def test_state_dict():
    layer = stopped()
    state = layer.state_dict()
    assert state == layer.rng.state | {"p": 0.1, "training": True}
    assert {type(v) for v in state.values()} <= {int, float, str, bool}
    assert layer.eval().state_dict() == state | {"training": False}
    assert type(fd.Dropout(0).state_dict()["p"]) in (int, float)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
def test_a_resumed_run_draws_on(trip, store, tmp_path):
    layer, resumed = stopped(store=store), fd.Dropout(0.9, rng=1, store=store).eval()
    state, own = layer.state_dict(), resumed.rng
    resumed.load_state_dict(trip(state, tmp_path / "state"))
    assert resumed.state_dict() == state
    assert resumed.rng is own
    assert {k: type(v) for k, v in resumed.state_dict().items()} == {k: type(v) for k, v in state.items()}
    assert draws(resumed, 5) == draws(layer, 5)
    assert resumed.rng.spawn(1)[0].state == layer.rng.spawn(1)[0].state
    resumed.load_state_dict(trip(layer.eval().state_dict(), tmp_path / "eval"))
    assert resumed.training is False
    assert resumed(X) is X


def test_a_resumed_run_in_another_process(tmp_path):
    layer = stopped()
    np.savez(tmp_path / "state.npz", **layer.state_dict())
    (tmp_path / "layer.pickle").write_bytes(pickle.dumps(layer))
    code = """if True:
        import pickle, sys, numpy as np, fastdrop as fd
        loaded, pickled = fd.Dropout(rng=3), pickle.load(open(sys.argv[2], "rb"))
        loaded.load_state_dict(np.load(sys.argv[1]))
        for layer in (loaded, pickled):
            for _ in range(3):
                layer(np.ones((60, 5), np.float32))
                print(layer.mask.bits.tobytes().hex(), end="")
            print()"""
    command = [sys.executable, "-c", code, tmp_path / "state.npz", tmp_path / "layer.pickle"]
    printed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.split()
    assert printed == [draws(layer).hex()] * 2


def test_loading_sets_a_shared_rng_in_place():
    r = rng()
    first, second = fd.Dropout(0.3, rng=r), fd.Dropout(0.5, rng=r)
    draws(first)
    state, before = first.state_dict(), draws(second)
    first.load_state_dict(state)
    assert first.rng is second.rng is r
    assert r.counter == 3
    assert second.p == 0.5
    assert draws(second) == before


def test_a_state_with_other_keys_names_them():
    layer = fd.Dropout(0.3, rng=1)
    state = layer.state_dict()
    with pytest.raises(ValueError, match=re.escape("missing ['counter', 'p'], unknown ['rate', 'momentum']")):
        layer.load_state_dict({k: v for k, v in state.items() if k not in "p counter"} | {"rate": 0.5, "momentum": 0})
    with pytest.raises(ValueError, match=re.escape("missing [], unknown ['rate']")):
        layer.load_state_dict(state | {"rate": 0.5})
    for name in state:
        with pytest.raises(ValueError, match=re.escape(f"missing ['{name}'], unknown []")):
            layer.load_state_dict({k: v for k, v in state.items() if k != name})
    assert layer.state_dict() == state


@pytest.mark.parametrize("layer", [fd.Dropout, fd.StandardDropout, fd.UnitDropout, fd.SpatialDropout])
def test_store_is_checked_when_a_layer_is_made(layer):
    with pytest.raises(ValueError, match=re.escape("store must be 'bits' or 'recipe', got 'foo'")):
        layer(0.3, store="foo")


@pytest.mark.parametrize("training", ["no", 1, 0.0, None, [True], np.array([False])], ids=str)
def test_training_of_a_state_is_checked(training):
    layer, other = fd.Dropout(0.3, rng=1), stopped()
    state = layer.state_dict()
    with pytest.raises(TypeError, match="training must be a bool, got"):
        layer.load_state_dict(other.state_dict() | {"training": training})
    assert layer.state_dict() == state


SPOILT = {
    "no-p": lambda s: {k: s[k] for k in s if k != "p"},
    "no-key": lambda s: {k: s[k] for k in s if k != "key"},
    "p": lambda s: s | {"p": 1.5},
    "p-type": lambda s: s | {"p": "a"},
    "version": lambda s: s | {"version": 2},
    "key": lambda s: s | {"key": "xyz"},
    "counter": lambda s: s | {"counter": -1},
    "list": list,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_bad_state_changes_nothing(spoil):
    layer, other = fd.Dropout(0.3, rng=1), stopped().eval()
    state = layer.state_dict()
    with pytest.raises((KeyError, TypeError, ValueError)):
        layer.load_state_dict(spoil(other.state_dict()))
    assert layer.state_dict() == state


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(protocol):
    layer = stopped(noise_shape=(None, 1), inplace=True, store="recipe", inverted=False).eval()
    twin = pickle.loads(pickle.dumps(layer, protocol))
    assert twin.state_dict() == layer.state_dict()
    assert repr(twin) == repr(layer)
    assert twin.training is False
    assert twin.rng is not layer.rng
    x, y = X.copy(), X.copy()
    assert twin.train()(x) is x
    assert_same(x, layer.train()(y))
    np.testing.assert_array_equal(twin.mask.to_bool(), layer.mask.to_bool())


def test_repr_shows_p():
    assert re.fullmatch(r"(\w+\.)*Dropout\(.*0\.25.*\)", repr(fd.Dropout(0.25)))
