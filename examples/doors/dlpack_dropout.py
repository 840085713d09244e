"""
DLPack: arrays of other libraries
=================================

Dropout of any array on the CPU that speaks DLPack, with no copy: NumPy looks into its memory. ``numpy.from_dlpack``
gives a view of the array of another library, and that library a view of the result. With PyTorch installed the arrays
are tensors, else they are NumPy's own, which speak DLPack too::

    pip install numpy-fastdrop
    python examples/doors/dlpack_dropout.py
"""

import numpy as np

import fastdrop as fd

try:
    import torch as library
except ImportError:
    library = np


def dropout(x, p, rng):
    """Return dropout of x, an array of the same library, and the mask."""
    y, mask = fd.dropout(np.from_dlpack(x), p, rng=rng)
    return library.from_dlpack(y), mask


def dropout_(x, p, rng):
    """Drop elements of x in place, and return the mask; x must be writable."""
    view = np.from_dlpack(x)
    return fd.dropout(view, p, rng=rng, out=view)[1]


def main():
    """Go there, back, and in place."""
    x = library.ones((4, 8), dtype=library.float32)
    y, mask = dropout(x, 0.5, fd.Rng(0))
    print(f"{type(y).__module__.split('.')[0]}: {mask.kept} of {mask.size} elements are kept, their sum is {y.sum()}")
    gradient = library.from_dlpack(mask.apply(np.from_dlpack(y)))
    print(f"gradient of half the sum of squares: sum {gradient.sum()}")
    dropout_(x, 0.5, fd.Rng(0))
    print(f"in place the same: {bool((x == y).all())}")


if __name__ == "__main__":
    main()
