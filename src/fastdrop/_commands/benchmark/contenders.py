"""fastdrop, the roof, and what NumPy users write: each made for a case, then called on one array at a time."""

from collections.abc import Callable

import numpy as np

import fastdrop as fd

from .cases import NOISE_SHAPES, Case, Run, numpy_dtype
from .roof import scale_in_place

Make = Callable[[Case], Run]


def roof(case: Case) -> Run:
    """In-place scale of as many bytes as the case's elements have, as float32."""
    call = scale_in_place(case.threads, case.scale)
    if case.dtype == "float32" and not case.layout:
        return Run(call)
    own = np.empty(max(1, case.n * numpy_dtype(case.dtype).itemsize // 4), np.float32)
    return Run(lambda x: call(own), lambda: own.fill(1))


def multiply(case: Case) -> Run:
    """np.multiply(x, s, out=x), s of the array's own kind."""
    s = numpy_dtype(case.dtype).type(case.scale)
    return Run(lambda x: np.multiply(x, s, out=x))


def copy(case: Case) -> Run:
    """np.copyto into an array that is there."""
    target = np.empty(case.n, numpy_dtype(case.dtype))

    def call(x: np.ndarray) -> np.ndarray:
        np.copyto(target, x)
        return target

    return Run(call)


def on_backend(backend: str, case: Case, call: Callable[[np.ndarray], object]) -> Run:
    """A run of fastdrop on a backend, the best one by default."""
    name = backend or fd.backends()[0]

    def prepare() -> None:
        fd._core.binding.set_backend(name)
        fd.set_num_threads(case.threads)

    return Run(call, prepare)


def forward(backend: str = "", store: str = "bits") -> Make:
    """Forward in place; a fresh stream at each call."""

    def make(case: Case) -> Run:
        rng, noise_shape = fd.Rng(0), NOISE_SHAPES.get(case.layout)
        return on_backend(
            backend,
            case,
            lambda x: fd.dropout(x, case.p, rng=rng, out=x, noise_shape=noise_shape, store=store)[0],
        )

    return make


def forward_out(case: Case) -> Run:
    """Forward out of place, into an array that is there."""
    rng, out = fd.Rng(0), np.empty(case.n, numpy_dtype(case.dtype))
    return on_backend("", case, lambda x: fd.dropout(x, case.p, rng=rng, out=out)[0])


def window(case: Case) -> Run:
    """Forward in place, the array being 64 columns, from the 35,000th, of one that is 64 Ki wide."""
    rng = fd.Rng(0)
    where = ((case.n // 64, 1 << 16), (0, 35_000))

    def call(x: np.ndarray) -> np.ndarray:
        tile = x.reshape(-1, 64)
        return fd.dropout(tile, case.p, rng=rng, out=tile, window=where)[0]

    return on_backend("", case, call)


def backward(backend: str = "", store: str = "bits") -> Make:
    """Backward in place; masks take turns."""

    def make(case: Case) -> Run:
        rng, masks, turn = fd.Rng(0), [], 0

        def call(dy: np.ndarray) -> np.ndarray:
            nonlocal turn
            if not masks:  # the call that is checked, before any is timed
                zeros = np.broadcast_to(np.float32(0), dy.shape)
                masks.extend(fd.dropout(zeros, case.p, rng=rng, store=store)[1] for _ in range(4))
            turn = (turn + 1) % len(masks)
            return fd.dropout_backward(dy, masks[turn], out=dy)

        return on_backend(backend, case, call)

    return make


def backward_numpy(case: Case) -> Run:
    """The idiom's backward: a product with the scaled float mask that forward kept."""
    rng = np.random.default_rng(0)
    mask = (rng.random(case.n, dtype=np.float32) >= case.p) * np.float32(case.scale)
    return Run(lambda dy: np.multiply(dy, mask, out=dy))


def layer(case: Case) -> Run:
    """A layer's forward and backward."""
    dropout = fd.Dropout(case.p, rng=0)

    def call(x: np.ndarray) -> np.ndarray:
        dropout.forward(x)
        return dropout.backward(x)

    return on_backend("", case, call)


def multiply_twice(case: Case) -> Run:
    """Two np.multiply calls, each into an array that is there."""
    s, y = np.float32(case.scale), np.empty(case.n, np.float32)

    def call(x: np.ndarray) -> np.ndarray:
        np.multiply(x, s, out=y)
        return np.multiply(x, s, out=y)

    return Run(call)


def mask_only(backend: str = "") -> Make:
    """The packed bits alone, as recipes make them; masks take turns."""

    def make(case: Case) -> Run:
        rng, turn, zeros = fd.Rng(0), 0, np.broadcast_to(np.float32(0), (case.n,))
        masks = [fd.dropout(zeros, case.p, rng=rng, store="recipe")[1] for _ in range(8)]

        def call(x: np.ndarray) -> np.ndarray:
            nonlocal turn
            turn = (turn + 1) % len(masks)
            return masks[turn].bits

        return on_backend(backend, case, call)

    return make


def mask_numpy(case: Case) -> Run:
    """The idiom's mask, packed."""
    rng = np.random.default_rng(0)
    return Run(lambda x: np.packbits(rng.random(case.n, dtype=np.float32) >= case.p, bitorder="little"))


def numpy_naive(case: Case) -> Run:
    """What tutorials show: uniforms in float64."""
    rng = np.random.default_rng(0)
    return Run(lambda x: x * (rng.random(x.shape) >= case.p) / (1 - case.p))


def numpy_float32(case: Case) -> Run:
    """The idiom: uniforms in float32, a float32 scale."""
    rng, s = np.random.default_rng(0), np.float32(case.scale)
    return Run(lambda x: x * (rng.random(x.shape, dtype=np.float32) >= case.p) * s)


def numpy_careful(case: Case) -> Run:
    """SFC64 bytes against a uint8 threshold, every buffer reused: p to 1/256 only."""
    rng, s, threshold = np.random.SFC64(0), np.float32(case.scale), np.uint8(round(case.p * 256))
    words, keep = (case.n + 7) // 8, np.empty(case.n, np.bool_)

    def call(x: np.ndarray) -> np.ndarray:
        uniforms = rng.random_raw(words).view(np.uint8)[: case.n]
        np.greater_equal(uniforms, threshold, out=keep)
        np.multiply(x, s, out=x)
        return np.multiply(x, keep, out=x)

    return Run(call)


NUMPY = {"NumPy naive": numpy_naive, "NumPy float32": numpy_float32, "NumPy careful": numpy_careful}
