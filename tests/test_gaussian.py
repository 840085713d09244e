"""Gaussian noise: known answers, its index, its moments, and the layers over it."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import reference
from conftest import DTYPES, KEY, assert_same, real_dtype, rng, specials, values

import fastdrop as fd

BLOCK = 16384
KNOWN = next(
    cases
    for title, cases in json.loads((Path(__file__).parent / "stream-check.json").read_text(encoding="utf-8")).items()
    if title.startswith("gaussian z, float64")
)


def z_of(indices, dtype, stream=0):
    """z of each logical index, in the type that dtype computes in."""
    compute = reference.compute_type(real_dtype(np.dtype(dtype)))
    z = [reference.gaussian_z(KEY, stream, int(i), 1, compute) for i in np.asarray(indices, object).flat]
    return np.concatenate([np.empty(0, compute), *z]).reshape(np.shape(indices))


def noise_of(p, z, dtype):
    """1 + s*z in the compute type, then in the real dtype."""
    s = z.dtype.type(math.sqrt(p / (1 - p)))
    return (z.dtype.type(1) + s * z).astype(real_dtype(np.dtype(dtype)))


def times(x, noise):
    """The product in x's dtype, each part of a complex one with the real noise."""
    y = np.empty_like(x)
    for part in ("real", "imag") if x.dtype.kind == "c" else ("real",):
        with np.errstate(all="ignore"):
            getattr(y, part)[...] = getattr(x, part) * noise
    return y


# The function


@pytest.mark.parametrize(("key", "stream", "start", "values"), KNOWN)
def test_known_answers(key, stream, start, values):
    r = fd.Rng.from_key(*(int(k, 16) for k in key), counter=int(stream))
    _, noise = fd.gaussian_dropout(np.ones(len(values)), 0.5, rng=r, offset=int(start))
    np.testing.assert_array_equal(noise, [1 + float.fromhex(v) for v in values])


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 0.999])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values(dtype, p):
    noise = noise_of(p, z_of(np.arange(60), dtype), dtype)
    for x in (values(60, dtype), np.resize(specials(dtype), 60)):
        y, got = fd.gaussian_dropout(x, p, rng=rng())
        assert_same(got, noise)
        assert_same(y, times(x, noise))
    if p == 0:
        assert_same(y, x)


@pytest.mark.parametrize("offset", [0, BLOCK - 3, 2**40, 2**64 - 6])
def test_offset(offset):
    _, noise = fd.gaussian_dropout(np.ones(6), 0.5, rng=rng(7), offset=offset)
    assert_same(noise, noise_of(0.5, z_of([offset + i for i in range(6)], "f8", stream=7), "f8"))


@pytest.mark.parametrize(
    ("full_shape", "start", "shape"),
    [
        ((10, 10000), (3, 1630), (4, 12)),
        ((5, 6, 7), (1, 2, 3), (3, 3, 4)),
        ((8, 3), (2, 0), (4, 3)),
        ((9, 9), (2, 8), (4, 1)),
        ((2**33, 3), (2**32 - 1, 0), (3, 3)),
        ((), (), ()),
        ((4, 4), (1, 1), (0, 2)),
    ],
    ids=str,
)
def test_window(full_shape, start, shape):
    _, noise = fd.gaussian_dropout(np.ones(shape), 0.5, rng=rng(), window=(full_shape, start))
    indices = reference.window_indices(full_shape, start, shape)
    assert_same(noise, noise_of(0.5, z_of(indices, "f8"), "f8"))


def test_blocks_meet():
    whole = fd.gaussian_dropout(np.ones((50, 1000), "f4"), 0.5, rng=rng())[1]
    parts = [
        fd.gaussian_dropout(np.ones((50, 300), "f4"), 0.5, rng=rng(), window=((50, 1000), (0, c)))[1]
        for c in (0, 300, 600)
    ]
    assert_same(np.concatenate(parts, axis=1), whole[:, :900].copy())
    rows = [fd.gaussian_dropout(np.ones((10, 1000), "f4"), 0.5, rng=rng().at_row(r))[1] for r in range(0, 50, 10)]
    assert_same(np.concatenate(rows), whole)


