"""Bad input: the text of each error, and that nothing was written and nothing drawn.

A case is (call, error, message). The call takes a scene; <any> in a message stands for what is left open.
"""

import array
import collections
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import fastdrop as fd

SWAPPED = np.dtype("f4").newbyteorder()


def scene():
    """Arrays, most of three float32, and what draws: a call uses them by name and may change none of them."""
    s = SimpleNamespace(x=np.arange(1, 4, dtype="f4"), buffer=np.arange(12, dtype="f4"), list=[1.0, 2.0, 3.0])
    s.x4, s.f8, s.i8, s.swapped, s.readonly = (np.ones(n, t) for n, t in zip((4, 3, 3, 3, 3), "fdqff", strict=True))
    s.swapped = s.swapped.astype(SWAPPED)
    s.readonly.flags.writeable = False
    s.i4 = np.ones(3, "i4")
    s.misaligned = np.zeros(13, "u1")[1:].view("f4")
    s.repeated = as_strided(s.buffer, (3,), (0,))
    s.table, s.tall, s.empty, s.scalar = (np.ones(shape, "f4") for shape in ((3, 4), (10, 2), (0, 4), ()))
    s.rng, s.generator = fd.Rng(5), np.random.default_rng(3)
    s.row = s.rng.at_row(2)
    s.mask = fd.Mask.from_bool(np.array([True, False, True]), 0.5)
    s.layer = fd.Dropout(0.5, rng=s.rng)
    s.layer.forward(s.x)
    return s


def snapshot(s):
    arrays = {name: a.tobytes() for name, a in vars(s).items() if isinstance(a, np.ndarray)}
    return arrays, s.rng.state, s.row.state, s.generator.bit_generator.state, id(s.layer.mask), fd.get_num_threads()


def check(call, error, message):
    s = scene()
    before = snapshot(s)
    with pytest.raises(error, match=rf"\A{re.escape(message).replace('<any>', '.*')}\Z"):
        call(s)
    assert snapshot(s) == before


def drop(x="x", out=None, rng="rng", **kwargs):
    """A call of dropout, in place where no out is named."""
    return lambda s: fd.dropout(getattr(s, x), out=getattr(s, out or x), rng=getattr(s, rng), **kwargs)


def cases(*rows):
    """Parametrises a test by rows of (error, message with {}, *(call, what came))."""
    flat = [(call, error, text.format(*got)) for error, text, *ways in rows for call, *got in ways]
    return pytest.mark.parametrize(("call", "error", "message"), [pytest.param(*c, id=c[2][:99]) for c in flat])


# p, x


def set_p(s, p):
    s.layer.p = p
    s.layer.forward(s.x)


TAKE_P = {
    "dropout": lambda s, p: fd.dropout(s.x, p, rng=s.rng, out=s.x),
    "bernoulli": lambda s, p: fd.bernoulli(3, p, rng=s.rng),
    "Dropout": lambda s, p: fd.Dropout(p, rng=s.rng),
    "layer.p": set_p,
    "from_bool": lambda s, p: fd.Mask.from_bool(np.ones(3, bool), p, scale=1.0),
    "from_bits": lambda s, p: fd.Mask.from_bits(np.ones(1, "u1"), (1,), p, scale=1.0),
}


@pytest.mark.parametrize("take", TAKE_P)
@pytest.mark.parametrize("p", [1.5, -0.5, 2, -1, 1 + 2**-52, float("nan"), float("inf"), -5e-324])
def test_p_out_of_range(take, p):
    check(lambda s: TAKE_P[take](s, p), ValueError, f"p must be between 0 and 1, got {p}")


@pytest.mark.parametrize("take", TAKE_P)
@pytest.mark.parametrize("p", ["0.5", b"1", None, True, 1j], ids=repr)
def test_p_no_number(take, p):
    check(lambda s: TAKE_P[take](s, p), TypeError, f"p must be a real number, got {type(p).__name__}")


@pytest.mark.parametrize("take", ["from_bool", "from_bits"])
@pytest.mark.parametrize("p", [[0.5], np.array([0.5]), np.zeros(0)], ids=repr)
def test_p_no_number_where_no_array_is_taken(take, p):
    check(lambda s: TAKE_P[take](s, p), TypeError, f"p must be a real number, got {type(p).__name__}")


