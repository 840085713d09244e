"""Statistics of the mask stream, through the public functions: fixed seeds, bounds of 5 standard deviations."""

from itertools import combinations

import numpy as np
import pytest

import fastdrop as fd

N = 2**22


def deviation(count, n, p):
    """Standard deviations from its mean of a count of n events of probability p."""
    return (count - n * p) / np.sqrt(n * p * (1 - p))


def correlation(a, b, p):
    """Standard deviations from zero of the correlation of two bool arrays that are True with probability p."""
    both, either = np.count_nonzero(a & b), np.count_nonzero(a) + np.count_nonzero(b)
    return (both - p * either + a.size * p * p) / (np.sqrt(a.size) * p * (1 - p))


def words(dropped):
    return np.packbits(dropped).view(np.uint64)


# How many are dropped


@pytest.mark.parametrize("p", [1e-4, 1 / 256, 0.1, 0.3, 0.5, 200 / 256, 0.9, 1 - 1e-4])
def test_rate(p):
    dropped = fd.bernoulli(10**7, p, rng=1)
    assert abs(deviation(np.count_nonzero(dropped), dropped.size, p)) < 5


def test_rate_of_a_tiny_p():
    """2 * 10**9 elements, cut into calls that fit a cache: 0.2 of them dropped, where a coarse U drops hundreds."""
    zeros = np.zeros(2**20, np.float32)  # dropped or kept, they stay zeros: one buffer serves every call
    dropped = 0
    for seed in range(20):
        for offset in range(0, 10**8, zeros.size):
            x = zeros[: 10**8 - offset]
            _, mask = fd.dropout(x, 1e-10, rng=seed, out=x, offset=offset)
            dropped += x.size - mask.kept
    assert dropped <= 3


def test_a_p_below_the_resolution_drops_nothing():
    assert not fd.bernoulli(10**7, 2.0**-66, rng=1).any()


@pytest.mark.parametrize("p", [1 / 256, 0.1, 0.5])
def test_rate_by_place(p):
    """Each bit of a word, lane, group of a block, and element of a group is dropped alike."""
    dropped = fd.bernoulli(N, p, rng=2)
    for shape, axes in [((-1, 64), 0), ((-1, 8, 64), (0, 2)), ((-1, 8, 512), (0, 2)), ((-1, 512), 0)]:
        counts = dropped.reshape(shape).sum(axes)
        assert np.abs(deviation(counts, N / counts.size, p)).max() < 5


@pytest.mark.parametrize("p", [1 / 256, 0.1, 0.5])
@pytest.mark.parametrize("m", [8, 64, 512, 4096])
def test_variance_of_counts(m, p):
    """The counts of m neighbours are as wide as a binomial, so that the neighbours are not drawn together."""
    squares = (fd.bernoulli(N, p, rng=3).reshape(-1, m).sum(1) - m * p) ** 2
    variance = m * p * (1 - p)
    fourth = variance * (1 + 3 * (m - 2) * p * (1 - p))
    assert abs(squares.mean() - variance) < 5 * np.sqrt((fourth - variance**2) / squares.size)


# Within a mask


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_lags(p):
    """Neighbours up to 64 apart, and the same bit of the next group and the next block."""
    dropped = fd.bernoulli(N, p, rng=4)
    for lag in [*range(1, 65), 512, 4096]:
        assert abs(correlation(dropped[lag:], dropped[:-lag], p)) < 5, lag


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_lane_against_lane(p):
    lanes = fd.bernoulli(N, p, rng=5).reshape(-1, 8, 64)
    for a, b in combinations(range(8), 2):
        assert abs(correlation(lanes[:, a], lanes[:, b], p)) < 5, (a, b)


def test_no_word_occurs_twice():
    """2**26 bits are 2**20 words: 2**-25 pairs expected."""
    drawn = words(fd.bernoulli(2**26, 0.5, rng=6))
    assert np.unique(drawn).size == drawn.size


# Between masks


def streams():
    return [fd.Rng(7)] * 8  # each draw takes the next stream


def seeds():
    return [fd.Rng(seed) for seed in (0, 1, 2, 3, 2**32, 2**40, 2**63, [1, 1])]


def keys():
    k0, k1 = fd.Rng(7).key
    return [fd.Rng.from_key(k0 ^ a, k1 ^ b) for a, b in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 1 << 63), (1 << 63, 0)]]


def folded():
    rng = fd.Rng(7)
    return [rng, *(rng.fold_in(v) for v in (0, 1, 2, 2**32)), rng.fold_in(0, 0), rng.fold_in(0, 1), rng.fold_in(1, 0)]


def spawned():
    rng = fd.Rng(7)
    children = [*rng.spawn(3), *rng.spawn(2)]
    return [rng, rng.fold_in(0), *children, *children[0].spawn(1)]


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("sources", [streams, seeds, keys, folded, spawned])
def test_mask_against_mask(sources, p):
    masks = [fd.bernoulli(2**20, p, rng=rng) for rng in sources()]
    for (i, a), (j, b) in combinations(enumerate(masks), 2):
        assert abs(correlation(a, b, p)) < 5, (i, j)


@pytest.mark.parametrize("sources", [streams, seeds, keys, folded, spawned])
def test_no_word_occurs_in_two_masks(sources):
    drawn = np.concatenate([words(fd.bernoulli(2**20, 0.5, rng=rng)) for rng in sources()])
    assert np.unique(drawn).size == drawn.size
