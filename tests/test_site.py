"""The `>>>` lines of the site's pages; docs/check.py builds the site and looks at it."""

import doctest
from pathlib import Path

import pytest

import fastdrop as fd

DOCS = Path(__file__).resolve().parents[1] / "docs"
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
