"""Checks vectors.json from the specification (csrc/README.md) alone: `python tests/verify_vectors.py [FILE ...]`.

Plain Python ints, no NumPy, nothing of the library, element by element: digits of U are compared with those of T.
"""

import json
import sys
from fractions import Fraction
from functools import cache
from hashlib import sha256
from itertools import islice, product
from math import prod
from pathlib import Path

G, H, M = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95, 2**64


def mixer(a, m, b, n, c):
    def mix(z):
        z = (z ^ z >> a) * m % M
        z = (z ^ z >> b) * n % M
        return z ^ z >> c

    return mix


mix_a = mixer(30, 0xBF58476D1CE4E5B9, 27, 0x94D049BB133111EB, 31)
mix_b = mixer(33, 0xFF51AFD7ED558CCD, 33, 0xC4CEB9FE1A85EC53, 33)


def fold_in(k0, k1, v, *more):
    child = mix_b(k0 ^ mix_a((v + H) % M)), mix_a((k1 + mix_b((v + G) % M)) % M)
    return fold_in(*child, *more) if more else child


@cache
def call_key(k0, k1, stream):
    c0 = mix_a((k0 + G * (stream + 1)) % M)
    return c0, mix_b(((k1 ^ c0) + H * (stream + 1)) % M)


@cache
def threshold(p):
    return round(Fraction(p) * M)  # half to even


def outputs(c0, c1, block, lane):
    c = 16 * block + 2 * lane
    s0, s1 = (mix_a((c0 + G * (c + i)) % M) for i in (1, 2))
    s2, s3 = (mix_b((c1 + H * (c + i)) % M) for i in (1, 2))
    while True:
        z = (s0 + s3) % M
        yield ((z << 23 | z >> 41) + s0) % M
        t = s1 << 17
        s2, s3 = s2 ^ s0, s3 ^ s1
        s1, s0, s2 = s1 ^ s2, s0 ^ s3, (s2 ^ t) % M
        s3 = (s3 << 45 | s3 >> 19) % M


def groups(draw, t):
    """The lane's 64 of each group: whether each is dropped."""
    top = f"{t:064b}"[:8] if t % 2**56 else f"{t:064b}"[:8].rstrip("0")
    while True:
        planes = [f"{next(draw):064b}"[::-1] for _ in top]
        heads = ["".join(digits) for digits in zip(*planes, strict=True)]  # of the U of each element
        dropped = {e: head < top for e, head in enumerate(heads)}
        if t % 2**56:
            for e in [e for e in dropped if heads[e] == top] or [None]:  # a round for each, and at least one
                dropped[e] = next(draw) < t * 2**8 % M
        yield dropped


@cache
def lane_of_block(c0, c1, t, block, lane):
    return list(islice(groups(outputs(c0, c1, block, lane), t), 8))


def kept(key, stream, p, i):
    """Of one p: a lane makes 64 elements of each group of 512."""
    if p == 1 or threshold(p) == 0:
        return p < 1
    lane = lane_of_block(*call_key(*key, stream), threshold(p), i // 4096, i % 512 // 64)
    return not lane[i % 4096 // 512][i % 64]


def kept_of_its_own(key, stream, p, i):
    """Of an array p: one U an element."""
    lane = outputs(*call_key(*fold_in(*key, M - 2), stream), i // 4096, i % 8)
    return p < 1 and next(islice(lane, i % 4096 // 8, None)) >= threshold(p)


# The file: whether a case of a section is right, from its columns


def ints(words):
    return [int(word, 16) for word in words]


def words(values):
    return [f"{value:016x}" for value in values]


def seeded(seed):
    from numpy.random import SeedSequence  # by definition

    return map(int, SeedSequence(seed).generate_state(2, "u8"))


def bits(key, stream, p, where):
    key, stream = ints(key), int(stream)
    if isinstance(p, list):
        mask = [kept_of_its_own(key, stream, float.fromhex(q), i) for q, i in zip(p, where, strict=True)]
    else:
        mask = [kept(key, stream, float.fromhex(p), i) for i in where]
    return sum(bit << i for i, bit in enumerate(mask)).to_bytes(-(-len(mask) // 8), "little")


def run(start, n):
    return range(int(start), int(start) + n)


def window(full_shape, start, shape):
    steps = [prod(map(int, full_shape[d + 1 :])) for d in range(len(shape))]
    for place in product(*map(range, shape)):
        yield sum((int(s) + i) * step for s, i, step in zip(start, place, steps, strict=True))


def noise_window(full_shape, start, shape, noise_shape):
    parts = zip(full_shape, start, shape, noise_shape, strict=True)
    return window(*zip(*[(full, s, n) if entry is None else (1, 0, 1) for full, s, n, entry in parts], strict=True))


ANSWERS = {  # the last column, from those before it
    "mix": lambda z: words([mix_a(int(z, 16)), mix_b(int(z, 16))]),
    "key_from_seed": lambda seed: words(seeded(seed)),
    "fold_in": lambda key, values: words(fold_in(*ints(key), *values)),
    "call_key": lambda key, stream: words(call_key(*ints(key), int(stream))),
    "threshold": lambda p: words([threshold(float.fromhex(p))])[0],
    "mask": lambda key, stream, p, start, n: bits(key, stream, p, run(start, n)).hex(),
    "long mask": lambda key, stream, p, start, n: sha256(bits(key, stream, p, run(start, n))).hexdigest(),
    "window": lambda key, stream, p, *place: bits(key, stream, p, window(*place)).hex(),
    "noise window": lambda key, stream, p, *place: bits(key, stream, p, noise_window(*place)).hex(),
    "array p": lambda key, stream, p, start: bits(key, stream, p, run(start, len(p))).hex(),
    "array p window": lambda key, stream, p, *place: bits(key, stream, p, window(*place)).hex(),
}


def verdict(name, cases):
    if name not in ANSWERS:
        return "NOT RUN: it is no part of the mask"
    try:
        wrong = [i for i, (*question, answer) in enumerate(cases) if ANSWERS[name](*question) != answer]
    except ImportError:
        return "NOT RUN: NumPy's SeedSequence is not here"
    return f"WRONG: cases {', '.join(map(str, wrong))}" if wrong else "ok"


def main(paths):
    verdicts = []
    for path in paths:
        for title, cases in json.loads(Path(path).read_text(encoding="utf-8")).items():
            name = title.split(":")[0]
            if isinstance(cases, list) and name != "covers":
                verdicts.append(verdict(name, cases))
                print(f"{name:20}  {len(cases):3}  {verdicts[-1]}", flush=True)
    return any(verdict.startswith("WRONG") for verdict in verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [Path(__file__).with_name("vectors.json")]))
