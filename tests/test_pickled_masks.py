"""What a pickled mask with an array p or a recipe far out is checked for, and that what is right comes back."""

import re

import numpy as np
import pytest
import reference
from conftest import KEY, assert_same, rng

import fastdrop as fd

ENTRIES = ["version", "shape", "noise", "p", "scale", "bits", "recipe"]
X = np.ones((3, 21), np.float32)
P = np.linspace(0, 1, 21)


def rebuilt(mask, **spoilt):
    function, arguments = mask.__reduce__()
    return function(*(dict(zip(ENTRIES, arguments, strict=True)) | spoilt).values())


def plain(p):
    """An array as a pickle has it."""
    return p.dtype.type, p.shape, p.astype(p.dtype.newbyteorder("<")).tobytes()


def masked(p=P, x=X, **options):
    return fd.dropout(x, p, rng=rng(), **options)[1]


both = pytest.mark.parametrize("store", ["bits", "recipe"])


@both
@pytest.mark.parametrize("wrong", [7, -3, np.nan, np.inf, 1 + 2**-52, -5e-324], ids=str)
@pytest.mark.parametrize("at", [0, 20])
def test_an_array_p_is_checked(wrong, at, store):
    p = P.copy()
    p[at] = wrong
    for given in (plain(p), p, p.tolist()):
        with pytest.raises(ValueError, match=re.escape(f"p must be between 0 and 1, got {p[at]}")):
            rebuilt(masked(store=store), p=given)


@both
@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "<f8"])
def test_an_array_p_becomes_doubles(dtype, store):
    """C reads doubles: what else a pickle holds is widened, and is no longer the pickle's to change."""
    p = P.astype(dtype)
    for given in (plain(p), p):
        mask = rebuilt(masked(p, store=store), p=given)
        want = P.astype(dtype).astype(float)
        keep = reference.kept_each(KEY, 0, want, np.arange(63).reshape(3, 21))
        assert (mask.p.dtype, mask.p.flags.writeable) == (np.float64, False)
        np.testing.assert_array_equal(mask.p, want)
        np.testing.assert_array_equal(mask.to_bool(), keep)
        assert_same(mask.apply(X), reference.apply(X, keep, reference.scale(want)))
    p[...] = 0.5
    np.testing.assert_array_equal(mask.p, want)


@pytest.mark.parametrize(
    "given", [plain(np.ones(21, bool)), plain(np.ones(21, "c16")), ["a"] * 21], ids=["?", "c", "s"]
)
def test_an_array_p_of_no_real_numbers(given):
    with pytest.raises(TypeError, match="p must be real numbers"):
        rebuilt(masked(), p=given)


END = 2**64


@pytest.mark.parametrize("noise", [None, (3, 1), (1, 21)], ids=str)
def test_a_recipe_may_end_at_2_to_64_and_no_further(noise):
    n = {None: 63, (3, 1): 3, (1, 21): 21}[noise]
    mask = masked(0.3, noise_shape=noise, store="recipe", offset=END - n)
    recipe = mask.__reduce__()[1][-1]
    assert recipe[3] == END - n
    np.testing.assert_array_equal(rebuilt(mask).to_bool(), mask.to_bool())
    with pytest.raises(ValueError, match="the last index of a pickled Mask must be below"):
        rebuilt(mask, recipe=(*recipe[:3], END - n + 1, None))


@pytest.mark.parametrize("strides", [(2**62, 2**62), (0, 2**64 - 1), (2**64, 0), (2**63, 2**59)], ids=str)
def test_a_recipes_steps_stay_below_2_to_64(strides):
    mask = masked(0.3, store="recipe", window=((9, 100), (3, 40)))
    recipe = mask.__reduce__()[1][-1]
    with pytest.raises(ValueError, match="the last index of a pickled Mask must be below"):
        rebuilt(mask, recipe=(*recipe[:4], strides))
    with pytest.raises(ValueError, match="shape must not be negative"):
        rebuilt(mask, recipe=(*recipe[:4], (-1, 1)))
    for steps in ((), (1, 1, 1)):
        with pytest.raises(ValueError, match="as many strides"):
            rebuilt(mask, recipe=(*recipe[:4], steps))


