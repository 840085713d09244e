"""The example and the page of the scikit-learn door."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
ROOT = Path(__file__).resolve().parents[2]


def test_the_example():
    command = [sys.executable, ROOT / "examples" / "doors" / "sklearn_digits.py", "--width", "32", "--samples", "10"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    for word in ("dropout= 0.5", "best rate", "right: mean entropy", "wrong: mean entropy"):
        assert word in done.stdout


def test_the_examples_of_the_page():
    result = doctest.testfile(str(ROOT / "docs" / "doors" / "sklearn.md"), module_relative=False)
    assert (result.failed, result.attempted > 5) == (0, True)
