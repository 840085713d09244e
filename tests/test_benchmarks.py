"""The programs of benchmarks/: that they run, in short forms, and what they say of themselves."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("no benchmarks beside the tests", allow_module_level=True)
PROGRAMS = sorted(path.name for path in BENCHMARKS.glob("*.py") if not path.name.startswith(("test_", "conftest")))


def script(name, *arguments):
    command = [sys.executable, BENCHMARKS / name, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_help(name):
    if name == "torch_dropout.py":
        pytest.importorskip("torch")
    done = script(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {name}")
    assert " ns" not in done.stdout.splitlines()[0]
    assert len(done.stdout.splitlines()) < 20


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_page_names_every_program(name):
    assert f"benchmarks/{name}" in (BENCHMARKS / "README.md").read_text(encoding="utf-8")


def test_the_table_says_which_json_it_reads(tmp_path):
    (tmp_path / "other.json").write_text('{"benchmarks": []}', encoding="utf-8")
    done = script("table.py", tmp_path / "other.json")
    assert done.returncode == 2
    assert "python -m fastdrop bench" in done.stderr.splitlines()[-1]


FAKE_CLOCK = """
import itertools, time
readings = itertools.count(0, 64)
def perf_counter():
    return float(next(readings))
time.perf_counter = perf_counter
"""


def test_small_calls_are_given_as_one_call(tmp_path):
    """By a clock that says 64 seconds for each round, which is of 64 calls on up to 64 elements."""
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "fake_clock.py").write_text(FAKE_CLOCK, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "fake_clock",
        "benchmarks",
        "--quick",
    ]
    command += ["-k", "small_calls", f"--benchmark-json={tmp_path / 'figures.json'}"]
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", cwd=ROOT, env={**environment, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stdout[-2000:]
    rows = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["benchmarks"]
    medians = {row["stats"]["median"] for row in rows if row["extra_info"]["n"] <= 64}
    assert medians == {1.0}


@pytest.mark.skipif(shutil.which("cc") is None, reason="no cc here")
def test_the_c_benchmark_by_its_own_lines(tmp_path):
    for name in ("csrc", "src/fastdrop/_commands/benchmark", "benchmarks", "tests/c"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    top = (BENCHMARKS / "core.c").read_text(encoding="utf-8").split("*/")[0]
    lines = re.sub(r"^ \* ?", "", top, flags=re.M).replace("\\\n", " ")
    commands = re.findall(r"^ +(cc .*)$", lines, re.M)
    assert len(commands) == 2
    for command in commands:
        openmp = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, encoding="utf-8")
        assert openmp.returncode == 0, openmp.stderr
    done = subprocess.run(["./core", "quick"], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^(\w.*?) +64 Ki .* ratio (\S+)", done.stdout, re.M)
    assert {name for name, _ in rows} == {
        "forward",
        "forward, no bits",
        "backward",
        "channels of 1 Ki",
        "rows",
        "units",
    }
    assert all(float(ratio) > 0 for _, ratio in rows)
