"""The known answers of the mask stream as pytest reads them: stream-check.json, made apart, and vectors.json."""

import json
from pathlib import Path

import pytest

FILES = [Path(__file__).with_name(f"{name}.json") for name in ("stream-check", "vectors")]


def section(name):
    """The cases of a section of both files, whose title may go on with the names of the columns."""
    return [
        pytest.param(*case, id=f"{file.stem}-{i}")
        for file in FILES
        for title, cases in json.loads(file.read_text(encoding="utf-8")).items()
        if title.split(":")[0] == name
        for i, case in enumerate(cases)
    ]


def words(key):
    return tuple(int(k, 16) for k in key)


def ints(texts):
    return tuple(map(int, texts))
