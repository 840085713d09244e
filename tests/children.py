"""Work for other threads and processes, and fresh interpreters: what the tests of both share."""

import hashlib
import os
import select
import signal
import subprocess
import sys

import numpy as np

import fastdrop as fd

LARGE = 2**20 + 4097  # elements that are worth a team of threads
fd._core.binding.set_threads_always(True)  # in spawned children too


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).digest()


def threaded(seed=5, p=0.1):
    """The digest of a forward and a backward that wake a team."""
    x = np.ones(LARGE, np.float32)
    y, mask = fd.dropout(x, p, rng=seed)
    return digest(y, mask.bits, fd.dropout_backward(x, mask))


def python(code, check=True, **environment):
    """What a fresh interpreter prints; names of `environment` set to None are unset."""
    unset = {"FASTDROP_BACKEND": None, "FASTDROP_NUM_THREADS": None, "OMP_NUM_THREADS": None}
    variables = {k: v for k, v in (dict(os.environ) | unset | environment).items() if v is not None}
    command = [sys.executable, "-c", "import os, sys, numpy as np\n" + code]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=variables, timeout=600)
    assert not check or (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip() if check else done


def in_a_child(function):
    """The bytes (at most a pipe's worth) that function returns in a forked child; a child that hangs fails."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, function())
        finally:
            os._exit(0)
    os.close(send)
    ready = select.select([receive], [], [], 600)[0]
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(receive, "rb") as pipe:
        result = pipe.read()
    assert ready, "the child hung"
    assert result, "the child failed"
    return result
