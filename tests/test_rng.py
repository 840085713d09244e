"""Where masks come from: Rng, its children and rows, seeds, NumPy's generators, None. A call takes one stream."""

import copy
import json
import pickle
import re
import sys
import threading

import numpy as np
import pytest
import reference

import fastdrop as fd

LAST = 2**64 - 1
X = np.ones(64, np.float32)


def draw(rng, x=X, p=0.5, **options):
    return fd.dropout(x, p, rng=rng, **options)[1].to_bool()


def kept(key, stream):
    return reference.kept(key, stream, 0.5, 0, 64)


def used():
    rng = fd.Rng(3).at_row(2)
    rng.spawn(2)
    draw(rng)
    return rng


SEEDS = [0, 12345, np.int64(7), 2**32, 2**200 + 5, [3, 1, 4], (3, 2**40), np.array([1, 2], np.uint64), range(3)]
SEEDS += [np.random.SeedSequence(5).spawn(2)[1]]


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"{type(seed).__name__}-{seed}".split("\n")[0])
def test_a_seed(seed):
    """Rng(seed) draws stream after stream; the seed itself, as rng, is the first draw at every call."""
    key, rng = reference.key_from_seed(seed), fd.Rng(seed)
    assert rng.key == key
    assert all(type(k) is int for k in rng.key)
    for stream in range(2):
        assert rng.counter == stream
        np.testing.assert_array_equal(draw(rng), kept(key, stream))
        np.testing.assert_array_equal(draw(seed), kept(key, 0))
        np.testing.assert_array_equal(fd.bernoulli(64, 0.5, rng=seed), ~kept(key, 0))
    assert getattr(seed, "n_children_spawned", 0) == 0


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (LAST, LAST)], ids=str)
@pytest.mark.parametrize("counter", [0, 5, 2**63, LAST - 1], ids=hex)
def test_from_key(key, counter):
    rng = fd.Rng.from_key(*key, counter=counter)
    assert (rng.key, rng.counter) == (key, counter)
    np.testing.assert_array_equal(draw(rng), kept(key, counter))
    assert rng.counter == counter + 1
    assert fd.Rng.from_key(*key).counter == 0


def test_the_counter_ends():
    rng = fd.Rng.from_key(1, 2, counter=LAST)
    np.testing.assert_array_equal(draw(rng), kept((1, 2), LAST))
    layer = fd.Dropout(rng=rng)
    with pytest.raises(OverflowError):
        layer(X)
    assert rng.counter == LAST
    assert layer.mask is None
    assert rng.fold_in(0).counter == rng.spawn(1)[0].counter == 0


# State, copies, children


def restored(rng):
    twin = fd.Rng(99)
    twin.state = json.loads(json.dumps(rng.state))
    return twin


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "state": restored}
COPIES |= {f"pickle{i}": lambda rng, i=i: pickle.loads(pickle.dumps(rng, i)) for i in range(2, 6)}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_draw_alike_and_apart(duplicate):
    rng = used()
    twin = duplicate(rng)
    assert type(twin) is fd.Rng
    assert twin is not rng
    assert twin.state == rng.state
    np.testing.assert_array_equal(draw(twin), draw(rng))
    assert twin.spawn(1)[0].key == rng.spawn(1)[0].key
    draw(twin)
    assert (twin.counter, rng.counter) == (3, 2)


def test_state():
    state = used().state
    key = "{:016x}{:016x}".format(*reference.key_from_seed(3))
    assert state == {"version": 1, "key": key, "counter": 1, "spawned": 2, "row": 2}
    assert all(type(state[name]) is int for name in state if name != "key")


@pytest.mark.parametrize("values", [(0,), (1, 2, 3), (2**32,), (2**63 - 1, 0), (np.int64(5), np.uint8(6))], ids=str)
def test_fold_in(values):
    rng = fd.Rng(42)
    before = rng.fold_in(*values)
    draw(rng)
    child, step = rng.fold_in(*values), rng
    for value in values:
        step = step.fold_in(value)
    assert child.key == before.key == step.key == reference.fold_in(rng.key, *map(int, values))
    assert child.counter == 0
    assert rng.counter == 1
    np.testing.assert_array_equal(draw(child), kept(child.key, 0))


def test_spawn_gives_new_children_at_every_call():
    rng = fd.Rng(9)
    draw(rng)
    state = rng.state
    children = [*rng.spawn(2), *rng.spawn(0), *rng.spawn(np.int64(3))]
    assert [child.key for child in children] == [reference.fold_in(rng.key, LAST, k) for k in range(5)]
    assert all(child.counter == child.state["spawned"] == 0 for child in children)
    assert rng.state == state | {"spawned": 5}
    rng.state = state
    assert rng.spawn(1)[0].key == children[0].key


