"""
Numba: the C core in compiled loops
===================================

Dropout inside of a function compiled by Numba, which calls the C core through its address, without the interpreter. The
package exports no symbol of the core, so ``csrc`` of the sources is built here as a shared library, with a function of
numbers and addresses, which is what Numba can call::

    pip install numpy-fastdrop numba
    python examples/doors/numba_core.py
"""

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path

import numba
import numpy as np

import fastdrop as fd

CSRC = Path(__file__).resolve().parents[2] / "csrc"
FUNCTION = """
#include "fastdrop.h"
void dropout(uint64_t k0, uint64_t k1, uint64_t stream, double p, uint64_t index, size_t n, const void *x, void *y) {
    fd_run run = fd_run_default();
    fd_draw draw = fd_draw_init((fd_key){k0, k1}, stream, p);
    fd_values values = {1 / (1 - p), 0, 0, NULL};
    fd_dropout(&run, &draw, FD_F32, index, n, &values, x, y, NULL);
}"""


def built(folder):
    """Compile the core with the function, and return it."""
    sources = [path for path in [*CSRC.glob("*.c"), *CSRC.glob("kernels/*.c")] if path.name != "example.c"]
    options = ["-std=c11", *os.environ.get("CFLAGS", "-O2").split(), "-ffp-contract=off", "-shared", "-fPIC"]
    command = ["cc", *options, f"-I{CSRC}", *sources, "-x", "c", "-", "-o", f"{folder}/core.so"]
    subprocess.run(command, input=FUNCTION, encoding="utf-8", check=True)
    function, u64, address = ctypes.CDLL(f"{folder}/core.so").dropout, ctypes.c_uint64, ctypes.c_void_p
    function.argtypes = [u64, u64, u64, ctypes.c_double, u64, ctypes.c_size_t, address, address]
    function.restype = None
    return function


def main():
    """Drop row by row in compiled code, and compare with the package."""
    with tempfile.TemporaryDirectory() as folder:
        c_dropout = built(folder)

        @numba.njit
        def dropout_rows(x, p, k0, k1):
            y = np.empty_like(x)
            for i in range(len(x)):  # row i begins at the index i * len(x[i]) of the mask of the whole
                c_dropout(k0, k1, 0, p, i * x.shape[1], x.shape[1], x[i].ctypes.data, y[i].ctypes.data)
            return y

        x, rng = np.random.default_rng(0).standard_normal((1000, 64), np.float32), fd.Rng(0)
        y = dropout_rows(x, 0.2, *(np.uint64(half) for half in rng.key))
    same = np.array_equal(y, fd.dropout(x, 0.2, rng=rng)[0])
    print(f"dropped {np.mean(y == 0):.1%}; the package gives the same: {same}")


if __name__ == "__main__":
    main()
