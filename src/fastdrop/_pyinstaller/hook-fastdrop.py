"""What PyInstaller does not see: imports by compiled modules, imports at first use, and the known answers.

The benchmark, the demo, what they draw with, and the doors to other libraries are left to programs that import them.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

DOORS = tuple(f"fastdrop.{name}" for name in ("dask", "onnx", "sklearn", "thinc", "torch"))
COMMANDS = ("fastdrop.__main__", "fastdrop._commands.benchmark", "fastdrop._commands.demo")
LEFT_OUT = (*COMMANDS, *DOORS, "fastdrop._pyinstaller")
hiddenimports = collect_submodules("fastdrop", filter=lambda name: not name.startswith(LEFT_OUT))
datas = collect_data_files("fastdrop", includes=["vectors.json"])
# What the doors to other libraries import, they import only where those are there.
excludedimports = ["dask", "jax", "ml_dtypes", "onnx", "sklearn", "thinc", "torch"]
