"""The model is the library, bit for bit: a planted fault is then the one difference."""

import numpy as np
import pytest
from generators import Library, Model


@pytest.mark.parametrize("p", [1e-10, 1 / 256, 0.1, 0.5, 0.9])
def test_model(p):
    for stream, offset in [(0, 0), (5, 2**40)]:
        a, b = (source.dropped(2**16, p, stream=stream, offset=offset) for source in (Library(), Model()))
        np.testing.assert_array_equal(a, b)


def test_model_of_an_array_p():
    p = np.linspace(0, 0.99, 100)
    np.testing.assert_array_equal(Library().dropped_each(1000, p), Model().dropped_each(1000, p))


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_count(p):
    assert Library().count(2**22, p) == Model().count(2**22, p) == np.count_nonzero(Model().dropped(2**22, p))
