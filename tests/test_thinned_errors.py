"""What fd.ThinnedLinear refuses, and that a refusal changes nothing."""

import pickle
import re

import numpy as np
import pytest
from conftest import assert_same, rng
from test_thinned import INPUTS, arrays, misaligned

import fastdrop as fd


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
