"""What each member of the family costs, in ns per element, forward and backward: `python benchmarks/family.py`."""

import argparse
import statistics
import time

import numpy as np

import fastdrop as fd

argparse.ArgumentParser(description=__doc__).parse_args()

ROUNDS, ROWS, UNITS, WORDS = 15, 4096, 1024, 1 << 14
x = np.ones((ROWS, UNITS), np.float32)  # 4 Mi elements
maps, steps = x.reshape(64, 64, 32, 32), x.reshape(64, 64, UNITS)
indices = np.random.default_rng(0).integers(0, WORDS, ROWS)
table, rates = np.ones((WORDS, UNITS), np.float32), np.full(UNITS, 0.5)
bias, rng = np.ones(UNITS, np.float32), fd.Rng(0)


def of_layer(layer, data):
    """Return the two calls of a layer."""
    return lambda: layer.forward(data), lambda: layer.backward(data)


def of_fused():
    """Return the fused pass and its gradients."""
    mask = fd.bias_dropout_residual(x, bias, x, rng=rng)[1]
    return (
        lambda: fd.bias_dropout_residual(x, bias, x, rng=rng),
        lambda: fd.bias_dropout_residual_backward(x, mask),
    )


embedding = fd.EmbeddingDropout(rng=0)
MEMBERS = {
    "Dropout": of_layer(fd.Dropout(rng=0), x),
    "Dropout, in place": of_layer(fd.Dropout(rng=0, inplace=True, inverted=False), x.copy()),
    "Dropout, a p for each unit": of_layer(fd.Dropout(rates, rng=0), x),
    "StandardDropout": of_layer(fd.StandardDropout(rng=0), x),
    "UnitDropout": of_layer(fd.UnitDropout(rng=0), x),
    "SpatialDropout": of_layer(fd.SpatialDropout(rng=0), maps),
    "DropBlock": of_layer(fd.DropBlock(0.1, rng=0), maps),
    "LockedDropout": of_layer(fd.LockedDropout(rng=0), steps),
    "EmbeddingDropout": (lambda: embedding.forward(table, indices), lambda: embedding.backward(x)),
    "DropPath": of_layer(fd.DropPath(rng=0), x),
    "DropConnect": of_layer(fd.DropConnect(rng=0), x),
    "AlphaDropout": of_layer(fd.AlphaDropout(rng=0), x),
    "FeatureAlphaDropout": of_layer(fd.FeatureAlphaDropout(rng=0), maps),
    "GaussianDropout": of_layer(fd.GaussianDropout(rng=0), x),
    "GaussianNoise": of_layer(fd.GaussianNoise(0.1, rng=0), x),
    "bias_dropout_residual": of_fused(),
    "mc_dropout, a sample": (lambda: fd.mc_dropout(x[:128], 0.5, ROWS // 128, rng=rng), None),
    "bernoulli": (lambda: fd.bernoulli(x.shape, 0.5, rng=rng), None),
}


def ns(call):
    """Return the median of a call's time, in ns per element."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / x.size


print(
    f"{fd.show_config(mode='dicts')['processor']}, {fd.get_num_threads()} threads, 4 Mi float32, p = 0.5, out of place"
)
for name, (forward, backward) in MEMBERS.items():
    forward()
    print(f"{name:28} {ns(forward):8.2f}  {f'{ns(backward):8.2f}' if backward else ''}", flush=True)
