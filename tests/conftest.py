"""What the tests share: backends, thread counts, input, buffers between guard bytes, and comparison bit for bit."""

from functools import cache

import numpy as np
import pytest
import reference

import fastdrop as fd

try:
    from ml_dtypes import bfloat16
except ImportError:  # the suite also runs under emulation, with NumPy alone
    bfloat16 = None

DTYPES = [np.dtype(t) for t in ("f2", bfloat16, "f4", "f8", "c8", "c16") if t is not None]
MANTISSA = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}
STORES = ("bits", "recipe")
THREADS = (1, 2, 3, 7)
KEY = reference.key_from_seed(8)
GUARD = 0xA5

fd._core.binding.set_threads_always(True)  # else few calls of a test would wake a team


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """The whole suite runs in as many processes as there are processors, a file in one; parts of it run in one."""
    worker = hasattr(config, "workerinput")  # has the same arguments, and would start workers of its own
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not worker
    if whole and getattr(config.option, "numprocesses", 0) is None:  # pytest-xdist is here, and nothing was said
        config.option.numprocesses, config.option.dist = "auto", "loadfile"


@pytest.fixture(params=fd.backends())
def backend(request):
    """The test runs on every backend of this processor."""
    old = fd.backend()
    fd._core.binding.set_backend(request.param)
    yield request.param
    fd._core.binding.set_backend(old)


@pytest.fixture(params=THREADS, ids="t{}".format)
def threads(request):
    """The test runs with every thread count, or with those of an indirect parametrisation."""
    old = fd.get_num_threads()
    fd.set_num_threads(request.param)
    yield request.param
    fd.set_num_threads(old)


@pytest.fixture
def restored_threads():
    """The test may set the number of threads."""
    old = fd.get_num_threads()
    yield
    fd.set_num_threads(old)


def rng(stream=0):
    return fd.Rng.from_key(*KEY, counter=stream)


@cache
def kept(p, n, offset=0, stream=0):
    """The reference's mask of the elements offset .. offset + n - 1 under KEY: True = kept."""
    mask = reference.kept(KEY, stream, p, offset, n) if n else np.zeros(0, bool)
    mask.flags.writeable = False
    return mask


def expected(x, keep, p, inverted=True):
    """The reference's values of x under the mask `keep`."""
    return reference.apply(x, keep, reference.scale(p, inverted))


def real_dtype(dtype):
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def values(n, dtype, seed=0):
    """n normal deviates; a complex dtype gets two for each element."""
    real = real_dtype(dtype)
    deviates = np.random.default_rng(seed).standard_normal(n * dtype.itemsize // real.itemsize)
    return deviates.astype(real).view(dtype)


def sign_and_inf(dtype):
    """The bit patterns of -0.0 and of infinity, of either part of a complex dtype."""
    real = real_dtype(dtype)
    sign = 1 << (8 * real.itemsize - 1)
    return sign, sign - (1 << MANTISSA[real.name])


def specials(dtype):
    """Zeros, denormals, extremes, infinities, quiet and signalling NaNs, each with both signs and in both parts."""
    real = real_dtype(dtype)
    m, (sign, inf) = MANTISSA[real.name], sign_and_inf(dtype)
    magnitudes = [0, 1, (1 << m) - 1, 1 << m, inf - 1, inf, inf | 1 << (m - 1), inf | 1, inf >> 1 & inf]
    x = np.array([s | v for v in magnitudes for s in (0, sign)], f"u{real.itemsize}").view(real)
    if dtype.kind != "c":
        return x
    return np.stack([np.repeat(x, len(x)), np.tile(x, len(x))], axis=1).reshape(-1).view(dtype)


def to_bits(a):
    """The (real) numbers of a in C order as unsigned ints."""
    return np.frombuffer(a.tobytes(), f"u{real_dtype(a.dtype).itemsize}")


def is_nan(a):
    """Which of to_bits(a) are NaNs; numpy.isnan warns of signalling ones."""
    sign, inf = sign_and_inf(a.dtype)
    return to_bits(a) & (sign - 1) > inf


def assert_same(got, want):
    """The same plain array in every bit, but for the payloads of NaNs."""
    assert type(got) is np.ndarray
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    nan = is_nan(want)
    np.testing.assert_array_equal(is_nan(got), nan)
    np.testing.assert_array_equal(to_bits(got)[~nan], to_bits(want)[~nan])


def assert_mask(mask, keep, shape=None):
    """mask stands for `keep`, an array of its noise shape, broadcast to shape."""
    shape = keep.shape if shape is None else shape
    assert (mask.shape, mask.size, mask.kept) == (shape, np.broadcast_to(keep, shape).size, np.count_nonzero(keep))
    assert (mask.bits.dtype, mask.bits.ndim, mask.bits.flags.writeable) == (np.uint8, 1, False)
    np.testing.assert_array_equal(mask.bits, reference.pack(keep))
    for a in (mask.to_bool(), np.asarray(mask)):
        assert a.dtype == bool
        np.testing.assert_array_equal(a, np.broadcast_to(keep, shape))


def guarded(n, dtype, offset=0):
    """A 1-D array, `offset` elements past a 64-byte boundary, with 64 guard bytes or more on both sides."""
    dtype = np.dtype(dtype)
    raw = np.full(256 + (offset + n) * dtype.itemsize, GUARD, np.uint8)
    start = 64 + -raw.ctypes.data % 64 + offset * dtype.itemsize
    return raw[start : start + n * dtype.itemsize].view(dtype)


def assert_guards(*views):
    for view in views:
        raw = view.base
        start = view.ctypes.data - raw.ctypes.data if view.size else 0
        assert (raw[:start] == GUARD).all(), "bytes before the array were written"
        assert (raw[start + view.nbytes :] == GUARD).all(), "bytes after the array were written"


LAYOUTS = {  # the same array, laid out in another way
    "C": lambda a: a.copy(),
    "F": lambda a: np.array(a, order="F"),
    "strided": lambda a: np.repeat(a[..., None], 3, -1)[..., 1],
    "reversed": lambda a: np.flip(np.flip(a).copy())[...],
}
FOREIGN = {  # the same values, as input alone may have them
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
    "unaligned": lambda a: np.frombuffer(b"-" + a.tobytes(), "u1")[1:].view(a.dtype).reshape(a.shape),
}
