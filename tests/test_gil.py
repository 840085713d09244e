"""Long work lets other Python threads run; no time is measured, so that no busy machine matters."""

import sys
import threading
import time

import numpy as np
import pytest
from conftest import rng

import fastdrop as fd

N = 2**21
X = np.ones(N, np.float32)
TALL = np.ones((N // 512, 512), np.float32)
P = np.linspace(0, 1, N)
BITS, RECIPE = (fd.dropout(X, 0.1, rng=1, store=store)[1] for store in ("bits", "recipe"))
FUSED = [fd.bias_dropout_residual(TALL, bias, None, 0.1, rng=1)[1] for bias in (None, TALL[0])]
SHARED = rng()

CALLS = {  # without out: NumPy lets the GIL go while it looks for an overlap
    "dropout": lambda: fd.dropout(X, 0.1, rng=SHARED),
    "dropout-transposed": lambda: fd.dropout(TALL.T, 0.1, rng=SHARED),
    "array-p": lambda: fd.dropout(X, P, rng=SHARED, store="recipe"),
    "check-p": lambda: fd.Dropout(P, rng=SHARED),
    "bits": lambda: RECIPE.bits,
    "backward": lambda: fd.dropout_backward(X, BITS),
    "alpha": lambda: fd.alpha_dropout(X, 0.1, rng=SHARED),
    "fused": lambda: fd.bias_dropout_residual(TALL, None, TALL, 0.1, rng=SHARED),
    "fused-backward": lambda: fd.bias_dropout_residual_backward(TALL, FUSED[1]),
    "mc_dropout": lambda: fd.mc_dropout(X, 0.1, 2, rng=SHARED),
}


@pytest.fixture
def never_switching():
    """The interpreter takes the GIL from no thread that does not give it."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(old)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_another_thread_advances_during_a_call(call, restored_threads, never_switching):
    """It may come too late for one call, where the machine is busy; it would for every call that keeps the GIL."""
    fd.set_num_threads(1)
    count, stop, started = [0], threading.Event(), threading.Event()

    def work():
        started.set()
        while not stop.is_set():
            count[0] += 1
            time.sleep(0)  # gives the GIL back

    other = threading.Thread(target=work)
    other.start()
    started.wait()
    try:
        for _ in range(300):
            before = count[0]
            call()
            if count[0] > before:
                break
        else:
            pytest.fail("no call let another thread run")
    finally:
        stop.set()
        other.join()
