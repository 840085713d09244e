"""Fuzzes the C core: `python tests/fuzz/run.py [--seconds 60]` builds it with libFuzzer and two sanitizers, and runs.

It begins with the inputs in `corpus`; `--keep` leaves there some that cover most. A line says what
was done; exit status 1 on a finding, whose input is then printed. Without clang, its libFuzzer or its sanitizers it is
NOT RUN, and counted as that.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from c.run import CSRC, FailedError, NotRunError, compiled, execute, tool  # noqa: E402

FLAGS = ["-std=gnu11", "-O1", "-g", "-ffp-contract=off", f"-I{CSRC}"]
CORPUS, KEPT = HERE / "corpus", 64
SANITIZERS = "address,undefined"
PROBE = "int LLVMFuzzerTestOneInput(const char *data, unsigned long n);\n"
PROBE += "int LLVMFuzzerTestOneInput(const char *data, unsigned long n) { return n > 9 && data[0] < 0; }\n"


def build(folder):
    """The fuzzer."""
    compiler = tool("clang-14", "clang")
    (folder / "probe.c").write_text(PROBE, encoding="utf-8")
    try:
        execute(compiler, f"-fsanitize=fuzzer,{SANITIZERS}", folder / "probe.c", "-o", folder / "probe")
    except FailedError:
        raise NotRunError("no libFuzzer or sanitizers in clang: libclang-rt-14-dev") from None
    sources = sorted(path for path in CSRC.rglob("*.c") if path.name != "example.c")
    command = [compiler, *FLAGS, "-fno-sanitize-recover=all"]
    core, oracle = ([*command, f"-fsanitize={what}{SANITIZERS}"] for what in ("fuzzer-no-link,", ""))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(functools.partial(compiled, folder, core), sources))
    # The oracle's branches are not watched: they took half the time, and say nothing about the core.
    objects.append(compiled(folder, oracle, HERE / "core_fuzzer.c"))
    execute(compiler, f"-fsanitize=fuzzer,{SANITIZERS}", *objects, "-lm", "-o", folder / "core_fuzzer")
    return folder / "core_fuzzer"


def keep(program, folder, found):
    """The inputs of both folders that reach most edges, KEPT at most: each adds the most to those before it."""
    notes, merged = folder / "notes", folder / "merged"
    merged.mkdir()
    options = ["-set_cover_merge=1", "-use_counters=0", f"-merge_control_file={notes}"]
    execute(program, *options, merged, found, CORPUS)
    count, _, *lines = notes.read_text(encoding="utf-8").splitlines()
    names = lines[: int(count)]
    words = (line.split() for line in lines[int(count) :])
    edges = {Path(names[int(number)]): {*reached} for kind, number, *reached in words if kind == "FT"}
    kept, seen = {}, set()
    while len(kept) < KEPT and (best := max(edges, key=lambda path: len(edges[path] - seen))) not in kept:
        seen |= edges[best]
        kept[best] = best.read_bytes()
    shutil.rmtree(CORPUS)
    CORPUS.mkdir()
    for path, data in kept.items():
        (CORPUS / path.name).write_bytes(data)


def fuzz(seconds, keeping, folder):
    """What there is to say of a run without a finding."""
    program, finding, found = build(folder), folder / "finding", folder / "found"
    found.mkdir()
    begin = time.perf_counter()
    options = {"max_total_time": seconds, "max_len": 128, "len_control": 0, "timeout": 60, "seed": 11}
    options |= {"print_final_stats": 1, "exact_artifact_path": finding}
    command = [program, *(f"-{name}={value}" for name, value in options.items()), found, CORPUS]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=seconds + 300)
    if done.returncode:
        found = finding.read_bytes().hex() if finding.exists() else "none"
        raise FailedError(f"exit status {done.returncode}, input {found}\n{done.stderr[-5000:]}")
    inputs = re.search(r"number_of_executed_units: (\d+)", done.stderr)[1]
    edges = re.findall(r"cov: (\d+)", done.stderr)[-1]
    took = time.perf_counter() - begin
    if keeping:
        keep(program, folder, found)
    return f"core: {inputs} inputs, {int(inputs) / took:.0f} a second, {edges} edges covered, {took:.0f} s"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    chosen = parser.parse_args(arguments)
    counts = dict.fromkeys(("passed", "failed", "not run"), 0)
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome, line = "passed", fuzz(chosen.seconds, chosen.keep, Path(folder))
        except NotRunError as reason:
            outcome, line = "not run", f"NOT RUN: core: {reason}"
        except FailedError as reason:
            outcome, line = "failed", f"FAILED: core: {reason}"
    counts[outcome] += 1
    print(line)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return counts["failed"] > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
