"""Mask: what it says of itself, applying it, making one from bools and bits, pickles and their sizes."""

import copy
import operator
import pickle
import re

import numpy as np
import pytest
import reference
from conftest import DTYPES, STORES, assert_mask, assert_same, expected, kept, rng, values

import fastdrop as fd

SHAPES = [(), (0,), (1,), (7,), (8,), (3, 43), (3, 0, 2), (4097,), (2, 3, 700)]
every_store = pytest.mark.parametrize("store", STORES)


def masked(shape=(3, 43), p=0.25, **options):
    return fd.dropout(np.ones(shape, np.float32), p, rng=rng(), **options)[1]


# What a mask says


@every_store
@pytest.mark.parametrize("inverted", [True, False], ids=["inverted", "not-inverted"])
@pytest.mark.parametrize("p", [0, 0.25, 0.1, 1])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_attributes(shape, p, inverted, store):
    mask = masked(shape, p, inverted=inverted, store=store)
    assert_mask(mask, kept(p, int(np.prod(shape))).reshape(shape))
    assert (mask.p, mask.scale) == (p, reference.scale(p, inverted))
    assert [type(v) for v in (mask.size, mask.kept, mask.p, mask.scale)] == [int, int, float, float]
    with pytest.raises(ValueError, match="read-only"):
        mask.bits[...] = 0


@every_store
@pytest.mark.parametrize("dtype", [None, bool, np.uint8, np.float32, np.complex64], ids=str)
def test_as_an_array(dtype, store):
    mask = masked(store=store)
    keep = kept(0.25, mask.size).reshape(mask.shape)
    for a in (np.asarray(mask, dtype=dtype), np.array(mask, dtype=dtype)):
        assert a.dtype == np.dtype(dtype or bool)
        np.testing.assert_array_equal(a, keep)
    a[...] = 0
    assert_mask(mask, keep)


@every_store
@pytest.mark.parametrize(
    ("noise_shape", "full"),
    [
        ((None, 1, None), (4, 1, 5)),
        ((1, 6, 1), (1, 6, 1)),
        ((5,), (5,)),
        ((None, 5), (6, 5)),
        ((), ()),
        ([4, 1, 1], (4, 1, 1)),
    ],
    ids=str,
)
def test_noise_shape(noise_shape, full, store):
    mask = masked((4, 6, 5), noise_shape=noise_shape, store=store)
    assert_mask(mask, kept(0.25, int(np.prod(full))).reshape(full), (4, 6, 5))


def test_a_mask_costs_what_its_noise_costs():
    assert masked((8, 64, 32, 32), noise_shape=(None, None, 1, 1)).bits.nbytes == 64


def test_no_mask_from_nothing():
    with pytest.raises(TypeError):
        fd.Mask()


# Applying


