"""Writes vectors.json, the pinned answers of the mask stream, from reference.py alone: `python tests/make_vectors.py`.

Run it only to pin more: an answer that changes is a new version of the stream. The questions are
those of vector_cases.py.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import reference as ref
import vector_cases

PATH = Path(__file__).with_name("vectors.json")
NOTES = (
    "by make_vectors.py from reference.py, in the form of stream-check.json: 64-bit words in hex, p as a C99 hex "
    "double, bits packed as numpy.unpackbits(bitorder='little') reads them, 1 = kept, sha256 of such bits; keys are "
    "those of the Rng; 'covers' says which cases of a section, counted from 0, are there for which rule"
)


# A case as it is written


def word(value):
    return f"{value:016x}"


def key(pair):
    return [word(k) for k in pair]


def hexes(values):
    return [value.hex() for value in values.reshape(-1).tolist()]


def decimal(ints):
    return [str(v) for v in ints]


def packed(kept):
    return ref.pack(kept).tobytes()


def mask(k, stream, p, start, n):
    return key(k), str(stream), p.hex(), str(start), n, packed(ref.kept(k, stream, p, start, n)).hex()


def long_mask(k, stream, p, start, n):
    digest = hashlib.sha256(packed(ref.kept(k, stream, p, start, n))).hexdigest()
    return key(k), str(stream), p.hex(), str(start), n, digest


def window(k, stream, p, full_shape, start, shape):
    kept = ref.kept_at(k, stream, p, ref.window_indices(full_shape, start, shape))
    return key(k), str(stream), p.hex(), decimal(full_shape), decimal(start), shape, packed(kept).hex()


def noise_window(k, stream, p, full_shape, start, shape, noise_shape):
    """The bits of the window of the noise array, whose extents are 1 where noise_shape is."""
    own = [entry is None for entry in noise_shape]
    place = [
        [n if alone else other for n, alone in zip(of, own, strict=True)]
        for of, other in [(full_shape, 1), (start, 0), (shape, 1)]
    ]
    *head, bits = window(k, stream, p, *place)
    return *head[:3], decimal(full_shape), decimal(start), shape, noise_shape, bits


def array_p(k, stream, entries, start, n):
    p, indices = np.resize(np.array(entries, float), n), np.arange(n, dtype=np.uint64) + np.uint64(start)
    return key(k), str(stream), hexes(p), str(start), packed(ref.kept_each(k, stream, p, indices)).hex()


def array_p_window(k, stream, entries, full_shape, start, shape):
    p, indices = np.resize(np.array(entries, float), shape), ref.window_indices(full_shape, start, shape)
    kept = ref.kept_each(k, stream, p, indices)
    return key(k), str(stream), hexes(p), decimal(full_shape), decimal(start), shape, packed(kept).hex()


# The file

SECTIONS = {  # name: (columns, what writes a case)
    "mix": ("z, mixA and mixB", lambda z: (word(z), key((ref.mix_a(z), ref.mix_b(z))))),
    "key_from_seed": ("seed, key", lambda seed: (seed, key(ref.key_from_seed(seed)))),
    "fold_in": ("key, values, child", lambda k, values: (key(k), values, key(ref.fold_in(k, *values)))),
    "call_key": ("key, stream, c0 and c1", lambda k, stream: (key(k), str(stream), key(ref.call_key(k, stream)))),
    "threshold": ("p, T", lambda p: (p.hex(), word(ref.threshold(p)))),
    "mask": ("key, stream, p, start, n, bits", mask),
    "long mask": ("key, stream, p, start, n, sha256", long_mask),
    "window": ("key, stream, p, full_shape, start, shape, bits", window),
    "noise window": ("key, stream, p, full_shape, start, shape, noise_shape, bits", noise_window),
    "array p": ("key, stream, p of each element, start, bits", array_p),
    "array p window": ("key, stream, p of each element, full_shape, start, shape, bits", array_p_window),
}


def text():
    """The text of vectors.json: one case a line."""
    covers, sections = [], {}
    for name, rules in vector_cases.sections().items():
        columns, write = SECTIONS[name]
        rows = sections[f"{name}: {columns}"] = []
        for rule, cases in rules.items():
            covers.append((name, len(rows), len(rows) + len(cases) - 1, rule))
            rows += [write(*case) for case in cases]
    sections = {"covers: section, first, last, rule": covers} | sections
    head = f'{{\n "version": 1,\n "notes": {json.dumps(NOTES)}'
    return ",\n".join([head, *(section(*item) for item in sections.items())]) + "\n}\n"


def section(title, cases):
    return f' "{title}": [\n' + ",\n".join(f"  {json.dumps(case)}" for case in cases) + "\n ]"


if __name__ == "__main__":
    PATH.write_bytes(text().encode())
