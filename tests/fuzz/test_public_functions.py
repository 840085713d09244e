"""Any arguments at all: what the reference says bit for bit, or an error before anything was written or drawn.

`python -m pytest tests/fuzz --hypothesis-profile=long` makes 10^5 calls.
"""

import math
from functools import partial
from operator import itemgetter
from types import SimpleNamespace as Verdict

import numpy as np
import pytest
import reference
from conftest import assert_mask

pytest.importorskip("hypothesis")
from fuzz import arguments, rules
from fuzz.rules import run
from hypothesis import given
from hypothesis import strategies as st

import fastdrop as fd

first = itemgetter(0)


@pytest.fixture(autouse=True, params=fd.backends())
def every_backend(request):
    old = fd.backend()
    fd._core.binding.set_backend(request.param)
    yield
    fd._core.binding.set_backend(old)


def draw_x(data, shape=None, dtype=None):
    """(x, its buffer, another buffer)."""
    buffer, other = data.draw(arguments.buffers()), data.draw(arguments.buffers())
    shape = data.draw(arguments.shapes) if shape is None else shape
    view = arguments.views(buffer, data.draw(arguments.dtypes) if dtype is None else dtype, shape)
    x = data.draw(arguments.rarely(view, arguments.array_likes(shape)))
    return x, buffer, other


def itself(y):
    return y


def check_backward(calls, data, mask, keep, scale, function=None, dx_of=itself):
    """Any dy, into anything, through mask."""
    shape = data.draw(arguments.rarely(st.just(mask.shape), arguments.shapes))
    dy, buffer, other = draw_x(data, shape)
    out = data.draw(arguments.outs(dy, buffer, other))
    function = function or data.draw(st.sampled_from([fd.dropout_backward, lambda dy, mask, out: mask.apply(dy, out)]))

    def judge():
        array = rules.array(dy)
        rules.require(array.shape == mask.shape)
        return Verdict(must_take=rules.target(out, array), out=out, want=reference.apply(array, keep, scale))

    run(calls, judge, lambda: function(dy, mask, out=out), None, [buffer, other], dx_of)


@given(data=st.data())
@pytest.mark.parametrize("alpha", [False, True], ids=["dropout", "alpha_dropout"])
def test_dropout(calls, alpha, data):
    x, buffer, other = draw_x(data)
    shape = np.shape(x) if isinstance(x, np.ndarray) else ()
    p, (rng, spent) = data.draw(arguments.ps(shape)), data.draw(arguments.rngs())
    noise_shape, (offset, window) = data.draw(arguments.noise_shapes(shape)), data.draw(arguments.places(shape))
    out, store, inverted = (
        data.draw(arguments.outs(x, buffer, other)),
        data.draw(arguments.stores),
        data.draw(st.booleans()),
    )

    def judge():
        array, rate = rules.array(x), rules.rate(p)
        rules.require(store != "both")
        rules.require(not alpha or (array.dtype.kind != "c" and type(rate) is float))
        key, stream, row = rules.source(rng, spent)
        keep = rules.keep(key, stream, rate, rules.indices(array.shape, noise_shape, offset, window, row))
        scale, want = reference.scale(rate, inverted), None
        if alpha:
            scale = reference.alpha_affine(rate)[0] if rate < 1 else math.inf
        if keep is not None:
            want = reference.alpha(array, keep, rate) if alpha else reference.apply(array, keep, scale)
        return Verdict(must_take=rules.target(out, array), out=out, want=want, keep=keep, scale=scale, p=rate)

    place = {"noise_shape": noise_shape, "offset": offset, "window": window}
    function = fd.alpha_dropout if alpha else partial(fd.dropout, inverted=inverted)
    verdict, result = run(
        calls, judge, lambda: function(x, p, rng=rng, out=out, store=store, **place), rng, [buffer, other, p], first
    )
    if result is not None:
        mask = result[1]
        keep = mask.to_bool() if verdict.keep is None else verdict.keep
        if verdict.keep is not None:
            assert_mask(mask, keep, np.shape(x))
        np.testing.assert_array_equal(mask.p, verdict.p)
        np.testing.assert_array_equal(mask.scale, verdict.scale)
        check_backward(calls, data, mask, keep, verdict.scale)


@given(data=st.data())
def test_bernoulli(calls, data):
    shape = data.draw(arguments.shapes)
    odd = [-1, 1.5, "a", None, (2, -3), [1.0], (2**40, 0), np.array([2, 3]), 2**70, (1,) * 65]
    given_shape = data.draw(
        arguments.rarely(st.sampled_from([shape, list(shape), 9, np.int64(70)]), st.sampled_from(odd))
    )
    p, (rng, spent) = data.draw(arguments.ps(shape)), data.draw(arguments.rngs())

    def judge():
        rate = rules.rate(p)
        sizes = rules.extents(given_shape)
        key, stream, row = rules.source(rng, spent)
        keep = rules.keep(key, stream, rate, rules.indices(sizes, row=row))
        return Verdict(must_take=True, out=None, want=None, dropped=None if keep is None else ~keep)

    verdict, drawn = run(calls, judge, lambda: fd.bernoulli(given_shape, p, rng=rng), rng, [p], itself)
    if drawn is not None and verdict.dropped is not None:
        assert (type(drawn), drawn.dtype) == (np.ndarray, bool)
        np.testing.assert_array_equal(drawn, verdict.dropped)


