"""ThinnedLinear in any order of calls: the masked full product in float64, or an error that changes nothing."""

import pickle
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import reference
from conftest import assert_mask, to_bits

pytest.importorskip("hypothesis")
from fuzz import arguments, rules
from fuzz.arguments import rarely
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd

FLOATS = [np.dtype("f4"), np.dtype("f8")]
sizes = st.sampled_from([0, 1, 2, 3, 5, 9, 17])
RATES = [0.1, 1, -0.5, 0, np.float32(0.7), np.int8(2), Fraction(1, 3), True, 1e300]
BAD_RATES = ["0.1", None, 1j, np.array(0.1), [0.1], 10**400]


def draw_normal(data, shape, dtype):
    """Normal deviates, where the dtype is a float's, in any layout."""
    a = data.draw(arguments.views(data.draw(arguments.buffers()), dtype, shape))
    if dtype.kind == "f" and a.size:
        writeable, a.flags.writeable = a.flags.writeable, True
        a[...] = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal(shape)
        a.flags.writeable = writeable
    return a


def attempt(calls, layer, judge, call, *arrays):
    """(judge()'s verdict, call()'s result), or (None, None) where it was refused, which changes nothing in the layer.

    The arrays never change.
    """
    try:
        verdict = judge()
    except rules.Refused:
        verdict = None
    arrays = [a for a in arrays if isinstance(a, np.ndarray) and not a.dtype.hasobject]
    before, was = pickle.dumps(layer), [a.tobytes() for a in arrays]
    must_take = verdict.must_take if verdict else False
    result = rules.attempt(calls, must_take, call, None, errors=(*rules.ERRORS, RuntimeError))
    assert [a.tobytes() for a in arrays] == was
    if result is None:
        assert pickle.dumps(layer) == before
        return None, None
    return verdict, result


def assert_near(got, want, size):
    """`size` is what want would be of absolute values; what is no number after a huge step is not compared."""
    assert (type(got), got.shape) == (np.ndarray, want.shape)
    with np.errstate(all="ignore"):
        finite = np.isfinite((50 * size).astype(got.dtype))
        error = np.abs(got.astype(np.float64) - want)
    assert (error[finite] <= 50 * np.finfo(got.dtype).eps * size[finite]).all()


def assert_zero(a):
    assert (to_bits(a) == 0).all()


def product(a, b, *more):
    """(a @ b and more, what that would be of absolute values), in float64."""
    exact = [np.asarray(term, np.float64) for term in (a, b, *more)]
    with np.errstate(all="ignore"):
        return tuple(t[0] @ t[1] + sum(t[2:]) for t in (exact, list(map(np.abs, exact))))


# The calls


def construct(calls, data):
    shape = data.draw(sizes), data.draw(sizes)
    w = draw_normal(
        data,
        data.draw(rarely(st.just(shape), arguments.shapes)),
        data.draw(rarely(st.sampled_from(FLOATS), arguments.dtypes)),
    )
    b = None
    if data.draw(st.booleans()):
        other = data.draw(rarely(st.just((w.shape[1:], w.dtype)), st.tuples(arguments.shapes, arguments.dtypes)))
        b = draw_normal(data, *other)
    w, b = (data.draw(rarely(st.just(a), arguments.array_likes(shape))) for a in (w, b))
    p, (rng, _) = data.draw(arguments.ps(())), data.draw(arguments.rngs())
    if isinstance(rng, fd.Rng) and rng.counter == 2**64 - 1:
        rng = fd.Rng(1)

    def judge():
        for a in (w, b) if b is not None else (w,):
            rules.require(isinstance(a, np.ndarray))
            rules.array(a)
        rules.require(w.dtype in FLOATS and w.flags.aligned and w.ndim == 2)
        rules.require(b is None or (b.dtype.newbyteorder("=") == w.dtype and b.shape == w.shape[1:]))
        rules.require(type(rules.rate(p)) is float)
        rules.source(rng, False)
        return SimpleNamespace(must_take=True)

    return attempt(calls, None, judge, lambda: fd.ThinnedLinear(w, b, p, rng=rng), w, b)[1]


