"""Rules for arguments at their borders: what p may be, which memory out may have, settings from the environment."""

import math
import re

import numpy as np
import pytest
from children import python
from conftest import DTYPES, LAYOUTS, values
from numpy.lib.stride_tricks import as_strided

import fastdrop as fd

X = np.ones(8, np.float32)
MASK = fd.Mask.from_bool(np.ones(8, bool), 0.5)
TAKE_P = {
    "dropout": lambda p: fd.dropout(X, p, rng=1)[1].p,
    "alpha_dropout": lambda p: fd.alpha_dropout(X, p, rng=1)[1].p,
    "bias_dropout_residual": lambda p: fd.bias_dropout_residual(X, None, None, p, rng=1)[1].p,
    "Mask.from_bool": lambda p: fd.Mask.from_bool(X > 1, p).p,
    "Dropout": lambda p: fd.Dropout(p).p,
    "UnitDropout": lambda p: fd.UnitDropout(p).p,
    "mc_dropout": lambda p: fd.mc_dropout(X, p, 2, rng=1) is None,
    "bernoulli": lambda p: fd.bernoulli(8, p, rng=1) is None,
}
every_p = pytest.mark.parametrize("take", TAKE_P.values(), ids=TAKE_P)


@every_p
@pytest.mark.parametrize("p", [10**400, -(10**400), 2**1024], ids=["10^400", "-10^400", "2^1024"])
def test_an_int_beyond_doubles_is_out_of_range(take, p):
    with pytest.raises(ValueError, match=f"p must be between 0 and 1, got {str(p)[:20]}"):
        take(p)


@every_p
@pytest.mark.parametrize("p", [np.True_, np.False_, np.array(True), np.complex64(0.5), np.array(0.5j)], ids=repr)
def test_what_is_no_real_number(take, p):
    with pytest.raises(TypeError, match="p must be a real number, got"):
        take(p)


@every_p
@pytest.mark.parametrize("p", [-0.0, np.float32(-0.0), np.array(-0.0), np.float16(-0.0)], ids=repr)
def test_minus_zero_is_zero(take, p):
    assert math.copysign(1, take(p)) == 1


def test_minus_zero_in_an_array_p_is_zero():
    mask = fd.dropout(X, np.full(8, -0.0), rng=1)[1]
    assert not np.signbit(mask.p).any()
    assert not np.signbit(fd.Dropout(np.array([-0.0, 0.5])).p).any()


# out


def overlapping(x, out):
    """Every way to pass a pair (x, out) whose memory is neither one nor apart."""
    before = x.tobytes(), out.tobytes()
    mask = fd.Mask.from_bool(np.ones(x.shape, bool), 0.5)
    source = fd.Rng(1)
    calls = {
        "x": [
            lambda: fd.dropout(x, rng=source, out=out),
            lambda: fd.dropout(x, np.full(x.shape[-1:], 0.5), rng=source, out=out),
            lambda: fd.bias_dropout_residual(x, None, None, rng=source, out=out),
            lambda: mask.apply(x, out),
        ],
        "dy": [lambda: fd.dropout_backward(x, mask, out=out)],
    }
    if x.dtype.kind == "f":
        calls["x"].append(lambda: fd.alpha_dropout(x, rng=source, out=out))
    for name in calls:
        for call in calls[name]:
            with pytest.raises(ValueError, match=f"out must be {name} itself or memory apart from it"):
                call()
    assert (x.tobytes(), out.tobytes()) == before
    assert source.counter == 0


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.name != "bfloat16"], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_byte_swapped_view_is_not_the_same_array(dtype, layout):
    """The same memory, of which element after element is read in another order of bytes."""
    out = LAYOUTS[layout](values(600, dtype).reshape(20, 30))
    overlapping(out.view(dtype.newbyteorder()), out)


SHAPE = (8, 8, 11, 9, 12, 4, 11)
HARD = {  # steps of x and of out in bytes, of arrays that begin together: NumPy finds no answer in 2**20 trials
    "x": (438336, 975364, 858400, 358872, 1002932, 1337420, 866248),
    "out": (842164, 72, 76560, 8, 6380, 6737308, 580),
}


