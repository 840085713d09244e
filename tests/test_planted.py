"""The list of planted faults: each can still be planted, and names tests that are there. See planted/run.py."""

import os
import shutil
import subprocess
import sys

import pytest
from planted import run

FAULTS = run.read_faults()
if not (run.ROOT / "csrc").is_dir():
    pytest.skip("no sources beside the tests", allow_module_level=True)


def test_there_are_enough_of_them():
    assert len(FAULTS) >= 150
    assert len({fault.id for fault in FAULTS}) == len({fault[2:5] for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_applies_and_names_its_tests(fault):
    assert run.misfit(fault) == ""
    assert fault.tests
    for test in fault.tests:
        path, _, name = test.partition("::")
        assert test in run.C_CHECKS or (run.ROOT / path).is_file(), test
        assert not name or f"def {name.partition('[')[0]}(" in (run.ROOT / path).read_text(encoding="utf-8"), test


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a\nb\n", ""),
        ("a\na\n", "the old text is found 2 times"),
        ("b\n", "the old text is found 0 times"),
        (None, "the old text is found 0 times"),
    ],
)
def test_what_cannot_be_planted(text, why, tmp_path):
    if text is not None:
        (tmp_path / "file.py").write_text(text, encoding="utf-8")
    assert run.misfit(FAULTS[0]._replace(file="file.py", old="a", new="c"), tmp_path) == why


@pytest.mark.parametrize(
    ("survives", "wrong", "status"),
    [([], [], 0), (FAULTS[:1], [], 1), ([], FAULTS[:1], 1)],
    ids=["none", "one", "wrong"],
)
def test_the_exit_status(survives, wrong, status, monkeypatch, capsys):
    monkeypatch.setattr(run, "plant", lambda faults, cache: (survives, wrong))
    assert run.main(["--short"]) == status
    assert (FAULTS[0].id in capsys.readouterr().out) == bool(status)


def test_the_short_form_has_a_fault_of_each_subject(monkeypatch):
    planted = []
    monkeypatch.setattr(run, "plant", lambda faults, cache: (planted.extend(faults), ([], []))[1])
    run.main(["--short"])
    assert [fault.subject for fault in planted] == sorted({fault.subject for fault in FAULTS}, reverse=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no cc here")
def test_the_compiler_remembers(tmp_path):
    cache, source, target = tmp_path / "cache", tmp_path / "a.c", tmp_path / "a.o"
    cache.mkdir()

    def compiled(text):
        """The exit status, whether there is an object, and how many names are kept: of texts and of what they mean."""
        source.write_text(text, encoding="utf-8")
        target.unlink(missing_ok=True)
        command = [sys.executable, run.HERE / "compiler.py", "cc", "-O2", "-c", source, "-o", target]
        done = subprocess.run(command, env=os.environ | {"PLANTED_CACHE": str(cache)}, capture_output=True)
        return done.returncode, target.exists(), len(list(cache.iterdir()))

    assert compiled("int a = 1;\n") == (0, True, 2)
    assert compiled("/* said otherwise */\nint a = 1;\n") == (0, True, 3)
    assert compiled("int a = 2;") == (0, True, 5)
    assert compiled("int a = ;") == (1, False, 5)
