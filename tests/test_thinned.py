"""fd.ThinnedLinear beside the full product and the same mask in NumPy; chains; the step; evaluation; refusals."""

import json
import pickle
import re

import numpy as np
import pytest
from conftest import assert_mask, assert_same, kept, rng, to_bits
from test_gather import every_dtype, every_layout

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


# x_mask, chains


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


def three_layers():
    sizes, rates = (5, 8, 7, 3), (0.4, 0.5, 0)
    return [
        fd.ThinnedLinear(normal((i, o), seed=i), normal(o, seed=o), p)
        for i, o, p in zip(sizes[:-1], sizes[1:], rates, strict=True)
    ]


def hidden(x, layers):
    """x and the output of each ReLU layer; each draws the same mask every time, and tells the next."""
    outputs, x_mask = [x], None
    for number, layer in enumerate(layers):
        outputs.append(np.maximum(layer.forward(outputs[-1], x_mask, rng=number + 4), 0))
        x_mask = layer.mask
    return outputs


def test_the_numerical_gradient_of_a_chain():
    layers, x, weight = three_layers(), normal((6, 5), seed=1), normal((6, 3), seed=2)
    dx = weight
    for layer, h in zip(layers[::-1], hidden(x, layers)[:0:-1], strict=True):
        dx = layer.backward(dx * (h > 0))
    gradients = [(x, dx), *((a, d) for layer in layers for a, d in ((layer.w, layer.dw), (layer.b, layer.db)))]
    assert [(len(layer.rows), len(layer.columns)) for layer in layers] == [(5, 7), (7, 2), (2, 3)]
    for array, gradient in gradients:
        assert (gradient != 0).any()
        numerical = np.empty_like(array)
        for i in np.ndindex(array.shape):
            before, sides = array[i], []
            for step in (1e-6, -1e-6):
                array[i] = before + step
                sides.append((weight * hidden(x, layers)[-1]).sum())
            array[i] = before
            numerical[i] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient, numerical, rtol=1e-5, atol=1e-8)


# The step


@every_dtype
@every_layout
@pytest.mark.parametrize("lr", [0.1, np.float64(0.3), np.float32(0.7), 1], ids=repr)
def test_sgd_step_is_that_of_numpy(lr, layout, dtype):
    x, w, b, dy = arrays(dtype)
    w, b, rows = layout(w), np.repeat(b, 2)[::2], np.arange(INPUTS) % 3 > 0
    layer = fd.ThinnedLinear(w, b, 0.5, rng=rng())
    layer.forward(x, x_mask=rows)
    layer.backward(dy)
    want, want_b, part, columns = w.copy(), b.copy(), np.ix_(layer.rows, layer.columns), layer.columns
    for _ in range(2):
        want[part] -= dtype.type(lr) * layer.dw_kept
        want_b[columns] -= dtype.type(lr) * layer.db_kept
        layer.sgd_step(lr)
        assert_same(np.array(w), want)
        assert_same(np.array(b), want_b)
    assert layer.w is w


@pytest.mark.parametrize("value", [np.nan, -0.0, 1e-310])
def test_dropped_weights_keep_their_bits(value):
    x, w, b, dy = arrays()
    columns, rows = kept(0.5, OUTPUTS), np.arange(INPUTS) % 3 > 0
    w[~rows], w[:, ~columns], b[~columns] = (value,) * 3
    layer = fd.ThinnedLinear(w, b, rng=rng())
    layer.forward(x, x_mask=rows)
    layer.backward(dy)
    before, before_b = to_bits(w).reshape(w.shape), to_bits(b)
    layer.sgd_step(0.5)
    same = to_bits(w).reshape(w.shape) == before
    np.testing.assert_array_equal(same, ~(rows[:, None] & columns))
    np.testing.assert_array_equal(to_bits(b) == before_b, ~columns)


def test_training_learns():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((256, 4))
    target = np.abs(x).sum(axis=1, keepdims=True)
    first = fd.ThinnedLinear(generator.standard_normal((4, 128)) / 2, np.zeros(128), 0.2, rng=1)
    second = fd.ThinnedLinear(generator.standard_normal((128, 1)) / 12, np.zeros(1), 0)
    for _ in range(300):
        h = np.maximum(first(x), 0)
        dy = (second(h, first.mask) - target) / len(x)
        first.backward(second.backward(dy) * (h > 0))
        first.sgd_step(0.05)
        second.sgd_step(0.05)
    y = second.eval()(np.maximum(first.eval()(x), 0))
    assert np.square(y - target).mean() < 0.2 * target.var()


# Evaluation, state


