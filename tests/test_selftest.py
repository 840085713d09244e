"""python -m fastdrop selftest: every backend, every section, and that it can fail."""

import re

import make_vectors
import numpy as np
import pytest
from test_cli import run
from test_vectors import SECTIONS, spoilt

import fastdrop as fd
from fastdrop.__main__ import main
from fastdrop._commands import selftest as _selftest

LINES = [("any", name) for name in _selftest.KEYS]
LINES += [(backend, name) for backend in fd.backends() for name in _selftest.MASKS]


def said(output):
    """What a line says, by backend and section; a line that is no section's is not expected."""
    first, *lines, _ = output.splitlines()
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
    assert done.stdout.splitlines()[-1] == f"{sum(int(count) for count, _ in answers.values()):,} answers hold"
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
    output = capsys.readouterr().out
    failed = failures(output)
    assert failed == {line for line in LINES if line[1] == name}
    assert output.splitlines()[-1].startswith(f"{len(failed)} of ")
    assert (fd.backend(), fd.get_num_threads()) == before


def failures(output):
    """The lines that are not ok."""
    return {line for line, (_, verdict) in said(output).items() if verdict != "ok"}


def scaled_again(y, mask):
    return y * np.float32(1.0000002), mask


def inverted_bits(y, mask):
    return y, fd.Mask.from_bool(~mask.to_bool(), float(mask.p), scale=1.0) if np.ndim(mask.p) == 0 else mask


FAULTS = {  # a dropout that is wrong at one thing alone: when it is, what it returns, and the lines that must say so
    **{
        name: (lambda name=name, **_: fd.backend() == name, scaled_again, {line for line in LINES if line[0] == name})
        for name in fd.backends()
    },
    **{
        f"{n} threads": (
            lambda n=n, **_: fd.get_num_threads() == n,
            scaled_again,
            {(name, "long mask") for name in fd.backends()},
        )
        for n in _selftest.THREADS
        if n not in (1, fd.get_num_threads())
    },
    **{
        f"{option}={value}": (
            lambda option=option, value=value, **options: options[option] == value,
            scaled_again,
            {line for line in LINES if line[0] != "any"},
        )
        for option, values in {"store": ("bits", "recipe"), "inverted": (True, False)}.items()
        for value in values
    },
    "bits": (
        lambda **_: True,
        inverted_bits,
        {(name, section) for name in fd.backends() for section in ("mask", "long mask", "window", "noise window")},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_dropout_that_is_wrong_at_one_thing_fails(fault, monkeypatch, capsys):
    when, spoil, lines = FAULTS[fault]

    def dropout(x, p, **options):
        result = fd.dropout(x, p, **options)
        return spoil(*result) if when(**options) else result

    monkeypatch.setattr(_selftest, "dropout", dropout)
    assert not _selftest.selftest()
    assert failures(capsys.readouterr().out) == lines


def test_a_wrong_gradient_fails(monkeypatch, capsys):
    monkeypatch.setattr(_selftest, "dropout_backward", lambda dy, mask: fd.dropout_backward(dy, mask) * np.float32(1.1))
    assert not _selftest.selftest()
    assert failures(capsys.readouterr().out) == {line for line in LINES if line[0] != "any"}
