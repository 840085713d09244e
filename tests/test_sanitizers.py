"""What tests/sanitizers/run.py says where it cannot run: its checks take too long for this suite."""

import pytest
from sanitizers import run


def test_a_missing_tool_is_not_a_failure(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert run.main(["memcheck", "threads"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NOT RUN: memcheck: no valgrind",
        "NOT RUN: threads: no clang",
        "0 passed, 0 failed, 2 not run",
    ]


def test_an_unknown_check():
    with pytest.raises(SystemExit, match="no check nonsense: there are pages"):
        run.main(["nonsense"])
