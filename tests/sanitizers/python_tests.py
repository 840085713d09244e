"""The Python tests over an extension that a sanitizer watches, in a copy of the project."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

from c.run import FailedError, NotRunError, execute

ROOT = Path(__file__).resolve().parents[2]
# They build and install the library anew: that is not the extension which is watched.
OTHER_BUILDS = ("package", "c_checks", "sanitizers", "free_threaded", "c_face", "benchmarks")
OTHER_BUILDS = [f"test_{name}.py" for name in OTHER_BUILDS]
TIMEOUT = 3600  # seconds, for the build and for each file of tests: a busy machine takes minutes


def build(folder, compiler, *flags):
    """The copy, its extension built in place."""
    for module in ("Cython", "setuptools", "pytest", "numpy"):
        if not importlib.util.find_spec(module):
            raise NotRunError(f"no {module}")
    copy = folder / f"python-{Path(compiler).name}"
    for name in ("src", "csrc", "tests", "benchmarks", "examples"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, copy)
    setup = copy / "setup.py"
    text = setup.read_text(encoding="utf-8").replace('"-O2"', '"-O1"')  # half the time, and better reports
    setup.write_text(text, encoding="utf-8")
    variables = [f"CC={compiler}", f"CFLAGS={' '.join(flags)}", f"LDFLAGS={' '.join(flags)}"]
    python = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    execute("env", f"--chdir={copy}", *variables, *python, timeout=TIMEOUT)
    return copy


def require_report(text, copy, environment, code):
    """A negative control: the sanitizer has to say this of what the code does."""
    try:
        execute("env", f"PYTHONPATH={copy / 'src'}", *environment, sys.executable, "-c", code)
    except FailedError as reason:
        if text in str(reason):
            return
        raise
    raise FailedError(f"a planted {text} was not found")


def passed(copy, environment, files=None):
    """What pytest counts, a process a file; all files where none are named."""
    names = files or sorted({path.name for path in (copy / "tests").glob("test_*.py")} - {*OTHER_BUILDS})
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    pytest.append("--capture=sys")  # a report goes past sys.stderr, and pytest would not live to show it
    tests = 0
    for name in names:
        variables = [f"PYTHONPATH={copy / 'src'}", *environment]
        said = execute("env", f"--chdir={copy}", *variables, *pytest, copy / "tests" / name, timeout=TIMEOUT)
        tests += int((re.search(r"(\d+) passed", said) or ["", "0"])[1])
    return f"{len(names)} files; {tests} tests"
