"""fastdrop.dask against fastdrop.dropout of the whole array, bit for bit; clusters and larger arrays: long_dask.py."""

import pickle
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import reference

import fastdrop as fd

pytest.importorskip("dask.array")

import cloudpickle
import dask
import dask.array as da
from dask.array.utils import assert_eq

import fastdrop.dask as door

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # other processes cannot import it

SHAPE = (7, 6, 5)
CHUNKS = [
    (7, 6, 5),
    (1, 1, 1),
    (2, 6, 5),
    (7, 6, 2),
    (2, 3, 4),
    ((3, 4), (1, 5), (2, 3)),
    ((0, 7), (2, 0, 4), (5,)),
]
NOISE = [None, (7, 6, 5), (7, 1, None), (1, 6, 5), (6, 1), []]
X = np.random.default_rng(0).standard_normal(SHAPE)
DY = np.random.default_rng(1).standard_normal(SHAPE)


@pytest.fixture(autouse=True)
def synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


def assert_same(got, expected):
    """Equal by dask's own rules, and then in every bit."""
    assert_eq(got, expected)
    assert got.compute().tobytes() == expected.tobytes()


def identity(x, rng):
    return fd.dropout(x, 0.3, rng=rng)[0]


W = np.random.default_rng(2).standard_normal((5, 3))


def network(x, rng):
    """Probabilities of three classes."""
    y = np.exp((fd.dropout(x, 0.3, rng=rng)[0][:, :, None] * W).sum(axis=1))  # no BLAS: its rounding is the height's
    return y / y.sum(axis=1, keepdims=True)


# The mask


@pytest.mark.parametrize(("chunks", "noise"), list(product(CHUNKS, NOISE)))
def test_the_bits_of_the_whole(chunks, noise):
    expected, whole = fd.dropout(X, 0.3, rng=fd.Rng(3), noise_shape=noise)
    y, mask = door.dropout(da.from_array(X, chunks), 0.3, rng=fd.Rng(3), noise_shape=noise)
    assert_same(y, expected)
    for others in (chunks, (3, 2, 5)):
        assert_same(mask.apply(da.from_array(DY, others)), whole.apply(DY))


def test_the_oracle_of_the_stream():
    y, _ = door.dropout(da.ones(SHAPE, chunks=(2, 4, 3)), 0.3, rng=fd.Rng.from_key(5, 6, counter=9))
    kept = reference.kept((5, 6), 9, 0.3, 0, X.size).reshape(SHAPE)
    assert_eq(y != 0, kept)


def test_rechunked_between_and_lazy_work_around():
    x = da.from_array(X, (2, 3, 4))
    y, mask = door.dropout(x * 2, rng=1)
    dx = mask.apply((y.rechunk((7, 2, 1)) ** 2)[::1]).rechunk((1, 6, 5))
    whole, theirs = fd.dropout(X * 2, rng=1)
    assert_same(dx, theirs.apply(whole**2))
    assert_same(y[2:5, ::2], whole[2:5, ::2])  # a part computes its chunks alone


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_schedulers(scheduler):
    x = da.from_array(X, (2, 3, 4))
    y, mask = door.dropout(x, 0.3, rng=fd.Rng(3), noise_shape=(None, 1, 5))
    result = door.monte_carlo(network, da.from_array(X[:, 0], (3, 5)), 4, rng=7)
    with dask.config.set(scheduler=scheduler, num_workers=2):
        got = dask.compute(y, mask.apply(y), result.mean, result.entropy)
    expected, whole = fd.dropout(X, 0.3, rng=fd.Rng(3), noise_shape=(None, 1, 5))
    theirs = fd.monte_carlo(network, X[:, 0], 4, rng=7)
    for one, other in zip(got, (expected, whole.apply(expected), theirs.mean, theirs.entropy), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "c8", "c16"])
@pytest.mark.parametrize("p", [0, 0.25, 1])
def test_dtypes(dtype, p):
    x = X.astype(dtype)
    y, mask = door.dropout(da.from_array(x, (2, 6, 3)), p, rng=2)
    expected, whole = fd.dropout(x, p, rng=2)
    assert y.dtype == expected.dtype
    assert_same(y, expected)
    assert_same(mask.apply(da.from_array(x, 4)), whole.apply(x))


