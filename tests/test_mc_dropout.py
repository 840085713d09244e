"""mc_dropout: row t is the first draw of rng.fold_in(t), of an x that is read once."""

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
import reference
from conftest import DTYPES, FOREIGN, KEY, LAYOUTS, assert_guards, assert_same, expected, guarded, rng, specials, values

import fastdrop as fd

SIZES = (0, 1, 63, 65, 511, 4095, 4097, 20011)
PS = (0.1, 0.5, 3 / 8, 0, 1, 2**-20, 1 - 2**-53)
SAMPLES = (1, 2, 3, 33)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@cache
def kept(p, n, t, offset=0):
    """The reference's mask of sample t."""
    return reference.kept(reference.fold_in(KEY, t), 0, p, offset, n)


def answer(x, p, samples, offset=0):
    """The right answer for x in its native byte order."""
    rows = [expected(x, kept(p, x.size, t, offset).reshape(x.shape), p) for t in range(samples)]
    return np.array(rows).reshape(samples, *x.shape)


def cover():
    """Every pair of size and p; dtype, samples, threads and alignment step at other paces."""
    for (i, n), (j, p) in product(enumerate(SIZES), enumerate(PS)):
        dtype, samples = DTYPES[(i + j) % len(DTYPES)], SAMPLES[(i + 2 * j) % 4]
        threads, align = (1, 2, 3, 7)[(i // 3 + j) % 4], (i + 3 * j) % 17
        name = f"{dtype}-n{n}-p{p}-s{samples}-t{threads}-al{align}"
        yield pytest.param(dtype, n, p, samples, threads, align, id=name)


@pytest.mark.parametrize(("dtype", "n", "p", "samples", "threads", "align"), list(cover()), indirect=["threads"])
def test_rows_are_first_draws(backend, dtype, n, p, samples, threads, align):
    data, r = values(n, dtype), rng(3)
    x, out = guarded(n, dtype, align), guarded(n * samples, dtype, align + 5)
    x[...] = data
    want = answer(data, p, samples)
    rows = out.reshape(samples, n)
    assert fd.mc_dropout(x, p, samples, rng=r, out=rows) is rows
    for got in (rows, fd.mc_dropout(x, p, samples, rng=r)):
        assert_same(got, want)
        assert not np.shares_memory(got, x)
    assert x.tobytes() == data.tobytes()
    assert_guards(x, out)
    assert r.counter == 3
    for t in {0, samples - 1}:
        assert_same(fd.dropout(x, p, rng=r.fold_in(t))[0], want[t])


@cache
def team_case(dtype):
    x = values(2**18 + 4099, dtype)
    return x, answer(x, 0.1, 5)


@pytest.mark.parametrize("dtype", [np.dtype("f2"), np.dtype("f4"), np.dtype("c16")], ids=str)
def test_enough_work_for_a_team(backend, threads, dtype):
    x, want = team_case(dtype)
    assert_same(fd.mc_dropout(x, 0.1, 5, rng=rng()), want)


def test_many_samples_of_little(backend, threads):
    x = values(9, np.dtype("f4"))
    assert_same(fd.mc_dropout(x, 0.3, 1000, rng=rng()), answer(x, 0.3, 1000))


@every_dtype
@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_special_values(backend, dtype, p):
    x = np.resize(specials(dtype), 4099)
    y = fd.mc_dropout(x, p, 3, rng=rng())
    assert_same(y, answer(x, p, 3))
    if p != 0.3:
        assert y.tobytes() == (bytes(3 * x.nbytes) if p else 3 * x.tobytes())


# Layouts

SHAPES = [(), (0,), (3, 0, 2), (33, 130), (2, 3, 700)]


@pytest.mark.parametrize("layout", LAYOUTS | FOREIGN)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.dtype("f2"), np.dtype("f4"), np.dtype("c16")], ids=str)
def test_any_layout(backend, dtype, shape, layout):
    data = values(math.prod(shape), dtype).reshape(shape)
    x, want = (LAYOUTS | FOREIGN)[layout](data), answer(data, 0.3, 4)
    assert_same(fd.mc_dropout(x, 0.3, 4, rng=rng()), want)
    for lay_out in LAYOUTS.values():
        out = lay_out(np.full((4, *shape), 7, dtype))
        assert fd.mc_dropout(x, 0.3, 4, rng=rng(), out=out) is out
        assert_same(np.array(out), want)
    assert_same(x.astype(dtype), data)


