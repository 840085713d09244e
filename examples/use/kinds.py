"""
What each kind drops together
=============================

Masks of one mini-batch, white where dropped.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastdrop as fd

ROWS, MAPS, SIDE = 4, 6, 12


def maps(kept):
    """Return (rows, maps, side, side) as a picture of tiles with lines between them."""
    framed = np.pad(kept.astype(float), ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    return framed.transpose(0, 2, 1, 3).reshape(ROWS * (SIDE + 1), MAPS * (SIDE + 1))[:-1, :-1]


units, images = np.ones((12, 24)), np.ones((ROWS, MAPS, SIDE, SIDE))
shown = {
    "Dropout": (fd.Dropout(0.5, rng=0), units),
    "UnitDropout": (fd.UnitDropout(0.5, rng=0), units),
    "DropPath": (fd.DropPath(0.5, rng=0), units),
    "Dropout, of feature maps": (fd.Dropout(0.5, rng=0), images),
    "SpatialDropout": (fd.SpatialDropout(0.5, rng=0), images),
    "DropBlock": (fd.DropBlock(0.25, block_size=4, rng=0), images),
}
figure, panels = plt.subplots(2, 3, figsize=(6.5, 4), layout="constrained")
for panel, (name, (layer, x)) in zip(panels.flat, shown.items(), strict=True):
    kept = layer.forward(x) > 0
    panel.imshow(maps(kept) if kept.ndim == 4 else kept, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
    panel.set_facecolor("#d95f02")
    panel.set_title(name)
    panel.set(xticks=[], yticks=[])
    panel.set(xlabel="units" if kept.ndim == 2 else f"{MAPS} maps")
for row, label in zip(panels, ("rows of a mini-batch", f"{ROWS} samples"), strict=True):
    row[0].set_ylabel(label)
plt.show()
