"""The benchmark's figures, checks and report: from known times to known numbers, and wrong results are errors."""

import dataclasses
import io
import itertools
import json
import sys

import numpy as np
import pytest

import fastdrop as fd
from fastdrop.__main__ import main

pytest.importorskip("rich")
import fastdrop._commands.benchmark as benchmark
from fastdrop._commands.benchmark import measure, report
from fastdrop._commands.benchmark.cases import Case, Data, Missing, Run
from fastdrop._commands.benchmark.checks import WrongError
from fastdrop._commands.benchmark.measure import Result
from fastdrop._commands.benchmark.questions import Question, questions

CASE = Case("asked", 64)


# From times to figures


class FakeClock:
    """Each reading costs 7 ns; work adds its own."""

    def __init__(self, monkeypatch):
        self.now = 0
        monkeypatch.setattr(measure.time, "perf_counter_ns", self.read)

    def read(self):
        self.now += 7
        return self.now

    def work(self, ns):
        self.now += ns


def test_median_and_spread():
    result = Result(CASE, "any", times=[7.0, 1.0, 2.0, 6.0, 3.0, 5.0, 4.5])
    assert (result.median, result.quartiles, result.spread) == (4.5, (2.0, 6.0), 2 / 4.5)
    assert Result(CASE, "any", times=[3.0]).spread == 0


def test_ns_per_element():
    assert measure.ns_per_element(6407, 7, arrays=64, size=50) == 2.0
    assert measure.ns_per_element(3, 7, arrays=1, size=0) == 1.0  # a clock that is coarser than the work


