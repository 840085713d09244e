"""``python -m fastdrop demo``: real digits, and a network that overfits them, with and without dropout.

The digits are split three ways. The test digits are the same in every run, and serve for the final figures alone.
Each seed draws its training digits from the others; what is left of those validates the choice of the learning rate,
which is made on the network *without* dropout.
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_digits  # type: ignore[import-untyped]
from threadpoolctl import threadpool_limits  # scikit-learn needs it too

from .layers import Dropout
from .network import SGD, Network, accuracy, softmax_cross_entropy, train_epoch

P_INPUT, P_HIDDEN, HIDDEN = 0.2, 0.5, (256, 256)  # the rates of Srivastava et al., 2014
TRAIN, TEST, BATCH = 200, 1297, 50  # digits, of the 1797 there are
RATES, RATE_SEEDS = (0.001, 0.01, 0.1), 3
CURVE_POINTS = 60  # of the epochs, evenly on a logarithmic axis: evaluating all would cost as much as training
NAMES = {False: "without dropout", True: "with dropout"}

Array: TypeAlias = NDArray[Any]
Advance: TypeAlias = Callable[[], None]


class Split(NamedTuple):
    """Digits as (pixels, labels), standardised by those to train on."""

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]


class Run(NamedTuple):
    """What one training gave, an entry an epoch (NaN: not evaluated; seconds of training alone), and the network."""

    train: Array
    test: Array
    seconds: Array
    dropout_seconds: Array
    network: Network


class NumpyDropout(Dropout):
    """The NumPy idiom in the place of fastdrop's layer, to time it at the same work."""

    def __init__(self, p: float) -> None:
        super().__init__(p)
        self.generator, self.scale = np.random.default_rng(0), np.float32(1 / (1 - p))

    def forward(self, x: Array, rng: None = None) -> Array:
        """Draw a uniform an element, compare and multiply."""
        self.factor = (self.generator.random(x.shape, dtype=np.float32) >= self.p) * self.scale
        return x * self.factor

    def backward(self, dy: Array, out: None = None) -> Array:
        """Multiply by the same mask."""
        return dy * self.factor


class Clock:
    """Adds up the time spent in the functions it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""

        def timed(*args: Any) -> Any:
            start = perf_counter()
            result = function(*args)
            self.seconds += perf_counter() - start
            return result

        return timed


@cache
def split(seed: int) -> Split:
    """Split the digits; the test digits do not depend on the seed."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    test, rest = order[:TEST], np.random.default_rng(seed).permutation(order[TEST:])
    train, validation = rest[:TRAIN], rest[TRAIN:]
    x = ((pixels - pixels[train].mean(axis=0)) / pixels[train].std()).astype(np.float32)
    return Split(*((x[rows], labels[rows]) for rows in (train, validation, test)))


def clocked(layer: Any, clock: Clock, idiom: bool) -> Any:
    """Return the layer, timed if it is one of dropout, and then NumPy's where the idiom is asked for."""
    if isinstance(layer, Dropout):
        layer = NumpyDropout(layer.p) if idiom else layer
        layer.forward, layer.backward = clock.wrap(layer.forward), clock.wrap(layer.backward)
    return layer


def train(
    seed: int, rate: float, epochs: int, advance: Advance, *, dropout: bool, curves: bool = True, idiom: bool = False
) -> Run:
    """Train one network; `curves` evaluates it on the way, and after the last epoch."""
    digits, generator, clock = split(seed), np.random.default_rng(seed), Clock()
    pixels, classes = digits.train[0].shape[1], 10
    p_input, p_hidden = (P_INPUT, P_HIDDEN) if dropout else (0, 0)
    network = Network([pixels, *HIDDEN, classes], p_input, p_hidden, seed)
    network.layers = [clocked(layer, clock, idiom) for layer in network.layers]
    optimizer = SGD(network, rate)
    evaluated = np.geomspace(1, epochs, CURVE_POINTS).round() if curves else []
    rows = []
    for epoch in range(1, epochs + 1):
        start, before = perf_counter(), clock.seconds
        train_epoch(network, optimizer, *digits.train, BATCH, generator)
        times = perf_counter() - start, clock.seconds - before
        shares = [accuracy(network, *part) if epoch in evaluated else np.nan for part in (digits.train, digits.test)]
        rows.append([*shares, *times])
        advance()
    return Run(*np.array(rows).T, network)


def choose_rate(epochs: int, advance: Advance) -> tuple[float, Table]:
    """Choose the learning rate of the least validation loss, without dropout; return it and the figures."""
    figures = []
    for rate in RATES:
        losses, shares = [], []
        for seed in range(RATE_SEEDS):
            network = train(seed, rate, epochs, advance, dropout=False, curves=False).network
            x, labels = split(seed).validation
            shares.append(accuracy(network, x, labels))
            losses.append(softmax_cross_entropy(network.forward(x), labels)[0])
        figures.append((np.mean(losses), np.mean(shares), rate))
    best = min(figures)[2]
    table = new_table("learning rate", "validation loss", "validation accuracy", "")
    for loss, share, rate in figures:
        table.add_row(f"{rate:g}", f"{loss:.3f}", f"{share:.1%}", "chosen" if rate == best else "")
    return best, table


