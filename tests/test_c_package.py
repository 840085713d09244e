"""The core as a C library: find_package, pkg-config, what the installed package holds of it, other systems."""

import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import reference
from test_c_face import CSRC, assert_draws_the_masks, run

import fastdrop as fd

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Both libraries, for C and C++.
PROJECT = """
cmake_minimum_required(VERSION 3.18)
project(inference LANGUAGES C CXX)
find_package(fastdrop VERSION REQUIRED)
set(CMAKE_CXX_STANDARD 17)
foreach(library fastdrop fastdrop_static)
  add_executable(c_${library} EXAMPLE)
  target_link_libraries(c_${library} PRIVATE fastdrop::${library} m)
  add_executable(cxx_${library} bits.cpp)
  target_link_libraries(cxx_${library} PRIVATE fastdrop::${library})
endforeach()
"""

# Prints the packed mask of 64 elements.
CXX = """
#include <array>
#include <iostream>

#include <fastdrop.h>

int main() {
    const fd_run run = fd_run_default();
    const fd_draw draw = fd_draw_init(fd_key{K0u, K1u}, 0, 0.5);
    const std::array<size_t, 1> shape{64};
    const std::array<uint64_t, 1> stride{1};
    std::array<uint8_t, 8> bits;
    fd_bits(&run, &draw, 1, shape.data(), stride.data(), 0, bits.data());
    for (const auto byte : bits)
        std::cout << int{byte} << ' ';
}
"""
KEY = reference.key_from_seed(3)


def assert_draws_the_bits(printed):
    assert [int(byte) for byte in printed.split()] == reference.pack(reference.kept(KEY, 0, 0.5, 0, 64)).tolist()


@pytest.fixture(scope="module")
def cxx_program(tmp_path_factory):
    path = tmp_path_factory.mktemp("cxx") / "bits.cpp"
    path.write_text(CXX.replace("K0", str(int(KEY[0]))).replace("K1", str(int(KEY[1]))), encoding="utf-8")
    return path


# CMake


