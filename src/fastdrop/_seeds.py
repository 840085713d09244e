"""What comes from outside and becomes a key: seeds, and states saved earlier."""

import numpy as np

WORD = 1 << 64
STATE = ("version", "key", "counter", "spawned", "row")


def key_from_seed(seed: object) -> tuple[int, int]:
    """Return the key of a seed, as NumPy's SeedSequence makes it."""
    from numpy.random import SeedSequence  # takes longer than all the rest of the import

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


def check_state(state: object) -> tuple[int, int, int, int, int]:
    """Return k0, k1, counter, spawned and row of a state, also of one that numpy.load gave back as 0-d arrays."""
    if not isinstance(state, dict):
        raise TypeError(f"state must be a dict, got {type(state).__name__}")
    if state.keys() != set(STATE):
        raise ValueError(f"state must have the keys {', '.join(STATE)}, got {list(state)}")
    plain = {name: v.item() if isinstance(v, (np.ndarray, np.generic)) else v for name, v in state.items()}
    key = plain["key"]
    for name in ("version", "counter", "spawned", "row"):
        if type(plain[name]) is not int:
            raise TypeError(f"state {name} must be an int, got {type(plain[name]).__name__}")
        if not 0 <= plain[name] < WORD:
            raise ValueError(f"state {name} must be between 0 and 2**64 - 1, got {plain[name]}")
    if plain["version"] != 1:
        raise ValueError(f"state version must be 1, got {plain['version']}")
    if not isinstance(key, str) or len(key) != 32 or not set(key) <= set("0123456789abcdefABCDEF"):
        raise ValueError(f"state key must be 32 hex digits, got {key!r}")
    return int(key[:16], 16), int(key[16:], 16), plain["counter"], plain["spawned"], plain["row"]
