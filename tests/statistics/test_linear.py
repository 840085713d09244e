"""Linear algebra over GF(2): the generator is linear but for its output, and the scrambler has to hide that."""

import numpy as np
import pytest
from generators import BlocksInPairs, Library, Plus, PlusNeverReseeded, SharedLane, Unmixed
from measures import linear_complexity, rank

MATRICES = {  # 64 x 64, of words (blocks, groups, lanes)
    "a block": (lambda words: words.reshape(-1, 64), SharedLane),
    "a lane, group after group": (lambda words: words.reshape(-1, 64, 8).swapaxes(1, 2).reshape(-1, 64), BlocksInPairs),
    "a lane's first word, block after block": (
        lambda words: words[:, 0].reshape(-1, 64, 8).swapaxes(1, 2).reshape(-1, 64),
        Unmixed,
    ),
}


@pytest.mark.parametrize("name", MATRICES)
def test_rank(check, full, name):
    n = 2**26 if full else 2**23
    arrange, fault = MATRICES[name]

    def measure(source, n):
        return rank(arrange(np.packbits(source.dropped(n, 0.5), bitorder="little").view(np.uint64).reshape(-1, 8, 8)))

    control = measure(fault(), 2**22)
    check(f"rank of 64 x 64 matrices, {name}, chi-square", n, measure(Library(), n), **{fault.__name__: control})


def complexity(source, columns):
    """Of columns of single elements, group after group, 1024 long."""
    return linear_complexity(source.dropped(1024 * 512, 0.5).reshape(1024, 512)[:, columns])


def test_linear_complexity(check, full):
    columns = slice(None) if full else slice(0, None, 16)
    got, fault = complexity(Library(), columns), complexity(PlusNeverReseeded(), slice(0, None, 64))
    check("linear complexity of columns of 1024 groups", 2**19, got, PlusNeverReseeded=fault)


def test_reseeding_hides_a_linear_bit():
    """Inside the 8 groups of a block even `+` passes: its low bit needs 512 outputs of one state to betray itself."""
    assert complexity(Plus(), slice(0, None, 64)).passes
