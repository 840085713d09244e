"""What people see: a table that fits a terminal, a JSON file, two pictures."""

import datetime
import json
from importlib import metadata

import fastdrop as fd

from .cases import size_name
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
        "versions": versions(),
    }


def ratio(question: Question, results: list[Result], result: Result) -> float | None:
    """The baseline's time over this one's, on the same case: 1 is as fast, more is faster."""
    for other in results:
        if other.contender == question.baseline and other.case == result.case and other.times:
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
                {"missing": r.missing}
                if r.missing
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


def table(question: Question, results: list[Result]):  # type: ignore[no-untyped-def]
    """The question's rows as a rich table."""
    from rich.table import Table

    out = Table(title=f"{question.name}: {question.asks}", title_justify="left", width=100)
    out.add_column("case", ratio=5)
    out.add_column("contender", ratio=4)
    for heading in ("ns/element", "± %", f"speed / {question.baseline}"):
        out.add_column(heading, justify="right", ratio=3 if "/" in heading else 1)
    before = None
    for r in results:
        label = r.case.name if r.case != before else ""
        if label and before:
            out.add_section()
        before = r.case
        if r.missing:
            out.add_row(label, r.contender, f"[dim]{r.missing}", "", "")
            continue
        share = ratio(question, results, r)
        out.add_row(label, r.contender, f"{r.median:.4g}", f"{100 * r.spread:.0f}", f"{share:.3g}" if share else "")
    return out


def save_json(path: str, machine: dict[str, object], groups: list[tuple[Question, list[Result]]]) -> None:
    """Everything, in plain types."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({**machine, "results": [row for q, rs in groups for row in rows(q, rs)]}, file, indent=1)


def plot(path: str, machine: dict[str, object], groups: list[tuple[Question, list[Result]]]) -> None:
    """Time an element against size, and speed-up against threads, of the forward pass at p=0.5."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    results = [r for q, rs in groups if q.name == "forward" for r in rs if r.times and r.case.p == 0.5]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(15, 6.5), width_ratios=(3, 2))
    names = list(dict.fromkeys(r.contender for r in results))
    colours = dict(zip([name for name in names if name != "roof"], pyplot.colormaps["tab20"].colors, strict=False))
    most = max(r.case.threads for r in results)
    for name in names:
        mine = [r for r in results if r.contender == name]
        style = (
            {"color": "black", "linestyle": "--", "linewidth": 2}
            if name == "roof"
            else {"color": colours[name], "marker": "o", "linewidth": 2.5 if name.startswith("fastdrop") else 1.2}
        )
        label = "roof: the array scaled in place" if name == "roof" else name
        single = [r for r in mine if r.case.threads == 1]
        left.loglog([r.case.n for r in single], [r.median for r in single], label=label, **style)
        large = [r for r in mine if r.case.n == max(s.case.n for s in results)]
        if len(large) > 1:
            one = next(r for r in large if r.case.threads == 1).median
            right.plot(
                [r.case.threads for r in large],
                [one / r.median for r in large],
                **style,
            )
    sizes = sorted({r.case.n for r in results})
    left.set_xticks(sizes, [size_name(n) for n in sizes], minor=False)
    left.set(xlabel="elements in the array", ylabel="nanoseconds an element (lower is faster)")
    left.set_title("A whole call in one thread, float32, p = 0.5")
    left.grid(alpha=0.3)
    right.plot([1, most], [1, most], color="grey", linestyle=":", label="ideal")
    right.set(xlabel="threads", ylabel="times as fast as with one thread", xticks=range(1, most + 1))
    right.set_title(f"More threads, {size_name(max(sizes))} elements")
    right.grid(alpha=0.3)
    right.legend(loc="upper left")
    figure.suptitle(f"Forward dropout on {machine['processor']}, {machine['date']}")
    figure.legend(*left.get_legend_handles_labels(), loc="lower center", ncols=4, frameon=False)
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    figure.savefig(path, dpi=110)
