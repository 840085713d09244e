"""Time against n, and against threads: `python benchmarks/scaling.py`. Where would less have been faster by 10 %?"""

import argparse
import statistics
import time

import numpy as np

import fastdrop as fd

argparse.ArgumentParser(description=__doc__).parse_args()

SIZES = [1 << e for e in range(6, 27)]
WAYS = ("forward", "backward")
most = fd.get_num_threads()


def call_of(way, x):
    """Return the call to be timed, in place; a scale of 1 leaves what is kept."""
    if way == "forward":
        rng = fd.Rng(0)
        return lambda: fd.dropout(x, 0.1, rng=rng, out=x, inverted=False)
    mask = fd.Mask.from_bool(np.random.default_rng(0).random(x.size, dtype=np.float32) >= 0.1, 0.1, scale=1.0000002)
    return lambda: fd.dropout_backward(x, mask, out=x)


def medians(way, n):
    """Return microseconds a call with one thread and with all, called in turn."""
    call, times = call_of(way, np.ones(n, np.float32)), {1: [], most: []}
    inner = max(1, (1 << 16) // n)
    for _ in range(15 if n > 1 << 22 else 101):
        for threads, taken in times.items():
            fd.set_num_threads(threads)
            call()
            start = time.perf_counter_ns()
            for _ in range(inner):
                call()
            taken.append((time.perf_counter_ns() - start) / inner / 1e3)
    return {threads: statistics.median(taken) for threads, taken in times.items()}


print(f"{fd.show_config(mode='dicts')['processor']}, microseconds a call in one thread, and in {most}")
for way in WAYS:
    before = 0.0
    for n in SIZES:
        us = medians(way, n)
        faults = [
            *(["one thread is faster"] if us[most] > 1.1 * us[1] else []),
            *(["fewer elements take longer"] if us[most] * 1.1 < before else []),
        ]
        print(f"{way:8} {n:10} {us[1]:12.2f} {us[most]:12.2f}  {', '.join(faults)}", flush=True)
        before = us[most]
