"""
PyTorch: a model's own dropout made quick
=========================================

A model is trained on digits with PyTorch's dropout and with fastdrop's, and asked what it is sure of::

    pip install "numpy-fastdrop[torch]" scikit-learn
    python examples/doors/torch_digits.py
"""

import argparse
import time

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from fastdrop.torch import replace, restore


def train(model, x, y, epochs):
    """Train with Adam, and return the seconds it took."""
    optimizer, start = torch.optim.Adam(model.parameters(), 1e-3), time.perf_counter()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return time.perf_counter() - start


def main():
    """Train the same model with torch's dropout and with fastdrop's, then predict with dropout on."""
    parser = argparse.ArgumentParser(description="A model of PyTorch with its own dropout, and with fastdrop's")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--samples", type=int, default=50)
    options = parser.parse_args()
    digits, labels = map(torch.tensor, load_digits(return_X_y=True))
    x, y = digits.float() / 16, labels.long()
    for exchange in (restore, replace):
        torch.manual_seed(0)
        layers = [nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.5)]
        model = exchange(nn.Sequential(*layers, nn.Linear(512, 10)))
        seconds = train(model.train(), x[:1000], y[:1000], options.epochs)
        right = (model.eval()(x[1000:]).argmax(1) == y[1000:]).float().mean()
        print(f"{type(model[2]).__module__:25} {seconds:6.2f} s, {right:6.1%} right")

    model.train()  # dropout on: many predictions, which differ where the model is unsure
    with torch.inference_mode():
        p = torch.stack([model(x[1000:]).softmax(1) for _ in range(options.samples)]).mean(0)
    entropy, right = -(p * p.clamp_min(1e-30).log()).sum(1), p.argmax(1) == y[1000:]
    print(f"mean entropy where right {entropy[right].mean():.3f}, where wrong {entropy[~right].mean():.3f}")


if __name__ == "__main__":
    main()
