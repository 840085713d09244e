"""The oracle itself: reference.py against answers written apart, its own pinned ones, and a scalar second version."""

from fractions import Fraction

import make_vectors
import numpy as np
import pytest
import reference as ref
from known_answers import section, words

M64 = 2**64 - 1


def test_make_vectors_reproduces_the_file():
    assert make_vectors.text().encode() == make_vectors.PATH.read_bytes()


@pytest.mark.parametrize(("z", "mixed"), section("mix"))
def test_mix(z, mixed):
    assert (ref.mix_a(int(z, 16)), ref.mix_b(int(z, 16))) == words(mixed)


@pytest.mark.parametrize(("seed", "key"), section("key_from_seed"))
def test_key_from_seed(seed, key):
    assert ref.key_from_seed(seed) == ref.key_from_seed(np.random.SeedSequence(seed)) == words(key)


@pytest.mark.parametrize(("key", "values", "child"), section("fold_in"))
def test_fold_in(key, values, child):
    assert ref.fold_in(words(key), *values) == words(child)


@pytest.mark.parametrize(("key", "stream", "expected"), section("call_key"))
def test_call_key(key, stream, expected):
    assert ref.call_key(words(key), int(stream)) == words(expected)


@pytest.mark.parametrize(("p", "expected"), section("threshold"))
def test_threshold(p, expected):
    assert ref.threshold(float.fromhex(p)) == int(expected, 16)


def test_one_has_no_threshold():
    with pytest.raises(ValueError, match="threshold"):
        ref.threshold(1.0)


@pytest.mark.parametrize(("key", "stream", "p", "start", "n", "bits"), section("mask"))
def test_mask(key, stream, p, start, n, bits):
    kept = ref.kept(words(key), int(stream), float.fromhex(p), int(start), n)
    assert ref.pack(kept).tobytes().hex() == bits


@pytest.mark.parametrize(("key", "stream", "p", "full_shape", "start", "shape", "bits"), section("window"))
def test_window(key, stream, p, full_shape, start, shape, bits):
    indices = ref.window_indices([int(n) for n in full_shape], [int(n) for n in start], shape)
    kept = ref.kept_at(words(key), int(stream), float.fromhex(p), indices)
    assert ref.pack(kept).tobytes().hex() == bits


@pytest.mark.parametrize(("key", "stream", "p", "start", "bits"), section("array p"))
def test_array_p(key, stream, p, start, bits):
    p, indices = list(map(float.fromhex, p)), [int(start) + i for i in range(len(p))]
    kept = ref.kept_each(words(key), int(stream), p, indices)
    assert ref.pack(kept).tobytes().hex() == bits


@pytest.mark.parametrize(("key", "stream", "start", "values"), section("gaussian z, float64"))
def test_gaussian_z(key, stream, start, values):
    z = ref.gaussian_z(words(key), int(stream), int(start), len(values), np.float64)
    assert list(map(float.hex, z.tolist())) == values


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("start", "n"), [(0, 0), (5, 0), (5, 3), (16383, 2), (100, 40000), (2**64 - 20000, 20000)])
def test_gaussian_z_is_cut_anywhere(dtype, start, n):
    first, last = start // 16384, (start + n) // 16384
    whole = np.concatenate([ref.gaussian_z((1, 2), 3, 16384 * b, 16384, dtype) for b in range(first, last + 1)])
    z = ref.gaussian_z((1, 2), 3, start, n, dtype)
    assert (z.dtype, z.size) == (dtype, n)
    np.testing.assert_array_equal(z, whole[start % 16384 :][:n])


# A second version: ints only, one lane at a time, the specification's text as it stands


def rotl(x, k):
    return (x << k | x >> (64 - k)) & M64


