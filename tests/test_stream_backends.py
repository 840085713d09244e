"""Known answers of the mask stream, given by every backend through the public functions.

stream-check.json was made apart from this project, vectors.json by its own reference.
"""

import hashlib
import math

import numpy as np
import pytest
from conftest import THREADS
from known_answers import ints, section, words

import fastdrop as fd


def check(key, stream, p, shape, bits, noise=None, **place):
    """The call's mask is the answer, however it is asked for; noise is the noise shape, where it is another."""
    noise = shape if noise is None else noise
    packed = bytes.fromhex(bits)
    kept = np.unpackbits(np.frombuffer(packed, np.uint8), count=math.prod(noise), bitorder="little").astype(bool)
    kept = np.broadcast_to(kept.reshape(noise), shape)

    def rng():
        return fd.Rng.from_key(*words(key), counter=int(stream))

    for dtype, store in ((np.float32, "bits"), (np.complex128, "recipe")):
        y, mask = fd.dropout(np.ones(shape, dtype), p, rng=rng(), store=store, inverted=False, **place)
        assert mask.bits.tobytes() == packed
        np.testing.assert_array_equal(mask.to_bool(), kept)
        np.testing.assert_array_equal(y, kept)
    if place == {"offset": 0}:
        np.testing.assert_array_equal(fd.bernoulli(shape, p, rng=rng()), ~kept)


@pytest.mark.parametrize(("seed", "key"), section("key_from_seed"))
def test_key_from_seed(seed, key):
    assert fd.Rng(seed).key == fd.Rng(np.random.SeedSequence(seed)).key == words(key)


@pytest.mark.parametrize(("key", "values", "child"), section("fold_in"))
def test_fold_in(key, values, child):
    parent = fd.Rng.from_key(*words(key), counter=5)
    if values[0] == 2**64 - 1:  # the library's own, for the children of spawn
        assert parent.spawn(values[1] + 1)[-1].key == words(child)
    if max(values) >= 2**63:
        with pytest.raises(ValueError, match=r"fold_in takes ints in \[0, 2\*\*63\), got"):
            parent.fold_in(*values)
        return
    got = parent.fold_in(*values)
    assert (got.key, got.counter, parent.counter) == (words(child), 0, 5)
    for v in values:
        parent = parent.fold_in(v)
    assert parent.key == got.key


@pytest.mark.parametrize(("key", "stream", "p", "start", "n", "bits"), section("mask"))
def test_mask(backend, key, stream, p, start, n, bits):
    check(key, stream, float.fromhex(p), (n,), bits, offset=int(start))


@pytest.mark.parametrize("threads", THREADS, indirect=True)
@pytest.mark.parametrize(("key", "stream", "p", "start", "n", "sha256"), section("long mask"))
def test_long_mask(backend, threads, key, stream, p, start, n, sha256):
    rng = fd.Rng.from_key(*words(key), counter=int(stream))
    y, mask = fd.dropout(np.ones(n), float.fromhex(p), rng=rng, inverted=False, offset=int(start))
    assert hashlib.sha256(mask.bits.tobytes()).hexdigest() == sha256
    np.testing.assert_array_equal(y, mask.to_bool())


@pytest.mark.parametrize(("key", "stream", "p", "full_shape", "start", "shape", "bits"), section("window"))
def test_window(backend, key, stream, p, full_shape, start, shape, bits):
    check(key, stream, float.fromhex(p), tuple(shape), bits, window=(ints(full_shape), ints(start)))


@pytest.mark.parametrize(
    ("key", "stream", "p", "full_shape", "start", "shape", "noise_shape", "bits"), section("noise window")
)
def test_noise_window(backend, key, stream, p, full_shape, start, shape, noise_shape, bits):
    noise = tuple(n if entry is None else entry for n, entry in zip(shape, noise_shape, strict=True))
    window = ints(full_shape), ints(start)
    check(key, stream, float.fromhex(p), tuple(shape), bits, noise, noise_shape=noise_shape, window=window)


@pytest.mark.parametrize(("key", "stream", "p", "start", "bits"), section("array p"))
def test_array_p(backend, key, stream, p, start, bits):
    check(key, stream, list(map(float.fromhex, p)), (len(p),), bits, offset=int(start))


@pytest.mark.parametrize(("key", "stream", "p", "full_shape", "start", "shape", "bits"), section("array p window"))
def test_array_p_window(backend, key, stream, p, full_shape, start, shape, bits):
    rates = np.reshape(list(map(float.fromhex, p)), shape)
    check(key, stream, rates, tuple(shape), bits, window=(ints(full_shape), ints(start)))


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 3 / 8, 1 - 2**-53, 1])
@pytest.mark.parametrize("shape", [(), 0, 7, np.int64(4097), (3, 0), (5, 1000), [2, 3]], ids=str)
def test_bernoulli_is_the_complement(backend, shape, p):
    drawn = fd.bernoulli(shape, p, rng=6)
    y, mask = fd.dropout(np.ones(shape), p, rng=6)
    assert type(drawn) is np.ndarray
    assert (drawn.dtype, drawn.shape) == (bool, y.shape)
    np.testing.assert_array_equal(drawn, ~mask.to_bool())
