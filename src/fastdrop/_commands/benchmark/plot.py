"""The pictures of the forward pass: time against size, and speed-up against threads."""

from pathlib import Path

import numpy as np

import fastdrop as fd

from .cases import size_name
from .measure import Result

ROOF, IN_USE = "roof", f"fastdrop {fd.backends()[0]}"


def style(name: str, names: list[str], colours: list) -> dict[str, object]:
    """Return how a contender is drawn: the roof as a border, the best backend over all others."""
    if name == ROOF:
        return {"color": "black", "linestyle": "--", "linewidth": 2, "zorder": 3}
    if name == IN_USE:
        return {"color": "#d62728", "marker": "o", "linewidth": 3, "zorder": 4}
    others = [other for other in names if other not in (ROOF, IN_USE)]
    return {"color": colours[others.index(name) % len(colours)], "marker": ".", "linewidth": 1.2}


def label(name: str) -> str:
    """Return the contender's name for the legend."""
    return {ROOF: "roof: the array scaled in place", IN_USE: f"{IN_USE} (the backend in use)"}.get(name, name)


def plot(path: Path, machine: dict[str, object], results: list[Result]) -> None:
    """Draw the forward pass at p=0.5, of results that are shown."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(15, 6.5), width_ratios=(3, 2))
    names = list(dict.fromkeys(r.contender for r in results))
    distinct = [*pyplot.colormaps["tab20"].colors, *pyplot.colormaps["Set2"].colors]
    colours = [colour for i, colour in enumerate(distinct) if i not in (6, 7)]  # the two reds
    sizes, most = sorted({r.case.n for r in results}), max(r.case.threads for r in results)
    for name in names:
        drawn = style(name, names, colours)
        single = [r for r in results if r.contender == name and r.case.threads == 1]
        left.loglog([r.case.n for r in single], [r.median for r in single], label=label(name), **drawn)
        bands = np.reshape([r.quartiles for r in single], (-1, 2))
        left.fill_between(
            [r.case.n for r in single], *np.transpose(bands), color=drawn["color"], alpha=0.15, linewidth=0
        )
        large = {r.case.threads: r.median for r in results if r.contender == name and r.case.n == sizes[-1]}
        if len(large) > 1 and 1 in large:
            right.plot(list(large), [large[1] / ns for ns in large.values()], **drawn)
    left.set_xticks(sizes, [size_name(n) for n in sizes], minor=False)
    left.set(xlabel="elements in the array", ylabel="nanoseconds an element (lower is faster)")
    left.set_title("A whole call in one thread, float32, p = 0.5; band: the middle half of the times")
    right.plot([1, most], [1, most], color="grey", linestyle=":", label="ideal")
    right.set(xlabel="threads", ylabel="times as fast as with one thread (higher is better)", xticks=range(1, most + 1))
    right.set_title(f"More threads, {size_name(sizes[-1])} elements")
    right.legend(loc="upper left")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.suptitle(f"Forward dropout on {machine['processor']}, {machine['date']}")
    figure.legend(*left.get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.15, 1, 1))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
