"""What dropout adds to scikit-learn's multi-layer perceptron, classifier and regressor alike.

The estimators are scikit-learn's own, with all that they can do. Six of its private methods are overridden. The
arguments of `_initialize`, `_forward_pass` and `_compute_loss_grad` have been the same since 1.2; those of `_fit`,
`_backprop` and `_update_no_improvement_count` are handed on as they come.
"""

from __future__ import annotations

import copy
import functools
import inspect
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

import fastdrop as fd

try:
    from scipy.sparse import issparse
    from sklearn.base import is_classifier
    from sklearn.neural_network import MLPClassifier as MLPClassifier
    from sklearn.neural_network import MLPRegressor as MLPRegressor
    from sklearn.neural_network._base import ACTIVATIONS
    from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
    from sklearn.utils import check_random_state, validation
    from sklearn.utils._param_validation import Interval
    from sklearn.utils.extmath import safe_sparse_dot
    from sklearn.utils.validation import check_is_fitted
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"fastdrop.sklearn needs scikit-learn 1.3 or newer, got {error}: pip install 'numpy-fastdrop[sklearn]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]
    Apply = Callable[..., Any] | None
    RandomState = int | np.random.RandomState | None

CONSTRAINTS = {
    "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "thinned": ["boolean"],
}
_OWN = (*CONSTRAINTS, "_rng", "_tape", "_kept")


def init_of(parent: Any) -> Any:
    """Return an `__init__` with the parameters of the parent's, whatever the release, and those of dropout."""

    def __init__(
        self: Any,
        *args: Any,
        dropout: float | ArrayLike = 0.5,
        input_dropout: float = 0.0,
        max_norm: float | None = None,
        thinned: bool = False,
        **kwargs: Any,
    ) -> None:
        parent.__init__(self, *args, **kwargs)
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.max_norm = max_norm
        self.thinned = thinned

    own = [p for p in inspect.signature(__init__).parameters.values() if p.kind is p.KEYWORD_ONLY]
    theirs = inspect.signature(parent.__init__)
    # scikit-learn reads the names of the parameters here.
    vars(__init__)["__signature__"] = theirs.replace(parameters=[*theirs.parameters.values(), *own])
    return __init__


