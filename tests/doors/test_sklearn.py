"""fastdrop.sklearn: gradients by finite differences, what random_state decides, scikit-learn's checks and tools.

The long form, with scikit-learn's own tests of its perceptrons, on the oldest and newest release: run.py sklearn.
"""

import copy
import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import reference

import fastdrop as fd

pytest.importorskip("sklearn")

import joblib
from scipy.sparse import csc_matrix, csr_matrix
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn_checks import checks_of

from fastdrop.sklearn import DropoutMLPClassifier, DropoutMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
PAIRS = [(DropoutMLPClassifier, MLPClassifier), (DropoutMLPRegressor, MLPRegressor)]
BOTH = pytest.mark.parametrize("estimator", [DropoutMLPClassifier, DropoutMLPRegressor])
X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]
SMALL = {"hidden_layer_sizes": (16, 8), "max_iter": 3, "batch_size": 50, "random_state": 0}


test_scikit_learns_checks = checks_of([DropoutMLPClassifier(), DropoutMLPRegressor()])


def parameters(model):
    return [*model.coefs_, *model.intercepts_]


def same(a, b):
    return all(np.array_equal(v, w) for v, w in zip(parameters(a), parameters(b), strict=True))


# Gradients

ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "logistic": lambda z: 1 / (1 + np.exp(-z)),
}
RATES, ALPHA = (0.2, 0.5, 0.3), 0.1  # of the input and two hidden layers


def masks_of_step(step, widths, rows, thinned):
    """The masks, 0 or 1/(1-p), of mini-batch number `step` of a run with random_state=0."""
    rng = fd.Rng(np.random.RandomState(0).randint(2**32, size=4, dtype=np.uint32))
    masks = []
    for layer, (p, width) in enumerate(zip(RATES, widths, strict=False)):
        n = width if thinned else rows * width
        kept = reference.kept(rng.key, step * 3 + layer, p, 0, n)
        masks.append(np.broadcast_to(kept.reshape(-1, width), (rows, width)) / (1 - p))
    return masks


def loss_of(coefs, intercepts, x, y, masks, activation, thinned):
    """The loss of a network with those masks; alpha counts the weights of kept units alone where it is thinned."""
    a, penalty = x, 0
    for layer, (w, b) in enumerate(zip(coefs, intercepts, strict=True)):
        a = a * masks[layer] @ w + b
        last = layer == len(coefs) - 1
        a = a if last else ACTIVATIONS[activation](a)
        rows = masks[layer][0] > 0
        columns = np.ones(w.shape[1], bool) if last else masks[layer + 1][0] > 0
        penalty += (w[np.ix_(rows, columns)] ** 2 if thinned else w**2).sum()
    if y.dtype.kind == "i":
        a = a - a.max(axis=1, keepdims=True)
        error = (np.log(np.exp(a).sum(axis=1)) - a[np.arange(len(y)), y]).sum()
    else:
        error = ((a[:, 0] - y) ** 2).sum() / 2
    return (error + ALPHA / 2 * penalty) / len(y)