def test_layouts():
    x = values(60, np.dtype("f4")).reshape(3, 4, 5)
    noise = noise_of(0.3, z_of(np.arange(60).reshape(x.shape), "f4"), "f4")
    for layout in (np.asfortranarray(x), x.astype(">f4"), np.repeat(x, 2, axis=1)[:, ::2]):
        y, got = fd.gaussian_dropout(layout, 0.3, rng=rng())
        assert_same(got, noise)
        assert_same(y, x * noise)
    y = x.copy()
    assert fd.gaussian_dropout(y, 0.3, rng=rng(), out=y)[0] is y
    assert_same(y, x * noise)
    assert fd.gaussian_dropout(1.5, 0.3, rng=rng())[0].shape == ()


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_moments(p):
    n = 10**6
    _, noise = fd.gaussian_dropout(np.ones(n), p, rng=1)
    variance = p / (1 - p)
    assert abs(noise.mean() - 1) < 5 * math.sqrt(variance / n)
    assert abs(noise.var() - variance) < 5 * variance * math.sqrt(2 / n)


# Bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"p": 1}, ValueError, "p must be less than 1, got 1"),
        ({"p": 1.5}, ValueError, "p must be between 0 and 1, got 1.5"),
        ({"p": np.array([0.5])}, TypeError, "p must be a real number, got ndarray"),
        ({"x": np.ones(3, int)}, TypeError, "x must have dtype float16"),
        ({"x": np.ma.ones(3)}, TypeError, "x must not be a masked array"),
        ({"out": np.ones(4)}, ValueError, "out must have shape (3,), got (4,)"),
        ({"out": [1.0]}, TypeError, "out must be a numpy.ndarray, got list"),
        ({"offset": -1}, ValueError, "offset must be at least 0, got -1"),
        ({"offset": 2**64 - 2}, ValueError, "offset + n must be at most 2**64"),
        ({"window": ((2,), (0,))}, ValueError, "window must lie inside full_shape (2,)"),
        ({"offset": 1, "rng": rng().at_row(1)}, ValueError, "offset and window exclude an rng at a row, got row 1"),
        ({"rng": "a"}, TypeError, "rng must be an Rng"),
    ],
    ids=str,
)
def test_a_refused_call_draws_nothing(arguments, error, message):
    x, r = np.ones(3), arguments.get("rng", rng())
    with pytest.raises(error, match=rf"\A{re.escape(message)}"):
        fd.gaussian_dropout(**{"x": x, "out": x, "rng": r} | arguments)
    assert (x == 1).all()
    assert r == "a" or r.counter == 0


# The layers


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gaussian_dropout_layer(dtype):
    layer, x, dy = fd.GaussianDropout(0.3, rng=rng()), values(60, dtype), values(60, dtype, seed=1)
    for stream in range(2):
        noise = noise_of(0.3, z_of(np.arange(60), dtype, stream), dtype)
        assert_same(layer(x), times(x, noise))
        assert_same(layer.backward(dy), times(dy, noise))
        out = dy.copy()
        assert layer.backward(out, out=out) is out
        assert_same(out, times(dy, noise))
    assert layer.mask is None
    with pytest.raises(ValueError, match=re.escape("dy must have the output's shape (60,), got (3,)")):
        layer.backward(dy[:3])
    with pytest.raises(ValueError, match="p must be less than 1"):
        layer.p = 1
    assert layer.p == 0.3


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gaussian_noise_layer(dtype):
    layer, x = fd.GaussianNoise(0.3, rng=rng()), values(60, dtype)
    z = z_of(np.arange(60), dtype)
    want = x.copy()
    want.real = x.real + (z.dtype.type(0.3) * z).astype(real_dtype(dtype))
    assert_same(layer(x), want)
    assert layer.backward(x) is x
    assert layer.mask is None
    assert layer.rng.counter == 1


def test_stddev():
    layer = fd.GaussianNoise(np.float32(0.25), rng=rng())
    assert layer.state_dict() == layer.rng.state | {"stddev": 0.25, "training": True}
    layer.stddev = 0
    np.testing.assert_array_equal(layer(np.ones(3)), 1)
    assert repr(layer) == "GaussianNoise(stddev=0.0)"
    assert not hasattr(layer, "p")
    for bad in (-1.0, math.nan, math.inf, 10**400):
        with pytest.raises(ValueError, match=re.escape(f"stddev must be finite and at least 0, got {bad}")):
            layer.stddev = bad
    for bad in ("a", None, True, 1j, [0.5]):
        with pytest.raises(TypeError, match=re.escape(f"stddev must be a real number, got {type(bad).__name__}")):
            fd.GaussianNoise(bad)
    assert layer.stddev == 0
