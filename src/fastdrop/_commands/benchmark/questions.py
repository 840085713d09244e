"""The questions: which cases, which contenders, and how their answers are checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import fastdrop as fd

from . import checks, family, peers
from . import contenders as c
from .cases import NOISE_SHAPES, Case

KI, MI = 1 << 10, 1 << 20
MULTIPLIED = "multiply", "copyto", "multiply twice", "multiply by mask"
DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


@dataclass(frozen=True)
class Question:
    """A group of the table."""

    name: str
    asks: str
    cases: tuple[Case, ...]
    contenders: dict[str, c.Make]
    check: checks.Check = checks.dropped
    baseline: str = "roof"  # every figure is also given as a ratio to this contender's
    special: Mapping[str, checks.Check] = field(default_factory=dict)  # of contenders that return something else
    unchecked: tuple[str, ...] = ("roof", "roof, two arrays", "roof, written", *MULTIPLIED)

    def check_of(self, contender: str) -> checks.Check | None:
        """Return the check of what a contender returns; None for those that only move memory."""
        return None if contender in self.unchecked else self.special.get(contender, self.check)


def threads() -> tuple[int, ...]:
    """One thread, and all."""
    return (1,) if fd.get_num_threads() == 1 else (1, fd.get_num_threads())


def cases(name: str, sizes: tuple[int, ...], ps: tuple[float, ...] = (0.5,), **fixed: str) -> tuple[Case, ...]:
    """Every size, number of threads and p; small work in one thread only."""
    return tuple(Case(name, n, p, t, **fixed) for n in sizes for t in threads() for p in ps if t == 1 or n >= 64 * KI)


def questions(quick: bool) -> list[Question]:
    """All of them; the quick ones leave out the largest sizes and what has to compile."""
    large = 4 * MI if quick else 64 * MI
    sizes = (64, 64 * KI, 4 * MI) if quick else (64, KI, 64 * KI, 4 * MI, 16 * MI, 64 * MI)
    every = threads()[-1:]
    backends = {f"fastdrop {name}": c.forward(name) for name in fd.backends()}
    best = {"roof": c.roof, "multiply": c.multiply}
    others = {**c.NUMPY, **({} if quick else {**peers.QUICK, **peers.COMPILED})}
    return [
        Question(
            "forward",
            "the forward pass in place, bits stored",
            cases("forward", sizes, (0.1, 0.5)),
            {**best, **backends, "fastdrop recipe": c.forward(store="recipe"), **others},
        ),
        Question(
            "backward",
            "the backward pass in place",
            cases("backward", sizes),
            {
                **best,
                "fastdrop bits": c.backward(),
                "fastdrop recipe": c.backward(store="recipe"),
                "multiply by mask": c.backward_numpy,
            },
        ),
        Question(
            "out of place",
            "the forward pass into another array",
            tuple(Case("out of place", n, threads=t) for n in (64 * KI, large) for t in threads()),
            {"roof": c.roof, "copyto": c.copy, "fastdrop": c.forward_out},
            baseline="copyto",
        ),
        Question(
            "dtypes",
            "forward in place by dtype, beside the roof of as many bytes",
            tuple(Case("dtypes", large, dtype=d, threads=t) for d in DTYPES for t in every),
            {"roof": c.roof, "fastdrop": c.forward(), "fastdrop backward": c.backward()},
        ),
        Question(
            "mask only",
            "the packed bits alone",
            tuple(
                Case("mask only", n, p)
                for n in ((64 * KI,) if quick else (64 * KI, 4 * MI))
                for p in (0.001, 0.1, 0.5, 0.9)
            ),
            {
                **{f"fastdrop {name}": c.mask_only(name) for name in fd.backends()},
                "NumPy, packbits": c.mask_numpy,
                **({} if quick else {"bitarray": peers.bitarray_random}),
            },
            check=checks.bits,
            baseline=f"fastdrop {fd.backends()[0]}",
        ),
        Question(
            "noise shapes",
            "elements dropped together",
            tuple(Case("noise shapes", large, layout=name, threads=t) for name in NOISE_SHAPES for t in threads()),
            {"roof": c.roof, "fastdrop": c.forward()},
        ),
        Question(
            "layouts",
            "arrays that are not C-contiguous",
            tuple(
                Case("layouts", MI if quick else 16 * MI, layout=name, threads=1) for name in ("Fortran", "x[:, ::2]")
            ),
            {"multiply": c.multiply, "fastdrop": c.forward(), "fastdrop backward": c.backward()},
            baseline="multiply",
        ),
        Question(
            "window",
            "64 columns of an array 64 Ki wide, beside as many elements in a row",
            (Case("window", 256 * KI),),
            {"roof": c.roof, "fastdrop window": c.window, "fastdrop in a row": c.forward()},
            baseline="fastdrop in a row",
        ),
        Question(
            "small calls",
            "the whole Python call",
            tuple(Case("small calls", n) for n in (1, 64, KI)),
            {
                "multiply": c.multiply,
                "fastdrop": c.forward(),
                "fastdrop recipe": c.forward(store="recipe"),
                "fastdrop backward": c.backward(),
                **c.NUMPY,
                **({} if quick else peers.QUICK),
            },
            baseline="multiply",
        ),
        Question(
            "layer",
            "a layer's forward and backward",
            (Case("layer", 64), Case("layer", 64 * KI)),
            {"multiply twice": c.multiply_twice, "fastdrop": c.layer},
            baseline="multiply twice",
        ),
        Question(
            "alpha",
            "alpha dropout in place",
            tuple(Case("alpha", large, threads=t) for t in threads()),
            {"roof": c.roof, "fastdrop": family.alpha},
            check=checks.alpha,
        ),
        Question(
            "fused",
            "dropout(x + bias) + residual in place, beside two arrays read and one written",
            tuple(Case("fused", large, threads=t) for t in threads()),
            {
                "roof, two arrays": family.roof_add,
                "fastdrop": family.fused,
                "fastdrop backward": family.fused_backward,
                "NumPy steps": family.numpy_steps,
            },
            check=checks.fused,
            baseline="roof, two arrays",
            special={"fastdrop backward": checks.dropped},
        ),
        Question(
            "Monte Carlo",
            f"{family.SAMPLES} samples of one array, beside writing them once; ns of one element of x",
            tuple(Case("Monte Carlo", MI // 16 if quick else MI, threads=t) for t in threads()),
            {"roof, written": family.roof_fill, "fastdrop": family.mc_dropout},
            check=checks.samples,
            baseline="roof, written",
        ),
        Question(
            "array p",
            "an array p in place, and its Bernoulli variables",
            tuple(Case("array p", 64 * KI if quick else MI, threads=t) for t in threads()),
            {
                "fastdrop each element": family.each_element,
                "fastdrop each channel": family.each_channel,
                "fastdrop bernoulli": family.bernoulli_each,
                "NumPy, random() < p": family.bernoulli_numpy,
            },
            check=checks.bernoulli,
            special={
                "fastdrop each element": checks.each_element,
                "fastdrop each channel": checks.each_channel,
            },
            baseline="NumPy, random() < p",
        ),
    ]
