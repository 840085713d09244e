"""`python -m fastdrop bench`: fastdrop, the roof and other libraries side by side on this machine."""

from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import fastdrop as fd

from .. import output as _output
from . import report
from .measure import Result, compare
from .questions import Question, questions

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TextColumn("{task.percentage:3.0f}%"),
    TimeElapsedColumn(),
)
Groups = list[tuple[Question, list[Result]]]


def ask(chosen: list[Question], seconds: float, console: Any, groups: Groups) -> None:
    """Ask the questions one after the other, and show each answer; what is measured is in `groups` at any moment."""
    backend, threads = fd.backend(), fd.get_num_threads()
    try:
        with Progress(*COLUMNS, console=console, transient=True) as progress:
            task = progress.add_task("", total=sum(len(q.cases) for q in chosen))
            for question in chosen:
                groups.append((question, []))
                for case in question.cases:
                    progress.update(task, description=f"{question.name}: {case.name}"[:50].ljust(50))
                    compare(case, question, seconds, groups[-1][1])
                    progress.advance(task)
                console.print(report.table(*groups[-1]))
    finally:
        fd._core.binding.set_backend(backend)
        fd.set_num_threads(threads)


def save(machine: dict[str, object], groups: Groups, json_path: Path | None, plot_path: Path | None) -> list[str]:
    """Write what was measured, whatever is missing of it; return what to say of it."""
    said = []
    if json_path:
        report.save_json(json_path, machine, groups)
        said.append(f"Figures: {json_path}")
    forward = [r for q, rs in groups if q.name == "forward" for r in rs if r.shown and r.case.p == 0.5]
    if plot_path and forward:
        from .plot import plot

        plot(plot_path, machine, forward)
        said.append(f"Picture: {plot_path}")
    elif plot_path:
        said.append("No picture: nothing was measured that it could show")
    return said


def bench(quick: bool, only: list[str] | None, json_path: Path | None, plot_path: Path | None) -> bool:
    """Measure, show, and save what was asked for, also after an interruption; return whether all results were right."""
    asked = questions(quick)
    if unknown := set(only or ()) - {q.name for q in asked}:
        raise SystemExit(f"the questions are {', '.join(q.name for q in asked)}; got {', '.join(unknown)}")
    chosen = [q for q in asked if not only or q.name in only]
    if plot_path and not any(q.name == "forward" for q in chosen):
        raise SystemExit("the plot is of the question 'forward', which --only leaves out")
    console, machine, groups = _output.console(), report.environment(), []
    console.print(f"{machine['processor']}, {machine['threads']} threads, {machine['compiler']}, {machine['date']}")
    for line in report.unrest(machine["load average"], []):
        console.print(line)
    try:
        ask(chosen, 0.15 if quick else 3.0, console, groups)
    finally:
        saved = save(machine, groups, json_path, plot_path)
    errors = [r for _, rs in groups for r in rs if r.error]
    for line in (
        *report.unrest(None, [r for q, rs in groups for r in rs if r.contender == q.baseline]),
        *saved,
        *(f"ERROR: {r.case.question}, {r.case.name}, {r.contender}: {r.missing}" for r in errors),
    ):
        console.print(line, markup=False, soft_wrap=True)
    return not errors
