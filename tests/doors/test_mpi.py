"""Ranks of MPI and of gloo: `ranks.py` says what each does, the page docs/doors/mpi.md what users do."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    not (MPIEXEC and importlib.util.find_spec("mpi4py")), reason="NOT RUN: no mpi4py, or no mpiexec"
)


def mpi(ranks, *script):
    command = [MPIEXEC, "-n", str(ranks), sys.executable, "-m", "mpi4py", *script]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_mpi
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_ranks_of_mpi(ranks):
    assert f"{ranks} ranks agree" in mpi(ranks, HERE / "ranks.py", "mpi")


@needs_mpi
def test_the_recipe_of_the_page(tmp_path):
    page = (HERE.parents[1] / "docs" / "doors" / "mpi.md").read_text(encoding="utf-8")
    recipe = tmp_path / "train.py"
    recipe.write_text(re.search(r"```python\n(.*?)```", page, re.S)[1], encoding="utf-8")
    alone, together = (mpi(ranks, recipe) for ranks in (1, 3))
    assert re.fullmatch(r"sum of squared weights: \d+\.\d{10}\n", alone)
    assert together == alone


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="NOT RUN: no torch")
def test_ranks_of_gloo(tmp_path):
    command = [sys.executable, HERE / "ranks.py", "gloo"]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), "2", tmp_path / "store"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env=ENVIRONMENT,
        )
        for rank in range(2)
    ]
    printed = [process.communicate()[0] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], printed
    assert "2 ranks agree" in printed[0]
