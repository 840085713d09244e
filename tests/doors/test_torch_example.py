"""The example, the docstrings and the page of the PyTorch door."""

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[2]


def test_the_example():
    pytest.importorskip("sklearn")
    command = [sys.executable, ROOT / "examples" / "doors" / "torch_digits.py", "--epochs", "1", "--samples", "3"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    for word in ("torch.nn.modules.dropout", "fastdrop.torch", "% right", "where right", "where wrong"):
        assert word in done.stdout


def test_the_examples_of_the_page():
    result = doctest.testfile(str(ROOT / "docs" / "doors" / "torch.md"), module_relative=False)
    assert (result.failed, result.attempted > 5) == (0, True)


def test_the_examples_of_the_docstrings():
    import fastdrop.torch

    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    for name in fastdrop.torch.__all__:
        runner.run(parser.get_doctest(getattr(fastdrop.torch, name).__doc__, {}, name, None, None))
    assert runner.summarize() == (0, runner.tries)
    assert runner.tries > 10
