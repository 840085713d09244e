"""The rules for arguments: each rule is one small function with one message."""

import operator
import sys
from collections.abc import Sequence

import numpy as np

cimport numpy as cnp
from cpython.buffer cimport PyObject_CheckBuffer
from libc.math cimport INFINITY

from .c_fastdrop cimport FD_BF16, FD_C64, FD_C128, FD_F16, FD_F32, FD_F64, fd_dtype

cnp.import_array()

cdef int MAX_DIMS = 64  # NumPy's limit: it does not read sequences that are nested deeper


cpdef int refuse_masked(object x, str name) except -1:
    """Refuse a masked array, also in a sequence. If numpy.ma was never imported, x cannot be one."""
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())
    if isinstance(x, masked):
        raise TypeError(f"{name} must not be a masked array, whose mask would be lost: pass {name}.filled(0)")
    if masked and holds(x, masked, 0):
        raise TypeError(f"{name} must not hold a masked array, whose mask would be lost: pass .filled(0) of each")
    return 0


cdef bint holds(object x, object kind, int depth) except -1:
    """Return whether a sequence, of which NumPy would make an array, contains an object of that kind at any depth."""
    if depth > MAX_DIMS:
        return False
    if type(x) is not list and type(x) is not tuple and (
            isinstance(x, str) or PyObject_CheckBuffer(x) or not isinstance(x, Sequence)):
        return False
    for item in x:
        if type(item) is not float and (isinstance(item, kind) or holds(item, kind, depth + 1)):
            return True
    return False


cdef object with_axis(object p, str name):
    """Return p as an array if it has an axis; None if it is a number or of a wrong type."""
    if isinstance(p, (float, int, str)) or (isinstance(p, np.ndarray) and p.ndim == 0):
        return None
    refuse_masked(p, name)
    array = np.asarray(p)
    return array if array.ndim else None


cdef bint is_real(object x) except -1:
    """Return whether the array x is of ints or floats."""
    return x.dtype.kind in "iuf" or x.dtype.name == "bfloat16"


cdef double real_number(object value, str name) except? -1.0:
    """Return value as a double; infinite if it is an int too large for one."""
    if isinstance(value, (bool, np.bool_, str, bytes, complex, np.complexfloating)) or (
            isinstance(value, np.ndarray) and (value.ndim > 0 or not is_real(value))):
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}")
    refuse_masked(value, name)
    if isinstance(value, np.ndarray):
        value = value.item()
    try:
        return value
    except TypeError:
        raise TypeError(f"{name} must be a real number, got {type(value).__name__}") from None
    except OverflowError:
        return INFINITY if value > 0 else -INFINITY


cdef double probability(object p) except -1.0:
    """Return p as a double in [0, 1]."""
    cdef double value = <double> p if type(p) is float else real_number(p, "p")
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"p must be between 0 and 1, got {p}")
    return value + 0.0  # -0.0 is 0


cdef cnp.ndarray plain_array(object x, str name):
    """Return what is no ndarray, or a subclass of it, as a plain ndarray."""
    refuse_masked(x, name)
    refuse_sparse(x, name)
    array = np.asanyarray(x)
    refuse_masked(array, name)  # an object's __array__ may have returned one
    return np.asarray(array)


cdef cnp.ndarray floating(object x, str name, fd_dtype *dtype):
    """Return x as a plain ndarray of one of the six dtypes, in any byte order, and which."""
    cdef cnp.ndarray array = <cnp.ndarray> x if type(x) is cnp.ndarray else plain_array(x, name)
    cdef int number = cnp.PyArray_TYPE(array)
    if number == cnp.NPY_FLOAT:
        dtype[0] = FD_F32
    elif number == cnp.NPY_DOUBLE:
        dtype[0] = FD_F64
    elif number == NPY_HALF:
        dtype[0] = FD_F16
    elif number == cnp.NPY_CFLOAT:
        dtype[0] = FD_C64
    elif number == cnp.NPY_CDOUBLE:
        dtype[0] = FD_C128
    elif number >= NPY_USERDEF and array.dtype.name == "bfloat16":
        dtype[0] = FD_BF16
    else:
        raise TypeError(
            f"{name} must have dtype float16, bfloat16, float32, float64, complex64 or complex128, "
            f"got {wrong_dtype(x, name, array.dtype)}")
    return array


cdef int refuse_sparse(object x, str name) except -1:
    """Refuse a sparse matrix, which NumPy would take for a single object."""
    if hasattr(type(x), "nnz"):
        stored = "data" if getattr(x, "format", "") not in ("lil", "dok") else "tocsr().data"
        raise TypeError(f"{name} must be a dense array, got {type(x).__name__}: pass the values that it stores, as in "
                        f"{name}.{stored}")
    return 0


cdef str wrong_dtype(object x, str name, object dtype):
    """Say what was given, and how to cast it if that can help."""
    if hasattr(x, "astype"):
        return f"{dtype}: cast it first, as in {name}.astype(numpy.float32)"
    advice = f": cast it first, as in numpy.asarray({name}, numpy.float32)" if dtype.kind in "biufc" else ""
    return f"{type(x).__name__} of dtype {dtype}{advice}"


