"""How a seed becomes a key."""

import numpy as np

WORD = 1 << 64


def key_from_seed(seed: object) -> tuple[int, int]:
    """Return the key of a seed, as NumPy's SeedSequence makes it."""
    from numpy.random import SeedSequence  # imported late: it takes longer than all of fastdrop

    if not isinstance(seed, SeedSequence):
        try:
            seed = SeedSequence(seed)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(
                f"a seed must be an int, a sequence of ints or a SeedSequence, got {type(seed).__name__}"
            ) from None
        except ValueError:
            raise ValueError(f"a seed must be non-negative, got {seed}") from None
    k0, k1 = map(int, seed.generate_state(2, np.uint64))
    return k0, k1
