"""bias_dropout_residual and its gradients: bit for bit the separate steps, each rounded to x's dtype."""

import copy
import math
import pickle
import sys
from functools import cache
from itertools import product

import numpy as np
import pytest
import reference
from conftest import (
    DTYPES,
    FOREIGN,
    LAYOUTS,
    MANTISSA,
    STORES,
    assert_guards,
    assert_mask,
    assert_same,
    expected,
    guarded,
    kept,
    real_dtype,
    rng,
    specials,
    values,
)

import fastdrop as fd

SHAPES = [(1,), (3,), (64,), (4099,), (7, 1), (5, 3), (9, 100), (3, 4099), (2, 65, 64), (3, 50, 3), (2, 3, 700)]
SHAPES += [(0,), (0, 5), (5, 0), (2, 0, 3)]
PS = (0.1, 0.5, 0, 1, 1 - 2**-53)
GIVEN = {"both": (True, True), "bias": (True, False), "residual": (False, True), "none": (False, False)}
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_store = pytest.mark.parametrize("store", STORES)
every_given = pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)


def steps(x, bias, residual, keep, p):
    """The right answer, one NumPy operation after the other."""
    with np.errstate(all="ignore"):
        y = expected(x if bias is None else x + bias, keep, p)
        return y if residual is None else y + residual


def case(shape, dtype, given=(True, True), make=values):
    """(x, bias, residual, dy), those that are not given None."""
    n = math.prod(shape)
    x, residual, dy = (make(n, dtype, seed).reshape(shape) for seed in (0, 1, 2))
    return x, make(shape[-1], dtype, 3) if given[0] else None, residual if given[1] else None, dy


def between_guards(a, align):
    if a is None:
        return None
    flat = guarded(a.size, a.dtype, align)
    flat[...] = a.reshape(-1)
    return flat.reshape(a.shape)


