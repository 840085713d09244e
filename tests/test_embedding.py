"""EmbeddingDropout against whole rows dropped by hand, and its gradient against numpy.add.at."""

import re

import numpy as np
import pytest
from conftest import DTYPES, assert_same, expected, kept, rng, specials, values

import fastdrop as fd

WORDS, FEATURES = 40, 3
INDICES = {
    "repeats": [3, 7, 3, -1, 39, 0],
    "2d": np.random.default_rng(0).integers(-WORDS, WORDS, (9, 11)),
    "uint8": np.arange(WORDS, dtype="u1"),
    "bool": np.arange(WORDS) % 3 == 0,
    "0-d": 5,
    "empty": [],
}


def table(dtype="f8"):
    return values(WORDS * FEATURES, np.dtype(dtype)).reshape(WORDS, FEATURES)


def summed(dy, indices, shape):
    total = np.zeros(shape, "c16" if dy.dtype.kind == "c" else "f8")
    np.add.at(total, np.asarray(indices, bool if np.asarray(indices).dtype == bool else np.intp), dy)
    return total


@pytest.mark.parametrize("indices", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("p", [0, 0.4, 1])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_forward_and_backward(dtype, p, indices):
    layer = fd.EmbeddingDropout(p, rng=rng())
    for stream, w in enumerate([table(dtype), np.resize(specials(dtype), (WORDS, FEATURES))]):
        dropped = expected(w, kept(p, WORDS, stream=stream)[:, None], p)
        y = layer(w, indices)
        assert_same(y, dropped[indices])
        dy = values(y.size, dtype, seed=2).reshape(y.shape)
        keep = np.broadcast_to(kept(p, WORDS, stream=stream)[:, None], w.shape)[indices]
        np.testing.assert_array_equal(layer.mask.to_bool(), keep)
        got = layer.backward(dy)
        assert (got.dtype, got.shape) == (w.dtype, w.shape)
        eps = 2.0**-7 if dtype.itemsize == 2 else 1e-5
        want = summed(expected(dy, keep, p), indices, w.shape)
        np.testing.assert_allclose(got.astype(want.dtype), want, rtol=eps, atol=eps)


def test_a_word_is_dropped_everywhere():
    y = fd.EmbeddingDropout(0.5, rng=1)(np.ones((10, 2)), [3, 7, 3, -1, 9])
    assert (y[0] == y[2]).all()
    assert (y[3] == y[4]).all()


def test_eval_and_the_table_stay_as_they_are():
    layer, w = fd.EmbeddingDropout(0.5, rng=rng()), table()
    for indices in (5, [3, 7, 3, -1]):
        y = layer.train()(w, indices)
        y[...] = 7
        y = layer.eval()(w, indices)
        assert_same(y, w[indices])
        y[...] = 7
    assert_same(w, table())
    assert (layer.mask, layer.rng.counter) == (None, 2)
    dtable = layer.backward(np.ones((4, FEATURES)))
    assert_same(dtable, summed(np.ones((4, FEATURES)), [3, 7, 3, -1], w.shape))


def test_the_indices_may_change_before_backward():
    layer, indices = fd.EmbeddingDropout(0, rng=1), np.array([1, 2])
    layer(table(), indices)
    indices[:] = 0
    assert np.flatnonzero(layer.backward(np.ones((2, FEATURES))).sum(axis=1)).tolist() == [1, 2]


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.itemsize == 2], ids=str)
def test_half_types_are_summed_in_float32(dtype):
    layer = fd.EmbeddingDropout(0, rng=1)
    layer(np.zeros((2, 1), dtype), np.ones(4096, int))
    dtable = layer.backward(np.ones((4096, 1), dtype))
    assert (dtable.dtype, float(dtable[1, 0])) == (dtype, 4096)  # in bfloat16 it would stay at 256


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_swapped_table_gives_native_rows(dtype):
    w = table()[:6].astype(dtype)
    swapped, indices = w.astype(dtype.newbyteorder()), [[0, 5], [5, -1]]
    for mode in (True, False):
        layer = fd.EmbeddingDropout(0.5).train(mode)
        y = layer.forward(swapped, indices, rng=rng())
        assert y.dtype.isnative
        assert_same(y, layer.forward(w, indices, rng=rng()))
        assert layer.forward(w.tolist(), 3, rng=rng()).shape == (FEATURES,)


def test_layouts_and_rows_of_an_rng():
    w, indices = table("f4"), [[0, 5], [39, 5]]
    layer = fd.EmbeddingDropout(0.5)
    want = layer.forward(w, indices, rng=rng())
    for layout in (w.astype(">f4"), np.asfortranarray(w), np.repeat(w, 2, axis=0)[::2]):
        assert_same(layer.forward(layout, indices, rng=rng()), want)
    assert_same(layer.forward(w, indices, rng=rng().at_row(7)), want)


def test_the_gradient_is_the_numerical_one():
    layer, w, indices = fd.EmbeddingDropout(0.4), table()[:6], [0, 5, 5, 2]
    weight = values(4 * FEATURES, np.dtype("f8"), seed=3).reshape(4, FEATURES)
    numerical = np.empty_like(w)
    for i in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[i] = 1e-6
        up, down = ((weight * layer.forward(v, indices, rng=5) ** 2).sum() for v in (w + step, w - step))
        numerical[i] = (up - down) / 2e-6
    y = layer.forward(w, indices, rng=5)
    np.testing.assert_allclose(layer.backward(2 * weight * y), numerical, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("w", "indices", "error", "message"),
    [
        (table(), [0, WORDS], IndexError, "index 40 is out of bounds for axis 0 with size 40"),
        (table(), [-WORDS - 1], IndexError, "index -41 is out of bounds for axis 0 with size 40"),
        (table(), [1.0], IndexError, "arrays used as indices must be of integer (or boolean) type"),
        (np.ones(4), [0], ValueError, "table must have 2 axes, got 1"),
        (np.ones((4, 2, 3)), [0], ValueError, "table must have 2 axes, got 3"),
        (np.ones((4, 2), int), [0], TypeError, "table must have dtype float16"),
        (np.ma.ones((4, 2)), [0], TypeError, "table must not be a masked array"),
    ],
    ids=["above", "below", "float", "1-d", "3-d", "int", "masked"],
)
def test_a_refused_forward_changes_nothing(w, indices, error, message):
    layer = fd.EmbeddingDropout(0.5, rng=rng())
    with pytest.raises(RuntimeError, match="backward needs a forward before it"):
        layer.backward(np.ones(FEATURES))
    layer(table(), [1, 2])
    mask, dy = layer.mask, np.ones((2, FEATURES))
    dtable = layer.backward(dy)
    with pytest.raises(error, match=rf"\A{re.escape(message)}"):
        layer(w, indices)
    assert layer.mask is mask
    assert layer.rng.counter == 1
    assert_same(layer.backward(dy), dtable)
    with pytest.raises(ValueError, match=re.escape("dy must have the mask's shape (2, 3), got (3,)")):
        layer.backward(dy[0])


def test_sums_that_overflow_do_not_warn():
    layer = fd.EmbeddingDropout(0)
    layer(np.ones((2, 1), "f2"), [0, 0, 1, 1])
    want = np.array([[np.inf], [np.nan]], "f2")
    assert_same(layer.backward(np.array([[6e4], [6e4], [np.inf], [-np.inf]], "f2")), want)