@pytest.mark.parametrize("thinned", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", [np.asarray, csr_matrix, csc_matrix])
@BOTH
def test_a_step_follows_the_gradient_of_the_loss_with_its_masks(estimator, kind, activation, thinned):
    random = np.random.RandomState(3)
    x = random.standard_normal((7, 5)) * (random.uniform(size=(7, 5)) < 0.7)
    y = random.randint(3, size=7) if estimator is DropoutMLPClassifier else random.standard_normal(7)
    y[:3] = 0, 1, 2
    plain = {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "learning_rate_init": 0.1}
    dropout = {"dropout": RATES[1:], "input_dropout": RATES[0], "thinned": thinned}
    model = estimator(
        hidden_layer_sizes=(6, 4), activation=activation, alpha=ALPHA, shuffle=False, random_state=0, **plain, **dropout
    )
    known = {"classes": range(3)} if estimator is DropoutMLPClassifier else {}
    model.partial_fit(kind(x), y, **known)
    for step in (1, 2, 3):  # the first initialised the weights too
        before = copy.deepcopy((model.coefs_, model.intercepts_))
        model.partial_fit(kind(x), y)
        masks = masks_of_step(step, (5, 6, 4), len(x), thinned)
        for old, new in zip(before[0] + before[1], parameters(model), strict=True):
            expected = np.empty_like(old)
            for i in np.ndindex(old.shape):
                kept, values = old[i], []
                for h in (1e-5, -1e-5):
                    old[i] = kept + h
                    values.append(loss_of(*before, x, y, masks, activation, thinned))
                old[i] = kept
                expected[i] = (values[0] - values[1]) / 2e-5
            np.testing.assert_allclose((old - new) / 0.1, expected, rtol=1e-5, atol=1e-8)
        assert model.loss_ == pytest.approx(loss_of(*before, x, y, masks, activation, thinned))


# What random_state decides


@pytest.mark.parametrize("settings", [{}, {"thinned": True, "input_dropout": 0.2, "early_stopping": True}])
@BOTH
def test_random_state_decides_all(estimator, settings):
    model = estimator(**SMALL, **settings)
    first = clone(model).fit(X, Y)
    assert same(first, clone(model).fit(X, Y))
    assert same(first, clone(model).set_params(random_state=np.random.RandomState(0)).fit(X, Y))
    assert not same(first, clone(model).set_params(random_state=1).fit(X, Y))
    state = np.random.RandomState(0)
    moving = clone(model).set_params(random_state=state)
    assert not same(copy.deepcopy(moving.fit(X, Y)), moving.fit(X, Y))
    np.random.seed(0)  # noqa: NPY002 - the state that None means
    model.set_params(random_state=None)
    assert same(first, copy.deepcopy(model.fit(X, Y)))
    assert not same(first, model.fit(X, Y))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_splits_and_shuffles_are_those_without_dropout(ours, theirs, monkeypatch):
    seen = {}

    def recorded(backprop, batches):
        def record(self, x, *rest):
            batches.append(x.copy())
            return backprop(self, x, *rest)

        return record

    for cls in (ours, theirs):
        seen[cls], state = [], np.random.RandomState(5)
        with monkeypatch.context() as patch:
            patch.setattr(cls, "_backprop", recorded(cls._backprop, seen[cls]))
            cls(**{**SMALL, "random_state": state, "early_stopping": True}).fit(X, Y)
        seen[cls].append(state.uniform(size=3))
    np.testing.assert_equal(seen[ours], seen[theirs])


@pytest.mark.parametrize("thinned", [False, True])
def test_partial_fit_and_warm_start_go_on_with_the_key(thinned):
    settings = SMALL | {"shuffle": False, "max_iter": 1, "solver": "adam", "thinned": thinned}
    whole = DropoutMLPRegressor(**settings | {"max_iter": 2}).fit(X, Y)
    parts = DropoutMLPRegressor(**settings).partial_fit(X, Y).partial_fit(X, Y)
    assert same(whole, parts)
    pickled = pickle.loads(pickle.dumps(DropoutMLPRegressor(**settings).partial_fit(X, Y))).partial_fit(X, Y)
    assert same(whole, pickled)
    settings |= {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False}
    whole = DropoutMLPRegressor(**settings | {"max_iter": 2}).fit(X, Y)
    assert same(whole, DropoutMLPRegressor(**settings, warm_start=True).fit(X, Y).fit(X, Y))
    assert not same(whole, DropoutMLPRegressor(**settings).fit(X, Y).fit(X, Y))


@pytest.mark.parametrize("settings", [{}, {"thinned": True}, {"early_stopping": True}, {"activation": "tanh"}])
@BOTH
def test_sparse_is_dense(estimator, settings):
    model = estimator(**SMALL, input_dropout=0.3, **settings)
    dense = clone(model).fit(X, Y)
    before = csr_matrix(X)
    for kind in (csr_matrix, csc_matrix):
        x = kind(X)
        sparse = clone(model).fit(x, Y)
        for a, b in zip(parameters(dense), parameters(sparse), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)
        got, want = (m.monte_carlo(z, 4, 0, batch_size=70) for m, z in ((sparse, x), (dense, X)))
        np.testing.assert_allclose(got.mean, want.mean, rtol=1e-5, atol=1e-8)
        assert (x != before).nnz == 0


# Without dropout it is the parent; X is not written to


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_without_dropout_every_bit_is_the_parents(ours, theirs, activation, solver):
    settings = SMALL | {"solver": solver, "activation": activation, "early_stopping": solver == "adam"}
    a, b = ours(**settings, dropout=0).fit(X, Y), theirs(**settings).fit(X, Y)
    assert same(a, b)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))