def cover():
    """Every pair of shape and dtype; p, what is given, threads and alignment step at other paces."""
    for (i, shape), (j, dtype) in product(enumerate(SHAPES), enumerate(DTYPES)):
        p, given = PS[(i + j) % len(PS)], list(GIVEN)[(i + 2 * j) % 4]
        threads, align = (1, 2, 3, 7)[(i // 4 + j) % 4], (i + 3 * j) % 17
        name = f"{dtype}-{'x'.join(map(str, shape))}-p{p}-{given}-t{threads}-al{align}"
        yield pytest.param(shape, dtype, p, GIVEN[given], threads, align, id=name)


@pytest.mark.parametrize(("shape", "dtype", "p", "given", "threads", "align"), list(cover()), indirect=["threads"])
def test_forward_and_backward(backend, shape, dtype, p, given, threads, align):
    x, bias, residual, dy = case(shape, dtype, given)
    keep = kept(p, x.size).reshape(shape)
    want, want_dx = steps(x, bias, residual, keep, p), expected(dy, keep, p)
    for store, where in product(STORES, ("new", "out", "x", "residual")):
        data = tuple(between_guards(a, align + i) for i, a in enumerate((x, bias, residual, x)))
        out = {"new": None, "out": data[3], "x": data[0], "residual": data[2]}[where]
        y, mask = fd.bias_dropout_residual(*data[:3], p, rng=rng(), out=out, store=store)
        assert out is None or y is out
        assert_same(y, want)
        assert_mask(mask, keep)
        assert (mask.p, mask.scale) == (p, reference.scale(p))
        for a, before in zip(data, (x, bias, residual, x), strict=True):
            if a is not None:
                assert a is out or a.tobytes() == before.tobytes()
                assert_guards(a)
        for in_place in (False, True):
            mine = between_guards(dy, align)
            dx, dbias, dresidual = fd.bias_dropout_residual_backward(mine, mask, out=mine if in_place else None)
            assert (dx is mine) == in_place
            assert_same(dx, want_dx)
            assert_same(fd.dropout_backward(dy, mask), want_dx)
            assert_sum(dbias, want_dx, given[0])
            assert_copy_of(dresidual, dy, mine, in_place, given[1])


def assert_sum(dbias, dx, given=True):
    """dbias is dx summed over all axes but the last, within the error of a pairwise sum in the compute type.

    NumPy's adds runs of 128 by eight accumulators and halves the rest, so that no number takes part in more than
    16 + 3 + log2(n / 128) additions; the sum is then rounded to its dtype.
    """
    if not given:
        assert dbias is None
        return
    assert type(dbias) is np.ndarray
    assert (dbias.dtype, dbias.shape) == (dx.dtype, dx.shape[-1:])
    real = real_dtype(dx.dtype)
    parts = dx.dtype.itemsize // real.itemsize
    rows = dx.reshape(-1, dx.shape[-1]) if dx.size else np.zeros((0, dx.shape[-1]), dx.dtype)
    rows = np.ascontiguousarray(rows).view(real).astype(np.float64).reshape(len(rows), parts * dx.shape[-1])
    exact = np.array([math.fsum(column) for column in rows.T])
    compute = 2.0 ** -(53 if real.itemsize == 8 else 24)
    rounding = 0 if real.itemsize >= 4 else 2.0 ** -(MANTISSA[real.name] + 1) * np.abs(exact) + 2.0**-25
    additions = 20 + max(0, math.log2(max(1, len(rows))) - 7) if len(rows) > 1 else 0
    error = np.abs(dbias.view(real).astype(np.float64) - exact)
    assert (error <= additions * compute * np.abs(rows).sum(0) + rounding).all()


def assert_copy_of(dresidual, dy, mine, in_place, given):
    """dresidual is dy itself, or a copy of what was there where dx went into it."""
    if not given:
        assert dresidual is None
    elif in_place:
        assert_same(dresidual, dy)
        assert not np.shares_memory(dresidual, mine)
    else:
        assert dresidual is mine
        assert mine.tobytes() == dy.tobytes()


@cache
def large_case(dtype):
    x, bias, residual, _ = case((530, 1021), dtype)
    keep = kept(0.1, x.size).reshape(x.shape)
    return x, bias, residual, steps(x, bias, residual, keep, 0.1), expected(x, keep, 0.1)


@pytest.mark.parametrize("threads", [1], indirect=True)
@pytest.mark.parametrize("dtype", [np.dtype("f2"), np.dtype("f4"), np.dtype("c16")], ids=str)
def test_any_number_of_threads_gives_the_same(backend, threads, dtype):
    x, bias, residual, want, want_dx = large_case(dtype)
    sums = set()
    for n in (threads, 2, 3, 7):
        fd.set_num_threads(n)
        y, mask = fd.bias_dropout_residual(x, bias, residual, 0.1, rng=rng())
        assert_same(y, want)
        dx, dbias, _ = fd.bias_dropout_residual_backward(x, mask)
        assert_same(dx, want_dx)
        sums.add(dbias.tobytes())
    assert len(sums) == 1
    assert_sum(dbias, want_dx)


@pytest.mark.parametrize("shape", [(20011, 3), (20011, 1), (20, 1000, 4)], ids=str)
@pytest.mark.parametrize("dtype", [d for d in DTYPES if real_dtype(d).itemsize <= 4], ids=str)
@pytest.mark.parametrize("threads", [1, 3], indirect=True)
def test_dbias_does_not_drift(backend, threads, dtype, shape):
    """A number that is no sum of few powers of two, very often: one accumulator would be off in the fourth digit."""
    x = np.full(shape, 1e-3, dtype) * np.asarray(0.7, dtype)
    _, mask = fd.bias_dropout_residual(x, np.zeros(shape[-1], dtype), None, 0.1, rng=rng())
    dx, dbias, _ = fd.bias_dropout_residual_backward(x, mask)
    assert_sum(dbias, dx)


@every_store
@every_given
@every_dtype
@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_special_values(backend, dtype, p, given, store):
    """-0.0, denormals, Inf and NaN everywhere; what is dropped leaves the residual alone."""
    x, bias, residual, dy = case((90, 101), dtype, given, lambda n, t, seed: np.resize(np.roll(specials(t), seed), n))
    keep = kept(p, x.size).reshape(x.shape)
    y, mask = fd.bias_dropout_residual(x, bias, residual, p, rng=rng(), store=store)
    assert_same(y, steps(x, bias, residual, keep, p))
    assert_same(fd.bias_dropout_residual_backward(dy, mask)[0], expected(dy, keep, p))


@every_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
def test_dbias_sees_what_is_kept_alone(backend, dtype, bad):
    x, bias, _, dy = case((90, 7), dtype)
    keep = kept(0.3, x.size).reshape(x.shape)
    _, mask = fd.bias_dropout_residual(x, bias, None, 0.3, rng=rng())
    dy[~keep] = bad
    dx, dbias, _ = fd.bias_dropout_residual_backward(dy, mask)
    assert_sum(dbias, dx)
    dy[keep[:, 0].argmax(), 0] = bad
    assert np.isfinite(dbias.astype(complex)).all()
    dbias = fd.bias_dropout_residual_backward(dy, mask)[1].astype(complex)
    np.testing.assert_array_equal(np.isfinite(dbias), np.arange(7) > 0)


@pytest.mark.parametrize("rows", [9, 200_000], ids=["one-part", "parts"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dbias_of_infinities_is_infinite(backend, dtype, rows):
    """As any sum: Inf stays Inf, Inf - Inf is NaN; and so where a sum of finite numbers overflows."""
    dy = np.zeros((rows, 4), dtype)
    _, mask = fd.bias_dropout_residual(dy, dy[0], None, 0, rng=rng())
    dy[2, 0], dy[2, 1], dy[2:4, 2] = np.inf, -np.inf, (np.inf, -np.inf)
    real = real_dtype(dtype)
    dy[3:6, 3] = np.ldexp(1.0, 1023 if real.itemsize == 8 else 15 if real == np.float16 else 127)
    np.testing.assert_array_equal(
        fd.bias_dropout_residual_backward(dy, mask)[1].real.astype(float), [np.inf, -np.inf, np.nan, np.inf]
    )


# Layouts, dtypes, masks

VIEWS = LAYOUTS | FOREIGN | {"broadcast": lambda a: np.broadcast_to(a[(0,) * a.ndim], a.shape)}


@every_store
@pytest.mark.parametrize("which", ["x", "bias", "residual", "all"])
@pytest.mark.parametrize("layout", VIEWS)
@pytest.mark.parametrize("dtype", [np.dtype("f2"), np.dtype("f4"), np.dtype("c16")], ids=str)
def test_any_layout(backend, dtype, layout, which, store):
    given = {name: a for name, a in zip(("x", "bias", "residual"), case((9, 5, 66), dtype), strict=False)}
    given |= {name: VIEWS[layout](a) for name, a in given.items() if which in (name, "all")}
    native = [a.astype(dtype) for a in given.values()]
    keep = kept(0.3, 9 * 5 * 66).reshape(9, 5, 66)
    want = steps(*native, keep, 0.3)
    y, mask = fd.bias_dropout_residual(*given.values(), 0.3, rng=rng(), store=store)
    assert_same(y, want)
    assert_mask(mask, keep)
    assert y.strides == np.empty_like(given["x"]).strides
    dx, dbias, dresidual = fd.bias_dropout_residual_backward(given["x"], mask)
    assert_same(dx, expected(native[0], keep, 0.3))
    assert_sum(dbias, dx.copy(order="C"))
    assert_same(dresidual.astype(dtype), native[0])
    for name in ("x", "residual"):
        if layout in LAYOUTS:
            out = LAYOUTS[layout](native[0])
            same = given | {name: out}
            want = steps(*(a.astype(dtype) for a in same.values()), keep, 0.3)
            assert fd.bias_dropout_residual(*same.values(), 0.3, rng=rng(), out=out)[0] is out
            assert_same(np.array(out), want)


@pytest.mark.parametrize("where", ["new", "in-place"])
def test_one_array_as_x_and_residual(backend, where):
    x, bias, _, _ = case((9, 100), np.dtype("f4"))
    want = steps(x, bias, x, kept(0.5, 900).reshape(9, 100), 0.5)
    y, _ = fd.bias_dropout_residual(x, bias, x, rng=rng(), out=x if where == "in-place" else None)
    assert_same(y, want)


@every_dtype
def test_dy_has_a_dtype_of_its_own(backend, dtype):
    x, bias, residual, _ = case((9, 57), np.dtype("f4"))
    _, mask = fd.bias_dropout_residual(x, bias, residual, 0.1, rng=rng())
    dy = values(9 * 57, dtype).reshape(9, 57)
    dx, dbias, dresidual = fd.bias_dropout_residual_backward(dy, mask)
    assert_same(dx, expected(dy, kept(0.1, 9 * 57).reshape(9, 57), 0.1))
    assert_sum(dbias, dx)
    assert dresidual is dy


DUPLICATES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda m: pickle.loads(pickle.dumps(m))}


@every_store
@every_given
@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
def test_the_mask_remembers_what_was_given(duplicate, given, store):
    x, bias, residual, dy = case((9, 57), np.dtype("f4"), given)
    r = rng(3).at_row(2)
    _, mask = fd.bias_dropout_residual(x, bias, residual, 0.1, rng=r, store=store)
    assert r.counter == 4
    assert_mask(mask, kept(0.1, 9 * 57, 2 * 57, stream=3).reshape(9, 57))
    twin = fd.bias_dropout_residual_backward(dy, duplicate(mask))
    for got, want in zip(twin, fd.bias_dropout_residual_backward(dy, mask), strict=True):
        assert (got is None) == (want is None)
        assert got is None or got.tobytes() == want.tobytes()
    assert [a is not None for a in twin[1:]] == list(given)


def test_a_bias_is_repeated_as_far_as_it_is_read():
    """Periods around the slack that the kernels read past one, each at the end of its rows."""
    for period in (1, 2, 3, 4095, 4096, 4097, 8193):
        x, bias = np.zeros((3, period)), values(period, np.dtype("f8"))
        np.testing.assert_array_equal(fd.bias_dropout_residual(x, bias, None, 0, rng=0)[0], x + bias)


def test_a_small_call_runs_no_function_of_python():
    """What made it eight times as slow as dropout's call."""
    x, r, called = np.ones(64), fd.Rng(0), []
    fd.bias_dropout_residual(x, x, x, 0.1, rng=r)
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_name) if event == "call" else None)
    try:
        fd.bias_dropout_residual(x, x, x, 0.1, rng=r)
    finally:
        sys.setprofile(None)
    assert called == []
