"""The clock: contenders in turn, in a new order each round, so that a slow minute strikes all of them."""

import random
import statistics
import time
from dataclasses import dataclass, field

from .cases import Case, Data, Missing, Run
from .contenders import Make
from .questions import Question

# Up to so many elements a repetition begins with a call that is not timed: other contenders have had the caches.
WARMED = 1 << 20


@dataclass
class Result:
    """The repetitions of one contender on one case, in nanoseconds an element; or why there are none."""

    case: Case
    contender: str
    missing: str = ""
    times: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Nanoseconds an element."""
        return statistics.median(self.times)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, over the median."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.times, n=4)
        return (high - low) / 2 / self.median


def clock_cost() -> int:
    """Return what reading the clock twice costs, in nanoseconds."""
    costs = []
    for _ in range(1000):
        start = time.perf_counter_ns()
        costs.append(time.perf_counter_ns() - start)
    return int(statistics.median(costs))


def repetition(run: Run, data: Data, cost: int) -> float:
    """Time one call on each array; return nanoseconds an element."""
    call, arrays = run.call, data.arrays
    run.prepare()
    if arrays[0].size <= WARMED:
        call(arrays[0])
    data.refill()
    start = time.perf_counter_ns()
    for x in arrays:
        call(x)
    elapsed = time.perf_counter_ns() - start
    return max(elapsed - cost, 1) / (len(arrays) * max(arrays[0].size, 1))


def checked(question: Question, case: Case, data: Data, name: str, make: Make) -> Run:
    """Make a contender, call it once, and check what it returns."""
    run = make(case)
    data.refill()
    run.prepare()
    y = run.call(data.arrays[0])
    if name not in question.unchecked:
        question.check(case, data.base, y)
    return run


def compare(case: Case, question: Question, seconds: float) -> list[Result]:
    """Time the question's contenders on a case, each checked first, for about so many seconds in all."""
    data, cost = Data(case), clock_cost()
    results = {name: Result(case, name) for name in question.contenders}
    runs = {}
    for name, make in question.contenders.items():
        try:
            runs[name] = checked(question, case, data, name, make)
        except Missing as reason:
            results[name].missing = str(reason)
        except Exception as error:  # a peer that fails here is a row that says so
            if name.startswith("fastdrop"):
                raise
            results[name].missing = f"fails: {type(error).__name__}: {error}"[:60]
    names, order = list(runs), random.Random(0)
    warm = sum(repetition(runs[name], data, cost) for name in names)
    rounds = max(5, min(1000, int(seconds / (warm * data.count * case.n * 1e-9))))
    for _ in range(rounds):
        order.shuffle(names)
        for name in names:
            results[name].times.append(repetition(runs[name], data, cost))
    return list(results.values())
