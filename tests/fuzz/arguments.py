"""What Hypothesis draws: arrays of any dtype, layout and flags as views of a buffer, and all the other arguments.

Most of what is drawn is valid, so that calls get as far as the numbers.
"""

import math
from fractions import Fraction

import numpy as np
from conftest import DTYPES
from hypothesis import strategies as st

import fastdrop as fd

BYTES = 1 << 14
OTHER_DTYPES = [np.dtype(t) for t in ("i8", "u1", "?", "g", "G", "M8[s]", "S4", "V8")]
PS = [0, 1, 0.0, -0.0, 1.0, 0.5, 0.25, 0.1, 3 / 8, 1 / 256, 1 / 512, 2**-66, 5e-324, 1 - 2**-53, np.float32(0.1), True]
PS += [np.float16(0.3), np.array(0.5), np.int8(1), Fraction(1, 3)]
BAD_PS = [-5e-324, 1 + 2**-52, math.nan, math.inf, -1, 2, 10**400, None, "0.5", 0.5j, np.array("a"), {}]
OFFSETS = [0, 0, 0, 1, 7, 63, 64, 4095, 4096, 2**32 - 1, 2**40 + 5, 2**53 + 1, np.int64(9), True]

shapes = st.one_of(
    st.lists(st.integers(0, 5), max_size=4).map(tuple),
    st.sampled_from([(), (1,), (63,), (64,), (65,), (130,), (3, 70), (70, 3), (2, 5, 13), (1, 1), (1, 40)]),
)


def rarely(usual, odd):
    """The usual strategy, in one draw of 32 the other."""
    return st.integers(0, 31).flatmap(lambda i: odd if i == 31 else usual)


stores = rarely(st.sampled_from(["bits", "recipe"]), st.just("both"))


@st.composite
def buffers(draw):
    """Bytes of any pattern: every kind of number, signalling NaNs included."""
    return np.frombuffer(bytearray(np.random.default_rng(draw(st.integers(0, 99))).bytes(BYTES)), np.uint8)


dtypes = rarely(
    rarely(st.sampled_from(DTYPES), st.sampled_from([d.newbyteorder() for d in DTYPES])), st.sampled_from(OTHER_DTYPES)
)


@st.composite
def views(draw, buffer, dtype, shape):
    """Axes in any order, steps of either sign, larger or 0, anywhere in the buffer, aligned or not, writable or not."""
    strides, step = [0] * len(shape), dtype.itemsize
    for axis in draw(st.permutations(range(len(shape)))):
        factor = draw(st.sampled_from([1, 1, 1, 1, -1, 2, -2, 0]))
        strides[axis] = factor * step
        step *= max(1, shape[axis] * abs(factor))
    ends = [(n - 1) * s for n, s in zip(shape, strides, strict=True) if n > 1]
    low, high = sum(e for e in ends if e < 0), sum(e for e in ends if e > 0) + dtype.itemsize
    start = (
        64 * draw(st.integers(0, 2)) + dtype.itemsize * draw(st.integers(0, 9)) + draw(st.sampled_from([0] * 19 + [1]))
    )
    if high - low + start > BYTES:
        return np.ndarray(shape, dtype, buffer)
    view = np.ndarray(shape, dtype, buffer, start - low, strides)
    view.flags.writeable = draw(st.integers(0, 19)) > 0
    return view


def array_likes(shape):
    """What numpy.asarray takes, or not."""
    ones = np.full(shape, 1.5, np.float32)
    return st.sampled_from(
        [ones.tolist(), 2.5, np.float32(3), 1, [1, 2], "x", None, ones.astype(object), np.ma.masked_array(ones), [], {}]
    )


@st.composite
def outs(draw, x, buffer, other):
    """None, x, or an array: in x's buffer or in another one, right or wrong."""
    x = np.asarray(x)
    dtype = x.dtype.newbyteorder("=")
    kind = draw(st.sampled_from(["none"] * 8 + ["x"] * 4 + ["apart"] * 5 + ["alias", "near", "dtype", "shape", "list"]))
    if kind in ("none", "x") or dtype.kind in "OU":  # any bytes are not objects, nor text that can be printed
        return x if kind == "x" else None
    if kind == "alias":
        return draw(st.sampled_from([x[...], x.view(), x[x.ndim * (slice(None, None, -1),)]]))
    if kind == "list":
        return x.tolist()
    shape = draw(shapes) if kind == "shape" else x.shape
    dtype = draw(dtypes) if kind == "dtype" else dtype
    return draw(views(buffer if kind == "near" else other, dtype, shape))