class DropoutMLP(BaseMultilayerPerceptron):
    """What dropout adds to either of scikit-learn's estimators."""

    coefs_: list[Array]
    intercepts_: list[Array]
    best_loss_: float
    _no_improvement_count: int
    _optimizer: Any
    _tape: Any = None  # of the pass under way: what each layer was before it was dropped, and how it was
    _kept: Any = None  # of every layer, where the weights and intercepts of this mini-batch's thinned network stand

    def monte_carlo(
        self,
        X: Any,
        samples: int = 100,
        random_state: RandomState = None,
        *,
        batch_size: int | None = None,
        keep: bool = False,
    ) -> fd.MonteCarlo:
        """Predict many times with dropout on: the spread says how uncertain the network is [1]_.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input. Each row of each sample has a mask of its own, also where the network was trained thinned.
        samples : int
            How many predictions to take.
        random_state : int, RandomState or None
            Decides the masks. An int gives the same ones at every call.
        batch_size : int, optional
            How many rows are computed at once, all by default. The masks do not depend on it.
        keep : bool
            Whether to keep all predictions, as `MonteCarlo.samples`.

        Returns
        -------
        MonteCarlo
            Of the classes' probabilities, or of the regressor's values, of the shape that `predict_proba` or `predict`
            gives.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        TypeError, ValueError
            On a bad argument.

        Warns
        -----
        UserWarning
            Where nothing is dropped.

        References
        ----------
        .. [1] Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep
           learning", ICML 2016.
        """
        check_is_fitted(self)
        X = _validated(self, X)
        X = X.tocsr() if issparse(X) else X

        def f(rows: Array, rng: fd.Rng) -> Array:
            activations = [X[rows[0] : rows[-1] + 1], *[None] * (self.n_layers_ - 1)]
            self._dropped_pass(activations, functools.partial(_drop, rng=rng))
            prediction: Array = self._prediction(activations[-1])
            return prediction

        rng = _new_rng(check_random_state(random_state))
        return fd.monte_carlo(f, np.arange(X.shape[0]), samples, rng=rng, batch_size=batch_size, keep=keep)

    def to_mlp(self) -> Any:
        """Return a copy, fitted or not, that is scikit-learn's own estimator and does not need fastdrop."""
        plain = MLPClassifier() if is_classifier(self) else MLPRegressor()
        vars(plain).update({k: v for k, v in vars(copy.deepcopy(self)).items() if k not in _OWN})
        if isinstance(getattr(plain, "_optimizer", None), _MaxNorm):
            plain._optimizer = plain._optimizer.optimizer
        return plain

    def _rates(self) -> list[float]:
        """Return the probabilities of dropping, of the input and of every hidden layer."""
        hidden = np.size(self.hidden_layer_sizes)
        rates = np.asarray(self.dropout, dtype=float)
        if rates.shape not in ((), (hidden,)) or not ((rates >= 0) & (rates < 1)).all():
            raise ValueError(
                f"dropout must be a number in [0, 1), or one for each of the {hidden} hidden layers, got {self.dropout}"
            )
        return [float(self.input_dropout), *np.broadcast_to(rates, hidden).tolist()]

    def _fit(self, *args: Any, **kwargs: Any) -> Any:
        if self.solver == "lbfgs" and (any(self._rates()) or self.max_norm is not None):
            raise ValueError(
                "solver must be 'adam' or 'sgd' with dropout or max_norm, got 'lbfgs': it compares the values of one "
                "function without constraints, and each mask makes another function"
            )
        return super()._fit(*args, **kwargs)

    def _initialize(self, *args: Any) -> None:
        self._rng = _new_rng(copy.deepcopy(self._random_state))
        super()._initialize(*args)

    def _backprop(self, X: Any, y: Array, *rest: Any) -> Any:
        if self.solver != "lbfgs":
            optimizer = getattr(self._optimizer, "optimizer", self._optimizer)
            self._optimizer = optimizer if self.max_norm is None else _MaxNorm(optimizer, self.max_norm)
        rates, whole = self._rates(), (self.coefs_, self.intercepts_)
        try:
            if self.thinned and any(rates):
                units = _kept_units(self.coefs_, rates, self._rng)
                layers = zip(self.coefs_, units[:-1], units[1:], strict=True)
                self._kept = [(rows[:, None] * w.shape[1] + columns, columns) for w, rows, columns in layers]
                activations = rest[-4]  # the arguments before it depend on the release
                activations[0] = activations[0][:, units[0]]
                self.coefs_ = [w.take(at) for w, (at, _) in zip(self.coefs_, self._kept, strict=True)]
                self.intercepts_ = [b[columns] for b, (_, columns) in zip(self.intercepts_, self._kept, strict=True)]
            return super()._backprop(X, y, *rest)
        finally:
            self.coefs_, self.intercepts_ = whole
            self._kept = self._tape = None

    def _update_no_improvement_count(self, early_stopping: bool, *rest: Any) -> None:
        if early_stopping or not (self.thinned and any(self._rates())):
            super()._update_no_improvement_count(early_stopping, *rest)
        elif len(self.loss_curve_) >= self.n_iter_no_change:
            # All rows of a mini-batch share a mask, so one epoch's loss says little: the mean over epochs is watched.
            loss = np.mean(self.loss_curve_[-self.n_iter_no_change :])
            self._no_improvement_count = 0 if loss <= self.best_loss_ - self.tol else self._no_improvement_count + 1
            self.best_loss_ = min(loss, self.best_loss_)

    def _forward_pass(self, activations: list[Any]) -> Any:
        if not any(self._rates()):
            return super()._forward_pass(activations)
        drop = functools.partial(_drop, rng=self._rng) if self._kept is None else _scale
        self._tape = self._dropped_pass(activations, drop)
        return activations

    def _dropped_pass(self, activations: list[Any], drop: Callable[[Any, float], tuple[Any, Apply]]) -> list[Any]:
        """Do what the parent's `_forward_pass` does, and drop; return what was there before, and how it was dropped."""
        tape, y = [], activations[0]
        for layer, p in enumerate(self._rates()):
            if layer:
                ACTIVATIONS[self.activation](y)
            activations[layer], apply = (y, None) if p == 0 else drop(y, p)
            tape.append((y, apply))
            y = safe_sparse_dot(activations[layer], self.coefs_[layer])
            y += self.intercepts_[layer]
        ACTIVATIONS[self.out_activation_](y)
        activations[-1] = y
        return tape

    def _compute_loss_grad(
        self, layer: int, total: float, activations: list[Any], deltas: list[Any], *gradients: list[Any]
    ) -> None:
        whole = [gradient[layer] for gradient in gradients]
        if self._tape and layer + 1 < len(self._tape):
            apply = self._tape[layer + 1][1]
            if apply is not None:
                apply(deltas[layer], out=deltas[layer])
        super()._compute_loss_grad(layer, total, activations, deltas, *gradients)
        if self._tape:
            activations[layer] = self._tape[layer][0]  # of which tanh and logistic compute their derivatives
        if self._kept is not None:
            for gradient, full, at in zip(gradients, whole, self._kept[layer], strict=True):
                full.fill(0)
                full.reshape(-1)[at] = gradient[layer]
                gradient[layer] = full


