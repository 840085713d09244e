"""T is p * 2**64 rounded to nearest, half to even: held to single elements by an array p."""

import numpy as np
import pytest
import reference
from conftest import KEY, assert_mask, assert_same, rng

import fastdrop as fd

N = 200_000
INDICES = np.arange(N)
U = reference.uniforms(KEY, 0, INDICES.astype(np.uint64))
SMALL = np.flatnonzero(U < 2**50)  # so that (U + 3/4) * 2**-64 is a double
QUARTERS = (-3, -2, -1, 0, 1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("quarters", QUARTERS)
@pytest.mark.parametrize("store", ["bits", "recipe"])
def test_a_fraction_of_a_step_above_its_u(backend, store, quarters):
    """Dropped iff U < T: for T = U + 1/2 it is whether U is odd that decides, above that all are dropped."""
    assert len(SMALL) >= 5
    assert {0, 1} == set((U[SMALL] % 2).tolist())
    p = np.full(N, 0.3)
    p[SMALL] = (U[SMALL].astype(float) + quarters / 4) * 2.0**-64
    dropped = np.full(len(SMALL), quarters > 2) | ((quarters == 2) & (U[SMALL] % 2 == 1))
    y, mask = fd.dropout(np.ones(N), p, rng=rng(), store=store)
    keep = mask.to_bool()
    np.testing.assert_array_equal(keep[SMALL], ~dropped)
    assert_mask(mask, reference.kept_each(KEY, 0, p, INDICES))
    assert_same(y, reference.apply(np.ones(N), keep, reference.scale(p)))


def test_the_least_rates(backend):
    """Up to 2**-65 p has T = 0 and drops nothing; all that is smaller too, subnormals among them."""
    for p in (0.0, 5e-324, 2.0**-1022, 2.0**-65):
        assert fd.dropout(np.ones(N), np.full(N, p), rng=rng())[1].kept == N