@pytest.mark.parametrize(
    ("shape", "noise"),
    [
        ((), None),
        ((5,), None),
        ((7, 1, 5), None),
        (SHAPE, SHAPE),
        ((5,), (None, 1, None)),
        ((6, 1), (1, 6, 1)),
        ((7, 1, 1), (7, 1, 5)),
    ],
)
def test_array_p(shape, noise):
    p = np.asarray(np.random.default_rng(4).random(shape))
    expected, whole = fd.dropout(X, p, rng=3, noise_shape=noise)
    y, mask = door.dropout(da.from_array(X, (2, 4, 3)), p, rng=3, noise_shape=noise)
    dx = mask.apply(da.from_array(DY, (7, 1, 2)))
    p[...] = 0  # the rates are those of the call
    assert_same(y, expected)
    assert_same(dx, whole.apply(DY))


def test_small_and_empty_arrays():
    for shape in [(), (1,), (0,), (0, 3), (3, 0)]:
        x = np.ones(shape)
        assert_same(door.dropout(da.from_array(x, 2), 0.5, rng=1)[0], fd.dropout(x, 0.5, rng=1)[0])


@pytest.mark.parametrize("noise", [None, (1, 6, None), (None, 1, None)])
def test_an_rng_at_a_row(noise):
    rows, _ = fd.dropout(np.ones((20, 6, 5)), rng=5, noise_shape=noise)
    y, mask = door.dropout(da.ones(SHAPE, chunks=(2, 4, 3)), rng=fd.Rng(5).at_row(4), noise_shape=noise)
    assert_same(y, rows[4:11])
    assert_same(mask.apply(da.ones(SHAPE, chunks=3)), rows[4:11])


# The rng


def test_each_call_takes_one_stream_at_the_call():
    rng, other = fd.Rng(3), fd.Rng(3)
    x = da.from_array(X, (1, 3, 5))
    first, mask = door.dropout(x, rng=rng)
    second, _ = door.dropout(x, 0.2, rng=rng)
    assert rng.counter == 2
    expected = [fd.dropout(X, p, rng=other)[0] for p in (0.5, 0.2)]
    assert_same(second, expected[1])  # computed in another order
    assert_same(first, expected[0])
    assert_same(mask.apply(x), expected[0])
    assert rng.counter == 2


def test_generators_and_seeds():
    ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
    x = da.from_array(X, 3)
    for _ in range(2):
        y, _ = door.dropout(x, rng=ours)
        assert_same(y, fd.dropout(X, rng=theirs)[0])
    assert ours.bit_generator.state == theirs.bit_generator.state
    assert_same(door.dropout(x, rng=[1, 2])[0], fd.dropout(X, rng=[1, 2])[0])
    first, second = (door.dropout(x, rng=None)[0] for _ in range(2))
    assert (first != second).any().compute()
    assert (first == first).all().compute()  # the key is that of the call


def test_a_thread_that_draws_between_gets_a_stream_of_its_own(monkeypatch):
    rng, draw, others = fd.Rng(0), fd.bernoulli, []

    def late(*args, **options):
        if not others:
            others.append(rng.counter)
            draw(1, 0.5, rng=rng)
        return draw(*args, **options)

    monkeypatch.setattr(fd, "bernoulli", late)
    y, mask = door.dropout(da.from_array(X, 3), rng=rng)
    assert (others, mask.stream) == ([0], rng.counter - 1)
    assert_same(y, fd.dropout(X, rng=fd.Rng.from_key(*rng.key, mask.stream))[0])


def test_the_last_streams():
    rng = fd.Rng.from_key(1, 2, counter=2**64 - 2)
    expected = fd.dropout(X, rng=fd.Rng.from_key(1, 2, counter=2**64 - 2))[0]
    assert_same(door.dropout(da.from_array(X, 3), rng=rng)[0], expected)
    with pytest.raises(OverflowError, match="exhausted"):
        door.dropout(da.from_array(X, 3), rng=rng)


# What dask needs


def test_building_the_graph_draws_nothing(monkeypatch):
    sizes, draw = [], fd.dropout
    monkeypatch.setattr(fd, "dropout", lambda x, *args, **kw: (sizes.append(np.size(x)), draw(x, *args, **kw))[1])
    rng = fd.Rng(0)
    y, mask = door.dropout(da.ones(SHAPE, chunks=3), rng=rng)
    mask.apply(y + 1)
    assert (set(sizes), rng.counter) == ({0}, 1)
    y.compute()
    assert sum(sizes) == X.size


