"""How many threads to use where the user has not said."""

import os


def _quota() -> int | None:
    """CPUs that the control group grants this process, rounded up, or None where it sets no limit."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:
            quota, period = file.read().split()
    except (OSError, ValueError):
        try:
            with open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") as file:
                quota = file.read().strip()
            with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
                period = file.read().strip()
        except OSError:
            return None
    if quota in ("max", "-1"):
        return None
    return max(1, -(-int(quota) // int(period)))


def _cpus() -> int:
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        allowed = os.cpu_count() or 1
    return min(allowed, _quota() or allowed)


def default_threads() -> tuple[int, str]:
    """The number of threads, and where it comes from."""
    own = os.environ.get("FASTDROP_NUM_THREADS", "").strip()
    if own:
        if not own.isdecimal() or int(own) < 1:
            raise ImportError(f"FASTDROP_NUM_THREADS must be an int of at least 1, got {own!r}")
        return int(own), "FASTDROP_NUM_THREADS"
    openmp = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # a list: one number a nesting level
    if openmp.isdecimal() and int(openmp) >= 1:
        return int(openmp), "OMP_NUM_THREADS"
    return _cpus(), "the CPUs this process may use"
