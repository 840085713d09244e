"""``python -m fastdrop selftest``: the known answers of the mask stream, from every backend of this machine.

The build copies vectors.json from tests, where verify_vectors.py checks it from the specification alone.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ._core import dropout, dropout_backward
from ._engine import backend, backends, get_num_threads, set_backend, set_num_threads
from ._rng import Rng
from ._version import __version__

VECTORS = Path(__file__).with_name("vectors.json")
SPAWN, ARRAY_P = 2**64 - 1, 2**64 - 2  # values of fold_in that are the library's own
THREADS = (1, 2, 7)

Case = list[Any]


def _words(key: list[str]) -> tuple[int, int]:
    return int(key[0], 16), int(key[1], 16)


def _rng(key: list[str], stream: str) -> Rng:
    return Rng.from_key(*_words(key), int(stream))


def _ints(texts: list[str]) -> tuple[int, ...]:
    return tuple(map(int, texts))


def _rates(hexes: list[str]) -> list[float]:
    return [float.fromhex(p) for p in hexes]


# Whether the library gives a case's answer, which is its last column


def _key_from_seed(seed: Any, key: list[str]) -> bool:
    return Rng(seed).key == _words(key)


def _fold_in(key: list[str], values: list[int], child: list[str]) -> bool:
    parent = Rng.from_key(*_words(key))
    if values[0] == SPAWN:
        return parent.spawn(values[1] + 1)[-1].key == _words(child)
    return parent.fold_in(*values).key == _words(child)


def _drawn(key: list[str], stream: str, p: Any, shape: tuple[int, ...], bits: str, **place: Any) -> bool:
    """Whether forward, backward and the mask all say these bits, stored or made again."""
    x = np.ones(shape, np.float32)
    for store in ("bits", "recipe"):
        y, mask = dropout(x, p, rng=_rng(key, stream), store=store, inverted=False, **place)
        kept = mask.to_bool()
        right = mask.bits.tobytes().hex() == bits and np.array_equal(y, kept)
        if not (right and np.array_equal(dropout_backward(x, mask), kept)):
            return False
    return True


def _mask(key: list[str], stream: str, p: str, start: str, n: int, bits: str) -> bool:
    return _drawn(key, stream, float.fromhex(p), (n,), bits, offset=int(start))


def _long_mask(key: list[str], stream: str, p: str, start: str, n: int, sha256: str) -> bool:
    threads = get_num_threads()
    try:
        for number in THREADS:
            set_num_threads(number)
            y, mask = dropout(np.ones(n), float.fromhex(p), rng=_rng(key, stream), inverted=False, offset=int(start))
            if hashlib.sha256(mask.bits.tobytes()).hexdigest() != sha256 or not np.array_equal(y, mask.to_bool()):
                return False
    finally:
        set_num_threads(threads)
    return True


def _window(
    key: list[str], stream: str, p: str, full_shape: list[str], start: list[str], shape: Case, *rest: Any
) -> bool:
    *noise_shape, bits = rest
    place = {"noise_shape": noise_shape[0]} if noise_shape else {}
    window = _ints(full_shape), _ints(start)
    return _drawn(key, stream, float.fromhex(p), tuple(shape), bits, window=window, **place)


def _array_p(key: list[str], stream: str, p: list[str], start: str, bits: str) -> bool:
    return _drawn(key, stream, _rates(p), (len(p),), bits, offset=int(start))


def _array_p_window(
    key: list[str], stream: str, p: list[str], full_shape: list[str], start: list[str], shape: Case, bits: str
) -> bool:
    window = _ints(full_shape), _ints(start)
    return _drawn(key, stream, np.reshape(_rates(p), shape), tuple(shape), bits, window=window)


KEYS: dict[str, Callable[..., bool]] = {"key_from_seed": _key_from_seed, "fold_in": _fold_in}
MASKS: dict[str, Callable[..., bool]] = {
    "mask": _mask,
    "long mask": _long_mask,
    "window": _window,
    "noise window": _window,
    "array p": _array_p,
    "array p window": _array_p_window,
}


def _run(on: str, checks: dict[str, Callable[..., bool]], sections: dict[str, list[Case]]) -> bool:
    """Print a line a section; return whether every answer was right."""
    good = True
    for name, right in checks.items():
        cases, begin = sections[name], time.perf_counter()
        wrong = [i for i, case in enumerate(cases) if not right(*case)]
        seconds = time.perf_counter() - begin
        said = f"FAILED: {len(wrong)} wrong, the first is case {wrong[0]}" if wrong else "ok"
        print(f"{on:10}{name:16}{len(cases):4}  {said:4}{seconds:8.2f} s", flush=True)
        good = good and not wrong
    return good


def selftest() -> bool:
    """Print how many known answers each backend gives, a line a section; return whether it gave all."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    sections = {title.split(":")[0]: cases for title, cases in vectors.items() if isinstance(cases, list)}
    # An array p's own child has no public name: the masks of an array p show it.
    sections["fold_in"] = [case for case in sections["fold_in"] if case[1][0] != ARRAY_P]
    print(f"fastdrop {__version__}, mask stream version {vectors['version']}")
    good, before = _run("any", KEYS, sections), backend()
    try:
        for name in backends():
            set_backend(name)
            good = _run(name, MASKS, sections) and good
    finally:
        set_backend(before)
    return good
