"""The `>>>` lines of the site's pages; docs/check.py builds the site and looks at it."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference

import fastdrop as fd

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ELSEWHERE = ("doors", "promises.md")  # tests/doors, which know what each door needs; test_package.py
PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if path.relative_to(DOCS).parts[0] not in ELSEWHERE and ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page(page):
    if "sklearn" in page.read_text(encoding="utf-8"):
        pytest.importorskip("sklearn")
    assert doctest.testfile(str(page), module_relative=False).failed == 0


def test_every_public_name_has_a_page():
    listed = set((DOCS / "api" / "index.md").read_text(encoding="utf-8").split())
    assert set(fd.__all__) - listed == {"__version__"}


def test_every_name_of_the_c_header_has_an_entry():
    inventory = pytest.importorskip("sphinx.util.inventory")
    if not (DOCS / "_build" / "objects.inv").is_file():
        pytest.skip("the site has not been built")
    with open(DOCS / "_build" / "objects.inv", "rb") as file:
        entries = inventory.InventoryFile.load(file, "", lambda base, page: page)
    shown = {name.split(".")[0] for kind, names in entries.items() if kind.startswith("c:") for name in names}
    header = re.sub(r"/\*.*?\*/", "", (ROOT / "csrc" / "fastdrop.h").read_text(encoding="utf-8"), flags=re.S)
    assert shown == set(re.findall(r"\b(?:fd|FD)_\w+", header)) - {"FD_SHARED"}


@pytest.mark.skipif(
    not shutil.which("gcc") or sys.platform != "linux", reason="NOT RUN: links the library of gcc's package"
)
def test_the_c_program_of_the_page(tmp_path):
    page = (DOCS / "api" / "c.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```c\n(.*?)^```", page, re.M | re.S)
    (tmp_path / "first.c").write_text(program, encoding="utf-8")
    folder = Path(fd.get_include())
    options = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fopenmp", f"-I{folder}"]
    command = ["gcc", *options, "first.c", folder.parent / "lib" / "libfastdrop.a", "-o", "first"]
    subprocess.run(command, cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "first"], capture_output=True, encoding="utf-8", check=True).stdout
    kept = reference.kept(reference.key_from_seed(7), 0, 0.5, 0, 8)
    assert np.array_equal(np.array(printed.split(), float).reshape(8, 2).T, [2 * kept * np.arange(1, 9), 2 * kept])
