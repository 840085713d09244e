"""fd.monte_carlo: against a loop by hand, any batch size alike, the entropies, memory, what it warns of and refuses."""

import copy
import pickle
import re
import sys
import tracemalloc

import numpy as np
import pytest
import reference
from conftest import KEY, bfloat16, rng, values

import fastdrop as fd

X = values(60, np.dtype("f4")).reshape(12, 5)
W = values(15, np.dtype("f4"), seed=1).reshape(5, 3)


def drop(x, rng):
    """Two layers, one of which has a mask for all rows: the next two streams of the rng."""
    units = fd.Dropout(0.3, noise_shape=(1, None))
    return fd.Dropout(0.5).forward(units.forward(x, rng=rng), rng=rng)


def classify(x, rng):
    y = np.exp(drop(x, rng) @ W)
    return y / y.sum(axis=-1, keepdims=True)


def listed(*outputs):
    """An f that returns the outputs one after the other, and asks for its rng's key."""
    left = iter(outputs)
    return lambda x, rng: rng.key and next(left)


def by_hand(x, t):
    """The output t of `drop`, from the specification."""
    key, y = reference.fold_in(KEY, t), x
    for stream, (p, shape) in enumerate([(0.3, x.shape[-1:]), (0.5, x.shape)]):
        keep = reference.kept(key, stream, p, 0, int(np.prod(shape))).reshape(shape)
        y = reference.apply(y, keep, reference.scale(p))
    return y


# Against a loop by hand


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c16", *([bfloat16] if bfloat16 else [])], ids=str)
@pytest.mark.parametrize("keep", [False, True], ids=["streamed", "kept"])
def test_a_loop_by_hand(backend, dtype, keep):
    x = X.astype(dtype)
    want = np.array([by_hand(x, t) for t in range(20)])
    double = want.astype("c16" if want.dtype.kind == "c" else "f8")
    got = fd.monte_carlo(drop, x, 20, rng=rng(), keep=keep)
    np.testing.assert_allclose(got.mean, double.mean(axis=0), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(got.std, double.std(axis=0), rtol=1e-13, atol=1e-15)
    assert (got.mean.dtype, got.std.dtype) == (double.dtype, np.float64)
    if keep:
        assert (got.samples.dtype, got.samples.tobytes()) == (want.dtype, want.tobytes())
    else:
        assert got.samples is None


@pytest.mark.parametrize("batch_size", [1, 3, 5, 12, 100, None])
def test_any_batch_size(batch_size):
    got = fd.monte_carlo(drop, X, 9, rng=rng(), batch_size=batch_size, keep=True)
    assert got.samples.tobytes() == np.array([by_hand(X, t) for t in range(9)]).tobytes()
    part = fd.monte_carlo(drop, X[4:], 9, rng=rng().at_row(4), batch_size=batch_size)
    assert part.std.tobytes() == got.std[4:].tobytes()
    whole, cut = (fd.monte_carlo(classify, X, 9, rng=rng(), batch_size=size) for size in (None, batch_size))
    for name in ("mean", "std", "entropy", "mutual_information"):
        np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), rtol=1e-5, atol=1e-6)


def test_a_unit_mask_is_one_for_all_rows():
    units = fd.Dropout(0.5, noise_shape=(1, None))
    got = fd.monte_carlo(units, np.ones_like(X), 20, rng=rng(), batch_size=5, keep=True)  # a layer is an f
    assert (got.samples == got.samples[:, :1]).all()
    assert got.std.all()


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0,)], ids=str)
def test_empty(shape, batch_size):
    got = fd.monte_carlo(fd.Dropout(), np.ones(shape), 3, rng=rng(), batch_size=batch_size, keep=True)
    assert (got.mean.shape, got.std.shape, got.samples.shape) == (shape, shape, (3, *shape))


def test_outputs_of_no_axis_and_of_ints():
    got = fd.monte_carlo(listed(1, 2, 6), [1, 2], 3)
    assert (type(got.mean), got.mean.dtype, got.mean.shape, float(got.mean)) == (np.ndarray, np.float64, (), 3)
    np.testing.assert_allclose(got.std, np.std([1, 2, 6]), rtol=1e-15)
    assert fd.monte_carlo(lambda x, rng: fd.bernoulli(x.shape, 0.5, rng=rng), X, 5, rng=0).mean.max() <= 1


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan], ids=str)
@pytest.mark.parametrize("place", range(3))
def test_infinity_and_nan_as_numpy_has_them(special, place):
    outputs = np.ones((3, 2))
    outputs[place, 0] = special
    got = fd.monte_carlo(listed(*outputs), X, 3)
    np.testing.assert_array_equal(got.mean, outputs.mean(axis=0))
    np.testing.assert_array_equal(got.std, [np.nan, 0])


