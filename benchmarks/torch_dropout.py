"""fastdrop.torch beside torch's own dropout: ratios of interleaved medians, so that a busy machine meets both.

    python benchmarks/torch_dropout.py [--rounds N] [--largest N]

A table by size: forward into new memory, in place, and forward with backward, of float32 at p=.1. More than 1 is
quicker than torch. Then a training step of an encoder layer of BERT's size: torch's time to that with fast_dropout(),
and to that at p=0, which no dropout can be quicker than.
"""

import argparse
import functools
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

import fastdrop.torch as ft


def seconds(f):
    """Return the time of one call."""
    start = time.perf_counter()
    f()
    return time.perf_counter() - start


def ratios(first, *others, rounds):
    """Return the median time of the first to the median time of each other, all called by turns."""
    functions = (first, *others)
    for f in functions:
        f()
    times = [[seconds(f) for f in functions] for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*times, strict=True)]
    return [medians[0] / median for median in medians[1:]]


def backward(dropout, x):
    """Return a forward and a backward pass as a function."""
    return lambda: dropout(x, 0.1).backward(x.detach())


def encoder_step(dropout):
    """Return a training step of BERT base's encoder layer, 4 sequences of 128, as a function."""
    layer = nn.TransformerEncoderLayer(768, 12, 3072, dropout=dropout, batch_first=True, activation="gelu")
    x = torch.randn(4, 128, 768)
    return lambda: layer(x).square().mean().backward()


def main():
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--largest", type=int, default=1 << 24)
    options = parser.parse_args()
    print(f"{'elements':>10} {'new':>7} {'in place':>9} {'forward, backward':>18}")
    for n in (1 << k for k in (10, 11, 12, 14, 16, 18, 20, 22, 24, 26) if 1 << k <= options.largest):
        x = torch.randn(n)
        grad = torch.randn(n, requires_grad=True)
        rounds = max(5, min(options.rounds, (1 << 28) // n))
        (new,) = ratios(lambda x=x: F.dropout(x, 0.1), lambda x=x: ft.dropout(x, 0.1), rounds=rounds)
        zeros = torch.zeros(n)
        in_place = [functools.partial(f, zeros, 0.1, inplace=True) for f in (F.dropout, ft.dropout)]
        both = [backward(f, grad) for f in (F.dropout, ft.dropout)]
        print(
            f"{n:10} {new:7.2f} {ratios(*in_place, rounds=rounds)[0]:9.2f} {ratios(*both, rounds=rounds)[0]:18.2f}",
            flush=True,
        )

    step, without = encoder_step(0.1), encoder_step(0.0)

    def quick_step():
        with ft.fast_dropout():
            step()

    ours, ceiling = ratios(step, quick_step, without, rounds=options.rounds)
    print(f"encoder step: {ours:.2f} with fast_dropout(), {ceiling:.2f} at p=0")


if __name__ == "__main__":
    main()
