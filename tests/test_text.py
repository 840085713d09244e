"""Text that rots: links between pages, and the files and C names that comments, docstrings and pages mention."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
if not (ROOT / "csrc").is_dir():
    pytest.skip("no sources beside the tests", allow_module_level=True)

FOLDERS = ("csrc", "src", "tests", "docs", "benchmarks", "examples", ".ci")
SUFFIXES = {".py", ".pyx", ".pxd", ".pyi", ".c", ".h", ".md", ".json", ".toml"}
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES]
FILES = [path for path in FILES if not (path.suffix == ".c" and path.with_suffix(".pyx").exists())]  # Cython's
FILES += [path for path in sorted(ROOT.iterdir()) if path.suffix in SUFFIXES]
PAGES = [path for path in FILES if path.suffix == ".md"]
SOURCES = [path for path in FILES if path.suffix in {".py", ".pyx", ".pxd", ".pyi", ".c", ".h"}]
NAMES = {f"/{path.relative_to(ROOT)}" for path in FILES}
# Not of this repository: other people's headers, and files that are made.
OTHERS = {"omp.h", "immintrin.h", "arm_neon.h", "cpuid.h", "Python.h", "app.py", "FILE.json", "numpy/arrayobject.h"}


def name(path):
    return str(path.relative_to(ROOT))


def headings(page):
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in found}


def prose(path):
    """The comments and docstrings of a source."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".c", ".h"):
        return "\n".join(re.findall(r"/\*.*?\*/|//[^\n]*", text, re.S))
    if path.suffix == ".py":
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        doc = tokenize.STRING
        found = [t.string for t in tokens if t.type == tokenize.COMMENT or (t.type == doc and '"""' in t.string)]
        return "\n".join(text for text in found if not re.match(r'[rf]*"""if True', text))
    return "\n".join(re.findall(r'""".*?"""|#[^\n]*', text, re.S))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not heading or heading in headings(there), target


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_the_files_that_comments_name_are_there(path):
    mentioned = re.findall(r"(?<![\w/.*\]])[\w./-]*\w\.(?:pyx|pxd|pyi|py|c|h|md|json|toml)\b(?![\w(*])", prose(path))
    for file in set(mentioned) - OTHERS:
        assert any(known.endswith(f"/{file.removeprefix('../').removeprefix('./')}") for known in NAMES), file


C_NAME = r"\b(?:fd_[a-z]\w*|FD_[A-Z]\w*)(?!\w|\*)"


def c_names_in_code():
    """The names of the C core in its code, without the comments, and those that the build defines."""
    sources = [path for path in SOURCES if path.suffix in (".c", ".h")]
    text = "".join(re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(encoding="utf-8"), flags=re.S) for path in sources)
    return set(re.findall(C_NAME, text + (ROOT / "csrc" / "CMakeLists.txt").read_text(encoding="utf-8")))


def test_the_c_names_that_comments_and_pages_mention_are_there():
    known = c_names_in_code()
    assert len(known) > 50
    for path in [*SOURCES, ROOT / "csrc" / "README.md"]:
        text = path.read_text(encoding="utf-8") if path.suffix == ".md" else prose(path)
        assert set(re.findall(C_NAME, text)) - known == set(), name(path)


def test_constants_that_pages_repeat_are_those_of_the_code():
    header = (ROOT / "csrc" / "fastdrop.h").read_text(encoding="utf-8")
    assert "FD_BLOCK = 4096" in (ROOT / "csrc" / "backend.h").read_text(encoding="utf-8")
    assert "FD_BIAS_SLACK = 4096" in header  # "one block"
    assert "32 MiB of cache" in header
    for file in ("csrc/dispatch.c", "src/fastdrop/_core/settings.pxi"):
        assert "1 << 25" in (ROOT / file).read_text(encoding="utf-8")


def test_a_name_that_is_nowhere_is_found(tmp_path):
    (tmp_path / "a.c").write_text("/* see nowhere.h */ int a; // and gone.c\n", encoding="utf-8")
    assert "nowhere.h" in prose(tmp_path / "a.c")
    assert "gone.c" in prose(tmp_path / "a.c")