def test_an_overlap_too_costly_to_decide_is_one():
    memory = np.zeros(45_057_936 // 4, np.float32)
    x, out = (as_strided(memory, SHAPE, HARD[name]) for name in HARD)
    with pytest.raises(getattr(np, "exceptions", np).TooHardError):
        np.shares_memory(x, out, max_work=1 << 20)
    overlapping(x, out)


ITSELF = {  # shape, strides in bytes of float32: whether two elements share memory
    "one-byte-short": ((3, 4), (15, 4), True),
    "rows-meet": ((3, 4), (16, 4), False),
    "rows-overlap": ((3, 4), (12, 4), True),
    "steps-of-less-than-an-item": ((4,), (3,), True),
    "one-element": ((1, 1), (0, 0), False),
    "one-row": ((1, 4), (0, 4), False),
    "one-column": ((4, 1), (4, 0), False),
    "negative": ((3, 4), (-16, 4), False),
    "negative-overlap": ((3, 4), (-12, 4), True),
    "same-step": ((2, 2), (8, 8), True),
    "interleaved": ((3, 4), (4, 12), False),
    "empty": ((0, 4), (4, 0), False),
    "three": ((2, 3, 4), (48, 16, 4), False),
    "three-overlap": ((2, 3, 4), (44, 16, 4), True),
}


@pytest.mark.parametrize(("shape", "strides", "overlaps"), ITSELF.values(), ids=ITSELF)
def test_an_out_that_overlaps_itself(shape, strides, overlaps):
    memory = np.zeros(100, np.float32)
    out = as_strided(memory[40:], shape, strides)
    x = np.arange(1, 1 + out.size, dtype=np.float32).reshape(shape)
    if not out.flags.aligned:
        pytest.skip("refused as misaligned")
    if overlaps:
        with pytest.raises(ValueError, match=re.escape(f"out must not overlap itself, got strides {out.strides}")):
            fd.dropout(x, 0, out=out)
        assert not memory.any()
    else:
        np.testing.assert_array_equal(fd.dropout(x, 0, out=out)[0], x)


@pytest.mark.parametrize("change", ["readonly", "swapped", "misaligned"])
@pytest.mark.parametrize("layout", ["C", "F", "strided"])
def test_in_place_asks_of_x_what_it_asks_of_out(change, layout):
    """x passed as its own out takes a shorter way, which has the same rules."""
    x = LAYOUTS[layout](np.ones((20, 30), np.float32))
    if change == "readonly":
        x.flags.writeable = False
    elif change == "swapped":
        x = x.view(x.dtype.newbyteorder())
    else:
        raw = np.zeros(x.nbytes * 3 + 1, "u1")[1:]
        x = as_strided(raw.view("f4"), x.shape, x.strides)
    before = x.tobytes()
    for call in (lambda: fd.dropout(x, rng=1, out=x), lambda: fd.dropout(x, 1, out=x)):
        with pytest.raises(ValueError, match=r"out must be (writable|in native byte order|aligned)"):
            call()
    assert x.tobytes() == before


# The environment


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "two", "00", "1e3", "0x2"])
def test_a_number_of_threads_that_is_none(number):
    done = python("import fastdrop", check=False, FASTDROP_NUM_THREADS=number)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: FASTDROP_NUM_THREADS must be an int of at least 1, got '{number}'"


def test_what_stands_in_for_a_number_of_threads():
    """Openings that OpenMP would not take give way to the CPUs, as an unset one does."""
    code = "import fastdrop as fd; c = fd.show_config('dicts')['threads']; print(fd.get_num_threads(), c['source'])"
    cpus = python(code)
    assert cpus.endswith("the CPUs this process may use")
    for omp in ("0", "-1", "many", "", " "):
        done = python(code, check=False, OMP_NUM_THREADS=omp, FASTDROP_NUM_THREADS="")  # OpenMP may say what it thinks
        assert (done.returncode, done.stdout.strip()) == (0, cpus)
    assert python(code, FASTDROP_NUM_THREADS=" 3 ", OMP_NUM_THREADS="5") == "3 FASTDROP_NUM_THREADS"
    assert python(code, FASTDROP_NUM_THREADS=" ", OMP_NUM_THREADS=" 4 ,2") == "4 OMP_NUM_THREADS"


@pytest.mark.parametrize("exponent", [16, 31, 32, 33, 64, 1000])
def test_more_threads_than_an_int_of_c_counts(exponent, restored_threads):
    """It is a most: a call takes as many as it has work for, and a small one takes one."""
    for n in (2**exponent, 2**exponent + 1):
        fd.set_num_threads(n)
        assert fd.get_num_threads() == 2**16
        np.testing.assert_array_equal(fd.dropout(X, rng=0)[0], [2, 0, 0, 2, 2, 2, 0, 2])


def test_more_threads_from_the_environment_than_there_can_be():
    code = "import fastdrop as fd; print(fd.get_num_threads(), fd.dropout(np.ones(3), rng=1)[0].size)"
    assert python(code, FASTDROP_NUM_THREADS=str(2**31 - 1)) == "65536 3"