def test_strided_out_leaves_what_lies_between(backend):
    x, base = values(700, np.dtype("f4")), np.full((4, 700, 2), 7, np.float32)
    fd.mc_dropout(x, 0.3, 4, rng=rng(), out=base[..., 1])
    assert (base[..., 0] == 7).all()
    assert_same(base[..., 1].copy(), answer(x, 0.3, 4))


def test_what_asarray_takes(backend):
    x = [[1.0, 2.0], [3.0, 4.0]]
    assert_same(fd.mc_dropout(x, 0.3, 4, rng=rng()), answer(np.array(x), 0.3, 4))


# Rngs


def test_rows_of_a_larger_array(backend):
    x = values(9 * 700, np.dtype("f4")).reshape(9, 700)
    whole = fd.mc_dropout(x, 0.3, 3, rng=rng())
    for rows in (slice(0, 4), slice(4, 9)):
        r = rng().at_row(rows.start)
        assert_same(fd.mc_dropout(x[rows], 0.3, 3, rng=r), whole[:, rows].copy())
        assert r.state == rng().at_row(rows.start).state


def test_where_the_key_comes_from(backend):
    x = values(300, np.dtype("f4"))

    def mc(source):
        return fd.mc_dropout(x, 0.5, 3, rng=source)

    assert_same(mc(8), mc(fd.Rng(8)))
    assert_same(mc([1, 2]), mc(fd.Rng([1, 2])))
    for make in (lambda g: g, lambda g: g.bit_generator):
        g, twin = np.random.default_rng(1), np.random.default_rng(1)
        first, second = mc(make(g)), mc(make(g))
        for got in (first, second):
            assert_same(got, mc(fd.Rng.from_key(*map(int, twin.bit_generator.random_raw(2)))))
    assert (mc(None) != mc(None)).any()


# An array p

RATES = {
    "units": np.linspace(0, 1, 130),
    "samples": np.array([[[0.2]], [[0.7]]]),
    "elements": np.linspace(0, 1, 2 * 33 * 130).reshape(2, 33, 130),
    "one": np.array([0.3]),
    "list": [[[0.2]], [[0.7]]],
    "float32": np.linspace(0, 1, 130, dtype="f4"),
}


@pytest.mark.parametrize("p", RATES.values(), ids=RATES)
@pytest.mark.parametrize("layout", LAYOUTS | FOREIGN)
@every_dtype
def test_an_array_p(backend, dtype, layout, p):
    """Row t is the first draw of rng.fold_in(t), also of an rng at a row and into an out of another layout."""
    x = (LAYOUTS | FOREIGN)[layout](values(2 * 33 * 130, dtype).reshape(2, 33, 130))
    for r in (rng(3), rng(3).at_row(5)):
        want = np.array([fd.dropout(x, p, rng=r.fold_in(t))[0] for t in range(3)])
        assert_same(fd.mc_dropout(x, p, 3, rng=r), want)
        out = np.full((130, 33, 2, 3), 7, dtype).T
        assert fd.mc_dropout(x, p, 3, rng=r, out=out) is out
        assert_same(out.copy(order="C"), want)
        assert r.counter == 3


def test_an_array_p_that_does_not_fit():
    x, r = np.ones((2, 3)), rng(3)
    for p, error, message in (
        ([0.5] * 4, ValueError, r"p must broadcast to the noise shape \(2, 3\), got \(4,\)"),
        ([[[0.5]]], ValueError, "p must broadcast"),
        ([0.5, 2.0, 0.1], ValueError, "p must be between 0 and 1, got 2.0"),
        ([True, False, True], TypeError, "p must be real numbers, got bool"),
    ):
        with pytest.raises(error, match=message):
            fd.mc_dropout(x, p, 3, rng=r)
    assert r.counter == 3
