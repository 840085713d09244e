"""What PyInstaller does not see: imports by compiled modules, imports at first use, and the known answers.

The benchmark, the demo and what they draw with are left to programs that import them.
"""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

LEFT_OUT = ("fastdrop.__main__", "fastdrop._commands.benchmark", "fastdrop._commands.demo", "fastdrop._pyinstaller")
hiddenimports = collect_submodules("fastdrop", filter=lambda name: not name.startswith(LEFT_OUT))
datas = collect_data_files("fastdrop", includes=["vectors.json"])
# What the doors to other libraries import, they import only where those are there.
excludedimports = ["dask", "jax", "ml_dtypes", "onnx", "sklearn", "thinc", "torch"]
