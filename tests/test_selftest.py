"""python -m fastdrop selftest: every backend, every section, and that it can fail."""

import re

import make_vectors
import pytest
from test_cli import run
from test_vectors import SECTIONS, spoilt

import fastdrop as fd
from fastdrop import _selftest
from fastdrop.__main__ import main

LINES = [("any", name) for name in _selftest.KEYS]
LINES += [(backend, name) for backend in fd.backends() for name in _selftest.MASKS]


def said(output):
    """What a line says, by backend and section; a line that is no section's is not expected."""
    first, *lines = output.splitlines()
    assert first == f"fastdrop {fd.__version__}, mask stream version 1"
    found = [re.fullmatch(r"(\w+) +(\w[\w ]*\w) +(\d+)  (.*\S) +\d+\.\d\d s", line) for line in lines]
    return {match.group(1, 2): match.group(3, 4) for match in found}


def test_the_package_holds_the_vectors():
    assert _selftest.VECTORS.read_bytes() == make_vectors.PATH.read_bytes(), "install again: the build copies them"


def test_every_backend_gives_every_answer():
    done = run("selftest")
    assert done.returncode == 0, done.stdout + done.stderr
    answers = said(done.stdout)
    assert list(answers) == LINES
    own = 7  # of fold_in's cases: an array p's, which has no public name
    for (_, name), answer in answers.items():
        assert answer == (str(len(SECTIONS[name][1]) - own * (name == "fold_in")), "ok")


@pytest.mark.parametrize("name", [*_selftest.KEYS, *_selftest.MASKS])
def test_a_wrong_answer_fails(name, tmp_path, monkeypatch, capsys):
    path, before = tmp_path / "vectors.json", (fd.backend(), fd.get_num_threads())
    path.write_text(spoilt(name), encoding="utf-8")
    monkeypatch.setattr(_selftest, "VECTORS", path)
    with pytest.raises(SystemExit) as exit:
        main(["selftest"])
    assert exit.value.code == 1
    failed = {line for line, (_, verdict) in said(capsys.readouterr().out).items() if verdict != "ok"}
    assert failed == {line for line in LINES if line[1] == name}
    assert (fd.backend(), fd.get_num_threads()) == before
