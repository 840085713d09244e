"""
A band round a curve
====================

A network that was trained on a part of a curve, and how far it says to trust it elsewhere.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastdrop as fd
from fastdrop.network import SGD, Network

generator = np.random.default_rng(0)
x = generator.uniform(-2, 2, (150, 1))
y = np.sin(2 * x) + 0.1 * generator.standard_normal(x.shape)
network = Network([1, 256, 256, 1], p_input=0, p_hidden=0.1, dtype=np.float64)
optimizer = SGD(network, learning_rate=0.01)
for _ in range(3000):
    network.backward((network.train().forward(x) - y) / len(x))  # the gradient of half the mean squared error
    optimizer.step()
places = np.linspace(-4, 4, 200)[:, None]
result = fd.monte_carlo(lambda x, rng: network.forward(x, rng=rng), places, samples=200, rng=0)
mean, std, at = result.mean[:, 0], result.std[:, 0], places[:, 0]
figure, axes = plt.subplots(figsize=(6, 3.3), layout="constrained")
axes.fill_between(at, mean - 2 * std, mean + 2 * std, alpha=0.25, label="mean ± 2 std of 200 passes")
axes.plot(at, mean, label="mean")
axes.plot(at, np.sin(2 * at), "--", color="#666666", linewidth=1, label="the truth")
axes.scatter(x, y, s=8, color="#d95f02", zorder=3, label="what it was trained on")
axes.set(xlabel="x", ylabel="y", ylim=(-4, 4))
axes.set_title("Wider where it has seen nothing")
axes.legend(frameon=False, ncols=2, loc="upper center", fontsize=10)
plt.show()
