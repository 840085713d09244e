"""What ThinnedLinear needs of the core: a mask of units, drawn without data, and some rows and columns of a matrix."""

import math

import numpy as np

cimport numpy as cnp

from .binding cimport change_part, gather_part
from .c_fastdrop cimport FD_F32, FD_F64, fd_dtype, fd_part
from .execution cimport draw
from .mask cimport Mask, new_mask
from .recipe cimport new_recipe

cnp.import_array()


def draw_units(tuple shape, p, rng):
    """Draw the mask of `dropout` with noise shape (1, None), ignoring the rng's row; also return the kept indices."""
    cdef Mask mask = new_mask(new_recipe(shape, p, 0, None if shape[0] == 1 else (1, shape[1]), 0, None), False)
    bits = draw(mask.recipe, True, rng)
    if 0 < mask.recipe.p < 1:
        mask.stored = bits
    return mask, kept_units(mask)


def kept_units(Mask mask):
    """Return the indices along the last axis that a mask keeps; None if they depend on the other axes."""
    cdef tuple noise = mask.recipe.extents()
    cdef Py_ssize_t last = len(noise) - 1
    if last < 0 or noise[last] != mask.recipe.shape[last] or math.prod(noise[:last]) != 1:
        return None
    return np.unpackbits(mask.bits, count=noise[last], bitorder="little").view(np.bool_).nonzero()[0]


cdef const ptrdiff_t *index_of(cnp.ndarray index, Py_ssize_t extent) except? NULL:
    """Return a pointer to the indices along an axis, after checking their type and range."""
    cdef const ptrdiff_t *at = <const ptrdiff_t *> cnp.PyArray_DATA(index)
    if cnp.PyArray_TYPE(index) != cnp.NPY_INTP or not cnp.PyArray_ISCARRAY_RO(index):
        raise TypeError(f"an index must be a C array of intp, got {index.dtype}")
    for i in range(cnp.PyArray_SIZE(index)):
        if not 0 <= at[i] < extent:
            raise IndexError(f"index {at[i]} is out of bounds for an axis of size {extent}")
    return at


cdef bint is_f_order(cnp.ndarray whole) noexcept:
    """Whether neighbours in a column are closer in memory than neighbours in a row."""
    return (cnp.PyArray_NDIM(whole) == 2
            and abs(cnp.PyArray_STRIDE(whole, 0)) < abs(cnp.PyArray_STRIDE(whole, 1)))


cdef int between(cnp.ndarray whole, cnp.ndarray rows, cnp.ndarray columns, cnp.ndarray packed, bint gathering,
                 const double *rate) except -1:
    """Check the arguments, then gather, or scatter (rate NULL), or do an SGD step, with the smaller step inside."""
    cdef int number = cnp.PyArray_TYPE(whole)
    cdef fd_dtype dtype = FD_F32 if number == cnp.NPY_FLOAT else FD_F64
    cdef fd_part part
    if (number not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) or cnp.PyArray_NDIM(whole) != 2
            or not cnp.PyArray_ISBEHAVED_RO(whole) or (not gathering and not cnp.PyArray_ISWRITEABLE(whole))):
        raise TypeError("a matrix must be 2-D, of float32 or float64, native, aligned, and writable where written")
    if packed.dtype != whole.dtype or (<object> packed).shape != (rows.size, columns.size):
        raise ValueError(f"packed must be {whole.dtype} of shape {(rows.size, columns.size)}, "
                         f"got {packed.dtype} of shape {(<object> packed).shape}")
    if is_f_order(whole):
        return between(whole.T, columns, rows, packed.T, gathering, rate)
    packed = cnp.PyArray_GETCONTIGUOUS(packed)
    part.rows, part.columns = cnp.PyArray_SIZE(rows), cnp.PyArray_SIZE(columns)
    part.row, part.column = index_of(rows, whole.shape[0]), index_of(columns, whole.shape[1])
    part.row_stride, part.column_stride = whole.strides[0], whole.strides[1]
    if gathering:
        gather_part(dtype, &part, whole, packed)
    else:
        change_part(dtype, &part, rate, packed, whole)
    return 0


def gather(cnp.ndarray whole, cnp.ndarray rows, cnp.ndarray columns):
    """Return the matrix ``whole[rows][:, columns]``, packed in the order of `whole`."""
    cdef cnp.npy_intp[2] shape = [cnp.PyArray_SIZE(rows), cnp.PyArray_SIZE(columns)]
    packed = cnp.PyArray_EMPTY(2, shape, cnp.PyArray_TYPE(whole), is_f_order(whole))
    between(whole, rows, columns, packed, True, NULL)
    return packed


def scatter(packed, rows, columns, whole):
    """Write a packed matrix to those rows and columns of `whole`; the rest is not changed."""
    between(whole, rows, columns, packed, False, NULL)


def sgd_step(packed, rows, columns, whole, double rate):
    """Subtract ``rate * packed`` from those rows and columns of `whole`, rounded as NumPy does; leave the rest."""
    between(whole, rows, columns, packed, False, &rate)