@pytest.mark.parametrize("take", TAKE_P)
@pytest.mark.parametrize("p", [np.ma.masked, np.ma.array(0.5)], ids=["masked", "0-d"])
def test_p_masked(take, p):
    message = "p must not be a masked array, whose mask would be lost: pass p.filled(0)"
    check(lambda s: TAKE_P[take](s, p), TypeError, message)


TAKE_X = {
    "dropout": lambda s, x: fd.dropout(x, rng=s.rng),
    "in-place": lambda s, x: fd.dropout(x, rng=s.rng, out=x),
    "p-1": lambda s, x: fd.dropout(x, 1, rng=s.rng),
    "layer": lambda s, x: s.layer.forward(x),
    "apply": lambda s, x: s.mask.apply(x),
    "backward": lambda s, x: fd.dropout_backward(x, s.mask),
}


NAMES = ["bool", "int8", "uint64", "int64", "object"]  # the other dtypes go by several names


TYPES = "float16, bfloat16, float32, float64, complex64 or complex128"


def no_float(take, got):
    """The message about a dtype, in the words of each function."""
    text = f"x must have dtype {TYPES}, got {got}: cast it first, as in x.astype(numpy.float32)"
    return text.replace("x ", "dy ", 1).replace(" x.", " dy.") if take == "backward" else text


@pytest.mark.parametrize("take", TAKE_X)
@pytest.mark.parametrize("dtype", [*NAMES, "U1", "S1", "M8[D]", "m8[s]", "V4", "g", "G"])
@pytest.mark.parametrize("n", [3, 0])
def test_dtype(take, dtype, n):
    x = np.zeros(n, dtype)
    if x.dtype in ("f8", "c16"):
        pytest.skip("longdouble is float64 here")
    if n == 0 and take in ("apply", "backward"):
        pytest.skip("the mask has three elements")
    check(lambda s: TAKE_X[take](s, x), TypeError, no_float(take, dtype if dtype in NAMES else "<any>"))


@pytest.mark.parametrize("take", TAKE_X)
@pytest.mark.parametrize(
    "x", [3, [1, 2], (True,), "abc", b"abc", None, [None, 1.0], {"a": 1.0}, {1.0}, object], ids=repr
)
def test_no_array_of_floats(take, x):
    """What has no astype is not told to use it, and gets no advice where no cast can help."""
    if take == "in-place":
        pytest.skip("out is no array")
    name, dtype = "dy" if take == "backward" else "x", np.asarray(x).dtype
    advice = f": cast it first, as in numpy.asarray({name}, numpy.float32)" if dtype.kind in "bi" else ""
    message = f"{name} must have dtype {TYPES}, got {type(x).__name__} of dtype {dtype}{advice}"
    check(lambda s: TAKE_X[take](s, x), TypeError, message)


class Sparse:
    """As SciPy's matrices are: not an array for NumPy, though they have a dtype and a cast."""

    dtype, nnz, format = np.dtype("f4"), 1, "csr"

    def astype(self, dtype):
        return self


@pytest.mark.parametrize("take", ["dropout", "p-1", "layer", "apply", "backward"])
@pytest.mark.parametrize(("format", "values"), [("csr", "data"), ("lil", "tocsr().data")])
def test_sparse_matrix(take, format, values):
    x, name = Sparse(), "dy" if take == "backward" else "x"
    x.format = format
    message = f"{name} must be a dense array, got Sparse: pass the values that it stores, as in {name}.{values}"
    check(lambda s: TAKE_X[take](s, x), TypeError, message)


def test_scipy_sparse_matrix():
    sparse = pytest.importorskip("scipy.sparse")
    for make in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array, sparse.lil_matrix, sparse.dok_matrix):
        with pytest.raises(TypeError, match="x must be a dense array"):
            fd.dropout(make(np.eye(3)), rng=0)
    assert fd.dropout(sparse.lil_matrix(np.eye(3)).tocsr().data, 0)[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("take", TAKE_X)
def test_masked_array(take):
    name = "dy" if take == "backward" else "x"
    message = f"{name} must not be a masked array, whose mask would be lost: pass {name}.filled(0)"
    check(lambda s: TAKE_X[take](s, np.ma.array(s.x)), TypeError, message)


NESTED = {
    "list": lambda m: [m, m],
    "tuple": lambda m: (m, m),
    "mixed": lambda m: [[1.0, 2.0, 3.0], m],
    "deep": lambda m: [([m],), ([m],)],
    "deque": lambda m: collections.deque([m, m]),
    "element": lambda m: [1.0, np.ma.masked],
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("take", ["dropout", "p-1", "layer", "apply", "backward"])
def test_masked_array_in_a_container(take, nest):
    x, name = nest(np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])), "dy" if take == "backward" else "x"
    message = f"{name} must not hold a masked array, whose mask would be lost: pass .filled(0) of each"
    check(lambda s: TAKE_X[take](s, x), TypeError, message)