@pytest.mark.parametrize("x_mask", [None, np.arange(INPUTS) % 3 > 0], ids=["", "x_mask"])
def test_eval_is_the_full_product(x_mask):
    x, w, b, dy = arrays()
    layer = fd.ThinnedLinear(w, b, rng=rng())
    layer.forward(x)
    assert layer.eval() is layer
    y, dx, dw, db = full(x, w, b, dy, np.ones(OUTPUTS, bool), np.ones(INPUTS, bool), 1)
    assert_close(layer.forward(x, x_mask=x_mask), y)
    assert layer.mask is None
    assert (layer.rng.counter, len(layer.rows), len(layer.columns)) == (1, INPUTS, OUTPUTS)
    assert_close(layer.train().backward(dy), dx)  # of the last forward
    assert_close(layer.dw, dw)
    assert_close(layer.db, db)
    before = w.copy()
    layer.sgd_step(0.1)
    assert_same(w, before - 0.1 * layer.dw_kept)


def test_p_may_be_set_between_steps():
    x, w, b, _ = arrays()
    layer = fd.ThinnedLinear(w, b, 0.3, rng=rng())
    assert repr(layer) == "ThinnedLinear(p=0.3)"
    for stream, p in enumerate([0.3, 0.5, np.float32(0.1), 0, 1]):
        layer.p = p
        layer(x)
        np.testing.assert_array_equal(layer.columns, np.flatnonzero(kept(float(p), OUTPUTS, stream=stream)))


@pytest.mark.parametrize("trip", [lambda s: json.loads(json.dumps(s)), dict], ids=["json", "dict"])
def test_a_resumed_run_draws_on(trip):
    x, w, b, dy = arrays()
    layer, resumed = fd.ThinnedLinear(w, b, 0.3, rng=rng()), fd.ThinnedLinear(w.copy(), b.copy(), rng=1).eval()
    layer(x)
    state = layer.state_dict()
    assert state == layer.rng.state | {"p": 0.3, "training": True}
    resumed.load_state_dict(trip(state))
    for _ in range(3):
        for each in (layer, resumed):
            each(x)
            each.backward(dy)
            each.sgd_step(0.1)
        assert_same(resumed.w, layer.w)
        assert_same(resumed.b, layer.b)


def test_pickles_between_forward_and_step():
    x, w, b, dy = arrays()
    layer = fd.ThinnedLinear(w, b, 0.3, rng=rng())
    for act in (lambda a: a.forward(x), lambda a: a.backward(dy), lambda a: a.sgd_step(0.1), lambda a: a.forward(x)):
        copy = pickle.loads(pickle.dumps(layer))
        for each in (layer, copy):
            act(each)
        assert_same(copy.w, layer.w)
        assert copy.state_dict() == layer.state_dict()
    assert_same(copy.backward(dy), layer.backward(dy))


# Refusals


def scene():
    """A layer after a step in training mode, with a shared rng."""
    layer = fd.ThinnedLinear(*arrays()[1:3], 0.5, rng=rng())
    layer(arrays()[0])
    layer.backward(arrays()[3])
    return layer


X, W, B, DY = arrays()
ONES = np.ones((2, 2))
ELEMENTWISE = fd.dropout(X, 0.5, rng=0)[1]
BY_ROWS = fd.dropout(np.ones((INPUTS, INPUTS)), 0.5, rng=0, noise_shape=(None, 1))[1]
W_DTYPE = "w must have dtype float32 or float64, got {}: cast it first, as in w.astype(numpy.float32)"
X_DTYPE = "x must have dtype float16, bfloat16, float32, float64, complex64 or complex128, got int64: <any>"
MASKED = "{0} must not be a masked array, whose mask would be lost: pass {0}.filled(0)"
B_SHAPE = "b must have shape (11,), an entry for each column of w, got {}"
X_SHAPE = "x must have shape (n, 14), a column for each row of w, got {}"
X_MASK = "x_mask must be a fastdrop.Mask or a bool array, got {}"
X_MASK_SHAPE = "x_mask must have shape (14,), an entry for each row of w, got {}"
UNIT = "x_mask must be a unit mask, the same for every row of x, got {}"


def make(w=W, b=None, **options):
    return lambda _: fd.ThinnedLinear(w, b, **options)


