"""Which questions vectors.json asks: the cases of each section, grouped by the rule that they are there for.

make_vectors.py answers them, and test_vectors.py holds each group to what its rule claims.
"""

from itertools import cycle, pairwise, product

import numpy as np
import reference as ref

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
STREAMS = [0, 1, 2**40, 2**64 - 1]
EACH = len(KEYS) * len(STREAMS)  # so many cases in turn have every key with every stream
FOLDS = {
    "one value, up to the users' last": [(0,), (1,), (2**32,), (2**63 - 1,)],
    "several values, one after the other": [(0, 0), (1, 2, 3), (2**63 - 1, 0, 2**63 - 1, 2**40)],
    "spawn's own values: 2^64 - 1, then the child's number": [(2**64 - 1, 0), (2**64 - 1, 1), (2**64 - 1, 7)],
    "an array p's own value, 2^64 - 2": [(2**64 - 2,)] * len(KEYS),
}
NO_DRAW = [0.0, -0.0, 5e-324, 2.0**-65, 1.0]
BY_PLANES = [m / 2**k for k in range(1, 9) for m in sorted({1, 2**k - 1, 2 * (2**k // 3) | 1}) if m < 2**k]
BY_ROUNDS = [1 / 512, 257 / 512, 0.1, 0.3, float(np.float32(0.1)), 0.9, 2.0**-20, 2.0**-60, 2.0**-64, 1 - 2.0**-53]
TIES = [2.0**-65 * (1 + 2.0**-52), 3 * 2.0**-65, 5 * 2.0**-65, 7 * 2.0**-65, 1e-10]
NEAR = [  # (start, n)
    (0, 1),
    (0, 64),
    (3, 130),
    (60, 10),
    (63, 2),
    (505, 72),
    (511, 2),
    (512, 512),
    (4032, 64),
    (4090, 12),
    (4095, 66),
    (4096, 64),
    (12345, 150),
]
FAR = [
    (2**32 - 5, 40),
    (2**44 + 4093, 70),
    (2**53 - 3, 80),
    (2**63 - 33, 67),
    (2**64 - 4160, 65),
    (2**64 - 70, 70),
    (2**64 - 1, 1),
]
CUTS = [0, 1, 9, 64, 700, 4096, 4101, 4251]
LONG = [(12345, 100003), (2**53 - 50001, 100003)]
WINDOWS = {  # (full_shape, start, shape)
    "windows of one axis": [((2**40,), (2**33 - 7,), (30,)), ((2**64,), (2**64 - 20,), (20,))],
    "windows of two axes": [
        ((10, 1000), (3, 490), (4, 70)),
        ((2**33, 3), (2**32 - 1, 0), (3, 3)),
        ((2**32, 2**32), (2**32 - 2, 2**32 - 9), (2, 9)),
        ((1, 2**64), (0, 2**64 - 20), (1, 20)),
    ],
    "windows of three axes": [((5, 6, 7), (1, 2, 3), (3, 3, 4)), ((2**20, 3, 2**24), (2**19, 1, 4090), (2, 2, 20))],
}
NOISE_WINDOWS = [  # (full_shape, start, shape, noise_shape)
    ((100, 300), (7, 40), (3, 50), (None, 1)),
    ((100, 300), (7, 40), (3, 50), (1, None)),
    ((2**40, 9, 2**20), (2**39, 2, 4000), (2, 3, 70), (None, 1, None)),
    ((2**61, 2, 4), (2**61 - 9, 0, 0), (9, 1, 4), (None, None, 1)),
]
RATES = [0, 1, 0.5, 2.0**-66, 5e-324, 2.0**-20, 0.1, 1 - 2.0**-53, 0.9]
RATE_PLACES = {  # (entries, repeated), (start, n)
    "entries 0 and 1 and tiny ones among others": [(RATES, (0, 27)), (RATES, (1000, 18))],
    "equal entries, which give another mask than the number": [([0.5], (0, 48)), ([0.1], (4090, 20))],
    "one entry alone": [([0.3], (0, 1)), ([0.75], (4095, 1))],
    "starts inside a block, and calls over the borders of steps and blocks": [
        ([0.25, 0.5, 0.75], place) for place in [(1, 6), (7, 2), (63, 12), (511, 20), (2052, 9), (4089, 30)]
    ],
    "offsets past 2^32, 2^53 and 2^63, to the last index": [
        ([0.1, 0.9], place)
        for place in [(2**32 - 5, 12), (2**53 - 3, 12), (2**63 - 9, 12), (2**64 - 4100, 12), (2**64 - 9, 9)]
    ],
    "keys on either side of 2^63, at each stream": [([0.2, 0.6], (30, 8))] * EACH,
}
RATE_WINDOWS = [((10, 1000), (3, 490), (3, 12)), ((2**32, 2**32), (2**32 - 2, 2**32 - 9), (2, 9))]


# The cases of the sections about masks: {rule: [arguments of what writes a case]}


def in_turn(rates, places):
    """A case for each p: the keys, the streams and the places in turn."""
    turn = zip(rates, cycle(KEYS), cycle(STREAMS), cycle(places), strict=False)
    return [(key, stream, p, *place) for p, key, stream, place in turn]


def at_each(places, *rates):
    return [case for p in rates for case in in_turn([p] * len(places), places)]


def undecided_counts(key, stream, p, blocks):
    """How many elements the planes leave undecided, as a (block, group, lane) array, for a p with rounds."""
    lanes, t = 8 * len(blocks), ref.threshold(p)
    counts = np.zeros((8, lanes), int)
    state = ref.lane_states(key, stream, np.repeat(np.array(blocks, "u8"), 8), np.arange(lanes, dtype="u8") % 8)
    for group in range(8):
        undecided, dropped = ref.planes(state, t)
        counts[group] = np.unpackbits(undecided.view(np.uint8)).reshape(lanes, 64).sum(1)
        ref.rounds(state, t, undecided, dropped)
    return counts.reshape(8, len(blocks), 8).transpose(1, 0, 2)


def by_undecided():
    """A call that is a lane's 64 with so many undecided elements, and one that is its next 64: the state left."""
    rules = {f"a lane with {many} undecided after the planes, then its next group": [] for many in range(6)}
    for key, stream, p in [(KEYS[2], 1, 0.3), (KEYS[5], 0, 0.9)]:
        counts = undecided_counts(key, stream, p, range(2048))
        for many, cases in enumerate(rules.values()):
            block, group, lane = np.argwhere(counts[:, :7] == many)[0].tolist()  # never the last: the next follows
            start = 4096 * block + 512 * group + 64 * lane
            cases += [(key, stream, p, start, 64), (key, stream, p, start + 512, 64)]
    return rules


def sections():
    """{section: {rule: [the arguments of a case]}}."""
    return {
        "mix": {"0, powers of two, the ends and the constants": [(z,) for z in WORDS]},
        "key_from_seed": {"ints past 2^32 and 2^64, and sequences; [5] and [5, 0] are 5": [(s,) for s in SEEDS]},
        "fold_in": {rule: list(zip(cycle(KEYS), values, strict=False)) for rule, values in FOLDS.items()},
        "call_key": {"keys on either side of 2^63, at each stream": list(product(KEYS, STREAMS))},
        "threshold": {
            "T = 0: 0, -0, a denormal, and half of 2^-64 to even": [(p,) for p in NO_DRAW if p < 1],
            "8 bits and less": [(p,) for p in BY_PLANES],
            "more than 8 bits, from 1 on": [(p,) for p in BY_ROUNDS],
            "rounded, half to even": [(p,) for p in TIES],
        },
        "mask": masks(),
        "long mask": {"25 blocks, for several threads": at_each(LONG, 0.1, 5 / 8)},
        "window": {rule: at_each(places, 0.1, 0.5, 5 / 8) for rule, places in WINDOWS.items()},
        "noise window": {
            "a window's part where the noise shape has None, all where it has 1": at_each(NOISE_WINDOWS, 0.1)
        },
        "array p": {rule: in_turn(*zip(*cases, strict=True)) for rule, cases in RATE_PLACES.items()},
        "array p window": {"p is that of the part, the index that of the whole": at_each(RATE_WINDOWS, RATES)},
    }


def masks():
    return {
        "T = 0 drops nothing, p = 1 everything": in_turn(4 * NO_DRAW, NEAR + FAR),
        "1 to 8 planes and no round": in_turn(3 * BY_PLANES, NEAR + FAR),
        "8 planes and rounds, of a p near 0, near 1 and between": in_turn(4 * (BY_ROUNDS + TIES), NEAR + FAR),
        **by_undecided(),
        "calls that begin and end at, before and behind borders of lanes, groups and blocks": at_each(NEAR, 0.1, 5 / 8),
        "offsets past 2^32, 2^53 and 2^63, to the last index": at_each(FAR, 0.1, 5 / 8),
        "one call, and the same in pieces": [
            (KEYS[5], 0, 0.1, start, end - start) for start, end in [(CUTS[0], CUTS[-1]), *pairwise(CUTS)]
        ],
        "keys on either side of 2^63, at each stream": at_each(EACH * [(0, 32)], 0.5, 0.1),
    }
