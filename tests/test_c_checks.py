"""The C core with other compilers, instruction sets and architectures: see c/run.py."""

import pytest
from c import python_suite, run

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


def test_the_python_suite_without_its_tools(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert python_suite.main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NOT RUN: aarch64: no qemu-aarch64-static",
        "0 passed, 0 failed, 1 not run",
    ]


@pytest.mark.parametrize("name", python_suite.LEFT_OUT)
def test_what_the_python_suite_leaves_out_is_there(name):
    path, _, test = name.partition("::")
    assert not test or f"def {test}(" in (run.TESTS / path).read_text(encoding="utf-8")
    assert (run.TESTS / path).is_file()


@pytest.mark.parametrize(
    ("script", "counts"),
    [
        ("echo '7 passed, 2 skipped in 1.00s'", {"passed": 7, "skipped": 2}),
        ("echo '1 failed, 7 passed, 1 warning, 2 errors in 1.00s'; exit 1", {"failed": 1, "passed": 7, "error": 2}),
        ("echo '.....'; exit 139", {"failed": 1}),
        ("exit 1", {"failed": 1}),
    ],
    ids=["passes", "fails", "crashes", "does not start"],
)
def test_the_python_suite_counts(script, counts, tmp_path):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    assert python_suite.tested(python, tmp_path, run.TESTS / "test_rng.py") == counts