def test_one_thread_a_task(monkeypatch, restored_threads):
    threads, draw = [], fd.dropout
    monkeypatch.setattr(
        fd, "dropout", lambda x, *args, **kw: (threads.append(fd.get_num_threads()), draw(x, *args, **kw))[1]
    )
    fd.set_num_threads(3)
    y, _ = door.dropout(da.ones(SHAPE, chunks=3), rng=0)
    threads.clear()
    with dask.config.set(scheduler="threads"):
        y.compute()
        assert set(threads) == {1}
        threads.clear()
        door.monte_carlo(identity, da.ones((8, 4), chunks=(4, 4)), 2, rng=0).mean.compute()
    assert set(threads) <= {1, 3}  # 3: the one row that shows what f returns
    assert threads.count(1) == 4
    assert fd.get_num_threads() == 3


def test_the_same_call_has_the_same_name():
    x = da.ones(SHAPE, chunks=3)
    names = [door.dropout(x, p, rng=seed, noise_shape=noise)[0].name for p, seed, noise in [
        (0.5, 1, None), (0.5, 1, SHAPE), (0.5, 2, None), (0.4, 1, None), (0.5, 1, (1, 6, 5))]]  # fmt: skip
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_the_mask_can_be_pickled_and_multiplies_nothing():
    x = da.from_array(X, 3)
    y, mask = door.dropout(x, rng=0)
    assert len(pickle.dumps(mask)) < 500
    assert_same(pickle.loads(pickle.dumps(mask)).apply(x), y.compute())
    for multiply in (lambda: x * mask, lambda: mask * x, lambda: X * mask):
        with pytest.raises(TypeError):
            multiply()


MEMORY = """if True:
    import resource, dask, dask.array as da, fastdrop.dask
    dask.config.set(scheduler="synchronous")
    x = da.ones((1 << 13, 1 << 13), dtype="f4", chunks=(512, 1 << 12))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    y, mask = fastdrop.dask.dropout(x, rng=0)
    kept = int((mask.apply(y) != 0).sum().compute())
    print(kept, x.nbytes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the unit of ru_maxrss is Linux's")
def test_a_large_array_is_streamed():
    """A third of the array has to suffice; how many elements are kept says that they were drawn."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, encoding="utf-8", check=True)
    kept, size, memory = map(int, done.stdout.split())
    assert (kept, size) == ((~fd.bernoulli((1 << 13, 1 << 13), 0.5, rng=0)).sum(), 1 << 28)
    assert memory < size // 3


# Errors


THREE = da.ones(3)
REFUSED = [
    (TypeError, "x must be a dask array, got ndarray", X, {}),
    (TypeError, "x must have dtype float16, .* got int64", THREE.astype(int), {}),
    (TypeError, "masked", da.ma.masked_equal(THREE, 1), {}),
    (ValueError, r"p must be between 0 and 1, got 1\.5", THREE, {"p": 1.5}),
    (ValueError, "p must be between 0 and 1, got 2", THREE, {"p": [0.5, 2, 0]}),
    (ValueError, r"p must broadcast to the noise shape \(3,\), got \(2,\)", THREE, {"p": [0.5, 0.2]}),
    (ValueError, r"to the noise shape \(1,\), got \(3,\)", THREE, {"p": [0.5, 0.2, 0], "noise_shape": (1,)}),
    (ValueError, r"noise_shape must broadcast to x's shape \(3,\), got \(2,\)", THREE, {"noise_shape": (2,)}),
    (ValueError, r"noise_shape must broadcast .* got \(1, 3\)", THREE, {"noise_shape": (1, 3)}),
    (TypeError, r"noise_shape must be a tuple of ints and None, got \(1\.0,\)", THREE, {"noise_shape": (1.0,)}),
    (TypeError, "noise_shape must be a tuple of ints and None, got 3", THREE, {"noise_shape": 3}),
    (ValueError, r"got shape \(nan,\): call x.compute_chunk_sizes\(\) first", THREE[THREE > 0], {}),
    (ValueError, r"2\*\*64", da.ones((1 << 33, 1 << 32), chunks=1 << 31), {}),
]


@pytest.mark.parametrize(("error", "message", "x", "arguments"), REFUSED)
def test_refused_before_anything_is_drawn(error, message, x, arguments):
    rng = fd.Rng(0)
    with pytest.raises(error, match=message):
        door.dropout(x, rng=rng, **arguments)
    assert rng.counter == 0


def test_a_bad_rng():
    x = da.ones(3)
    for bad in ("seed", np.random.RandomState(0)):
        with pytest.raises(TypeError, match="rng must"):
            door.dropout(x, rng=bad)
    with pytest.raises(TypeError, match="rng"):
        door.dropout(x)
    with pytest.raises(ValueError, match="got row 2 and a 0-d array"):
        door.dropout(da.ones(()), rng=fd.Rng(0).at_row(2))


