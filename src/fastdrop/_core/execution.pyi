from .rng import AnyRng

def take_call(
    rng: AnyRng, shape: tuple[int, ...], offset: object, window: object
) -> tuple[tuple[int, int], int, tuple[int, ...] | None]: ...
