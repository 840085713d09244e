"""Input in pages that the processor will not write to: whoever tried would be killed."""

import numpy as np
import pytest
from conftest import DTYPES, STORES, assert_same, rng, values

import fastdrop as fd

SHAPE = (70, 130)


@pytest.fixture
def read_only(tmp_path):
    """A function that puts an array into such pages."""

    def put(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        path.write_bytes(array.tobytes())
        return np.memmap(path, np.uint8, "r").view(array.dtype).reshape(array.shape)

    return put


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_input(backend, read_only, dtype, store):
    x, residual = (values(70 * 130, dtype, seed).reshape(SHAPE) for seed in (1, 2))
    bias, p = x[0].copy(), np.full(130, 0.3)
    calls = [
        lambda x, residual, bias, p: fd.dropout(x, 0.3, rng=rng(), store=store),
        lambda x, residual, bias, p: fd.dropout(x.T, 0.3, rng=rng(), store=store, noise_shape=(1, None)),
        lambda x, residual, bias, p: fd.dropout(x, p, rng=rng(), store=store),
        lambda x, residual, bias, p: fd.bias_dropout_residual(x, bias, residual, 0.3, rng=rng(), store=store),
    ]
    inputs = (x, residual, bias, p)
    protected = [read_only(a) for a in inputs]
    for call in calls:
        (y, mask), (want, _) = call(*protected), call(*inputs)
        assert_same(y, want)
        dy = protected[1].reshape(y.shape) if y.shape == SHAPE else protected[1].T
        assert_same(fd.dropout_backward(dy, mask), fd.dropout_backward(np.array(dy), mask))
    assert_same(fd.mc_dropout(protected[0], 0.3, 3, rng=rng()), fd.mc_dropout(x, 0.3, 3, rng=rng()))


def test_as_out_they_are_refused(read_only):
    r, out = rng(), read_only(np.ones(9))
    with pytest.raises(ValueError, match="out must be writable, got a read-only array"):
        fd.dropout(out, rng=r, out=out)
    assert r.counter == 0