def test_a_bad_gradient():
    _, mask = door.dropout(da.ones((4, 3)), rng=0)
    for error, message, dy in [
        (TypeError, "dy must be a dask array, got ndarray", np.ones((4, 3))),
        (ValueError, r"dy must have the mask's shape \(4, 3\), got \(4, 4\)", da.ones((4, 4))),
        (TypeError, "dy must have dtype float16, .* got int64", da.ones((4, 3), dtype=int)),
        (ValueError, "dy must have chunks of known sizes", da.ones((4, 3))[da.ones(4) > 0]),
    ]:
        with pytest.raises(error, match=message):
            mask.apply(dy)


def test_without_dask_the_extra_is_named():
    code = "import sys; sys.modules['dask'] = None; import fastdrop, fastdrop.dask"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert "ImportError: fastdrop.dask needs dask" in done.stderr
    assert "pip install 'numpy-fastdrop[dask]'" in done.stderr


# Monte Carlo


@pytest.mark.parametrize("chunks", [(6, 5), (1, 5), ((1, 3, 2), (2, 3))])
def test_monte_carlo_is_that_of_one_machine(chunks):
    rng = fd.Rng(3)
    ours = door.monte_carlo(network, da.from_array(X[0], chunks), 5, rng=rng)
    theirs = fd.monte_carlo(network, X[0], 5, rng=fd.Rng(3))
    assert rng.counter == 0
    for name in ("mean", "std", "entropy", "mutual_information"):
        assert_same(getattr(ours, name), getattr(theirs, name))
    rng.state = fd.Rng(4).state  # what was asked for stays
    assert_same(ours.mean, theirs.mean)


def test_monte_carlo_of_other_shapes_and_kinds():
    for f, x in [(lambda x, rng: identity(x, rng).sum(axis=1), X[0]), (identity, X), (identity, X[0] * (1 + 2j))]:
        ours = door.monte_carlo(f, da.from_array(x, 2), 5, rng=np.random.default_rng(1))
        theirs = fd.monte_carlo(f, x, 5, rng=np.random.default_rng(1))
        assert_same(ours.mean, theirs.mean)
        assert_same(ours.std, theirs.std)


def test_monte_carlo_at_a_row():
    whole = fd.monte_carlo(network, np.tile(X[0], (2, 1)), 5, rng=3)
    part = door.monte_carlo(network, da.from_array(X[0], (4, 5)), 5, rng=fd.Rng(3).at_row(6))
    assert_same(part.mean, whole.mean[6:])


def test_monte_carlo_refuses():
    x = da.ones((4, 3), chunks=2)
    for error, message, arguments in [
        (TypeError, "x must be a dask array, got ndarray", (identity, np.ones(3))),
        (ValueError, "x must have an axis of rows, got a 0-d array", (identity, da.ones(()))),
        (ValueError, "x must have chunks of known sizes", (identity, x[da.ones(4) > 0])),
        (ValueError, "samples must be at least 1, got 0", (identity, x, 0)),
        (TypeError, "f must be callable, got int", (1, x)),
        (TypeError, "f must return an array, got a tuple", (lambda x, rng: fd.dropout(x, rng=rng), x)),
        (ValueError, "f must return a row for each of 1 rows", (lambda x, rng: identity(x, rng)[:0], x)),
    ]:
        with pytest.raises(error, match=message):
            door.monte_carlo(*arguments, rng=0)
    for error, message, f in [
        (ValueError, "f must return a row for each of 2 rows", lambda x, rng: identity(x, rng)[:1]),
        (ValueError, "got time there", lambda x, rng: fd.LockedDropout().forward(x[:, None], rng=rng)[:, 0]),
    ]:
        with pytest.raises(error, match=message):
            door.monte_carlo(f, x, 2, rng=0).mean.compute()
    result = door.monte_carlo(identity, x, 2, rng=0)
    with pytest.raises(ValueError, match="entropy needs outputs that are probabilities"):
        result.entropy.compute()
    with pytest.raises(ValueError, match="entropy needs outputs of two axes or more"):
        _ = door.monte_carlo(lambda x, rng: identity(x, rng)[:, 0], x, 2, rng=0).entropy


def test_monte_carlo_warns_where_nothing_is_dropped():
    result = door.monte_carlo(lambda x, rng: x, da.ones((4, 3), chunks=2), 2, rng=0)
    with pytest.warns(UserWarning, match="f never used its rng"):
        result.mean.compute()
