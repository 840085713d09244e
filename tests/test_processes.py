"""Threads, forked children, and what a fresh interpreter does: environment, affinity, imports, exit."""

import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import THREADS, assert_same, expected, kept, rng, values

import fastdrop as fd

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the children only compute and _exit
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
LARGE = 2**20 + 4097  # elements that are worth a team of threads
X = np.ones(200, np.float32)


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).digest()


def threaded(seed=5, p=0.1):
    """The digest of a forward and a backward that wake a team."""
    x = np.ones(LARGE, np.float32)
    y, mask = fd.dropout(x, p, rng=seed)
    return digest(y, mask.bits, fd.dropout_backward(x, mask))


@pytest.fixture(autouse=True)
def restored_threads():
    n = fd.get_num_threads()
    yield
    fd.set_num_threads(n)


def python(code, check=True, **environment):
    """What a fresh interpreter prints; names of `environment` set to None are unset."""
    unset = {"FASTDROP_BACKEND": None, "FASTDROP_NUM_THREADS": None, "OMP_NUM_THREADS": None}
    variables = {k: v for k, v in (dict(os.environ) | unset | environment).items() if v is not None}
    command = [sys.executable, "-c", "import os, sys, numpy as np\n" + code]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60)
    assert not check or (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip() if check else done


# Threads


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("n", [4096 * k + d for k in (1, 2, 33, 256) for d in (-1, 0, 1)])
def test_any_number_of_threads_gives_the_same_bytes(n, p):
    x, results = values(n, np.dtype("f4")), set()
    for threads in THREADS:
        fd.set_num_threads(threads)
        y, mask = fd.dropout(x, p, rng=rng(), offset=77)
        into, recipe = fd.dropout(x, p, rng=rng(), offset=77, out=x.copy(), store="recipe")
        dropped = fd.bernoulli(n, p, rng=rng())
        results.add(digest(y, mask.bits, fd.dropout_backward(x, mask), dropped))
        assert digest(y, y) == digest(into, fd.dropout_backward(x, recipe))
    assert len(results) == 1
    if n < 10**5:
        assert_same(y, expected(x, kept(p, n, offset=77), p))


def test_two_python_threads_at_once():
    fd.set_num_threads(3)
    alone = [threaded(seed) for seed in range(2)]
    together = [[], []]
    workers = [threading.Thread(target=lambda s=s: together[s].extend(threaded(s) for _ in range(8))) for s in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert together == [[one] * 8 for one in alone]


def test_num_threads():
    for n in (1, np.int64(3), 7):
        assert fd.set_num_threads(n) is None
        assert fd.get_num_threads() == n
        assert type(fd.get_num_threads()) is int


@pytest.mark.parametrize(
    ("fastdrop", "omp", "threads"), [("3", None, 3), (None, "4", 4), ("3", "5", 3), ("3", "1", 3), (None, "4,2", 4)]
)
def test_threads_from_the_environment(fastdrop, omp, threads):
    code = "import fastdrop as fd; print(fd.get_num_threads()); fd.set_num_threads(2); print(fd.get_num_threads())"
    assert python(code, FASTDROP_NUM_THREADS=fastdrop, OMP_NUM_THREADS=omp).split() == [str(threads), "2"]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
@pytest.mark.parametrize("n", [1, 2])
def test_threads_from_the_affinity(n):
    cpus = sorted(os.sched_getaffinity(0))[:n]
    code = f"os.sched_setaffinity(0, {cpus}); import fastdrop as fd; print(fd.get_num_threads())"
    assert 1 <= int(python(code)) <= len(cpus)  # less where a cgroup allows less


def test_an_openmp_limit_caps_the_calling_thread():
    pytest.importorskip("threadpoolctl")
    code = """if True:
        import threading, threadpoolctl, fastdrop as fd
        fd.set_num_threads(3)
        x = np.ones(2**20, np.float32)
        seen, y = [fd.get_num_threads()], fd.dropout(x, rng=1)[0]
        for limit in (2, 1, 4):
            with threadpoolctl.threadpool_limits(limit):
                seen.append(fd.get_num_threads())
                assert (fd.dropout(x, rng=1)[0] == y).all()
                other = threading.Thread(target=lambda: seen.append(fd.get_num_threads()))
                other.start()
                other.join()
        print(*seen, fd.get_num_threads())"""
    assert python(code, OMP_NUM_THREADS="4") == "3 2 3 1 3 3 3 3"


# Forked children


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
    ready = select.select([receive], [], [], 30)[0]
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(receive, "rb") as pipe:
        result = pipe.read()
    assert ready, "the child hung"
    assert result, "the child failed"
    return result


SHARED, LAYER = fd.Rng(), fd.Dropout()
UNSEEDED = {
    "dropout": lambda: fd.dropout(X)[1].bits.tobytes(),
    "bernoulli": lambda: fd.bernoulli(200, 0.5).tobytes(),
    "Rng": lambda: fd.dropout(X, rng=SHARED)[1].bits.tobytes(),
    "Rng.key": lambda: repr(SHARED.key).encode(),
    "Rng.fold_in": lambda: repr(SHARED.fold_in(1).key).encode(),
    "Rng.spawn": lambda: repr(SHARED.spawn(1)[0].key).encode(),
    "Rng.state": lambda: SHARED.state["key"].encode(),
    "Dropout": lambda: LAYER(X).tobytes(),
}


@forks
@pytest.mark.parametrize("draw", UNSEEDED.values(), ids=UNSEEDED)
def test_forked_children_have_keys_of_their_own(draw):
    draw()
    results = [in_a_child(draw) for _ in range(4)] + [draw(), in_a_child(lambda: in_a_child(draw))]
    assert len(set(results)) == 6


@forks
def test_a_seeded_rng_is_the_same_in_a_child():
    seeded = fd.Rng(3)
    draws = [in_a_child(lambda: fd.dropout(X, rng=seeded)[1].bits.tobytes()) for _ in range(2)]
    assert {*draws} == {fd.dropout(X, rng=3)[1].bits.tobytes()}


@forks
def test_fork_after_a_threaded_call():
    fd.set_num_threads(2)
    mine = threaded()
    for _ in range(3):
        assert in_a_child(threaded) == mine
    assert in_a_child(lambda: in_a_child(threaded)) == mine
    assert threaded() == mine


@forks
def test_fork_while_another_thread_draws():
    fd.set_num_threads(2)
    mine, stop, shared = threaded(), threading.Event(), fd.Rng(1)

    def work():
        while not stop.is_set():
            threaded(), fd.dropout(X, rng=shared), fd.dropout(X)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            assert in_a_child(threaded) == mine
            assert in_a_child(lambda: fd.dropout(X, rng=shared)[0].tobytes() + fd.dropout(X)[0].tobytes())
    finally:
        stop.set()
        worker.join()


@forks
def test_a_fork_pool_after_a_threaded_call():
    fd.set_num_threads(2)
    seeds = list(range(6))
    mine = [threaded(seed) for seed in seeds]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(threaded, seeds).get(timeout=60) == mine


# A fresh interpreter


def test_backend_from_the_environment():
    code = "import fastdrop as fd; print(fd.backend(), *fd.backends(), fd.bernoulli(9, .3, rng=1).tobytes().hex())"
    names, drawn = list(fd.backends()), fd.bernoulli(9, 0.3, rng=1).tobytes().hex()
    for name in names:
        assert python(code, FASTDROP_BACKEND=name).split() == [name, *names, drawn]
    assert python(code).split()[0] == names[0]


def test_what_an_import_imports():
    code = """if True:
        before = set(sys.modules)
        import fastdrop as fd
        fd.dropout(np.ones(3)), fd.Rng(), fd.Rng.from_key(1, 2), fd.Dropout()(np.ones(3))
        new = {name for name in set(sys.modules) - before if not name.startswith(("_cython_", "cython_runtime"))}
        tops = {name.partition(".")[0] for name in new} - {*sys.stdlib_module_names, "fastdrop", "numpy"}
        print(sorted(tops), sorted(name for name in new if name.startswith("numpy.random")))
        fd.Rng(1)
        print("numpy.random" in sys.modules)"""
    assert python(code).splitlines() == ["[] []", "True"]


EXITS = {
    "draws": "fd.dropout(x); layer = fd.Dropout(); layer(x); fd.dropout(x, rng=np.random.default_rng(1))",
    "daemon": """
def work():
    while True:
        fd.dropout(x)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
fd.dropout(x)""",
    "thread": "t = threading.Thread(target=fd.dropout, args=(x,)); t.start(); fd.dropout(x)",
}


@pytest.mark.parametrize("code", EXITS.values(), ids=EXITS)
def test_the_exit_is_clean(code):
    python(f"import threading, fastdrop as fd\nx = np.ones({LARGE}, np.float32)\nfd.set_num_threads(2)\n" + code)


# What the library says of itself


def test_backends():
    assert type(fd.backend()) is str
    assert fd.backend() in fd.backends()
    assert all(type(name) is str for name in fd.backends())
    assert fd.backends()[-1] == "portable"
    assert len(set(fd.backends())) == len(fd.backends())


def test_show_config(capsys):
    config = fd.show_config(mode="dicts")
    assert json.loads(json.dumps(config)) == config, "plain types"
    assert not capsys.readouterr().out
    assert fd.show_config() is None
    printed = capsys.readouterr().out
    assert fd.backend() in printed
    assert fd.__version__ in printed


def test_version():
    try:
        version = importlib.metadata.version("numpy-fastdrop")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a build folder, not installed")
    assert fd.__version__ == version
