"""The clock: contenders in turn, in a new order each round, so that a slow minute strikes all of them."""

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .cases import Case, Data, Missing, Run
from .checks import WrongError
from .contenders import Make
from .questions import Question

# A repetition begins with a call that is not timed: up to so many elements, since other contenders have had the caches;
# with several threads, since GNU's OpenMP ends and starts threads where a team of another size was there before.
WARMED = 1 << 20


@dataclass
class Result:
    """The repetitions of one contender on one case, in nanoseconds an element; or why there are none."""

    case: Case
    contender: str
    missing: str = ""
    error: bool = False  # what is missing is a fault, not another library's absence
    times: list[float] = field(default_factory=list)
    run: Run | None = None  # while it is timed

    @property
    def shown(self) -> bool:
        """Whether there are times, and nothing that forbids to show them."""
        return bool(self.times) and not self.missing

    @property
    def median(self) -> float:
        """Nanoseconds an element."""
        return statistics.median(self.times)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between which half of the repetitions lie, in nanoseconds an element."""
        if len(self.times) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.times, n=4)
        return low, high

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, over the median."""
        low, high = self.quartiles
        return (high - low) / 2 / self.median


def clock_cost() -> int:
    """Return what reading the clock twice costs, in nanoseconds."""
    costs = []
    for _ in range(1000):
        start = time.perf_counter_ns()
        costs.append(time.perf_counter_ns() - start)
    return int(statistics.median(costs))


def ns_per_element(elapsed: int, cost: int, arrays: int, size: int) -> float:
    """Return what an element took of calls on so many arrays, in ns, without what the clock costs."""
    return max(elapsed - cost, 1) / (arrays * max(size, 1))


def repetition(run: Run, case: Case, data: Data, cost: int) -> float:
    """Time one call on each array; return nanoseconds an element."""
    call, arrays = run.call, data.arrays
    run.prepare()
    data.refill()
    if case.threads > 1 or arrays[0].size <= WARMED:
        call(arrays[0])
    start = time.perf_counter_ns()
    for x in arrays:
        call(x)
    return ns_per_element(time.perf_counter_ns() - start, cost, len(arrays), arrays[0].size)


def checked(question: Question, case: Case, data: Data, name: str, make: Make) -> Run:
    """Make a contender, call it once, and check what it returns."""
    run = make(case)
    data.refill()
    run.prepare()
    y = run.call(data.arrays[0])
    if check := question.check_of(name):
        check(case, data.base, y)
    return run


@contextmanager
def _failures_of(result: Result) -> Iterator[None]:
    """Turn what stops a contender into a row that says so; an error where it is fastdrop, or a wrong result."""
    try:
        yield
    except Missing as reason:
        result.missing = str(reason)
    except Exception as error:  # of any library, of any kind
        wrong = isinstance(error, WrongError)
        result.missing = str(error) if wrong else f"fails: {type(error).__name__}: {error}"[:60]
        result.error = wrong or result.contender.startswith("fastdrop")


def compare(case: Case, question: Question, seconds: float, results: list[Result]) -> None:
    """Time the question's contenders on a case, each checked first, for about so many seconds in all.

    Their results are appended before the first is timed: after an interruption they hold what was measured.
    """
    mine = {name: Result(case, name) for name in question.contenders}
    results += mine.values()
    try:
        data, cost = Data(case), clock_cost()
    except (Missing, MemoryError) as reason:
        for result in mine.values():
            result.missing = str(reason) or "not enough memory"
        return
    for result in mine.values():
        with _failures_of(result):
            result.run = checked(question, case, data, result.contender, question.contenders[result.contender])
    running, order = [result for result in mine.values() if result.run], random.Random(0)
    warm = 0.0
    for result in running:
        with _failures_of(result):
            warm += repetition(result.run, case, data, cost)
    rounds = max(5, min(1000, int(seconds / max(warm * data.count * case.n * 1e-9, 1e-9))))
    for _ in range(rounds):
        order.shuffle(running)
        for result in running:
            if not result.missing:
                with _failures_of(result):
                    result.times.append(repetition(result.run, case, data, cost))
    for result in mine.values():
        result.run = None
