"""Bad input to an array p, alpha_dropout, bias_dropout_residual and mc_dropout: nothing is written, nothing drawn.

A case is (error, message, call), the call of a buffer of ones, the first six of them x as (2, 3), and of an rng;
<any> in a message stands for what is left open.
"""

import math
import re
from functools import partial

import numpy as np
import pytest
from conftest import rng
from numpy.lib.stride_tricks import as_strided

import fastdrop as fd


def ones(*shape, dtype="f4"):
    return np.ones(shape, dtype)


def part(start, *shape):
    """An argument that is a part of the buffer."""
    return lambda b: b[start : start + math.prod(shape)].reshape(shape)


def call(function, **given):
    """A call of a buffer and an rng; arguments that are functions are of the buffer."""
    return lambda b, r: function(**{"rng": r} | {k: v(b) if callable(v) else v for k, v in given.items()})


def fused_backward(rng, **kwargs):
    return fd.bias_dropout_residual_backward(**kwargs)


X = part(0, 2, 3)
ANOTHER = "mask must come from bias_dropout_residual, got another function's"
MASK = lambda b: fd.bias_dropout_residual(ones(2, 3), None, None, rng=1)[1]  # noqa: E731
BIASED = lambda b: fd.bias_dropout_residual(ones(2, 3), ones(3), None, rng=1)[1]  # noqa: E731
drop = partial(call, fd.dropout, x=X, p=0.5, out=X)
draw = partial(call, fd.bernoulli, shape=(2, 3), p=0.5)
alpha = partial(call, fd.alpha_dropout, x=X, p=0.5, out=X)
fused = partial(call, fd.bias_dropout_residual, x=X, bias=ones(3), residual=ones(2, 3), p=0.5, out=X)
back = partial(call, fused_backward, dy=X, mask=MASK, out=X)
mc = partial(call, fd.mc_dropout, x=X, p=0.5, samples=3)

NUMBER, RANGE = "p must be a real number, got {}", "p must be between 0 and 1, got {}"
MASKED = "{0} must not be a masked array, whose mask would be lost: pass {0}.filled(0)"
NO_FLOATS = "{0} must have dtype <any>, got int64: cast it first, as in {0}.astype(numpy.float32)"
OVERLAP = "out must be {} itself or memory apart from it, got a partial overlap"


def check(error, message, call):
    buffer, r = ones(40), rng(5)
    with pytest.raises(error, match=rf"\A{re.escape(message).replace('<any>', '.*')}\Z"):
        call(buffer, r)
    assert (buffer == 1).all()
    assert r.counter == 5


def name(v):
    return getattr(v, "__name__", " ".join(str(v).split())[:50])


def cases(rows):
    ids = [f"{i}-{message[:60]}" for i, (_, message, _) in enumerate(rows)]
    return pytest.mark.parametrize(("error", "message", "call"), rows, ids=ids)


@pytest.mark.parametrize("take", [drop, partial(drop, store="recipe"), draw], ids=["dropout", "recipe", "bernoulli"])
@pytest.mark.parametrize(
    ("error", "message", "p"),
    [
        *((ValueError, RANGE.format(v), [0.5, v, 0.5]) for v in (np.nan, -0.25, 1.5, np.inf, -5e-324, 1 + 2**-52)),
        (ValueError, RANGE.format("<any>"), np.full((2, 3), 2)),
        (ValueError, RANGE.format(1.5), [0.5, 0.5, 1.5]),
        *(
            (ValueError, f"p must broadcast to the noise shape (2, 3), got {s}", np.full(s, 0.5))
            for s in ((4,), (3, 1), (1, 2, 3), (0,), (2, 0))
        ),
        *(
            (TypeError, f"p must be real numbers, got {np.asarray(p).dtype}", p)
            for p in (
                *(np.array([1, 0, 1], t) for t in ("?", "O", "c8", "c16", "U1", "S1", "m8[s]")),
                *([True] * 3, [None] * 3, ["0.5"] * 3, [0.5, 1j, 0]),
            )
        ),
    ],
    ids=name,
)
def test_array_p(take, error, message, p):
    check(error, message, take(p=p))