class Lane:
    """xoshiro256++ from the start of a block."""

    def __init__(self, c0, c1, block, lane):
        c = 16 * block + 2 * lane
        self.s0 = ref.mix_a(c0 + ref.G * (c + 1))
        self.s1 = ref.mix_a(c0 + ref.G * (c + 2))
        self.s2 = ref.mix_b(c1 + ref.H * (c + 1))
        self.s3 = ref.mix_b(c1 + ref.H * (c + 2))

    def next(self):
        r = (rotl((self.s0 + self.s3) & M64, 23) + self.s0) & M64
        t = self.s1 << 17 & M64
        self.s2 ^= self.s0
        self.s3 ^= self.s1
        self.s1 ^= self.s2
        self.s0 ^= self.s3
        self.s2 ^= t
        self.s3 = rotl(self.s3, 45)
        return r

    def dropped(self, t):
        """The lane's 64 elements of its next group, and how many of them are dropped by U < T."""
        k = min([k for k in range(9) if t % 2 ** (64 - k) == 0], default=8)
        undecided, dropped = M64, 0
        for j in range(k):
            u = self.next()
            if t >> (63 - j) & 1:
                dropped |= undecided & ~u & M64
                undecided &= u
            else:
                undecided &= ~u & M64
        if t % 2**56 != 0:
            while True:
                u = self.next()
                low = undecided & -undecided
                if u < t * 2**8 % 2**64:
                    dropped |= low
                undecided &= ~low
                if not undecided:
                    break
        return dropped