@pytest.mark.parametrize("thinned", [False, True])
@BOTH
def test_x_is_not_written_to_and_float32_stays(estimator, thinned):
    x = X.astype(np.float32)
    x.flags.writeable = False
    model = estimator(**SMALL, shuffle=False, input_dropout=0.5, thinned=thinned).fit(x, Y)
    assert {w.dtype for w in parameters(model)} == {np.dtype(np.float32)}
    model.monte_carlo(x, 3, 0)
    np.testing.assert_array_equal(x, X.astype(np.float32))


@BOTH
def test_sample_weight_where_the_release_has_it(estimator):
    model = estimator(**SMALL, thinned=True)
    try:
        one, two = (clone(model).fit(X, Y, sample_weight=np.full(len(Y), w)) for w in (1, 2))
    except TypeError:
        pytest.skip("scikit-learn before 1.7")
    assert same(one, clone(model).fit(X, Y))
    assert not same(one, two)  # as alpha is not doubled
    zero = np.arange(len(Y)) % 2.0
    other = np.where(zero > 0, Y, 0)  # the targets of weight 0 do not matter
    if estimator is DropoutMLPRegressor:
        assert same(*(clone(model).fit(X, y, sample_weight=zero) for y in (Y, other)))


def test_verbose_tells_of_each_epoch(capsys):
    DropoutMLPRegressor(**SMALL, verbose=True).fit(X, Y)
    assert capsys.readouterr().out.count("Iteration") == 3


# thinned, max_norm


@pytest.mark.parametrize("patience", [3, 10])
@BOTH
def test_thinned_stops_where_the_mean_loss_of_epochs_no_longer_falls(estimator, patience):
    model = estimator(**SMALL | {"max_iter": 300}, thinned=True, n_iter_no_change=patience, tol=1e-2).fit(X, Y)
    means = np.convolve(model.loss_curve_, np.full(patience, 1 / patience), "valid")
    best = np.minimum.accumulate(means)
    worse = np.append(False, means[1:] > best[:-1] - 1e-2)
    in_a_row = np.array([np.argmin(worse[n::-1]) for n in range(len(worse))])
    assert (in_a_row[:-1] <= patience).all()
    assert in_a_row[-1] == patience + 1
    assert model.n_iter_ == len(model.loss_curve_) == len(means) + patience - 1
    assert model.best_loss_ == pytest.approx(best[-1])


def test_thinned_regressors_learn_at_the_defaults():
    x = np.random.RandomState(0).standard_normal((200, 10))
    y = x[:, 0]  # as scikit-learn's check has it, which asks for R^2 > .5
    for seed in range(5):
        model = DropoutMLPRegressor(thinned=True, random_state=seed)
        assert model.fit(x, y).score(x, y) > 0.5


def test_thinned_puts_the_weights_back_when_an_update_fails(monkeypatch):
    model = DropoutMLPClassifier(**SMALL, thinned=True).fit(X, Y)
    before = copy.deepcopy(model)

    def fail(*args, **kwargs):
        assert [w.shape[0] < v.shape[0] for w, v in zip(model.coefs_[1:], before.coefs_[1:], strict=True)] == [True] * 2
        raise KeyError("planted")

    monkeypatch.setattr("sklearn.neural_network._multilayer_perceptron.safe_sparse_dot", fail)
    with pytest.raises(KeyError, match="planted"):
        model.partial_fit(X, Y)
    assert same(model, before)
    monkeypatch.undo()
    assert not same(model.partial_fit(X, Y), before)


