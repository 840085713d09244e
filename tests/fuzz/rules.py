"""What is right, from the documentation alone: which arguments are refused, which indices a call's elements have.

Refused is raised where the library must refuse. Where it may, `must_take` is false.
"""

import math
import operator
from copy import deepcopy

import numpy as np
import reference
from conftest import DTYPES, assert_same

import fastdrop as fd

ERRORS = (TypeError, ValueError, OverflowError)


class Refused(Exception):
    """The library must refuse this."""


def require(condition):
    if not condition:
        raise Refused


def array(x):
    require(not isinstance(x, np.ma.MaskedArray))
    x = np.asarray(x)
    require(x.dtype.newbyteorder("=") in DTYPES)
    return x


def rate(p):
    """A float, or an array of doubles."""
    many = isinstance(p, (list, tuple)) or (isinstance(p, np.ndarray) and p.ndim > 0)
    require(not isinstance(p, np.ma.MaskedArray))
    if many or isinstance(p, np.ndarray):
        p = np.asarray(p)
        require(p.dtype.kind in "iuf")
        p = p.astype(np.float64)
    else:
        require(not isinstance(p, (bool, np.bool_, str, complex, dict, type(None))))
        require(0 <= p <= 1)
    require(np.all((p >= 0) & (p <= 1)))
    return p if many else float(p)


def indices(shape, noise_shape=None, offset=0, window=None, row=0):
    """The logical index of each element of the noise shape."""
    entries = [None] * len(shape)
    if noise_shape is not None:
        require(isinstance(noise_shape, (tuple, list)) and len(noise_shape) <= len(shape))
        require(all(e is None or isinstance(e, int) for e in noise_shape))
        entries = [1] * (len(shape) - len(noise_shape)) + list(noise_shape)
        require(all(e in (None, 1, n) for e, n in zip(entries, shape, strict=True)))
        require((window is None and not row) or all(e in (None, 1) for e in entries))
    noise = tuple(n if e is None else e for n, e in zip(shape, entries, strict=True))
    require(hasattr(offset, "__index__") and operator.index(offset) >= 0)
    require((window is None or offset == 0) and (row == 0 or (window is None and offset == 0 and shape)))
    if window is not None:
        require(
            isinstance(window, tuple) and len(window) == 2 and all(isinstance(part, (list, tuple)) for part in window)
        )
        full, start = window
        require(all(isinstance(i, int) for i in (*full, *start)) and len(full) == len(start) == len(shape))
        require(all(0 <= s <= f - n for f, s, n in zip(full, start, shape, strict=True)))
        require(math.prod(full) <= 2**64)
        along = [e is None for e in entries]
        full, start = (
            tuple(i if a else j for a, i in zip(along, part, strict=True)) for part, j in ((full, 1), (start, 0))
        )
        return reference.window_indices(full, start, noise)
    first = operator.index(offset)
    if row and entries[0] is None:
        first = row * math.prod(noise[1:])
    n = math.prod(noise)
    require(first + n <= 2**64)
    return (np.arange(n, dtype=np.uint64) + np.uint64(first % 2**64)).reshape(noise)


def broadcasts(p, where):
    sizes = zip(p.shape[::-1], where.shape[::-1], strict=False)
    return p.ndim <= where.ndim and all(size in (1, n) for size, n in sizes)


def extents(shape):
    """A shape as a tuple."""
    sizes = [shape] if hasattr(shape, "__index__") and not isinstance(shape, np.ndarray) else shape
    require(isinstance(sizes, (tuple, list, np.ndarray)) and all(hasattr(n, "__index__") for n in sizes))
    require(len(sizes) <= 64 and all(0 <= n < 2**62 for n in sizes))
    return tuple(map(int, sizes))


def keep(key, stream, p, where):
    """The mask of the noise shape; None where nobody knows the key."""
    if key is None:
        require(not isinstance(p, np.ndarray) or broadcasts(p, where))
        return None
    if not isinstance(p, np.ndarray):
        return reference.kept_at(key, stream, p, where)
    require(broadcasts(p, where))
    return reference.kept_each(key, stream, p, where)


