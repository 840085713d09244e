"""What a user adds to a layer or a subclass comes back from copies and pickles, beside what is checked there."""

import copy
import pickle
import re

import numpy as np
import pytest
from conftest import assert_same
from test_family import LAYERS, new

import fastdrop as fd

TRIPS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle-{n}": lambda a, n=n: pickle.loads(pickle.dumps(a, n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)},
}
trips = pytest.mark.parametrize("trip", TRIPS.values(), ids=TRIPS)
ADDED = {
    "version": "2.1",
    "slots": (1, 2),
    "own": {"a": 1},
    "state": None,
    "kind": (np.float64, (2,), b"12"),
    "table": np.arange(6).reshape(2, 3),
    "words": np.array(["a", "bc"]),
    "swapped": np.arange(3, dtype=">i4"),
    "objects": np.array([1, "a"], object),
}


class Slotted(fd.Dropout):
    __slots__ = ("__hidden", "note", "version")

    def __init__(self, p, note):
        super().__init__(p, rng=1)
        self.note, self.__hidden = note, [note]

    def hidden(self):
        return self.__hidden


class Matrix(np.ndarray):
    pass


@trips
@pytest.mark.parametrize("name", LAYERS)
def test_attributes(name, trip):
    layer, x = new(name, rng=1)
    vars(layer).update(ADDED)
    layer.masked = np.ma.array([1.0, 2.0], mask=[0, 1])
    layer.matrix = np.ones(2).view(Matrix)
    y = layer(x)
    twin = trip(layer)
    assert vars(twin).keys() >= vars(layer).keys()
    for key, value in ADDED.items():
        got = getattr(twin, key)
        assert type(got) is type(value)
        if isinstance(value, np.ndarray):
            assert got.dtype == trip(value).dtype  # NumPy itself makes it native below protocol 5
            np.testing.assert_array_equal(got, value)
        else:
            assert got == value
    assert twin.masked.mask.tolist() == [False, True]
    assert type(twin.matrix) is Matrix
    assert_same(twin.backward(y), layer.backward(y))
    assert twin.state_dict() == layer.state_dict()


@trips
@pytest.mark.parametrize("version", [None, "2.1", 1, 2])
def test_slots_of_a_subclass(trip, version):
    layer = Slotted(0.25, "a note")
    if version is not None:
        layer.version = version
    layer.extra = 3
    twin = trip(layer)
    assert (twin.note, twin.hidden(), twin.extra, twin.p) == ("a note", ["a note"], 3, 0.25)
    assert getattr(twin, "version", None) == version


def test_a_state_that_a_subclass_makes_shorter():
    class Open(fd.Dropout):
        def __getstate__(self):
            state = super().__getstate__()
            del state["handle"]
            return state

    layer = Open(0.3)
    layer.handle, layer.version = object(), "2.1"
    twin = copy.deepcopy(layer)
    assert (twin.version, hasattr(twin, "handle")) == ("2.1", False)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        ({"version": 2}, ValueError, "the version of a pickled layer must be 1, got 2"),
        ({"version": "2.1"}, ValueError, "the version of a pickled layer must be 1, got '2.1'"),
        ({"_p": 1.5}, ValueError, "p must be between 0 and 1, got 1.5"),
        ({"training": "no"}, TypeError, "a pickled layer's training is of a wrong type: str"),
        ({"fastdrop.more": {"p": 1.5}}, ValueError, "p must be between 0 and 1, got 1.5"),
        ({"fastdrop.more": [1]}, TypeError, "the slots of a pickled layer must be a dict, got list"),
    ],
    ids=str,
)
def test_it_is_checked_still(spoil, error, message):
    layer = Slotted(0.25, "a note")
    layer.extra = 3
    with pytest.raises(error, match=rf"\A{re.escape(message)}\Z"):
        Slotted.__new__(Slotted).__setstate__(layer.__getstate__() | spoil)


def test_more_cannot_replace_what_was_checked():
    layer = fd.Dropout(0.25)
    twin = fd.Dropout.__new__(fd.Dropout)
    twin.__setstate__(layer.__getstate__() | {"fastdrop.more": {"_p": 7, "training": "no"}})
    assert (twin.p, twin.training) == (0.25, True)