@pytest.mark.parametrize("settings", [{}, {"input_dropout": 0.99}, {"thinned": True, "dropout": [0.99, 0.99]}])
def test_thinned_and_nothing_left(settings):
    model = DropoutMLPClassifier(**SMALL, **{"thinned": True, **settings}).fit(X, Y)
    assert all(np.isfinite(w).all() for w in parameters(model))
    DropoutMLPClassifier(**SMALL, **{"thinned": True, **settings}).fit(csr_matrix(X), Y)


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("settings", [{}, {"thinned": True}, {"dropout": 0}])
def test_max_norm_holds_after_every_update(solver, settings, monkeypatch):
    norms, limit = [], 0.5

    class Watched(DropoutMLPClassifier):
        def _backprop(self, *args):
            norms.append([np.linalg.norm(w, axis=0).max() for w in self.coefs_])
            return super()._backprop(*args)

    model = Watched(**SMALL, solver=solver, learning_rate_init=0.1, max_norm=limit, **settings).fit(X, Y)
    norms.append([np.linalg.norm(w, axis=0).max() for w in model.coefs_])
    assert np.max(norms[1:]) <= limit * (1 + 1e-12)
    assert np.max(norms[-1]) > 0.99 * limit
    far = DropoutMLPClassifier(**SMALL, solver=solver, max_norm=1e9, **settings).fit(X, Y)
    assert same(far, DropoutMLPClassifier(**SMALL, solver=solver, **settings).fit(X, Y))
    assert same(model.set_params(max_norm=None).partial_fit(X, Y), model)
    assert np.linalg.norm(model.coefs_[1], axis=0).max() > limit


# Refusals


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, "dropout.*0.0, 1.0"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"dropout": "half"}, "dropout"),
        ({"dropout": [0.5]}, "one for each of the 2 hidden layers, got"),
        ({"dropout": [0.5, 1.0]}, r"in \[0, 1\), or one"),
        ({"input_dropout": 1}, "input_dropout"),
        ({"max_norm": 0}, "max_norm"),
        ({"thinned": "yes"}, "thinned"),
        ({"solver": "lbfgs"}, "'adam' or 'sgd' with dropout.*got 'lbfgs'"),
        ({"solver": "lbfgs", "dropout": 0, "max_norm": 1}, "'adam' or 'sgd' with dropout.*got 'lbfgs'"),
    ],
)
@BOTH
def test_what_fit_refuses(estimator, settings, message):
    with pytest.raises(ValueError, match=message):
        estimator(**{**SMALL, **settings}).fit(X, Y)


def test_the_error_without_scikit_learn_names_the_extra():
    code = "import sys; sys.modules['sklearn'] = None; import fastdrop.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=180, check=False)
    assert "ModuleNotFoundError: fastdrop.sklearn needs scikit-learn 1.3" in done.stderr
    assert "pip install 'numpy-fastdrop[sklearn]'" in done.stderr


# scikit-learn's tools


def test_grid_search_of_two_processes_is_that_of_one():
    model = make_pipeline(MinMaxScaler(), DropoutMLPClassifier(**SMALL))
    grid = {"dropoutmlpclassifier__dropout": [0.0, 0.5, [0.2, 0.4]]}
    one, two = (GridSearchCV(model, grid, cv=2, n_jobs=n).fit(X, Y) for n in (1, 2))
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    assert same(one.best_estimator_[-1], two.best_estimator_[-1])
    scores = cross_val_score(model, X, Y, cv=2)
    assert scores.tolist() == [one.cv_results_[f"split{i}_test_score"][1] for i in (0, 1)]


