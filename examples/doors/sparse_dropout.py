"""
SciPy: a sparse matrix
======================

Only what is stored is drawn for, since a dropped zero is a zero. Here a bag of words, of which every word that occurs
is dropped with probability p, and the product with a weight matrix::

    pip install numpy-fastdrop scipy
    python examples/doors/sparse_dropout.py
"""

import numpy as np
from scipy.sparse import random_array

import fastdrop as fd


def dropout(s, p, rng):
    """Return a copy of a CSR, CSC, COO or BSR array with its stored elements dropped, and the mask of these."""
    y = s.copy()
    _, mask = fd.dropout(y.data, p, rng=rng, out=y.data)
    return y, mask


def main():
    """Drop words, multiply, and go back."""
    words = random_array((1000, 20000), density=0.002, format="csr", dtype=np.float32, rng=0)
    weight = np.random.default_rng(0).standard_normal((20000, 64), np.float32)
    y, mask = dropout(words, 0.2, fd.Rng(0))
    print(f"{words.nnz} of {np.prod(words.shape)} elements are stored, {mask.size - mask.kept} of them dropped")
    product = y @ weight
    print(f"mean absolute product {abs(product).mean():.3f}, without dropout {abs(words @ weight).mean():.3f}")
    dweight = y.T @ np.ones_like(product)  # of the sum of the product
    print(f"{np.count_nonzero(dweight.any(axis=1))} words have a gradient")
    y.eliminate_zeros()
    print(f"{y.nnz} elements are left")


if __name__ == "__main__":
    main()
