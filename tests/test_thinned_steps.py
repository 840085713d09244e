"""ThinnedLinear.sgd_step is done whole or refused whole."""

import pickle
import re

import numpy as np
import pytest

import fastdrop as fd


def after_backward(dtype="f8"):
    layer = fd.ThinnedLinear(np.ones((2, 3), dtype), np.ones(3, dtype), p=0)
    layer(np.ones((4, 2), dtype))
    layer.backward(np.ones((4, 3), dtype))
    return layer


@pytest.mark.parametrize("name", ["w", "b"])
def test_parameters_that_overlap_themselves(name):
    layer = after_backward()
    shape = getattr(layer, name).shape
    strides = (0,) * len(shape)
    setattr(layer, name, np.ndarray(shape, np.float64, np.ones(1), strides=strides))
    before = pickle.dumps(layer)
    with pytest.raises(ValueError, match=re.escape(f"{name} must not overlap itself, got strides {strides}")):
        layer.sgd_step(0.1)
    assert pickle.dumps(layer) == before


@pytest.mark.parametrize("lr", [1e38, 1e300])
def test_an_overflow_does_not_warn(lr):
    layer = after_backward("f4")
    layer.sgd_step(lr)  # warnings are errors here
    assert (layer.w == -np.inf).all()
    assert (layer.b == -np.inf).all()
