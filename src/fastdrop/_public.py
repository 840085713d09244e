"""Public names belong to the package, not to the module that defines them, which may change: pickles depend on it."""

from typing import TypeVar

Thing = TypeVar("Thing")


def public(thing: Thing) -> Thing:
    """Set ``__module__`` of a function or a class to ``fastdrop``, where ``fastdrop/__init__.py`` has it."""
    thing.__module__ = "fastdrop"
    return thing
