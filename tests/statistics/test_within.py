"""Within a mask: elements, lanes and blocks are independent of each other."""

import numpy as np
import pytest
from generators import BlocksByAddition, BlocksInPairs, Library, SharedLane
from measures import lags, pairs, repeated_words, standard

PIECE = 2**20


def pieces(source, n, p):
    return (source.dropped(PIECE, p, offset=offset) for offset in range(0, n, PIECE))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_lags(check, full, p):
    """Every lag up to 128 blocks: neighbours, lanes, groups, blocks, and whatever lies between."""
    n = 2**28 if full else 2**22

    def measure(source, n):
        return lags(standard(d, p) for d in pieces(source, n, p))

    faults = {fault.__name__: measure(fault(), 2**22) for fault in (SharedLane, BlocksByAddition)}
    check(f"autocorrelation at lags 1 to 2^19, p={p}", n, measure(Library(), n), **faults)


def test_lags_of_an_array_p(check, full):
    p = np.linspace(0.1, 0.9, 64)

    def measure(source, streams):
        masks = (source.dropped_each(PIECE // 64, p, key=(1, stream)) for stream in range(streams))
        return lags(standard(d, p).reshape(-1) for d in masks)

    streams = 32 if full else 2
    faults = {fault.__name__: measure(fault(), 2) for fault in (SharedLane, BlocksByAddition)}
    check("autocorrelation at lags 1 to 2^19, an array p", streams * PIECE, measure(Library(), streams), **faults)


@pytest.mark.parametrize("p", [0.4, 0.5])
def test_elements_of_a_block(check, full, p):
    n = 2**26 if full else 2**20

    def measure(source, n):
        return pairs((d.reshape(-1, 4096) for d in pieces(source, n, p)), p)

    fault = measure(SharedLane(), 2**20)
    check(f"every two elements of a block, p={p}", n, measure(Library(), n), SharedLane=fault)


@pytest.mark.parametrize("p", [0.4, 0.5])
def test_block_against_block(check, full, p):
    n = 2**24 if full else 2**22

    def measure(source, n):
        return pairs([source.dropped(n, p).reshape(-1, 4096).T], p)

    fault = measure(BlocksInPairs(), 2**22)
    check(f"every two blocks, p={p}", n, measure(Library(), n), BlocksInPairs=fault)


def test_no_word_occurs_twice(check, full):
    n = 2**28 if full else 2**24

    def measure(source, n):
        return repeated_words(list(pieces(source, n, 0.5)))

    faults = {f.__name__: measure(f(), 2**20) for f in (BlocksByAddition, BlocksInPairs, SharedLane)}
    check("words that occur again", n, measure(Library(), n), **faults)