@st.composite
def x_masks(draw, n, inputs):
    """(what may be an x_mask, which rows of w it keeps, or None where it must be refused)."""
    keep = np.random.default_rng(draw(st.integers(0, 99))).random(inputs) < draw(st.sampled_from([0, 0.5, 1]))
    kind = draw(st.sampled_from(["none"] * 4 + ["bool", "strided", "flat", "one row", "units", "recipe"] * 2 + ["odd"]))
    if kind == "none":
        return None, np.ones(inputs, bool)
    if kind in ("units", "recipe"):
        store = "recipe" if kind == "recipe" else "bits"
        mask = fd.dropout(np.ones((n, inputs)), rng=3, noise_shape=(1, None), store=store)[1]
        return mask, reference.kept(reference.key_from_seed(3), 0, 0.5, 0, inputs)
    ways = {"bool": keep, "strided": np.repeat(keep, 2)[::2]}
    ways |= {"flat": fd.Mask.from_bool(keep, 0.5), "one row": fd.Mask.from_bool(keep[None], 0.5)}
    if kind in ways:
        return ways[kind], keep
    elements, rows = (fd.dropout(np.ones((2, inputs)), rng=3, noise_shape=shape)[1] for shape in (None, (None, 1)))
    odd = [elements, rows, keep.tolist(), keep.astype("u1"), np.append(keep, True), keep[None], 0.5, "a"]
    return draw(st.sampled_from([*odd, fd.Mask.from_bool(np.append(keep, True), 0.5)])), None


def forward(calls, data, layer, last):
    w, b, (inputs, outputs), n = layer.w, layer.b, layer.w.shape, data.draw(st.integers(0, 4))
    dtypes = rarely(st.sampled_from([w.dtype] * 9 + [w.dtype.newbyteorder()]), arguments.dtypes)
    x = draw_normal(data, data.draw(rarely(st.just((n, inputs)), arguments.shapes)), data.draw(dtypes))
    x = data.draw(rarely(st.just(x), arguments.array_likes((n, inputs))))
    x_mask, rows = data.draw(x_masks(n, inputs))
    rng, spent = data.draw(st.one_of(st.just((None, False)), arguments.rngs()))
    own = layer.rng if rng is None else rng

    def judge():
        array = rules.array(x)
        rules.require(array.dtype.newbyteorder("=") == w.dtype and array.ndim == 2 and array.shape[1] == inputs)
        rules.require(rows is not None)
        if not layer.training:
            return SimpleNamespace(must_take=True, x=array, rows=np.full(inputs, True), columns=np.full(outputs, True))
        key, stream, _ = rules.source(own, spent)
        columns = reference.kept(key, stream, layer.p, 0, outputs) if outputs else np.zeros(0, bool)
        return SimpleNamespace(must_take=True, x=array, rows=rows, columns=columns)

    drawn = rules.state(own)
    now, y = attempt(calls, layer, judge, lambda: layer.forward(x, x_mask, rng), x, w, b)
    if now is None:
        assert rules.state(own) == drawn
        return last
    now.scale = float(reference.scale(layer.p)) if layer.training and layer.p < 1 else 1.0
    want, size = product(now.x[:, now.rows], w[now.rows][:, now.columns], 0 if b is None else b[now.columns])
    assert y.dtype == w.dtype
    assert_near(y[:, now.columns], now.scale * want, now.scale * size)
    assert_zero(y[:, ~now.columns])
    if layer.training:
        assert_mask(layer.mask, now.columns[None], (len(now.x), outputs))
    assert (layer.mask is None) == (not layer.training)
    np.testing.assert_array_equal(layer.rows, np.flatnonzero(now.rows))
    np.testing.assert_array_equal(layer.columns, np.flatnonzero(now.columns))
    now.w = w if now.rows.all() and now.columns.all() else w.copy()  # the docstring says so
    now.went_back = False
    return now