@pytest.mark.parametrize(
    ("n", "threads", "untimed"),
    [(1, 1, 1), (64, 1, 1), (4096, 1, 1), (1 << 14, 2, 1), (2 * measure.WARMED, 1, 0), (2 * measure.WARMED, 2, 1)],
)
def test_a_repetition_is_the_calls_alone(n, threads, untimed, monkeypatch):
    case, sizes = dataclasses.replace(CASE, n=n, threads=threads), []
    clock, data = FakeClock(monkeypatch), Data(case)
    assert data.count == min(64, max(1, 4096 // n))

    def call(x):
        sizes.append(x.size)
        clock.work(3 * x.size)

    run = Run(call, lambda: clock.work(10**6))
    assert measure.clock_cost() == 7
    assert measure.repetition(run, case, data, measure.clock_cost()) == 3.0
    assert sizes == [n] * (untimed + data.count)


def test_the_ratio_is_how_many_times_as_fast():
    results = [
        Result(CASE, "roof", times=[2.0]),
        Result(CASE, "twice as fast", times=[1.0]),
        Result(dataclasses.replace(CASE, n=1), "roof", times=[100.0]),
        Result(CASE, "absent", missing="not installed"),
        Result(CASE, "wrong", missing="a wrong result", error=True, times=[1.0]),
    ]
    question = Question("asked", "what?", (CASE,), {})
    rows = report.rows(question, results)
    assert [row.get("ratio") for row in rows] == [1.0, 2.0, 1.0, None, None]
    assert [row.get("ns") for row in rows] == [2.0, 1.0, 100.0, None, None]
    assert [row.get("error") for row in rows] == [None, None, None, False, True]
    (row,) = report.rows(question, [Result(CASE, "roof", times=[1.0, 2.0, 3.0, 4.0, 5.0])])
    assert (row["spread"], row["rounds"]) == (0.5, 5)
    no_roof = [dataclasses.replace(results[0], missing="no C compiler"), results[1]]
    assert report.ratio(question, no_roof, no_roof[1]) is None


def test_a_busy_machine_is_named():
    steady, wild = (Result(CASE, "roof", times=times) for times in ([1.0, 1.01, 1.0, 1.0], [1.0, 9.0, 1.0, 9.0]))
    assert report.unrest(0.1, [steady]) == report.unrest(None, []) == []
    (load, effect), (spread, same) = report.unrest(1.2, [steady]), report.unrest(0.0, [steady, wild])
    assert effect == same
    assert "1.2" in load
    assert f"{wild.spread:.0%}, in 1 of 2 cases" in spread


@pytest.mark.parametrize("width", [200, 80, 60, 50, 40])
def test_no_figure_is_lost_to_a_narrow_terminal(width):
    from rich.console import Console

    times = {"roof": 123.4, "NumPy, random() < p": 0.3517, "fastdrop portable": 4.321}
    results = [Result(CASE, name, times=[ns]) for name, ns in times.items()]
    out = io.StringIO()
    Console(file=out, width=width).print(report.table(Question("q", "asks", (CASE,), {}), results))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    cells = [[cell.strip() for cell in line.split("│")] for line in lines if line.count("│") == 5]
    figures = [(row[1], row[3]) for row in cells]
    assert [pair for pair in figures if all(pair)] == [("1", "123.4"), ("351", "0.3517"), ("28.6", "4.321")]


# Checks


def everything_checked():
    for question in questions(quick=True):
        for case in {(case.dtype, case.layout): case for case in question.cases}.values():
            for name in question.contenders:
                if question.check_of(name) or name.startswith(("fastdrop", "NumPy")):  # none of these is unchecked
                    yield pytest.param(question, case, name, id=f"{question.name}-{case.dtype}{case.layout}-{name}")


def doubled(y):
    return ~y if y.dtype in (bool, np.uint8) else y * y.dtype.type(2)


def not_dropped(y):
    return np.full_like(y, 255) if y.dtype == np.uint8 else np.ones_like(y)


def one_changed(y):
    y = y.copy()
    y[tuple(i // 2 for i in y.shape)] += y.dtype.type(0.5)
    return y


SPOILERS = {"all zero": np.zeros_like, "doubled": doubled, "not dropped": not_dropped, "one changed": one_changed}


@pytest.mark.parametrize(("question", "case", "name"), list(everything_checked()))
def test_a_wrong_result_is_an_error(question, case, name, restored_threads):
    case = dataclasses.replace(case, n=1 << 16, threads=1, p=0.3)
    before, data, make = fd.backend(), Data(case), question.contenders[name]
    try:
        right = measure.checked(question, case, data, name, make)
        for title, spoil in SPOILERS.items():
            y = np.asarray(make(case).call(data.base.copy()))
            if title == "one changed" and y.dtype in (bool, np.uint8):
                continue
            with pytest.raises(WrongError):
                question.check_of(name)(case, data.base, spoil(y))
    finally:
        fd._core.binding.set_backend(before)
    assert callable(right.call)


def test_samples_of_one_mask_are_an_error():
    (question,) = (q for q in questions(quick=True) if q.name == "Monte Carlo")
    x = np.ones(1 << 12, np.float32)
    y = np.broadcast_to(fd.dropout(x, 0.5, rng=1)[0], (32, x.size))
    with pytest.raises(WrongError, match="the mask of the one before"):
        question.check(Case("Monte Carlo", x.size), x, y)


# Whatever a question meets


def broken(case):
    raise OSError("libbroken.so")


def stops_later(case):
    calls = itertools.count()

    def call(x):
        if next(calls) > 2:
            raise ValueError("enough")
        return fd.dropout(x, rng=0)[0]

    return Run(call)


def missing(case):
    raise Missing("not here")


def zeros(case):
    return Run(np.zeros_like)


def right(case):
    return Run(lambda x: fd.dropout(x, rng=0)[0])


def compared(**contenders):
    results = []
    names = {name.replace("_", " "): make for name, make in contenders.items()}
    measure.compare(CASE, Question("asked", "what?", (CASE,), names), 0.0, results)
    return {result.contender: result for result in results}


def test_a_contender_that_fails_is_a_row_and_the_others_are_timed():
    results = compared(a=broken, b=stops_later, c=missing, d=zeros, e=right, fastdrop_f=broken, fastdrop_g=missing)
    assert {name: (r.shown, r.error) for name, r in results.items()} == {
        "a": (False, False),
        "b": (False, False),
        "c": (False, False),
        "d": (False, True),
        "e": (True, False),
        "fastdrop f": (False, True),
        "fastdrop g": (False, False),
    }
    assert len(results["e"].times) >= 5
    assert (results["a"].missing, results["c"].missing) == ("fails: OSError: libbroken.so", "not here")
    assert results["b"].missing == "fails: ValueError: enough"


def test_a_dtype_that_is_not_installed_is_a_row(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    question, results = Question("dtypes", "what?", (), {"x": right}), []
    for dtype in ("bfloat16", "float16"):
        measure.compare(Case("dtypes", 64, dtype=dtype), question, 0.0, results)
    assert [(r.missing, r.shown) for r in results] == [("ml_dtypes is not installed", False), ("", True)]


def asked(monkeypatch, *makes):
    """Let the benchmark ask one question of each contender."""
    made = [Question(f"q{i}", "what?", (CASE,), {"roof": make}, unchecked=()) for i, make in enumerate(makes)]
    monkeypatch.setattr(benchmark, "questions", lambda quick: made)


def written(path):
    return {row["question"]: "ns" in row for row in json.loads(path.read_text(encoding="utf-8"))["results"]}


def test_a_wrong_result_is_an_exit_code_and_the_rest_is_written(monkeypatch, tmp_path, capsys):
    asked(monkeypatch, right, zeros, broken, right)
    path = tmp_path / "figures.json"
    with pytest.raises(SystemExit) as exit:
        main(["bench", "--quick", "--json", str(path)])
    assert exit.value.code == 1
    assert written(path) == {"q0": True, "q1": False, "q2": False, "q3": True}
    said = capsys.readouterr().out
    assert str(path) in said
    assert "ERROR: asked, 64, p=0.5, 1 thread, roof: a wrong result" in said


def interrupted(case):
    raise KeyboardInterrupt


def test_an_interrupted_run_writes_what_it_has(monkeypatch, tmp_path, capsys, restored_threads):
    def others(case):
        fd._core.binding.set_backend("portable")
        fd.set_num_threads(3)
        return right(case)

    before = fd.backend(), fd.get_num_threads()
    asked(monkeypatch, others, interrupted, right)
    path = tmp_path / "figures.json"
    assert main(["bench", "--quick", "--json", str(path)]) == 130
    assert written(path) == {"q0": True, "q1": False}
    assert (fd.backend(), fd.get_num_threads()) == before
    assert "speed" in capsys.readouterr().out


def test_a_picture_is_of_what_there_is(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    made = [Question("forward", "what?", (CASE, dataclasses.replace(CASE, n=128)), {"x": right, "y": missing})]
    for contenders in ({"x": right, "y": missing}, {"y": missing}):
        made[0] = dataclasses.replace(made[0], contenders=contenders)
        monkeypatch.setattr(benchmark, "questions", lambda quick: made)
        path = tmp_path / f"{len(contenders)}.png"
        assert main(["bench", "--quick", "--plot", str(path)]) == 0
        assert path.exists() == ("x" in contenders)
        assert (str(path) in capsys.readouterr().out) == path.exists()