@cases(
    [
        (ValueError, "p must broadcast to the noise shape (), got (1,)", drop(x=ones(), p=[0.5], out=None)),
        (ValueError, "p must broadcast to the noise shape (), got (1,)", draw(shape=(), p=[0.5])),
        (ValueError, "p must broadcast to the noise shape (2, 1), got (3,)", drop(p=[0.5] * 3, noise_shape=(None, 1))),
    ]
)
def test_nothing_for_p_to_broadcast_to(error, message, call):
    check(error, message, call)


@pytest.mark.parametrize("take", [drop, draw, alpha, fused, mc], ids=["dropout", "bernoulli", "alpha", "fused", "mc"])
@pytest.mark.parametrize(
    "p", [np.array(True), np.array(0.5, object), np.array("0.5"), np.array(1j), np.complex64(0.5)], ids=repr
)
def test_a_0d_array_is_a_number_of_its_kind(take, p):
    check(TypeError, NUMBER.format("<any>"), take(p=p))


TAKE_P = {"alpha": alpha, "fused": fused, "mc": mc}


@pytest.mark.parametrize("take", TAKE_P)
@pytest.mark.parametrize(
    ("error", "message", "p"),
    [
        *((TypeError, NUMBER.format(type(p).__name__), p) for p in (None, "0.5", True)),
        *((ValueError, RANGE.format(p), p) for p in (1.5, -0.5, np.nan)),
    ],
    ids=name,
)
def test_p(take, error, message, p):
    check(error, message, TAKE_P[take](p=p))


@pytest.mark.parametrize("p", [np.full(3, 0.5), [0.5]], ids=name)
@pytest.mark.parametrize(
    ("take", "why"), [("fused", ""), ("alpha", ": alpha dropout's mean and variance are those of one p")]
)
def test_p_where_no_array_is_taken(take, why, p):
    check(TypeError, NUMBER.format(type(p).__name__) + why, TAKE_P[take](p=p))


REAL = "x must have a real dtype, got {}: alpha dropout has no complex form"


@cases(
    [
        (TypeError, REAL.format("complex64"), alpha(x=ones(2, 3, dtype="c8"), out=None)),
        (TypeError, REAL.format("complex128"), alpha(x=ones(2, 3, dtype="c16"), out=None, p=0)),
        (TypeError, NO_FLOATS.format("x"), alpha(x=ones(2, 3, dtype="i8"), out=None)),
        (TypeError, MASKED.format("x"), alpha(x=np.ma.array(ones(2, 3)), out=None)),
        (ValueError, "out must have shape (2, 3), got (1, 3)", alpha(out=part(0, 1, 3))),
        (ValueError, OVERLAP.format("x"), alpha(out=part(1, 2, 3))),
        (ValueError, "noise_shape must broadcast to x's shape (2, 3), got (2,)", alpha(noise_shape=(2,))),
        (ValueError, "offset must be at least 0, got -1", alpha(offset=-1)),
        (ValueError, "store must be 'bits' or 'recipe', got 'foo'", alpha(store="foo")),
        (TypeError, "rng must be an Rng<any>", alpha(rng="abc")),
    ]
)
def test_alpha_dropout(error, message, call):
    check(error, message, call)


@cases(
    [
        *((ValueError, f"bias must have shape (3,), got {s}", fused(bias=ones(*s))) for s in [(2,), (1,), (1, 3), ()]),
        *(
            (ValueError, f"residual must have shape (2, 3), got {s}", fused(residual=ones(*s)))
            for s in [(3,), (2, 1), (1, 2, 3), ()]
        ),
        (ValueError, "bias must have dtype float32, got float64", fused(bias=ones(3, dtype="f8"))),
        (ValueError, "residual must have dtype float32, got float16", fused(residual=ones(2, 3, dtype="f2"))),
        (TypeError, MASKED.format("bias"), fused(bias=np.ma.array(ones(3)))),
        (TypeError, MASKED.format("residual"), fused(residual=np.ma.array(ones(2, 3)))),
        (
            ValueError,
            "x must have an axis for a bias, got a 0-d array",
            fused(x=ones(), bias=ones(1), residual=None, out=None),
        ),
        (TypeError, NO_FLOATS.format("x"), fused(x=ones(2, 3, dtype="i8"), out=None)),
        (TypeError, "out must be a numpy.ndarray, got list", fused(out=[1.0])),
        (ValueError, "out must have shape (2, 3), got (1, 3)", fused(out=part(0, 1, 3))),
        (ValueError, "out must have dtype float32, got float64", fused(out=ones(2, 3, dtype="f8"))),
        (ValueError, OVERLAP.format("x"), fused(out=part(1, 2, 3))),
        (ValueError, "out must be <any>", fused(residual=part(20, 2, 3), out=part(21, 2, 3))),
        (ValueError, "out must be <any>", fused(residual=part(4, 2, 3))),
        (ValueError, "out must be apart from bias, got an overlap", fused(bias=part(2, 3))),
        (ValueError, "out must be apart from bias, got an overlap", fused(bias=part(20, 3), out=part(20, 2, 3))),
        (ValueError, "store must be 'bits' or 'recipe', got 'foo'", fused(store="foo")),
        (TypeError, "rng must be an Rng<any>", fused(rng="abc")),
    ]
)
def test_bias_dropout_residual(error, message, call):
    check(error, message, call)