@st.composite
def p_arrays(draw, shape):
    """An array that broadcasts to the shape, or not; of entries that are probabilities, or not."""
    p_shape = tuple(1 if draw(st.integers(0, 2)) == 0 else n for n in shape)[draw(st.integers(0, len(shape))) :]
    p_shape = draw(rarely(st.just(p_shape), shapes))
    g = np.random.default_rng(draw(st.integers(0, 99)))
    p = np.where(g.random(p_shape) < 0.5, g.choice([0, 1, 2**-66, 0.5, 1 - 2**-53], p_shape), g.random(p_shape))
    p = np.asarray(p)
    if p.size and draw(st.integers(0, 7)) == 7:
        p.flat[draw(st.integers(0, p.size - 1))] = draw(st.sampled_from([math.nan, -0.1, 1.5, math.inf]))
    ways = [p, p, p.tolist(), p.astype("f4"), p.astype(">f8"), np.asfortranarray(p)]
    odd = [p > 0.5, p.astype(complex), p.astype(str), np.ma.masked_array(p), p.astype("f2")]
    return draw(rarely(st.sampled_from(ways), st.sampled_from(odd)))


def ps(shape):
    number = rarely(st.one_of(st.sampled_from(PS), st.floats(0, 1)), st.sampled_from(BAD_PS))
    return st.integers(0, 3).flatmap(lambda i: p_arrays(shape) if i == 3 else number)


@st.composite
def noise_shapes(draw, shape):
    entries = [draw(st.sampled_from([None, 1, n])) for n in shape][draw(st.integers(0, len(shape))) :]
    good = st.sampled_from([tuple(entries), entries])
    bad = st.sampled_from([(*entries, 2), (-1,), (1.0,), (None, *shape), 3, "a", (2**70,)])
    return draw(rarely(st.one_of(st.none(), good), bad))


@st.composite
def places(draw, shape):
    """(offset, window)."""
    n = math.prod(shape)
    offset = draw(
        rarely(st.sampled_from([*OFFSETS, 2**64 - n]), st.sampled_from([-1, 2**64 - n + 1, 2**64, 1.0, None]))
    )
    before = [draw(st.sampled_from([0, 0, 1, 70, 2**12])) for _ in shape]
    after = [draw(st.sampled_from([0, 0, 1, 5000])) for _ in shape]
    full = [b + size + a for b, size, a in zip(before, shape, after, strict=True)]
    good = (tuple(full), before)
    bad = [(full[:-1], before), (full, [*before, 1]), ([2**33 + f for f in full], before), (full, [-1, *before[1:]])]
    bad += [(shape, [1] * len(shape)), 5, (1.5, 2), "ab", ([1.0] * len(shape), before)]
    window = draw(rarely(st.sampled_from([None, good]), st.sampled_from(bad)))
    return (0 if window is not None and draw(st.integers(0, 7)) else offset), window


@st.composite
def rngs(draw):
    """(what a call may take for an rng, whether it is an Rng whose streams are all taken)."""
    seed = draw(st.integers(0, 2**70))
    kind = draw(st.sampled_from(["Rng"] * 6 + ["row", "last", "spent", "seed", "Generator", "Philox", "none", "bad"]))
    if kind == "row":
        return fd.Rng.from_key(seed % 2**64, 5).at_row(draw(st.sampled_from([1, 70, 2**40, 2**63]))), False
    if kind in ("Rng", "last", "spent"):
        rng = fd.Rng.from_key(seed % 2**64, 5, counter=seed % 9 if kind == "Rng" else 2**64 - 1)
        if kind == "spent":
            fd.bernoulli((), 0.5, rng=rng)
        return rng, kind == "spent"
    seeds = [seed, [seed, 1], (3,), np.array([4, 5]), np.random.SeedSequence(seed), np.int64(3)]
    bad = [-1, [-1], "a", 1.5, b"a", {}, np.random.RandomState(0), object(), [0.5], [None]]
    others = {"Generator": [np.random.default_rng(seed)], "Philox": [np.random.Philox(seed)], "none": [None]}
    return draw(st.sampled_from({"seed": seeds, "bad": bad, **others}[kind])), False
