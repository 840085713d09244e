"""The mask stream in slow NumPy, from the specification (csrc/README.md) alone: the oracle of the tests.

It shares no code with the library. A docstring names the section of the specification that it executes. A number is
a Python int or a uint64 array with an axis, and one formula serves both: `& M64` cuts ints to 64 bits, arrays wrap.
"""

from fractions import Fraction
from math import sqrt

import numpy as np

M64 = 2**64 - 1
G = 0x9E3779B97F4A7C15
H = 0xD1342543DE82EF95


# Constants and mixers


def mix_a(z):
    """Constants and mixers: mixA, the splitmix64 finaliser."""
    z = z & M64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
    return z ^ z >> 31


def mix_b(z):
    """Constants and mixers: mixB, the MurmurHash3 finaliser."""
    z = z & M64
    z = (z ^ z >> 33) * 0xFF51AFD7ED558CCD & M64
    z = (z ^ z >> 33) * 0xC4CEB9FE1A85EC53 & M64
    return z ^ z >> 33


# Keys


def key_from_seed(seed):
    """Keys: a seed, or a SeedSequence taken as it is, becomes a key."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    k0, k1 = sequence.generate_state(2, np.uint64)
    return int(k0), int(k1)


def fold_in(key, *values):
    """Keys: the child key; several values fold one after the other."""
    k0, k1 = key
    for v in values:
        k0, k1 = mix_b(k0 ^ mix_a(v + H)), mix_a(k1 + mix_b(v + G))
    return k0, k1


def call_key(key, stream):
    """Keys: the key of one call."""
    k0, k1 = key
    c0 = mix_a(k0 + G * (stream + 1))
    c1 = mix_b((k1 ^ c0) + H * (stream + 1))
    return c0, c1


# Blocks, lanes, generator. The state of many lanes is a (4, lanes) uint64 array, stepped in place.


def lane_states(key, stream, block, lane):
    """Blocks, lanes, generator: the states at the start of the blocks; block and lane are uint64 arrays."""
    c0, c1 = call_key(key, stream)
    c = 16 * block + 2 * lane
    return np.array(
        [mix_a(c0 + G * (c + 1)), mix_a(c0 + G * (c + 2)), mix_b(c1 + H * (c + 1)), mix_b(c1 + H * (c + 2))]
    )


def rotl(z, k):
    return z << k | z >> (64 - k)


def step(state, active=slice(None)):
    """Blocks, lanes, generator: one xoshiro256++ output of each active lane; the other states stay."""
    s0, s1, s2, s3 = state[:, active]
    r = rotl(s0 + s3, 23) + s0
    t = s1 << 17
    s2 = s2 ^ s0
    s3 = s3 ^ s1
    s1 = s1 ^ s2
    s0 = s0 ^ s3
    s2 = s2 ^ t
    s3 = rotl(s3, 45)
    state[:, active] = s0, s1, s2, s3
    return r


# Bernoulli, bit-sliced


def threshold(p):
    """Bernoulli: T, exactly; p = 1 has none."""
    if not 0 <= p < 1:
        raise ValueError(f"p must be in [0, 1) to have a threshold, got {p}")
    return round(Fraction(float(p)) * 2**64)  # round() of a Fraction is half-even


def planes(state, t):
    """Bernoulli: the k planes of the next group; (undecided, dropped), a word a lane."""
    undecided = np.full(state.shape[1], M64, np.uint64)
    dropped = np.zeros_like(undecided)
    k = next(k for k in range(9) if k == 8 or t << k & M64 == 0)
    for j in range(k):
        u = step(state)
        if t >> (63 - j) & 1:
            dropped |= undecided & ~u
            undecided &= u
        else:
            undecided &= ~u
    return undecided, dropped


def rounds(state, t, undecided, dropped):
    """Bernoulli: the rounds, at least one in every lane, that settle what the planes left; in place."""
    if t & (2**56 - 1) == 0:
        return
    active = np.ones(undecided.shape, bool)
    while active.any():
        u = step(state, active)
        left = undecided[active]
        low = left & (~left + 1)
        dropped[active] |= low * (u < (t << 8 & M64))
        undecided[active] = left & ~low
        active = undecided != 0


def kept_at(key, stream, p, indices):
    """Logical index: True where the element of that logical index is kept, for indices in any order."""
    indices = np.asarray(indices, np.uint64)
    if p == 1:
        return np.zeros(indices.shape, bool)
    t = threshold(p)
    i = indices.reshape(-1)
    group, bit = i >> 9 & 7, i & 63
    lanes, which = np.unique(8 * (i >> 12) + (i >> 6 & 7), return_inverse=True)  # every touched lane once
    state = lane_states(key, stream, lanes >> 3, lanes & 7)
    kept = np.zeros(i.shape, bool)
    for g in range(int(group.max(initial=0)) + 1):
        undecided, dropped = planes(state, t)
        rounds(state, t, undecided, dropped)
        here = group == g
        kept[here] = ~dropped[which[here]] >> bit[here] & 1
    return kept.reshape(indices.shape)


def kept(key, stream, p, offset, n):
    """Logical index: the elements offset .. offset + n - 1 of a contiguous call."""
    return kept_at(key, stream, p, np.arange(n, dtype=np.uint64) + np.uint64(offset))


def window_indices(full_shape, start, shape):
    """Logical index: the C-order index in the larger array of each element of a window."""
    index = np.zeros(shape, np.uint64)
    for axis, (full, first, size) in enumerate(zip(full_shape, start, shape, strict=True)):
        along = np.arange(size, dtype=np.uint64) + np.uint64(first & M64)
        column = (size,) + (1,) * (len(shape) - axis - 1)
        index = index * np.uint64(full & M64) + along.reshape(column)  # a size of 2**64 meets an index of 0 only
    return index


# An array p


def uniforms(key, stream, indices):
    """The U of each element, as uint64."""
    i = indices.reshape(-1)
    steps = i >> 3 & 511
    lanes, which = np.unique(8 * (i >> 12) + (i & 7), return_inverse=True)  # every touched lane once
    state = lane_states(fold_in(key, 2**64 - 2), stream, lanes >> 3, lanes & 7)
    outputs = np.array([step(state) for _ in range(int(steps.max(initial=0)) + 1)])
    return outputs[steps, which].reshape(indices.shape)


def kept_each(key, stream, p, indices):
    """True where the element is kept at the p of its own, one U an element; p broadcasts to indices."""
    indices = np.asarray(indices, np.uint64)
    p = np.broadcast_to(np.asarray(p, np.float64), indices.shape)
    u = uniforms(key, stream, indices)
    t = np.zeros(indices.shape, np.uint64)
    for value in np.unique(p[p < 1]).tolist():
        t[p == value] = threshold(value)
    return (u >= t) & (p < 1)


# Gaussian noise


def gaussian_z(key, stream, start, n, dtype):
    """Gaussian noise: the deviates of the elements start .. start + n - 1; dtype is float32 or float64."""
    philox_key = np.array(call_key(key, stream), np.uint64)
    z = [np.zeros(0, dtype)]
    for block in range(start // 16384, -(-(start + n) // 16384)):
        philox = np.random.Philox(key=philox_key, counter=np.array([0, 0, block, 0], np.uint64))
        z.append(np.random.Generator(philox).standard_normal(16384, dtype=dtype))
    return np.concatenate(z)[start % 16384 :][:n]


# Packed mask


def pack(kept):
    """Packed mask: one bit an element, bit 0 first, zero bits past the end."""
    return np.packbits(np.asarray(kept, bool).reshape(-1), bitorder="little")


# Values


def scale(p, inverted=True):
    """Values: the factor of the kept elements, in double; infinite, and never used, at p = 1. p may be an array."""
    with np.errstate(divide="ignore"):
        return 1 / (1 - np.asarray(p, np.float64)) if inverted else np.ones(np.shape(p))


def compute_type(dtype):
    """Values: what a real dtype is computed in."""
    return np.float64 if dtype.itemsize == 8 else np.float32


def apply(x, kept, scale):
    """Values: kept elements times scale in the compute type, dropped ones +0.0 by selection; out of place.

    kept and scale broadcast to x's shape.
    """
    x = np.asarray(x)
    y = np.zeros(x.shape, x.dtype.newbyteorder("="))
    if x.dtype.kind == "c":  # one bit for both parts, each multiplied as a real
        y.real, y.imag = apply(x.real, kept, scale), apply(x.imag, kept, scale)
        return y
    compute = compute_type(x.dtype)
    with np.errstate(all="ignore"):
        product = x.astype(compute) * np.asarray(scale).astype(compute)
        np.copyto(y, product.astype(y.dtype), where=np.broadcast_to(kept, x.shape))
    # A factor of 1 leaves every bit as it is, those of a signalling NaN too.
    np.copyto(y, x, where=np.broadcast_to(kept & np.equal(scale, 1), x.shape))
    return y


def alpha_affine(p):
    """Alpha dropout (Klambauer et al. 2017): a, b and the dropped value, in double, for 0 <= p < 1."""
    alpha = -1.7580993408473766
    a = 1 / sqrt((alpha * alpha * p + 1) * (1 - p))
    return a, -a * alpha * p, a * alpha * (1 - p)


def alpha(x, kept, p):
    """Alpha dropout: a*x, then + b, in the compute type where kept, the dropped value elsewhere."""
    x = np.asarray(x)
    dtype = x.dtype.newbyteorder("=")
    if p == 0:
        return x.astype(dtype)
    if p == 1:
        return np.zeros(x.shape, dtype)
    compute = compute_type(dtype)
    a, b, dropped = map(compute, alpha_affine(p))
    with np.errstate(all="ignore"):
        return np.where(kept, x.astype(compute) * a + b, dropped).astype(dtype)
