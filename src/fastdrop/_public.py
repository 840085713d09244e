"""What users and pickles name is found in the package itself, so that the file it is written in may change."""

from typing import TypeVar

Thing = TypeVar("Thing")


def public(thing: Thing) -> Thing:
    """Let a function or a class say that it is ``fastdrop``'s: ``fastdrop/__init__.py`` has it under its name."""
    thing.__module__ = "fastdrop"
    return thing
