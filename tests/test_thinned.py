"""fd.ThinnedLinear beside the full product and the same mask in NumPy, its inputs thinned or not."""

import pickle

import numpy as np
import pytest
from conftest import assert_mask, assert_same, kept, rng, to_bits
from test_packed import every_dtype, every_layout

import fastdrop as fd

N, INPUTS, OUTPUTS = 9, 14, 11
USERS = ["list", "byte-swapped", "misaligned"]


def normal(shape, dtype="f8", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def arrays(dtype="f8"):
    """x, w, b, dy."""
    shapes = (N, INPUTS), (INPUTS, OUTPUTS), OUTPUTS, (N, OUTPUTS)
    return [normal(shape, dtype, seed) for seed, shape in enumerate(shapes)]


def misaligned(a):
    a = np.asarray(a)
    return np.frombuffer(b"0" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape)


def full(x, w, b, dy, columns, rows, scale):
    """y, dx, dw, db by the full product, columns and rows the kept ones as bool."""
    factor = np.where(columns, scale, 0).astype(x.dtype) if columns.any() else np.zeros(len(columns), x.dtype)
    x, dz = x * rows, dy * factor
    y = (x @ w + (0 if b is None else b)) * factor
    return y, (dz @ w.T) * rows, x.T @ dz, dz.sum(axis=0)


def assert_close(got, want):
    assert (type(got), got.dtype, got.shape) == (np.ndarray, want.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=0, atol=100 * np.finfo(want.dtype).eps)


def assert_dropped(a, kept):
    """a is +0.0, by its bits, in all columns that are not kept."""
    assert (to_bits(a[:, ~kept]) == 0).all()


# Beside the full product


@every_dtype
@every_layout
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("p", [0, 0.1, 0.5, 1])
def test_the_full_product_under_the_same_mask(p, bias, layout, dtype):
    x, w, b, dy = (layout(a) if a.ndim > 1 else a for a in arrays(dtype))
    b = np.repeat(b, 2)[::2] if bias else None
    layer = fd.ThinnedLinear(w, b, p, rng=rng())
    assert layer.w is w
    assert layer.b is b
    for stream in range(3):
        keep = kept(p, OUTPUTS, stream=stream)
        y, dx, dw, db = full(x, w, b, dy, keep, np.ones(INPUTS, bool), 1 / (1 - p) if p < 1 else 0)
        got = layer.forward(x)
        assert_close(got, y)
        assert_dropped(got, keep)
        assert_mask(layer.mask, keep[None], (N, OUTPUTS))
        np.testing.assert_array_equal(layer.columns, np.flatnonzero(keep))
        np.testing.assert_array_equal(layer.rows, np.arange(INPUTS))
        for _ in range(2):  # each backward overwrites
            assert_close(layer.backward(dy), dx)
            assert_close(layer.dw, dw)
            assert_close(layer.dw_kept, dw[:, keep])
            if bias:
                assert_close(layer.db, db)
                assert_close(layer.db_kept, db[keep])
        assert_dropped(layer.dw, keep)
    if not bias:
        assert layer.db is layer.db_kept is None


def test_the_mask_is_that_of_dropout():
    x, w, b, dy = arrays()
    layer = fd.ThinnedLinear(w, b, 0.4, rng=rng(5))
    y, mask = fd.dropout(x @ w + b, 0.4, rng=rng(5), noise_shape=(1, None))
    got = layer(x)
    assert (layer.mask.p, layer.mask.scale) == (mask.p, mask.scale)
    assert pickle.dumps(layer.mask) == pickle.dumps(mask)
    assert_close(got, y)
    assert_same(layer.mask.apply(dy), mask.apply(dy))
    for r in (3, rng(7), np.random.default_rng(1)):
        mask = fd.dropout(dy, 0.4, rng=pickle.loads(pickle.dumps(r)), noise_shape=(1, None))[1]
        layer.forward(x, rng=r)
        np.testing.assert_array_equal(layer.mask.bits, mask.bits)
    assert layer.rng.counter == 6


def test_the_row_of_an_rng_is_ignored():
    x, w, b, _ = arrays()
    layer = fd.ThinnedLinear(w, b, rng=rng())
    assert_same(layer(x[4:], rng=rng().at_row(4)), layer(x[4:], rng=rng()))
    whole, parts = (
        fd.monte_carlo(lambda x, rng: layer(x, rng=rng), x, 5, rng=1, batch_size=n, keep=True).samples for n in (N, 4)
    )
    assert_close(parts, whole)


@pytest.mark.parametrize("x", [[[1.0, 2.0]], np.array([[1, 2]], ">f8"), misaligned([[1.0, 2.0]])], ids=USERS)
def test_x_as_users_have_it(x):
    layer = fd.ThinnedLinear(normal((2, 3)), p=0)
    assert_close(layer.forward(x), np.array([[1.0, 2.0]]) @ layer.w)
    assert_close(layer.backward(np.ones((1, 3), ">f8")), layer.w.sum(axis=1)[None])


def test_no_rows_and_no_units():
    layer = fd.ThinnedLinear(normal((3, 2)), np.ones(2), rng=rng())
    assert layer.forward(np.ones((0, 3))).shape == (0, 2)
    assert layer.backward(np.ones((0, 2))).shape == (0, 3)
    assert_same(layer.dw, np.zeros((3, 2)))
    for shape in ((0, 2), (3, 0)):
        layer = fd.ThinnedLinear(np.ones(shape), np.ones(shape[1]), p=0)
        assert_same(layer(np.ones((4, shape[0]))), np.ones((4, shape[1])))
        assert_same(layer.backward(np.ones((4, shape[1]))), np.zeros((4, shape[0])))
        layer.sgd_step(0.1)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_what_is_dropped_is_not_multiplied(value):
    x, w, b, dy = arrays()
    columns, rows = kept(0.5, OUTPUTS), np.arange(INPUTS) % 3 > 0
    x[:, ~rows], w[~rows], w[:, ~columns], b[~columns], dy[:, ~columns] = (value,) * 5
    layer = fd.ThinnedLinear(w, b, rng=rng())
    finite = layer.forward(x, x_mask=rows), layer.backward(dy), layer.dw, layer.db
    assert all(np.isfinite(a).all() for a in finite)


def test_zero_inputs_leak_no_gradient():
    _, w, b, dy = arrays()
    layer = fd.ThinnedLinear(w, b, rng=rng())
    layer.forward(np.zeros((N, INPUTS)))
    layer.backward(np.ones_like(dy))
    assert_same(layer.db, np.where(kept(0.5, OUTPUTS), 2.0 * N, 0.0))


# x_mask


def unit_masks():
    """The same inputs kept, said in each way there is."""
    keep = np.arange(INPUTS) % 3 > 0
    units, recipe = (fd.UnitDropout(0.5, rng=rng(), store=store) for store in ("bits", "recipe"))
    for layer in (units, recipe):
        layer(np.ones((N, INPUTS)))
    return {
        "bool": (keep, keep),
        "strided": (np.repeat(keep, 2)[::2], keep),
        "flat-mask": (fd.Mask.from_bool(keep, 0.5), keep),
        "one-row": (fd.Mask.from_bool(keep[None], 0.5), keep),
        "units": (units.mask, kept(0.5, INPUTS)),
        "recipe": (recipe.mask, kept(0.5, INPUTS)),
        "none": (~keep & keep, ~keep & keep),
        "all": (np.ones(INPUTS, bool), np.ones(INPUTS, bool)),
    }


@every_dtype
@every_layout
@pytest.mark.parametrize(("x_mask", "rows"), unit_masks().values(), ids=unit_masks())
def test_x_mask(x_mask, rows, layout, dtype):
    x, w, b, dy = (layout(a) if a.ndim > 1 else a for a in arrays(dtype))
    layer = fd.ThinnedLinear(w, b, 0.5, rng=rng())
    keep = kept(0.5, OUTPUTS)
    y, dx, dw, db = full(x, w, b, dy, keep, rows, 2)
    assert_close(layer.forward(x, x_mask=x_mask), y)
    got = layer.backward(dy)
    assert_close(got, dx)
    assert_dropped(got, rows)
    assert_close(layer.dw, dw)
    assert_close(layer.db, db)
    assert layer.dw_kept.shape == (len(layer.rows), len(layer.columns))
    np.testing.assert_array_equal(layer.rows, np.flatnonzero(rows))
    assert (to_bits(layer.dw[~rows]) == 0).all()
