"""fastdrop.dask on a cluster of processes of this machine, a worker of which is killed; run.py runs it."""

import os
import signal
import sys

import cloudpickle
import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster

import fastdrop as fd
import fastdrop.dask as door

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import it
pytestmark = pytest.mark.filterwarnings("default")  # distributed's own
X = np.random.default_rng(0).standard_normal((60, 50))


@pytest.fixture(scope="module", autouse=True)
def client():
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="1GiB", dashboard_address=None)
    with cluster, Client(cluster) as client:
        yield client


def f(x, rng):
    return fd.dropout(x, 0.3, rng=rng)[0]


def test_a_cluster():
    x = da.from_array(X, (17, 9))
    y, mask = door.dropout(x, 0.3, rng=fd.Rng(3), noise_shape=(None, 50))
    dx, result = mask.apply(y.rechunk((8, 50))), door.monte_carlo(f, x, 5, rng=4)
    expected, whole = fd.dropout(X, 0.3, rng=fd.Rng(3))
    theirs = fd.monte_carlo(f, X, 5, rng=4)
    got = dask.compute(y, dx, result.mean, result.std)
    for one, other in zip(got, (expected, whole.apply(expected), theirs.mean, theirs.std), strict=True):
        assert one.tobytes() == other.tobytes()


def test_four_times_the_memory_of_a_worker(client):
    before = client.run(os.getpid)
    x = da.ones((1 << 15, 1 << 15), dtype="f4", chunks=(1 << 9, 1 << 15))
    y, mask = door.dropout(x, rng=0)
    kept = (mask.apply(y) != 0).sum(axis=1).compute()
    for r in range(0, 1 << 15, 1 << 12):
        dropped = fd.bernoulli((1 << 12, 1 << 15), 0.5, rng=fd.Rng(0).at_row(r))
        np.testing.assert_array_equal(kept[r : r + len(dropped)], (~dropped).sum(axis=1))
    assert x.nbytes == 4 << 30
    assert client.run(os.getpid) == before  # none was ended for its memory


def test_a_worker_killed_midway(tmp_path):
    """The worker that has one of the blocks dies, with all that it had done."""
    killed = tmp_path / "killed"

    def die_once(block, block_info=None):
        if block_info[None]["chunk-location"] == (1, 1) and not killed.exists():
            killed.write_text(str(os.getpid()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    y, mask = door.dropout(da.from_array(X, (17, 9)), 0.3, rng=fd.Rng(3))
    y = y.map_blocks(die_once, meta=np.empty((0, 0)))
    dx = mask.apply(y.rechunk((8, 50)))
    got = dask.compute(y, dx)
    expected, whole = fd.dropout(X, 0.3, rng=fd.Rng(3))
    assert int(killed.read_text(encoding="utf-8")) != os.getpid()
    assert [a.tobytes() for a in got] == [a.tobytes() for a in (expected, whole.apply(expected))]
