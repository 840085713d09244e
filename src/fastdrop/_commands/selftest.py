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

from .._core.binding import backend, backends, get_num_threads, set_backend, set_num_threads, set_threads_always
from .._core.dropout import dropout, dropout_backward
from .._core.rng import Rng
from .._version import __version__

VECTORS = Path(__file__).parents[1] / "vectors.json"
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


def _drawn(
    key: list[str],
    stream: str,
    p: Any,
    shape: tuple[int, ...],
    answer: str,
    *,
    told: Callable[[bytes], str] = bytes.hex,
    **place: Any,
) -> bool:
    """Whether mask, forward and backward all say these bits: stored or made again, scaled or not."""
    x = np.resize(np.arange(1, 8, dtype=np.float32), shape)
    for store in ("bits", "recipe"):
        for inverted in (True, False):
            y, mask = dropout(x, p, rng=_rng(key, stream), store=store, inverted=inverted, **place)
            expected = np.where(mask.to_bool(), x * _scale(p, inverted), np.float32(0))
            values = np.array_equal(y, expected) and np.array_equal(dropout_backward(x, mask), expected)
            if not (values and told(mask.bits.tobytes()) == answer):
                return False
    return True


def _scale(p: Any, inverted: bool) -> Any:
    """The factor of what is kept, made in double and rounded once; at p = 1 nothing is kept."""
    q = 1 - np.asarray(p, np.float64)
    return (1 / np.where(q, q, 1) if inverted else np.ones(q.shape)).astype(np.float32)


def _mask(key: list[str], stream: str, p: str, start: str, n: int, bits: str) -> bool:
    return _drawn(key, stream, float.fromhex(p), (n,), bits, offset=int(start))


def _sha256(bits: bytes) -> str:
    return hashlib.sha256(bits).hexdigest()


def _long_mask(key: list[str], stream: str, p: str, start: str, n: int, sha256: str) -> bool:
    threads = get_num_threads()
    set_threads_always(True)
    try:
        for number in THREADS:
            set_num_threads(number)
            if not _drawn(key, stream, float.fromhex(p), (n,), sha256, told=_sha256, offset=int(start)):
                return False
    finally:
        set_num_threads(threads)
        set_threads_always(False)
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


def _run(on: str, checks: dict[str, Callable[..., bool]], sections: dict[str, list[Case]]) -> tuple[int, int]:
    """Print one line per section; return how many answers were asked for, and how many were wrong."""
    asked = failed = 0
    for name, right in checks.items():
        cases, begin = sections[name], time.perf_counter()
        wrong = [i for i, case in enumerate(cases) if not right(*case)]
        seconds = time.perf_counter() - begin
        said = f"FAILED: {len(wrong)} wrong, the first is case {wrong[0]}" if wrong else "ok"
        print(f"{on:10}{name:16}{len(cases):4}  {said:4}{seconds:8.2f} s", flush=True)
        asked, failed = asked + len(cases), failed + len(wrong)
    return asked, failed


def selftest() -> bool:
    """Print how many known answers each backend gives, and the sum; return whether it gave all."""
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    sections = {title.split(":")[0]: cases for title, cases in vectors.items() if isinstance(cases, list)}
    # An array p's own child has no public name: the masks of an array p show it.
    sections["fold_in"] = [case for case in sections["fold_in"] if case[1][0] != ARRAY_P]
    print(f"fastdrop {__version__}, mask stream version {vectors['version']}")
    counts, before = [_run("any", KEYS, sections)], backend()
    try:
        for name in backends():
            set_backend(name)
            counts.append(_run(name, MASKS, sections))
    finally:
        set_backend(before)
    asked, failed = map(sum, zip(*counts, strict=True))
    print(f"{failed:,} of {asked:,} answers are wrong" if failed else f"{asked:,} answers hold")
    return not failed
