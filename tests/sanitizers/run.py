"""Runs fastdrop under what watches its memory and threads: `python tests/sanitizers/run.py [--full] [CHECK ...]`.

A line a check, then how many passed, failed, and were not run for want of a tool; exit status 1 on a report.
--full adds the long checks: the Python tests among them, whose extension takes minutes to build.
"""

import importlib.util
import os
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from emulated.run import (  # noqa: E402
    CSRC,
    FLAGS,
    WARNINGS,
    NotRunError,
    compiled,
    execute,
    has_openmp,
    report,
    tool,
    write_vectors,
)

KERNEL_TESTS = HERE.parent / "emulated"
ADDRESS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# They build and install the library anew: that is not the extension which is watched.
OTHER_BUILDS = ["test_package.py", "test_emulated.py", "test_sanitizers.py", "test_c_face.py"]


def program(folder, compiler, *flags, beside=HERE):
    """The core with the checks beside this file, or beside another."""
    command = [tool(compiler), *FLAGS, "-D_GNU_SOURCE", *WARNINGS, *flags]
    core = [path for path in CSRC.rglob("*.c") if path.name != "example.c"]
    sources = [*sorted(core, reverse=True), *sorted(beside.glob("*.c"))]  # kernels take longest and come first
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(partial(compiled, folder, command), sources))
    target = Path(tempfile.mkdtemp(dir=folder)) / beside.name
    execute(*command, *objects, "-lm", "-lpthread", "-o", target)
    return target


def counted(output):
    """From lines as "backend avx2 17023 ok"."""
    lines = [line.split() for line in output.splitlines() if line.startswith("backend ")]
    return f"{', '.join(name for _, name, *_ in lines)}; {sum(int(count) for _, _, count, *_ in lines)} cases"


# The checks: each returns what there is to say where all is well.


def pages(folder):
    """Every buffer of every entry point between pages that may not be touched."""
    return counted(execute(program(folder, "gcc", "-O2", "-fopenmp"), "pages"))


def pages_aarch64(folder):
    emulator = tool("qemu-aarch64-static", "qemu-aarch64")
    target = program(folder, "aarch64-linux-gnu-gcc", "-O2", "-fopenmp", "-static")
    return counted(execute(emulator, target, "pages", "neon"))


def address(folder):
    return counted(execute(program(folder, "gcc", "-O1", "-fopenmp", *ADDRESS), "heap"))


def memcheck(folder):
    """Valgrind knows no AVX-512: it hides it from the program, which then leaves that backend out."""
    valgrind, target = tool("valgrind"), program(folder, "gcc", "-O2", "-fopenmp")
    settings = [
        "--vex-guest-max-insns=25",  # valgrind 3.19 has no room for the unrolled kernels in one piece
        "--leak-check=full",
        "--show-leak-kinds=definite",  # the OpenMP runtime keeps its team until the end
        "--errors-for-leak-kinds=definite",
        "--error-exitcode=9",
    ]
    return counted(execute(valgrind, "-q", *settings, target, "heap"))


def threads(folder):
    """Threads that share operands, each with a team.

    LLVM's archer tells the sanitizer how OpenMP synchronises; the runtime itself is not instrumented. The sanitizer of
    clang 14 does not know the addresses that a newer kernel hands out at random: setarch -R.
    """
    if not has_openmp(folder, tool("clang")):
        raise NotRunError("no OpenMP for clang")
    target = program(folder, "clang", "-g", "-O1", "-fopenmp", "-fsanitize=thread")
    archer = Path(tool("clang")).resolve().parents[1] / "lib" / "libarcher.so"
    if not archer.exists():
        raise NotRunError("no libarcher.so")
    settings = [f"OMP_TOOL_LIBRARIES={archer}", "TSAN_OPTIONS=ignore_noninstrumented_modules=1", "KMP_BLOCKTIME=0"]
    return counted(execute(tool("setarch"), "-R", "env", *settings, target, "threads"))


def python(folder):
    """The Python tests over an extension built for the sanitizers, which the interpreter has to load first."""
    for module in ("Cython", "setuptools", "pytest", "numpy"):
        if not importlib.util.find_spec(module):
            raise NotRunError(f"no {module}")
    copy = folder / "python"
    for name in ("src", "csrc", "tests", "benchmarks", "examples"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, copy)
    setup, flags = copy / "setup.py", " ".join(ADDRESS)
    setup.write_text(setup.read_text().replace('"-O2"', '"-O1"'))  # half the time, and better reports
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    execute("env", f"--chdir={copy}", f"CC={tool('gcc')}", f"CFLAGS={flags}", f"LDFLAGS={flags}", *build)
    libraries = [execute("gcc", f"-print-file-name={name}.so").strip() for name in ("libasan", "libubsan")]
    environment = [
        f"PYTHONPATH={copy / 'src'}",
        f"LD_PRELOAD={' '.join(libraries)}",
        "PYTHONMALLOC=malloc",  # every object an allocation of its own
        "ASAN_OPTIONS=detect_leaks=0",  # the interpreter frees little at its exit
    ]
    test = ["env", f"--chdir={copy}", *environment, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    paths = [path for path in sorted((copy / "tests").glob("test_*.py")) if path.name not in OTHER_BUILDS]
    passed = 0
    for path in paths:
        said = execute(*test, "-p", "no:faulthandler", path)
        passed += int((re.search(r"(\d+) passed", said) or ["", "0"])[1])
    return f"{len(paths)} files; {passed} tests"


def kernels(folder):
    """What tests/emulated compares, under the address sanitizer."""
    write_vectors(folder / "vectors.txt")
    target = program(folder, "gcc", "-O1", "-fopenmp", *ADDRESS, beside=KERNEL_TESTS)
    return counted(execute(target, folder / "vectors.txt"))


CHECKS = {"pages": pages, "memcheck": memcheck, "threads": threads}
LONG = {"address": address, "pages-aarch64": pages_aarch64, "kernels": kernels, "python": python}


def main(arguments):
    names = [name for name in arguments if name != "--full"]
    checks = CHECKS | LONG
    if unknown := ", ".join(name for name in names if name not in checks):
        sys.exit(f"no check {unknown}: there are {', '.join(checks)}")

    def run(name, folder):
        begin = time.perf_counter()
        return f"{checks[name](folder)}; {time.perf_counter() - begin:.1f} s"

    return report(names or (checks if "--full" in arguments else CHECKS), run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
