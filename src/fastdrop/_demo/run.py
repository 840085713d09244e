"""The demo itself: the runs, under a progress bar, and what is printed of them."""

from time import perf_counter

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from threadpoolctl import threadpool_limits  # scikit-learn needs it too

from . import report
from .members import MEMBERS, Member
from .training import BATCH, RATE_SEEDS, RATES, TEST, TRAIN, Figures, Run, has_idiom, split, train, try_rates

IDIOM = """ The NumPy idiom is, forward and backward:
   factor = (rng.random({}, dtype=np.float32) >= p) * scale; y = x * factor; dx = dy * factor"""


def compare(
    member: Member, seeds: int, epochs: int, console: Console
) -> tuple[Figures, dict[str, list[Run]], Run | None]:
    """Return the learning rates tried, the runs of both networks by name, and one with the NumPy idiom."""
    runs: dict[str, list[Run]] = {name: [] for name in member.names}
    trainings = len(RATES) * RATE_SEEDS + 2 * seeds + has_idiom(member)
    columns = *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn()
    # One BLAS thread: matrices this small gain little from more, and lose much where other work runs beside.
    with threadpool_limits(1, "blas"), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("choosing the learning rate", total=epochs * trainings)

        def advance() -> None:
            progress.advance(task)

        figures = try_rates(member, epochs, advance)
        rate = min(figures)[2]
        for seed in range(seeds):
            for on, name in enumerate(member.names):
                progress.update(task, description=f"seed {seed + 1} of {seeds}, {name}")
                runs[name].append(train(member, seed, rate, epochs, advance, on=bool(on)))
        if not has_idiom(member):
            return figures, runs, None
        progress.update(task, description="timing the NumPy idiom")
        return figures, runs, train(member, seeds - 1, rate, epochs, advance, on=True, curves=False, idiom=True)


def demo(layer: str, seeds: int, epochs: int, plot_path: str | None) -> None:
    """Train, print the tables, and draw the curves if a path is given."""
    if plot_path:
        import matplotlib  # noqa: F401  where it is missing, say so before the work
    console = Console(highlight=False)
    start = perf_counter()
    member = MEMBERS[layer]
    if layer != "dropout":
        console.print(f"{member.title}, {member.place}.\n", soft_wrap=True)
    figures, runs, idiom = compare(member, seeds, epochs, console)
    table, change = report.accuracies(runs)
    if member.rival:
        timed = runs
    else:
        timed = {"fastdrop": runs[member.names[1]][-1:]} | ({"NumPy idiom": [idiom]} if idiom else {})
    explained = IDIOM.format("x.shape" if layer == "dropout" else "noise_shape") if idiom else ""
    console.print(
        f"1. The learning rate is chosen on the network {member.names[0]}: least loss on "
        f"{len(split(0).validation[1])} digits,\n"
        f"   apart from those for training and test; mean of {RATE_SEEDS} seeds.",
        report.rates(figures),
        f"2. Digits classified right after epoch {epochs}, in %: trained on {TRAIN}, tested on {TEST} others, "
        "at that rate;\n"
        f"   mean ± standard deviation of {seeds} seeds.",
        table,
        f"   {change}\n",
        f"3. Time of a training step of {BATCH} digits, median epoch.{explained}",
        report.timings(timed, parts=not member.rival),
        sep="\n",
        soft_wrap=True,
    )
    if plot_path:
        report.plot(runs, plot_path)
        console.print(f"Learning curves: {plot_path}")
    console.print(f"{perf_counter() - start:.0f} s in all")
