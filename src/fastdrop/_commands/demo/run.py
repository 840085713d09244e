"""The demo itself: the runs, under a progress bar, and what is printed of them."""

from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn
from threadpoolctl import threadpool_limits  # scikit-learn needs it too

from .. import output as _output
from . import report
from .members import MEMBERS, Member
from .timing import EPOCHS, Step, contenders, time_steps
from .training import BATCH, RATE_SEEDS, RATES, TEST, TRAIN, Figures, Run, best_rate, split, train, try_rates

IDIOM = """ The NumPy idiom is, forward and backward:
   factor = (rng.random({}, dtype=np.float32) >= p) * scale; y = x * factor; dx = dy * factor"""


def compare(
    member: Member, seeds: int, epochs: int, console: Console
) -> tuple[dict[str, Figures], dict[str, list[Run]], dict[str, Step]]:
    """Return the learning rates tried and the runs of both networks, by name, and the time of a step by contender."""
    runs: dict[str, list[Run]] = {name: [] for name in member.names}
    trainings = 2 * (len(RATES) * len(RATE_SEEDS) + seeds)
    total = epochs * trainings + EPOCHS * len(contenders(member))
    columns = *Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn()
    # One BLAS thread: matrices this small gain little from more, and lose much where other work runs beside.
    with threadpool_limits(1, "blas"), Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("choosing the learning rates", total=total)

        def advance() -> None:
            progress.advance(task)

        figures = {name: try_rates(member, epochs, advance, on=bool(on)) for on, name in enumerate(member.names)}
        rates = [best_rate(of) for of in figures.values()]
        for seed in range(seeds):
            for on, name in enumerate(member.names):
                progress.update(task, description=f"seed {seed + 1} of {seeds}, {name}")
                runs[name].append(train(member, seed, rates[on], epochs, advance, on=bool(on)))
        progress.update(task, description="timing a step")
        return figures, runs, time_steps(member, rates[1], advance)


def demo(layer: str, seeds: int, epochs: int, plot_path: Path | None) -> None:
    """Train, print the tables, and draw the curves if a path is given."""
    console = _output.console()
    start = perf_counter()
    member = MEMBERS[layer]
    if layer != "dropout":
        console.print(f"{member.title}, {member.place}.\n", soft_wrap=True)
    figures, runs, steps = compare(member, seeds, epochs, console)
    changes = report.changes(runs)
    explained = IDIOM.format("x.shape" if layer == "dropout" else "noise_shape") if "NumPy idiom" in steps else ""
    console.print(
        f"1. The learning rate of each network is chosen by the least loss on {len(split(0).validation[1])} digits,\n"
        f"   apart from those for training and test; mean of {len(RATE_SEEDS)} seeds.",
        report.rates(figures),
        f"2. Digits classified right after epoch {epochs}, in %: trained on {TRAIN}, tested on {TEST} others;\n"
        f"   mean {_output.plus_minus()} standard deviation of {seeds} seeds.",
        report.accuracies(runs),
        f"   {report.sentence(member.names[1], changes)}\n",
        f"3. Time of a training step of {BATCH} digits, median of {EPOCHS} epochs in turn.{explained}",
        report.timings(steps, parts=not member.rival),
        sep="\n",
        soft_wrap=True,
    )
    if plot_path:
        report.plot(runs, plot_path)
        console.print(f"Learning curves: {plot_path}", markup=False, soft_wrap=True)
    console.print(f"{perf_counter() - start:.0f} s in all")
