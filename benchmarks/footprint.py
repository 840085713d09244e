"""Memory beside the arrays, and what `import fastdrop` adds to `import numpy`: `python benchmarks/footprint.py`."""

import argparse
import statistics
import subprocess
import sys
import tracemalloc

import numpy as np

import fastdrop as fd

argparse.ArgumentParser(description=__doc__).parse_args()

PROBE = """
import resource, time
import numpy
def pages():
    return int(open("/proc/self/statm", encoding="utf-8").read().split()[1]) * resource.getpagesize()
before, start = pages(), time.perf_counter()
import fastdrop
print(time.perf_counter() - start, pages() - before)
"""


def beside(store, n):
    """Return the bytes that one forward in place leaves, and the most it took meanwhile."""
    x, rng = np.ones(n, np.float32), fd.Rng(0)
    fd.dropout(x, 0.1, rng=rng, out=x, store=store)
    tracemalloc.start()
    kept = fd.dropout(x, 0.1, rng=rng, out=x, store=store)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept, left, peak


for store in ("bits", "recipe"):
    for n in (1 << 12, 1 << 20, 1 << 26):
        _, left, peak = beside(store, n)
        print(f"{store:7} n={n:9}  n/8 = {n // 8:8}  left {left:8}  peak {peak:8} bytes")

runs = [
    list(map(float, subprocess.run([sys.executable, "-c", PROBE], capture_output=True).stdout.split()))
    for _ in range(21)
]
seconds, size = (statistics.median(column) for column in zip(*runs, strict=True))
print(f"import fastdrop after import numpy: {1e3 * seconds:.1f} ms, {size / 2**20:.2f} MiB resident (medians of 21)")
