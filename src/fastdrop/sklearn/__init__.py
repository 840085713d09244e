"""scikit-learn's `MLPClassifier` and `MLPRegressor`, which have no dropout, with dropout after every hidden layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ._network import CONSTRAINTS, DropoutMLP, MLPClassifier, MLPRegressor, init_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["DropoutMLPClassifier", "DropoutMLPRegressor"]


class DropoutMLPClassifier(DropoutMLP, MLPClassifier):
    """scikit-learn's `MLPClassifier` with dropout after every hidden layer [1]_.

    Parameters
    ----------
    hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate_init, max_iter, random_state, ...
        Those of `sklearn.neural_network.MLPClassifier`, all that the installed release has, by the same names.
    dropout : float or sequence of float
        The probability of dropping a hidden unit, 0 <= dropout < 1: one for all hidden layers, or one for each.
    input_dropout : float
        That of dropping an input feature, 0 <= input_dropout < 1.
    max_norm : float or None
        The largest Euclidean norm of the incoming weights of a unit, restored after every update [1]_; None is no
        limit.
    thinned : bool
        Whether a unit is dropped for the whole mini-batch, and what is dropped is not multiplied: a step is quicker,
        and more of them are needed. `alpha` then penalises the weights of the thinned network of a step.

    Attributes
    ----------
    coefs_, intercepts_, loss_curve_, n_iter_, ...
        Those of `sklearn.neural_network.MLPClassifier`. `loss_` and `loss_curve_` are of the passes with dropout. Where
        thinned, `best_loss_` is the lowest mean of `n_iter_no_change` epochs, and what decides when training stops.

    Raises
    ------
    ValueError
        By `fit` and `partial_fit`: a parameter out of range; dropout or max_norm with ``solver="lbfgs"``.

    Notes
    -----
    `random_state` decides the masks too. Their key is drawn from a copy of it, so that weights, splits and shuffles
    start as those of ``dropout=0``, and lives on through `partial_fit` and ``warm_start=True``. Masks of sparse and
    dense X are the same.

    References
    ----------
    .. [1] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural
       networks from overfitting", JMLR 15, 2014.
    .. [2] Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning",
       ICML 2016.

    Examples
    --------
    >>> from fastdrop.sklearn import DropoutMLPClassifier
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DropoutMLPClassifier((256,), dropout=0.5, tol=1e-2, random_state=0)
    >>> model.fit(X[:1000] / 16, y[:1000]).score(X[1000:] / 16, y[1000:]) > 0.9
    True
    >>> result = model.monte_carlo(X[1000:] / 16, samples=20, random_state=0)
    >>> result.mean.shape, result.entropy.shape
    ((797, 10), (797,))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {**MLPClassifier._parameter_constraints, **CONSTRAINTS}
    __init__ = init_of(MLPClassifier)

    def _prediction(self, y: Array) -> Array:
        """Return the classes' probabilities: scikit-learn's network has one output for two classes."""
        return np.hstack([1 - y, y]) if self.n_outputs_ == 1 else y


class DropoutMLPRegressor(DropoutMLP, MLPRegressor):
    """scikit-learn's `MLPRegressor` with dropout after every hidden layer [1]_.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, solver, alpha, batch_size, learning_rate_init, max_iter, random_state, ...
        Those of `sklearn.neural_network.MLPRegressor`, all that the installed release has, by the same names.
    dropout, input_dropout, max_norm, thinned
        As in `DropoutMLPClassifier`; so are the attributes, the errors and what `random_state` decides.

    References
    ----------
    .. [1] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a simple way to prevent neural
       networks from overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from fastdrop.sklearn import DropoutMLPRegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = DropoutMLPRegressor(hidden_layer_sizes=100, dropout=0.1, tol=1e-3, random_state=0)
    >>> mean, std = model.fit(X, X[:, 0] ** 2).predict([[0.5], [4.0]], return_std=True)
    >>> bool(std[1] > std[0])
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {**MLPRegressor._parameter_constraints, **CONSTRAINTS}
    __init__ = init_of(MLPRegressor)

    def predict(self, X: Any, return_std: bool = False, samples: int = 100) -> Any:
        """Predict without dropout, and the standard deviation with it where asked for.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The input.
        return_std : bool
            Whether to return the standard deviation of `monte_carlo`'s samples too, drawn from the estimator's
            `random_state`.
        samples : int
            How many samples that takes.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs), or two of them
            What `sklearn.neural_network.MLPRegressor.predict` returns; with `return_std` also the standard deviations.
        """
        y = super().predict(X)
        return (y, self.monte_carlo(X, samples, self.random_state).std) if return_std else y

    def _prediction(self, y: Array) -> Array:
        return y[:, 0] if self.n_outputs_ == 1 else y
