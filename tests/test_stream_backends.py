"""Known answers of the mask stream, given by every backend through the public functions.

stream-check.json was made apart from this project, vectors.json by its own reference.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import fastdrop as fd

HERE = Path(__file__).parent


def section(name):
    """The cases of a section of both files, whose title may go on with the names of the columns."""
    return [
        pytest.param(*case, id=f"{file}-{i}")
        for file in ("stream-check", "vectors")
        for title, cases in json.loads((HERE / f"{file}.json").read_text()).items()
        if title.split(":")[0] == name
        for i, case in enumerate(cases)
    ]


def words(key):
    return tuple(int(k, 16) for k in key)


def ints(texts):
    return tuple(map(int, texts))


def check(key, stream, p, shape, bits, **place):
    """The call's mask is the answer, however it is asked for."""
    p, n, packed = float.fromhex(p), int(np.prod(shape, dtype=np.int64)), bytes.fromhex(bits)
    kept = np.unpackbits(np.frombuffer(packed, np.uint8), count=n, bitorder="little").reshape(shape).astype(bool)

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
    check(key, stream, p, (n,), bits, offset=int(start))


@pytest.mark.parametrize(("key", "stream", "p", "full_shape", "start", "shape", "bits"), section("window"))
def test_window(backend, key, stream, p, full_shape, start, shape, bits):
    check(key, stream, p, tuple(shape), bits, window=(ints(full_shape), ints(start)))


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 3 / 8, 1 - 2**-53, 1])
@pytest.mark.parametrize("shape", [(), 0, 7, np.int64(4097), (3, 0), (5, 1000), [2, 3]], ids=str)
def test_bernoulli_is_the_complement(backend, shape, p):
    drawn = fd.bernoulli(shape, p, rng=6)
    y, mask = fd.dropout(np.ones(shape), p, rng=6)
    assert type(drawn) is np.ndarray
    assert (drawn.dtype, drawn.shape) == (bool, y.shape)
    np.testing.assert_array_equal(drawn, ~mask.to_bool())