def test_masked_array_in_other_operands():
    m = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])
    x, mask = np.ones((2, 3)), fd.bias_dropout_residual(np.ones((2, 3)), None, None, rng=0)[1]
    calls = {
        "p": lambda s: fd.dropout(x, [m * 0, m * 0], rng=s.rng),
        "residual": lambda s: fd.bias_dropout_residual(x, None, [m, m], rng=s.rng),
        "bias": lambda s: fd.bias_dropout_residual(x, list(m), None, rng=s.rng),
        "dy": lambda s: fd.bias_dropout_residual_backward([m, m], mask),
        "x": lambda s: fd.mc_dropout([m, m], 0.5, 2, rng=s.rng),
    }
    for name, call in calls.items():
        check(
            call, TypeError, f"{name} must not hold a masked array, whose mask would be lost: pass .filled(0) of each"
        )
    for function in (fd.alpha_dropout, fd.gaussian_dropout, fd.bias_dropout_residual):
        more = (None, None) if function is fd.bias_dropout_residual else ()
        with pytest.raises(TypeError, match="must not hold a masked array"):
            function([m, m], *more)


def test_an_object_that_gives_a_masked_array():
    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])

    with pytest.raises(TypeError, match="x must not be a masked array"):
        fd.dropout(Wrapped(), 0.0)


# out

OUT = {
    "list": (TypeError, "out must be a numpy.ndarray, got list"),
    "x4": (ValueError, "out must have shape (3,), got (4,)"),
    "f8": (ValueError, "out must have dtype float32, got float64"),
    "i4": (ValueError, "out must have dtype float32, got int32"),  # of as many bytes
    "swapped": (ValueError, f"out must be in native byte order, got {SWAPPED.str}"),
    "readonly": (ValueError, "out must be writable, got a read-only array"),
    "misaligned": (ValueError, "out must be aligned, got a misaligned array"),
    "repeated": (ValueError, "out must not overlap itself, got strides (0,)"),
}


@pytest.mark.parametrize("name", OUT)
def test_out(name):
    check(drop(out=name), *OUT[name])
    check(drop(out=name, p=1, store="recipe"), *OUT[name])
    check(lambda s: fd.dropout_backward(s.x, s.mask, out=getattr(s, name)), *OUT[name])
    check(lambda s: s.mask.apply(s.x, out=getattr(s, name)), *OUT[name])
    check(lambda s: s.layer.backward(s.x, out=getattr(s, name)), *OUT[name])


@pytest.mark.parametrize("name", ["swapped", "readonly", "misaligned", "repeated"])
def test_in_place_where_out_may_not_be(name):
    check(drop(name), *OUT[name])
    check(lambda s: fd.dropout_backward(getattr(s, name), s.mask, out=getattr(s, name)), *OUT[name])


