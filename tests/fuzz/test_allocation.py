"""Memory runs out at each allocation of a call in turn: MemoryError, nothing drawn, arrays as they were, no leak."""

import gc
import os
import subprocess
import sys

import numpy as np
import pytest
from fuzz import failing_memory

import fastdrop as fd

X = np.arange(1.0, 601.0).reshape(20, 30)
MASK = fd.dropout(X, rng=0)[1]
RECIPE = fd.dropout(X, rng=0, store="recipe")[1]
EACH = fd.dropout(X, np.full(30, 0.3), rng=0)[1]
FUSED = fd.bias_dropout_residual(X, X[0], X, rng=0)[1]
BITS = MASK.bits
GENERATOR = np.random.default_rng(0)

CALLS = {  # name: what is called with (x, out, rng), x and out of X's shape
    "dropout": lambda x, out, rng: fd.dropout(x, rng=rng),
    "dropout-out": lambda x, out, rng: fd.dropout(x, rng=rng, out=out),
    "dropout-in-place": lambda x, out, rng: fd.dropout(x, rng=rng, out=x),
    "dropout-F": lambda x, out, rng: fd.dropout(x.T, rng=rng, store="recipe"),
    "dropout-swapped": lambda x, out, rng: fd.dropout(x.astype(">f8"), rng=rng),
    "dropout-swapped-F": lambda x, out, rng: fd.dropout(x.astype(">f8").T, rng=rng, out=out.T, store="recipe"),
    "dropout-0": lambda x, out, rng: fd.dropout(x, 0, rng=rng, out=out),
    "dropout-1": lambda x, out, rng: fd.dropout(x, 1, rng=rng, out=out),
    "dropout-each": lambda x, out, rng: fd.dropout(x, np.full(30, 0.3), rng=rng, out=out),
    "dropout-each-F": lambda x, out, rng: fd.dropout(x.T, np.full(20, 0.3), rng=rng, out=out.T, store="recipe"),
    "dropout-window": lambda x, out, rng: fd.dropout(x, rng=rng, window=((99, 99), (3, 4)), store="recipe", out=out),
    "dropout-noise": lambda x, out, rng: fd.dropout(x, rng=rng, noise_shape=(20, 1), out=out, store="recipe"),
    "dropout-row": lambda x, out, rng: fd.dropout(x, rng=rng.at_row(5)),
    "dropout-generator": lambda x, out, rng: fd.dropout(x.T, rng=GENERATOR, store="recipe"),
    "dropout-seed": lambda x, out, rng: fd.dropout(x, rng=5, out=out),
    "bernoulli": lambda x, out, rng: fd.bernoulli((20, 30), 0.5, rng=rng),
    "bernoulli-each": lambda x, out, rng: fd.bernoulli((20, 30), np.full(30, 0.3), rng=rng),
    "backward": lambda x, out, rng: fd.dropout_backward(x, MASK, out=out),
    "backward-recipe": lambda x, out, rng: RECIPE.apply(x, out),
    "backward-F": lambda x, out, rng: RECIPE.apply(np.asfortranarray(x), out),
    "backward-each": lambda x, out, rng: EACH.apply(x, out),
    "from_bool": lambda x, out, rng: fd.Mask.from_bool(x > 1, 0.5),
    "from_bits": lambda x, out, rng: fd.Mask.from_bits(BITS, (20, 30), 0.5),
    "to_bool": lambda x, out, rng: (RECIPE.to_bool(), MASK.kept, EACH.bits),
    "alpha_dropout": lambda x, out, rng: fd.alpha_dropout(x, rng=rng, out=out),
    "alpha_dropout-F": lambda x, out, rng: fd.alpha_dropout(x.T, rng=rng, out=out.T, store="recipe"),
    "gaussian_dropout": lambda x, out, rng: fd.gaussian_dropout(x, rng=rng, out=out),
    "bias_dropout_residual": lambda x, out, rng: fd.bias_dropout_residual(x, X[0], X, rng=rng, out=out),
    "bias_dropout_residual-F": lambda x, out, rng: fd.bias_dropout_residual(x.T, X[:, 0], X.T, rng=rng, out=out.T),
    "bias_dropout_residual_backward": lambda x, out, rng: fd.bias_dropout_residual_backward(x, FUSED, out=out),
    "mc_dropout": lambda x, out, rng: fd.mc_dropout(x[:5], 0.5, 4, rng=rng, out=out.reshape(4, 5, 30)),
    "Rng": lambda x, out, rng: (fd.Rng(5), fd.Rng.from_key(1, 2), rng.fold_in(3), rng.at_row(2), rng.state),
    "layer": lambda x, out, rng: fd.Dropout(0.5, rng=rng).forward(x),
    "UnitDropout": lambda x, out, rng: fd.UnitDropout(rng=rng).forward(x),
    "DropBlock": lambda x, out, rng: fd.DropBlock(0.1, 3, rng=rng).forward(x[None, None]),
    "EmbeddingDropout": lambda x, out, rng: fd.EmbeddingDropout(rng=rng).forward(x, [3, 7, 3]),
    "ThinnedLinear": lambda x, out, rng: fd.ThinnedLinear(x, X[0], rng=rng).forward(X[:5, :20]),
}
IN_A_WORKER = "PYTEST_XDIST_WORKER" in os.environ
WAYS = {"objects": failing_memory.objects_fail_at, "arrays": failing_memory.arrays_fail_at}
MOST = 3000  # allocations of one call, by far
# These allocate after they have taken their stream, which is then skipped: no call ever draws it. What they allocate
# then is made of what was drawn, and NumPy would have it nowhere else: unpacked bits, a generator and its numbers a
# block, the blocks around the seeds, the mask of the words looked up, a product as wide as what is kept.
SKIP_A_STREAM = {"bernoulli", "bernoulli-each", "gaussian_dropout", "DropBlock", "EmbeddingDropout", "ThinnedLinear"}
SKIP_A_STREAM |= {"layer", "UnitDropout"}  # and here Python itself: a pair is unpacked
# The bytes of x and out are as they were all the same, but for the two that have filled out when the last small object
# finds no room: the row sums in dy's dtype, the end of NumPy's errstate.
FILL_OUT = {"bias_dropout_residual_backward", "gaussian_dropout"}