@every_store
@pytest.mark.parametrize("noise_shape", [None, (None, 1)], ids=["elements", "rows"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_apply_is_backward(backend, dtype, noise_shape, store):
    mask = masked((9, 700), 0.1, noise_shape=noise_shape, store=store)
    x = values(9 * 700, dtype).reshape(9, 700)
    y = expected(x, kept(0.1, 9).reshape(9, 1) if noise_shape else kept(0.1, 6300).reshape(9, 700), 0.1)
    for function in (mask.apply, lambda dy, out=None: fd.dropout_backward(dy, mask, out=out)):
        out, mine = np.empty_like(x), x.copy()
        assert function(x, out=out) is out
        assert function(mine, out=mine) is mine
        for got in (function(x), function(np.asfortranarray(x)), out, mine):
            assert_same(got, y)


# From bools and bits

A = np.arange(6 * 8 * 10).reshape(6, 8, 10) % 3 > 0
LAYOUTS = {
    "c": A,
    "fortran": np.asfortranarray(A),
    "transposed": A.transpose(2, 0, 1),
    "strided": A[::2, 1:, ::-3],
    "broadcast": np.broadcast_to(A[:, :1], A.shape),
    "0-d": np.array(True),
    "empty": A[:0],
    "read-only": np.frombuffer(b"\1\0\1", bool),
}


@pytest.mark.parametrize("a", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("scale", [None, 3], ids=["1/(1-p)", "3"])
def test_from_bool(a, scale):
    given = a.copy(order="K")
    mask = fd.Mask.from_bool(given, 0.2, scale=scale)
    if given.flags.writeable:
        given[...] = False
    assert_mask(mask, np.asarray(a))
    assert (mask.p, mask.scale) == (0.2, scale or 1.25)
    np.testing.assert_array_equal(mask.apply(np.full(a.shape, 2.0)), np.where(a, 2 * mask.scale, 0))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_from_bits(shape):
    keep = kept(0.25, int(np.prod(shape))).reshape(shape)
    bits = reference.pack(keep)
    spread = np.repeat(bits, 2)
    masks = [fd.Mask.from_bits(given, shape, 0.5, scale=1.5) for given in (bits, spread[::2], masked(shape).bits)]
    bits[...] = spread[...] = 0
    for mask in masks:
        assert_mask(mask, keep)
        assert (mask.p, mask.scale) == (0.5, 1.5)
    assert fd.Mask.from_bits(masks[0].bits, shape, 0.5).scale == 2


@pytest.mark.parametrize("p", [0, 1])
def test_from_bool_and_bits_drop_by_their_bits(p):
    x, bits = np.array([-0.0, -7.5, np.nan]), np.array([0b011], np.uint8)
    for mask in (
        fd.Mask.from_bool(np.array([True, True, False]), p, 2 if p else None),
        fd.Mask.from_bits(bits, (3,), p, 2 if p else None),
    ):
        assert_same(mask.apply(x), np.array([-0.0, -7.5 * mask.scale, 0.0]))
        assert mask.scale == (2 if p else 1)
    mask = fd.Mask.from_bool(np.zeros(3, bool), 1)
    assert mask.scale == float("inf")
    assert_same(mask.apply(np.array([1, np.inf, -np.nan])), np.zeros(3))


@pytest.mark.parametrize("shape", [(0,), (17,), (2, 9), (-8,), (-2, -4), (2**32, 2**32), (2**63, 2)], ids=str)
def test_from_bits_wants_the_bytes_of_the_shape(shape):
    with pytest.raises(ValueError, match="must"):
        fd.Mask.from_bits(np.ones(1, np.uint8), shape, 0.5)
    with pytest.raises(ValueError, match="bits must have"):
        fd.Mask.from_bits(np.zeros(0, np.uint8), (2**32, 2**32), 0.5)


# Pickles and copies

MADE = {
    "bits": lambda n: masked(n),
    "recipe": lambda n: masked(n, store="recipe"),
    "recipe-offset": lambda n: masked(n, 0.1, store="recipe", offset=2**64 - 5000, inverted=False),
    "recipe-window": lambda n: masked((2, 60), 0.1, store="recipe", window=((9, 100), (3, 40))),
    "recipe-noise": lambda n: masked((n, 3), 0.1, store="recipe", noise_shape=(None, 1)),
    "noise": lambda n: masked((n, 3), 0.1, noise_shape=(None, 1)),
    "p=1": lambda n: masked(n, 1),
    "from_bool": lambda n: fd.Mask.from_bool(np.arange(n) % 3 > 0, 1, scale=2),
    "from_bits": lambda n: fd.Mask.from_bits(np.full(n // 8, 7, np.uint8), (n // 8 * 8,), 0.5),
}
DUPLICATES = {"copy": copy.copy, "deepcopy": copy.deepcopy}
DUPLICATES |= {f"pickle{i}": lambda m, i=i: pickle.loads(pickle.dumps(m, i)) for i in range(2, 6)}


@pytest.mark.parametrize("duplicate", DUPLICATES.values(), ids=DUPLICATES)
@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_duplicates(make, duplicate):
    mask = make(4099)
    twin = duplicate(mask)
    x = values(mask.size, np.dtype("f4")).reshape(mask.shape)
    assert type(twin) is fd.Mask
    assert (twin.shape, twin.p, twin.scale, twin.kept) == (mask.shape, mask.p, mask.scale, mask.kept)
    np.testing.assert_array_equal(twin.bits, mask.bits)
    assert_same(twin.apply(x), mask.apply(x))
    with pytest.raises(ValueError, match="read-only"):
        twin.bits[...] = 0


def test_sizes_of_pickles():
    small, large = ([len(pickle.dumps(masked(n, store=store))) for store in STORES] for n in (64, 2**20))
    assert 2**20 // 8 < large[0] < 2**20 // 8 + 500
    assert large[1] < 500
    assert large[1] - small[1] < 10


def spoilt(value, sizes):
    """Every variant of a pickle's nested arguments with one leaf made wrong; 4099 is the mask's size."""
    if isinstance(value, tuple | list):
        for i, item in enumerate(value):
            yield from (type(value)([*value[:i], bad, *value[i + 1 :]]) for bad in spoilt(item, sizes))
    elif isinstance(value, dict):
        for name in value:
            yield from (value | {name: bad} for bad in spoilt(value[name], sizes))
    elif isinstance(value, float):
        yield float("nan")
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from sizes if value == 4099 else [-1]
    elif isinstance(value, str):
        yield "nonsense"
    elif isinstance(value, bytes | np.ndarray):
        yield value[:-1]
        if len(value) > 500:  # the bits: a set one past the end
            yield bytes(value)[:-1] + b"\xff" if isinstance(value, bytes) else np.append(value[:-1], np.uint8(255))


def unpickled(function, arguments, state):
    mask = function(*arguments)
    if state and state[0] is not None:
        mask.__setstate__(state[0])


@pytest.mark.parametrize(("name", "sizes"), [("bits", [-1, 5000]), ("recipe", [-1]), ("recipe-window", [-1])])
def test_a_tampered_pickle_is_an_error(name, sizes):
    function, arguments, *state = MADE[name](4099).__reduce_ex__(5)
    variants = [(bad, state) for bad in spoilt(arguments, sizes)] + [(arguments, bad) for bad in spoilt(state, sizes)]
    assert len(variants) >= 3
    for arguments, state in variants:
        with pytest.raises((TypeError, ValueError, OverflowError, pickle.PickleError)):
            unpickled(function, arguments, state)


# Arithmetic

BEFORE_1_25 = np.lib.NumpyVersion(np.__version__) < "1.25.0"
NO_ARITHMETIC = (
    "a Mask takes no part in arithmetic, where its scale would be lost: use mask.apply(x), or mask.to_bool() for an "
    "array of bool"
)
BINARY = ["add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and_", "or_", "xor"]
OTHERS = {
    "ndarray": np.ones(3),
    "ints": np.ones(3, int),
    "scalar": np.float64(2),
    "0-d": np.array(2.0),
    "float": 2.0,
    "int": 2,
    "list": [1.0, 2.0, 3.0],
    "mask": fd.Mask.from_bool(np.ones(3, bool), 0.5),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", [*BINARY, *(f"i{name.rstrip('_')}" for name in BINARY), "divmod"])
def test_operators_are_refused(name, other):
    mask = fd.Mask.from_bool(np.array([True, False, False]), 0.5)
    call = divmod if name == "divmod" else getattr(operator, name)
    for left, right in ((mask, other), (copy.copy(other), mask)):
        # Before 1.25 NumPy refuses `array @= mask` itself, in its own words.
        own_words = name == "imatmul" and BEFORE_1_25 and isinstance(left, np.ndarray)
        with pytest.raises(TypeError, match=None if own_words else rf"\A{re.escape(NO_ARITHMETIC)}\Z"):
            call(left, right)


@pytest.mark.parametrize("call", [operator.neg, operator.pos, abs, operator.invert, lambda m: pow(m, 2, 3)])
def test_unary_operators_are_refused(call):
    with pytest.raises(TypeError, match=r"use mask\.apply\(x\)"):
        call(masked(9))


UFUNCS = {name: f for name, f in vars(np).items() if isinstance(f, np.ufunc)}


@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs_are_refused(name):
    ufunc, mask = UFUNCS[name], masked(9)
    for place in range(ufunc.nin):
        operands = [np.ones(9)] * ufunc.nin
        operands[place] = mask
        with pytest.raises(TypeError, match=r"use mask\.apply\(x\)"):
            ufunc(*operands)


def test_methods_of_ufuncs_are_refused():
    mask, x = masked(9), np.ones(9)
    calls = [
        lambda: np.add.reduce(mask),
        lambda: np.multiply.outer(x, mask),
        lambda: np.add.at(x, [0], mask),
        lambda: np.add(x, x, out=mask),
        lambda: np.sum(mask),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"use mask\.apply\(x\)"):
            call()
    assert (x == 1).all()


def test_masks_are_equal_where_they_are_one():
    mask, twin = masked(9), masked(9)
    assert mask == mask
    assert mask != twin
    assert {mask: 1}[mask] == 1
    for call in (operator.eq, operator.ne):
        # Before 1.25 NumPy makes a warning of an error in a comparison.
        for pair in () if BEFORE_1_25 else ((np.ones(9), mask), (mask, np.ones(9))):
            with pytest.raises(TypeError, match=r"use mask\.apply\(x\)"):
                call(*pair)
    np.testing.assert_array_equal(np.asarray(mask), mask.to_bool())


# Unpacking


@every_store
@pytest.mark.parametrize("noise_shape", [None, (None, 1), (1, 43), (1, 1)], ids=str)
@pytest.mark.parametrize("made", ["drawn", "given"])
def test_what_is_unpacked_is_the_callers_own(noise_shape, store, made):
    """Writable, nobody else's memory, no element of it another's; copy=False asks for what there is not."""
    mask = masked(noise_shape=noise_shape, store=store)
    if made == "given":
        mask = fd.Mask.from_bool(mask.to_bool(), 0.25)
    before = mask.to_bool().tobytes()
    for unpack in (mask.to_bool, mask.__array__, lambda: np.asarray(mask), lambda: mask.__array__(np.float32)):
        a = unpack()
        assert a.flags.writeable
        assert a.flags.c_contiguous
        a[...] = 0
        a[1, 2] = 1
        assert np.count_nonzero(a) == 1
        assert mask.to_bool().tobytes() == before
    for dtype in (None, bool, np.float32):
        with pytest.raises(ValueError, match="copy=False"):
            mask.__array__(dtype, copy=False)
    assert mask.__array__(None, copy=True).tobytes() == before


@pytest.mark.parametrize("p", [0.1, 1 / 3, 1 - 2**-53, 2**-60])
def test_the_scale_of_an_array_p_is_in_double(p):
    mask = fd.dropout(np.ones(3, np.float32), np.full(3, p), rng=rng())[1]
    assert mask.scale.dtype == np.float64
    np.testing.assert_array_equal(mask.scale, 1 / (1 - p))
