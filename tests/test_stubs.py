"""The stubs against the compiled modules, by mypy's stubtest: names both ways, arguments, kinds, defaults and types."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "src" / "fastdrop" / "_core"
pytest.importorskip("mypy.stubtest", reason="NOT RUN: no mypy")
if not CORE.is_dir():
    pytest.skip("no sources beside the tests", allow_module_level=True)

ALLOWED = r"""
# Cython's own names.
fastdrop\._core\.\w+\.__(test|pyx_capi)__
# Names of types, which annotations alone use.
fastdrop\._core\.(arguments\.Store|dropout\.(NoiseShape|Rate|Window)|rng\.(AnyRng|Seed))
# Arithmetic with a Mask is a TypeError: a type checker should refuse it, too.
fastdrop\._core\.mask\.Mask\.__(add|and|array_ufunc|divmod|floordiv|lshift|matmul|mod|mul|or|rshift|sub|truediv|xor)__
# A constant that is imported, and a decorator for stubs that only the newest typeshed has.
fastdrop\._core\.(mask|rng)\.WORD
fastdrop\._core\.(mask\.Mask|fused\.FusedMask)
"""


def findings(modules, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text(ALLOWED, encoding="utf-8")
    options = ["--concise", "--ignore-unused-allowlist", "--allowlist", str(allowed)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *modules, *options], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    return done.stdout + done.stderr


def test_stubs_and_modules_agree(tmp_path):
    modules = [f"fastdrop._core.{path.stem}" for path in sorted(CORE.glob("*.pyi"))]
    assert len(modules) > 8
    assert findings(modules, tmp_path) == ""


def test_each_compiled_module_that_python_imports_has_a_stub():
    imported = set()
    for path in CORE.parent.rglob("*.py"):
        imported |= set(re.findall(r"from \.+(?:_core\.)?(\w+) import", path.read_text(encoding="utf-8")))
    compiled = {path.stem for path in CORE.glob("*.pyx")}
    assert compiled & imported <= {path.stem for path in CORE.glob("*.pyi")}
