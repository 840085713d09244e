"""How .ci/commands.py finds the commands of the pages, and that its short forms still fit what they shorten."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci" / "commands.py"
if not SCRIPT.is_file():
    pytest.skip("no .ci beside the tests", allow_module_level=True)
spec = importlib.util.spec_from_file_location("ci_commands", SCRIPT)
ci = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ci)
FOUND = ci.documented()

PAGE = """Say `python -m here info`, or
`python -m
there`; no command: `x * scale`, `cc_flags`.

```sh
.venv/bin/python -m fenced [--quick]      # a comment
anything --at-all
```

```python
>>> python -m no_command
```

    python setup.py                    # another
    T = round(p)
"""


def test_the_commands_of_a_page(tmp_path):
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    assert ci.commands(tmp_path / "page.md") == [
        ".venv/bin/python -m fenced --quick",
        "anything --at-all",
        "python setup.py",
        "python -m here info",
        "python -m there",
    ]


def test_the_commands_of_a_c_file(tmp_path):
    (tmp_path / "file.c").write_text(
        "/*\n * Build it:\n *\n *   cc -c file.c \\\n *       -o file\n *   ./file\n */\n", encoding="utf-8"
    )
    assert ci.commands(tmp_path / "file.c") == ["cc -c file.c -o file", "./file"]


@pytest.mark.parametrize("command", ["python new.py", "python -m fastdrop new --option"])
def test_a_new_command_is_run_as_it_stands(command):
    assert ci.short_form(command) == command


@pytest.mark.parametrize("command", ["python new.py FILE", "python new.py --layer NAME", "python new.py ..."])
def test_what_nobody_can_run_is_refused(command, monkeypatch, capsys):
    assert ci.short_form(command) is None
    monkeypatch.setattr(ci, "documented", lambda: {command: "README.md"})
    assert ci.main([]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 ran, 0 failed, 1 refused, 0 run elsewhere"


def test_a_command_that_fails(monkeypatch, capsys):
    monkeypatch.setattr(ci, "documented", lambda: dict.fromkeys(["false", "echo said; exit 3", "true"], "README.md"))
    assert ci.main([]) == 1
    printed = capsys.readouterr().out
    assert "said" in printed
    assert printed.splitlines()[-1] == "1 ran, 2 failed, 0 refused, 0 run elsewhere"


def test_there_are_commands_of_every_page_that_has_some():
    pages = {str(page) for page in FOUND.values()}
    assert {"README.md", "csrc/README.md", "benchmarks/README.md", "benchmarks/core.c"} <= pages
    assert len(FOUND) > 30


@pytest.mark.parametrize("command", FOUND)
def test_every_documented_command_has_a_form_that_runs(command):
    assert ci.short_form(command) is not None


@pytest.mark.parametrize("pattern", [pattern for pattern in ci.SHORT if "venv" not in pattern])
def test_every_rule_is_of_a_documented_command(pattern):
    assert any(re.fullmatch(pattern, command) for command in FOUND)


@pytest.mark.parametrize("short", [short for short in map(ci.short_form, FOUND) if short.startswith("sed ")])
def test_what_shortens_a_script_finds_what_it_replaces(short):
    script, file = re.match(r"sed '([^']*)' (\S+)", short).groups()
    for part in script.split("; s/"):
        part = part if part.startswith("s/") else f"s/{part}"
        done = subprocess.run(["sed", part, ROOT / file], capture_output=True, encoding="utf-8", check=True)
        assert done.stdout != (ROOT / file).read_text(encoding="utf-8"), part


def test_what_is_run_elsewhere_is_in_the_script_of_ci():
    said = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for words in (
        ".[demo]",
        ".[test]",
        "pytest -q benchmarks",
        ".ci/lint",
        "docs/check.py",
    ):
        assert words in said
