"""What the library was built with and what it chose on this machine."""

import platform
from typing import Any, Literal, overload

import numpy as np

from .._public import public
from .._version import __version__
from . import binding


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _whether_threads_pay(pause: float) -> str:
    if pause > 0:
        return f"not at the moment: the last calls lost time by them; tried again in {pause:.2f} s"
    return "yes, as far as calls have shown"


@overload
@public
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
@public
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
@public
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Show versions, compiler, OpenMP, threads and backends.

    ``threads: pay`` tells how calls fare at the moment: where the last ones in several threads took longer than one
    thread would have, since other work holds the processor's cores, calls take one thread for up to half a second, and
    then try again. ``prefetch`` tells whether arrays beyond the cache are fetched ahead.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print, or return a dict of dicts.

    Returns
    -------
    dict or None
        The dict of dicts with ``mode="dicts"``, else None.

    Raises
    ------
    ValueError
        If `mode` is neither of the two.

    Examples
    --------
    >>> import fastdrop as fd
    >>> fd.show_config(mode="dicts")["backends"]["in use"] == fd.backend()
    True
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    build = binding.build()
    compiler, _, version = build["compiler"].partition(" ")
    config = {
        "fastdrop": {"version": __version__},
        "numpy": {"version": np.__version__},
        "compiler": {"name": compiler, "version": version},
        "openmp": {
            "enabled": build["openmp"],
            "why": "the compiler has it" if build["openmp"] else "the compiler had none: one thread only",
        },
        "threads": {
            "count": binding.get_num_threads(),
            "source": build["threads source"],
            "pay": _whether_threads_pay(build["threads pause"]),
        },
        "backends": {
            "available": binding.backends(),
            "in use": binding.backend(),
            "why": build["backend reason"],
        },
        "prefetch": ("on:" if build["prefetch"] else "off: not") + " measured to pay on this processor",
        "processor": _processor(),
    }
    if mode == "dicts":
        return config
    for name, entry in config.items():
        if isinstance(entry, dict):
            print(f"{name}:")
            for key, value in entry.items():
                print(f"  {key}: {', '.join(value) if isinstance(value, list) else value}")
        else:
            print(f"{name}: {entry}")
    return None
