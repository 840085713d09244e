"""What is shipped: the examples in the documents, the stubs, the sdist, and a build from it without OpenMP."""

import ast
import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import os
import pkgutil
import pydoc
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import reference

import fastdrop as fd

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "fastdrop"
MODULES = ["fastdrop", *(module.name for module in pkgutil.walk_packages(fd.__path__, "fastdrop."))]
MODULES = [name for name in MODULES if "hook-" not in name]  # PyInstaller's to run, no module
SHIPPED = "pyproject.toml setup.py MANIFEST.in README.md LICENSE CHANGELOG.md .clang-format csrc src tests"
SHIPPED += " CITATION.cff CONTRIBUTING.md benchmarks docs examples"
needs_sources = pytest.mark.skipif(not PACKAGE.is_dir(), reason="no sources beside the tests")


# Examples


def documented(module):
    """The docstrings of a module, its functions, its classes and their members, compiled ones too, by name."""
    docs = {module.__name__: module.__doc__}
    public = {name: getattr(fd, name) for name in fd.__all__} if module is fd else {}
    for name, thing in {**vars(module), **public}.items():
        own = getattr(thing, "__module__", None) == module.__name__ or name in public
        if not own or not (inspect.isclass(thing) or callable(thing)):
            continue
        docs[name] = thing.__doc__
        if inspect.isclass(thing):
            docs |= {f"{name}.{member}": getattr(thing, member).__doc__ for member in vars(thing)}
    return {name: doc for name, doc in docs.items() if isinstance(doc, str)}


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_the_examples_in_docstrings(name):
    try:
        module = importlib.import_module(name)
    except ImportError as reason:  # an extra that is not here
        pytest.skip(str(reason))
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    for title, doc in documented(module).items():
        runner.run(parser.get_doctest(doc, {}, title, module.__file__, 0))
    assert runner.summarize().failed == 0


@pytest.mark.parametrize("name", sorted(set(fd.__all__) - {"__version__"}))
def test_every_public_name_has_an_example(name):
    assert ">>> " in getattr(fd, name).__doc__


@needs_sources
@pytest.mark.parametrize("name", ["README.md", "docs/promises.md"])
def test_the_examples_in_the_documents(name):
    result = doctest.testfile(str(ROOT / name), module_relative=False)
    assert (result.failed, result.attempted > 10) == (0, True)


# Stubs


