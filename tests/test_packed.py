"""The rows and columns of a matrix under fd.ThinnedLinear: packed, put back, moved, in any layout, beside NumPy."""

import numpy as np
import pytest
from conftest import assert_same

from fastdrop._core.packed import gather, scatter, sgd_step

DTYPES = [np.dtype("f4"), np.dtype("f8")]
LAYOUTS = {
    "c": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
    "columns": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "rows": lambda a: np.repeat(a, 3, axis=0)[::3],
    "permuted": lambda a: np.repeat(a[..., None], 3, axis=2)[..., 1].T.copy().T,
}
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
SIZES = [(1, 1), (3, 5), (0, 4), (4, 0), (30, 70)]


@every_dtype
@every_layout
@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_parts_of_a_matrix(shape, layout, dtype):
    generator = np.random.default_rng(0)
    whole = layout(generator.standard_normal(shape).astype(dtype))
    rows, columns = (np.flatnonzero(generator.random(n) < 0.6) for n in shape)
    part, want = np.ix_(rows, columns), np.array(whole)
    packed = gather(whole, rows, columns)
    assert_same(packed, want[part])
    assert packed.flags.forc
    packed = generator.standard_normal(packed.shape).astype(dtype)
    for order in "CF":
        sgd_step(np.asarray(packed, order=order), rows, columns, whole, 0.3)
        want[part] -= dtype.type(0.3) * packed
        assert_same(np.array(whole), want)
        scatter(np.asarray(packed, order=order), rows, columns, whole)
        want[part] = packed
        assert_same(np.array(whole), want)


def test_more_than_one_thread_has_to_do(threads):
    whole, rows, columns = (
        np.arange(2100.0 * 1500).reshape(2100, 1500),
        np.arange(0, 2100, 2),
        np.arange(1500)[::-1].copy(),
    )
    packed = gather(whole, rows, columns)
    assert_same(packed, np.ascontiguousarray(whole[::2, ::-1]))
    want = whole.copy()
    want[::2] -= 0.5 * want[::2]
    sgd_step(packed, rows, columns, whole, 0.5)
    assert_same(whole, want)
    want[::2, ::-1] = packed
    scatter(packed, rows, columns, whole)
    assert_same(whole, want)


def test_neighbours_in_memory_are_left_alone():
    buffer = np.arange(60.0).reshape(6, 10)
    whole, want = buffer[1:5, 2:9:2], buffer.copy()
    rows, columns = np.array([0, 3]), np.array([1, 2])
    scatter(np.full((2, 2), -1.0), rows, columns, whole)
    want[np.ix_([1, 4], [4, 6])] = -1
    assert_same(buffer, want)


MATRIX, INDEX = np.ones((3, 4)), np.arange(3)
UNFIT = {
    "1d": (lambda: gather(MATRIX[0], INDEX, INDEX), TypeError),
    "dtype": (lambda: gather(MATRIX.astype("f2"), INDEX, INDEX), TypeError),
    "swapped": (lambda: gather(MATRIX.astype(">f8"), INDEX, INDEX), TypeError),
    "read-only": (lambda: scatter(MATRIX, INDEX, np.arange(4), np.broadcast_to(1.0, (3, 4))), TypeError),
    "beyond": (lambda: gather(MATRIX, np.array([3]), INDEX), IndexError),
    "negative": (lambda: gather(MATRIX, np.array([-1]), INDEX), IndexError),
    "index-dtype": (lambda: gather(MATRIX, INDEX.astype("i4"), INDEX), TypeError),
    "index-strided": (lambda: gather(MATRIX, np.arange(6)[::2], INDEX), TypeError),
    "packed-shape": (lambda: scatter(MATRIX, INDEX, INDEX, MATRIX), ValueError),
    "packed-dtype": (lambda: sgd_step(MATRIX.astype("f4"), INDEX, np.arange(4), MATRIX, 1), ValueError),
}


@pytest.mark.parametrize(("call", "error"), UNFIT.values(), ids=UNFIT)
def test_unfit_parts(call, error):
    with pytest.raises(error):
        call()
    assert (MATRIX == 1).all()
