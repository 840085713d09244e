"""Statistics of masks, each a Measured: a value, what is expected, and what chance exceeds once in a million."""

import math
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

ALPHA = 1e-6


@dataclass(frozen=True)
class Measured:
    value: float
    expected: float
    bound: float

    @property
    def passes(self):
        return self.value <= self.bound


def largest(k, chance):
    """What the largest of k normal deviates, whatever its sign, exceeds with this chance."""
    return -NormalDist().inv_cdf(-math.expm1(math.log1p(-chance) / k) / 2)


def worst(z, k=None):
    """The largest of k deviations, each in standard deviations; z may be the largest ones of parts."""
    z = np.abs(z)
    k = k or z.size
    return Measured(float(z.max()), largest(k, 0.5), largest(k, ALPHA))


def rare(count, mean):
    """A count of rare events, Poisson with that mean."""
    bound, term = 0, math.exp(-mean)
    left = 1 - term
    while left > ALPHA:
        bound += 1
        term *= mean / bound
        left -= term
    return Measured(int(count), mean, bound)


# How many are dropped


def deviation(count, n, p):
    """Standard deviations from its mean of a count of n events of probability p."""
    return (count - n * p) / np.sqrt(n * p * (1 - p))


def places(source, n, p):
    """The counts of each bit of a word, lane, group, element of a group and of a block, and of 64 successive spans."""
    span = n // 64
    counts = np.array([source.dropped(span, p, offset=i * span).reshape(-1, 4096).sum(0) for i in range(64)])
    block = counts.sum(0).reshape(8, 8, 64)  # groups, lanes, bits
    by = [block.sum((0, 1)), block.sum((0, 2)), block.sum((1, 2)), block.sum(0), block, counts.sum(1)]
    return worst(np.concatenate([deviation(c.reshape(-1), n / c.size, p) for c in by]))


def variance(sums, m, p):
    """Standard deviations of the variance of sums of m elements from a binomial's; sums is a list of arrays."""
    squares = np.concatenate([np.square(s.reshape(-1) - m * p) for s in sums])
    expected = m * p * (1 - p)
    fourth = expected * (1 + 3 * (m - 2) * p * (1 - p))
    return (squares.mean() - expected) / np.sqrt((fourth - expected**2) / squares.size)


def rows_and_columns(source, n, p, widths, height=128):
    """Row sums of matrices of these widths, and column sums of `height` rows; n elements in pieces of 2**22."""
    pieces = [source.dropped(2**22, p, offset=offset) for offset in range(0, n, 2**22)]
    z = []
    for w in widths:
        matrices = [d[: d.size // (height * w) * height * w].reshape(-1, height, w) for d in pieces]
        z.append(variance([m.sum(2) for m in matrices], w, p))
        z.append(variance([m.sum(1) for m in matrices], height, p))
    return worst(np.array(z))


# Element against element


def standard(dropped, p):
    """The elements with mean 0 and variance 1; p broadcasts."""
    return (dropped - p) / np.sqrt(p * (1 - p))


def lags(pieces):
    """Autocorrelation, around the ends, at every lag below half a piece; pieces are standard, and of one size."""
    power, count = 0, 0
    for piece in pieces:
        power, count = power + np.abs(np.fft.rfft(piece)) ** 2, count + piece.size
        size = piece.size
    return worst(np.fft.irfft(power)[1 : size // 2] / np.sqrt(count))


def pairs(samples, p):
    """Correlation of every two columns of bool matrices: counts in float32, exact up to 2**24 rows."""
    both, n = 0, 0
    for dropped in samples:
        x = dropped.astype(np.float32)
        both, n = both + x.T @ x, n + len(x)
    ones = np.diag(both).astype(np.float64)
    z = [row[:i] - p * (ones[:i] + ones[i]) + n * p * p for i, row in enumerate(both)]
    return worst(np.concatenate(z) / (np.sqrt(n) * p * (1 - p)))


def cross(masks, p):
    """Correlation of every two masks at every shift around the ends."""
    spectra = [np.fft.rfft(standard(m, p)) for m in masks]
    size = masks[0].size
    z = [np.abs(np.fft.irfft(a.conj() * b)).max() for a, b in combinations(spectra, 2)]
    return worst(np.array(z) / np.sqrt(size), k=len(z) * size)


def repeated_words(masks):
    """How many 64-bit words occur that occurred before; for p = 1/2."""
    words = np.concatenate([np.packbits(m).view(np.uint64) for m in masks])
    count = words.size - np.unique(words).size
    return rare(count, words.size * (words.size - 1) / 2 / 2**64)


# Linear algebra over GF(2)


def ranks(matrices):
    """The rank of each 64 x 64 matrix; (matrices, rows) of uint64, a word a row."""
    left, rank = matrices.copy(), np.zeros(len(matrices), int)
    each = np.arange(len(matrices))
    for bit in range(64):
        has = left >> np.uint64(bit) & np.uint64(1) == 1
        pivot = np.where(has.any(1), left[each, has.argmax(1)], np.uint64(0))
        left ^= np.where(has, pivot[:, None], np.uint64(0))  # the pivot's own row becomes 0
        rank += has.any(1)
    return rank


def rank_probability(rank, n=64):
    """That a random n x n matrix has this rank."""
    factors = ((1 - 2.0 ** (i - n)) ** 2 / (1 - 2.0 ** (i - rank)) for i in range(rank))
    return 2.0 ** -((n - rank) ** 2) * math.prod(factors)


def rank(matrices):
    """Chi-square of how many matrices have rank 64, 63, and less: two degrees of freedom."""
    expected = np.array([rank_probability(64), rank_probability(63)])
    expected = np.append(expected, 1 - expected.sum()) * len(matrices)
    deficit = np.minimum(64 - ranks(matrices), 2)
    got = np.bincount(deficit, minlength=3)
    return Measured(float(((got - expected) ** 2 / expected).sum()), 2 * math.log(2), -2 * math.log(ALPHA))


def berlekamp_massey(sequence, n):
    """The length of the shortest linear recurrence of n bits; bit i of the int is element i."""
    connection, before, complexity, last, seen = 1, 1, 0, -1, 0
    for i in range(n):
        seen = seen << 1 | sequence >> i & 1  # bit j: element i - j
        if (connection & seen).bit_count() % 2:
            old = connection
            connection ^= before << (i - last)
            if 2 * complexity <= i:
                complexity, before, last = i + 1 - complexity, old, i
    return complexity


def linear_complexity(columns):
    """The largest distance of a column's linear complexity from half its length; bool, (length, columns)."""
    n, count = columns.shape
    packed = np.packbits(columns.T, axis=1, bitorder="little")
    found = [berlekamp_massey(int.from_bytes(row.tobytes(), "little"), n) for row in packed]
    # Of the 2**n sequences 2**min(2*n - 2*L, 2*L - 1) have linear complexity L (Rueppel 1986).
    share = {c: 2.0 ** (min(2 * n - 2 * c, 2 * c - 1) - n) for c in range(1, n + 1)}
    tail = [sum(q for c, q in share.items() if abs(c - n / 2) > d) for d in range(n // 2)]
    expected, bound = (next(d for d, q in enumerate(tail) if q * count <= chance) for chance in (0.5, ALPHA))
    return Measured(max(abs(c - n / 2) for c in found), expected, bound)
