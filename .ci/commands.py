"""Runs every command that a page documents, long ones in a short form: `python .ci/commands.py [--list]`.

Commands are found by reading the pages: the lines of `sh` blocks, indented lines and inline code that begin with a
program. One without a rule below is run as it stands, so a new command needs no entry; one that names a NAME or FILE to
be filled in is refused until a rule fills it in. Run from the top of a checkout whose environment is first on PATH.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "csrc/README.md", "docs", "benchmarks/README.md", "benchmarks/core.c"]
PAGES += ["examples/evidence/README.md", "tests/statistics/README.md"]
PROGRAMS = r"(?:(?:\.venv/bin/)?(?:python3?|pip|pytest)|cc|gcc|clang|ruff|mypy|cython-lint|clang-format|\.(?:ci)?/\w+)"
COMMAND = rf"{PROGRAMS}(?: .+)?"

ELSEWHERE = ""  # run by .ci/run itself, which would take long to do twice
FEW = "--seeds 1 --choice-seeds 1 --steps 20 --out build/evidence"  # for the evidence, whose results stay as they are
# The first that matches a whole command gives its short form.
SHORT = {
    r"python3 -m venv .*": ELSEWHERE,
    r"python -m pytest": ELSEWHERE,
    r"python -m pytest benchmarks .*": ELSEWHERE,
    r"python3?|pip|pytest|cc|gcc|clang": ELSEWHERE,  # a program that a sentence names, not a command
    r"cmake .*|cc csrc/example\.c .*pkg-config.*": ELSEWHERE,  # tests/test_c_package.py
    r"pip install (.*)": r"pip install -q --dry-run --no-deps \1",
    r"\.ci/\w+|python -m fastdrop|python docs/check\.py|python tests/doors/run\.py": ELSEWHERE,
    r"python -m fastdrop demo(?: --layer NAME)?": "python -m fastdrop demo --layer spatial --seeds 1 --epochs 2",
    r"python -m fastdrop bench": "python -m fastdrop bench --quick --only 'small calls'",
    r"python tests/c/run\.py": "python tests/c/run.py native",
    r"python tests/c/python_suite\.py": "python tests/c/python_suite.py aarch64 tests/test_embedding.py",
    r"python tests/sanitizers/run\.py --full": "python tests/sanitizers/run.py pages",
    r"python tests/free_threaded/run\.py": "env PATH= $(command -v python) tests/free_threaded/run.py",  # builds none
    r"python tests/wheels/run\.py --full": "python tests/wheels/run.py wheel",
    r"python -m pytest tests/statistics.*": "python -m pytest -q tests/statistics/test_generators.py",
    r"python -m pytest tests/fuzz .*": "python -m pytest -q tests/fuzz/test_rng_calls.py",
    r"python tests/fuzz/run\.py .*": "python tests/fuzz/run.py --seconds 5",
    r"python tests/planted/run\.py": "python tests/planted/run.py --list",  # planting takes minutes for each subject
    r"python benchmarks/table\.py FILE\.json": (
        "python -m fastdrop bench --quick --only window --json FILE.json && python benchmarks/table.py FILE.json"
    ),
    r"python benchmarks/picture\.py FILE\.svg": (
        "sed 's/1 << 24, 3.0/1 << 16, 0.1/' benchmarks/picture.py | python - FILE.svg"
    ),
    r"python benchmarks/scaling\.py": "sed 's/range(6, 27)/range(6, 9)/' benchmarks/scaling.py | python -",
    r"python benchmarks/family\.py": "sed 's/^ROUNDS, /ROUNDS = 1; _, /' benchmarks/family.py | python -",
    r"python benchmarks/busy\.py.*": "python benchmarks/busy.py --quick --no-peers",
    r"python benchmarks/footprint\.py": "sed 's/range(21)/range(3)/; s/, 1 << 26//' benchmarks/footprint.py | python -",
    r"python benchmarks/thinned\.py": (
        "sed 's/^SEEDS, EPOCHS, RATE = 5, 300/SEEDS, EPOCHS, RATE = 2, 2/; s/1e-4, 31$/1e-4, 5/' benchmarks/thinned.py "
        "| python -"
    ),
    r"python benchmarks/sklearn_fit\.py time": "python benchmarks/sklearn_fit.py time --pairs 2",
    r"python benchmarks/sklearn_fit\.py errors --epochs 100": "python benchmarks/sklearn_fit.py --help",  # of mlxtend
    r"python examples/evidence/tables\.py": "python examples/evidence/tables.py --check",
    r"python examples/evidence/(features|family)\.py.*": rf"python examples/evidence/\1.py {FEW}",
    r"python examples/evidence/overfitting\.py": (
        "python examples/evidence/overfitting.py --seeds 1 --choice-seeds 1 --epochs 1 --width 32 --out build/evidence"
    ),
    r"python examples/evidence/demo_width\.py": (
        "python examples/evidence/demo_width.py --seeds 1 --epochs 2 --out build/evidence"
    ),
    r"python examples/evidence/rate\.py.*": f"python examples/evidence/rate.py {FEW} --width 32 --kept 16",
    r"python examples/evidence/(\w+)\.py(?: --seeds.*)?": rf"python examples/evidence/\1.py {FEW} --width 32",
    # These need PyTorch, whose wheels are too large for CI.
    r"python tests/doors/run\.py torch .*": "python tests/doors/run.py --help",
    r"python benchmarks/torch_dropout\.py": "python -m py_compile benchmarks/torch_dropout.py",
    r"\./core \[quick \| WORK\]": "./core quick",
}


def pages(root=ROOT):
    """The pages that are there; of a folder, all."""
    for page in PAGES:
        path = root / page
        yield from sorted(path.rglob("*.md")) if path.is_dir() else [path] * path.is_file()


def blocks(text):
    """The lines of a page that are commands by their place, and the rest of it."""
    fenced = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", text, re.M | re.S)
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    indented = [line[4:] for line in text.splitlines() if re.fullmatch(rf"    {COMMAND}", line)]
    return [line for block in fenced for line in block.replace("\\\n", " ").splitlines()] + indented, text


def commands(path):
    """The commands of a page, or of the comment at the top of a C file, in their order."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".c":
        comment = re.sub(r"^ \* ?", "", text.partition("*/")[0], flags=re.M).replace("\\\n", " ")
        return [" ".join(line.split()) for line in comment.splitlines() if re.fullmatch(rf" +{COMMAND}", line)]
    lines, rest = blocks(text)
    inline = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", rest)]
    lines = [re.sub(r"\s\[(--[\w-]+)\]", r" \1", re.sub(r"\s\s+#.*", "", line)).strip() for line in lines]
    return [line for line in lines if line] + [span for span in inline if re.fullmatch(COMMAND, span)]


