"""The roof of every ratio (roof.c), compiled on the machine that is measured."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .cases import Missing


@functools.cache
def _library() -> ctypes.CDLL:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise Missing("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "roof.so"
        source = str(Path(__file__).with_name("roof.c"))
        command = [
            *compiler.split(),
            "-std=c11",
            "-O2",
            "-march=native",
            "-shared",
            "-fPIC",
            source,
            "-o",
            str(library),
        ]
        if subprocess.run([*command, "-fopenmp"], capture_output=True).returncode:
            done = subprocess.run(command, capture_output=True, encoding="utf-8")
            if done.returncode:
                raise Missing(f"the compiler fails: {done.stderr.strip().splitlines()[-1]}")
        return ctypes.CDLL(str(library))


def _address(x: np.ndarray, known: dict[int, int]) -> int:
    """Return where an array begins, looked up once: ctypes takes longer than a small scale."""
    return known.get(id(x)) or known.setdefault(id(x), x.ctypes.data)


def scale_in_place(threads: int, scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a call that multiplies a contiguous array, as float32, where it stands."""
    function, known = _library().fastdrop_roof, {}
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float, ctypes.c_int)

    def call(x: np.ndarray) -> np.ndarray:
        function(_address(x, known), x.nbytes // 4, scale, threads)
        return x

    return call


def scale_and_add(threads: int, scale: float, other: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a call that multiplies a contiguous float32 array and adds another one, where it stands."""
    function, known = _library().fastdrop_roof_add, {}
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float, ctypes.c_int)

    def call(x: np.ndarray) -> np.ndarray:
        function(_address(x, known), other.ctypes.data, x.size, scale, threads)
        return x

    return call


def fill(threads: int, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a call that writes a contiguous float32 array, around the cache."""
    function = _library().fastdrop_roof_fill
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float, ctypes.c_int)

    def call(x: np.ndarray) -> np.ndarray:
        function(y.ctypes.data, y.size, 1.0, threads)
        return y

    return call
