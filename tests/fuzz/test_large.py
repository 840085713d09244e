"""More than 2^31 elements, float16 and memory-mapped; in the long form alone (--hypothesis-profile=long)."""

import shutil

import numpy as np
import pytest
import reference
from conftest import KEY, assert_same, rng

import fastdrop as fd

N = 2**31 + 2**20 + 77
PLACES = [0, 2**30 - 50, 2**31 - 64, 2**31 - 50, 2**31, 2**31 + 4096 * 100 - 33, N - 100]


@pytest.fixture(scope="module")
def large(request, tmp_path_factory):
    """x, and out, float16 in files without blocks; what is never written takes no disk."""
    if request.config.getoption("--hypothesis-profile", None) != "long":
        pytest.skip("NOT RUN: the long form alone")
    folder = tmp_path_factory.mktemp("large")
    if shutil.disk_usage(folder).free < 6 * N:
        pytest.skip("NOT RUN: the disk is short")
    yield [np.memmap(folder / name, np.float16, "w+", shape=(N,)) for name in ("x", "out")]
    shutil.rmtree(folder)


@pytest.mark.parametrize("store", ["bits", "recipe"])
def test_more_than_2_to_31_elements(large, store):
    x, out = large
    for place in PLACES:
        x[place : place + 100] = np.arange(1, 101)
    y, mask = fd.dropout(x, 0.1, rng=rng(), out=out, store=store)
    assert y is out
    check(x, out)
    for place in PLACES:
        out[place : place + 100] = 0
    fd.dropout_backward(x, mask, out=out)
    check(x, out)
    if store == "bits":
        kept = mask.kept
        assert abs(kept - 0.9 * N) < 5 * (0.09 * N) ** 0.5
        assert mask.bits.size == (N + 7) // 8


def check(x, out):
    for place in PLACES:
        keep = reference.kept(KEY, 0, 0.1, place, min(100, N - place))
        want = reference.apply(np.array(x[place : place + 100]), keep, reference.scale(0.1))
        assert_same(np.array(out[place : place + 100]), want)
