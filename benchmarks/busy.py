"""Dropout on a machine that others use too: `python benchmarks/busy.py [--quick] [--seconds S] [--no-peers]`.

How many calls a second fastdrop makes by default beside 0, 1, 2 and 4 busy processes, against itself in one thread;
NumPy, Numba and PyTorch beside it, where they are installed. Then a matrix product and dropout in turn, on a quiet
machine, against the two apart: what one library's threads, and the cache, do to the other's.
"""

import argparse
import statistics
import subprocess
import sys
import time
from functools import partial

import numpy as np

import fastdrop as fd
from fastdrop._commands.benchmark.cases import Case, Missing
from fastdrop._commands.benchmark.peers import numba_hash, torch_eager

P, BUSY = 0.1, (0, 1, 2, 4)
SIZES = {"64 Ki": 1 << 16, "256 Ki": 1 << 18, "1 Mi": 1 << 20, "4 Mi": 1 << 22, "16 Mi": 1 << 24, "64 Mi": 1 << 26}
RATES = np.random.default_rng(0)
RNG = fd.Rng(0)


def in_place(threads):
    """Return fastdrop's call in place, which keeps no bits, in so many threads."""

    def call(x):
        with fd.num_threads(threads):
            fd.dropout(x, P, rng=RNG, out=x, store="recipe")

    return call


def numpy_idiom(x):
    """What NumPy users write, in float32 throughout."""
    x *= RATES.random(x.shape, dtype=np.float32) >= P
    x *= np.float32(1 / (1 - P))


def contenders(peers):
    """Return the calls by name: fastdrop's by default first, in one thread second."""
    made = {"fastdrop": in_place(fd.get_num_threads()), "fastdrop, one thread": in_place(1)}
    made["NumPy"] = numpy_idiom
    for name, make in {"Numba, hash": numba_hash, "PyTorch": torch_eager}.items() if peers else ():
        try:
            run = make(Case("busy", 1 << 16, P, fd.get_num_threads()))
            run.call(np.ones(1 << 16, np.float32))
            made[name] = run.call
        except Missing as reason:
            print(f"{name}: {reason}")
    return made


def rates(calls, x, seconds, rounds):
    """Return each one's calls a second, medians of windows in turn; the first third of each is not counted."""
    seen = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            x.fill(1)
            begin = time.perf_counter()
            while time.perf_counter() - begin < seconds / 3:
                call(x)
            begin, count = time.perf_counter(), 0
            while count == 0 or time.perf_counter() - begin < seconds * 2 / 3:
                call(x)
                count += 1
            seen[name].append(count / (time.perf_counter() - begin))
    return {name: statistics.median(of) for name, of in seen.items()}


def beside(busy, calls, sizes, seconds, rounds):
    """Print a row a size, beside so many busy processes."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
    time.sleep(0.3 * (busy > 0))
    try:
        for name, n in sizes.items():
            got = rates(calls, np.ones(n, np.float32), seconds, rounds)
            row = " | ".join(f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" for rate in got.values())
            print(f"| {busy} | {name} | {got['fastdrop'] / got['fastdrop, one thread']:.2f} | {row} |", flush=True)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def median_times(calls, seconds):
    """Return the median of each call's times in turn, in microseconds."""
    times, end = [[] for _ in calls], time.perf_counter() + seconds
    while len(times[0]) < 3 or time.perf_counter() < end:
        for call, of_call in zip(calls, times, strict=True):
            begin = time.perf_counter()
            call()
            of_call.append(time.perf_counter() - begin)
    return [statistics.median(of_call) * 1e6 for of_call in times]


def in_turn(calls, sizes, seconds, rounds):
    """Print a row a size and contender: product and dropout apart, and in turn."""
    a, b, product = np.ones((200, 1024), np.float32), np.ones((1024, 1024), np.float32), np.empty((200, 1024), "f4")
    multiply = partial(np.matmul, a, b, out=product)
    for name, n in sizes.items():
        x, seen = np.ones(n, np.float32), {contender: [] for contender in calls}
        for _ in range(rounds):
            for contender, call in calls.items():
                times = []
                for steps in ([partial(call, x)], [multiply], [partial(call, x), multiply]):
                    time.sleep(0.03)  # until the threads of the step before sleep
                    median_times(steps, seconds / 4)
                    times += median_times(steps, seconds)
                seen[contender].append(times)
        for contender, times in seen.items():
            dropout, alone, then, beside_it = map(statistics.median, zip(*times, strict=True))
            figures = f"{dropout:,.0f} | {alone:,.0f} | {then:,.0f} | {beside_it:,.0f}"
            ratios = f"{(then + beside_it) / (dropout + alone):.2f} | {beside_it / alone:.2f}"
            print(f"| {name} | {contender} | {figures} | {ratios} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two sizes and short windows: it shows that it runs")
    parser.add_argument("--seconds", type=float, default=0.6, help="of one window")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, nargs="*", default=BUSY, help="how many busy processes beside it")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="without Numba and PyTorch")
    options = parser.parse_args()
    sizes = dict(list(SIZES.items())[:2]) if options.quick else SIZES
    seconds, rounds = (0.02, 1) if options.quick else (options.seconds, options.rounds)
    calls = contenders(options.peers)
    print(f"p={P}, float32 in place, {fd.get_num_threads()} threads\n\ncalls a second\n")
    print("| busy processes | elements | fastdrop over its one thread | " + " | ".join(calls) + " |")
    print("|---" * (len(calls) + 3) + "|")
    for busy in options.busy:
        beside(busy, calls, sizes, seconds, rounds)
    print("\na product of 200 x 1024 x 1024 and dropout in turn, microseconds\n")
    print(
        "| elements | | dropout apart | product apart | dropout in turn | product in turn | both, in turn over apart ",
        end="",
    )
    print("| product, in turn over apart |\n|---|---|---|---|---|---|---|---|")
    in_turn(calls, dict(list(sizes.items())[1:-1] if len(sizes) > 2 else sizes), seconds / 3, rounds)


if __name__ == "__main__":
    main()
