"""How many threads to use by default."""

import os
import re

MOST = 2**31 - 1  # the largest C int, and OpenMP's limit
GROUP = re.compile(r"^\d+:([^:]*):(.*)$", re.MULTILINE)  # of /proc/self/cgroup: controllers, path; see cgroups(7)
MOUNT = re.compile(r"^\S+ \S+ \S+ (\S+) (\S+) .* - (cgroup2?) \S+ (\S+)$", re.MULTILINE)  # root, mount point; proc(5)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _granted(folder: str) -> int | None:
    """Return how many CPUs one control group grants, rounded up, or None if it sets no limit."""
    limit = (
        _text(f"{folder}/cpu.max") or f"{_text(f'{folder}/cpu.cfs_quota_us')} {_text(f'{folder}/cpu.cfs_period_us')}"
    )
    numbers = limit.split()
    if len(numbers) != 2 or not all(number.isdecimal() and int(number) > 0 for number in numbers):
        return None  # the limit is "max" or -1, or there is no such file
    quota, period = map(int, numbers)
    return -(-quota // period)


def quota(system: str = "") -> int | None:
    """Return how many CPUs the control group of this process and those above it grant; None if none sets a limit.

    `system` is the folder that contains /proc and the mounted hierarchies. A mount may show only a part of one.
    """
    paths = {c: path for names, path in GROUP.findall(_text(f"{system}/proc/self/cgroup")) for c in names.split(",")}
    granted = []
    for root, mounted, kind, options in MOUNT.findall(_text(f"{system}/proc/self/mountinfo")):
        controller = "" if kind == "cgroup2" else "cpu"
        if controller not in paths or (controller and controller not in options.split(",")):
            continue
        below = os.path.relpath(paths[controller], root).split("/")
        if below[0] in (".", ".."):
            below = []
        granted += [_granted("/".join([system + mounted, *below[:depth]])) for depth in range(len(below) + 1)]
    return min((cpus for cpus in granted if cpus), default=None)


def _cpus() -> int:
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        allowed = os.cpu_count() or 1
    return min(allowed, quota() or allowed)


def _number(text: str) -> int:
    """Return the number that the text is, at most MOST + 1; 0 if it is not a number."""
    digits = text.strip().lstrip("0")
    return min(int(digits[:10]), MOST + 1) if digits.isascii() and digits.isdecimal() else 0


def default_threads() -> tuple[int, str]:
    """Return the number of threads, and where it comes from."""
    own = os.environ.get("FASTDROP_NUM_THREADS", "").strip()
    if own:
        if not _number(own):
            raise ImportError(f"FASTDROP_NUM_THREADS must be an int of at least 1, got {own!r}")
        return min(_number(own), MOST), "FASTDROP_NUM_THREADS"
    openmp = _number(os.environ.get("OMP_NUM_THREADS", "").split(",")[0])  # a list has one number per nesting level
    if 1 <= openmp <= MOST:
        return openmp, "OMP_NUM_THREADS"
    return _cpus(), "the CPUs this process may use"
