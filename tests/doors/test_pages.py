"""The pages of the doors, and the examples beside them."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def output(example, *options, **environment):
    command = [sys.executable, "-W", "error", ROOT / "examples" / "doors" / f"{example}.py", *options]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", text)]


@pytest.mark.parametrize("door", ["onnx", "thinc"])
def test_the_examples_of_a_page(door):
    pytest.importorskip(f"fastdrop.{door}", exc_type=ImportError)
    result = doctest.testfile(str(ROOT / "docs" / "doors" / f"{door}.md"), module_relative=False)
    assert (result.failed, result.attempted >= 6) == (0, True)


def test_onnx_uncertainty():
    pytest.importorskip("onnxruntime")
    rows = [numbers(line) for line in output("onnx_uncertainty").splitlines()[1:]]
    spread = {x: std for x, _, _, std in rows}
    assert len(rows) == 9
    assert min(spread[-4], spread[4]) > 3 * max(spread[-1], spread[0], spread[1])
    assert max(abs(sine - mean) for x, sine, mean, _ in rows if abs(x) <= 2) < 0.2


def test_thinc_backend():
    pytest.importorskip("thinc")
    printed = output("thinc_backend", "--width", "64", "--steps", "60").splitlines()
    for line in printed[:2]:
        first, last, _ = numbers(line)
        assert last < first - 0.1
    assert printed[2].startswith("time by fastdrop / by numpy")


def test_autograd():
    pytest.importorskip("autograd")
    before, after = numbers(output("autograd_dropout"))
    assert after < before / 4


def test_autograd_gradients(monkeypatch):
    np = pytest.importorskip("autograd.numpy")
    from autograd.test_util import check_grads

    import fastdrop as fd

    monkeypatch.syspath_prepend(str(ROOT / "examples" / "doors"))
    import autograd_dropout as example

    x = np.linspace(-1, 1, 60).reshape(5, 12)
    check_grads(lambda x: example.dropout(np.sin(x), 0.5, 3), modes=["rev"], order=2)(x)
    mask = fd.dropout(x, 0.5, rng=3)[1].to_bool()
    assert (example.dropout(x, 0.5, 3) == np.where(mask, x * 2, 0)).all()


def test_sparse():
    pytest.importorskip("scipy")
    lines = output("sparse_dropout").splitlines()
    stored, _, dropped = numbers(lines[0])
    assert abs(dropped - 0.2 * stored) < 5 * (0.2 * 0.8 * stored) ** 0.5
    assert numbers(lines[3]) == [stored - dropped]


def test_dlpack():
    lines = output("dlpack_dropout").splitlines()
    kept, size, total = numbers(lines[0])
    assert (size, total, numbers(lines[1])) == (32, 2 * kept, [4 * kept])
    assert lines[2] == "in place the same: True"
