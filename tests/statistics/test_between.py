"""Between masks: those of other calls, seeds, keys and children are independent of each other."""

import pytest
import reference
from generators import Library, Model, StreamsByAddition
from measures import cross, repeated_words

import fastdrop as fd

RNG = fd.Rng(7)
SEEDS = [0, 1, 2, 3, 2**32, 2**40, 2**63, [1, 1]]
FOLDS = [(), (0,), (1,), (2,), (2**32,), (0, 0), (0, 1), (1, 0)]
FLIPS = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 1 << 63), (1 << 63, 0)]


def calls():
    return [(RNG.key, stream) for stream in range(8)]


def seeds():
    return [(fd.Rng(seed).key, 0) for seed in SEEDS]


def keys():
    return [((RNG.key[0] ^ a, RNG.key[1] ^ b), 0) for a, b in FLIPS]


def folded():
    return [((RNG.fold_in(*values) if values else RNG).key, 0) for values in FOLDS]


def spawned():
    rng = fd.Rng(7)
    children = [*rng.spawn(3), *rng.spawn(2)]
    return [(each.key, 0) for each in [rng, rng.fold_in(0), *children, *children[0].spawn(1)]]


# The same, with a fault


def seeds_cut_to_32_bits():
    return [(reference.key_from_seed(seed if isinstance(seed, list) else seed % 2**32), 0) for seed in SEEDS]


def half_a_key():
    return [((RNG.key[0] ^ a, RNG.key[1]), 0) for a, b in FLIPS]


def folded_by_addition():
    return [((RNG.key[0] + sum(values), RNG.key[1]), 0) for values in FOLDS]


def spawned_from_0_again():
    return [(fd.Rng(7).spawn(k + 1)[k].key, 0) for k in [0, 1, 2, 0, 1]]


SOURCES = [
    (calls, "StreamsByAddition", StreamsByAddition, calls),
    (seeds, "seeds cut to 32 bits", Model, seeds_cut_to_32_bits),
    (keys, "half a key", Model, half_a_key),
    (folded, "folded by addition", Model, folded_by_addition),
    (spawned, "spawned from 0 again", Model, spawned_from_0_again),
]


@pytest.mark.parametrize(("derive", "fault", "generator", "faulty"), SOURCES, ids=[s[0].__name__ for s in SOURCES])
class TestBetween:
    def masks(self, source, sources, n, p):
        return [source.dropped(n, p, key=key, stream=stream) for key, stream in sources]

    @pytest.mark.parametrize("p", [0.1, 0.5])
    def test_mask_against_mask(self, check, full, derive, fault, generator, faulty, p):
        n = 2**21 if full else 2**16
        got = cross(self.masks(Library(), derive(), n, p), p)
        control = cross(self.masks(generator(), faulty(), 2**16, p), p)
        check(f"every two of {len(derive())} {derive.__name__}, at every shift, p={p}", n, got, **{fault: control})

    def test_no_word_occurs_in_two_masks(self, check, full, derive, fault, generator, faulty):
        n = 2**24 if full else 2**20
        got = repeated_words(self.masks(Library(), derive(), n, 0.5))
        control = repeated_words(self.masks(generator(), faulty(), 2**16, 0.5))
        check(f"words in two of {len(derive())} {derive.__name__}", n, got, **{fault: control})
