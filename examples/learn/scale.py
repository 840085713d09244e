"""
Why outputs are scaled
======================

What a unit of the next layer receives: in training, and at test time without and with the scale.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastdrop as fd

generator = np.random.default_rng(0)
x, w = generator.random(100), generator.normal(0.1, 0.1, 100)
figure, panels = plt.subplots(2, 1, figsize=(6, 5), sharex=True, layout="constrained")
for panel, inverted in zip(panels, (False, True), strict=True):
    received = fd.dropout(np.tile(x, (5000, 1)), 0.5, rng=0, inverted=inverted)[0] @ w
    panel.hist(received, bins=60, color="#a9c7e0")
    panel.axvline(received.mean(), color="#1f77b4", linewidth=2, label="mean of the draws")
    panel.axvline(x @ w, color="#d95f02", linewidth=2, linestyle="--", label="all units, as at test time")
    if not inverted:
        panel.axvline(x @ w * 0.5, color="#1b7837", linewidth=2, linestyle=":", label="all units, times 1 - p")
    panel.set(yticks=[], xlim=(0, 9))
    panel.set_title("inverted: scaled in training" if inverted else "standard: not scaled in training", loc="left")
    panel.legend(frameon=False, loc="upper left" if inverted else "upper right", fontsize=10)
panels[1].set_xlabel("sum that reaches a unit, over 5,000 draws of 100 units at p = 0.5")
plt.show()
