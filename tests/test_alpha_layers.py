"""AlphaDropout and FeatureAlphaDropout: the affine map by hand, and SELU's mean and variance."""

import math
import pickle
import re

import numpy as np
import pytest
import reference
from conftest import DTYPES, assert_mask, assert_same, kept, rng, specials, values

import fastdrop as fd

REAL = [dtype for dtype in DTYPES if dtype.kind != "c"]
CASES = {  # class, options, shape of x, shape of the mask
    "alpha": (fd.AlphaDropout, {}, (40, 5), (40, 5)),
    "alpha-0d": (fd.AlphaDropout, {}, (), ()),
    "feature": (fd.FeatureAlphaDropout, {}, (4, 3, 5), (4, 3, 1)),
    "feature-last": (fd.FeatureAlphaDropout, {"channel_axis": -1}, (4, 5, 6, 3), (4, 1, 1, 3)),
}
cases = pytest.mark.parametrize(("cls", "options", "shape", "noise"), CASES.values(), ids=CASES)


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 0.99, 1])
@pytest.mark.parametrize("dtype", REAL, ids=str)
@cases
def test_forward_and_backward(cls, options, shape, noise, dtype, p):
    layer, n = cls(p, rng=rng(), **options), math.prod(shape)
    dy = values(n, dtype, seed=1).reshape(shape)
    for stream, x in enumerate([values(n, dtype).reshape(shape), np.resize(specials(dtype), shape)]):
        keep = kept(p, math.prod(noise), stream=stream).reshape(noise)
        assert_same(layer(x), reference.alpha(x, keep, p))
        assert_mask(layer.mask, keep, shape)
        assert_same(layer.backward(dy), reference.apply(dy, keep, reference.alpha_affine(p)[0] if p < 1 else 1))
    assert layer.rng.counter == 2


@pytest.mark.parametrize("p", [0.05, 0.1, 0.2, 0.5])
@pytest.mark.parametrize("cls", [fd.AlphaDropout, fd.FeatureAlphaDropout])
def test_selu_keeps_its_mean_and_variance(cls, p):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    z = np.random.default_rng(0).standard_normal((4000, 250, 1))
    x = scale * np.where(z > 0, z, alpha * np.expm1(z))
    y = cls(p, rng=1)(x)
    assert abs(x.mean()) < 0.01
    assert abs(x.var() - 1) < 0.01
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.01


@pytest.mark.parametrize("p", [2.0**-66, 1e-10, 1 - 2.0**-53])
def test_no_nan_at_the_ends(p):
    layer, x = fd.AlphaDropout(p, rng=1), values(1000, np.dtype("f4"))
    assert np.isfinite(layer(x)).all()
    assert np.isfinite(layer.backward(x)).all()


@cases
def test_eval_rows_and_pickle(cls, options, shape, noise):
    layer, x = cls(0.3, rng=rng(), **options), np.ones(shape)
    y = layer(x)
    assert_same(pickle.loads(pickle.dumps(layer)).backward(x), layer.backward(x))
    assert layer.eval()(x) is x
    assert layer.backward(x) is x
    assert (layer.mask, layer.rng.counter) == (None, 1)
    if shape:
        tail = layer.train().forward(x[2:], rng=rng().at_row(2))
        assert_same(tail, y[2:])


@pytest.mark.parametrize("dtype", ["c8", "c16", "i8"])
@pytest.mark.parametrize("cls", [fd.AlphaDropout, fd.FeatureAlphaDropout])
def test_other_types_are_refused(cls, dtype):
    layer = cls(rng=rng())
    with pytest.raises(TypeError, match=r"\Ax must "):
        layer(np.ones((2, 3, 4), dtype))
    assert (layer.mask, layer.rng.counter) == (None, 0)
    with pytest.raises(TypeError, match=re.escape("p must be a real number, got list")):
        layer.p = [0.5]


@pytest.mark.parametrize("p", [[0.1, 0.2], np.full(3, 0.1)])
def test_an_array_p_is_refused_with_the_reason(p):
    for call in (fd.AlphaDropout, fd.FeatureAlphaDropout, lambda p: fd.alpha_dropout(np.ones(3), p)):
        with pytest.raises(TypeError, match=r"^p must be a real number, got \w+: alpha dropout's mean and variance"):
            call(p)