def short_form(command):
    """What is run in the place of a command; ELSEWHERE, or None where that cannot be said."""
    command = command.replace(".venv/bin/", "") if "-m venv" not in command else command
    for pattern, short in SHORT.items():
        if match := re.fullmatch(pattern, command):
            return match.expand(short) if short else ELSEWHERE
    return None if re.search(r"\b[A-Z]{3,}\b|\.\.\.|<\w+>", command) else command


def documented(root=ROOT):
    """Every command once, with the first page that has it."""
    found = {}
    for path in pages(root):
        for command in commands(path):
            found.setdefault(command, path.relative_to(root))
    return found


def outcome_of(short, done):
    """What became of a short form, which may stand for several commands: it is run once."""
    if short is None:
        return "refused", ""
    if short == ELSEWHERE:
        return "run elsewhere", ""
    if short not in done:
        done[short] = subprocess.run(["bash", "-eo", "pipefail", "-c", short], cwd=ROOT, capture_output=True, text=True)
    status, said = done[short].returncode, done[short].stdout + done[short].stderr
    return ("failed", said[-3000:]) if status else ("ran", "")


def main(arguments):
    """Run all, or list them; return the exit code."""
    counts, done = dict.fromkeys(("ran", "failed", "refused", "run elsewhere"), 0), {}
    for command, page in documented().items():
        short, begin = short_form(command), time.perf_counter()
        title = f"{page}: {command}" + (f"  as: {short}" if short not in (None, ELSEWHERE, command) else "")
        if "--list" in arguments:
            print(title)
            continue
        outcome, said = outcome_of(short, done)
        counts[outcome] += 1
        print(f"{outcome:14}{time.perf_counter() - begin:6.1f} s  {title}\n{said}".rstrip(), flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts["failed"] or counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
