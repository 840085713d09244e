"""The extension modules: one C core for all instruction sets, one set of flags, OpenMP where the compiler has it."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

CORE = [path for path in sorted(glob.glob("csrc/*.c") + glob.glob("csrc/kernels/*.c")) if path != "csrc/example.c"]
HEADERS = sorted(glob.glob("csrc/*.h") + glob.glob("csrc/kernels/*.h"))
EXTENSIONS = sorted(glob.glob("src/fastdrop/_core/*.pyx"))
# The mask's arithmetic is exact and the scale's is IEEE: no contraction, no -march, and these undo what CFLAGS and
# LDFLAGS may ask for. When linking too: fast mathematics would add code that flushes subnormals in the whole process.
IEEE = ["-O2", "-fno-fast-math", "-fno-unsafe-math-optimizations", "-fno-finite-math-only", "-fno-associative-math"]
IEEE += ["-fno-reciprocal-math", "-fsigned-zeros"]
FLAGS = ["-std=c11", *IEEE, "-ffp-contract=off", "-fvisibility=hidden"]
STRIPPED = "-g" not in os.environ.get("CFLAGS", "").split()  # Python's own flags ask for debug symbols


def copy_vectors(folder):
    """The package holds the known answers too: python -m fastdrop selftest."""
    shutil.copyfile("tests/vectors.json", os.path.join(folder, "vectors.json"))


def add_c_library(folder, compiler, objects, openmp):
    """The package holds the core for C programs too: fastdrop.get_include(), and pkg-config by its entry point."""
    include, library = Path(folder, "include"), Path(folder, "lib")
    about = Path("csrc/fastdrop.pc.in").read_text(encoding="utf-8")
    version = re.search(r'"(.*)"', Path("src/fastdrop/_version.py").read_text(encoding="utf-8"))[1]
    names = {"prefix": "../..", "libdir": "lib", "includedir": "include", "version": version, "private": ""}
    for name, value in (names | {"libs": "-fopenmp" if openmp else ""}).items():
        about = about.replace(f"@{name}@", value)
    for path in (include, library / "pkgconfig"):
        path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile("csrc/fastdrop.h", include / "fastdrop.h")
    compiler.create_static_lib(objects, "fastdrop", str(library))
    (library / "pkgconfig" / "fastdrop.pc").write_text(about, encoding="utf-8")


class BuildPy(build_py):
    def run(self):
        super().run()
        if not self.editable_mode:
            copy_vectors(os.path.join(self.build_lib, "fastdrop"))


class BuildExt(build_ext):
    """Adds -fopenmp where the compiler accepts it: without, the library is built serial, and says so."""

    def has_openmp(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "probe.c"), os.path.join(folder, "probe")
            with open(source, "w", encoding="utf-8") as file:
                file.write("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            try:
                subprocess.run(
                    [*self.compiler.compiler, "-fopenmp", source, "-o", program], check=True, capture_output=True
                )
            except (OSError, subprocess.CalledProcessError):
                return False
            return True

    def build_extensions(self):
        openmp = self.has_openmp()
        if openmp:
            for extension in self.extensions:
                if extension.name == "fastdrop._core.binding":
                    extension.extra_compile_args.append("-fopenmp")
                    extension.extra_link_args.append("-fopenmp")
        else:
            self.announce("the compiler has no OpenMP: fastdrop is built for one thread", level=3)
        self.parallel = os.cpu_count()
        super().build_extensions()
        objects = self.compiler.object_filenames(CORE, output_dir=self.build_temp)
        add_c_library(os.path.join(self.build_lib, "fastdrop"), self.compiler, objects, openmp)

    def run(self):
        super().run()
        if self.inplace:
            copy_vectors("src/fastdrop")
            for name in ("fastdrop/include", "fastdrop/lib"):
                shutil.copytree(os.path.join(self.build_lib, name), f"src/{name}", dirs_exist_ok=True)


def extension(path):
    name = os.path.splitext(os.path.basename(path))[0]
    return Extension(
        f"fastdrop._core.{name}",
        [path] + (CORE if name == "binding" else []),
        depends=HEADERS,
        include_dirs=["csrc", numpy.get_include()],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_1_24_API_VERSION"),
            ("NPY_TARGET_VERSION", "NPY_1_24_API_VERSION"),
        ],
        extra_compile_args=FLAGS + ["-g0"] * STRIPPED,
        extra_link_args=IEEE + ["-s"] * STRIPPED,
    )


# A checkout that is read-only is built elsewhere.
scratch = None if os.access("src", os.W_OK) else tempfile.TemporaryDirectory()

setup(
    cmdclass={"build_ext": BuildExt, "build_py": BuildPy},
    options={"build": {"build_base": scratch.name}, "egg_info": {"egg_base": scratch.name}} if scratch else {},
    ext_modules=cythonize(
        [extension(path) for path in EXTENSIONS],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "freethreading_compatible": True,  # rng.pyx locks its state; the rest is made once or thread by thread
        },
        build_dir=scratch and scratch.name,
        force=True,  # C made with another NumPy's declarations may lie about
    ),
)
