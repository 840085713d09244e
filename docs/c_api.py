"""The directive `c-api`: entries of the C domain for names of csrc/fastdrop.h, whose text is the header's own comments.

A public declaration without a comment, or without an entry on any page, is an error of the build.
"""

import re
from pathlib import Path
from typing import NamedTuple

from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

HEADER = Path(__file__).resolve().parents[1] / "csrc" / "fastdrop.h"
COMMENT = r"/\*(?P<comment>(?:(?!\*/).)*?)\*/\s*"
PATTERNS = {  # of what is public, as the header writes it
    "macro": r"#define (?P<name>FD_\w+) (?P<value>\S+)",
    "struct": r"typedef struct \{\n(?P<body>.*)\} (?P<name>fd_\w+);",
    "opaque": r"typedef struct (?P<name>fd_\w+) (?P=name);",
    "enum": r"typedef enum \{(?P<body>[^}]*)\} (?P<name>fd_\w+);",
    "constant": r"enum \{ (?P<name>FD_\w+) = (?P<value>\w+) \};",
    "function": r"(?P<code>[\w ]+[ *](?P<name>fd_\w+)\([^;]*\));",
}
FIELD = rf" *(?P<code>[^;/]+);[ \n]*(?:{COMMENT})?"
MACHINERY = r'#(if|ifdef|ifndef|endif|include)\b|extern "C"|\}$'


class Declaration(NamedTuple):
    """What one block of the header declares."""

    kind: str
    comment: str
    parts: dict


def read_header(text):
    """Return the public declarations of a header by name; each is in a block of its own, below its comment."""
    found = {}
    for block in re.split(r"\n\n+", text):
        comment = re.match(COMMENT, block, re.S)
        code = block[comment.end() :].strip() if comment else block.strip()
        if not code or re.match(MACHINERY, code):
            continue
        matches = {kind: re.fullmatch(pattern, code, re.S) for kind, pattern in PATTERNS.items()}
        kind = next((kind for kind, match in matches.items() if match), None)
        if kind is None or not comment:
            raise ExtensionError(f"{HEADER.name}: {'no comment before' if kind else 'cannot read'}:\n{code}")
        found[matches[kind]["name"]] = Declaration(kind, comment["comment"], matches[kind].groupdict())
    return found


def prose(comment, names):
    """Return a comment as reStructuredText, with links where it names something public."""

    def link(word):
        if word[1] not in names:
            return word[0]
        return f":c:{'func' if names[word[1]] == 'function' else 'data'}:`{word[1]}`\\ "  # "\\ ": whatever follows

    text = " ".join(re.sub(r"^ ?\* ?", "", comment or "", flags=re.M).split())
    text = re.sub(r"([\\*|])", r"\\\1", text).replace("`", "``")
    return re.sub(r"\b(\w+)\b(?:\(\))?", link, text)


def entry(signature, *contents):
    """Return a directive of the C domain with what belongs into it."""
    inner = "\n\n".join(content for content in contents if content)
    return f".. c:{signature}\n\n" + re.sub(r"^(?=.)", "   ", inner, flags=re.M)


def values_of(declaration):
    """Return the names of an enumeration's values."""
    return [value.strip() for value in declaration.parts["body"].split(",")]


def fields(declaration, names):
    """Return the entries of a structure's fields; one line may declare several."""
    for field in re.finditer(FIELD, declaration.parts["body"], re.S):
        base, *more = re.split(r",\s*", field["code"])
        kind = re.match(r"(.*?)[*\w]+(?:\[\w+\])?$", base)[1]
        for code in [base, *(kind + name for name in more)]:
            yield entry(f"member:: {code}", prose(field["comment"], names))


def as_text(name, declaration, names):
    """Return the entry of one name, as reStructuredText."""
    kind, comment, parts = declaration
    text = prose(comment, names)
    if kind == "function":
        return entry("function:: " + " ".join(parts["code"].split()), text)
    if kind == "struct":
        return entry(f"type:: {name}", text, *fields(declaration, names))
    if kind == "enum":  # its values are names of their own, not of the type
        values = [entry(f"enumerator:: {value}") for value in values_of(declaration)]
        return entry(f"type:: {name}", text, ".. c:namespace:: NULL", *values)
    if kind == "opaque":
        return entry(f"type:: {name}", text)
    signature = f"macro:: {name}" if kind == "macro" else f"enumerator:: {name} = {parts['value']}"
    return entry(signature, text, f"Its value is {parts['value']}." if kind == "macro" else "")


class CApi(SphinxDirective):
    """Show the entries of the names that are the directive's content."""

    has_content = True

    def run(self):
        """Return the entries as nodes."""
        self.env.note_dependency(str(HEADER))
        public = read_header(HEADER.read_text(encoding="utf-8"))
        names = {name: declaration.kind for name, declaration in public.items()}
        names |= {value: "enumerator" for d in public.values() if d.kind == "enum" for value in values_of(d)}
        wanted = " ".join(self.content).split()
        if unknown := set(wanted) - public.keys():
            raise self.error(f"not in {HEADER.name}: {', '.join(sorted(unknown))}")
        return self.parse_text_to_nodes("\n\n".join(as_text(name, public[name], names) for name in wanted))


def all_have_entries(app, env):
    """Raise an error for what the header declares and no page shows."""
    shown = {name for name, *_ in env.domains["c"].get_objects()}
    if missing := read_header(HEADER.read_text(encoding="utf-8")).keys() - shown:
        raise ExtensionError(f"{HEADER.name}: no entry of {', '.join(sorted(missing))}; name them in docs/api/c.md")


def setup(app):
    """Add the directive."""
    app.add_directive("c-api", CApi)
    app.connect("env-check-consistency", all_have_entries)
    return {"parallel_read_safe": True}