@cases(
    [
        (TypeError, "mask must be a fastdrop.Mask, got ndarray", back(mask=ones(2, 3) > 0)),
        (ValueError, ANOTHER, back(mask=lambda b: fd.dropout(ones(2, 3), rng=1)[1])),
        (ValueError, ANOTHER, back(mask=lambda b: fd.alpha_dropout(ones(2, 3), rng=1)[1])),
        (ValueError, ANOTHER, back(mask=fd.Mask.from_bool(ones(2, 3) > 0, 0.5))),
        (ValueError, "dy must have the mask's shape (2, 3), got (1, 3)", back(dy=part(0, 1, 3), out=None)),
        (ValueError, "dy must have the mask's shape (2, 3), got (4, 3)", back(dy=part(0, 4, 3), mask=BIASED, out=None)),
        (TypeError, NO_FLOATS.format("dy"), back(dy=ones(2, 3, dtype="i8"), out=None)),
        (TypeError, MASKED.format("dy"), back(dy=np.ma.array(ones(2, 3)), out=None)),
        (ValueError, "out must have shape (2, 3), got (1, 3)", back(out=part(0, 1, 3))),
        (ValueError, OVERLAP.format("dy"), back(out=part(1, 2, 3))),
    ]
)
def test_bias_dropout_residual_backward(error, message, call):
    check(error, message, call)


@cases(
    [
        *((TypeError, f"samples must be an int, got {type(n).__name__}", mc(samples=n)) for n in (3.0, None, "3")),
        *((ValueError, f"samples must be at least 1, got {n}", mc(samples=n)) for n in (0, -1)),
        (TypeError, NO_FLOATS.format("x"), mc(x=ones(2, 3, dtype="i8"))),
        (TypeError, MASKED.format("x"), mc(x=np.ma.array(ones(2, 3)))),
        (TypeError, "out must be a numpy.ndarray, got list", mc(out=[1.0])),
        (ValueError, "out must have shape (3, 2, 3), got (2, 2, 3)", mc(out=part(6, 2, 2, 3))),
        (ValueError, "out must have shape (3, 2, 3), got (2, 3)", mc(out=part(6, 2, 3))),
        (ValueError, "out must have dtype float32, got float64", mc(out=ones(3, 2, 3, dtype="f8"))),
        (
            ValueError,
            "out must not overlap itself, got strides (0, 12, 4)",
            mc(out=lambda b: as_strided(b[6:], (3, 2, 3), (0, 12, 4))),
        ),
        *((ValueError, "out must <any>", mc(out=part(start, 3, 2, 3))) for start in (0, 3)),
        (ValueError, "out must be apart from x, got an overlap", mc(samples=1, out=part(0, 1, 2, 3))),
        (TypeError, "rng must be an Rng<any>", mc(rng="abc")),
        (ValueError, "a seed must be non-negative, got -1", mc(rng=-1)),
        (ValueError, "an rng at a row needs an x with an axis, got a 0-d array", mc(x=ones(), rng=rng().at_row(2))),
    ]
)
def test_mc_dropout(error, message, call):
    check(error, message, call)


@pytest.mark.parametrize("take", TAKE_P)
def test_a_refused_call_does_not_advance_a_generator(take):
    g, twin = np.random.default_rng(1), np.random.default_rng(1)
    for bad in ({"p": 2}, {"out": ones(4)}, {"x": np.arange(3)}):
        with pytest.raises((TypeError, ValueError), match="must"):
            TAKE_P[take](rng=g, **bad)(ones(40), None)
    assert g.bit_generator.state == twin.bit_generator.state
