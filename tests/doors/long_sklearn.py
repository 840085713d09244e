"""scikit-learn's checks of what the short form leaves out; run.py runs it."""

import pytest
from sklearn_checks import checks_of

from fastdrop.sklearn import DropoutMLPClassifier, DropoutMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SETTINGS = [
    {"thinned": True},
    {"thinned": True, "input_dropout": 0.1, "max_norm": 2.0},
    {"solver": "sgd", "activation": "tanh", "input_dropout": 0.1},
]

test_scikit_learns_checks = checks_of(
    [estimator(**settings) for settings in SETTINGS for estimator in (DropoutMLPClassifier, DropoutMLPRegressor)]
)
