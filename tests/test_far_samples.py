"""mc_dropout whose samples pass 2**32 elements, in memory of which most is one and the same."""

import ctypes
import mmap
import os

import numpy as np
import pytest
from conftest import rng

import fastdrop as fd

N, LAST = 2**22, 2**10  # elements of a sample; the one that begins at 2**32


@pytest.fixture
def samples():
    """(LAST + 1, N) of float16, 8 GiB of addresses; all but the last sample share 8 MiB."""
    if not hasattr(os, "memfd_create") or "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("no memory files here, or a sanitizer, whose shadow of 8 GiB costs too much")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    both, fixed, size = mmap.PROT_READ | mmap.PROT_WRITE, 0x10, 2 * N
    file = os.memfd_create("samples")
    os.ftruncate(file, 2 * size)
    base = libc.mmap(None, (LAST + 1) * size, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert base != ctypes.c_void_p(-1).value
    for t in range(LAST + 1):
        at = libc.mmap(base + t * size, size, both, mmap.MAP_SHARED | fixed, file, size if t == LAST else 0)
        assert at == base + t * size
    os.close(file)
    yield np.frombuffer((ctypes.c_char * ((LAST + 1) * size)).from_address(base), np.float16).reshape(LAST + 1, N)
    libc.munmap(base, (LAST + 1) * size)


def test_a_sample_from_2_to_32_on(samples):
    x = np.ones(N, np.float16)
    fd.mc_dropout(x, 0.5, LAST + 1, rng=rng(), out=samples)
    assert (samples[LAST] == fd.dropout(x, 0.5, rng=rng().fold_in(LAST))[0]).all()
    assert (samples[0] == fd.dropout(x, 0.5, rng=rng().fold_in(LAST - 1))[0]).all()
