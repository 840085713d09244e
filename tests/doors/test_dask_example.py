"""The example and the page of the dask door, and the examples of its docstrings."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dask.array")
ROOT = Path(__file__).resolve().parents[2]


def test_the_example():
    command = [sys.executable, ROOT / "examples" / "doors" / "dask_rows.py", "--rows", "2000", "--samples", "3"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("backward the same elements: True") == 2
    assert "agree to rounding: True" in done.stdout


def test_the_examples_of_the_page():
    result = doctest.testfile(str(ROOT / "docs" / "doors" / "dask.md"), module_relative=False)
    assert (result.failed, result.attempted > 10) == (0, True)


def test_the_examples_of_the_docstrings():
    import fastdrop.dask

    result = doctest.testmod(fastdrop.dask)
    assert (result.failed, result.attempted > 10) == (0, True)
