"""
Dropout on, dropout off
=======================

One digit, two hundred passes with dropout on, and the one answer with it off.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import fastdrop as fd
from fastdrop.network import SGD, Network, train_epoch

x, labels = load_digits(return_X_y=True)
x, generator = (x / 16).astype(np.float32), np.random.default_rng(0)
network = Network([64, 128, 128, 10])
optimizer = SGD(network)
for _ in range(60):
    train_epoch(network, optimizer, x[:1000], labels[:1000], 50, generator)


def probabilities(logits):
    """Return the softmax."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


off = probabilities(network.eval().forward(x[1000:]))
digit = 1000 + np.argsort(off.max(axis=1))[5]  # one of those that it is least sure of
network.train()
rng = fd.Rng(0)
on = np.array([probabilities(network.forward(x[digit : digit + 1], rng=rng.fold_in(t)))[0] for t in range(200)])
figure, (left, right) = plt.subplots(1, 2, figsize=(6, 3.2), width_ratios=(1, 2.4), layout="constrained")
left.imshow(x[digit].reshape(8, 8), cmap="gray_r")
left.set(xticks=[], yticks=[])
left.set_title(f"a “{labels[digit]}”")
places = np.arange(10) + np.random.default_rng(1).uniform(-0.25, 0.25, on.shape)
right.scatter(places, on, s=6, alpha=0.25, color="#1f77b4", linewidths=0, label="dropout on: 200 answers")
right.scatter(
    np.arange(10), off[digit - 1000], marker="_", s=220, color="#d95f02", linewidths=2.5, label="dropout off: one"
)
right.set(xticks=range(10), xlabel="digit", ylabel="probability", ylim=(-0.03, 1.32), yticks=(0, 0.5, 1))
right.legend(frameon=False, fontsize=10, loc="upper center")
plt.show()
