"""What was saved: an early release's pickles and state are read for ever, and what is not as saved is refused."""

import base64
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import reference
from conftest import assert_same
from ml_dtypes import bfloat16

import fastdrop as fd

KEY, STREAM = (2**63 + 1, 12345), 2**40
SAVED = json.loads(Path(__file__).with_name("saved.json").read_text(encoding="utf-8"))
X = np.ones((3, 21), np.float32)


def saved(name):
    return pickle.loads(base64.b64decode(SAVED[name]))


# What was saved is read


def test_an_rng():
    rng = saved("Rng")
    key = "{:016x}{:016x}".format(*KEY)
    assert rng.state == {"version": 1, "key": key, "counter": STREAM, "spawned": 3, "row": 2}


INDICES = np.arange(63).reshape(3, 21)
RATES = np.resize([0.1, 0.5, 0.9], 21)
MASKS = {
    "bits": lambda: reference.kept_at(KEY, STREAM, 0.3, INDICES),
    "recipe": lambda: reference.kept_at(KEY, STREAM, 0.3, reference.window_indices((10, 2**40), (5, 2**33), (3, 21))),
    "array p": lambda: reference.kept_each(KEY, STREAM, RATES, INDICES),
    "given": lambda: np.arange(9) % 2 == 0,
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask(name):
    mask, kept = saved(name), MASKS[name]()
    np.testing.assert_array_equal(mask.to_bool(), kept)
    np.testing.assert_array_equal(mask.p, {"array p": RATES, "given": 0.5}.get(name, 0.3))
    x = np.ones(kept.shape, np.float32)
    np.testing.assert_array_equal(mask.apply(x), reference.apply(x, kept, reference.scale(mask.p)))


@pytest.mark.parametrize("how", ["layer", "state_dict"])
def test_a_layer_goes_on(how):
    layer = fd.Dropout(0.9, noise_shape=(None, 1), rng=1)
    if how == "layer":
        layer = saved(how)
        last = reference.kept(KEY, STREAM, 0.3, 0, 3)
        np.testing.assert_array_equal(layer.backward(X) > 0, np.broadcast_to(last[:, None], (3, 21)))
    else:
        layer.load_state_dict(SAVED[how])
    y, kept = layer(X), reference.kept(KEY, STREAM + 1, 0.3, 0, 3)
    np.testing.assert_array_equal(y, reference.apply(X, kept[:, None], reference.scale(0.3)))


# What is not as saved is refused


def refused(function, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments)


PLACES = {name: i for i, name in enumerate(["version", "shape", "noise", "p", "scale", "bits", "recipe"])}
RECIPE = (*KEY, STREAM, 0, None)
OF_MASK = {  # what of saved("bits") is spoilt: (how, error, message)
    "version-2": ({"version": 2}, ValueError, "the version of a pickled Mask must be 1, got 2"),
    "version-true": ({"version": True}, ValueError, "the version of a pickled Mask must be 1, got True"),
    "shape-longer": ({"shape": (4, 21)}, ValueError, "bits must have 11 bytes for shape (4, 21), got 8"),
    "shape-huge": ({"shape": (2**20, 2**20)}, ValueError, f"bits must have {2**37} bytes"),
    "shape-text": ({"shape": "ab"}, TypeError, "shape must be an int or a sequence of ints, got str"),
    "noise": ({"noise": (3, 2)}, ValueError, "the noise shape of a pickled Mask must broadcast to (3, 21), got (3, 2)"),
    "p": ({"p": 1.5}, ValueError, "p must be between 0 and 1, got 1.5"),
    "p-text": ({"p": "0.3"}, TypeError, "p must be a real number, got str"),
    "p-longer": (
        {"p": [0.5] * 22, "scale": True},
        ValueError,
        "p must broadcast to the noise shape (3, 21), got (22,)",
    ),
    "p-type": ({"p": ("f8", (21,), bytes(168))}, TypeError, "a pickled array must be of a NumPy type, got 'f8'"),
    "p-object": (
        {"p": (np.object_, (21,), bytes(168))},
        ValueError,
        "cannot create an OBJECT array from memory buffer",
    ),
    "p-shape": ({"p": (np.float64, (22,), bytes(168))}, ValueError, "cannot reshape array of size 21 into shape (22,)"),
    "scale": ({"scale": np.inf}, ValueError, "the scale of a pickled Mask must be finite and positive, got inf"),
    "scale-p": ({"p": [0.5] * 21}, TypeError, "a pickled Mask must say whether its array p is inverted, got float"),
    "bits-type": ({"bits": bytearray(8)}, TypeError, "bits must be bytes, got bytearray"),
    "bits-short": ({"bits": bytes(7)}, ValueError, "bits must have 8 bytes for shape (3, 21), got 7"),
    "bits-past": ({"bits": bytes(7) + b"\x80"}, ValueError, "bits must be 0 past the end, got a set bit"),
    "given-noise": (
        {"noise": (3, 1), "recipe": None},
        ValueError,
        "a pickled Mask of given bits must have no noise shape",
    ),
    "given-scale": ({"scale": np.inf, "recipe": None}, ValueError, "scale must be finite and positive, got inf"),
    "given-no-bits": ({"bits": None, "recipe": None}, TypeError, "bits must be bytes, got NoneType"),
    "word": ({"recipe": (2**64, *RECIPE[1:])}, ValueError, "a word of the recipe must be between 0 and 2**64 - 1"),
    "word-type": ({"recipe": (1.0, *RECIPE[1:])}, TypeError, "a word of the recipe must be an int, got float"),
    "words": ({"recipe": RECIPE[1:]}, ValueError, "values to unpack"),
    "strides": (
        {"recipe": (*RECIPE[:4], (1,))},
        ValueError,
        "a pickled Mask of shape (3, 21) must have as many strides",
    ),
    "strides-far": (
        {"recipe": (*RECIPE[:4], (2**63, 1))},
        ValueError,
        f"the last index of a pickled Mask must be below 2**64, got {2**64 + 20}",
    ),
}


@pytest.mark.parametrize(("spoil", "error", "message"), OF_MASK.values(), ids=OF_MASK)
def test_a_mask_is_checked(spoil, error, message):
    function, arguments = saved("bits").__reduce__()
    arguments = list(arguments)
    for name, value in spoil.items():
        arguments[PLACES[name]] = value
    refused(function, arguments, error, message)


OF_RNG = {
    "version": ({"version": 2}, ValueError, "state version must be 1, got 2"),
    "type": ({"counter": True}, TypeError, "state counter must be an int, got bool"),
    "range": ({"spawned": 2**64}, ValueError, f"state spawned must be between 0 and 2**64 - 1, got {2**64}"),
    "key": ({"key": "0" * 31}, ValueError, f"state key must be 32 hex digits, got '{'0' * 31}'"),
    "more": ({"more": 1}, ValueError, "state must have the keys version, key, counter, spawned, row, got"),
}


@pytest.mark.parametrize(("spoil", "error", "message"), OF_RNG.values(), ids=OF_RNG)
def test_an_rng_is_checked(spoil, error, message):
    function, (state,) = saved("Rng").__reduce__()
    refused(function, [state | spoil], error, message)
    layer = fd.Dropout(0.5, rng=1)
    before = layer.state_dict()
    refused(layer.load_state_dict, [SAVED["state_dict"] | spoil], error, message)
    assert layer.state_dict() == before


OF_LAYER = {
    "version": ({"version": 2}, ValueError, "the version of a pickled layer must be 1, got 2"),
    "p": ({"_p": 1.5}, ValueError, "p must be between 0 and 1, got 1.5"),
    "p-array": ({"_p": np.array([0.5, np.nan])}, ValueError, "p must be between 0 and 1, got nan"),
    "p-plain": ({"_p": (np.float64, (2,), bytes(15))}, ValueError, "buffer size must be a multiple of element size"),
    "factor": ({"_factor": "2"}, TypeError, "a pickled layer's _factor is of a wrong type: str"),
    "rng": ({"_rng": 3}, TypeError, "a pickled layer's _rng is of a wrong type: int"),
    "mask": ({"mask": np.ones(3, bool)}, TypeError, "a pickled layer's mask is of a wrong type: ndarray"),
    "training": ({"training": 1}, TypeError, "a pickled layer's training is of a wrong type: int"),
}


@pytest.mark.parametrize(("spoil", "error", "message"), OF_LAYER.values(), ids=OF_LAYER)
def test_a_layer_is_checked(spoil, error, message):
    state = saved("layer").__getstate__()
    refused(fd.Dropout.__new__(fd.Dropout).__setstate__, [state | spoil], error, message)


def test_a_layers_state_must_be_whole():
    layer, state = fd.Dropout(0.5, rng=1), saved("layer").__getstate__()
    for name in ("version", "_p", "_rng", "training", "_ran"):
        with pytest.raises((TypeError, ValueError)):
            layer.__setstate__({key: value for key, value in state.items() if key != name})
    refused(layer.__setstate__, [[1]], TypeError, "the state of a pickled layer must be a dict, got list")
    refused(layer.load_state_dict, [[1]], TypeError, "state must be a mapping, got list")
    assert layer.p == 0.5


LAYERS = {  # with arrays: what makes the layer, and its last forward
    "Dropout": lambda: (layer := fd.Dropout(RATES, rng=1), layer(X)),
    "UnitDropout": lambda: (layer := fd.UnitDropout(RATES, rng=1, store="recipe"), layer(X)),
    "StandardDropout": lambda: (layer := fd.StandardDropout(RATES).eval(), layer(X)),
    "GaussianDropout": lambda: (layer := fd.GaussianDropout(0.3, rng=1), layer(X)),
    "GaussianDropout-bfloat16": lambda: (layer := fd.GaussianDropout(0.3, rng=1), layer(X.astype(bfloat16))),
    "DropBlock": lambda: (layer := fd.DropBlock(0.3, 2, rng=1), layer(X[None, None])),
    "EmbeddingDropout": lambda: (layer := fd.EmbeddingDropout(rng=1), layer(X, [1, 2, 1])),
}


@pytest.mark.parametrize("protocol", [2, 5])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layers_arrays_are_plain(name, protocol):
    layer, y = LAYERS[name]()
    pickled = pickle.dumps(layer, protocol)
    assert not re.search(rb"numpy\.?_?core|multiarray|reconstruct|frombuffer", pickled)
    copy = pickle.loads(pickled)
    assert_same(copy.backward(y), layer.backward(y))
    np.testing.assert_array_equal(copy.p, layer.p)
    assert copy.state_dict() == layer.state_dict()


def test_an_array_p_stays_read_only_in_a_pickle():
    layer = pickle.loads(pickle.dumps(fd.Dropout(RATES.astype(np.float32), rng=1)))
    assert (layer.p.dtype, layer.p.flags.writeable) == (np.float64, False)
