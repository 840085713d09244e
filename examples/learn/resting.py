"""
Weights that rest
=================

The weights between two layers after one step: rows and columns of dropped units have not moved.
"""

import matplotlib.pyplot as plt
import numpy as np

import fastdrop as fd

generator, rng = np.random.default_rng(0), fd.Rng(4)
first = fd.ThinnedLinear(generator.standard_normal((10, 16)), p=0.5, rng=rng.fold_in(0))
second = fd.ThinnedLinear(generator.standard_normal((16, 24)), p=0.5, rng=rng.fold_in(1))
before = second.w.copy()
hidden = first.forward(generator.standard_normal((32, 10)))
second.backward(second.forward(hidden, x_mask=first.mask))
second.sgd_step(1e-5)
moved = np.abs(second.w - before)
figure, axes = plt.subplots(figsize=(6, 4.1), layout="constrained")
image = axes.imshow(np.where(moved == 0, np.nan, moved), cmap="viridis_r", vmin=0)
axes.set_facecolor("#e6e6e6")
axes.set(xlabel="units of the second layer", ylabel="units of the first layer")
axes.set_title(f"{(moved == 0).mean():.0%} of the weights rest: grey")
figure.colorbar(image, label="how far one step moved a weight", shrink=0.8)
plt.show()
