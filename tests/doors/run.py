#!/usr/bin/env python3
"""The long form of the tests of a door, in environments of its own: python tests/doors/run.py sklearn.

PyTorch's tests are not in its wheel: python tests/doors/run.py torch --theirs FILE, its test_dropout.py.
For the oldest and the newest release that a door supports an environment is made below --folder, and kept there; the
installed fastdrop is copied into it, so that nothing is built.
"""

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import fastdrop

HERE = Path(__file__).resolve().parent
PYTEST = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
OURS = [*PYTEST, "-c", str(HERE.parents[1] / "pyproject.toml")]
THEIRS = "FILE"  # stands for the option --theirs
SWAPS = ("modules", "operator")

# For each door: what the oldest environment installs, and the newest; and what is run in both.
DOORS = {
    "dask": (
        {
            "oldest": ["dask[array]==2024.1.*", "distributed==2024.1.*", "numpy==1.26.*"],
            "newest": ["dask[array]", "distributed"],
        },
        [[*OURS, str(HERE / "test_dask.py"), str(HERE / "long_dask.py")]],
    ),
    "mpi": ({"newest": ["mpi4py", "mpich", "torch==2.13.0"]}, [[*OURS, str(HERE / "test_mpi.py")]]),
    "onnx": (
        {"newest": ["onnx", "onnxruntime", "onnxscript", "torch==2.13.0"]},
        [[*OURS, str(HERE / "test_onnx.py"), str(HERE / "long_onnx.py")]],
    ),
    "sklearn": (
        {"oldest": ["scikit-learn==1.3.*", "numpy==1.26.*", "scipy==1.11.*"], "newest": ["scikit-learn"]},
        [
            [*OURS, str(HERE / "test_sklearn.py"), str(HERE / "long_sklearn.py")],
            [*PYTEST, "-c", os.devnull, "-p", "swapped_mlp", "--pyargs", "sklearn.neural_network.tests.test_mlp"],
        ],
    ),
    "thinc": (
        {"oldest": ["thinc==8.3.*", "hypothesis", "mock"], "newest": ["thinc", "hypothesis", "mock"]},
        [
            [*OURS, str(HERE / "test_thinc.py")],
            [*PYTEST, "-c", os.devnull, "-p", "swapped_ops", "--pyargs", "thinc"],
        ],
    ),
    "torch": (
        {"newest": ["torch==2.13.0", "expecttest", "scikit-learn"]},
        [
            [*OURS, *map(str, sorted(HERE.glob("test_torch*.py"))), str(HERE / "long_torch.py")],
            *([*PYTEST, "-c", os.devnull, "-p", "swapped_torch", f"--swap={swap}", THEIRS] for swap in SWAPS),
        ],
    ),
}


def environment(folder, packages):
    """Return the interpreter of an environment with pytest, those packages and the fastdrop of this interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True, symlinks=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "pytest", "ml_dtypes", *packages], check=True)
    places = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site = subprocess.run([python, "-c", places], capture_output=True, encoding="utf-8", check=True).stdout.strip()
    shutil.copytree(Path(fastdrop.__file__).parent, Path(site) / "fastdrop", dirs_exist_ok=True)
    return python


def main():
    """Run the long form of one door; the exit status is 0 where everything passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("door", choices=DOORS)
    parser.add_argument(
        "--folder", type=Path, default=Path.home() / ".cache" / "fastdrop-doors", help="of environments"
    )
    parser.add_argument("--theirs", type=Path, help="the other project's tests, where its wheel has none")
    options = parser.parse_args()
    releases, commands = DOORS[options.door]
    if options.theirs is None and any(THEIRS in command for command in commands):
        parser.error(f"the door {options.door} needs --theirs")
    commands = [[str(options.theirs) if word == THEIRS else word for word in command] for command in commands]
    paths = os.pathsep.join(str(path) for path in (HERE, HERE.parent))
    failed = 0
    for release, packages in releases.items():
        python = environment(options.folder / f"{options.door}-{release}", packages)
        for command in commands:
            print(f"== {options.door}, {release}: {' '.join(command)}", flush=True)
            done = subprocess.run([python, *command], env=os.environ | {"PYTHONPATH": paths}, check=False)
            failed += done.returncode != 0
    sys.exit(failed != 0)


if __name__ == "__main__":
    main()
