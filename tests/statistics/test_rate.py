"""How many are dropped: everywhere alike, as wide as a binomial, and at exactly the p that was asked for."""

import numpy as np
import pytest
from generators import CoarseUniform, LastBitKept, Library, NeighboursP, RoundAgainstT, SharedLane, ThresholdOff
from measures import deviation, places, rare, rows_and_columns, worst

# Ones with 1, 2 and 8 planes and no round, and ones whose rounds decide much: 256 p has a fraction far from p.
RATES = [2**-20, 1e-4, 1 / 512, 1 / 256, 0.1, 0.3, 1 / 3, 0.5, 0.75, 200 / 256, 0.9, 0.99, 1 - 1e-4]
WIDTHS = (10, 64, 100, 128, 256, 300, 512, 784, 1024, 3072, 4096, 8192)  # 4096 is a block


def rates(source, n):
    return worst([deviation(source.count(n, p, stream=i), n, p) for i, p in enumerate(RATES)])


def test_rate(check, full):
    n = 2**32 if full else 2**26
    faults = {fault.__name__: rates(fault(), 2**22) for fault in (ThresholdOff, RoundAgainstT)}
    check(f"keep rate at {len(RATES)} p", n, rates(Library(), n), **faults)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_rate_by_place(check, full, p):
    n = 2**30 if full else 2**24
    fault = places(LastBitKept(), 2**22, p)
    check(f"keep rate by bit, lane, group, element and span, p={p}", n, places(Library(), n, p), LastBitKept=fault)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_row_and_column_sums(check, full, p):
    n = 2**27 if full else 2**24
    fault = rows_and_columns(SharedLane(), 2**22, p, WIDTHS)
    check(f"variance of row and column sums, p={p}", n, rows_and_columns(Library(), n, p, WIDTHS), SharedLane=fault)


# p is exact, where a coarse U drops, or keeps, many times too many


def few_dropped(source, n, p):
    return rare(source.count(n, p), n * p)


def few_kept(source, n, p):
    return rare(n - source.count(n, p), n * (1 - p))


FEW = {"1e-10": (1e-10, few_dropped), "2^-66": (2.0**-66, few_dropped), "1-1e-10": (1 - 1e-10, few_kept)}


@pytest.mark.parametrize("name", FEW)
def test_few(check, full, name):
    p, few = FEW[name]
    n = 2**32 if full else 2**28
    fault = few(CoarseUniform(), 2**22, p)
    check(f"{few.__name__.replace('_', ' ')}, p={name}", n, few(Library(), n, p), CoarseUniform=fault)


# An array p: an element has its own


@pytest.mark.parametrize("columns", [64, 100])
def test_rate_of_an_array_p(check, full, columns):
    p = np.linspace(0.02, 0.98, columns)
    rows = 2**21 if full else 2**16

    def measure(source, rows):
        return worst(deviation(source.dropped_each(rows, p).sum(0), rows, p))

    got, fault = measure(Library(), rows), measure(NeighboursP(), 2**15)
    check(f"keep rate of {columns} columns, each with its p", rows * columns, got, NeighboursP=fault)
