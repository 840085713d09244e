#!/usr/bin/env python3
"""Opens doors as strangers do, and runs their tests: python tests/doors/run.py sklearn dask, or all but torch's.

For the oldest and the newest release that a door supports there is a fresh environment: the wheel of this checkout with
the door's extra, the lines of the door's page as they stand, then our tests and the other project's own.
`--short` is the newest release and the short ones of our tests. PyTorch's tests are not in its wheel:
python tests/doors/run.py torch --theirs FILE, its test_dropout.py.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OURS = ["-q", "-rs", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(HERE.parent)]
TORCH = "torch==2.13.0"  # on the CPU; other releases bring gigabytes for GPUs
FILE = "FILE"  # stands for the option --theirs


class Door(NamedTuple):
    """What a door is tested by."""

    tests: tuple[str, ...]
    long: tuple[str, ...] = ()  # more of our tests
    beside: tuple[str, ...] = ()  # packages that those need
    newest: tuple[str, ...] = ()  # what is pinned in the newest environment
    oldest: tuple[str, ...] = ()  # and in the oldest; none where only one release is supported
    theirs: tuple[tuple[str, ...], ...] = ()  # pytest's arguments for the other project's tests
    needs: tuple[str, ...] = ()  # packages that those need


DOORS = {
    "dask": Door(
        ("test_dask.py", "test_dask_example.py"),
        long=("long_dask.py",),
        oldest=("dask[array]==2024.1.*", "distributed==2024.1.*", "numpy==1.26.*"),
    ),
    "examples": Door(("test_pages.py", "../test_examples.py"), newest=("autograd", "numba", "scipy")),
    "mpi": Door(("test_mpi.py",), beside=(TORCH,)),
    "onnx": Door(("test_onnx.py", "test_pages.py"), long=("long_onnx.py",), beside=("onnxscript", TORCH)),
    "sklearn": Door(
        ("test_sklearn_example.py",),
        long=("test_sklearn.py", "long_sklearn.py"),  # the first is in the suite too, whose extra has scikit-learn
        oldest=("scikit-learn==1.3.*", "numpy==1.26.*", "scipy==1.11.*"),
        theirs=(("-p", "swapped_mlp", "--pyargs", "sklearn.neural_network.tests.test_mlp"),),
    ),
    "thinc": Door(
        ("test_thinc.py", "test_pages.py"),
        oldest=("thinc==8.3.*",),
        theirs=(("-p", "swapped_ops", "--pyargs", "thinc"),),
        needs=("hypothesis", "mock"),
    ),
    "torch": Door(
        tuple(path.name for path in sorted(HERE.glob("test_torch*.py"))),
        long=("long_torch.py",),
        newest=(TORCH,),
        theirs=tuple(("-p", "swapped_torch", f"--swap={swap}", FILE) for swap in ("modules", "operator")),
        needs=("expecttest", "scikit-learn"),  # the example needs the second
    ),
}


def succeeds(*command):
    """Say a command and run it, with our tests' modules on the path; whether it succeeded."""
    print("==", *(str(word).replace(f"{ROOT}/", "") for word in command[1:]), flush=True)
    paths = os.pathsep.join(str(path) for path in (HERE, HERE.parent))
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, cwd=ROOT, check=False).returncode == 0


def fresh(folder, *packages):
    """Return the interpreter of a new environment with those packages."""
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def opened(name, release, wheel, folder, options):
    """Return how many of a door's commands failed with a release."""
    door = DOORS[name]
    python = fresh(folder / f"{name}-{release}", f"numpy-fastdrop[{name}] @ {wheel.as_uri()}", *getattr(door, release))
    page = ROOT / "docs" / "doors" / f"{name}.md"
    done = [succeeds(python, "-m", "doctest", page)] if page.exists() else []
    more = () if options.short else (*door.beside, *door.needs)
    pinned = getattr(door, release)  # again: what is added must not bring another NumPy
    subprocess.run([python, "-m", "pip", "install", "-q", "pytest", "ml_dtypes", *more, *pinned], check=True)
    pytest = [python, "-m", "pytest", "-p", "no:cacheprovider"]
    tests = door.tests if options.short else door.tests + door.long
    done.append(succeeds(*pytest, *OURS, *(HERE / test for test in tests)))
    for arguments in () if options.short else door.theirs:
        words = [str(options.theirs) if word == FILE else word for word in arguments]
        done.append(succeeds(*pytest, "-q", "-c", os.devnull, *words))
    return done.count(False)


def main():
    """Open the doors; the exit status is 0 where everything passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("doors", nargs="*", metavar="DOOR", help=", ".join(DOORS))
    parser.add_argument("--short", action="store_true", help="the newest releases, and no other project's tests")
    parser.add_argument("--theirs", type=Path, help="PyTorch's test_dropout.py")
    options = parser.parse_args()
    names = options.doors or [name for name in DOORS if name != "torch"]
    if unknown := set(names) - set(DOORS):
        parser.error(f"no door is called {', '.join(sorted(unknown))}; there are {', '.join(DOORS)}")
    if "torch" in names and not options.short and options.theirs is None:
        parser.error("the door torch needs --theirs")
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT)]
        subprocess.run(build, check=True)
        (wheel,) = Path(folder).glob("*.whl")
        for name in names:
            releases = ["newest"] if options.short or not DOORS[name].oldest else ["oldest", "newest"]
            failed += sum(opened(name, release, wheel, Path(folder), options) for release in releases)
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
