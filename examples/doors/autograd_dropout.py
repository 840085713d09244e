"""
autograd: dropout as a primitive
================================

Networks in plain NumPy, differentiated by HIPS autograd, with masks by fastdrop. The rule for the gradient is dropout
with the same mask, and its own gradient again::

    pip install numpy-fastdrop autograd
    python examples/doors/autograd_dropout.py
"""

import autograd.numpy as np
from autograd import grad
from autograd.extend import defvjp, primitive

import fastdrop as fd


@primitive
def apply_mask(x, mask):
    """Return x with what the mask drops at 0, and the rest scaled."""
    return mask.apply(x)


defvjp(apply_mask, lambda y, x, mask: lambda dy: apply_mask(dy, mask), argnums=(0,))


def dropout(x, p, rng):
    """Return x with every element dropped with probability p."""
    dropped = fd.bernoulli(x.shape, p, rng=rng)
    return apply_mask(x, fd.Mask.from_bool(~dropped, p))


def predict(weights, x, rng=None):
    """Return the outputs of a network with one hidden layer, whose units are dropped where an rng is given."""
    hidden = np.tanh(x @ weights[0])
    return (hidden if rng is None else dropout(hidden, 0.2, rng)) @ weights[1]


def loss(weights, x, y, rng=None):
    """Return the mean squared error."""
    return np.mean((predict(weights, x, rng) - y) ** 2)


def main():
    """Fit a sine."""
    generator, rng = np.random.default_rng(0), fd.Rng(0)
    x = np.linspace(-2, 2, 100)[:, None]
    y = np.sin(2 * x)
    weights = [generator.normal(size=(1, 50)), generator.normal(size=(50, 1)) / 50]
    print(f"mean squared error before {loss(weights, x, y):.3f}")
    for _ in range(1000):
        gradients = grad(loss)(weights, x, y, rng)
        weights = [w - 0.05 * dw for w, dw in zip(weights, gradients, strict=True)]
    print(f"mean squared error after  {loss(weights, x, y):.3f}")


if __name__ == "__main__":
    main()
