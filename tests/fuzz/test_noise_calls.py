"""Gaussian noise with any arguments: NumPy's deviates at the reference's indices, or an error that changes nothing."""

import math
from operator import itemgetter
from types import SimpleNamespace as Verdict

import numpy as np
import pytest
import reference
from conftest import assert_same, real_dtype

pytest.importorskip("hypothesis")
from fuzz import arguments, rules
from fuzz.test_public_functions import draw_x, itself
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd


def noise_at(key, stream, where, mean, deviation, dtype):
    """mean + deviation * z of the logical indices, each step in the compute type, then in the real dtype."""
    compute = reference.compute_type(real_dtype(dtype))
    blocks, which = np.unique(where.reshape(-1) // 16384, return_inverse=True)
    z = [reference.gaussian_z(key, stream, 16384 * int(block), 16384, compute) for block in blocks]
    z = np.array(z, compute).reshape(-1, 16384)[which, where.reshape(-1) % 16384].reshape(where.shape)
    with np.errstate(all="ignore"):
        return (compute(mean) + compute(deviation) * z).astype(real_dtype(dtype))


def on_parts(operate, x, noise):
    """The result in x's native dtype, of each part of a complex x where a product; the noise may be of another x's."""
    y = x.astype(x.dtype.newbyteorder("="))
    noise = noise.astype(reference.compute_type(real_dtype(y.dtype)))
    with np.errstate(all="ignore"):
        for part in ("real", "imag") if x.dtype.kind == "c" and operate is np.multiply else ("real",):
            getattr(y, part)[...] = operate(getattr(y, part), noise)
    return y


def below_one(p):
    rate = rules.rate(p)
    rules.require(type(rate) is float and rate < 1)
    return rate


@given(data=st.data())
def test_gaussian_dropout(calls, data):
    x, buffer, other = draw_x(data)
    shape = np.shape(x) if isinstance(x, np.ndarray) else ()
    p, (rng, spent) = data.draw(arguments.ps(())), data.draw(arguments.rngs())
    (offset, window), out = data.draw(arguments.places(shape)), data.draw(arguments.outs(x, buffer, other))

    def judge():
        array, rate = rules.array(x), below_one(p)
        must_take = rules.target(out, array)
        key, stream, row = rules.source(rng, spent)
        where = rules.indices(array.shape, None, offset, window, row)
        noise = want = None
        if key is not None:
            noise = noise_at(key, stream, where, 1, math.sqrt(rate / (1 - rate)), array.dtype.newbyteorder("="))
            want = on_parts(np.multiply, array, noise)
        return Verdict(must_take=must_take, out=out, want=want, noise=noise)

    verdict, result = rules.run(
        calls,
        judge,
        lambda: fd.gaussian_dropout(x, p, rng=rng, out=out, offset=offset, window=window),
        rng,
        [buffer, other],
        itemgetter(0),
    )
    if result is not None and verdict.noise is not None:
        assert_same(result[1], verdict.noise)


@given(data=st.data())
@pytest.mark.parametrize("kind", [fd.GaussianDropout, fd.GaussianNoise], ids=lambda kind: kind.__name__)
def test_layers(calls, kind, data):
    rate = data.draw(st.sampled_from([0, 0.1, 0.5, 2**-40]))
    mean, operate, s = (
        (1, np.multiply, math.sqrt(rate / (1 - rate))) if kind is fd.GaussianDropout else (0, np.add, rate)
    )
    layer = kind(rate, rng=fd.Rng.from_key(3, 4, counter=7))
    x, buffer, other = draw_x(data)

    def judge():
        array = rules.array(x)
        noise = noise_at((3, 4), 7, rules.indices(array.shape), mean, s, array.dtype.newbyteorder("="))
        return Verdict(must_take=True, out=None, want=on_parts(operate, array, noise), noise=noise)

    verdict, y = rules.run(calls, judge, lambda: layer.forward(x), layer.rng, [buffer, other], itself)
    if y is None:
        return
    dy, buffer, other = draw_x(data, data.draw(arguments.rarely(st.just(y.shape), arguments.shapes)))
    out = data.draw(arguments.outs(dy, buffer, other))

    def judge_backward():
        array = rules.array(dy)
        rules.require(array.shape == y.shape)
        want = on_parts(np.multiply, array, verdict.noise)
        return Verdict(must_take=rules.target(out, array), out=out, want=want)

    if kind is fd.GaussianDropout:
        rules.run(calls, judge_backward, lambda: layer.backward(dy, out), layer.rng, [buffer, other], itself)
