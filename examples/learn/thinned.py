"""
A network, thinned
==================

A network, and what three mini-batches leave of it: a dropped unit goes with all its connections.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastdrop as fd

SIZES, RATES = (5, 7, 7, 3), (0.2, 0.5, 0.5, 0)
x, y = zip(*[(np.full(n, layer), np.arange(n) - (n - 1) / 2) for layer, n in enumerate(SIZES)], strict=True)


def draw(panel, kept):
    """Draw the units, and the connections between those that are kept."""
    for layer in range(len(SIZES) - 1):
        for i in np.flatnonzero(kept[layer]):
            for j in np.flatnonzero(kept[layer + 1]):
                panel.plot([layer, layer + 1], [y[layer][i], y[layer + 1][j]], color="#8aa4bd", linewidth=0.6, zorder=1)
    for layer, of_layer in enumerate(kept):
        panel.scatter(
            x[layer], y[layer], s=75, c=np.where(of_layer, "#1f77b4", "white"), edgecolors="#555555", zorder=2
        )
        panel.scatter(x[layer][~of_layer], y[layer][~of_layer], s=30, c="#b22222", marker="x", zorder=3)
    panel.set_axis_off()


figure, panels = plt.subplots(2, 2, figsize=(6, 5), layout="constrained")
draw(panels.flat[0], [np.ones(n, bool) for n in SIZES])
panels.flat[0].set_title("the whole network")
rng = fd.Rng(2)
for step, panel in enumerate(panels.flat[1:], start=1):
    layers = [fd.UnitDropout(p, rng=rng.fold_in(step, layer)) for layer, p in enumerate(RATES)]
    outputs = [layer.forward(np.ones((1, n))) for layer, n in zip(layers, SIZES, strict=True)]
    draw(panel, [output[0] > 0 for output in outputs])
    panel.set_title(f"thinned for mini-batch {step}")
plt.show()
