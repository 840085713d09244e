"""scikit-learn's checks of estimators, all of them, as tests."""

import inspect

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

MAY_FAIL = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "a repeated row has a mask of its own: no two rows are one of weight 2",
)


def checks_of(estimators):
    """A test that runs every check; a thinned network, whose rows share their masks, is excused none."""
    settings = {}
    if "expected_failed_checks" in inspect.signature(parametrize_with_checks).parameters:
        settings["expected_failed_checks"] = lambda estimator: {} if estimator.thinned else MAY_FAIL

    mark = parametrize_with_checks(estimators, **settings)
    names, checks = mark.args  # a generator before 1.6, which pytest does not like

    @pytest.mark.parametrize(names, list(checks), **mark.kwargs)
    def test(estimator, check):
        check(estimator)

    return test
