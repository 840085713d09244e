"""The examples, in short forms of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("no examples beside the tests", allow_module_level=True)


def test_uncertainty(tmp_path):
    for needed in ("matplotlib", "scipy", "sklearn"):
        pytest.importorskip(needed)
    picture = tmp_path / "uncertainty.png"
    options = ["--samples", "10", "--epochs", "2", "--plot", picture]
    command = [sys.executable, EXAMPLES / "use" / "uncertainty.py", *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    for word in ("entropy", "mutual information", "right", "wrong", "rotation", "180"):
        assert word in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_numba_core():
    pytest.importorskip("numba")
    command = [sys.executable, EXAMPLES / "doors" / "numba_core.py"]
    environment = os.environ | {"CFLAGS": "-O0"}  # the build is most of the time
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "the package gives the same: True" in done.stdout