@given(data=st.data())
@pytest.mark.parametrize("packed", [False, True], ids=["from_bool", "from_bits"])
def test_masks_of_ones_own(calls, packed, data):
    shape, p = data.draw(arguments.shapes), data.draw(arguments.ps(()))
    keep = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < data.draw(st.sampled_from([0, 0.5]))
    keep = np.asarray(keep)
    scale = data.draw(st.sampled_from([None, None, None, 1, 2.5, 1e38, 1e-300, 0, -1.0, math.inf, math.nan, 1e39, "a"]))
    bits, as_bool = (
        reference.pack(keep),
        data.draw(st.sampled_from([keep, np.array(keep, order="F"), keep[..., None][..., 0]])),
    )
    fits = True
    if data.draw(st.integers(0, 7)) == 7:
        bits, as_bool = data.draw(
            st.sampled_from(
                [(bits.astype("i8"), as_bool.astype("u1")), (bits.tolist(), as_bool.tolist()), (bits[1:], None)]
            )
        )
        fits = (
            packed and bits is not None and isinstance(bits, np.ndarray) and bits.dtype == np.uint8 and keep.size == 0
        )

    def judge():
        rate = rules.rate(p)
        rules.require(fits and type(rate) is float and scale != "a")
        rules.require(scale is None or 0 < scale < 2.0**128)
        rules.require(scale is not None or rate < 1 or not keep.any())
        factor = float(reference.scale(rate)) if scale is None else scale
        return Verdict(must_take=True, out=None, want=None, scale=factor)

    make = partial(fd.Mask.from_bits, bits, shape) if packed else partial(fd.Mask.from_bool, as_bool)
    verdict, mask = run(calls, judge, lambda: make(p, scale), None, [bits, as_bool], itself)
    if mask is not None:
        assert_mask(mask, keep)
        check_backward(calls, data, mask, keep, verdict.scale)


@given(data=st.data())
def test_bias_dropout_residual(calls, data):
    x, buffer, other = draw_x(data)
    shape, dtype = (x.shape, x.dtype) if isinstance(x, np.ndarray) else ((), np.dtype("f8"))
    p, (rng, spent), store = data.draw(arguments.ps(())), data.draw(arguments.rngs()), data.draw(arguments.stores)
    third = data.draw(arguments.buffers())
    beside = [data.draw(st.sampled_from([None, 0, 0])) for _ in range(2)]
    for i, own in enumerate((shape[-1:], shape)):
        if beside[i] == 0 and not dtype.hasobject:
            view = arguments.views(
                data.draw(st.sampled_from([third, third, third, buffer, other])),
                dtype,
                data.draw(arguments.rarely(st.just(own), arguments.shapes)),
            )
            beside[i] = data.draw(arguments.rarely(view, arguments.array_likes(own)))
    bias, residual = beside
    out = data.draw(st.one_of(arguments.outs(x, buffer, other), st.just(residual)))

    def judge():
        array, rate = rules.array(x), rules.rate(p)
        rules.require(store != "both" and type(rate) is float)
        rules.require(bias is None or array.shape)
        must_take, added = rules.target(out, array), array.astype(array.dtype.newbyteorder("="))
        for operand, own in ((bias, array.shape[-1:]), (residual, array.shape)):
            if operand is not None:
                rules.require(rules.array(operand).shape == own)
                rules.require(rules.array(operand).dtype.newbyteorder("=") == added.dtype)
                if isinstance(operand, np.ndarray):
                    rules.apart(operand, out, may_be_out=operand is residual)
        key, stream, row = rules.source(rng, spent)
        keep = rules.keep(key, stream, rate, rules.indices(array.shape, row=row))
        want = None
        if keep is not None:
            with np.errstate(all="ignore"):
                want = reference.apply(added if bias is None else added + bias, keep, reference.scale(rate))
                want = want if residual is None else (want + residual).astype(want.dtype)
        return Verdict(must_take=must_take, out=out, want=want, keep=keep, scale=reference.scale(rate))

    verdict, result = run(
        calls,
        judge,
        lambda: fd.bias_dropout_residual(x, bias, residual, p, rng=rng, out=out, store=store),
        rng,
        [buffer, other],
        first,
    )
    if result is not None:
        mask = result[1]
        keep = mask.to_bool() if verdict.keep is None else verdict.keep
        assert_mask(mask, keep, np.shape(x))
        check_backward(calls, data, mask, keep, verdict.scale, fd.bias_dropout_residual_backward, first)


@given(data=st.data())
def test_mc_dropout(calls, data):
    x, buffer, other = draw_x(data)
    shape = np.shape(x) if isinstance(x, np.ndarray) else ()
    p, (rng, _) = data.draw(arguments.ps(())), data.draw(arguments.rngs())
    samples = data.draw(
        arguments.rarely(st.integers(1, 4), st.sampled_from([0, -1, 1.5, None, "a", True, np.int64(2)]))
    )
    count = samples if type(samples) is int and samples > 0 else 1
    rows = np.broadcast_to(x, (count, *shape)) if isinstance(x, np.ndarray) else x
    out = data.draw(arguments.outs(rows, buffer, other))

    def judge():
        array, rate = rules.array(x), rules.rate(p)
        rules.require(type(rate) is float and hasattr(samples, "__index__") and samples >= 1)
        must_take = rules.target(out, np.broadcast_to(array, (int(samples), *array.shape)))
        rules.require(out is None or not np.isin(rules.addresses(out), rules.addresses(array)).any())
        key, _, row = rules.source(rng, False)
        where, want = rules.indices(array.shape, row=row), None
        if key is not None:
            keeps = [rules.keep(reference.fold_in(key, t), 0, rate, where) for t in range(samples)]
            want = np.array([reference.apply(array, keep, reference.scale(rate)) for keep in keeps])
        return Verdict(must_take=must_take, out=out, want=want)

    run(calls, judge, lambda: fd.mc_dropout(x, p, samples, rng=rng, out=out), rng, [buffer, other], itself)
