"""How Sphinx builds the site; `python docs/check.py` runs it.

The source folder is the top of the checkout, so that README files beside the code are pages where they are, and a link
between two pages is the same file name on the site and in the repository.
"""

import ast
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

from fastdrop import __version__

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))

project = "fastdrop"
author = "The fastdrop authors"
copyright = "the fastdrop authors, MIT license"
version = release = __version__
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "csrc/README.md",
    "examples/evidence/README.md",
    "tests/statistics/README.md",
]
exclude_patterns = ["docs/_*", ".*", "build", "src"]
extensions = [
    "c_api",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]

html_theme = "furo"
html_title = "fastdrop"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["redirect"]  # the top of the site leads to its front page
html_copy_source = False
templates_path = [str(ROOT / "docs" / "_templates")]
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

myst_enable_extensions = ["attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

GALLERY = ("learn", "use", "doors")  # folders of examples/, which the build runs
sphinx_gallery_conf = {
    "examples_dirs": [f"examples/{part}" for part in GALLERY],
    "gallery_dirs": [f"docs/gallery/{part}" for part in GALLERY],
    "filename_pattern": r"/(?!autograd|numba|thinc|torch)\w+\.py",  # these libraries are large, or slow to begin
    "within_subsection_order": "pictures.order",
    "minigallery_sort_order": "pictures.order",
    "image_scrapers": ("pictures.scrape",),
    "reset_modules": ("pictures.style",),
    "default_thumb_file": str(ROOT / "docs" / "_static" / "icon.svg"),
    "backreferences_dir": "docs/gallery/backreferences",  # which example uses what
    "doc_module": ("fastdrop",),
    "min_reported_time": 60,
    "write_computation_times": False,
    "download_all_examples": False,
    "show_signature": False,
}

autodoc_typehints = "none"  # the docstrings say more
autosummary_generate = True
c_maximum_signature_line_length = 80
nitpick_ignore = [("py:obj", "numpy.get_include")]  # the build asks no other site
nitpick_ignore += [("c:identifier", name) for name in ("int64_t", "ptrdiff_t", "size_t", "uint64_t", "uint8_t")]
numpydoc_show_class_members = False  # the template of a class lists them


# Links to the source, also of compiled functions, whose file Python cannot tell.

SOURCES = {
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "src" / "fastdrop").rglob("*.py*"))
    if path.suffix in (".py", ".pyx")
}
WRITTEN_IN = {  # the module that each public name of the package is imported from
    alias.name: f"fastdrop.{node.module}"
    for node in ast.walk(ast.parse(SOURCES["fastdrop"].read_text(encoding="utf-8")))
    if isinstance(node, ast.ImportFrom) and node.level
    for alias in node.names
}


def find_source(app, module):
    """Return the text of a module, and the first and the last line of each definition at its top level."""
    if module not in SOURCES:
        return None
    text = SOURCES[module].read_text(encoding="utf-8")
    found = re.finditer(r"^(?:cdef )?(?:class|def) (\w+).*\n(?:(?:[ )].*)?\n)*", text, re.M)
    line = {match[1]: [1 + text.count("\n", 0, place) for place in match.span()] for match in found}
    return text, {name: ("def", first, after - 1) for name, (first, after) in line.items()}


def written_in(app, module, name):
    """Return the module that a public name was written in."""
    return WRITTEN_IN.get(name) if module == "fastdrop" else None


def lead_to_examples(app, doctree):
    """Lead from a link to an example's script to its page, where what it draws and prints is, too."""
    for link in list(doctree.findall(addnodes.download_reference)):
        if match := re.search(rf"examples/({'|'.join(GALLERY)})/(\w+)\.py$", link["reftarget"]):
            page = addnodes.pending_xref("", *link.children, refdomain="std", reftype="doc", refexplicit=True)
            page["reftarget"], page["refdoc"] = "/docs/gallery/{}/{}".format(*match.groups()), link["refdoc"]
            link.replace_self(page)


PUBLIC = set(WRITTEN_IN) - {"__version__"}
TAKEN = nodes.title | nodes.reference | addnodes.pending_xref  # in these a link is no use, or is there already


def parents(node):
    """Yield what a node is in, from the inside out."""
    while node := node.parent:
        yield node


def link_names(app, doctree):
    """Lead from a public name in code to its page; without `fd.` in Learn and Use alone, where it can be no other's."""
    bare = app.env.docname.startswith(("docs/learn", "docs/use"))
    for code in list(doctree.findall(nodes.literal)):
        match = re.fullmatch(r"(fd\.|fastdrop\.)(\w+)(\(.*\))?|(\w+)", code.astext())
        name = match and (match[2] or (bare and match[4]))
        if name in PUBLIC and not any(isinstance(above, TAKEN) for above in parents(code)):
            target = {"refdomain": "py", "reftype": "obj", "reftarget": f"fastdrop.{name}", "refdoc": app.env.docname}
            code.replace_self(addnodes.pending_xref("", code.deepcopy(), refexplicit=True, **target))


def uncite(app, doctree):
    """Take the marks of references out of the tables of names, which have the first sentence alone."""
    if app.env.docname == "docs/api/index":
        for mark in [node for node in doctree.findall(addnodes.pending_xref) if node["refdomain"] == "citation"]:
            before = mark.parent[mark.parent.index(mark) - 1]
            before.parent.replace(before, nodes.Text(before.astext().rstrip()))
            mark.parent.remove(mark)


def strip_code(app, doctree):
    """Take away the empty line that doctest needs at the end of a block."""
    for block in doctree.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip()  # what is not as in the source would not be highlighted
        block.children = [nodes.Text(block.rawsource)]


def setup(app):
    """Tell viewcode what is written where."""
    app.connect("doctree-read", lead_to_examples, priority=100)  # before what is linked is copied
    app.connect("doctree-read", link_names)
    app.connect("doctree-read", uncite)
    app.connect("doctree-read", strip_code)
    app.connect("viewcode-find-source", find_source)
    app.connect("viewcode-follow-imported", written_in)
