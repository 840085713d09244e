"""What a right answer is, of every kind of work that is timed: a wrong one is an error, whatever it took."""

import math
from collections.abc import Callable

import numpy as np

from . import family
from .cases import NOISE_SHAPES, Case

Check = Callable[[Case, np.ndarray, object], None]
SIGMAS, CAREFUL = 6, 2**-8  # chance, and what the careful idiom rounds p to


class WrongError(Exception):
    """A contender does not return what it is timed for."""


def _require(right: bool, said: str) -> None:
    if not right:
        raise WrongError(f"a wrong result: {said}")


def _require_close(got: np.ndarray, expected: np.ndarray, rtol: float = 1e-5) -> None:
    wrong = ~np.isclose(got, expected, rtol=rtol, atol=0)
    _require(not wrong.any(), f"{np.count_nonzero(wrong)} of {wrong.size} values differ")


def _require_share(p: float, dropped: float, draws: int) -> None:
    bound = SIGMAS * math.sqrt(p * (1 - p) / max(draws, 1)) + CAREFUL
    _require(abs(dropped - p) <= bound, f"{dropped:.4f} of the elements were dropped at p={p}")


def dropped(case: Case, base: np.ndarray, y: object) -> None:
    """Each element is dropped or scaled, and about as many are dropped as p says."""
    result = np.asarray(y).reshape(base.shape)
    wide = np.complex128 if np.iscomplexobj(base) else np.float64
    kept, coarse = result != 0, result.dtype.itemsize == 2
    _require_close(result[kept].astype(wide), base[kept].astype(wide) * case.scale, rtol=0.01 if coarse else 1e-5)
    entries = NOISE_SHAPES.get(case.layout, base.shape)
    draws = math.prod(n for e, n in zip(entries, base.shape, strict=True) if e != 1)
    _require_share(case.p, 1 - kept.mean(), draws)


def bits(case: Case, base: np.ndarray, y: object) -> None:
    """About as many bits are 0 as p says."""
    _require_share(case.p, 1 - int.from_bytes(np.asarray(y).tobytes(), "little").bit_count() / case.n, case.n)


def alpha(case: Case, base: np.ndarray, y: object) -> None:
    """Kept elements are ``a * x + b``, dropped ones ``a * alpha' + b``; Klambauer et al. 2017."""
    result, saturated = np.asarray(y).reshape(base.shape), -1.7580993408473766
    a = 1 / math.sqrt((saturated**2 * case.p + 1) * (1 - case.p))
    b = -a * saturated * case.p
    kept = ~np.isclose(result, a * saturated + b)
    _require_close(result[kept], a * base[kept] + b)
    _require_share(case.p, 1 - kept.mean(), base.size)


def fused(case: Case, base: np.ndarray, y: object) -> None:
    """``dropout(x + bias) + residual``."""
    result = np.asarray(y).reshape(base.shape)
    kept = result != family.RESIDUAL
    _require_close(result[kept], (base[kept] + family.BIAS) * case.scale + family.RESIDUAL)
    _require_share(case.p, 1 - kept.mean(), base.size)


def samples(case: Case, base: np.ndarray, y: object) -> None:
    """As many samples, each with a mask of its own."""
    result = np.asarray(y)
    _require(result.shape == (family.SAMPLES, *base.shape), f"the shape is {result.shape}")
    for sample in result:
        dropped(case, base, sample)
    same = [t for t in range(1, len(result)) if np.array_equal(result[t], result[t - 1])]
    _require(not same, f"sample {same[0] if same else ''} has the mask of the one before")


def _require_shares(p: np.ndarray, dropped: np.ndarray) -> None:
    """As many are dropped as the p of each says, both where it is low and where it is high."""
    for part in (p < 0.5, p >= 0.5):
        sigma = math.sqrt((p[part] * (1 - p[part])).sum())
        off = abs((dropped[part] - p[part]).sum())
        _require(off <= SIGMAS * sigma, f"{off:.0f} too many or too few were dropped, where {sigma:.0f} is chance")


def _each(p: np.ndarray, base: np.ndarray, y: object) -> None:
    result = np.asarray(y).reshape(base.shape)
    kept = result != 0
    _require_close(result[kept], base[kept] / (1 - p[kept]))
    _require_shares(p, ~kept)


def each_element(case: Case, base: np.ndarray, y: object) -> None:
    """Dropped or scaled, each element at its own p."""
    _each(family.rates(case.n), base, y)


def each_channel(case: Case, base: np.ndarray, y: object) -> None:
    """Dropped or scaled, each channel at its own p."""
    p = family.rates(family.CHANNELS).reshape(-1, 1, 1)
    _each(np.broadcast_to(p, (case.n // (family.CHANNELS * 256), family.CHANNELS, 16, 16)).reshape(-1), base, y)


def bernoulli(case: Case, base: np.ndarray, y: object) -> None:
    """Bool variables, each true at its own p."""
    result = np.asarray(y)
    _require((result.dtype, result.shape) == (bool, (case.n,)), f"{result.dtype} of shape {result.shape}")
    _require_shares(family.rates(case.n), result)
