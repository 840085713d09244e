"""Writes what was found, from results/*.json, into the tables of README.md: `python examples/evidence/tables.py`.

`--check` writes nothing, and fails where a table is not that of the results.
"""

import argparse
import json
import re
import sys
from pathlib import Path

from claims import all_claims, all_losses, span

HERE = Path(__file__).parent
RUNS = ["overfitting", "rate", "ensemble", "features", "minibatch_mask", "uncertainty", "band", "family", "demo_width"]


def results(name):
    """Return the results of an experiment."""
    return json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))


def p_value(of):
    """Return the p-value of a comparison in words."""
    p = of["p_value"]
    return "-" if p is None else f"{p:.2g}" if p >= 1e-4 else "< 0.0001"


def markdown(headings, rows):
    """Return a Markdown table, numbers to the right."""
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def claims():
    """Tabulate each claim, its goal, and what was found."""
    rows = [f"| {' | '.join(row)} |" for row in all_claims(results)]
    return "\n".join(["| the claim | the goal | what was found |", "| --- | --- | --- |", *rows])


def losses():
    """List where dropout did not help, what is worse first."""
    found = sorted(all_losses(results), key=lambda row: row[1] != "worse")
    return "\n".join(f"* {what}: {said}" for what, said in found)


def runs():
    """Tabulate what was run."""
    rows = []
    for name in RUNS:
        found = results(name)
        processor = found["processor"]
        rows.append([f"`{found['command']}`", found["ran"]["seeds"], found["cpu_seconds"], found["date"], processor])
    return markdown(["command", "seeds", "CPU s, one thread", "date", "processor"], rows)


def overfitting():
    """Tabulate the test errors and gaps, and dropout beside the best arm without it."""
    found = results("overfitting")
    rows = [
        [f"{row['size']}, {row['arm']}", *(span(row[key]) for key in ("train", "test", "gap"))]
        for row in found["table"]
    ]
    pairs = [
        [f"{of['size']}, {of['arm']}", of["against"], f"{of['fewer_errors_percent']:.0f} %", span(of, 2), p_value(of)]
        for of in found["comparison"]
    ]
    return (
        markdown(["digits, arm", "training error (%)", "test error (%)", "gap (points)"], rows)
        + "\n\n"
        + markdown(["digits, arm", "best without dropout", "fewer errors", "difference (points)", "p"], pairs)
    )


def rate():
    """Tabulate the errors along each curve."""
    rows = [
        [f"{row['curve']}: {row['p']}", row["width"], span(row["test"]), span(row["against_lesson"], 2),
         p_value(row["against_lesson"])]
        for row in results("rate")["table"]
    ]  # fmt: skip
    return markdown(["curve: rate", "width", "test error (%)", "less the lesson's (points)", "p"], rows)


def ensemble():
    """Tabulate error, log-loss and time of each predictor."""
    rows = []
    for row in results("ensemble")["table"]:
        against = row["error_against_weight_scaling"]
        times = span(row["training"]), span(row["predicting"], 3)
        rows.append([row["predictor"], span(row["error"]), span(row["log_loss"], 3), p_value(against), *times])
    headings = ["predictor", "test error (%)", "log-loss (nats)", "p, error against weight scaling"]
    return markdown([*headings, "training (CPU s)", "predicting (CPU s)"], rows)


def features():
    """Tabulate the measures with and without."""
    rows = [
        [
            row["measure"].replace("_", " "),
            *(span(row[arm], 3) for arm in ("without", "with")),
            p_value(row["difference"]),
        ]
        for row in results("features")["table"]
    ]
    return markdown(["measure", "without dropout", "with dropout", "p"], rows)


def minibatch_mask():
    """Tabulate errors, the time of a step, and the time to the target."""
    rows = []
    for row in results("minibatch_mask")["table"]:
        reached = row["seconds_to_target"]
        reached = "not reached" if reached is None else f"{reached:.1f} s, {row['steps_to_target']} steps"
        numbers = span(row["last_error"]), p_value(row["against_best_without"]), span(row["step_milliseconds"], 2)
        rows.append([row["arm"], *numbers, f"{row['target']:.2f} %: {reached}"])
    return markdown(["arm", "error at the end (%)", "p", "step (CPU ms)", "to the target"], rows)


def uncertainty():
    """Tabulate the areas under the curves, and the calibration."""
    found = results("uncertainty")
    areas = [
        [f"{of['finds']}: {of['score']}", span(of["area"], 3), p_value(of["against_plain"])] for of in found["table"]
    ]
    qualities = [
        [f"{of['predictor']}: {of['of'].replace('_', ' ')}", span(of["value"], 3), p_value(of["against_plain"])]
        for of in found["qualities"]
    ]
    return (
        markdown(["what is found: by which score", "area", "p against no dropout"], sorted(areas))
        + "\n\n"
        + markdown(["predictor: figure", "value", "p against no dropout"], qualities)
    )


def band():
    """Tabulate error, coverage and log-density of the bands."""
    rows = [
        [
            f"{row['where']}, {row['arm']}: {row['of'].replace('_', ' ')}",
            span(row["value"], 3),
            p_value(row["against_plain"]),
        ]
        for row in sorted(results("band")["table"], key=lambda row: (row["where"], row["of"]), reverse=True)
    ]
    return markdown(["diamonds, arm: figure", "value", "p against no dropout"], rows)


def family():
    """Tabulate the error of each kind on its task."""
    rows = [
        [f"{row['task']}: {row['kind']}", row["p"], span(row["test"]), p_value(row["against_none"]),
         p_value(row["against_dropout"])]
        for row in results("family")["table"]
    ]  # fmt: skip
    return markdown(["task: kind", "rate", "test error (%)", "p against none", "p against Dropout"], rows)


def demo_width():
    """Tabulate the validation errors of the demo's networks at each width."""
    found = results("demo_width")
    rows = []
    for row in found["table"]:
        chosen = "chosen" if row["width"] == found["chosen"] else ""
        rows.append([f"{row['width']}, {row['arm']}", row["learning_rate"], span(row["error"]), chosen])
    return markdown(["units a layer, network", "learning rate", "validation error (%)", ""], rows)


def main():
    """Put each table between its marks in README.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    options, path = parser.parse_args(), HERE / "README.md"
    before = text = path.read_text(encoding="utf-8")
    for name in ["claims", "losses", "runs", *RUNS]:
        marked = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        table = globals()[name]()
        text, count = re.subn(marked, lambda match, table=table: f"{match[1]}\n{table}\n\n{match[2]}", text, flags=re.S)
        if count != 1:
            sys.exit(f"README.md needs the marks of {name} once, has them {count} times")
    if options.check:
        sys.exit("README.md: a table is not that of the results" if text != before else 0)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