def stub_signatures(path):
    """The parameters and defaults of all that a stub declares, by name; every overload."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        functions = node.body if isinstance(node, ast.ClassDef) else [node]
        for function in functions:
            if not isinstance(function, ast.FunctionDef) or function.name.startswith("__"):
                continue
            for argument in ast.walk(function.args):
                if isinstance(argument, ast.arg):
                    argument.annotation = None
            owner = f"{node.name}." if node is not function else ""
            yield owner + function.name, f"({ast.unparse(function.args)})"


def signature(thing):
    parameters = inspect.signature(thing).parameters.values()
    return str(inspect.Signature([parameter.replace(annotation=parameter.empty) for parameter in parameters]))


@needs_sources
@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.pyi")), ids=lambda path: path.stem)
def test_stubs_agree_with_the_compiled_modules(path):
    module, count = importlib.import_module(f"fastdrop.{path.parent.name}.{path.stem}"), 0
    for name, declared in stub_signatures(path):
        thing = module
        for part in name.split("."):
            thing = getattr(thing, part)
        if callable(thing):
            assert declared == signature(thing), name
        count += 1
    assert count


def test_every_public_callable_has_a_signature():
    for name in fd.__all__:
        thing = getattr(fd, name)
        if callable(thing):
            inspect.signature(thing)
    for owner in (fd.Mask, fd.Rng):
        for name, method in vars(owner).items():
            if callable(method) and not name.startswith("_"):
                inspect.signature(getattr(owner, name))
    assert str(inspect.signature(fd.Rng)) == "(seed=None)"
    assert "Rng(seed=None)" in pydoc.plain(pydoc.render_doc(fd.Rng))
    assert inspect.getdoc(fd.Rng).startswith("A key and a counter")


def test_dir_is_the_public_names():
    assert sorted(dir(fd)) == sorted(fd.__all__)
    assert {name for name in fd.__all__ if hasattr(fd, name)} == set(fd.__all__)


def test_the_package_is_typed_and_licensed():
    try:
        files = importlib.metadata.files("numpy-fastdrop") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a build folder, not installed")
    assert "LICENSE" in {file.name for file in files}
    assert all(
        (Path(fd.__file__).parent / name).exists() for name in ("py.typed", "_core/dropout.pyi", "_core/rng.pyi")
    )


# The sdist


def python(*arguments, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FASTDROP"))}
    environment |= options.pop("env", {})
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, encoding="utf-8", env=environment, **options
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def build_tools_are_here():
    try:
        major, minor = importlib.metadata.version("cython").split(".")[:2]
        new = int(importlib.metadata.version("setuptools").split(".")[0]) >= 77 and (int(major), int(minor)) >= (3, 1)
    except importlib.metadata.PackageNotFoundError:
        return False
    return new and np.lib.NumpyVersion(np.__version__) >= "2.0.0"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The unpacked sdist of a checkout in which things have been built."""
    if not PACKAGE.is_dir() or not build_tools_are_here():
        pytest.skip("no sources, or not the build tools that pyproject.toml asks for")
    checkout, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("sdist")
    for name in SHIPPED.split():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, checkout / name)
    for pyx in (checkout / "src" / "fastdrop").rglob("*.pyx"):  # newer than the sources: Cython leaves them
        pyx.with_suffix(".c").write_text("", encoding="utf-8")
        pyx.with_suffix(".cpython-311.so").write_text("", encoding="utf-8")
    python("-c", f"from setuptools import build_meta; build_meta.build_sdist({str(out)!r})", cwd=checkout)
    (archive,) = out.iterdir()
    assert archive.name == f"numpy_fastdrop-{fd.__version__}.tar.gz"
    with tarfile.open(archive) as tar:
        tar.extractall(out, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # not in 3.11.2
    return out / archive.name.removesuffix(".tar.gz")


def test_what_the_sdist_holds(sdist):
    held = {str(path.relative_to(sdist)) for path in sdist.rglob("*") if path.is_file()}
    wanted = [path for folder in ("csrc", "src/fastdrop", "tests") for path in (ROOT / folder).rglob("*")]
    suffixes = {".c", ".h", ".md", ".py", ".pyx", ".pxd", ".pxi", ".pyi", ".json", ".typed"}
    wanted = {path for path in wanted if path.suffix in suffixes and not {"__pycache__", "include"} & set(path.parts)}
    wanted = {
        str(path.relative_to(ROOT))
        for path in wanted
        if path.parent not in (PACKAGE, PACKAGE / "_core") or path.suffix not in (".c", ".json")
    }
    wanted |= {"csrc/CMakeLists.txt", "csrc/fastdrop.pc.in", "CITATION.cff"}
    assert wanted | {"LICENSE", "README.md", "CHANGELOG.md", "setup.py", "pyproject.toml"} <= held
    assert {name for name in held if name.endswith((".so", ".pyc"))} == set()
    assert [path for path in (sdist / "src" / "fastdrop").rglob("*.c") if path.name != "roof.c"] == []  # Cython's
    about = (sdist / "PKG-INFO").read_text(encoding="utf-8")
    assert f"\nName: numpy-fastdrop\nVersion: {fd.__version__}\n" in about
    assert "\nLicense-Expression: MIT\n" in about


def named_files(page):
    """The files of the repository that a page names: links, and paths with a folder in code."""
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    paths = re.findall(r"\b(?:src|csrc|tests|benchmarks|docs|examples)/[\w./-]*\w\.\w+", text)
    found = [(page.parent / link).resolve() for link in links] + [(ROOT / path).resolve() for path in paths]
    return {str(path.relative_to(ROOT)) for path in found if path.is_relative_to(ROOT)}


def test_the_sdist_holds_what_its_pages_name(sdist):
    pages = [path for path in sdist.rglob("*.md") if (ROOT / path.relative_to(sdist)).is_file()]
    named = set().union(*(named_files(ROOT / page.relative_to(sdist)) for page in pages))
    assert {"csrc/README.md", "benchmarks/core.c", "examples/use/uncertainty.py"} <= named
    assert {path for path in named if not (sdist / path).is_file()} == set()


@pytest.fixture(scope="module")
def built(sdist, tmp_path_factory):
    """The unpacked wheel of a build that the flags, the compiler and a checkout without leave to write make hard."""
    if shutil.which("cc") is None:
        pytest.skip("no cc here")
    folder = tmp_path_factory.mktemp("built")
    compiler = folder / "cc-without-openmp"
    # Unoptimised, whatever the flags say: half the time.
    compiler.write_text(
        '#!/bin/sh\ncase " $* " in *" -fopenmp "*) exit 1 ;; esac\nexec cc "$@" -O0\n', encoding="utf-8"
    )
    compiler.chmod(0o755)
    before = {path: path.stat().st_mtime_ns for path in sdist.rglob("*")}
    code = f"""if True:
        import os
        may = os.access
        os.access = lambda path, mode, **options: mode != os.W_OK and may(path, mode, **options)
        from setuptools import build_meta
        build_meta.build_wheel({str(folder)!r})"""
    fast = "-ffast-math -funsafe-math-optimizations -ffinite-math-only"
    python("-c", code, cwd=sdist, env={"CC": str(compiler), "CFLAGS": f"-Ofast {fast}", "LDFLAGS": f"-Ofast {fast}"})
    assert {path: path.stat().st_mtime_ns for path in sdist.rglob("*")} == before, "the checkout was written to"
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_is_stripped(built):
    libraries = list(built.rglob("*.so"))
    assert len(libraries) == len(list((PACKAGE / "_core").glob("*.pyx")))
    libraries += built.rglob("*.a")
    assert [path.name for path in libraries if b".debug_" in path.read_bytes()] == []
    assert sum(path.stat().st_size for path in libraries) < 10 * 2**20  # not optimised


def test_what_the_wheel_holds(built):
    held = {path.name for path in (built / "fastdrop").rglob("*")}
    assert {"vectors.json", "py.typed", "dropout.pyi", "roof.c", "hook-fastdrop.py"} <= held
    assert {"fastdrop.h", "libfastdrop.a", "fastdrop.pc"} <= held
    assert not {name for name in held if name.endswith((".pyx", ".c")) and name != "roof.c"}


def test_fast_mathematics_is_undone(built):
    """Code for it flushes subnormals in the whole process, and would keep a NaN or change a value."""
    code = """if True:
        import numpy as np
        small = np.array([5e-324, -5e-324, 1e-310])
        import fastdrop as fd
        assert fd.__file__.startswith(PATH), fd.__file__
        assert (small * 1.0 != 0).all(), "subnormals are flushed"
        fd.dropout(np.ones(9))
        assert (small * 1.0 != 0).all(), "subnormals are flushed"
        x = np.array([np.nan, np.inf, -0.0, 5e-324] * 64)
        assert fd.dropout(x, 0.0, rng=1)[0].tobytes() == x.tobytes()"""
    python("-c", f"PATH = {str(built)!r}\n{code}", env={"PYTHONPATH": str(built)})


def test_a_build_without_openmp(built):
    code = """if True:
        import json, fastdrop as fd
        fd.set_num_threads(4)
        dropped = fd.bernoulli(5000, 0.1, rng=1).tobytes().hex()
        print(json.dumps([fd.__file__, fd.show_config(mode="dicts")["openmp"], fd.get_num_threads(), dropped]))"""
    file, openmp, threads, dropped = json.loads(python("-c", code, env={"PYTHONPATH": str(built)}))
    assert Path(file).is_relative_to(built)
    assert openmp == {"enabled": False, "why": "the compiler had none: one thread only"}
    assert threads == 1
    kept = reference.kept(reference.key_from_seed(1), 0, 0.1, 0, 5000)
    assert dropped == (~kept).tobytes().hex()


# Frozen programs


def test_a_frozen_program(tmp_path):
    """By the hook of the entry point; what is imported late is there, what the demo draws with is not."""
    if not importlib.util.find_spec("PyInstaller"):
        pytest.skip("NOT RUN: no pyinstaller")
    try:
        importlib.metadata.version("numpy-fastdrop")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("run from a build folder, not installed")
    program = """if True:
        import fastdrop
        from fastdrop._commands.selftest import selftest
        [getattr(fastdrop, name) for name in fastdrop.__all__]
        raise SystemExit(not selftest())"""
    (tmp_path / "app.py").write_text(program, encoding="utf-8")
    python("-m", "PyInstaller", "--onedir", "--noconfirm", "--log-level=ERROR", "app.py", cwd=tmp_path)
    done = subprocess.run([tmp_path / "dist" / "app" / "app"], capture_output=True, encoding="utf-8", env={})
    assert done.returncode == 0, done.stderr
    assert fd.backend() in done.stdout
    frozen = {path.name for path in (tmp_path / "dist" / "app" / "_internal").iterdir()}
    assert "numpy" in frozen
    assert not frozen & {"matplotlib", "sklearn", "scipy", "torch", "jax", "onnx", "dask", "rich"}


# Text


def opened_without_encoding(path):
    """The lines of calls that read or write text in the locale's encoding."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", None))
        given = {keyword.arg for keyword in node.keywords}
        modes = [a.value for a in [*node.args, *(k.value for k in node.keywords)] if isinstance(a, ast.Constant)]
        binary = any(isinstance(mode, str) and re.fullmatch(r"[rwxa+]*b[rwxa+]*", mode) for mode in modes)
        of_os = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("os", "tarfile")
        opens = name in ("read_text", "write_text") or (name in ("open", "fdopen") and not binary and not of_os)
        if (opens and "encoding" not in given) or given & {"text", "universal_newlines"}:
            yield node.lineno


@needs_sources
def test_no_file_is_opened_without_an_encoding():
    folders = ("src", "tests", "benchmarks", "examples")
    paths = [ROOT / "setup.py", *(path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))]
    assert len(paths) > 50
    assert {str(path): lines for path in paths if (lines := list(opened_without_encoding(path)))} == {}


@pytest.mark.parametrize(
    "code", ["import fastdrop as fd; fd.show_config()", "from fastdrop._commands.selftest import *; selftest()"]
)
def test_no_warning_of_an_encoding(code):
    python("-X", "warn_default_encoding", "-W", "error", "-c", code)
