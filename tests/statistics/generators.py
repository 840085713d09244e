"""What makes the masks: the library, a model of it in NumPy, and models with one planted fault each.

The model is vectorised over the blocks, from the functions of tests/reference.py. A fault overrides one method. All
have the same face: `dropped` gives elements of a call, `dropped_each` those of an array p, True where dropped.
"""

from math import ceil, floor

import numpy as np
import reference

import fastdrop as fd

KEY = reference.key_from_seed(8)
LANES = np.arange(8, dtype=np.uint64)


class Library:
    """fastdrop itself, through its public functions."""

    def dropped(self, n, p, key=KEY, stream=0, offset=0):
        rng = fd.Rng.from_key(*key, counter=stream)
        return ~fd.dropout(np.zeros(n, np.float32), p, rng=rng, offset=offset)[1].to_bool()

    def dropped_each(self, rows, p, key=KEY):
        x = np.zeros((rows, len(p)), np.float32)
        return ~fd.dropout(x, p, rng=fd.Rng.from_key(*key))[1].to_bool()

    def count(self, n, p, stream=0):
        """How many of n elements are dropped; made in pieces that fit a cache."""
        dropped = 0
        zeros = np.zeros(2**18, np.float32)  # dropped or kept, they stay zeros: one buffer serves every call
        for offset in range(0, n, zeros.size):
            x = zeros[: n - offset]
            _, mask = fd.dropout(x, p, rng=fd.Rng.from_key(*KEY, counter=stream), out=x, offset=offset)
            dropped += x.size - mask.kept
        return dropped


class Model:
    """The mask stream as it is specified. n and offset are whole blocks, n a multiple of len(p)."""

    def dropped(self, n, p, key=KEY, stream=0, offset=0):
        block = np.arange(offset // 4096, (offset + n) // 4096, dtype=np.uint64)
        words = self.words(key, stream, block, self.threshold(p))
        return np.unpackbits(words.astype("<u8").view(np.uint8).reshape(-1), bitorder="little").view(bool)

    def dropped_each(self, rows, p, key=KEY):
        block = np.arange(-(-rows * len(p) // 4096), dtype=np.uint64)
        state = self.states(reference.fold_in(key, 2**64 - 2), 0, np.repeat(block, 8), np.tile(LANES, len(block)))
        u = np.array([reference.step(state) for _ in range(512)])  # steps, then blocks and their lanes
        u = u.reshape(512, len(block), 8).swapaxes(0, 1).reshape(-1)[: rows * len(p)].reshape(rows, len(p))
        return u < np.array([self.threshold(each) for each in p.tolist()], np.uint64)

    def count(self, n, p, stream=0):
        pieces = range(0, n, 2**22)
        return sum(np.count_nonzero(self.dropped(2**22, p, stream=stream, offset=offset)) for offset in pieces)

    def threshold(self, p):
        return reference.threshold(p)

    def states(self, key, stream, block, lane):
        return reference.lane_states(key, stream, block, lane)

    def words(self, key, stream, block, t):
        """The dropped bits, a word for each block, group and lane."""
        state = self.states(key, stream, np.repeat(block, 8), np.tile(LANES, len(block)))
        groups = np.array([self.group(state, t) for _ in range(8)])
        return groups.reshape(8, len(block), 8).swapaxes(0, 1)

    def group(self, state, t):
        undecided, dropped = reference.planes(state, t)
        reference.rounds(state, t, undecided, dropped)
        return dropped


# Faults of seeding


class BlocksByAddition(Model):
    """Each block's counters are the last one's plus a constant: lane l is lane l + 1 of the block before."""

    def states(self, key, stream, block, lane):
        return super().states(key, stream, 0 * block, block + lane)


class BlocksInPairs(Model):
    """Two successive blocks start from one state."""

    def states(self, key, stream, block, lane):
        return super().states(key, stream, block >> 1, lane)


class SharedLane(Model):
    """Lane 6 has the state of lane 2."""

    def states(self, key, stream, block, lane):
        return super().states(key, stream, block, np.where(lane == 6, np.uint64(2), lane))


class Unmixed(Model):
    """The lanes start from bare counters, without the mixers."""

    def states(self, key, stream, block, lane):
        c0, c1 = reference.call_key(key, stream)
        c = 16 * block + 2 * lane
        g, h = reference.G, reference.H
        return np.array([c0 + g * (c + 1), c0 + g * (c + 2), c1 + h * (c + 1), c1 + h * (c + 2)])


class StreamsByAddition(Model):
    """Each call's key is the last one's plus a constant: lane l is lane l + 1 of the call before."""

    def states(self, key, stream, block, lane):
        return super().states(key, 0, block, lane + stream)


# Faults of p


class ThresholdOff(Model):
    """T is too small by a relative 2**-12."""

    def threshold(self, p):
        t = super().threshold(p)
        return t - (t >> 12)


class CoarseUniform(Model):
    """U has 16 bits: p is rounded away from 1/2 to a multiple of 2**-16."""

    def threshold(self, p):
        return (floor(p * 2**16) if p > 0.5 else ceil(p * 2**16)) << 48


class RoundAgainstT(Model):
    """A round compares with T where T << 8 is due (but for T's last 8 bits, which no count can see)."""

    def group(self, state, t):
        undecided, dropped = reference.planes(state, t)
        reference.rounds(state, t >> 8, undecided, dropped)
        return dropped


class LastBitKept(Model):
    """The last element of each word is never dropped."""

    def group(self, state, t):
        return super().group(state, t) & np.uint64(2**63 - 1)


class NeighboursP(Model):
    """An element takes the p of the one before it."""

    def dropped_each(self, rows, p, key=KEY):
        return super().dropped_each(rows, np.roll(p, 1), key)


# Faults of the generator


class Plus(Model):
    """xoshiro256+, whose low bit is linear; for p = 1/2 alone."""

    def group(self, state, t):
        assert t == 2**63
        u = state[0] + state[3]
        reference.step(state)
        return ~u


class PlusNeverReseeded(Plus):
    """The same, and the lanes of block 0 run on through all the blocks."""

    def words(self, key, stream, block, t):
        state = self.states(key, stream, np.zeros(8, np.uint64), LANES)
        return np.array([self.group(state, t) for _ in range(8 * len(block))]).reshape(-1, 8, 8)