BAD_STATES = [("counter", -1), ("counter", 2**64), ("counter", "1"), ("spawned", 1.5), ("row", -1), ("row", None)]


@pytest.mark.parametrize(("name", "value"), [*BAD_STATES, ("key", "1_" * 15 + "11"), ("key", 5), ("version", "1")])
def test_a_bad_state_changes_nothing(name, value):
    rng = used()
    before = rng.state
    with pytest.raises((TypeError, ValueError), match=name):
        rng.state = before | {name: value}
    assert rng.state == before


# Rows


def test_at_row_is_a_copy_and_adds_up():
    rng = fd.Rng(5)
    draw(rng)
    further = rng.at_row(3).at_row(4)
    assert further.state == rng.state | {"row": 7}
    assert rng.state["row"] == 0
    for child, same in ((further.fold_in(1), rng.fold_in(1)), (further.spawn(1)[0], rng.spawn(1)[0])):
        assert child.state == same.state | {"row": 7}
    draw(further)
    assert (further.counter, rng.counter) == (2, 1)


ROWS = [  # shape, noise_shape, the logical index of the first element at row 3
    ((6,), None, 3),
    ((4, 5), None, 15),
    ((2, 3, 4), None, 36),
    ((0, 3), None, 9),
    ((1500, 7), None, 21),
    ((4, 5), (None, 1), 3),
    ((4, 5), (1, None), 0),
    ((4, 5), (None,), 0),
    ((2, 3, 4), (None, 1, None), 12),
]


@pytest.mark.parametrize("store", ["bits", "recipe"])
@pytest.mark.parametrize(("shape", "noise_shape", "first"), ROWS, ids=str)
def test_a_draw_at_row_3_is_a_window(shape, noise_shape, first, store):
    x, rng = np.ones(shape), fd.Rng(8)
    noise = [n or size for n, size in zip(reversed(noise_shape or shape), reversed(shape), strict=False)][::-1]
    keep = reference.kept(rng.key, 0, 0.3, first, int(np.prod(noise))).reshape(noise)
    y, mask = fd.dropout(x, 0.3, rng=rng.at_row(3), noise_shape=noise_shape, store=store)
    np.testing.assert_array_equal(mask.to_bool(), np.broadcast_to(keep, shape))
    np.testing.assert_array_equal(y, reference.apply(x, keep, reference.scale(0.3)))
    np.testing.assert_array_equal(fd.dropout_backward(x, mask), y)
    if noise_shape is None:
        np.testing.assert_array_equal(fd.bernoulli(shape, 0.3, rng=rng.at_row(3)), ~keep)
        window = (9999, *shape[1:]), (3, *[0] * (len(shape) - 1))
        np.testing.assert_array_equal(draw(8, x, 0.3, window=window), keep)


def test_rows_do_not_wrap():
    rng = fd.Rng(1).at_row(2**63)
    for call in (lambda: draw(rng, np.ones((2, 2))), lambda: fd.bernoulli((2, 2), 0.5, rng=rng)):
        with pytest.raises(ValueError, match=re.escape("2**64")):
            call()
    assert rng.counter == 0


# NumPy's generators, None


@pytest.mark.parametrize("wrap", [lambda bits: bits, np.random.Generator], ids=["BitGenerator", "Generator"])
@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"])
def test_a_generator_gives_its_next_two_words(name, wrap):
    bits, twin = (getattr(np.random, name)(7) for _ in range(2))
    outputs = np.random.Generator(twin).integers(0, LAST, dtype=np.uint64, endpoint=True, size=4).tolist()
    for key in (outputs[:2], outputs[2:]):
        np.testing.assert_array_equal(draw(wrap(bits)), kept(key, 0))
    np.testing.assert_array_equal(bits.random_raw(9), twin.random_raw(9), "advanced by two words a call")


def test_a_generators_lock_is_held():
    bits = np.random.PCG64(1)
    worker = threading.Thread(target=draw, args=(np.random.Generator(bits),), daemon=True)
    with bits.lock:
        worker.start()
        worker.join(0.3)
        assert worker.is_alive()
    worker.join(20)
    assert not worker.is_alive()


def test_none_is_new_every_time():
    masks, x = set(), np.ones(256, np.float32)
    for _ in range(4):
        np.random.seed(0)  # noqa: NPY002
        masks |= {draw(None, x).tobytes(), fd.bernoulli(256, 0.5).tobytes(), draw(fd.Rng(), x).tobytes()}
    assert len(masks) == 12


