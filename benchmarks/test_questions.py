"""One body for every question: a contender is made, checked once, then timed on arrays refilled outside the clock."""

import functools
import time

import pytest

from fastdrop._commands.benchmark.cases import Data, Missing
from fastdrop._commands.benchmark.measure import checked

data_of = functools.lru_cache(maxsize=1)(Data)  # contenders on one case run one after the other


def clock():
    """Seconds, over the calls that one round makes: what is reported is a call."""
    return time.perf_counter() / clock.calls


clock.calls = 1


@pytest.mark.benchmark(timer=clock)
def test_contender(benchmark, record, request, question, case, contender):
    data = data_of(case)
    try:
        run = checked(question, case, data, contender, question.contenders[contender])
    except Missing as reason:
        pytest.skip(f"{contender}: {reason}")

    clock.calls = data.count

    def refill():
        data.refill()
        run.prepare()

    def call_on_each():
        for x in data.arrays:
            run.call(x)

    quick = request.config.getoption("quick")
    benchmark.group = f"{question.name}: {case.name}"
    rounds = 5 if quick or case.n > 1 << 22 else 30
    benchmark.pedantic(call_on_each, setup=refill, rounds=rounds, warmup_rounds=1)
    benchmark.extra_info.update(n=case.n, p=case.p, threads=case.threads, dtype=case.dtype)
    record(question, case, contender, benchmark.stats.stats.median)