@BOTH
def test_pickles_and_clones(estimator):
    model = estimator(**SMALL, dropout=[0.5, 0.2], max_norm=2.0).fit(X, Y)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    loaded = joblib.load(file)
    assert same(model, loaded)
    assert same(model.partial_fit(X, Y), loaded.partial_fit(X, Y))
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "coefs_")
    assert "dropout=[0.5, 0.2]" in repr(model)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_parameters_are_the_parents_and_four(ours, theirs):
    own = {"dropout": 0.5, "input_dropout": 0.0, "max_norm": None, "thinned": False}
    assert ours().get_params() == theirs().get_params() | own


@pytest.mark.parametrize("settings", [{}, {"max_norm": 1.0, "thinned": True}])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_to_mlp_is_scikit_learns_own(ours, theirs, settings):
    model = ours(**SMALL, **settings)
    assert type(model.to_mlp()) is theirs
    plain = model.fit(X, Y).to_mlp()
    assert type(plain) is theirs
    assert "fastdrop" not in pickle.dumps(plain).decode("latin1")
    np.testing.assert_array_equal(plain.predict(X), model.predict(X))
    before = copy.deepcopy(model)
    plain.partial_fit(X, Y)
    assert same(model, before)
    assert not same(model, plain)
    with pytest.raises(TypeError):
        plain.__class__(dropout=0.5)


# Monte Carlo


@pytest.mark.parametrize("targets", [Y, Y % 2, np.stack([Y % 2, Y % 3 == 0], 1)], ids=["ten", "two", "multilabel"])
def test_monte_carlo_of_a_classifier(targets):
    model = DropoutMLPClassifier(**SMALL, input_dropout=0.1).fit(X, targets)
    result = model.monte_carlo(X, 200, random_state=1, keep=True)
    assert result.samples.shape == (200, *model.predict_proba(X).shape)
    np.testing.assert_allclose(result.samples.mean(0), result.mean)
    assert (result.std > 0).all()
    again, other = (model.monte_carlo(X, 200, random_state=s) for s in (1, 2))
    np.testing.assert_array_equal(again.mean, result.mean)
    assert (other.mean != result.mean).any()
    np.testing.assert_allclose(model.monte_carlo(X, 200, 1, batch_size=7).mean, result.mean)
    error = 5 * np.hypot(result.std, other.std) / np.sqrt(200)
    assert (np.abs(other.mean - result.mean) < error + 1e-3).mean() > 0.999
    if targets.ndim == 1:
        assert (result.entropy >= result.mutual_information).all()


def test_monte_carlo_of_a_linear_network_has_the_mean_and_spread_of_theory():
    model = DropoutMLPRegressor(
        hidden_layer_sizes=64, activation="identity", dropout=0.3, max_iter=20, random_state=0
    ).fit(X, Y)
    samples = 4000
    result = model.monte_carlo(X[:20], samples, random_state=0)
    hidden = (X[:20] @ model.coefs_[0] + model.intercepts_[0]) * model.coefs_[1][:, 0]
    std = np.sqrt((hidden**2).sum(axis=1) * 0.3 / 0.7)
    assert (np.abs(result.mean - model.predict(X[:20])) < 5 * std / np.sqrt(samples)).all()
    np.testing.assert_allclose(result.std, std, rtol=5 / np.sqrt(2 * samples))


def test_return_std():
    model = DropoutMLPRegressor(**SMALL).fit(X, Y)
    mean, std = model.predict(X, return_std=True, samples=30)
    np.testing.assert_array_equal(mean, model.predict(X))
    np.testing.assert_array_equal(std, model.monte_carlo(X, 30, random_state=0).std)
    two = DropoutMLPRegressor(**SMALL).fit(X, X[:, 2:4])
    assert [a.shape for a in two.predict(X, True)] == [(300, 2), (300, 2)]


def test_monte_carlo_refuses():
    with pytest.raises(NotFittedError):
        DropoutMLPClassifier().monte_carlo(X)
    model = DropoutMLPClassifier(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match="64 features"):
        model.monte_carlo(X[:, :5])
    with pytest.raises(ValueError, match="samples"):
        model.monte_carlo(X, 0)
    with pytest.warns(UserWarning, match="equal in every bit"):
        model.set_params(dropout=0).monte_carlo(X, 2)
