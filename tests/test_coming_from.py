"""The page for people who come from other libraries: what it says to write is there, and is what errors say."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import fastdrop as fd
from fastdrop._foreign_words import KEYWORDS, NAMES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "use" / "coming_from.md"
if not PAGE.is_file():
    pytest.skip("no pages beside the tests", allow_module_level=True)
SECTIONS = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", PAGE.read_text(encoding="utf-8"), re.M))
OBJECTS = {"rng": fd.Rng, "layer": fd.Dropout, "mask": fd.Mask}


def rows(section):
    """The rows of a section's table, each a list of the code in each of its columns."""
    lines = re.findall(r"^\|(.*)\|$", SECTIONS[section], re.M)[2:]
    return [[re.findall(r"`([^`]+)`", column) for column in line.split("|")] for line in lines]


def code_of_ours():
    """Every piece of code on the page that begins with something of fastdrop's."""
    return sorted(set(re.findall(r"`((?:fd|rng|layer|mask)\.[^`]+)`", "".join(SECTIONS.values()))))


def last_name(code):
    """The name that a call, or an attribute, ends with."""
    return re.match(r"[\w.]+", code)[0].rpartition(".")[2]


@pytest.mark.parametrize("code", code_of_ours())
def test_what_the_page_says_to_write_is_there(code):
    (node,) = ast.parse(code).body
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    for place in [part for part in ast.walk(node) if isinstance(part, ast.Attribute)]:
        if place.value.id == "fd":
            assert place.attr in fd.__all__
        else:
            assert hasattr(OBJECTS[place.value.id], place.attr)
    for call in calls:
        owner, name = call.func.value.id, call.func.attr
        inspect.signature(getattr(fd if owner == "fd" else OBJECTS[owner], name)).bind(
            *([None] * (owner != "fd")), *call.args, **{keyword.arg: keyword.value for keyword in call.keywords}
        )


def test_every_keyword_that_errors_know():
    said = {word: " or ".join(ours) for theirs, ours in rows("Keywords") for word in theirs}
    assert said.keys() == KEYWORDS.keys()
    for word, ours in KEYWORDS.items():
        assert said[word].replace("layer.", "") == ours.replace(" of the layer", "")


def test_every_name_that_errors_know():
    libraries = ("PyTorch", "Keras", "JAX", "Thinc")
    said = {}
    for theirs, ours, *_ in (row for library in libraries for row in rows(library)):
        ours = ours if len(ours) == len(theirs) else ours * len(theirs)
        said |= {last_name(word): last_name(code) for word, code in zip(theirs, ours, strict=False)}
    assert {name: said.get(name) for name in NAMES} == {name: last_name(ours) for name, ours in NAMES.items()}


@pytest.mark.parametrize(
    "code", [code for row in rows("PyTorch") for code in row[0] if re.match(r"(nn|F|torch)\.", code)]
)
def test_the_names_of_torch(code):
    torch = pytest.importorskip("torch")
    thing = {"nn": torch.nn, "F": torch.nn.functional, "torch": torch}
    first, *rest = re.match(r"[\w.]+", code)[0].split(".")
    found = thing[first]
    for name in rest:
        found = getattr(found, name)


@pytest.mark.parametrize("code", [row[0][0] for row in rows("Thinc") if row[0][0][0] not in "lo"])
def test_the_names_of_thinc(code):
    assert hasattr(pytest.importorskip("thinc.api"), last_name(code))
