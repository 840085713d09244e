"""What people see: a table that fits a terminal, and a JSON file."""

import datetime
import json
import os
from importlib import metadata
from pathlib import Path

from rich.markup import escape
from rich.table import Table

import fastdrop as fd

from ..output import plus_minus
from .measure import Result
from .questions import Question

PACKAGES = ("numpy", "numba", "torch", "jax", "onnxruntime", "bitarray")


def versions() -> dict[str, str]:
    """The releases measured, of what is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"fastdrop": fd.__version__, **found}


def environment() -> dict[str, object]:
    """The machine and the day, without which no figure means anything."""
    config = fd.show_config(mode="dicts")
    return {
        "processor": config["processor"],
        "threads": config["threads"]["count"],
        "compiler": " ".join(config["compiler"].values()),
        "date": datetime.date.today().isoformat(),
        "load average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": versions(),
    }


def ratio(question: Question, results: list[Result], result: Result) -> float | None:
    """The baseline's time over this one's, on the same case: 1 is as fast, more is faster."""
    for other in results:
        if other.contender == question.baseline and other.case == result.case and other.shown and result.shown:
            return other.median / result.median
    return None


def rows(question: Question, results: list[Result]) -> list[dict[str, object]]:
    """One plain row a result."""
    return [
        {
            "question": question.name,
            "n": r.case.n,
            "p": r.case.p,
            "threads": r.case.threads,
            "dtype": r.case.dtype,
            "layout": r.case.layout,
            "contender": r.contender,
            **(
                {"missing": r.missing, "error": r.error}
                if not r.shown
                else {
                    "ns": r.median,
                    "spread": r.spread,
                    "rounds": len(r.times),
                    "baseline": question.baseline,
                    "ratio": ratio(question, results, r),
                }
            ),
        }
        for r in results
    ]


QUIET_LOAD, QUIET_SPREAD = 0.5, 0.15  # of the machine before the start, of the baselines' times


def unrest(load: float | None, baselines: list[Result]) -> list[str]:
    """Say what tells that other work ran beside: the load before the start, and how far the baselines' times vary."""
    said = []
    if load is not None and load >= QUIET_LOAD:
        said.append(f"BUSY: the load average was {load:.1f} before the start; other work runs on this machine.")
    shown = [r.spread for r in baselines if r.shown]
    wide = [spread for spread in shown if spread > QUIET_SPREAD]
    if wide:
        cases = f"{len(wide)} of {len(shown)} cases"
        said.append(f"UNSTEADY: the baselines' own times vary by up to {max(wide):.0%}, in {cases}.")
    if said:
        said.append(
            "So the times are too long, most of all those of several threads, and the ratios may be wrong by a large "
            "factor. Run it again on a quiet machine."
        )
    return said


def table(question: Question, results: list[Result]) -> Table:
    """The question's rows as a rich table, the answer first: it stays where a terminal is narrow."""
    out = Table(
        title=f"{question.name}: {question.asks}; {question.baseline} = 1, more is faster", title_justify="left"
    )
    out.add_column("speed", justify="right", no_wrap=True)
    out.add_column("contender", overflow="fold")
    for heading in ("ns/element", f"{plus_minus()} %"):
        out.add_column(heading, justify="right", no_wrap=True)
    before = None
    for r in results:
        if r.case != before:
            out.add_section()
            out.add_row("", f"[bold]{r.case.name}", "", "")
        before = r.case
        if not r.shown:
            out.add_row("ERROR" if r.error else "-", escape(f"{r.contender}: {r.missing}"), "", "")
            continue
        share = ratio(question, results, r)
        speed = f"{share:.3g}" if share else "-"
        out.add_row(speed, r.contender, f"{r.median:.4g}", f"{100 * r.spread:.0f}")
    return out


def save_json(path: Path, machine: dict[str, object], groups: list[tuple[Question, list[Result]]]) -> None:
    """Everything, in plain types."""
    results = [row for q, rs in groups for row in rows(q, rs)]
    path.write_text(json.dumps({**machine, "results": results}, indent=1), encoding="utf-8")