@pytest.fixture(scope="module")
def cmake():
    """A function that runs CMake: that of PyPI, whose `cmake` is else a script that another environment may own."""
    folder = importlib.import_module("cmake").CMAKE_BIN_DIR if importlib.util.find_spec("cmake") else None
    program = shutil.which("cmake", path=folder)
    if program is None or shutil.which("cc") is None:
        pytest.skip("NOT RUN: no cmake or no cc here")

    def run_cmake(*arguments):
        done = subprocess.run([program, *arguments], capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in done.stderr.lower(), done.stderr

    return run_cmake


@pytest.fixture(scope="module")
def prefix(cmake, tmp_path_factory):
    """Where the core is installed by CMake, and was moved to: nothing there may name where it was made."""
    folder = tmp_path_factory.mktemp("cmake")
    cmake("-S", CSRC, "-B", folder / "build", "-DCMAKE_BUILD_TYPE=Debug")  # unoptimised: half the time
    cmake("--build", folder / "build", "--parallel", "2")
    cmake("--install", folder / "build", "--prefix", folder / "installed")
    shutil.rmtree(folder / "build")
    return (folder / "installed").rename(folder / "moved")


def test_find_package(cmake, prefix, cxx_program, tmp_path):
    project = PROJECT.replace("VERSION REQUIRED", f"{fd.__version__} REQUIRED")
    project = project.replace("EXAMPLE", str(CSRC / "example.c"))
    (tmp_path / "CMakeLists.txt").write_text(project, encoding="utf-8")
    shutil.copy(cxx_program, tmp_path)
    flags = " ".join(WARNINGS)
    cmake(
        *("-S", tmp_path, "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}"),
        *(f"-DCMAKE_C_FLAGS={flags}", f"-DCMAKE_CXX_FLAGS={flags}"),
    )
    cmake("--build", tmp_path)
    for library in ("fastdrop", "fastdrop_static"):
        assert_draws_the_masks(run([tmp_path / f"c_{library}"]))
        assert_draws_the_bits(run([tmp_path / f"cxx_{library}"]))


@pytest.mark.skipif(sys.platform != "linux", reason="NOT RUN: symbols have versions on Linux")
def test_the_shared_library_exports_the_header_and_nothing_else(prefix):
    (library,) = prefix.rglob("libfastdrop.so.0")
    text = re.sub(r"/\*.*?\*/", "", (CSRC / "fastdrop.h").read_text(encoding="utf-8"), flags=re.S)
    declared = {f"{name}@@FASTDROP_0" for name in re.findall(r"\b(fd_\w+)\(", text)}
    exported = [line.split()[-2:] for line in run(["nm", "-D", "--defined-only", library]).splitlines()]
    assert len(declared) > 10
    assert {name for kind, name in exported if kind != "A"} == declared
    assert "libfastdrop.so.0" in run(["readelf", "-d", library])


# pkg-config


def pkg_config(folder):
    if shutil.which("pkg-config") is None:
        pytest.skip("NOT RUN: no pkg-config here")
    return run(["pkg-config", "--cflags", "--libs", "fastdrop"], env=os.environ | {"PKG_CONFIG_PATH": folder}).split()


def test_pkg_config_of_cmake(prefix, tmp_path):
    (about,) = prefix.rglob("fastdrop.pc")
    (library,) = prefix.rglob("libfastdrop.so")
    flags = [*pkg_config(str(about.parent)), f"-Wl,-rpath,{library.parent}", "-lm"]
    run(["cc", "-std=c11", *WARNINGS, CSRC / "example.c", *flags, "-o", tmp_path / "inference"])
    assert_draws_the_masks(run([tmp_path / "inference"]))
    assert "libfastdrop.so.0" in run(["readelf", "-d", tmp_path / "inference"])


# What the installed package holds


def test_the_header_is_that_of_the_sources():
    assert Path(fd.get_include(), "fastdrop.h").read_bytes() == (CSRC / "fastdrop.h").read_bytes()


@pytest.fixture(scope="module")
def package_flags():
    """Of the entry point, as build tools find it."""
    try:
        importlib.metadata.version("numpy-fastdrop")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("NOT RUN: run from a build folder, not installed")
    (entry,) = importlib.metadata.entry_points(group="pkg_config", name="fastdrop")
    return pkg_config(next(iter(entry.load().__path__)))


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_pkg_config_of_the_package(compiler, package_flags, cxx_program, tmp_path):
    """The library has the OpenMP of the compiler that built the package: the other may lack it."""
    cxx = {"gcc": "g++", "clang": "clang++"}[compiler]
    if shutil.which(compiler) is None or shutil.which(cxx) is None:
        pytest.skip(f"NOT RUN: no {compiler} or {cxx} here")
    flags = ["-lgomp" if flag == "-fopenmp" and compiler == "clang" else flag for flag in package_flags]
    run([compiler, "-std=c11", *WARNINGS, CSRC / "example.c", *flags, "-lm", "-o", tmp_path / "inference"])
    assert_draws_the_masks(run([tmp_path / "inference"]))
    run([cxx, "-std=c++17", *WARNINGS, cxx_program, *flags, "-o", tmp_path / "bits"])
    assert_draws_the_bits(run([tmp_path / "bits"]))


# Other systems


@pytest.mark.parametrize("system", ["aarch64-linux-gnu", "aarch64-macos", "x86_64-windows-gnu"])
def test_the_core_compiles_for(system, tmp_path):
    """Serial, by Zig: it has the headers of these systems, but not OpenMP's."""
    if not importlib.util.find_spec("ziglang"):
        pytest.skip("NOT RUN: no ziglang here")
    caches = {f"ZIG_{kind}_CACHE_DIR": str(tmp_path / "cache") for kind in ("LOCAL", "GLOBAL")}
    command = [sys.executable, "-m", "ziglang", "cc", "-target", system, "-std=c11", "-O0", *WARNINGS, "-c"]
    options = {"capture_output": True, "encoding": "utf-8", "env": os.environ | caches}
    for path in sorted(CSRC.rglob("*.c")):
        done = subprocess.run([*command, path, "-o", tmp_path / "object.o"], **options)
        assert (done.returncode, done.stderr) == (0, "")
