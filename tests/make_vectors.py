"""Writes vectors.json, the pinned answers of the mask stream, from reference.py alone: `python tests/make_vectors.py`.

Run it only to pin more: an answer that changes is a new version of the stream.
"""

import json
from collections import Counter
from itertools import cycle, product
from pathlib import Path

import numpy as np
import reference as ref

PATH = Path(__file__).with_name("vectors.json")
NOTES = (
    "by make_vectors.py from reference.py, in the form of stream-check.json: 64-bit words in hex, p as a C99 hex "
    "double, bits packed as numpy.unpackbits(bitorder='little') reads them, 1 = kept; keys are those of the Rng"
)
WORDS = [0, 1, 2, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, ref.G, ref.H]
SEEDS = [0, 1, 5, 42, 12345, 2**32, 2**63, 2**70 + 5, [5], [5, 0], [1, 2, 3]]
KEYS = [
    (0, 0),
    (5, 2**63 - 1),
    (2**63 - 1, 2**63),
    (2**63, 5),
    (2**64 - 1, 2**64 - 1),
    ref.key_from_seed(0),
    ref.key_from_seed(12345),
]
FOLDS = [(0,), (1,), (2**32,), (2**63 - 1,), (0, 0), (1, 2, 3), (2**64 - 1, 0), (2**64 - 1, 1), (2**64 - 2,)]
STREAMS = [0, 1, 2**40, 2**64 - 1]
NO_DRAW = [0.0, 1.0, 2.0**-65]
BY_PLANES = [m / 2**k for k in range(1, 9) for m in sorted({1, 2**k - 1, 2 * (2**k // 3) | 1}) if m < 2**k]
BY_ROUNDS = [1 / 512, 257 / 512, 0.1, 0.3, float(np.float32(0.1)), 0.9, 2.0**-20, 2.0**-60, 2.0**-64, 1 - 2.0**-53]
TIES = [-0.0, 5e-324, 2.0**-65 * (1 + 2.0**-52), 3 * 2.0**-65, 5 * 2.0**-65, 7 * 2.0**-65, 1e-10]
PLACES = [  # (offset, n): borders of bytes, lanes, groups and blocks, then far out, then the end of the index space
    (0, 1),
    (0, 64),
    (3, 130),
    (60, 10),
    (63, 2),
    (505, 72),
    (511, 2),
    (4090, 12),
    (4095, 66),
    (4096, 64),
    (12345, 150),
    (2**32 - 5, 40),
    (2**44 + 4093, 70),
    (2**53 - 3, 80),
    (2**63 - 33, 67),
    (2**64 - 4160, 65),
    (2**64 - 70, 70),
    (2**64 - 1, 1),
]
WINDOWS = [  # (full_shape, start, shape)
    ((10, 1000), (3, 490), (4, 70)),
    ((2**33, 3), (2**32 - 1, 0), (3, 3)),
    ((2**32, 2**32), (2**32 - 2, 2**32 - 9), (2, 9)),
    ((1, 2**64), (0, 2**64 - 20), (1, 20)),
    ((5, 6, 7), (1, 2, 3), (3, 3, 4)),
    ((2**20, 3, 2**24), (2**19, 1, 4090), (2, 2, 20)),
]


def undecided_counts(key, stream, p, blocks):
    """How many elements the planes leave undecided, as a (block, group, lane) array; none where there is no round."""
    lanes = 8 * len(blocks)
    counts = np.zeros((8, lanes), int)
    if p < 1 and ref.threshold(p) % 2**56:
        lane = np.arange(lanes, dtype=np.uint64) % 8
        state = ref.lane_states(key, stream, np.repeat(np.array(blocks, np.uint64), 8), lane)
        for group in range(8):
            undecided, dropped = ref.planes(state, ref.threshold(p))
            counts[group] = np.unpackbits(undecided.view(np.uint8)).reshape(lanes, 64).sum(1)
            ref.rounds(state, ref.threshold(p), undecided, dropped)
    return counts.reshape(8, len(blocks), 8).transpose(1, 0, 2)


def many_rounds():
    """Calls that begin where a lane has 0, 1, 2, 3, 4 undecided elements, and calls that begin in its next group."""
    for (key, stream, p), many in product([(KEYS[2], 1, 0.3), (KEYS[5], 0, 0.9)], range(5)):
        counts = undecided_counts(key, stream, p, range(1024))
        block, group, lane = np.argwhere(counts[:, :7] == many)[0].tolist()  # never the last group: the next follows
        start = 4096 * block + 512 * group + 64 * lane
        yield key, stream, p, start, 576  # to the lane's word of the next group, which pins the state that is left
        yield key, stream, p, start + 512, 64


def calls():
    """Every p at five places and every place at p = 0.1, the keys and streams in turn."""
    for i, p in enumerate(5 * (NO_DRAW + BY_PLANES + BY_ROUNDS)):
        yield KEYS[i % 7], STREAMS[i % 4], p, *PLACES[i % len(PLACES)]
    for i, place in enumerate(PLACES):
        yield KEYS[i % 7], STREAMS[i % 4], 0.1, *place
    yield KEYS[5], 0, 0.1, 0, 4101  # a whole block and more
    yield KEYS[5], 0, 0.1, 4101, 150  # goes on where that one stopped
    yield from many_rounds()


def windows():
    for i, (p, place) in enumerate(product([0.1, 0.5, 5 / 8], WINDOWS)):
        yield KEYS[i % 7], STREAMS[i % 4], p, place


def check_coverage(calls):
    """Asserts that 0, 1, 2 and 3 or more undecided elements occur in the lanes that the calls use."""
    seen = Counter()
    for key, stream, p, offset, n in calls:
        words = range(offset // 64, (offset + n - 1) // 64 + 1)
        blocks = range(words[0] // 64, words[-1] // 64 + 1)
        counts = undecided_counts(key, stream, p, blocks)
        if p < 1 and ref.threshold(p) % 2**56:
            first = words[0] % 64
            seen.update(np.minimum(counts, 3).ravel()[first : first + len(words)].tolist())
    assert all(seen[many] for many in range(4)), seen


def word(value):
    return f"{value:016x}"


def key(pair):
    return [word(k) for k in pair]


def decimal(ints):
    return [str(v) for v in ints]


def bits(kept):
    return ref.pack(kept).tobytes().hex()


def sections():
    """Title: cases. A title names the columns where there are many, as in stream-check.json."""
    check_coverage(calls())
    with_threshold = [p for p in NO_DRAW + BY_PLANES + BY_ROUNDS + TIES if p < 1]
    return {
        "mix: z, mixA, mixB": ([word(z), word(ref.mix_a(z)), word(ref.mix_b(z))] for z in WORDS),
        "key_from_seed": ([seed, key(ref.key_from_seed(seed))] for seed in SEEDS),
        "fold_in": ([key(k), v, key(ref.fold_in(k, *v))] for k, v in zip(cycle(KEYS), FOLDS, strict=False)),
        "call_key": ([key(k), str(stream), key(ref.call_key(k, stream))] for k, stream in product(KEYS, STREAMS)),
        "threshold": ([p.hex(), word(ref.threshold(p))] for p in with_threshold),
        "mask: key, stream, p, start, n, bits": (
            [key(k), str(stream), p.hex(), str(start), n, bits(ref.kept(k, stream, p, start, n))]
            for k, stream, p, start, n in calls()
        ),
        "window: key, stream, p, full_shape, start, shape, bits": (
            [
                key(k),
                str(stream),
                p.hex(),
                decimal(full_shape),
                decimal(start),
                shape,
                bits(ref.kept_at(k, stream, p, i)),
            ]
            for k, stream, p, (full_shape, start, shape) in windows()
            for i in [ref.window_indices(full_shape, start, shape)]
        ),
    }


def section(title, cases):
    return f' "{title}": [\n' + ",\n".join(f"  {json.dumps(case)}" for case in cases) + "\n ]"


def text():
    """The text of vectors.json: one case a line."""
    head = f'{{\n "version": 1,\n "notes": {json.dumps(NOTES)}'
    return ",\n".join([head, *(section(*item) for item in sections().items())]) + "\n}\n"


if __name__ == "__main__":
    PATH.write_bytes(text().encode())
