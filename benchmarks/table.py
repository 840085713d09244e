"""The published table from the figures that `python -m fastdrop bench --json FILE.json` writes, in Markdown."""

import argparse
import itertools
import json

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("file", metavar="FILE.json", help="of `python -m fastdrop bench --json`, not of pytest-benchmark")
path = parser.parse_args().file
with open(path, encoding="utf-8") as file:
    run = json.load(file)
if not isinstance(run, dict) or "results" not in run:
    parser.error(f"FILE.json must be written by `python -m fastdrop bench --json`, got {path}")
versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
print(f"{run['processor']}, {run['threads']} threads, {run['compiler']}, {run['date']}; {versions}.\n")
for question, rows in itertools.groupby(run["results"], key=lambda row: row["question"]):
    rows = list(rows)
    baseline = next(row["baseline"] for row in rows if "baseline" in row)
    print(f"### {question}\n\n| n | p | threads | what | contender | ns/element | ± % | speed / {baseline} |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        what = " ".join(filter(None, [row["dtype"] if row["dtype"] != "float32" else "", row["layout"]]))
        start = f"| {row['n']} | {row['p']:g} | {row['threads']} | {what} | {row['contender']} |"
        if "ns" in row:
            ratio = f"{row['ratio']:.3g}" if row["ratio"] else ""
            print(f"{start} {row['ns']:.4g} | {100 * row['spread']:.0f} | {ratio} |")
        else:
            print(f"{start} {row['missing']} | | |")
    print()