def test_a_small_spread_about_a_large_mean():
    outputs = 1e9 + np.random.default_rng(0).standard_normal((1000, 3))
    np.testing.assert_allclose(fd.monte_carlo(listed(*outputs), X, 1000).std, outputs.std(axis=0), rtol=1e-6)


# Whose stream


def test_an_rng_is_used_by_its_key_alone():
    r = rng(7)
    state = r.state
    first, again = (fd.monte_carlo(drop, X, 5, rng=r) for _ in range(2))
    assert first.std.tobytes() == again.std.tobytes() == fd.monte_carlo(drop, X, 5, rng=rng()).std.tobytes()
    assert r.state == state
    for seed in (8, [8], np.random.SeedSequence(8)):  # conftest's KEY
        assert fd.monte_carlo(drop, X, 5, rng=seed).std.tobytes() == first.std.tobytes()


def test_a_generator_advances_by_two_words():
    for wrap in (np.random.Generator, lambda bits: bits):
        source, twin = (np.random.PCG64(3) for _ in range(2))
        got = fd.monte_carlo(drop, X, 5, rng=wrap(source))
        key = [int(word) for word in twin.random_raw(2)]
        assert source.state == twin.state
        assert got.std.tobytes() == fd.monte_carlo(drop, X, 5, rng=fd.Rng.from_key(*key)).std.tobytes()


def test_none_is_new_at_each_call():
    assert len({fd.monte_carlo(drop, X, 3).std.tobytes() for _ in range(3)}) == 3


# Entropies


def plain_entropy(p):
    return -sum(q * np.log(q) for q in p if q > 0)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_entropies(dtype):
    outputs = np.array([[[1, 0, 0], [0.5, 0.25, 0.25]], [[0, 1, 0], [0.25, 0.5, 0.25]]], dtype)
    got = fd.monte_carlo(listed(*outputs), X, 2)
    mean = outputs.astype("f8").mean(axis=0)
    entropy = [plain_entropy(p) for p in mean]
    own = [np.mean([plain_entropy(sample[row]) for sample in outputs.astype("f8")]) for row in range(2)]
    np.testing.assert_allclose(got.entropy, entropy, rtol=1e-15)
    np.testing.assert_allclose(got.mutual_information, np.subtract(entropy, own), rtol=1e-14)
    assert entropy[0] == pytest.approx(np.log(2))


def test_entropies_of_a_network():
    got = fd.monte_carlo(classify, X, 30, rng=rng(), keep=True)
    own = [[plain_entropy(p) for p in sample] for sample in got.samples.astype("f8")]
    np.testing.assert_allclose(got.entropy, [plain_entropy(p) for p in got.mean], rtol=1e-13)
    np.testing.assert_allclose(got.mutual_information, got.entropy - np.mean(own, axis=0), rtol=1e-11)
    assert (got.mutual_information > 0).all()


def test_all_certain_is_zero_and_not_minus_zero():
    got = fd.monte_carlo(listed([1, 0]), X, 1)
    assert (str(got.entropy), str(got.mutual_information)) == ("0.0", "0.0")


@pytest.mark.parametrize(
    ("outputs", "came"),
    [
        (([0.5, 0.5], [-0.5, 1.5]), "a value of -0.5"),
        (([-0.5, 1.5], [0.5, 0.5]), "a value of -0.5"),
        (([0.5, 0.5], [-0.5, 1.5], [0.5, 0.5]), "a value of -0.5"),
        (([0.5, 0.5], [-0.5, 1.5], [0.75, 0.5]), "a value of -0.5"),
        (([[0.5, 0.5], [0.75, 0.5]],), "a sum of 1.25"),
        (([np.nan, 1],), "a value of nan"),
        (([np.inf, 1],), "a sum of inf"),
        ((1.0, 1.0), "a 0-d array of float64"),
        (([1j, 1 - 1j],), "a 1-d array of complex128"),
    ],
    ids=["negative", "first", "middle", "first-of-two", "sum", "nan", "inf", "0-d", "complex"],
)
@pytest.mark.filterwarnings("ignore:all 2 samples")
def test_entropies_need_probabilities(outputs, came):
    got = fd.monte_carlo(listed(*np.asarray(outputs)), X, len(outputs))
    for name in ("entropy", "mutual_information"):
        message = f"{name} needs outputs that are probabilities, at least 0 with sum 1 over the last axis, got {came}"
        with pytest.raises(ValueError, match=rf"\A{re.escape(message)}\Z"):
            getattr(got, name)


