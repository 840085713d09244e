"""What is timed: a case and its data, the contender's one call on them, and the check of what it returns."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Elements that the small calls of one repetition share, each its own array: enough for the clock, few for the cache.
BATCH = 1 << 12

# Elements of the contents, which repeat: of every size asked for it is a divisor, or as large.
TILE = 1 << 10


class Missing(Exception):
    """A contender that this machine cannot show, and why."""


@dataclass(frozen=True)
class Run:
    """A contender made for a case: what is timed, and what is set before each repetition, outside the clock."""

    call: Callable[[np.ndarray], object]
    prepare: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Case:
    """One row of the table: a question, and the work it is asked of."""

    question: str
    n: int
    p: float = 0.5
    threads: int = 1
    dtype: str = "float32"
    layout: str = ""

    @property
    def name(self) -> str:
        """The row's label."""
        parts = [size_name(self.n), f"p={self.p:g}", f"{self.threads} thread{'s' if self.threads > 1 else ''}"]
        return ", ".join([*parts, *([self.dtype] if self.dtype != "float32" else []), *filter(None, [self.layout])])

    @property
    def scale(self) -> float:
        """What kept elements are multiplied by."""
        return 1 / (1 - self.p)


def size_name(n: int) -> str:
    """Return 64 Ki for 65536."""
    for shift, unit in ((20, " Mi"), (10, " Ki")):
        if n >= 1 << shift and n % (1 << shift) == 0:
            return f"{n >> shift}{unit}"
    return str(n)


def numpy_dtype(name: str) -> np.dtype:
    """Return the dtype of that name; bfloat16 is ml_dtypes'."""
    if name == "bfloat16":
        try:
            import ml_dtypes
        except ImportError:
            raise Missing("ml_dtypes is not installed") from None
        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def arrange(flat: np.ndarray, layout: str) -> np.ndarray:
    """Return an array of a named layout over (most of) the flat data."""
    rows = 1 << (int(math.log2(max(flat.size, 1))) // 2)
    if layout == "Fortran":
        return flat[: rows * (flat.size // rows)].reshape(-1, rows).T
    if layout == "x[:, ::2]":  # twice the data were asked for
        return flat[: rows * (flat.size // rows)].reshape(rows, -1)[:, ::2]
    if layout in ("row", "unit"):
        return flat.reshape(rows, -1)
    if layout == "channel":
        return flat.reshape(-1, 64, 32, 32)
    return flat


NOISE_SHAPES = {"row": (None, 1), "unit": (1, None), "channel": (None, None, 1, 1)}


class Data:
    """The arrays of a case: fresh contents for each repetition, written outside the clock."""

    def __init__(self, case: Case) -> None:
        self.count = max(1, min(64, BATCH // max(case.n, 1)))
        spread = 2 if case.layout == "x[:, ::2]" else 1
        dtype = numpy_dtype(case.dtype)
        n = case.n * spread
        # What is copied from is small, or it would push the arrays out of the cache.
        self.tile = (np.random.default_rng(0).random(min(n, TILE), dtype=np.float32) + 0.5).astype(dtype)
        self.flat = [np.resize(self.tile, n) for _ in range(self.count)]
        self.arrays = [arrange(flat, case.layout) for flat in self.flat]
        self.base = arrange(np.resize(self.tile, n), case.layout)

    def refill(self) -> None:
        """Undo what the last repetition did to the arrays: they never drift to 0, Inf or denormals."""
        for flat in self.flat:
            np.copyto(flat.reshape(-1, self.tile.size), self.tile)
