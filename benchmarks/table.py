"""The published table from a run's figures: `python benchmarks/table.py FILE.json`."""

import itertools
import json
import sys

with open(sys.argv[1]) as file:
    run = json.load(file)
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
