"""monte_carlo over any function and any batches: the reference's masks, NumPy's moments, or an error."""

import warnings
from types import SimpleNamespace as Verdict

import numpy as np
import pytest
import reference

pytest.importorskip("hypothesis")
from fuzz import arguments, rules
from fuzz.arguments import rarely
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd

FUNCTIONS = {  # of x dropped: an output with a row for each of x's
    "itself": lambda y: y,
    "sums": lambda y: y.reshape(len(y), -1).sum(axis=1),
    "softmax": lambda y: np.exp(-np.abs(y)) / np.exp(-np.abs(y)).sum(axis=-1, keepdims=True),
    "list": lambda y: y.tolist(),
    "bool": lambda y: y > 0,
}
BROKEN = {
    "tuple": lambda y: (y, y),
    "text": lambda y: np.full(y.shape, "a"),
    "none": lambda y: None,
    "long": lambda y: y.astype("g"),
    "masked": np.ma.masked_array,
}


def entropy(p):
    with np.errstate(all="ignore"):
        return -np.where(p > 0, p * np.log(p), 0).sum(axis=-1)


@given(data=st.data())
def test_monte_carlo(calls, data):
    shape = data.draw(st.sampled_from([(1, 1), (2, 3), (5, 2), (3, 2, 2), (7, 4)]))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal(shape)
    p, (rng, _) = data.draw(st.sampled_from([0, 0.3, 0.5, 1])), data.draw(arguments.rngs())
    name = data.draw(rarely(st.sampled_from(list(FUNCTIONS)), st.sampled_from(list(BROKEN))))
    g = FUNCTIONS.get(name) or BROKEN[name]
    samples, batch = (
        data.draw(rarely(st.one_of(usual, st.integers(1, 8)), st.sampled_from([0, -1, 1.5, "a", [2]])))
        for usual in (st.just(np.int64(5)), st.none())
    )
    keep, rest = data.draw(st.booleans()), (1,) * (len(shape) - 1)
    noise_shape = data.draw(st.sampled_from([None, (None, *rest), (1, *rest)]))
    row = rng.state["row"] if isinstance(rng, fd.Rng) else 0

    def f(batch, rng):
        return g(fd.dropout(batch, p, rng=rng, noise_shape=noise_shape)[0])

    def judge():
        rules.require(name in FUNCTIONS and hasattr(samples, "__index__") and samples >= 1)
        rules.require(batch is None or (hasattr(batch, "__index__") and batch >= 1))
        key, _, _ = rules.source(rng, False)
        outputs = None
        if key is not None:
            where = rules.indices(shape, noise_shape, row=row)
            keeps = [reference.kept_at(reference.fold_in(key, t), 0, p, where) for t in range(samples)]
            outputs = np.array([np.asarray(g(reference.apply(x, kept, reference.scale(p)))) for kept in keeps])
        return Verdict(must_take=True, out=None, want=None, outputs=outputs)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        verdict, result = rules.run(
            calls,
            judge,
            lambda: fd.monte_carlo(f, x, samples, rng=rng, batch_size=batch, keep=keep),
            rng if isinstance(rng, fd.Rng) else None,
            [x],
            lambda result: None,
        )
    if result is not None and verdict.outputs is not None:
        want = verdict.outputs
        same = len(want) > 1 and all(a.tobytes() == want[0].tobytes() for a in want)
        assert [w.category for w in warned] == [UserWarning] * same
        check(result, want, keep, name)


def check(result, want, keep, name):
    assert (result.samples is not None) == keep
    if keep:
        np.testing.assert_array_equal(result.samples, want)
        assert result.samples.dtype == want.dtype
    np.testing.assert_allclose(result.mean, want.mean(axis=0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(result.std, want.std(axis=0), rtol=1e-9, atol=1e-7)
    if name == "softmax":
        of_mean = entropy(want.mean(axis=0))
        np.testing.assert_allclose(result.entropy, of_mean, atol=1e-12)
        np.testing.assert_allclose(result.mutual_information, of_mean - entropy(want).mean(axis=0), atol=1e-12)
