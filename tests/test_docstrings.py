"""Public docstrings: each parameter has its entry, results and errors have theirs, and errors name their causes."""

import builtins
import inspect
import re

import pytest

import fastdrop as fd

NO_RESULT = {"set_num_threads", "load_state_dict", "sgd_step"}
NO_ERROR = {"backend", "backends", "get_num_threads", "get_include", "eval", "state_dict", "to_bool"}
MADE_BY_THE_LIBRARY = {"MonteCarlo"}  # nobody passes its arguments
NAMES = sorted(set(fd.__all__) - {"__version__"})


def public():
    """The functions and classes, and the methods of the classes, inherited ones too."""
    for name in NAMES:
        yield name, getattr(fd, name)
        if inspect.isclass(getattr(fd, name)):
            for member in dir(getattr(fd, name)):
                method = getattr(getattr(fd, name), member)
                if not member.startswith("_") and callable(method):
                    yield f"{name}.{member}", method


def sections(thing):
    """The text of each section of a numpydoc docstring, by its title."""
    parts = re.split(r"^(\w[\w ]*)\n-+\n", inspect.getdoc(thing), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def entries(section):
    """The entries of a section, with the text below each."""
    parts = re.split(r"^(\S.*)\n", section, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def names(section):
    return [name.lstrip("*") for entry in entries(section) for name in entry.partition(" : ")[0].split(", ")]


THINGS = dict(public())
cases = pytest.mark.parametrize("name", THINGS)


@cases
def test_the_parameters_are_those_of_the_signature(name):
    if name not in MADE_BY_THE_LIBRARY:
        parameters = [p for p in inspect.signature(THINGS[name]).parameters if p != "self"]
        assert names(sections(THINGS[name]).get("Parameters", "")) == parameters


@cases
def test_results_and_errors_have_sections(name):
    found, member = sections(THINGS[name]), name.split(".")[-1]
    if not inspect.isclass(THINGS[name]):
        assert ("Returns" in found) == (member not in NO_RESULT)
    assert ("Raises" in found) == (member not in NO_ERROR)
    assert "Examples" in found or "." in name


@cases
def test_errors_name_their_causes(name):
    for error, text in entries(sections(THINGS[name]).get("Raises", "")).items():
        assert all(issubclass(getattr(builtins, e), Exception) for e in error.split(", "))
        assert re.match(r" +(If |As in |From forward, if |With )", text), f"{error}: {text}"


def test_a_venue_has_one_name():
    assert [name for name, thing in THINGS.items() if re.search(r"\bNIPS\b", inspect.getdoc(thing))] == []