cdef int array_of(object a, str name, str dtype) except -1:
    """Refuse anything but an array of that dtype."""
    refuse_masked(a, name)
    if not isinstance(a, np.ndarray) or a.dtype != dtype:
        got = a.dtype if isinstance(a, np.ndarray) else type(a).__name__
        raise TypeError(f"{name} must be a {dtype} array, got {got}")
    return 0


cdef cnp.ndarray new_like(cnp.ndarray x):
    """Return an uninitialised array of x's shape and layout, and its dtype in native byte order."""
    if cnp.PyArray_ISBEHAVED_RO(x) and cnp.PyArray_IS_C_CONTIGUOUS(x) and cnp.PyArray_TYPE(x) < NPY_USERDEF:
        return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(x), cnp.PyArray_DIMS(x), cnp.PyArray_TYPE(x), 0)
    # Without dtype=: if the allocation failed, NumPy 1.24 to 1.26 would then lose a reference to the dtype.
    return np.empty_like(x.view(x.dtype.newbyteorder("=")), subok=False)


cdef cnp.ndarray contiguous(cnp.ndarray x):
    """Return x in C order, aligned and native: itself if it is, else a copy."""
    if cnp.PyArray_ISCARRAY_RO(x):
        return x
    return np.require(x, x.dtype.newbyteorder("="), ["C", "A"])


def check_array(x, name):
    """Return x as a plain ndarray of one of the six dtypes."""
    cdef fd_dtype dtype
    return floating(x, name, &dtype)


cdef bint overlaps_itself(object out) except -1:
    """Return whether two elements of out may share memory: not if each step is larger than all the smaller axes."""
    reach = out.itemsize
    for step, extent in sorted(zip(map(abs, out.strides), out.shape)):
        if extent > 1:
            if step < reach:
                return True
            reach += step * (extent - 1)
    return False


def check_separate(a, name):
    """Refuse an array in which two elements may share memory."""
    if a.size and overlaps_itself(a):
        raise ValueError(f"{name} must not overlap itself, got strides {a.strides}")


cdef bint same_elements(object x, object out) except -1:
    """Return whether two arrays of the same shape have the same elements in memory; out is in native byte order."""
    if cnp.PyArray_DATA(<cnp.ndarray> x) != cnp.PyArray_DATA(<cnp.ndarray> out) or not x.dtype.isnative:
        return False
    return x.strides == out.strides or all(  # the stride of an axis of extent 1 does not matter
        n == 1 or a == b for n, a, b in zip(x.shape, x.strides, out.strides))


cdef bint apart(object x, object out) except -1:
    """Return whether x and out share no memory; False if that takes too long to decide."""
    try:
        return not np.shares_memory(x, out, max_work=1 << 20)
    except getattr(np, "exceptions", np).TooHardError:  # it moved in NumPy 1.25
        return False


cdef int check_apart(object operand, str name, object out, bint may_be_out=False) except -1:
    """Refuse an out that overlaps an operand, which may be None.

    may_be_out: allowed if they are the same elements.
    """
    if operand is None or (may_be_out and same_elements(operand, out)) or apart(operand, out):
        return 0
    raise ValueError(f"out must be {name} itself or memory apart from it, got a partial overlap" if may_be_out
                     else f"out must be apart from {name}, got an overlap")


cdef int refuse_arithmetic() except -1:
    """Raise the error of all operators and ufuncs of a Mask."""
    raise TypeError("a Mask takes no part in arithmetic, where its scale would be lost: use mask.apply(x), or "
                    "mask.to_bool() for an array of bool")


cdef cnp.ndarray output(object out, cnp.ndarray source, str name):
    """Return out if it can receive the result for the array `source`, which messages call `name`."""
    cdef object x = source
    if out is x and cnp.PyArray_ISBEHAVED(source) and cnp.PyArray_IS_C_CONTIGUOUS(source):
        return source
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a numpy.ndarray, got {type(out).__name__}")
    refuse_masked(out, "out")
    if out.shape != x.shape:
        raise ValueError(f"out must have shape {x.shape}, got {out.shape}")
    if out.dtype.newbyteorder("=") != x.dtype.newbyteorder("="):
        raise ValueError(f"out must have dtype {x.dtype.newbyteorder('=')}, got {out.dtype.newbyteorder('=')}")
    if not out.dtype.isnative:
        raise ValueError(f"out must be in native byte order, got {out.dtype.str}")
    if not out.flags.writeable:
        raise ValueError("out must be writable, got a read-only array")
    if not out.flags.aligned:
        raise ValueError("out must be aligned, got a misaligned array")
    check_separate(out, "out")
    check_apart(x, name, out, True)
    return out


cpdef cnp.ndarray result(cnp.ndarray x, object out, str name):
    """Return where the result for x goes: out, after checking it, or a new array."""
    return new_like(x) if out is None else output(out, x, name)


cdef bint keeps_bits(object store) except -1:
    if store == "bits":
        return True
    if store == "recipe":
        return False
    raise ValueError(f"store must be 'bits' or 'recipe', got {store!r}")


def check_store(store):
    """Return store if it is one of the two."""
    keeps_bits(store)
    return store


cdef object integer(object value, str name, object limit):
    """Return value as an int in [0, limit)."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {type(value).__name__}") from None
    if not 0 <= number < limit:
        raise ValueError(f"{name} must be between 0 and 2**{limit.bit_length() - 1} - 1, got {number}")
    return number


def natural(value, name, least=0):
    """Return value as an int of at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {type(value).__name__}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return number
