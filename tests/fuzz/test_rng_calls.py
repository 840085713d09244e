"""Rng in any order of calls beside a few plain ints: keys, streams, children, rows, states; threads' number too."""

import operator
import pickle
from copy import copy
from types import SimpleNamespace

import numpy as np
import pytest
import reference

pytest.importorskip("hypothesis")
from fuzz import arguments, rules
from fuzz.arguments import rarely
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd

words = st.one_of(st.integers(0, 9), st.integers(0, 2**64 - 1), st.sampled_from([2**63 - 1, 2**63, 2**64 - 1]))
ODD = [-1, 2**64, 2**70, 1.5, None, "1", b"1", [1], np.array([1]), 1j]
odd_words = rarely(
    st.one_of(words, st.sampled_from([True, np.int64(3), np.uint64(2**63), np.array(5)])), st.sampled_from(ODD)
)


def whole(value, limit=2**64):
    """The int that a value is."""
    rules.require(hasattr(value, "__index__"))
    try:
        number = operator.index(value)
    except TypeError:
        raise rules.Refused from None
    rules.require(0 <= number < limit)
    return number


def attempt(calls, judge, call, rng):
    """(what judge() says, call()'s result), or (None, None) where it was refused, by right."""
    try:
        verdict = judge()
    except rules.Refused:
        verdict = None
    result = rules.attempt(calls, verdict is not None, lambda: (call(),), rng)
    return (None, None) if result is None else (verdict, result[0])


def assert_like(rng, model):
    assert (rng.key, rng.counter) == (model.key, model.counter)
    key = "{:016x}{:016x}".format(*model.key)
    rest = {"counter": model.counter, "spawned": model.spawned, "row": model.row}
    assert rng.state == {"version": 1, "key": key, **rest}


def child_of(model, *values):
    key = reference.fold_in(model.key, *values)
    return SimpleNamespace(key=key, counter=0, spawned=0, row=model.row, spent=False)


def draw(calls, data, rng, model):
    n = data.draw(st.integers(0, 9))

    def judge():
        rules.require(not model.spent)
        return ~rules.keep(model.key, model.counter, 0.3, rules.indices((n,), row=model.row))

    dropped, got = attempt(calls, judge, lambda: fd.bernoulli(n, 0.3, rng=rng), rng)
    if dropped is not None:
        np.testing.assert_array_equal(got, dropped)
        model.spent = model.counter == 2**64 - 1
        model.counter += not model.spent
    return rng, model


def fold_in(calls, data, rng, model):
    values = data.draw(st.lists(odd_words, max_size=3))

    def judge():
        rules.require(values)
        return child_of(model, *(whole(v, 2**63) for v in values))

    child, got = attempt(calls, judge, lambda: rng.fold_in(*values), rng)
    if child is not None:
        assert_like(got, child)
    return (rng, model) if child is None or data.draw(st.booleans()) else (got, child)


def spawn(calls, data, rng, model):
    n = data.draw(rarely(st.sampled_from([0, 1, 2, 3, True, np.int64(2)]), st.sampled_from([*ODD, 2**63])))

    def judge():
        rules.require(model.spawned + whole(n) < 2**64)
        return [child_of(model, 2**64 - 1, model.spawned + k) for k in range(whole(n))]

    if n == 2**63 and not isinstance(n, float) and model.spawned < 2**63:
        return rng, model  # there is no room for them
    children, got = attempt(calls, judge, lambda: rng.spawn(n), rng)
    if children is not None:
        model.spawned += len(children)
        assert len(got) == len(children)
        for each, child in zip(got, children, strict=True):
            assert_like(each, child)
    return rng, model


def at_row(calls, data, rng, model):
    r = data.draw(odd_words)

    def judge():
        return SimpleNamespace(**vars(model) | {"row": whole(model.row + whole(r))})

    moved, got = attempt(calls, judge, lambda: rng.at_row(r), rng)
    if moved is not None:
        assert_like(got, moved)
    return (rng, model) if moved is None or moved.row > 2**60 else (got, moved)


def trip(calls, data, rng, model):
    """A copy; a pickle does not know that the last stream was taken."""
    way = data.draw(st.sampled_from([copy, lambda r: pickle.loads(pickle.dumps(r))]))
    if way is not copy:
        model = SimpleNamespace(**vars(model) | {"spent": False})
    return way(rng), model


def set_state(calls, data, rng, model):
    """One entry changed, or none."""
    state = dict(rng.state)
    name = data.draw(st.sampled_from([*state, "other"]))
    odd = st.one_of(
        odd_words, st.sampled_from([1, "0" * 32, "F" * 32, " " * 32, "0" * 31, "\uff11" * 32, np.array("a" * 32)])
    )
    if data.draw(st.booleans()):
        state[name] = data.draw(odd)
    if data.draw(st.integers(0, 15)) == 15:
        del state[data.draw(st.sampled_from(list(state)))]

    def judge():
        rules.require(state.keys() == rng.state.keys())
        plain = {
            k: v.item() if isinstance(v, (np.ndarray, np.generic)) and np.ndim(v) == 0 else v for k, v in state.items()
        }
        numbers = {k: plain[k] for k in ("counter", "spawned", "row")}
        rules.require(all(type(v) is int and 0 <= v < 2**64 for v in (*numbers.values(), plain["version"])))
        rules.require(plain["version"] == 1 and isinstance(plain["key"], str) and len(plain["key"]) == 32)
        rules.require(set(plain["key"]) <= set("0123456789abcdefABCDEF"))
        key = int(plain["key"][:16], 16), int(plain["key"][16:], 16)
        return SimpleNamespace(key=key, spent=False, **numbers)

    now, _ = attempt(calls, judge, lambda: setattr(rng, "state", state), rng)
    return rng, now or model


@given(data=st.data())
def test_rng(calls, data):
    k0, k1, counter = (data.draw(odd_words) for _ in range(3))

    def judge():
        key = whole(k0), whole(k1)
        return SimpleNamespace(key=key, counter=whole(counter), spawned=0, row=0, spent=False)

    model, rng = attempt(calls, judge, lambda: fd.Rng.from_key(k0, k1, counter), None)
    if model is None:
        return
    for action in data.draw(
        st.lists(st.sampled_from([draw, draw, fold_in, spawn, at_row, trip, set_state]), max_size=8)
    ):
        rng, model = action(calls, data, rng, model)
        assert_like(rng, model)


@given(data=st.data())
def test_seeds(calls, data):
    seed, _ = data.draw(arguments.rngs())
    if isinstance(seed, (fd.Rng, np.random.Generator, np.random.BitGenerator, type(None))):
        return

    def judge():
        return rules.source(seed, False)[0]

    key, rng = attempt(calls, judge, lambda: fd.Rng(seed), None)
    assert key is None or rng.key == key


@given(n=odd_words)
def test_set_num_threads(calls, n):
    before = fd.get_num_threads()

    def judge():
        rules.require(whole(n, 2**100) >= 1)
        return min(whole(n, 2**100), 2**16)

    now, _ = attempt(calls, judge, lambda: fd.set_num_threads(n), None)
    assert fd.get_num_threads() == (before if now is None else now)
    fd.set_num_threads(before)


@given(n=odd_words)
def test_num_threads(calls, n):
    before = fd.get_num_threads()

    def judge():
        rules.require(whole(n, 2**100) >= 1)
        return min(whole(n, 2**100), 2**16)

    block, held = attempt(calls, judge, lambda: fd.num_threads(n), None)
    if held is not None:
        with held:
            assert fd.get_num_threads() == block
    assert fd.get_num_threads() == before
