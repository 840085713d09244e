"""Forked children, and what a fresh interpreter does: backend, imports, exit."""

import importlib.metadata
import json
import multiprocessing
import os
import sys
import threading

import numpy as np
import pytest
from children import LARGE, in_a_child, python, threaded

import fastdrop as fd

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),  # the children only compute and _exit
    pytest.mark.usefixtures("restored_threads"),
]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
X = np.ones(200, np.float32)


# Forked children

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
    for _ in range(100):
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


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_after_a_threaded_call(method):
    fd.set_num_threads(2)
    seeds = list(range(6))
    mine = [threaded(seed) for seed in seeds]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(threaded, seeds).get(timeout=600) == mine


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


# Sub-interpreters

SUBINTERPRETER = """if True:
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
        create = lambda: interpreters.create(config)
    else:
        import _xxsubinterpreters as interpreters
        create = lambda: interpreters.create(isolated=config == "isolated")
    attempt = '''if True:
        try:
            import fastdrop as fd, numpy as np
            print(fd.dropout(np.ones(9), rng=1)[1].bits.tobytes().hex(), flush=True)
        except ImportError:
            print("ImportError", flush=True)'''
    def main():
        import fastdrop as fd
        print(fd.dropout(np.ones(9), rng=1)[1].bits.tobytes().hex(), flush=True)
    if main_first:
        main()
    for _ in range(2):
        other = create()
        interpreters.run_string(other, attempt)
        interpreters.destroy(other)
    main()"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no isolated sub-interpreters before Python 3.12")
@pytest.mark.parametrize("main_first", [True, False], ids=["second", "first"])
@pytest.mark.parametrize("config", ["isolated", "legacy"])
def test_a_subinterpreter_imports_the_library_or_is_refused(config, main_first):
    done = python(f"config, main_first = {config!r}, {main_first}\n" + SUBINTERPRETER, check=False)
    assert done.returncode == 0, done.stderr
    mine = fd.dropout(np.ones(9), rng=1)[1].bits.tobytes().hex()
    printed = done.stdout.split()
    assert set(printed) <= {mine, "ImportError"}
    assert printed[-1] == mine, "the main interpreter goes on"
    assert len(printed) == 3 + main_first


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
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dicts', got 'dict'"):
        fd.show_config(mode="dict")


def test_version():
    try:
        version = importlib.metadata.version("numpy-fastdrop")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a build folder, not installed")
    assert fd.__version__ == version
