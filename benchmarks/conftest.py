"""The order of contenders, and their ratios: `python -m pytest benchmarks [--quick]`."""

import random

import pytest

from fastdrop._commands.benchmark.questions import questions

medians: dict[tuple[str, str], dict[str, float]] = {}


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out large sizes and what has to compile")


def pytest_generate_tests(metafunc):
    rows = [
        (question, case, name)
        for question in questions(metafunc.config.getoption("quick"))
        for case in question.cases
        for name in random.Random(case.name).sample(list(question.contenders), len(question.contenders))
    ]
    ids = [f"{q.name}-{case.name}-{name}".replace(" ", "_") for q, case, name in rows]
    metafunc.parametrize(("question", "case", "contender"), rows, ids=ids)


@pytest.fixture
def record(request):
    """Keep a contender's median beside the others of its case."""

    def keep(question, case, contender, median):
        medians.setdefault((f"{question.name}: {case.name}", question.baseline), {})[contender] = median

    return keep


def pytest_terminal_summary(terminalreporter):
    terminalreporter.section("speed over the baseline of the same case")
    for (case, baseline), times in medians.items():
        shares = {name: times[baseline] / median for name, median in times.items()} if baseline in times else {}
        terminalreporter.write_line(f"{case}; {baseline} = 1")
        for name, share in sorted(shares.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"    {share:8.3f}  {name}")
