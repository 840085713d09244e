"""Every promise of the pages has its test (promises.toml), and those tests that no other file has."""

import ast
import functools
import itertools
import os
import pickle
import re
import shutil
import statistics
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fastdrop as fd

TESTS = Path(__file__).resolve().parent
ROOT, TABLE = TESTS.parent, tomllib.loads((TESTS / "promises.toml").read_text(encoding="utf-8"))
WHOLE = TABLE.pop("whole")
PROMISES = [(page, quote, tests) for page, quotes in TABLE.items() for quote, tests in quotes.items()]
needs_pages = pytest.mark.skipif(not (ROOT / "csrc").is_dir(), reason="no pages beside the tests")


# The table


@functools.cache
def words(page):
    return " ".join((ROOT / page).read_text(encoding="utf-8").split())


@functools.cache
def functions(name):
    return {node.name for node in ast.parse((TESTS / name).read_text(encoding="utf-8")).body if hasattr(node, "name")}


def items(page, section):
    """The items of lists and the rows of tables, but for headings, of a section."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    rows = re.findall(r"^\|.*(?:\n(?!\|).*)*", re.sub(r"^\|.*\n\|[-|]+\n", "", text, flags=re.M), re.M)
    bullets = re.findall(r"^\* .*(?:\n  .*)*", text, re.M)
    return [" ".join(item.split()) for item in rows + bullets]


@needs_pages
@pytest.mark.parametrize(
    ("page", "quote", "tests"), PROMISES, ids=[f"{page}-{quote[:40]}" for page, quote, _ in PROMISES]
)
def test_a_promise_stands_on_its_page_and_has_its_test(page, quote, tests):
    assert words(page).count(quote) >= 1
    assert tests
    for file, _, test in (name.partition("::") for name in tests):
        assert test in functions(file), f"{file} has no {test}"


@needs_pages
@pytest.mark.parametrize(("page", "section"), [(page, section) for page, names in WHOLE.items() for section in names])
def test_every_item_of_a_section_of_promises_is_in_the_table(page, section):
    found = items(page, section)
    assert found
    assert [item for item in found if not any(quote in item for quote in TABLE[page])] == []


# What no other file tests


@needs_pages
def test_the_script_of_the_vectors_shares_no_code():
    tree = ast.parse((TESTS / "verify_vectors.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "numpy"}


def test_another_thread_goes_on_during_a_call():
    """A thread counts while a call runs; a call that held the GIL would let it count at its ends alone."""
    x, counted, stop = np.ones(1 << 24, np.float32), [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=count)
    thread.start()
    try:
        during = []
        for _ in range(15):
            before = counted[0]
            fd.dropout(x, 0.3, rng=0, out=x, inverted=False)
            during.append(counted[0] - before)
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert statistics.median(during) > 100


def test_a_huge_shape_in_a_pickle_is_refused():
    mask = fd.dropout(np.ones(3), rng=0)[1]
    function, (version, shape, *rest) = mask.__reduce__()
    assert shape == (3,)
    with pytest.raises(ValueError, match="bits must have 1152921504606846976 bytes for shape"):
        function(version, (2**63,), *rest)


def test_a_key_of_none_is_the_systems_entropy(monkeypatch):
    bytes_of_the_system = itertools.count(1)
    monkeypatch.setattr(os, "urandom", lambda n: bytes([next(bytes_of_the_system)]) * n)
    ones = 0x0101010101010101
    assert fd.Rng().key == (ones, 2 * ones)
    assert fd.Dropout().rng.key == (3 * ones, 4 * ones)


def keys_of_new_processes(count):
    code = "import fastdrop as fd; print(fd.Rng().key, fd.Dropout().rng.key, fd.bernoulli(256, 0.5).tobytes().hex())"
    command = [sys.executable, "-c", code]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") for _ in range(count)]
    return [process.communicate(timeout=300)[0].strip() for process in processes]


def test_new_processes_differ():
    said = [part for line in keys_of_new_processes(2) for part in line.rsplit(" ", 1)]
    assert len(set(said)) == len(said) == 4
    assert all(said)


@pytest.mark.parametrize("make", [fd.Rng, lambda: fd.Rng(5), fd.Dropout, lambda: fd.Dropout(rng=5)])
def test_what_was_pickled_repeats(make):
    """Also what is left of a process that is restored twice: it is the memory that comes back."""
    saved = pickle.dumps(make())
    masks = []
    for _ in range(2):
        loaded = pickle.loads(saved)
        layer = loaded if isinstance(loaded, fd.Dropout) else fd.Dropout(rng=loaded)
        masks.append(layer.forward(np.ones(256)).tobytes())
    assert masks[0] == masks[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_that_python_does_not_see_repeats():
    """As documented, in a process that nothing else depends on."""
    code = """if True:
        import ctypes, os, sys
        import fastdrop as fd
        rng, (reading, writing) = fd.Rng(), os.pipe()
        if ctypes.PyDLL(None).fork() == 0:
            os.write(writing, repr(rng.key).encode())
            os._exit(0)
        os.wait()
        print(os.read(reading, 1000).decode() == repr(rng.key))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=300)
    assert done.stdout.strip() == "True", done.stderr


def test_rng_set_to_none_is_a_new_key():
    layer = fd.Dropout(rng=3)
    seeded = layer.rng.key
    layer.rng = None
    first = layer.rng.key
    layer.rng = None
    assert len({seeded, first, layer.rng.key}) == 3


@needs_pages
@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="no cc here, or no ELF")
def test_the_core_needs_no_libm(tmp_path):
    core = [path for path in sorted((ROOT / "csrc").rglob("*.c")) if path.name != "example.c"]
    flags = ["-std=c11", "-O0", "-ffp-contract=off", f"-I{ROOT / 'csrc'}", "-shared", "-fPIC", "-Wl,-z,defs"]
    done = subprocess.run(["cc", *flags, *core, "-o", tmp_path / "core.so"], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
