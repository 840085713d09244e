"""
The gap between two errors
==========================

Overfitting as one sees it: the error of the training digits goes to zero, that of new digits stays.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import PercentFormatter
from sklearn.datasets import load_digits

from fastdrop.network import SGD, Network, accuracy, train_epoch

x, labels = load_digits(return_X_y=True)
x, generator = (x / 16).astype(np.float32), np.random.default_rng(0)
order = generator.permutation(len(x))
train, new = order[:300], order[300:]
network = Network([64, 256, 256, 10], p_input=0, p_hidden=0)
optimizer, errors = SGD(network), []
for _ in range(60):
    train_epoch(network, optimizer, x[train], labels[train], 50, generator)
    errors.append([1 - accuracy(network, x[rows], labels[rows]) for rows in (train, new)])
seen, unseen = np.transpose(errors)
epochs = np.arange(1, 61)
figure, axes = plt.subplots(figsize=(6, 3.3), layout="constrained")
axes.plot(epochs, unseen, label="digits it has not seen")
axes.plot(epochs, seen, "--", label="digits it is trained on")
axes.fill_between(epochs, seen, unseen, alpha=0.15, label="the gap: overfitting")
axes.set(xlabel="epoch: how often all training digits were shown", ylabel="digits named wrong", ylim=(0, 0.3))
axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
axes.set_title("What it knows by heart, and what is new")
axes.legend(frameon=False)
plt.show()
