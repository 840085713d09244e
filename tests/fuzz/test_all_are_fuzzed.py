"""No public name is left out of the fuzzing."""

from pathlib import Path

import pytest

import fastdrop as fd

WITHOUT_ARGUMENTS = {"__version__", "backend", "backends", "get_include", "show_config", "MonteCarlo"}


@pytest.mark.parametrize("name", sorted(set(fd.__all__) - WITHOUT_ARGUMENTS))
def test_is_called_by_a_fuzzing_test(name):
    assert any(f"fd.{name}" in path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*_*.py"))
