"""Rules of an Rng's state: what a forked child draws from, what a set state ends, what a copy and a child take over."""

import copy
import os

import numpy as np
import pytest
import reference
from children import in_a_child

import fastdrop as fd

LAST = 2**64 - 1
X = np.ones(200, np.float32)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the children only compute and _exit
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def key(rng):
    return repr(rng.key).encode()


DERIVED = {  # each from an Rng without a seed
    "fold_in": lambda rng: rng.fold_in(1),
    "spawn": lambda rng: rng.spawn(1)[0],
    "at_row": lambda rng: rng.at_row(2),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "grandchild": lambda rng: rng.fold_in(1).spawn(1)[0].at_row(3),
}


@forks
@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_what_comes_of_an_unseeded_rng_is_unseeded(derive):
    """It was made before the fork, and each child has a key of its own for it."""
    rng = derive(fd.Rng())
    keys = [in_a_child(lambda: key(rng)) for _ in range(2)] + [key(rng)]
    masks = [in_a_child(lambda: fd.dropout(X, rng=rng)[1].bits.tobytes()) for _ in range(2)]
    assert len(set(keys)) == 3
    assert len(set(masks)) == 2


@forks
@pytest.mark.parametrize("derive", DERIVED.values(), ids=DERIVED)
def test_what_comes_of_a_seeded_rng_is_seeded(derive):
    rng = derive(fd.Rng(7))
    assert in_a_child(lambda: key(rng)) == key(rng)


@forks
def test_a_childs_key_is_one_key():
    """Read twice, drawn from, folded, spawned from and copied: all of the one key that the child has."""

    def use():
        own, drawn = rng.key, fd.dropout(X, rng=rng)[1].to_bool()
        same = [rng.key == own, copy.copy(rng).key == own, rng.at_row(1).key == own, fd.Rng.from_key(*own).key == own]
        same.append(rng.state["key"] == "{:016x}{:016x}".format(*own))
        same.append((drawn == reference.kept(own, 0, 0.5, 0, 200)).all())
        same.append(rng.fold_in(3, 4).key == reference.fold_in(own, 3, 4))
        same.append([child.key for child in rng.spawn(2)] == [reference.fold_in(own, LAST, k) for k in range(2)])
        same.append(rng.fold_in(3).fold_in(4).key == reference.fold_in(own, 3, 4))
        return repr([bool(one) for one in same]).encode()

    rng = fd.Rng()
    assert in_a_child(use) == in_a_child(lambda: in_a_child(use)) == repr([True] * 9).encode()


@forks
@pytest.mark.parametrize("where", ["before", "in the child"])
def test_a_state_that_was_set_is_kept_over_a_fork(where):
    """It is what the user asked for, though the Rng had no seed before."""
    rng, state = fd.Rng(), fd.Rng.from_key(1, 2, counter=3).at_row(4).state
    if where == "before":
        rng.state = state

    def read():
        rng.state = state if where == "in the child" else rng.state
        return repr([rng.state == state, rng.key, rng.fold_in(5).key]).encode()

    assert in_a_child(read) == in_a_child(read) == repr([True, (1, 2), reference.fold_in((1, 2), 5)]).encode()


def exhausted():
    rng = fd.Rng.from_key(1, 2, counter=LAST)
    fd.dropout(X, rng=rng)
    return rng


@pytest.mark.parametrize("counter", [0, LAST])
def test_a_state_ends_the_exhaustion(counter):
    rng = exhausted()
    rng.state = rng.state | {"counter": counter}
    np.testing.assert_array_equal(fd.dropout(X, rng=rng)[1].to_bool(), reference.kept((1, 2), counter, 0.5, 0, 200))


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda rng: rng.at_row(0)], ids=["", "deep", "at_row"])
def test_a_copy_of_an_exhausted_rng_draws_no_stream_again(duplicate):
    twin = duplicate(exhausted())
    with pytest.raises(OverflowError):
        fd.dropout(X, rng=twin)
    assert (twin.key, twin.counter) == ((1, 2), LAST)


def test_children_of_an_exhausted_rng_draw():
    for child in (exhausted().fold_in(0), *exhausted().spawn(2)):
        np.testing.assert_array_equal(fd.dropout(X, rng=child)[1].to_bool(), reference.kept(child.key, 0, 0.5, 0, 200))


def test_an_rng_made_again_begins_anew():
    rng = exhausted().at_row(3)
    rng.spawn(2)
    rng.__init__(9)
    assert rng.state == fd.Rng(9).state
    fd.dropout(X, rng=rng)


@pytest.mark.parametrize("spawned", [LAST - 1, LAST])
def test_spawn_ends(spawned):
    """2**64 - 1 children, of numbers below that; the call that would pass them changes nothing."""
    rng = fd.Rng.from_key(1, 2)
    rng.state = rng.state | {"spawned": spawned}
    left = LAST - spawned
    for n in (left + 1, 2**64, 2**70):
        with pytest.raises(OverflowError, match="fold_in"):
            rng.spawn(n)
    assert rng.state["spawned"] == spawned
    assert [child.key for child in rng.spawn(left)] == [reference.fold_in((1, 2), LAST, LAST - 1)] * left
    assert rng.state["spawned"] == LAST


def test_a_row_stays_below_2_to_64():
    assert fd.Rng(1).at_row(2**63).at_row(2**63 - 1).state["row"] == LAST
    for r in (2**63, 2**64):
        with pytest.raises(ValueError, match="the row must be between 0 and"):
            fd.Rng(1).at_row(2**63).at_row(r)
