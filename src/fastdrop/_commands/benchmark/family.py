"""The rest of the family, beside the roof of as many reads and writes, and beside NumPy."""

import numpy as np

import fastdrop as fd

from .cases import Case, Run
from .contenders import on_backend
from .roof import fill, scale_and_add

COLUMNS, SAMPLES, CHANNELS = 1024, 32, 64
BIAS, RESIDUAL = 0.5, 0.25


def alpha(case: Case) -> Run:
    """Alpha dropout in place."""
    rng = fd.Rng(0)
    return on_backend("", case, lambda x: fd.alpha_dropout(x, case.p, rng=rng, out=x)[0])


def _bias_and_residual(case: Case) -> tuple[np.ndarray, np.ndarray]:
    return np.full(COLUMNS, BIAS, np.float32), np.full((case.n // COLUMNS, COLUMNS), RESIDUAL, np.float32)


def roof_add(case: Case) -> Run:
    """Two arrays read, one written."""
    _, residual = _bias_and_residual(case)
    return Run(scale_and_add(case.threads, case.scale, residual))


def fused(case: Case) -> Run:
    """dropout(x + bias) + residual in one pass, in place."""
    rng, (bias, residual) = fd.Rng(0), _bias_and_residual(case)

    def call(x: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, COLUMNS)
        return fd.bias_dropout_residual(rows, bias, residual, case.p, rng=rng, out=rows)[0]

    return on_backend("", case, call)


def fused_backward(case: Case) -> Run:
    """Its gradients, in place."""
    bias, residual = _bias_and_residual(case)
    mask = fd.bias_dropout_residual(residual, bias, None, case.p, rng=0)[1]

    def call(x: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, COLUMNS)
        return fd.bias_dropout_residual_backward(rows, mask, out=rows)[0]

    return on_backend("", case, call)


def numpy_steps(case: Case) -> Run:
    """The same in NumPy, every step in place but the uniforms."""
    generator, (bias, residual) = np.random.default_rng(0), _bias_and_residual(case)
    s = np.float32(case.scale)

    def call(x: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, COLUMNS)
        rows += bias
        rows *= generator.random(rows.shape, dtype=np.float32) >= case.p
        rows *= s
        rows += residual
        return rows

    return Run(call)


def roof_fill(case: Case) -> Run:
    """The samples written once, around the cache."""
    return Run(fill(case.threads, np.empty((SAMPLES, case.n), np.float32)))


def mc_dropout(case: Case) -> Run:
    """Samples of one array, into an array that is there."""
    rng, out, step = fd.Rng(0), np.empty((SAMPLES, case.n), np.float32), 0

    def call(x: np.ndarray) -> np.ndarray:
        nonlocal step
        step += 1
        return fd.mc_dropout(x, case.p, SAMPLES, rng=rng.fold_in(step), out=out)

    return on_backend("", case, call)


def rates(n: int) -> np.ndarray:
    """Return the p of each of n elements or channels."""
    return np.random.default_rng(0).random(n)


def each_element(case: Case) -> Run:
    """A p for each element, in place."""
    layer = fd.Dropout(rates(case.n), rng=0, inplace=True)
    return on_backend("", case, layer.forward)


def each_channel(case: Case) -> Run:
    """A p for each channel, in place."""
    layer = fd.Dropout(rates(CHANNELS).reshape(-1, 1, 1), rng=0, inplace=True)
    return on_backend("", case, lambda x: layer.forward(x.reshape(-1, CHANNELS, 16, 16)))


def bernoulli_each(case: Case) -> Run:
    """Bernoulli variables, each of its own p."""
    rng, p = fd.Rng(0), rates(case.n)
    return on_backend("", case, lambda x: fd.bernoulli(case.n, p, rng=rng))


def bernoulli_numpy(case: Case) -> Run:
    """The same in NumPy."""
    generator, p = np.random.default_rng(1), rates(case.n)
    return Run(lambda x: generator.random(case.n) < p)
