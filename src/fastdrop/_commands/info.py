"""``python -m fastdrop info``: what this installation is, and what it chose on this machine."""

import platform

from .._core.config import show_config


def info() -> None:
    """Print `fastdrop.show_config` for people, a line a subject."""
    config = show_config(mode="dicts")
    backends, threads, openmp = config["backends"], config["threads"], config["openmp"]
    lines = {
        "fastdrop": config["fastdrop"]["version"],
        "NumPy": config["numpy"]["version"],
        "Python": f"{platform.python_version()}, {platform.system()} {platform.machine()}",
        "processor": config["processor"],
        "backends": f"{', '.join(backends['available'])} (best first)",
        "backend in use": f"{backends['in use']} ({backends['why']})",
        "threads": f"{threads['count']} ({threads['source']})",
        "OpenMP": f"{'on' if openmp['enabled'] else 'off'} ({openmp['why']})",
        "compiler": f"{config['compiler']['name']} {config['compiler']['version']}",
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        print(f"{name:{width}}  {text}")
