"""Memory that runs out where a test says: that of Python's objects, and that of NumPy's arrays."""

import ctypes
from contextlib import contextmanager

import numpy as np

try:
    import _testcapi
except ImportError:  # some distributions leave CPython's own tests out
    _testcapi = None

SET_HANDLER, GET_HANDLER = 304, 305  # their places in NumPy's C API, since 1.22: PyDataMem_SetHandler
MALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
CALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
REALLOC = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
FREE = ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Handler(ctypes.Structure):
    """NumPy's PyDataMem_Handler."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("ctx", ctypes.c_void_p),
        ("malloc", MALLOC),
        ("calloc", CALLOC),
        ("realloc", REALLOC),
        ("free", FREE),
    )


countdown = -1  # so many allocations of arrays succeed, then one fails; negative: all succeed


def allowed():
    global countdown
    countdown -= 1
    return countdown != -1


def c_api(place):
    """A function of NumPy's C API that takes and returns objects, by its place there."""
    table = ctypes.cast(pointer_of(CORE._multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    return table[place]


CORE = np._core if hasattr(np, "_core") else np.core
pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(c_api(SET_HANDLER))
usual = Handler.from_address(pointer_of(ctypes.PYFUNCTYPE(ctypes.py_object)(c_api(GET_HANDLER))(), b"mem_handler"))
failing = Handler(
    b"fails",
    1,
    None,
    MALLOC(lambda ctx, n: usual.malloc(usual.ctx, n) if allowed() else None),
    CALLOC(lambda ctx, n, size: usual.calloc(usual.ctx, n, size) if allowed() else None),
    REALLOC(lambda ctx, old, n: usual.realloc(usual.ctx, old, n) if allowed() else None),
    usual.free,  # no Python: an exception may be on its way
)


@contextmanager
def arrays_fail_at(n):
    """The allocation of NumPy's data that comes after n others fails."""
    global countdown
    old = set_handler(new_capsule(ctypes.addressof(failing), b"mem_handler", None))
    countdown = n
    try:
        yield
    finally:
        countdown = -1
        set_handler(old)


@contextmanager
def objects_fail_at(n):
    """The allocation of Python's that comes after n others fails."""
    _testcapi.set_nomemory(n, n + 1)
    try:
        yield
    finally:
        _testcapi.remove_mem_hooks()