def scalar_kept(key, stream, p, i):
    """Element i alone: its lane from the start of the block, the earlier groups thrown away."""
    if p == 1:
        return False
    t = int(np.rint(p * 2.0**64)) if p < 2.0**-12 else int(Fraction(p) * 2**64)
    lane = Lane(*ref.call_key(key, stream), i // 4096, i % 512 // 64)
    for _ in range(i % 4096 // 512 + 1):
        dropped = lane.dropped(t)
    return not dropped >> (i % 64) & 1


@pytest.mark.parametrize("p", [0.0, 2.0**-65, 0.5, 5 / 8, 3 / 256, 1 / 512, 0.1, 0.9, 2.0**-20, 1 - 2.0**-53, 1.0])
@pytest.mark.parametrize("offset", [0, 480, 4090, 2**53 - 3, 2**64 - 100], ids=hex)
def test_scalar_version_agrees(p, offset):
    key, stream = (2**63 + 1, 12345), 2**40
    expected = [scalar_kept(key, stream, p, i) for i in range(offset, offset + 100)]
    assert ref.kept(key, stream, p, offset, 100).tolist() == expected


def test_scattered_indices():
    i = [2**64 - 1, 0, 4095, 2**53 + 1, 511, 0, 3 * 4096 + 577]
    expected = [scalar_kept((1, 2), 3, 0.3, index) for index in i]
    assert ref.kept_at((1, 2), 3, 0.3, i).tolist() == expected
    assert ref.kept_at((1, 2), 3, 0.3, np.array(i, np.uint64).reshape(7, 1)).shape == (7, 1)


@pytest.mark.parametrize("offset", [0, 4090, 2**53 - 3, 2**64 - 100], ids=hex)
def test_scalar_version_of_an_array_p_agrees(offset):
    p = np.resize([0, 1, 0.5, 0.1, 1 - 2**-53, 2**-66, 0.9], 100)
    key, stream, expected = (2**63 + 1, 12345), 2**40, []
    for i, rate in enumerate(p.tolist(), offset):
        lane = Lane(*ref.call_key(ref.fold_in(key, 2**64 - 2), stream), i // 4096, i % 8)
        u = [lane.next() for _ in range(i % 4096 // 8 + 1)][-1]
        expected.append(rate < 1 and u >= int(Fraction(rate) * 2**64))
    indices = np.arange(100, dtype=np.uint64).reshape(4, 25) + np.uint64(offset)
    assert ref.kept_each(key, stream, p.reshape(4, 25), indices).reshape(-1).tolist() == expected


# Values

KEPT = [0.0, -0.0, 1.0, -3.0, 2.0**-24, 2.0**-149, 65504.0, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "c8", "c16", ">f2", ">f4", ">c8", ">c16"])
def test_values(dtype):
    compute = np.dtype(dtype[:-1] + "4" if dtype.strip(">") == "f2" else dtype).newbyteorder("=")
    with np.errstate(all="ignore"):
        x = np.array(KEPT * 2).astype(dtype)
        wide = x.astype(compute)
        parts = wide.view(wide.real.dtype)
        parts *= parts.dtype.type(1.25)
        expected = wide.astype(x.dtype.newbyteorder("="))
    kept = np.arange(x.size) < len(KEPT)
    expected[~kept] = 0
    y = ref.apply(x, kept, 1.25)
    assert y.dtype == expected.dtype
    assert y.dtype.isnative
    assert y.tobytes() == expected.tobytes()
    assert ref.apply(x[2], True, 1.25) == expected[2]


def test_float16_is_rounded_once_from_the_float32_product():
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)
    x = x[np.isfinite(x)]
    exact = x.astype(np.float64) * float(np.float32(ref.scale(0.3)))  # 11 bits by 24
    with np.errstate(over="ignore"):
        expected = exact.astype(np.float32).astype(np.float16)
    assert ref.apply(x, True, ref.scale(0.3)).tobytes() == expected.tobytes()


def test_bfloat16_is_rounded_to_nearest_even():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.arange(2**16, dtype=np.uint16)
    x = x[x & 0x7F80 != 0x7F80]  # the finite ones
    with np.errstate(over="ignore"):
        product = (x.astype(np.uint32) << 16).view(np.float32) * np.float32(ref.scale(0.3))
    b = product.view(np.uint32)
    expected = ((b + 0x7FFF + (b >> 16 & 1)) >> 16).astype(np.uint16)
    assert ref.apply(x.view(ml_dtypes.bfloat16), True, ref.scale(0.3)).tobytes() == expected.tobytes()


def test_a_scale_of_one_leaves_every_bit():
    x = np.arange(2**16, dtype=np.uint16).view(np.float16)  # signalling NaNs too
    assert ref.apply(x, True, ref.scale(0.0)).tobytes() == x.tobytes()


@pytest.mark.parametrize(
    ("p", "inverted", "expected"), [(0, True, 1), (0.5, True, 2), (0.1, False, 1), (1, True, np.inf)]
)
def test_scale(p, inverted, expected):
    assert ref.scale(p, inverted) == expected


def test_an_array_of_scales():
    p, x = np.array([[0.0], [0.5], [1.0]]), np.array([[-0.0, 3.0]] * 3, np.float16)
    np.testing.assert_array_equal(ref.scale(p), [[1], [2], [np.inf]])
    np.testing.assert_array_equal(ref.scale(p, inverted=False), np.ones((3, 1)))
    y = ref.apply(x, p < 1, ref.scale(p))
    assert y.tobytes() == np.array([[-0.0, 3], [-0.0, 6], [0, 0]], np.float16).tobytes()


# Alpha dropout


@pytest.mark.parametrize("p", [2.0**-20, 0.1, 0.5, 0.9])
def test_alpha_keeps_mean_and_variance(p):
    """The moments of the output, from the two values that an element of mean 0 and variance 1 may take."""
    a, b, dropped = ref.alpha_affine(p)
    mean = (1 - p) * b + p * dropped
    assert mean == pytest.approx(0, abs=1e-15)
    assert (1 - p) * (a * a + b * b) + p * dropped * dropped == pytest.approx(1)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4"])
def test_alpha(dtype):
    x = np.array([0, -0.0, 1, -3, np.inf, np.nan], dtype)
    compute = np.dtype("f8" if dtype == "f8" else "f4")
    a, b, dropped = np.array(ref.alpha_affine(0.3), compute)
    product = x[2:].astype(compute) * a
    want = np.array([dropped, dropped, *(product + b)], compute).astype(dtype)
    y = ref.alpha(x, np.arange(6) > 1, 0.3)
    assert y.dtype.isnative
    np.testing.assert_array_equal(y, want)
    for p, expected in [(0, x), (1, np.zeros(6))]:
        np.testing.assert_array_equal(ref.alpha(x, np.arange(6) > 1, p), expected)
