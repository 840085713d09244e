"""What the commands print to: no line is lost to a narrow terminal, a pipe or an encoding without the character."""

import contextlib
import io
import os
import sys
from typing import Any

FULL_WIDTH = 200  # columns where nobody looks at a terminal


def tolerant() -> None:
    """Make stdout write what its encoding lacks as an escape, instead of failing after the work."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def silent() -> None:
    """Send what stdout still holds nowhere: its reader is gone."""
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):  # no stdout, or one that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plus_minus() -> str:
    """Return the sign, or what stands for it in ASCII."""
    try:
        "±".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except UnicodeEncodeError:
        return "+-"
    return "±"


def console() -> Any:
    """Return a rich console: as wide as the terminal, or as COLUMNS says; at full width where neither is there."""
    from rich.console import Console

    known = "COLUMNS" in os.environ or (sys.stdout is not None and sys.stdout.isatty())
    return Console(highlight=False, width=None if known else FULL_WIDTH)