@pytest.mark.parametrize("place", range(4), ids=["k0", "k1", "stream", "start"])
def test_the_words_of_a_recipe(place):
    mask = masked(0.3, store="recipe")
    recipe = list(mask.__reduce__()[1][-1])
    for word, error in ((-1, ValueError), (END, ValueError), (1.0, TypeError), ("1", TypeError)):
        with pytest.raises(error, match="a word of the recipe must be"):
            rebuilt(mask, recipe=(*recipe[:place], word, *recipe[place + 1 :]))


@pytest.mark.parametrize("noise", [(3,), (1, 3, 21), (3, 2), (0, 21), (3, -21), (6, 21)], ids=str)
def test_a_noise_shape(noise):
    with pytest.raises(ValueError, match="must"):
        rebuilt(masked(0.3, store="recipe"), noise=noise)


def test_the_bits_are_those_of_the_noise_shape():
    mask = masked(0.3, noise_shape=(None, 1))
    for bits in (b"", b"\0\0", b"\x08"):
        with pytest.raises(ValueError, match="bits must"):
            rebuilt(mask, bits=bits)
    np.testing.assert_array_equal(rebuilt(mask, bits=b"\5").to_bool()[:, 0], [True, False, True])


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, -np.inf, 2.0**128, 3.5e38], ids=str)
def test_a_scale_is_finite_and_positive(scale):
    for mask in (masked(0.3), masked(0.3, store="recipe"), fd.Mask.from_bool(X > 0, 0.3)):
        with pytest.raises(ValueError, match="must be finite and positive"):
            rebuilt(mask, scale=scale)


def test_a_scale_that_p_gives_comes_back():
    """Also the one at p = 1, which is never used, and the least p's that float32 has no room for."""
    for p in (1, 1 - 2**-53, 0, 0.3):
        for mask in (masked(p), masked(p, store="recipe"), masked(p, inverted=False)):
            twin = rebuilt(mask)
            assert (twin.p, twin.scale) == (mask.p, mask.scale)
            assert_same(twin.apply(X), mask.apply(X))


@pytest.mark.parametrize("scale", [1, 0, None, 1.0, "True", np.True_], ids=repr)
def test_a_mask_of_an_array_p_says_whether_it_is_inverted(scale):
    with pytest.raises(TypeError, match="must say whether its array p is inverted"):
        rebuilt(masked(), scale=scale)


@both
@pytest.mark.parametrize("inverted", [True, False])
def test_a_mask_of_an_array_p_stays_as_it_was_made(inverted, store):
    mask = masked(inverted=inverted, store=store)
    twin = rebuilt(mask)
    assert_same(twin.apply(X), mask.apply(X))
    np.testing.assert_array_equal(twin.scale, reference.scale(P, inverted))


def fused(bias=None, residual=None, x=X):
    return fd.bias_dropout_residual(x, bias, residual, 0.3, rng=rng())[1]


@pytest.mark.parametrize("wrong", [1, 0, None, "True", np.True_], ids=repr)
@pytest.mark.parametrize("place", [1, 2], ids=["bias", "residual"])
def test_a_mask_of_bias_dropout_residual_says_what_there_was(wrong, place):
    function, arguments = fused().__reduce__()
    with pytest.raises(TypeError, match="must say whether it had a bias and a residual"):
        function(*arguments[:place], wrong, *arguments[place + 1 :])


def test_a_bias_needs_an_axis():
    function, arguments = fused(x=np.ones((), np.float32)).__reduce__()
    assert function(*arguments).shape == ()
    with pytest.raises(ValueError, match="must have an axis for its bias"):
        function(1, True, *arguments[2:])


OTHERS = [
    masked(),
    masked(0.3, noise_shape=(None, 1)),
    masked(0.3, window=((9, 100), (3, 40))),
    fd.Mask.from_bool(X > 0, 0.3),
]


@pytest.mark.parametrize("mask", OTHERS, ids=["array p", "noise shape", "window", "given"])
def test_bias_dropout_residual_has_one_p_and_a_bit_an_element_in_order(mask):
    function, _ = fused().__reduce__()
    with pytest.raises(ValueError, match="as that makes them"):
        function(1, False, False, *mask.__reduce__()[1][1:])