def source(rng, spent):
    """(key, or None where nobody knows it; stream; row) of a call."""
    require(not spent)
    if isinstance(rng, fd.Rng):
        return rng.key, rng.counter, rng.state["row"]
    if rng is None:
        return None, 0, 0
    if isinstance(rng, (np.random.Generator, np.random.BitGenerator)):
        return tuple(map(int, deepcopy(getattr(rng, "bit_generator", rng)).random_raw(2))), 0, 0
    require(not isinstance(rng, (str, bytes, dict, float, np.random.RandomState)))
    try:
        return reference.key_from_seed(rng), 0, 0
    except (TypeError, ValueError):
        raise Refused from None


def addresses(a):
    """Of each byte of each element."""
    at = np.full((*a.shape, 1), a.__array_interface__["data"][0]) + np.arange(a.itemsize)
    for axis, (n, step) in enumerate(zip(a.shape, a.strides, strict=True)):
        at = at + (np.arange(n) * step).reshape((n,) + (1,) * (a.ndim - axis))
    return at.reshape(-1)


def target(out, x):
    """True where out must be taken for a result like x, None where it may be refused."""
    if out is None:
        return True
    require(isinstance(out, np.ndarray) and out.shape == x.shape and out.dtype == x.dtype.newbyteorder("="))
    require(out.flags.writeable and out.flags.aligned)
    to, taken = addresses(out), addresses(x)
    same = x.dtype.isnative and np.array_equal(to, taken)
    require(same or not np.isin(to, taken).any())
    return separate(out)


def separate(a):
    """True where no two elements share memory, None where that may be refused all the same."""
    places = addresses(a)
    require(len(np.unique(places)) == len(places))
    reach = a.itemsize  # each step should clear all the smaller ones
    for step, n in sorted((abs(s), n) for s, n in zip(a.strides, a.shape, strict=True) if n > 1):
        if step < reach:
            return None
        reach += step * (n - 1)
    return True


def apart(operand, out, may_be_out):
    """out shares no memory with the operand, but where it may be the same elements."""
    if out is not None:
        same = operand.dtype.isnative and np.array_equal(addresses(operand), addresses(out))
        require((may_be_out and same) or not np.isin(addresses(operand), addresses(out)).any())


def state(rng):
    if isinstance(rng, (np.random.Generator, np.random.BitGenerator)):
        return repr(getattr(rng, "bit_generator", rng).state)
    return rng.state if isinstance(rng, fd.Rng) else None


def attempt(calls, must_take, call, rng, *arrays, errors=ERRORS):
    """call()'s result, or None where it was refused: by right, with a message, nothing written and nothing drawn.

    must_take: True, False, or None where the library may do either.
    """
    before, drawn = [a.tobytes() for a in arrays], state(rng)
    calls["calls"] += 1
    try:
        result = call()
    except errors as reason:
        refusal = reason
    else:
        assert must_take is not False, "not refused"
        return result
    calls["refused"] += 1
    assert must_take is not True, f"refused: {refusal!r}"
    assert str(refusal)
    assert [a.tobytes() for a in arrays] == before, "something was written"
    assert state(rng) == drawn, "something was drawn"
    return None


def run(calls, judge, call, rng, arrays, y_of):
    """(judge()'s verdict, call()'s result), or (None, None) where it was refused.

    The verdict has `must_take`, `out`, and `want`, what y_of(result) must be, or None where nobody knows that.
    """
    try:
        verdict = judge()
    except Refused:
        verdict = None
    arrays = [a for a in arrays if isinstance(a, np.ndarray) and not a.dtype.hasobject]
    before = [a.copy() for a in arrays]
    result = attempt(calls, verdict.must_take if verdict else False, call, rng, *arrays)
    if result is None:
        return None, None
    y = y_of(result)
    assert verdict.out is None or y is verdict.out
    for a, old in zip(arrays, before, strict=True):
        assert_same_beside(verdict.out, a, old)
    if verdict.want is not None:
        assert_same(np.array(y), verdict.want)
    return verdict, result


def assert_same_beside(out, a, before):
    """The bytes of a, a buffer or apart from out, are as before but for those of out's elements."""
    changed = np.flatnonzero(a.reshape(-1).view(np.uint8) != before.reshape(-1).view(np.uint8)) if a.size else []
    if len(changed):
        assert out is not None
        assert a.flags.c_contiguous
        assert np.isin(changed + a.__array_interface__["data"][0], addresses(out)).all(), (
            "bytes beside out were written"
        )
