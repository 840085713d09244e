"""Runs the Python tests without the GIL: `python tests/free_threaded/run.py`.

A line each for the whole suite, and for a part of it with every test in 8 threads at once; exit status 1 on a failure.
The first run builds CPython 3.13t (minutes), where Debian's sources and gcc can be had.
"""

import functools
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from c.run import execute, report  # noqa: E402
from free_threaded.interpreter import free_threaded  # noqa: E402
from sanitizers.python_tests import OTHER_BUILDS  # noqa: E402

THREADS = 8
SHARED = ["errors", "layers", "mask", "rng", "saved"]  # all other tests many at once would take an hour
FREE = "import sys, fastdrop; assert not sys._is_gil_enabled(), 'fastdrop wants the GIL'"


@functools.cache
def installed(folder):
    """The interpreter of an environment with fastdrop and what its tests need, where no import brings the GIL back."""
    python = folder / "environment" / "bin" / "python"
    execute(free_threaded(folder), "-m", "venv", python.parents[1])
    pip = [python, "-m", "pip", "install", "-q", "--prefer-binary"]
    execute(*pip, f"{ROOT}[test]", "pytest-run-parallel", timeout=3600)
    execute(python, "-W", "error", "-c", FREE)
    return python


def passed(folder, *options):
    """What pytest counts. PYTHON_GIL=0: no other package that the tests import brings the GIL back."""
    python = installed(folder)
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    said = execute("env", f"--chdir={ROOT}", "PYTHON_GIL=0", *command, timeout=3600)
    version = execute(python, "-c", "import platform; print(platform.python_version())").strip()
    return f"Python {version}t; {re.search(r'([0-9]+ passed.*) in ', said)[1]}"


def tests(folder):
    return passed(folder, "tests", *[f"--ignore=tests/{name}" for name in OTHER_BUILDS])


def tests_in_threads(folder):
    """But for those of numpy.random's global state, which is one for all threads."""
    options = [f"--parallel-threads={THREADS}", "-k", "not numpys_global_state"]
    return passed(folder, *options, *[f"tests/test_{name}.py" for name in SHARED])


CHECKS = {"tests": tests, "tests in threads": tests_in_threads}


def run(name, folder):
    begin = time.perf_counter()
    return f"{CHECKS[name](folder)}; {time.perf_counter() - begin:.0f} s"


def main():
    return report(CHECKS, run)


if __name__ == "__main__":
    sys.exit(main())
