"""The C face: csrc/README.md's one line builds the core with the example, which draws the reference's masks."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference

import fastdrop as fd

CSRC = Path(__file__).resolve().parents[1] / "csrc"
if not CSRC.is_dir():
    pytest.skip("no sources beside the tests", allow_module_level=True)

WARNINGS = [
    "-pedantic-errors",
    "-Wpedantic",
    "-Wall",
    "-Wextra",
    "-Wshadow",
    "-Wundef",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Werror",
]

# example.c once more
KEY, P, PASSES = reference.key_from_seed(0), 0.2, 100
ROWS, INPUTS, HIDDEN, OUTPUTS = 4, 8, 64, 3


def run(command, **options):
    done = subprocess.run(command, capture_output=True, encoding="utf-8", **options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def compile_line():
    (line,) = re.findall(r"^cc .*$", (CSRC / "README.md").read_text(encoding="utf-8"), re.M)
    return line


def outputs():
    """The network's outputs in every pass, (PASSES, ROWS, OUTPUTS), under the reference's masks."""
    row, i = np.ogrid[:ROWS, :INPUTS]
    x = ((5 * row + 3 * i) % 7 - 3) / 4
    i, j = np.ogrid[:HIDDEN, :HIDDEN]
    weight = ((31 * i + 17 * j) % 33 - 16) / 16
    hidden = np.maximum(x @ weight[:INPUTS], 0).astype(np.float32)
    passes = []
    for t in range(PASSES):
        kept = reference.kept(reference.fold_in(KEY, t), 0, P, 0, hidden.size).reshape(hidden.shape)
        thinned = reference.apply(hidden, kept, reference.scale(P)).astype(float)
        passes.append(thinned @ weight[:, INPUTS : INPUTS + OUTPUTS])
    return np.array(passes)


def assert_draws_the_masks(printed):
    """What the example printed is the network's, under the reference's masks."""
    assert re.match(rf"backend (portable|avx2|avx512|neon), {PASSES} passes", printed)
    numbers = np.array(re.findall(r"(\S+) \+- (\S+)", printed), float).reshape(ROWS, OUTPUTS, 2)
    want = outputs()
    np.testing.assert_allclose(numbers[..., 0], want.mean(axis=0), rtol=0, atol=1e-5)
    np.testing.assert_allclose(numbers[..., 1], want.std(axis=0), rtol=0, atol=1e-5)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no cc here")
def test_the_example_from_the_readme(tmp_path):
    shutil.copytree(CSRC, tmp_path / "csrc")
    run(compile_line(), shell=True, cwd=tmp_path)
    assert_draws_the_masks(run([tmp_path / "inference"]))


def test_the_line_has_the_flags_of_the_package():
    line = compile_line().split()
    assert {"-std=c11", "-O2", "-ffp-contract=off", "csrc/*.c", "csrc/kernels/*.c"} <= set(line)
    assert "-ffast-math" not in line
    assert not any(flag.startswith("-m") for flag in line)


@pytest.mark.parametrize(
    ("compiler", "language"),
    [("cc", ["-x", "c", "-std=c11"]), ("g++", ["-x", "c++", "-std=c++11"]), ("clang++", ["-x", "c++", "-std=c++11"])],
    ids=["c11", "g++", "clang++"],
)
def test_the_header_compiles_alone(compiler, language):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    run([compiler, *language, "-fsyntax-only", "-pedantic", "-Wall", "-Wextra", "-Werror", CSRC / "fastdrop.h"])


@pytest.mark.parametrize("openmp", [[], ["-fopenmp"]], ids=["serial", "openmp"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warnings(compiler, openmp, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    probe = tmp_path / "probe.c"
    probe.write_text("#include <omp.h>\nint main(void) { return 0; }\n", encoding="utf-8")
    if openmp and subprocess.run([compiler, *openmp, "-c", probe, "-o", probe.with_suffix(".o")]).returncode:
        pytest.skip(f"{compiler} has no OpenMP here")
    units = sorted(CSRC.rglob("*.c"))
    run([compiler, "-std=c11", "-fsyntax-only", "-ffp-contract=off", *openmp, *WARNINGS, f"-I{CSRC}", *units])


BACKENDS = """
#include "fastdrop.h"
int puts(const char *);
int main(void) {
    const fd_backend *backend;
    for (int i = 0; (backend = fd_backend_at(i)); i++)
        if (fd_backend_supported(backend))
            puts(fd_backend_name(backend));
    return 0;
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang", "zig"])
def test_every_compiler_finds_the_backends_of_the_processor(compiler, tmp_path):
    """The compilers' own tests of a processor differ in what they know of it."""
    command = [sys.executable, "-m", "ziglang", "cc"] if compiler == "zig" else [compiler]
    if not (importlib.util.find_spec("ziglang") if compiler == "zig" else shutil.which(compiler)):
        pytest.skip(f"NOT RUN: no {compiler} here")
    (tmp_path / "backends.c").write_text(BACKENDS, encoding="utf-8")
    core = [path for path in sorted(CSRC.rglob("*.c")) if path.name != "example.c"]
    flags = ["-std=c11", "-O0", "-ffp-contract=off", f"-I{CSRC}"]
    caches = {f"ZIG_{kind}_CACHE_DIR": str(tmp_path / "cache") for kind in ("LOCAL", "GLOBAL")}
    program = tmp_path / "backends"
    build = [*command, *flags, tmp_path / "backends.c", *core, "-o", program]
    done = subprocess.run(build, capture_output=True, encoding="utf-8", env=os.environ | caches)
    assert done.returncode == 0, done.stderr
    assert run([program]).split() == fd.backends()


def test_the_readme_names_every_file():
    readme = (CSRC / "README.md").read_text(encoding="utf-8").replace("`kernels/", "`")
    assert {path.name for path in CSRC.rglob("*.[ch]") if f"`{path.name}`" not in readme} == set()


def test_the_readme_tells_of_every_call_that_runs():
    """What takes an fd_run is what does the work."""
    header, readme = (CSRC / "fastdrop.h").read_text(encoding="utf-8"), (CSRC / "README.md").read_text(encoding="utf-8")
    calls = re.findall(r"\b(fd_\w+)\(const fd_run \*", header)
    assert len(calls) > 5
    told = re.findall(r"`(fd_\w+)`", "".join(re.findall(r"^\| `fd_.*", readme, re.M)))
    assert [name for name in calls if name not in told] == []