OVERLAPS = {  # (x, out) as views of a buffer
    "shifted": (lambda b: b[:3], lambda b: b[1:4]),
    "shifted-back": (lambda b: b[1:4], lambda b: b[:3]),
    "reversed": (lambda b: b[:3], lambda b: b[2::-1]),
    "stretched": (lambda b: b[:3], lambda b: b[:5:2]),
    "half-an-item": (lambda b: b[:6].view("c8"), lambda b: b[1:7].view("c8")),
    "transposed": (lambda b: b[:9].reshape(3, 3), lambda b: b[:9].reshape(3, 3).T),
    "x-broadcast": (lambda b: np.broadcast_to(b[1:2], (3,)), lambda b: b[:3]),
    "x-repeated": (lambda b: as_strided(b, (3,), (0,)), lambda b: b[:3]),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_partial_overlap(name):
    x, out = OVERLAPS[name]
    message = "out must be {} itself or memory apart from it, got a partial overlap"
    check(lambda s: fd.dropout(x(s.buffer), rng=s.rng, out=out(s.buffer)), ValueError, message.format("x"))
    mask = fd.Mask.from_bool(np.ones(x(np.zeros(12, "f4")).shape, bool), 0.5)
    call = lambda s: fd.dropout_backward(x(s.buffer), mask, out=out(s.buffer))  # noqa: E731
    check(call, ValueError, message.format("dy"))


class Interface:
    """Memory by __array_interface__ alone."""

    def __init__(self, a):
        self.a, self.__array_interface__ = a, a.__array_interface__


SAME_MEMORY = {
    "ndarray": lambda a: a,
    "memoryview": memoryview,
    "interface": Interface,
    "nested-view": lambda a: a[None, ...][0][...],
    "subclass": lambda a: a.view(type("Sub", (np.ndarray,), {})),
    "series": lambda a: pytest.importorskip("pandas").Series(a, copy=False),
}
OPERANDS = {  # a call with an operand of 64 doubles and an out that overlaps it
    "x": lambda a, out: fd.dropout(a, rng=0, out=out),
    "dy": lambda a, out: fd.dropout_backward(a, fd.Mask.from_bool(np.ones(64, bool), 0.5), out=out),
    "x of apply": lambda a, out: fd.Mask.from_bool(np.ones(64, bool), 0.5).apply(a, out=out),
    "x of alpha": lambda a, out: fd.alpha_dropout(a, rng=0, out=out),
    "x of gaussian": lambda a, out: fd.gaussian_dropout(a, rng=0, out=out),
    "x of mc": lambda a, out: fd.mc_dropout(a, 0.5, 1, rng=0, out=out[None]),
    "x of fused": lambda a, out: fd.bias_dropout_residual(a, None, None, 0, rng=0, out=out),
    "bias": lambda a, out: fd.bias_dropout_residual(np.zeros(64), a, None, 0, rng=0, out=out),
    "residual": lambda a, out: fd.bias_dropout_residual(np.zeros(64), None, a, 0, rng=0, out=out),
    "dy of fused": lambda a, out: fd.bias_dropout_residual_backward(
        a, fd.bias_dropout_residual(np.zeros(64), None, None, 0, rng=0)[1], out=out
    ),
}


@pytest.mark.parametrize("wrap", SAME_MEMORY.values(), ids=SAME_MEMORY)
@pytest.mark.parametrize("call", OPERANDS.values(), ids=OPERANDS)
def test_overlap_whatever_gives_the_memory(call, wrap):
    b = np.linspace(0, 1, 65)
    before = b.tobytes()
    with pytest.raises(ValueError, match=r"\Aout must be .*overlap"):
        call(wrap(b[:64]), b[1:])
    assert b.tobytes() == before
    memory = array.array("d", b)
    with pytest.raises(ValueError, match=r"\Aout must be .*overlap"):
        call(memoryview(memory)[:64], np.frombuffer(memory)[1:])
    assert memory.tobytes() == before


def test_the_same_memory_by_another_object_is_in_place():
    b = np.ones(64)
    assert fd.bias_dropout_residual(np.zeros(64), None, memoryview(b), 0, rng=0, out=b)[0] is b
    assert (b == 1).all()


# noise_shape, offset, window, row, store, shape


def tall(**kwargs):
    return drop("tall", **kwargs)


def table(full_shape, start, **kwargs):
    return drop("table", window=(full_shape, start), **kwargs)


@cases(
    (
        TypeError,
        "noise_shape must be a tuple of ints and None, got {}",
        *((tall(noise_shape=n), got) for n, got in [(1.0, "float"), ("ab", "str"), ((1.0, 2), "float")]),
    ),
    (
        ValueError,
        "noise_shape must broadcast to x's shape (10, 2), got {}",
        *((tall(noise_shape=n), n) for n in [(3,), (-1, 2), (1, 10, 2), (1, None, None), (0, 2), (5, 1), (2**64, 2)]),
    ),
    (
        ValueError,
        "noise_shape must have only None and 1 beside {}, got (10, None)",
        (tall(noise_shape=(10, None), window=((20, 2), (0, 0))), "a window"),
        (tall(noise_shape=(10, None), rng="row"), "an rng at a row"),
    ),
    (
        TypeError,
        "offset must be an int, got {}",
        (drop(offset=1.0), "float"),
        (drop(offset=0.0), "float"),
        (drop(offset="1"), "str"),
    ),
    (ValueError, "offset must be at least 0, got {}", (drop(offset=-1), -1), (drop(offset=-(2**64)), -(2**64))),
    (
        ValueError,
        "offset + n must be at most 2**64, got {} + {}",
        (drop(offset=2**64 - 2), 2**64 - 2, 3),
        (drop(offset=2**64), 2**64, 3),
        (drop("empty", offset=2**64 + 1), 2**64 + 1, 0),
        (tall(offset=2**64 - 1, noise_shape=(1, 2)), 2**64 - 1, 2),
    ),
    (ValueError, "offset and window exclude each other, got both", (table((3, 4), (0, 0), offset=1),)),
    (
        ValueError,
        "offset and window exclude an rng at a row, got row 2",
        (drop(offset=1, rng="row"),),
        (table((3, 4), (0, 0), rng="row"),),
    ),
    (ValueError, "an rng at a row needs an x with an axis, got a 0-d array", (drop("scalar", rng="row"),)),
    (
        TypeError,
        "window must be a pair (full_shape, start) of int sequences, got {}",
        (drop(window=3), "int"),
        (table((9.5, 4), (0, 0)), "<any>"),
    ),
    (
        ValueError,
        "window must have x's 2 axes, got full_shape {} and start {}",
        *((table(*w), *w) for w in [((3,), (0,)), ((3, 4), (0,)), ((3,), (0, 0)), ((1, 3, 4), (0, 0, 0)), ((), ())]),
    ),
    (
        ValueError,
        "window must lie inside full_shape {}, got start {} and shape (3, 4)",
        *((table((4, 4), start), (4, 4), start) for start in [(2, 0), (0, 1), (-1, 0), (0, 2**64 - 1), (2**63, 0)]),
        *((table(full, (0, 0)), full, (0, 0)) for full in [(4, 3), (-4, 4), (0, 0)]),
    ),
    (
        ValueError,
        "the product of full_shape must be at most 2**64, got {}",
        *((table(full, (0, 0)), full) for full in [(2**33, 2**33), (2**64, 4), (4, 2**63 + 1), (2**70, 2**70)]),
    ),
    (ValueError, "store must be 'bits' or 'recipe', got 'foo'", (drop(store="foo"),)),
    (
        TypeError,
        "shape must be an int or a sequence of ints, got {}",
        (lambda s: fd.bernoulli(1.5, 0.5, rng=s.rng), "float"),
    ),
    (ValueError, "shape must not be negative, got {}", (lambda s: fd.bernoulli((2, -1), 0.5, rng=s.rng), (2, -1))),
    (ValueError, "shape must have at most 64 axes, got 65", (lambda s: fd.bernoulli((1,) * 65, 0.5, rng=s.rng),)),
)
def test_place(call, error, message):
    check(call, error, message)


def test_an_empty_array_may_stand_at_the_end():
    y, mask = fd.dropout(np.ones((0, 4), "f4"), rng=1, offset=2**64)
    assert y.shape == mask.shape == (0, 4)


# Masks and layers

BITS = np.array([255, 1], "u1")
NO_SCALE = ("2", b"2", True, np.True_, 2j, [2.0], np.ones(1), np.array("2"), {})
from_bits, from_bool = fd.Mask.from_bits, fd.Mask.from_bool


@cases(
    (
        TypeError,
        "mask must be a fastdrop.Mask, got {}: make one with Mask.from_bool",
        (lambda s: fd.dropout_backward(s.x, s.x > 1, out=s.x), "ndarray"),
        (lambda s: fd.dropout_backward(s.x, None), "NoneType"),
    ),
    (
        ValueError,
        "{} must have the mask's shape (3,), got {}",
        (lambda s: fd.dropout_backward(s.x4, s.mask, out=s.x4), "dy", (4,)),
        (lambda s: fd.dropout_backward(s.table, s.mask), "dy", (3, 4)),
        (lambda s: fd.dropout_backward(s.x[None], s.mask), "dy", (1, 3)),
        (lambda s: fd.dropout_backward(s.scalar, s.mask), "dy", ()),
        (lambda s: s.layer.backward(s.x4, out=s.x4), "dy", (4,)),
        (lambda s: s.mask.apply(s.x4, out=s.x4), "x", (4,)),
    ),
    (
        TypeError,
        "a must be a bool array, got {}",
        (lambda s: from_bool(s.i8, 0.5), "int64"),
        (lambda s: from_bool([True], 0.5), "list"),
    ),
    (
        TypeError,
        "bits must be a uint8 array, got {}",
        (lambda s: from_bits(s.i8, (3,), 0.5), "int64"),
        (lambda s: from_bits([1], (3,), 0.5), "list"),
    ),
    (
        TypeError,
        "{0} must not be a masked array, whose mask would be lost: pass {0}.filled(0)",
        (lambda s: from_bool(np.ma.array(s.x > 1), 0.5), "a"),
        (lambda s: from_bits(np.ma.array(BITS), (9,), 0.5), "bits"),
        (lambda s: fd.dropout(s.x, rng=s.rng, out=np.ma.array(s.x, copy=False)), "out"),
        (lambda s: fd.dropout_backward(s.x, s.mask, out=np.ma.array(s.x, copy=False)), "out"),
        (lambda s: fd.ThinnedLinear(s.table.copy()).forward(s.table[:, :3], np.ma.ones(3, bool)), "x_mask"),
        (lambda s: fd.EmbeddingDropout(rng=s.rng).forward(s.table, np.ma.array([1])), "indices"),
    ),
    (ValueError, "bits must have 2 bytes for shape (9,), got {}", (lambda s: from_bits(BITS[:1], (9,), 0.5), 1)),
    (ValueError, "bits must be 0 past the end, got a set bit", (lambda s: from_bits(BITS[:1], (7,), 0.5),)),
    (
        ValueError,
        "scale must be given at p=1, where an element is kept",
        (lambda s: from_bits(BITS, (9,), 1),),
        (lambda s: from_bool(np.array([False, True]), 1.0),),
    ),
    (
        TypeError,
        "scale must be a real number, got {}",
        *((lambda s, v=v: from_bool(s.x > 1, 0.5, scale=v), type(v).__name__) for v in NO_SCALE),
        *((lambda s, v=v: from_bits(BITS, (9,), 0.5, v), type(v).__name__) for v in NO_SCALE),
    ),
    (
        ValueError,
        "scale must be finite and positive, got {}",
        (lambda s: from_bits(BITS, (9,), 0.5, scale=10**400), 10**400),
        *((lambda s, v=v: from_bool(s.x > 1, 0.5, scale=v), v) for v in (-1.0, 0.0, np.inf, np.nan)),
        (lambda s: from_bits(BITS, (9,), 0.5, scale=-2.5), -2.5),
    ),
    (RuntimeError, "backward needs a forward before it", (lambda s: fd.Dropout(0.5).backward(s.x, out=s.x),)),
)
def test_mask_or_layer(call, error, message):
    check(call, error, message)


def test_refused_calls_leave_the_layer():
    """Its mask, its counter and its backward are those of the last good forward."""
    s = scene()
    dx = s.layer.backward(s.x)
    for bad in (s.i8, np.ma.array(s.x), [*s.list, None]):
        with pytest.raises(TypeError):
            s.layer.forward(bad)
    np.testing.assert_array_equal(s.layer.backward(s.x), dx)
    assert s.rng.counter == 1


# Rng, threads, backends

DRAWS = {
    "dropout": lambda s, rng: fd.dropout(s.x, rng=rng, out=s.x),
    "bernoulli": lambda s, rng: fd.bernoulli(3, 0.5, rng=rng),
    "Dropout": lambda s, rng: fd.Dropout(0.5, rng=rng),
    "forward": lambda s, rng: s.layer.forward(s.x, rng=rng),
}
NOT_RNG = "rng must be an Rng, a seed, a numpy Generator, a BitGenerator or None, got {}"
STATE = {"version": 1, "key": "0" * 32, "counter": 0, "spawned": 0, "row": 0}


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(
    ("rng", "error", "message"),
    [
        *((rng, TypeError, NOT_RNG.format(type(rng).__name__)) for rng in ("abc", b"abc", 1.5, STATE)),
        (np.random.RandomState(0), TypeError, "rng must not be a RandomState: pass numpy.random.default_rng(...)"),
        (-1, ValueError, "a seed must be non-negative, got -1"),
    ],
    ids=["str", "bytes", "float", "dict", "RandomState", "negative"],
)
def test_rng(draw, rng, error, message):
    check(lambda s: DRAWS[draw](s, rng), error, message)


INTS = {  # call of one int: (its name, the least)
    "spawn": (lambda s, n: s.rng.spawn(n), "n", 0),
    "at_row": (lambda s, r: s.rng.at_row(r), "r", 0),
    "threads": (lambda s, n: fd.set_num_threads(n), "n", 1),
}


@pytest.mark.parametrize("name", INTS)
def test_int(name):
    call, word, least = INTS[name]
    check(lambda s: call(s, 1.0), TypeError, f"{word} must be an int, got float")
    check(lambda s: call(s, least - 1), ValueError, f"{word} must be at least {least}, got {least - 1}")


@pytest.mark.parametrize("name", ["k0", "k1", "counter"])
def test_from_key(name):
    for value in (-1, 2**64):
        call = lambda s, v=value: fd.Rng.from_key(**{"k0": 1, "k1": 2, name: v})  # noqa: E731
        check(call, ValueError, f"{name} must be between 0 and 2**64 - 1, got {value}")
    check(lambda s: fd.Rng.from_key(**{"k0": 1, "k1": 2, name: 1.0}), TypeError, f"{name} must be an int, got float")


@cases(
    (TypeError, "fold_in needs at least one int", (lambda s: s.rng.fold_in(),)),
    (TypeError, "fold_in takes ints, got {}", (lambda s: s.rng.fold_in(0, 1.0), "float")),
    (
        ValueError,
        "fold_in takes ints in [0, 2**63), got {}",
        *((lambda s, v=v: s.rng.fold_in(0, v), v) for v in (-1, 2**63, 2**64)),
    ),
    (ValueError, "a seed must be non-negative, got {}", (lambda s: fd.Rng(-1), -1)),
    (TypeError, "state must be a dict, got {}", (lambda s: setattr(s.rng, "state", [1]), "list")),
    (
        ValueError,
        "state must have the keys version, key, counter, spawned, row, got missing: {}, unknown: {}",
        (lambda s: setattr(s.rng, "state", {}), "version, key, counter, spawned, row", "none"),
        (lambda s: setattr(s.rng, "state", {"key": 1, "p": 1, 2: 0}), "version, counter, spawned, row", "p, 2"),
        (lambda s: setattr(s.rng, "state", STATE | {"more": 1}), "none", "more"),
    ),
    (ValueError, "state version must be 1, got {}", (lambda s: setattr(s.rng, "state", STATE | {"version": 2}), 2)),
    (
        ValueError,
        "state key must be 32 hex digits, got {}",
        *((lambda s, k=k: setattr(s.rng, "state", STATE | {"key": k}), repr(k)) for k in ("xyz", "0x" + "1" * 30)),
    ),
)
def test_rng_methods(call, error, message):
    check(call, error, message)


def test_exhausted_counter():
    x = np.ones(3)
    rng = fd.Rng.from_key(1, 2, counter=2**64 - 1)
    fd.dropout(x, rng=rng)
    for call in (lambda: fd.dropout(x, rng=rng, out=x), lambda: fd.bernoulli(3, 0.5, rng=rng)):
        with pytest.raises(OverflowError, match=r"\Athe rng's counter is exhausted: take fold_in or spawn\Z"):
            call()
        assert rng.counter == 2**64 - 1
    assert (x == 1).all()


@pytest.mark.parametrize("make", [lambda g: g, lambda g: g.bit_generator], ids=["Generator", "BitGenerator"])
def test_generator_does_not_advance(make):
    for kwargs in ({"p": 2}, {"offset": -1}, {"store": "foo"}, {"noise_shape": (2,)}, {"out": np.ones(4)}):
        check(lambda s, kwargs=kwargs: fd.dropout(np.ones(3), rng=make(s.generator), **kwargs), ValueError, "<any>")


@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer ends the process")
@pytest.mark.parametrize("n", [2**47, 2**59])
def test_failed_allocation(n):
    s = scene()
    before = snapshot(s)
    for call in (
        lambda: fd.dropout(np.broadcast_to(s.x[:1], (n,)), rng=s.rng),
        lambda: fd.bernoulli(8 * n, 0.5, rng=s.rng),
    ):
        with pytest.raises(MemoryError):
            call()
    assert snapshot(s) == before


def test_unknown_backend():
    env = {**os.environ, "FASTDROP_BACKEND": "foo"}
    run = subprocess.run([sys.executable, "-c", "import fastdrop"], env=env, capture_output=True, encoding="utf-8")
    assert run.returncode == 1
    last = run.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: FASTDROP_BACKEND must be one of {', '.join(fd.backends())}, got 'foo'"
