"""The long form, and the table of what was measured: `python -m pytest tests/statistics --full --table`.

This folder must have no __init__.py: it would hide Python's own module `statistics`.
"""

import re
from pathlib import Path

import pytest

import fastdrop as fd

README = Path(__file__).with_name("README.md")
HEADER = ["statistic", "elements", "expected", "at most", "got", "got from a planted fault"]
rows: list[list[str]] = []


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="long forms of the statistics: minutes")
    parser.addoption("--table", action="store_true", help="write what is measured into tests/statistics/README.md")


@pytest.fixture
def full(request):
    """Whether this is the long form; the options are unknown where pytest was not pointed at this folder."""
    return request.config.getoption("full", False)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The masks are the same, and many short calls in several threads are slow where others use the processor."""
    old = fd.get_num_threads()
    fd.set_num_threads(1)
    yield
    fd.set_num_threads(old)


@pytest.fixture
def check():
    """Assert that the library passes, and that every planted fault is found; note both for the table."""

    def check(name, n, got, **faults):
        found = ", ".join(f"{fault}: {number(control.value)}" for fault, control in faults.items())
        rows.append([name, size(n), *map(number, (got.expected, got.bound, got.value)), found])
        assert got.passes, got
        assert faults
        assert not any(control.passes for control in faults.values()), faults

    return check


def number(value):
    return f"{value:.3g}" if isinstance(value, float) and value < 1000 else f"{value:.0f}"


def size(n):
    """n, as the power of two that it mostly is."""
    return f"2^{n.bit_length() - 1}" if n.bit_count() == 1 else f"{n:.0e}".replace("e+0", "e")


def pytest_terminal_summary(terminalreporter):
    if not terminalreporter.config.getoption("table", False):
        return
    table = "".join("| " + " | ".join(row) + " |\n" for row in [HEADER, ["---"] * len(HEADER), *rows])
    text = README.read_text(encoding="utf-8")
    README.write_text(
        re.sub(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", lambda _: table, text, flags=re.DOTALL), encoding="utf-8"
    )
    terminalreporter.write_line(f"what was measured is in {README}")
