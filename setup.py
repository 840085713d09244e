"""The extension modules: one C core for all instruction sets, one set of flags, OpenMP where the compiler has it."""

import glob
import os
import shutil
import subprocess
import tempfile

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CORE = [path for path in sorted(glob.glob("csrc/*.c") + glob.glob("csrc/kernels/*.c")) if path != "csrc/example.c"]
HEADERS = sorted(glob.glob("csrc/*.h") + glob.glob("csrc/kernels/*.h"))
EXTENSIONS = ("_alpha", "_checks", "_core", "_engine", "_mask", "_residual", "_rng", "_samples", "_thinned")
# The mask's arithmetic is exact and the scale's is IEEE: no contraction, no fast-math, no -march.
FLAGS = ["-std=c11", "-O2", "-ffp-contract=off", "-fvisibility=hidden"]


class BuildExt(build_ext):
    """Adds -fopenmp where the compiler accepts it: without, the library is built serial, and says so."""

    def has_openmp(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "probe.c"), os.path.join(folder, "probe")
            with open(source, "w") as file:
                file.write("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            try:
                subprocess.run(
                    [*self.compiler.compiler, "-fopenmp", source, "-o", program], check=True, capture_output=True
                )
            except (OSError, subprocess.CalledProcessError):
                return False
            return True

    def build_extensions(self):
        if self.has_openmp():
            for extension in self.extensions:
                if extension.name == "fastdrop._engine":
                    extension.extra_compile_args.append("-fopenmp")
                    extension.extra_link_args.append("-fopenmp")
        else:
            self.announce("the compiler has no OpenMP: fastdrop is built for one thread", level=3)
        self.parallel = os.cpu_count()
        super().build_extensions()


def extension(name):
    return Extension(
        f"fastdrop.{name}",
        [f"src/fastdrop/{name}.pyx"] + (CORE if name == "_engine" else []),
        depends=HEADERS,
        include_dirs=["csrc", numpy.get_include()],
        define_macros=[
            ("NPY_NO_DEPRECATED_API", "NPY_1_24_API_VERSION"),
            ("NPY_TARGET_VERSION", "NPY_1_24_API_VERSION"),
        ],
        extra_compile_args=list(FLAGS),
    )


# The package holds the known answers too: python -m fastdrop selftest.
shutil.copyfile("tests/vectors.json", "src/fastdrop/vectors.json")

setup(
    cmdclass={"build_ext": BuildExt},
    ext_modules=cythonize(
        [extension(name) for name in EXTENSIONS],
        compiler_directives={
            "language_level": 3,
            "boundscheck": False,
            "wraparound": False,
            "cdivision": True,
            "freethreading_compatible": True,  # _rng.pyx locks its state; the rest is made once or thread by thread
        },
        force=True,  # C made with another NumPy's declarations may lie about
    ),
)