def backward(calls, data, layer, last):
    shape = (len(last.x) if last else 2, layer.w.shape[1])
    dtypes = rarely(st.sampled_from([layer.w.dtype] * 9 + [layer.w.dtype.newbyteorder()]), arguments.dtypes)
    dy = draw_normal(data, data.draw(rarely(st.just(shape), arguments.shapes)), data.draw(dtypes))
    dy = data.draw(rarely(st.just(dy), arguments.array_likes(shape)))

    def judge():
        rules.require(last is not None)
        array = rules.array(dy)
        rules.require(array.dtype.newbyteorder("=") == layer.w.dtype and array.shape == shape)
        return SimpleNamespace(must_take=True, dy=array)

    verdict, dx = attempt(calls, layer, judge, lambda: layer.backward(dy), dy, layer.w, layer.b)
    if verdict is None:
        return last
    rows, columns = last.rows, last.columns
    dz = last.scale * verdict.dy[:, columns].astype(np.float64)
    assert_near(dx[:, rows], *product(dz, last.w[rows][:, columns].T))
    assert_zero(dx[:, ~rows])
    assert_near(layer.dw_kept, *product(last.x[:, rows].T, dz))
    dw = np.zeros_like(layer.w, subok=False)
    dw[np.ix_(rows, columns)] = layer.dw_kept
    np.testing.assert_array_equal(to_bits(layer.dw), to_bits(dw))
    if layer.b is not None:
        assert_near(layer.db_kept, dz.sum(axis=0), np.abs(dz).sum(axis=0))
        np.testing.assert_array_equal(layer.db[columns], layer.db_kept)
        assert_zero(layer.db[~columns])
    last.went_back = True
    return last


def twin(a, memory):
    """a in a copy of the memory that it is a view of."""
    return np.ndarray(a.shape, a.dtype, memory, a.ctypes.data - a.base.ctypes.data, a.strides)


def sgd_step(calls, data, layer, last):
    lr, w, b = data.draw(rarely(st.sampled_from(RATES), st.sampled_from(BAD_RATES))), layer.w, layer.b

    def judge():
        rules.require(last is not None and last.went_back and any(lr is rate for rate in RATES))
        parameters = [w] if b is None else [w, b]
        rules.require(all(a.flags.writeable for a in parameters))
        return SimpleNamespace(must_take=None if None in map(rules.separate, parameters) else True)

    copies = [None if a is None else a.base.copy() for a in (w, b)]
    if attempt(calls, layer, judge, lambda: (layer.sgd_step(lr),))[0] is None:
        return last
    with np.errstate(all="ignore"):
        twin(w, copies[0])[np.ix_(last.rows, last.columns)] -= w.dtype.type(lr) * layer.dw_kept
        if b is not None:
            twin(b, copies[1])[last.columns] -= w.dtype.type(lr) * layer.db_kept
    assert all(copy is None or (a.base == copy).all() for a, copy in zip((w, b), copies, strict=True))
    return last


def spread(calls, data, layer, last):
    """dw and db; they are looked at after each backward too."""
    for name in ("dw", "db"):

        def judge():
            rules.require(last is not None and last.went_back)
            return SimpleNamespace(must_take=True)

        attempt(calls, layer, judge, lambda name=name: (getattr(layer, name),))
    return last


def change(calls, data, layer, last):
    """The mode and p, between the calls."""
    layer.training = data.draw(st.sampled_from([True, True, False]))
    layer.p = data.draw(st.sampled_from([0, 0.1, 0.5, 0.75, 1]))
    return last


ACTIONS = [forward, forward, forward, backward, backward, backward, sgd_step, sgd_step, change, spread]


@given(data=st.data())
def test_thinned_linear(calls, data):
    layer, last = construct(calls, data), None
    for action in data.draw(st.lists(st.sampled_from(ACTIONS), max_size=7)) if layer is not None else ():
        last = action(calls, data, layer, last)
