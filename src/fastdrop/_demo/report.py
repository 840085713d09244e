"""What the demo shows: the tables, and the picture."""

import numpy as np
from rich import box
from rich.table import Table

from .training import BATCH, TEST, TRAIN, Array, Run


def new_table(*headings: str) -> Table:
    """Return an empty table, numbers to the right."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def rates(figures: list[tuple[float, float, float]]) -> Table:
    """Tabulate the learning rates that were tried."""
    table = new_table("learning rate", "validation loss", "validation accuracy", "")
    for loss, share, rate in figures:
        chosen = "chosen" if rate == min(figures)[2] else ""
        table.add_row(f"{rate:g}", f"{loss:.3f}", f"{share:.1%}", chosen)
    return table


def final(runs: list[Run], kind: str) -> Array:
    """Return the accuracy ("train" or "test") in % after the last epoch, an entry a seed."""
    return 100 * np.array([getattr(run, kind)[-1] for run in runs])


def spread(values: Array) -> str:
    """Return mean and standard deviation over the seeds."""
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def accuracies(runs: dict[str, list[Run]]) -> tuple[Table, str]:
    """Tabulate the accuracies after the last epoch, and say in a sentence what the second network changed."""
    table = new_table("", "train accuracy", "test accuracy", "gap")
    figures = []
    for name, of_seeds in runs.items():
        train, test = (final(of_seeds, kind) for kind in ("train", "test"))
        figures.append((test, train - test))
        table.add_row(name, spread(train), spread(test), spread(train - test))
    gain, gap = (new - old for old, new in zip(*figures, strict=True))
    return table, (
        f"{name[0].upper()}{name[1:]}: test accuracy {gain.mean():+.1f} points "
        f"(higher in {(gain > 0).sum()} of {len(gain)} seeds), gap {gap.mean():+.1f} points."
    )


def timings(runs: dict[str, list[Run]], parts: bool = True) -> Table:
    """Tabulate the time of a training step, and how much of it went into dropout, where that can be told apart."""
    table = new_table("dropout by", "whole step", *(["in dropout", "share"] if parts else []))
    steps = -(-TRAIN // BATCH)
    for name, of_seeds in runs.items():
        whole, part = (
            1e6 / steps * np.median([getattr(run, kind) for run in of_seeds]) for kind in ("seconds", "dropout_seconds")
        )
        table.add_row(name, f"{whole:.0f} us", *([f"{part:.0f} us", f"{part / whole:.1%}"] if parts else []))
    return table


def plot(runs: dict[str, list[Run]], path: str) -> None:
    """Draw the learning curves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import PercentFormatter

    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    lowest = min(final(of_seeds, "test").min() for of_seeds in runs.values()) / 100
    for kind, style in (("train", "--"), ("test", "-")):
        for (name, of_seeds), (colour, width) in zip(runs.items(), (("tab:red", 3), ("tab:blue", 1.5)), strict=True):
            curves = np.array([getattr(run, kind) for run in of_seeds])
            (evaluated,) = np.nonzero(~np.isnan(curves[0]))
            epochs, curves = evaluated + 1, curves[:, evaluated]
            label = f"{kind} digits, {name}: {curves[:, -1].mean():.1%} in the end"
            axes.plot(epochs, curves.mean(axis=0), style, color=colour, linewidth=width, label=label)
            axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="epoch (logarithmic)", ylabel="digits classified right", xscale="log", xlim=(1, max(2, epochs[-1])))
    axes.set_xticks([tick for tick in (1, 3, 10, 30, 100) if tick < epochs[-1]] + [epochs[-1]], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(max(0, lowest - 0.07), 1.005)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_title(f"A network trained on {TRAIN} handwritten digits, tested on {TEST} it never saw", loc="left")
    axes.legend(title=f"mean of {len(of_seeds)} seeds; band: lowest to highest", loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)