REFUSED = {
    "w-list": (make([[1.0]]), TypeError, "w must be a numpy.ndarray, got list"),
    "w-int": (make(ONES.astype(int)), TypeError, W_DTYPE.format("int64")),
    "w-half": (make(ONES.astype("f2")), TypeError, W_DTYPE.format("float16")),
    "w-complex": (make(ONES.astype("c8")), TypeError, W_DTYPE.format("complex64")),
    "w-masked": (make(np.ma.masked_array(W)), TypeError, MASKED.format("w")),
    "w-1d": (make(np.ones(3)), ValueError, "w must have shape (inputs, outputs), got (3,)"),
    "w-swapped": (make(ONES.astype(">f8")), ValueError, "w must be in native byte order and aligned, got >f8"),
    "w-misaligned": (make(misaligned(W)), ValueError, "w must be in native byte order and aligned, got <f8"),
    "b-list": (make(b=[1.0]), TypeError, "b must be a numpy.ndarray or None, got list"),
    "b-masked": (make(b=np.ma.masked_array(B)), TypeError, MASKED.format("b")),
    "b-dtype": (make(b=B.astype("f4")), TypeError, "b must have w's dtype float64, got float32"),
    "b-long": (make(b=np.ones(12)), ValueError, B_SHAPE.format("(12,)")),
    "b-2d": (make(b=B[None]), ValueError, B_SHAPE.format("(1, 11)")),
    "p-array": (make(p=np.ones(11)), TypeError, "p must be a real number, got ndarray"),
    "p-high": (make(p=1.5), ValueError, "p must be between 0 and 1, got 1.5"),
    "p-set": (lambda s: setattr(s, "p", np.ones(11)), TypeError, "p must be a real number, got ndarray"),
    "x-int": (lambda s: s(X.astype(int)), TypeError, X_DTYPE),
    "x-dtype": (lambda s: s(X.astype("f4")), TypeError, "x must have w's dtype float64, got float32"),
    "x-masked": (lambda s: s(np.ma.masked_array(X)), TypeError, MASKED.format("x")),
    "x-columns": (lambda s: s(X[:, 1:]), ValueError, X_SHAPE.format("(9, 13)")),
    "x-1d": (lambda s: s(X[0]), ValueError, X_SHAPE.format("(14,)")),
    "rng": (lambda s: s(X, rng="a"), TypeError, "rng must be an Rng, <any>, got str"),
    "x_mask-list": (lambda s: s(X, [True] * 14), TypeError, X_MASK.format("list")),
    "x_mask-int": (lambda s: s(X, np.arange(14)), TypeError, X_MASK.format("int64")),
    "x_mask-short": (lambda s: s(X, np.ones(13, bool)), ValueError, X_MASK_SHAPE.format("(13,)")),
    "x_mask-2d": (lambda s: s(X, np.ones((9, 14), bool)), ValueError, X_MASK_SHAPE.format("(9, 14)")),
    "x_mask-own": (lambda s: s(X, s.mask), ValueError, X_MASK_SHAPE.format("(11,)")),
    "x_mask-0d": (lambda s: s(X, fd.dropout(1.0, rng=0)[1]), ValueError, UNIT.format("<any>")),
    "x_mask-elements": (lambda s: s(X, ELEMENTWISE), ValueError, UNIT.format(ELEMENTWISE)),
    "x_mask-by-rows": (lambda s: s(X, BY_ROWS), ValueError, UNIT.format(BY_ROWS)),
    "dy-shape": (lambda s: s.backward(DY[1:]), ValueError, "dy must have the output's shape (9, 11), got (8, 11)"),
    "dy-dtype": (lambda s: s.backward(DY.astype("f4")), TypeError, "dy must have w's dtype float64, got float32"),
    "lr": (lambda s: s.sgd_step("0.1"), TypeError, "lr must be a real number, got str"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_changes_nothing(call, error, message):
    layer = scene()
    before, mask, dw = pickle.dumps(layer), layer.mask, layer.dw_kept
    with pytest.raises(error, match=rf"\A{re.escape(message).replace('<any>', '.*')}\Z"):
        call(layer)
    assert pickle.dumps(layer) == before
    assert layer.mask is mask
    assert layer.dw_kept is dw


ORDER = {
    "backward": lambda s: s.backward(DY),
    "sgd_step": lambda s: s.sgd_step(0.1),
    "dw": lambda s: s.dw,
    "db": lambda s: s.db,
}


@pytest.mark.parametrize("name", ORDER)
def test_the_order_of_calls(name):
    layer, needs = fd.ThinnedLinear(*arrays()[1:3]), "forward" if name == "backward" else "backward"
    message = re.escape(f"{name} needs a {needs} before it")
    with pytest.raises(RuntimeError, match=message):
        ORDER[name](layer)
    assert layer.dw_kept is layer.db_kept is layer.rows is layer.columns is layer.mask is None
    if needs == "backward":  # and after every forward
        layer = scene()
        layer(X)
        with pytest.raises(RuntimeError, match=message):
            ORDER[name](layer)


@pytest.mark.parametrize("name", ["w", "b"])
def test_a_step_on_what_is_read_only(name):
    layer = scene()
    getattr(layer, name).flags.writeable = False
    before = pickle.dumps(layer)
    with pytest.raises(ValueError, match=re.escape(f"{name} must be writable, got a read-only array")):
        layer.sgd_step(0.1)
    assert pickle.dumps(layer) == before


REPLACED = {
    "w-smaller": ("w", np.ones((2, 11)), IndexError),
    "w-dtype": ("w", np.ones((14, 11), "f4"), ValueError),
    "dw-shape": ("dw_kept", np.ones((1, 1)), ValueError),
    "dw-dtype": ("dw_kept", np.ones((14, 11), "f4"), ValueError),
    "columns": ("columns", np.arange(-1, 3), IndexError),
    "rows": ("rows", [0.5] * 14, TypeError),
}


@pytest.mark.parametrize(("name", "value", "error"), REPLACED.values(), ids=REPLACED)
def test_a_step_after_parts_were_replaced_stays_in_bounds(name, value, error):
    layer = scene()
    layer.b = None
    setattr(layer, name, value)
    before = layer.w.copy()
    with pytest.raises(error):
        layer.sgd_step(0.1)
    assert_same(layer.w, before)
