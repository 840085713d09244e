"""The layering rules, read from the sources: who knows threads, instruction sets, the compiler, Python."""

import ast
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CSRC, PACKAGE = ROOT / "csrc", ROOT / "src" / "fastdrop"
KERNELS = CSRC / "kernels"
if not CSRC.is_dir():
    pytest.skip("no sources beside the tests", allow_module_level=True)

EXAMPLE = CSRC / "example.c"  # a program: it prints and allocates as programs do
C_FILES = sorted(path for path in CSRC.rglob("*.[ch]") if path != EXAMPLE)
UNITS = [path for path in C_FILES if path.suffix == ".c"]
CYTHON = sorted(path for path in PACKAGE.rglob("*.p*") if path.suffix in (".pyx", ".pxd", ".pxi"))
PYTHON = sorted(PACKAGE.rglob("*.py"))


def name(path):
    return str(path.relative_to(ROOT))


def code(path):
    """The text without comments and docstrings; of C also without strings, but for the names of included files."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".c", ".h"):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
        return re.sub(r"^(?!\s*#\s*include)(.*)$", lambda m: re.sub(r'"(\\.|[^"\\])*"', '""', m[0]), text, flags=re.M)
    return re.sub(r'""".*?"""|#[^\n]*', "", text, flags=re.S)


def mentions(pattern, paths):
    """The files whose code matches, with what matches."""
    found = ((path, re.findall(pattern, code(path))) for path in paths)
    return {name(path): matches for path, matches in found if matches}


def except_for(paths, *names):
    return [path for path in paths if path.name not in names]


def test_there_is_something_to_read():
    kernels = {path.name for path in KERNELS.iterdir()}
    assert kernels >= {"portable.c", "avx2.c", "avx512.c", "neon.c"}
    assert kernels >= {
        "stream_tpl.h",
        "reals_tpl.h",
        "draw_p_array_tpl.h",
        "apply_tpl.h",
        "backend_tpl.h",
    }
    assert len(UNITS) > 5
    assert CYTHON
    assert PYTHON


# What each file knows

CUT_INTO_RANGES = (
    "parallel.c",
    "fastdrop.c",
    "samples.c",
    "bits.c",
    "p_array.c",
    "strided.c",
    "residual.c",
    "packed.c",
)
OPENMP = r"\bomp_\w+|\bomp\b|_OPENMP\b|\bprange\b|cython\.parallel"
RULES = {
    "openmp-in-parallel.c": (OPENMP, except_for(C_FILES, "parallel.c") + CYTHON),
    "fork-in-parallel.c": (r"\bv?fork\w*|\bpthread_\w+|\bgetpid\b|_Thread_local", except_for(C_FILES, "parallel.c")),
    "ranges-where-work-is-cut": (r"\bparallel\.h|\bfd_parallel\b", except_for(C_FILES, "parallel.h", *CUT_INTO_RANGES)),
    "no-threads-in-kernels": (r"\bfd_parallel\b|parallel\.h|\bthreads?\b", sorted(KERNELS.glob("*.[ch]"))),
    "no-python-in-c": (r"Python\.h|\bPy[A-Z]\w+|numpy/", C_FILES),
    "no-allocation": (r"\b(?:m|c|re|aligned_)alloc\b|\bfree\b|\balloca\b|posix_memalign", C_FILES),
    "no-io": (r"\w*printf\b|\bf?puts\b|\bf?open\b|\bstd(?:io\.h|in|out|err)\b|\babort\b|\bexit\b", C_FILES),
    "no-environment": (r"\w*getenv\w*|\benviron\b", C_FILES),
    "avx512-in-its-kernel": (r"\b_mm512\w*|__m512\w*|__mmask\w*", except_for(C_FILES, "avx512.c")),
    "avx2-in-its-kernels": (r"\b_mm256\w*|__m256\w*", except_for(C_FILES, "avx2.c", "avx512.c")),
    "x86-in-its-kernels": (r"\b_mm_\w+|__m128\w*|\bimmintrin\.h", except_for(C_FILES, "avx2.c", "avx512.c")),
    "neon-in-its-kernel": (r"\bv\w+q_[suf]\d+\b|\barm_neon\.h", except_for(C_FILES, "neon.c")),
    "no-pointers-in-python": (r"\bctypes\b|\bcffi\b", except_for(PYTHON, "roof.py")),  # the benchmark's, no part of it
}


@pytest.mark.parametrize(("pattern", "paths"), RULES.values(), ids=RULES)
def test_who_knows_what(pattern, paths):
    assert mentions(pattern, paths) == {}


def test_compiler_macros_live_in_common_h():
    macro = r"^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*?\b(__(?!cplusplus)\w+|_M_\w+|_MSC_\w+|_WIN\w+)\b"
    found = {name(path): re.findall(macro, code(path), re.M) for path in except_for(C_FILES, "common.h")}
    assert {path: macros for path, macros in found.items() if macros} == {}
    assert mentions(r"#\s*pragma\s+(?!omp\b|GCC visibility\b)\w+|_Pragma", except_for(C_FILES, "common.h")) == {}


def test_the_build_is_blind_to_instruction_sets():
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docstrings]
    flags = {flag for node in constants if isinstance(node.value, str) for flag in node.value.split()}
    flags |= set(re.findall(r"(?<=[\"' ])-\w[^\s\"']*", code(ROOT / "pyproject.toml")))
    assert "-ffp-contract=off" in flags
    blind = re.compile(
        r"-(?!ffp-contract=off)(m(arch|tune|cpu|avx|sse|fma|f16c|bmi)|Ofast|ffast|funsafe|ffinite|ffp|fopenmp-simd)"
    )
    assert [flag for flag in flags if blind.match(flag)] == []


@pytest.mark.parametrize("path", [*C_FILES, *CYTHON, *PYTHON, *sorted(PACKAGE.rglob("*.pyi"))], ids=name)
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 360


def test_the_pxd_mirrors_the_header():
    header, pxd = (
        re.findall(r"\b(fd_\w+)\s*\(", code(path))
        for path in (CSRC / "fastdrop.h", PACKAGE / "_core" / "c_fastdrop.pxd")
    )
    assert len(header) > 5
    assert pxd == header


# What the compiler makes of it


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """The object file of each C file, from the plain compiler without a flag for an instruction set."""
    if not (shutil.which("cc") and shutil.which("objdump") and shutil.which("nm")):
        pytest.skip("no cc, objdump or nm here")
    folder = tmp_path_factory.mktemp("objects")
    command = ["cc", "-std=c11", "-O2", "-ffp-contract=off", "-fno-pic", f"-I{CSRC}", "-c"]
    made = {path.name: folder / f"{path.stem}.o" for path in UNITS}
    running = [subprocess.Popen([*command, str(path), "-o", str(made[path.name])]) for path in UNITS]
    assert [process.wait() for process in running] == [0] * len(UNITS)
    return made


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 only")
@pytest.mark.parametrize(("register", "kernels"), [("zmm", {"avx512.c"}), ("ymm", {"avx2.c", "avx512.c"})])
def test_wide_registers_stay_in_their_kernels(objects, register, kernels):
    listings = {
        name: subprocess.run(["objdump", "-d", path], capture_output=True, encoding="utf-8", check=True).stdout
        for name, path in objects.items()
    }
    assert {name for name, listing in listings.items() if f"%{register}" in listing} == kernels


@pytest.mark.skipif(platform.system() != "Linux", reason="ELF only")
def test_no_mutable_globals_but_for_fork_detection(objects):
    mutable = {}
    for unit, path in objects.items():
        symbols = subprocess.run(["nm", path], capture_output=True, encoding="utf-8", check=True).stdout
        if found := re.findall(r"^\S+ [bBdDC] (\w+)$", symbols, re.M):
            mutable[unit] = found
    assert set(mutable) <= {"parallel.c"}, mutable
