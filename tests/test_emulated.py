"""The C core with other compilers, instruction sets and architectures: see emulated/run.py."""

import pytest
from emulated import run

if not run.CSRC.is_dir():
    pytest.skip("no sources beside the tests", allow_module_level=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("emulated")


@pytest.mark.parametrize("target", run.TARGETS)
def test_core(target, folder):
    try:
        print(run.run(target, folder))
    except run.NotRunError as reason:
        pytest.skip(f"NOT RUN: {target}: {reason}")


def test_a_missing_tool_is_not_a_failure(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert run.main(["clang", "s390x"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NOT RUN: clang: no clang",
        "NOT RUN: s390x: no s390x-linux-gnu-gcc",
        "0 passed, 0 failed, 2 not run",
    ]
