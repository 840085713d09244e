"""
Sixteen thinned networks
========================

The sixteen networks that four units can be thinned to, and how often two hundred mini-batches train each.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastdrop as fd

layer = fd.UnitDropout(0.5, rng=0)
drawn = [tuple(layer.forward(np.ones((8, 4)))[0] > 0) for _ in range(200)]
figure, panels = plt.subplots(4, 4, figsize=(6, 4.6), layout="constrained")
for number, panel in enumerate(panels.flat):
    kept = np.array([number >> unit & 1 for unit in range(4)], bool)
    for unit in range(4):
        if kept[unit]:
            panel.plot([0, 1, 2], [1.5, unit, 1.5], color="#8aa4bd", linewidth=1, zorder=1)
    panel.scatter([1] * 4, range(4), s=50, c=np.where(kept, "#1f77b4", "white"), edgecolors="#555555", zorder=2)
    panel.scatter([0, 2], [1.5, 1.5], s=50, c="#1f77b4", edgecolors="#555555", zorder=2)
    panel.set_title(f"{drawn.count(tuple(kept))} times", fontsize=11)
    panel.set(xlim=(-0.4, 2.4), ylim=(-0.7, 3.7))
    panel.set_axis_off()
plt.show()
