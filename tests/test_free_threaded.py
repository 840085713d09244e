"""What tests/free_threaded/run.py says where it cannot run: to build an interpreter takes too long for this suite."""

from free_threaded import interpreter, run


def test_a_missing_tool_is_not_a_failure(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(interpreter, "CACHE", tmp_path)
    assert run.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        "NOT RUN: tests: no gcc",
        "NOT RUN: tests in threads: no gcc",
        "0 passed, 0 failed, 2 not run",
    ]
