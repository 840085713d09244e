"""The runner of the C core's fuzzer, without what it needs."""

import pytest
from fuzz import run


@pytest.mark.skipif(not run.CSRC.is_dir(), reason="no sources beside the tests")
def test_a_missing_compiler_is_not_a_failure(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert run.main([]) == 0
    assert capsys.readouterr().out.splitlines() == ["NOT RUN: core: no clang-14", "0 passed, 0 failed, 1 not run"]
