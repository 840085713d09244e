"""What the demo shows: the tables, and the picture."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.stats
from rich import box
from rich.table import Table

from ..output import plus_minus
from .timing import Step
from .training import TEST, TRAIN, Array, Figures, Run, best_rate


class Changes(NamedTuple):
    """What the second network changed, in points of a percent, an entry a seed."""

    test: Array
    gap: Array


def new_table(*headings: str) -> Table:
    """Return an empty table, numbers to the right and never cut."""
    table = Table(box=box.SIMPLE_HEAD)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right", overflow="fold", no_wrap=number > 0)
    return table


def rates(figures: dict[str, Figures]) -> Table:
    """Tabulate the learning rates that were tried on each network."""
    table = new_table("", "learning rate", "validation loss", "validation accuracy", "")
    for name, tried in figures.items():
        for loss, share, rate in tried:
            chosen = "chosen" if rate == best_rate(tried) else ""
            table.add_row(name, f"{rate:g}", f"{loss:.3f}", f"{share:.1%}", chosen)
    return table


def final(runs: list[Run], kind: str) -> Array:
    """Return the accuracy ("train" or "test") in % after the last epoch, an entry a seed."""
    return 100 * np.array([getattr(run, kind)[-1] for run in runs])


def gap(runs: list[Run]) -> Array:
    """Return by how much the digits trained on are classified better than others, an entry a seed."""
    return final(runs, "train") - final(runs, "test")


def mean_and_deviation(values: Array) -> tuple[float, float | None]:
    """Return the mean over the seeds, and the standard deviation of the population they are drawn from."""
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None


def spread(values: Array) -> str:
    """Return mean and standard deviation for the table."""
    mean, deviation = mean_and_deviation(values)
    return f"{mean:.1f}" + ("" if deviation is None else f" {plus_minus()} {deviation:.1f}")


def accuracies(runs: dict[str, list[Run]]) -> Table:
    """Tabulate the accuracies after the last epoch."""
    table = new_table("", "train accuracy", "test accuracy", "gap")
    for name, of_seeds in runs.items():
        columns = final(of_seeds, "train"), final(of_seeds, "test"), gap(of_seeds)
        table.add_row(name, *map(spread, columns))
    return table


def changes(runs: dict[str, list[Run]]) -> Changes:
    """Compare the second network with the first, seed by seed."""
    before, after = runs.values()
    return Changes(final(after, "test") - final(before, "test"), gap(after) - gap(before))


def interval(values: Array) -> str:
    """Return the 95 % interval of the mean over the seeds, by Student's t, for the sentence."""
    if len(values) < 2:
        return ""
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"95 % interval {values.mean() - half:+.1f} to {values.mean() + half:+.1f}, "


def sentence(name: str, changes: Changes) -> str:
    """Say what the second network changed."""
    higher = f"{interval(changes.test)}higher in {np.count_nonzero(changes.test > 0)} of {len(changes.test)} seeds"
    return (
        f"{name[0].upper()}{name[1:]}: test accuracy {changes.test.mean():+.1f} points ({higher}), "
        f"gap {changes.gap.mean():+.1f} points."
    )


def timings(steps: dict[str, Step], parts: bool = True) -> Table:
    """Tabulate the time of a training step, and how much of it went into dropout, where that can be told apart."""
    table = new_table("dropout by", "whole step", *(["in dropout", "share"] if parts else []))
    for name, step in steps.items():
        part = [f"{step.dropout:.0f} us", f"{step.dropout / step.whole:.1%}"] if parts else []
        table.add_row(name, f"{step.whole:.0f} us", *part)
    return table


def plot(runs: dict[str, list[Run]], path: Path) -> None:
    """Draw the learning curves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import PercentFormatter

    figure, axes = plt.subplots(figsize=(9, 6.2), layout="constrained")
    lowest = min(final(of_seeds, "test").min() for of_seeds in runs.values()) / 100
    for kind, style in (("train", "--"), ("test", "-")):
        for (name, of_seeds), (colour, width) in zip(runs.items(), (("#d55e00", 3), ("#0072b2", 1.5)), strict=True):
            curves = np.array([getattr(run, kind) for run in of_seeds])
            (evaluated,) = np.nonzero(~np.isnan(curves[0]))
            epochs, curves = evaluated + 1, curves[:, evaluated]
            label = f"{kind} digits, {name}: {curves[:, -1].mean():.1%}"
            axes.plot(epochs, curves.mean(axis=0), style, color=colour, linewidth=width, label=label)
            axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="epoch (logarithmic)", ylabel="digits classified right", xscale="log", xlim=(1, max(2, epochs[-1])))
    axes.set_xticks([tick for tick in (1, 3, 10, 30, 100) if tick < epochs[-1]] + [epochs[-1]], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(max(0, lowest - 0.07), 1.005)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_title(f"A network trained on {TRAIN} handwritten digits, tested on {TEST} it never saw", loc="left")
    title = f"mean of {len(of_seeds)} seeds, and what it is in the end; band: lowest to highest"
    figure.legend(title=title, loc="outside lower center", ncols=2, frameon=False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)
