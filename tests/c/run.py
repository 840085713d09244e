"""Checks the C core on what this machine lacks: `python tests/c/run.py [TARGET ...]`, by default every target.

A line a target, then how many passed, failed, and were not run for want of a tool; exit status 1 on a failure only.
Each builds csrc/ with the checks beside this file, gives the program every known answer of the mask stream, and
counts its cases.
"""

import functools
import importlib.metadata
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS, CSRC = HERE.parent, HERE.parents[1] / "csrc"
FLAGS = ["-std=c11", "-ffp-contract=off", "-fvisibility=hidden", f"-I{CSRC}"]  # setup.py's, but for -O2
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"]
PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


class NotRunError(Exception):
    """This machine lacks what the target needs."""


class FailedError(Exception):
    """The core does not compile, or is wrong."""


def tool(*names):
    """The first of the programs that is here."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise NotRunError(f"no {names[0]}")


def simde():
    """The folder above simde/, of the PyPI package cmeel-simde."""
    try:
        files = importlib.metadata.files("cmeel-simde") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.parts[-3:] == ("simde", "x86", "avx512.h"):
            return file.locate().parents[2]
    raise NotRunError("no cmeel-simde")


def execute(*command, timeout=900):
    command = [str(word) for word in command]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=timeout)
    except subprocess.TimeoutExpired as reason:
        raise FailedError(str(reason)) from None
    if done.returncode:
        raise FailedError(f"{' '.join(command)}\nexit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def has_openmp(folder, *compiler):
    (folder / "probe.c").write_text(PROBE, encoding="utf-8")
    try:
        execute(*compiler, "-fopenmp", folder / "probe.c", "-o", folder / "probe")
    except FailedError:
        return False
    return True


def compiled(folder, command, source):
    """The object file; targets that compile a source alike share it."""
    target = folder / f"{source.stem}-{zlib.crc32(repr(command).encode()):08x}.o"
    if not target.exists():
        execute(*command, "-c", source, "-o", target)
    return target


def build(folder, compiler, optimise="-O2", link=(), openmp=True, special=None):
    """The program. `special` has further flags for single sources, by name."""
    command = [compiler, optimise, *FLAGS, *WARNINGS]
    if openmp and has_openmp(folder, compiler, *link):
        command.append("-fopenmp")
    core = [path for path in CSRC.rglob("*.c") if path.name != "example.c"]
    sources = [*sorted(core, reverse=True), *sorted(HERE.glob("*.c"))]  # kernels take longest and come first
    commands = [command + (special or {}).get(source.name, []) for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(functools.partial(compiled, folder), commands, sources))
    execute(*command, *link, *objects, "-lm", "-o", folder / "check_core")
    return folder / "check_core"


# What a target runs, and the backend that it is about.


def native(folder):
    return [build(folder, tool("gcc", "cc"))], "portable"


def serial(folder):
    """Without OpenMP, and less optimised: inlining and unrolling have to work there too."""
    return [build(folder, tool("gcc", "cc"), optimise="-O1", openmp=False)], "portable"


def clang(folder):
    return [build(folder, tool("clang", "clang-14"))], "portable"


def avx512(folder):
    if platform.machine() not in ("x86_64", "AMD64"):
        raise NotRunError("no x86-64 compiler")
    # -O2 takes twice as long to compile. -Wno-psabi: with AVX, wide vectors would be passed in other registers, which
    # is all one to functions that are inlined.
    flags = ["-O1", "-Wno-psabi", "-isystem", simde(), "-include", HERE / "simde.h", "-DFD_EMULATE"]
    return [build(folder, tool("gcc"), special={"avx512.c": flags})], "avx512"


def cross(folder, machine, backend):
    compiler, emulator = tool(f"{machine}-linux-gnu-gcc"), tool(f"qemu-{machine}-static", f"qemu-{machine}")
    return [emulator, build(folder, compiler, link=["-static"])], backend


TARGETS = {
    "native": native,
    "serial": serial,
    "clang": clang,
    "avx512": avx512,
    "aarch64": functools.partial(cross, machine="aarch64", backend="neon"),
    "s390x": functools.partial(cross, machine="s390x", backend="portable"),
}


def window(full_shape, corner, shape):
    """A window's first index, how many axes it has, and extent and index stride of each."""
    strides = [math.prod(map(int, full_shape[d + 1 :])) for d in range(len(shape))]
    start = sum(int(c) * stride for c, stride in zip(corner, strides, strict=True))
    axes = [word for extent, stride in zip(shape, strides, strict=True) for word in (extent, stride % 2**64)]
    return start, len(shape), *axes


def write_vectors(path):
    """The known answers, a case a line, as check_vectors.c reads them."""
    lines = []
    for name in ("vectors", "stream-check"):
        titles = json.loads((TESTS / f"{name}.json").read_text(encoding="utf-8"))
        sections = {title.split(":")[0]: cases for title, cases in titles.items()}
        for key, stream, p, start, n, bits in sections["mask"]:
            lines.append(["mask", *key, stream, start, 1, n, 1, p, bits])
        for key, stream, p, full_shape, corner, shape, bits in sections["window"]:
            lines.append(["mask", *key, stream, *window(full_shape, corner, shape), p, bits])
        for key, stream, rates, start, bits in sections["array p"]:
            lines.append(["each", *key, stream, start, 1, len(rates), 1, *rates, bits])
        for key, stream, rates, full_shape, corner, shape, bits in sections.get("array p window", []):
            lines.append(["each", *key, stream, *window(full_shape, corner, shape), *rates, bits])
    path.write_text("".join(" ".join(map(str, line)) + "\n" for line in lines), encoding="utf-8")


def run(name, folder):
    """What there is to say of a target that passes."""
    begin = time.perf_counter()
    command, backend = TARGETS[name](folder)
    write_vectors(folder / "vectors.txt")
    wanted = [] if backend == "portable" else [backend]  # where portable runs, the native targets have checked it
    built, *checked = execute(*command, folder / "vectors.txt", *wanted).splitlines()
    cases = {line.split()[1]: int(line.split()[2]) for line in checked}  # "backend avx2 17023 ok"
    if backend not in cases:
        raise FailedError(f"{backend} was not checked, but {', '.join(cases)}")
    seconds = time.perf_counter() - begin
    return f"{built}; {', '.join(cases)}; {sum(cases.values())} cases; {seconds:.1f} s"


def report(names, run):
    """Run each by name in a folder, say a line of it, then how many passed, failed and were not run; 1 on a failure."""
    counts = dict.fromkeys(("passed", "failed", "not run"), 0)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            try:
                outcome, line = "passed", f"{name}: {run(name, Path(folder))}"
            except NotRunError as reason:
                outcome, line = "not run", f"NOT RUN: {name}: {reason}"
            except FailedError as reason:
                outcome, line = "failed", f"FAILED: {name}: {reason}"
            counts[outcome] += 1
            print(line, flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return counts["failed"] > 0


def main(names):
    if unknown := ", ".join(name for name in names if name not in TARGETS):
        sys.exit(f"no target {unknown}: there are {', '.join(TARGETS)}")
    return report(names or TARGETS, run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
