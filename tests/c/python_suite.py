"""The Python tests on an emulated machine: `python tests/c/python_suite.py [aarch64 | s390x] [TEST_FILE ...]`.

apt's Python and NumPy for that machine are unpacked in the user's cache folder (180 MB; delete it to have newer ones),
and the extension is compiled for it. A line a file, with the failures; then the counts; exit status 1 on a failure.
All files take hours.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS, ROOT = HERE.parent, HERE.parents[1]
sys.path.insert(0, str(TESTS))

from c.run import FailedError, NotRunError, execute, report, tool  # noqa: E402

MACHINES = {"aarch64": "arm64", "s390x": "s390x"}  # and apt's name
PACKAGES = ["python3", "python3-numpy", "python3-pytest", "python3-hypothesis", "python3-rich", "python3-threadpoolctl"]
PACKAGES += ["libpython3-dev", "libgomp1"]
LEFT_OUT = {
    "test_c_face.py": "compiles C, and the compilers are of this machine",
    "test_benchmarks.py": "compiles C, and the compilers are of this machine",
    "test_c_checks.py": "checks of this machine",
    "test_sanitizers.py": "checks of this machine",
    "test_free_threaded.py": "checks of this machine",
    "fuzz/test_run.py": "checks of this machine",
    "test_planted.py": "compiles C, and the compilers are of this machine",
    "test_promises.py::test_the_core_needs_no_libm": "compiles C, and the compilers are of this machine",
    "test_cli.py::test_bench": "times an emulator, and draws with Matplotlib",
    "test_far_samples.py": "2^32 elements would take an emulator an hour",
}
HOURS = 3  # for a file: on a busy machine one took 20 minutes


def unpacked(machine, folder):
    """The root folder of such a machine, as far as Python needs it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = cache / "fastdrop" / machine
    if root.exists():
        return root
    (folder / "status").touch()  # nothing is installed there
    settings = [f"APT::Architecture={MACHINES[machine]}", "APT::Install-Recommends=false", f"Dir::State={folder}"]
    settings += [f"Dir::State::status={folder / 'status'}", f"Dir::Cache={folder}"]
    apt = [tool("apt-get"), "-q", *(f"-o{setting}" for setting in settings)]
    try:
        execute(*apt, "update")
        execute(*apt, "--yes", "--download-only", "install", *PACKAGES)
    except FailedError as reason:
        raise NotRunError(f"apt-get has no Python for it: {reason}") from None
    partial = root.with_name(f"{root.name}-partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for package in (folder / "archives").glob("*.deb"):
        execute(tool("dpkg-deb"), "-x", package, partial)
    for name in ("blas", "lapack"):  # which the packages' own scripts would do
        link = partial / "usr" / "lib" / f"{machine}-linux-gnu" / f"lib{name}.so.3"
        link.symlink_to(f"{name}/{link.name}")
    return partial.rename(root)


def interpreter(emulator, root, folder):
    """A command that is Python there, also to that Python itself, which starts it for child processes."""
    command = f'exec {emulator} -0 "$0" -L {root} -E PYTHONHOME={root}/usr {root}/usr/bin/python3 "$@"'
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def build(compiler, root, folder):
    """The folder of the package. Cython runs here, with this NumPy, whose headers serve the older one too."""
    try:
        import Cython  # noqa: F401
        import numpy
        import setuptools  # noqa: F401
    except ImportError as reason:
        raise NotRunError(str(reason)) from None
    (headers,) = root.glob("usr/include/python3.*")
    flags = f"-I{numpy.get_include()} -I{headers} -idirafter {root}/usr/include"
    variables = [f"CC={compiler}", f"LDSHARED={compiler} -shared", f"CFLAGS={flags}", "SETUPTOOLS_EXT_SUFFIX=.so"]
    base, library = folder / "build", folder / "library"
    setup = [sys.executable, "setup.py", "-q", "build", f"--build-base={base}", f"--build-lib={library}"]
    execute("env", f"--chdir={ROOT}", *variables, *setup)
    return library


def tested(python, library, path):
    """How many of the file's tests passed, failed, ..."""
    name = path.relative_to(TESTS)
    left_out = [f"--deselect=tests/{test}" for test in LEFT_OUT]
    command = [python, "-m", "pytest", "-q", "-rs", "--tb=short", "-p", "no:cacheprovider", *left_out, path]
    environment = os.environ | {"PYTHONPATH": str(library)}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=HOURS * 3600
        )
    except subprocess.TimeoutExpired as reason:
        print(f"{name}: {reason}", flush=True)
        return Counter(failed=1)
    *lines, summary = done.stdout.splitlines() or [""]
    counts = Counter({word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|skipped)", summary)})
    print(f"{name}: {summary}", *(line for line in lines if line.startswith("SKIPPED")), sep="\n", flush=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", flush=True)
        counts["failed"] += not (counts["failed"] or counts["error"])  # the interpreter itself
    return counts


def suite(files, machine, folder):
    """What there is to say where nothing fails."""
    emulator, compiler = tool(f"qemu-{machine}-static", f"qemu-{machine}"), tool(f"{machine}-linux-gnu-gcc")
    root = unpacked(machine, folder)
    python, library = interpreter(emulator, root, folder), build(compiler, root, folder)
    said = "import numpy, fastdrop; print('NumPy', numpy.__version__, *fastdrop.backends())"
    print(f"{machine}: {execute('env', f'PYTHONPATH={library}', python, '-c', said)}", end="", flush=True)
    counts, begin = Counter(), time.perf_counter()
    for path in files:
        counts += tested(python, library, path)
    line = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
    line = f"{len(files)} files; {line}; {time.perf_counter() - begin:.0f} s"
    if counts["failed"] or counts["error"]:
        raise FailedError(line)
    return line


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machine", nargs="?", choices=MACHINES, default="aarch64")
    parser.add_argument("files", nargs="*", type=lambda name: Path(name).resolve())
    chosen = parser.parse_args(arguments)
    all_files = [path for path in sorted(TESTS.rglob("test_*.py")) if str(path.relative_to(TESTS)) not in LEFT_OUT]
    return report([chosen.machine], functools.partial(suite, chosen.files or all_files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
