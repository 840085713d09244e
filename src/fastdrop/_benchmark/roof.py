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
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise Missing(f"the compiler fails: {done.stderr.strip().splitlines()[-1]}")
        return ctypes.CDLL(str(library))


def scale_in_place(threads: int, scale: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return a call that multiplies a contiguous array, as float32, where it stands."""
    function = _library().fastdrop_roof
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_float, ctypes.c_int)
    addresses: dict[int, int] = {}  # looked up once an array: ctypes takes longer than a small scale

    def call(x: np.ndarray) -> np.ndarray:
        address = addresses.get(id(x)) or addresses.setdefault(id(x), x.ctypes.data)
        function(address, x.nbytes // 4, scale, threads)
        return x

    return call
