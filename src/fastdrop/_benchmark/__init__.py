"""`python -m fastdrop bench`: fastdrop, the roof and other libraries side by side on this machine."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import fastdrop as fd

from . import report
from .measure import compare
from .questions import questions


def bench(quick: bool, only: list[str] | None, json_path: str | None, plot_path: str | None) -> None:
    """Measure, show, and save what was asked for."""
    asked = questions(quick)
    if unknown := set(only or ()) - {q.name for q in asked}:
        raise SystemExit(f"the questions are {', '.join(q.name for q in asked)}; got {', '.join(unknown)}")
    chosen = [q for q in asked if not only or q.name in only]
    if plot_path and not any(q.name == "forward" for q in chosen):
        raise SystemExit("the plot is of the question 'forward', which --only leaves out")
    console, machine = Console(highlight=False), report.environment()
    console.print(f"{machine['processor']}, {machine['threads']} threads, {machine['compiler']}, {machine['date']}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
    )
    groups = []
    backend, threads = fd.backend(), fd.get_num_threads()
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=sum(len(q.cases) for q in chosen))
            for question in chosen:
                results = []
                for case in question.cases:
                    progress.update(task, description=f"{question.name}: {case.name}"[:50].ljust(50))
                    results += compare(case, question, seconds=0.15 if quick else 3.0)
                    progress.advance(task)
                groups.append((question, results))
                console.print(report.table(question, results))
    finally:
        fd._engine.set_backend(backend)
        fd.set_num_threads(threads)
    if json_path:
        report.save_json(json_path, machine, groups)
    if plot_path:
        report.plot(plot_path, machine, groups)