def new_table(*headings: str) -> Table:
    """Return an empty table, numbers to the right."""
    table = Table(box=box.SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def final(runs: list[Run], kind: str) -> Array:
    """Return the accuracy ("train" or "test") in % after the last epoch, an entry a seed."""
    return 100 * np.array([getattr(run, kind)[-1] for run in runs])


def spread(values: Array) -> str:
    """Return mean and standard deviation over the seeds."""
    return f"{values.mean():.1f}" + (f" ± {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def accuracies(runs: dict[bool, list[Run]]) -> tuple[Table, str]:
    """Tabulate the accuracies after the last epoch, and say in a sentence what dropout changed."""
    table = new_table("", "train accuracy", "test accuracy", "gap")
    figures = {}
    for dropout, name in NAMES.items():
        train, test = (final(runs[dropout], kind) for kind in ("train", "test"))
        figures[dropout] = test, train - test
        table.add_row(name, spread(train), spread(test), spread(train - test))
    gain, gap = (new - old for old, new in zip(figures[False], figures[True], strict=True))
    return table, (
        f"With dropout: test accuracy {gain.mean():+.1f} points (higher in {(gain > 0).sum()} of {len(gain)} seeds), "
        f"gap {gap.mean():+.1f} points."
    )


def timings(own: Run, idiom: Run) -> Table:
    """Tabulate where the time of a training step went, with fastdrop and with the NumPy idiom."""
    table = new_table("dropout by", "whole step", "in dropout", "share")
    steps = -(-TRAIN // BATCH)
    for name, run in (("fastdrop", own), ("NumPy idiom", idiom)):
        whole, part = (1e6 / steps * np.median(seconds) for seconds in (run.seconds, run.dropout_seconds))
        table.add_row(name, f"{whole:.0f} us", f"{part:.0f} us", f"{part / whole:.1%}")
    return table


def plot(runs: dict[bool, list[Run]], path: str) -> None:
    """Draw the learning curves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import PercentFormatter

    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    lowest = min(final(runs[dropout], "test").min() for dropout in NAMES) / 100
    for kind, style in (("train", "--"), ("test", "-")):
        for dropout, colour in ((False, "tab:red"), (True, "tab:blue")):
            curves = np.array([getattr(run, kind) for run in runs[dropout]])
            (evaluated,) = np.nonzero(~np.isnan(curves[0]))
            epochs, curves = evaluated + 1, curves[:, evaluated]
            label = f"{kind} digits, {NAMES[dropout]}: {curves[:, -1].mean():.1%} in the end"
            axes.plot(epochs, curves.mean(axis=0), style, color=colour, label=label)
            axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="epoch (logarithmic)", ylabel="digits classified right", xscale="log", xlim=(1, max(2, epochs[-1])))
    axes.set_xticks([tick for tick in (1, 3, 10, 30, 100) if tick < epochs[-1]] + [epochs[-1]], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(max(0, lowest - 0.07), 1.005)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_title(f"A network trained on {TRAIN} handwritten digits, tested on {TEST} it never saw", loc="left")
    axes.legend(title=f"mean of {len(runs[True])} seeds; band: lowest to highest", loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def demo(seeds: int, epochs: int, plot_path: str | None) -> None:
    """Train, print the tables, and draw the curves if a path is given."""
    if plot_path:
        import matplotlib  # noqa: F401  where it is missing, say so before the work
    console = Console(highlight=False)
    start = perf_counter()
    columns = *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn()
    runs: dict[bool, list[Run]] = {False: [], True: []}
    # One BLAS thread: matrices this small gain little from more, and lose much where other work runs beside.
    with threadpool_limits(1, "blas"), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("choosing the learning rate", total=epochs * (len(RATES) * RATE_SEEDS + 2 * seeds + 1))

        def advance() -> None:
            progress.advance(task)

        rate, rates = choose_rate(epochs, advance)
        for seed in range(seeds):
            for dropout, name in NAMES.items():
                progress.update(task, description=f"seed {seed + 1} of {seeds}, {name}")
                runs[dropout].append(train(seed, rate, epochs, advance, dropout=dropout))
        progress.update(task, description="timing the NumPy idiom")
        idiom = train(seeds - 1, rate, epochs, advance, dropout=True, curves=False, idiom=True)
    table, change = accuracies(runs)
    console.print(
        "1. The learning rate is chosen on the network without dropout: least loss on "
        f"{len(split(0).validation[1])} digits,\n"
        f"   apart from those for training and test; mean of {RATE_SEEDS} seeds.",
        rates,
        f"2. Digits classified right after epoch {epochs}, in %: trained on {TRAIN}, tested on {TEST} others, "
        "at that rate;\n"
        f"   mean ± standard deviation of {seeds} seeds.",
        table,
        f"   {change}\n",
        f"3. Time of a training step of {BATCH} digits, median epoch. The NumPy idiom is, forward and backward:\n"
        "   factor = (rng.random(x.shape, dtype=np.float32) >= p) * scale; y = x * factor; dx = dy * factor",
        timings(runs[True][-1], idiom),
        sep="\n",
        soft_wrap=True,
    )
    if plot_path:
        plot(runs, plot_path)
        console.print(f"Learning curves: {plot_path}")
    console.print(f"{perf_counter() - start:.0f} s in all")
