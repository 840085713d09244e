"""Runs fastdrop under what watches its memory and threads: `python tests/sanitizers/run.py [--full] [CHECK ...]`.

A line a check, then how many passed, failed, and were not run for want of a tool; exit status 1 on a report.
--full adds the long checks: the Python tests among them, whose extension takes minutes to build.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from c.run import (  # noqa: E402
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
from sanitizers import python_tests  # noqa: E402

KERNEL_TESTS = HERE.parent / "c"
ADDRESS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# A report of the thread sanitizer fails the program at its exit. The runtimes of OpenMP are not instrumented.
THREAD_OPTIONS = "TSAN_OPTIONS=ignore_noninstrumented_modules=1"
# Those whose calls start threads, or come from some.
THREADED = ["alpha", "array_p", "bias_residual", "dropout", "gather", "mc_dropout", "processes", "rng", "threads"]
PLANTED_RACE = """if True:
    import threading, numpy, fastdrop
    x, out = numpy.ones(2**20), numpy.empty(2**20)
    threads = [threading.Thread(target=fastdrop.dropout, args=(x,), kwargs={"out": out}) for _ in range(2)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]"""


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


def archer(compiler):
    """LLVM's library that tells the sanitizer how OpenMP synchronises."""
    library = Path(compiler).resolve().parents[1] / "lib" / "libarcher.so"
    if not library.exists():
        raise NotRunError("no libarcher.so")
    return library


def threads(folder):
    """Threads that share operands, each with a team.

    The sanitizer of clang 14 does not know the addresses that a newer kernel hands out at random: setarch -R.
    """
    compiler = tool("clang")
    if not has_openmp(folder, compiler):
        raise NotRunError("no OpenMP for clang")
    target = program(folder, compiler, "-g", "-O1", "-fopenmp", "-fsanitize=thread")
    settings = [f"OMP_TOOL_LIBRARIES={archer(compiler)}", THREAD_OPTIONS, "KMP_BLOCKTIME=0"]
    return counted(execute(tool("setarch"), "-R", "env", *settings, target, "threads"))


def python(folder):
    """The Python tests over an extension built for the sanitizers, which the interpreter has to load first."""
    copy = python_tests.build(folder, tool("gcc"), *ADDRESS)
    libraries = [execute("gcc", f"-print-file-name={name}.so").strip() for name in ("libasan", "libubsan")]
    environment = [
        f"LD_PRELOAD={' '.join(libraries)}",
        "PYTHONMALLOC=malloc",  # every object an allocation of its own
        "ASAN_OPTIONS=detect_leaks=0",  # the interpreter frees little at its exit
    ]
    return python_tests.passed(copy, environment)


def python_threads(folder):
    """The Python tests with threads under ThreadSanitizer: Debian's clang-19, libclang-rt-19-dev and libomp-19-dev.

    clang 14's sanitizer does not load into an interpreter, and GCC's takes its own OpenMP for a race.
    """
    compiler = tool("clang-19")
    tools = archer(compiler)
    runtime = execute(compiler, "-print-file-name=libclang_rt.tsan-x86_64.so").strip()
    if not Path(runtime).exists():
        raise NotRunError("no thread sanitizer for clang-19")
    link = f"-Wl,-rpath,{tools.parent}"  # not the OpenMP of another LLVM
    copy = python_tests.build(folder, compiler, "-g", "-fsanitize=thread", "-shared-libsan", link)
    environment = [f"LD_PRELOAD={runtime}", f"OMP_TOOL_LIBRARIES={tools}", THREAD_OPTIONS, "KMP_BLOCKTIME=0"]
    environment.append("FASTDROP_BACKEND=portable")  # the sanitizer does not watch vectors of more than 16 bytes
    python_tests.require_report("data race", copy, environment, PLANTED_RACE)
    return python_tests.passed(copy, environment, files=[f"test_{name}.py" for name in THREADED])


def kernels(folder):
    """What tests/c compares, under the address sanitizer, but for leaks: it fences buffers by forbidden pages in
    an array of its own, which a search for pointers would touch.
    """
    write_vectors(folder / "vectors.txt")
    target = program(folder, "gcc", "-O1", "-fopenmp", *ADDRESS, beside=KERNEL_TESTS)
    return counted(execute("env", "ASAN_OPTIONS=detect_leaks=0", target, folder / "vectors.txt"))


CHECKS = {"pages": pages, "memcheck": memcheck, "threads": threads}
LONG = {
    "address": address,
    "pages-aarch64": pages_aarch64,
    "kernels": kernels,
    "python": python,
    "python-threads": python_threads,
}


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
