"""Under numpy.errstate(all="raise"): what rounds, overflows or underflows here is silent, as it is in the core."""

import numpy as np
import pytest
from conftest import DTYPES, assert_same, rng, specials
from test_family import LAYERS, new

import fastdrop as fd


@pytest.fixture
def strict():
    with np.errstate(all="raise"):
        yield


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name, dtype):
    layer, x = new(name, rng=rng())
    if "Alpha" in name and dtype.kind == "c":
        dtype = np.dtype("f4")  # alpha dropout has no complex form
    x = np.resize(specials(dtype), x.shape)
    twin, _ = new(name, rng=rng())
    for rate in (layer._p, 1e-310, 0.999):
        layer._p = twin._p = layer._checked(rate)
        for mode in (True, False):
            want = [twin.train(mode)(x), twin.backward(x)]
            with np.errstate(all="raise"):
                got = [layer.train(mode)(x), layer.backward(x)]
            for a, b in zip(got, want, strict=True):
                assert_same(a, b)
    assert layer.rng.counter == twin.rng.counter == 3


@pytest.mark.parametrize("stddev", [1e-310, 1e-50, 1e300, 0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gaussian_noise(strict, dtype, stddev):
    layer = fd.GaussianNoise(stddev, rng=rng())
    y = layer(np.ones((40, 3), dtype))
    assert y.shape == (40, 3)
    assert layer.rng.counter == 1


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("value", ["max", "tiny"])
@pytest.mark.parametrize("mode", [True, False])
def test_thinned_linear(strict, dtype, value, mode):
    x = np.full((3, 4), getattr(np.finfo(dtype), value), dtype)
    layer = fd.ThinnedLinear(np.full((4, 8), x[0, 0]), np.full(8, x[0, 0]), rng=rng()).train(mode)
    want = np.inf if value == "max" else 0
    with np.errstate(all="ignore"):
        b = layer.b * x.dtype.type(2 if mode else 1)
    y = layer(x)
    assert (y[:, layer.columns] == (want or b[0])).all()
    dx = layer.backward(np.full((3, 8), x[0, 0]))
    assert (dx == want).all()
    layer.sgd_step(1e-30)
    assert layer.rng.counter == int(mode)


def test_embedding(strict):
    layer = fd.EmbeddingDropout(0.5, rng=rng())
    for dtype in DTYPES:
        table = np.resize(specials(dtype), (40, 3))
        y = layer(table, [3, 7, 3, -1])
        assert layer.backward(y).shape == table.shape
        assert layer.eval()(table, [[1]]).shape == (1, 1, 3)
        layer.train()


@pytest.mark.parametrize("value", [1e308, 1e-308, 5e-324, np.inf, np.nan, 3e38], ids=str)
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_monte_carlo(strict, value, dtype, batch_size):
    with np.errstate(all="ignore"):
        x = np.full((4, 3), value).astype(dtype)
    x[0] = 1
    result = fd.monte_carlo(fd.Dropout(0.5), x, 5, rng=rng(), batch_size=batch_size)
    assert result.mean.shape == result.std.shape == (4, 3)


def test_entropies(strict):
    result = fd.monte_carlo(lambda x, rng: (rng.key, [5e-324, 1.0])[1], np.ones(2), 1)
    assert (result.entropy, result.mutual_information) == (pytest.approx(0), 0)