# Warnings, memory, what is kept, progress


EQUAL = "all 20 samples are equal in every bit"
UNUSED = (
    "f never used its rng, so what it drew cannot be drawn again: "
    "is a layer in eval mode, or the rng not passed on, as in layer.forward(x, rng=rng)?"
)
own = fd.Dropout(rng=1)
WARNED = {  # f, x, what is said
    "eval": (fd.Dropout().eval(), X, f"{EQUAL}, and {UNUSED}"),
    "seed": (lambda x, rng: fd.dropout(x, rng=1)[0], X, f"{EQUAL}, and {UNUSED}"),
    "own": (lambda x, rng: own.forward(x), X, UNUSED),
    "counter": (lambda x, rng: own.forward(x) + rng.counter, X, UNUSED),
    "p-0": (fd.Dropout(0), X, EQUAL),
    "nan": (fd.Dropout(0), np.full_like(X, np.nan), EQUAL),
    "labels": (lambda x, rng: (fd.dropout(x, rng=rng)[0] < 9).argmax(axis=-1), X, EQUAL),
}


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize(("f", "x", "message"), WARNED.values(), ids=WARNED)
def test_what_is_warned_of(f, x, message, batch_size):
    with pytest.warns(UserWarning, match=rf"\A{re.escape(message)}\Z") as caught:
        fd.monte_carlo(f, x, 20, rng=3, batch_size=batch_size)
    assert [warning.filename for warning in caught] == [__file__]


USES = {
    "draw": lambda x, rng: fd.dropout(x, rng=rng)[0],
    "bernoulli": lambda x, rng: fd.bernoulli(x.shape, 0.5, rng=rng),
    "gaussian": lambda x, rng: fd.gaussian_dropout(x, rng=rng)[0],
    "unit": lambda x, rng: fd.UnitDropout().forward(x, rng=rng),
    "connect": lambda x, rng: x @ fd.DropConnect().forward(W, rng=rng),
    "thinned": lambda x, rng: fd.ThinnedLinear(W).forward(x, rng=rng),
    "embedding": lambda x, rng: fd.EmbeddingDropout().forward(W, np.zeros(len(x), int), rng=rng),
    "fold_in": lambda x, rng: fd.dropout(x, rng=rng.fold_in(1))[0],
    "spawn": lambda x, rng: fd.dropout(x, rng=rng.spawn(2)[1])[0],
    "at_row": lambda x, rng: fd.dropout(x, rng=rng.at_row(3))[0],
    "key": lambda x, rng: x + np.random.default_rng(rng.key).random(x.shape),
    "state": lambda x, rng: x * (int(rng.state["key"], 16) % 1000),
    "copy": lambda x, rng: fd.dropout(x, rng=copy.copy(rng))[0],
    "pickle": lambda x, rng: fd.dropout(x, rng=pickle.loads(pickle.dumps(rng)))[0],
    "now-and-then": lambda x, rng: own.forward(x) if own.rng.counter % 2 else own.forward(x) + rng.key[0] % 7,
}


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("f", USES.values(), ids=USES)
def test_no_warning_where_the_rng_was_used(f, batch_size):
    fd.monte_carlo(f, X, 20, rng=3, batch_size=batch_size)  # a warning is an error here


def test_no_warning_of_what_is_no_sign():
    fd.monte_carlo(fd.Dropout().eval(), X, 1)
    fd.monte_carlo(listed([0.0], [-0.0]), X, 2)  # equal, and not in every bit
    fd.monte_carlo(listed(X, X, 2 * X), X, 3)
    fd.monte_carlo(listed([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]), X, 2)  # equal but for the last


def test_repr():
    assert repr(fd.monte_carlo(drop, X, 5, rng=0)) == "MonteCarlo(samples=5, shape=(12, 5), keep=False)"
    kept = fd.monte_carlo(listed(1, 2), X, 2, keep=True)
    assert repr(kept) == repr(pickle.loads(pickle.dumps(kept))) == "MonteCarlo(samples=2, shape=(), keep=True)"