class _MaxNorm:
    """One of scikit-learn's optimizers, after whose updates no unit's incoming weights have a larger norm."""

    def __init__(self, optimizer: Any, limit: float) -> None:
        self.optimizer, self.limit = optimizer, limit

    def update_params(self, params: list[Array], grads: list[Array]) -> None:
        self.optimizer.update_params(params, grads)
        for w in params[: len(params) // 2]:  # the others are the intercepts
            norm = np.linalg.norm(w, axis=0)
            w *= self.limit / np.maximum(norm, self.limit)

    def iteration_ends(self, *args: Any) -> None:
        self.optimizer.iteration_ends(*args)

    def trigger_stopping(self, *args: Any) -> Any:
        return self.optimizer.trigger_stopping(*args)


def _new_rng(state: np.random.RandomState) -> fd.Rng:
    return fd.Rng(state.randint(2**32, size=4, dtype=np.uint32))


def _validated(estimator: Any, X: Any) -> Any:
    """Return X checked as `predict` checks it, in floating point; scikit-learn 1.6 moved the function."""
    validate = getattr(validation, "validate_data", None) or type(estimator)._validate_data
    return validate(estimator, X, accept_sparse=["csr", "csc"], dtype=(np.float64, np.float32), reset=False)


def _drop(x: Any, p: float, rng: fd.Rng) -> tuple[Any, Apply]:
    """Return x after dropout, and what does the same to its gradient."""
    if not issparse(x):
        y, mask = fd.dropout(x, p, rng=rng)
        return y, mask.apply
    at = x.tocoo()
    mask = fd.Mask.from_bool(~fd.bernoulli(x.shape, p, rng=rng)[at.row, at.col], p)
    y = x.copy()
    y.data = mask.apply(x.data)
    return y, mask.apply


def _scale(x: Any, p: float) -> tuple[Any, Apply]:
    """Return x, whose kept units are all that is left, scaled as dropout scales them, and what scales its gradient."""
    scale = 1 / (1 - p)
    return x * scale, functools.partial(np.multiply, scale)


def _kept_units(coefs: list[Array], rates: list[float], rng: fd.Rng) -> list[NDArray[np.intp]]:
    """Return the indices of the units that are kept, of every layer; the output layer keeps all."""
    kept = [(~fd.bernoulli(len(w), p, rng=rng)).nonzero()[0] for w, p in zip(coefs, rates, strict=True)]
    return [*kept, np.arange(coefs[-1].shape[1])]