@pytest.mark.parametrize("rng", [None, 3, fd.Rng(3), np.random.PCG64(3)], ids=["None", "seed", "Rng", "PCG64"])
def test_numpys_global_state_is_untouched(rng):
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.random_sample(3)  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    draw(rng)
    np.testing.assert_array_equal(np.random.random_sample(3), expected)  # noqa: NPY002


# One call, one stream


@pytest.mark.parametrize("store", ["bits", "recipe"])
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5, 4097)], ids=str)
@pytest.mark.parametrize("p", [0, 1, 0.5, 0.1, 2.0**-70])
def test_a_valid_call_takes_one_stream(p, shape, store):
    rng, x = fd.Rng(1), np.ones(shape, np.float32)
    mask = fd.dropout(x, p, rng=rng, store=store, out=x)[1]
    fd.dropout_backward(x, mask)
    assert mask.kept == np.count_nonzero(mask.to_bool())
    assert rng.counter == 1
    fd.bernoulli(shape, p, rng=rng)
    assert rng.counter == 2


@pytest.mark.parametrize("n", [64, 70_000])
def test_64_threads_on_one_rng(n):
    calls, threads, x = 20, 64, np.ones(n, np.float16)
    rng, twin, start, drawn, keys = fd.Rng(6), fd.Rng(6), threading.Barrier(64), [], []
    expected = {fd.dropout(x, rng=twin)[1].bits.tobytes() for _ in range(calls * threads)}

    def work():
        start.wait()
        for _ in range(calls):
            drawn.append(fd.dropout(x, rng=rng)[1].bits.tobytes())
            keys.extend(child.key for child in rng.spawn(2))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(drawn) == len(expected) == rng.counter
    assert set(drawn) == expected
    assert sorted(keys) == sorted(child.key for child in twin.spawn(2 * len(drawn)))


# Faults of other libraries


def test_children_and_long_seeds_differ():
    r = fd.Rng(42)
    rngs = [r.spawn(1)[0], r.fold_in(0), r.fold_in(2**32), fd.Rng(42 + 2**40), fd.Rng(42 + 2**32), r]
    masks = [draw(rng).tobytes() for rng in rngs]
    assert len(set(masks)) == len(masks)
    assert draw([42, 0]).tobytes() == masks[-1], "documented: SeedSequence takes both for one seed"


def test_one_seed_several_times():
    r = fd.Rng(0)
    assert fd.Dropout(rng=0)(X).tobytes() == fd.Dropout(rng=0)(X).tobytes()
    assert fd.Dropout(rng=r)(X).tobytes() != fd.Dropout(rng=r)(X).tobytes()
    assert len({draw(0).tobytes() for _ in range(3)}) == 1
    assert "fold_in" in fd.dropout.__doc__
    assert "fold_in" in fd.Dropout.__doc__


OVERFLOWING = np.array([3e38, -3e38, 1e-45, np.inf, np.nan, 0.0], np.float32)
DRAWING = {
    "dropout": lambda x, r: fd.dropout(x, 0.9, rng=r),
    "swapped": lambda x, r: fd.dropout(x.astype(x.dtype.newbyteorder()), 0.9, rng=r),
    "array-p": lambda x, r: fd.dropout(x, np.array([1e-320, 0.5, 1, 0, 0.9, 1 - 2**-53]), rng=r)[1].scale,
    "half": lambda x, r: fd.dropout(np.full(6, 6e4, np.float16), 0.9, rng=r),
    "alpha": lambda x, r: fd.alpha_dropout(x, 0.9, rng=r),
    "gaussian": lambda x, r: fd.gaussian_dropout(x, 1e-310, rng=r),
    "fused": lambda x, r: fd.bias_dropout_residual(x, x, x, 0.9, rng=r),
    "fused-backward": lambda x, r: fd.bias_dropout_residual_backward(
        np.stack([x] * 9), fd.bias_dropout_residual(np.ones((9, 6), "f4"), x, None, 0.1, rng=r)[1]
    ),
    "bernoulli": lambda x, r: fd.bernoulli(6, [1e-320, 0.5, 1, 0, 0.9, 1], rng=r),
}


@pytest.mark.parametrize("draw", DRAWING.values(), ids=DRAWING)
def test_no_error_state_of_numpy_costs_a_stream(draw):
    """What overflows or underflows is silent in the core, whatever NumPy is told to do about it."""
    r, x = fd.Rng(1), OVERFLOWING.copy()
    with np.errstate(all="raise"):
        for _ in range(9):
            draw(x, r)
            fd.mc_dropout(x, 0.9, 3, rng=r)
            fd.mc_dropout(x, np.linspace(0, 1, 6), 3, rng=r)
    assert r.counter == 9
