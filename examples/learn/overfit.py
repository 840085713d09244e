"""
Few points, many points
=======================

One network is trained on few points and on many. From few it learns the noise by heart.
"""

import matplotlib.pyplot as plt
import numpy as np

from fastdrop.network import SGD, Network, accuracy, train_epoch


def moons(n, generator):
    """Return points of two half-moons, widened by noise, and which moon each is of."""
    angle, labels = generator.uniform(0, np.pi, n), np.arange(n) % 2
    x = np.stack([np.cos(angle) * (1 - 2 * labels) + labels, np.sin(angle) * (1 - 2 * labels) + labels / 2], axis=1)
    return (x + 0.45 * generator.standard_normal((n, 2))).astype(np.float32), labels


generator = np.random.default_rng(0)
x_new, labels_new = moons(5000, generator)
grid = np.stack(np.meshgrid(np.linspace(-2.2, 3.2, 150), np.linspace(-1.7, 2.2, 120)), axis=-1).astype(np.float32)
figure, panels = plt.subplots(1, 2, figsize=(6, 3.3), sharey=True, layout="constrained")
for panel, n, epochs in zip(panels, (60, 3000), (1500, 30), strict=True):
    x, labels = moons(n, generator)
    network = Network([2, 256, 256, 2], p_input=0, p_hidden=0, seed=1)  # no dropout
    optimizer = SGD(network, learning_rate=0.05)
    for _ in range(epochs):
        train_epoch(network, optimizer, x, labels, 60, generator)
    logits = network.forward(grid.reshape(-1, 2)).reshape(*grid.shape)
    panel.contourf(grid[..., 0], grid[..., 1], logits[..., 1] > logits[..., 0], levels=1, colors=["#fde0c5", "#cfe2f3"])
    panel.scatter(*x[:60].T, c=np.where(labels[:60], "#1f77b4", "#d95f02"), edgecolors="white", s=32)
    errors = [1 - accuracy(network, *data) for data in ((x, labels), (x_new, labels_new))]
    panel.set_title(f"trained on {n:,} points" + (", 60 shown" if n > 60 else ""))
    panel.set_xlabel(f"wrong: {errors[0]:.0%} of its own points,\n{errors[1]:.0%} of 5,000 new ones")
    panel.set(xticks=[], yticks=[], xlim=(-2.2, 3.2), ylim=(-1.7, 2.2))
plt.show()