def test_memory_does_not_grow_with_samples():
    x, peaks = np.ones((256, 512)), []
    for samples in (5, 50):
        tracemalloc.start()
        fd.monte_carlo(fd.Dropout(), x, samples, rng=0, batch_size=100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 10 * x.nbytes


@pytest.mark.parametrize("batch_size", [None, 4])
def test_f_may_use_one_buffer_and_not_write_into_x(batch_size):
    buffer = np.empty_like(X)

    def f(x, rng):
        return fd.dropout(x, rng=rng, out=buffer[: len(x)])[0]

    got = fd.monte_carlo(f, X, 6, rng=rng(), batch_size=batch_size, keep=True)
    want = fd.monte_carlo(fd.Dropout(), X, 6, rng=rng(), keep=True)
    assert got.samples.tobytes() == want.samples.tobytes()
    with pytest.raises(ValueError, match="with inplace=True, x must be writable, got a read-only array"):
        fd.monte_carlo(fd.Dropout(inplace=True), X, batch_size=batch_size)
    assert X.flags.writeable


def test_the_result_can_be_pickled():
    got = fd.monte_carlo(classify, X, 5, rng=0, keep=True)
    again = pickle.loads(pickle.dumps(got))
    for name in ("mean", "std", "entropy", "mutual_information", "samples"):
        np.testing.assert_array_equal(getattr(again, name), getattr(got, name))


def test_progress(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes stderr for a terminal then
    got = fd.monte_carlo(drop, X, 5, rng=rng(), progress=True)
    assert got.std.tobytes() == fd.monte_carlo(drop, X, 5, rng=rng()).std.tobytes()
    out, err = capsys.readouterr()
    assert out == ""
    assert "samples" in err
    assert "100%" in err


def test_progress_without_rich(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    refused({"progress": True}, ImportError, "progress=True needs rich: pip install 'numpy-fastdrop[demo]'")


# Bad input


def refused(given, error, message):
    """The call draws nothing from its generator; f is not called."""
    source = np.random.PCG64(3)
    state = source.state
    with pytest.raises(error, match=rf"\A{re.escape(message)}\Z"):
        fd.monte_carlo(**{"f": lambda x, rng: pytest.fail("called"), "x": X, "rng": source} | given)
    assert source.state == state


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"f": X}, TypeError, "f must be callable, got ndarray"),
        ({"samples": 0}, ValueError, "samples must be at least 1, got 0"),
        ({"samples": 2.0}, TypeError, "samples must be an int, got float"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 2.0}, TypeError, "batch_size must be an int, got float"),
        ({"batch_size": 2, "x": 1.0}, ValueError, "batch_size needs an x with an axis, got a 0-d array"),
        (
            {"x": np.ma.masked_array(X)},
            TypeError,
            "x must not be a masked array, whose mask would be lost: pass x.filled(0)",
        ),
        (
            {"rng": "a"},
            TypeError,
            "rng must be an Rng, a seed, a numpy Generator, a BitGenerator or None, got str",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_arguments(given, error, message):
    refused(given, error, message)


@pytest.mark.parametrize(
    ("outputs", "batch_size", "error", "message"),
    [
        ([X, X[1:]], None, ValueError, "f must return one shape, got (12, 5) and then (11, 5)"),
        ([X, X[:, 0]], None, ValueError, "f must return one shape, got (12, 5) and then (12,)"),
        ([X[:8], X[8:, 1:]], 8, ValueError, "f must return one shape, got (4, 5) and then (4, 4)"),
        ([X, X[:, 1:]], 12, ValueError, "f must return one shape, got (12, 5) and then (12, 4)"),
        ([X[:8], X[:8]], 8, ValueError, "f must return a row for each of 4 rows, got shape (8, 5)"),
        ([1.0], 8, ValueError, "f must return a row for each of 8 rows, got shape ()"),
        ([X, X.astype("f8")], None, TypeError, "f must return one dtype, got float32 and then float64"),
        ([X[:8], X[8:].astype("f8")], 8, TypeError, "f must return one dtype, got float32 and then float64"),
        ([None], None, TypeError, "f must return numbers of double precision or less, got object"),
        ([fd.dropout(X)], None, TypeError, "f must return an array, got a tuple"),
        (
            [np.ma.masked_array(X)],
            None,
            TypeError,
            "f(x, rng) must not be a masked array, whose mask would be lost: pass f(x, rng).filled(0)",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_outputs(outputs, batch_size, error, message):
    with pytest.raises(error, match=rf"\A{re.escape(message)}\Z"):
        fd.monte_carlo(listed(*outputs), X, batch_size=batch_size)


def test_an_error_of_f_comes_through():
    with pytest.raises(ZeroDivisionError):
        fd.monte_carlo(lambda x, rng: 1 / 0, X)
