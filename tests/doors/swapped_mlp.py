"""A pytest plugin: scikit-learn's own tests of its perceptrons get fastdrop's, whose dropout is 0 by default.

Each fit of theirs is also done by the parent from the same state, and must be the same in every bit.
"""

import contextlib
import io
import warnings

import numpy as np
import sklearn.neural_network

import fastdrop.sklearn

FITS = [0]


def same(a, b):
    """Whether two fitted estimators have the same weights, losses and number of epochs."""
    weights = zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True)
    rest = [(getattr(a, name, None), getattr(b, name, None)) for name in ("loss_", "n_iter_", "validation_scores_")]
    return all(np.array_equal(v, w, equal_nan=True) for v, w in weights) and repr(rest) == repr([r[::-1] for r in rest])


def swapped(ours):
    """A subclass of ours without dropout, whose every fit is held against the parent's."""

    class Swapped(ours):
        def __init__(self, *args, dropout=0.0, **kwargs):
            super().__init__(*args, dropout=dropout, **kwargs)

        __init__.__signature__ = ours.__init__.__signature__

        def _fit(self, *args, **kwargs):
            twin, state = self.to_mlp(), np.random.get_state()  # noqa: NPY002 - what random_state=None draws from
            quiet = contextlib.redirect_stdout(io.StringIO())
            with quiet, warnings.catch_warnings(), contextlib.suppress(ValueError):
                warnings.simplefilter("ignore")
                twin._fit(*args, **kwargs)
            np.random.set_state(state)  # noqa: NPY002
            fitted = super()._fit(*args, **kwargs)
            assert same(self, twin)
            FITS[0] += 1
            return fitted

    return Swapped


for name in ("MLPClassifier", "MLPRegressor"):
    cls = swapped(getattr(fastdrop.sklearn, f"Dropout{name}"))
    cls.__name__ = cls.__qualname__ = name
    globals()[name] = cls  # where pickle looks for it
    setattr(sklearn.neural_network, name, cls)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"{FITS[0]} fits equal to scikit-learn's in every bit")
    if FITS[0] == 0:
        raise RuntimeError("no fit was compared: were the classes swapped?")
