"""Draws the picture of speed on the front page: `python benchmarks/picture.py FILE.svg`, half a minute.

The question `forward` of `python -m fastdrop bench` at one size, in all threads: a bar for each contender, in a colour
of its own, and the roof as a line. Run it on a quiet machine; the picture says which, and when.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt

import fastdrop as fd
from fastdrop._commands.benchmark.measure import compare
from fastdrop._commands.benchmark.questions import questions, threads
from fastdrop._commands.benchmark.report import environment

N, SECONDS = 1 << 24, 3.0
IN_USE = f"fastdrop {fd.backends()[0]}"
LEFT_OUT = "multiply", "fastdrop portable", "fastdrop recipe"  # parts of the table, not of a first look


def measured():
    """Return the contenders' results: those that are here, slowest first, and the roof's."""
    (question,) = (question for question in questions(quick=False) if question.name == "forward")
    contenders = {name: make for name, make in question.contenders.items() if name not in LEFT_OUT}
    (case,) = (case for case in question.cases if (case.n, case.p, case.threads) == (N, 0.5, threads()[-1]))
    results = []
    compare(case, replace(question, contenders=contenders), SECONDS, results)
    for result in results:
        print(f"{result.contender:24}", f"{result.median:7.2f} ns" if result.shown else result.missing)
    shown = {result.contender: result for result in results if result.shown}
    roof = shown.pop("roof")
    return sorted(shown.values(), key=lambda result: -result.median), roof


def draw(results, roof, machine, path):
    """Draw a bar for each contender."""
    plt.rcParams.update({"font.size": 12, "svg.fonttype": "path"})
    colours = [colour for place, colour in enumerate(plt.colormaps["tab20"].colors) if place not in (6, 7)]
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(results) + 1.6), layout="constrained")
    for place, result in enumerate(results):
        ours = result.contender == IN_USE
        axes.barh(place, result.median, color="#d62728" if ours else colours[place % len(colours)])
        axes.text(result.median * 1.06, place, f"{result.median:.2g}", va="center", weight="bold" if ours else None)
    axes.axvline(roof.median, color="black", linestyle="--", zorder=3)
    axes.text(roof.median, len(results) - 0.4, f" roof: the speed of memory, {roof.median:.2g}", ha="left", va="bottom")
    axes.set_yticks(range(len(results)), [result.contender for result in results])
    axes.set(xscale="log", xlim=(0.1, 1.6 * results[0].median), ylim=(-0.6, len(results) + 0.3))
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_xlabel("nanoseconds an element, logarithmic: lower is better")
    axes.spines[["top", "right"]].set_visible(False)
    where = f"{machine['threads']} threads of {machine['processor']}, {machine['date']}"
    figure.suptitle(f"Dropout of {N >> 20} Mi float32, p = 0.5, {where}", fontsize=11)
    figure.savefig(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("file", type=Path, metavar="FILE.svg")
    file = parser.parse_args().file
    draw(*measured(), environment(), file)