def exhaust(fail_at, name, n):
    """Whether the call failed for want of its allocation n; nothing is then changed."""
    x, out, rng = X.copy(), np.full_like(X, 7.0), fd.Rng.from_key(1, 2, 5)
    words = GENERATOR.bit_generator.state
    counts = [sys.getrefcount(thing) for thing in (x, out, rng)]
    try:
        with fail_at(n):
            CALLS[name](x, out, rng)
    except MemoryError:
        pass
    except (SystemError, RuntimeError) as reason:  # NumPy's own forget to say that it was memory; so do locks
        if not any(name in str(reason) for name in ("nditer", "packbits", "ndindex", "ufunc", "lock")):
            raise
    else:
        return False
    assert rng.counter == 5 or (rng.counter == 6 and name in SKIP_A_STREAM), f"drawn, though allocation {n} failed"
    assert GENERATOR.bit_generator.state == words, f"the generator moved on, though allocation {n} failed"
    assert (x == X).all(), f"x was written, though allocation {n} failed"
    assert (out == 7).all() or name in FILL_OUT, f"out was written, though allocation {n} failed"
    if [sys.getrefcount(thing) for thing in (x, out, rng)] != counts:
        gc.collect()  # a frame whose making failed
        assert [sys.getrefcount(thing) for thing in (x, out, rng)] == counts, f"a reference was lost at allocation {n}"
    return True


@pytest.mark.skipif(not IN_A_WORKER, reason="the tests below run here")
def test_all_in_a_process_of_its_own():
    """A thread of xdist's worker would run out of memory too."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", __file__]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.skipif(IN_A_WORKER, reason="in a process of its own: see above")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CALLS)
def test_memory_runs_out(name, way):
    if way == "objects" and failing_memory._testcapi is None:
        pytest.skip("NOT RUN: this Python has no _testcapi")
    if way == "objects" and np.lib.NumpyVersion(np.__version__) < "2.4.0":
        pytest.skip("NOT RUN: before 2.4, NumPy's nditer crashes where one of its small allocations fails")
    if (name, way) == ("DropBlock", "objects"):
        pytest.skip("NOT RUN: NumPy's |= crashes where one of its small allocations fails")
    fail_at = WAYS[way]
    CALLS[name](X.copy(), X.copy(), fd.Rng.from_key(1, 2))  # what is made once is made now
    failed = 0
    for n in range(MOST):
        if exhaust(fail_at, name, n):
            failed += 1
        elif not any(exhaust(fail_at, name, later) for later in range(n + 1, n + 9)):
            break  # past the last
    assert failed or way == "arrays"  # some calls make no array
    assert n < MOST - 1


@pytest.mark.skipif(IN_A_WORKER, reason="in a process of its own: see above")
def test_room_for_a_bare_array_is_found_before_a_stream_is_taken():
    rng = fd.Rng.from_key(1, 2, 5)
    with pytest.raises(MemoryError), failing_memory.arrays_fail_at(0):
        fd.bernoulli((20, 30), 0.5, rng=rng)
    assert rng.counter == 5
