"""
A digit turned round
====================

Monte-Carlo dropout on digits, and on one digit that is turned round: what a network does not know.

A network learns handwritten digits, and keeps its dropout on when it predicts. Each pass is then another thinned
network; where they disagree, the prediction is uncertain. What to see: digits classified wrong are uncertain, and so
is a 1 between two readings. But lying flat it resembles the stroke of a 4, and all passes agree on that: Monte-Carlo
dropout knows of no more than their disagreement. The picture follows figure 4 of Gal and Ghahramani, "Dropout as a
Bayesian approximation: representing model uncertainty in deep learning", ICML 2016::

    pip install "numpy-fastdrop[demo]"
    python examples/use/uncertainty.py
"""

import argparse

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

import fastdrop as fd
from fastdrop.network import SGD, Network, train_epoch

TRAIN = 1000  # digits, of the 1797 there are
ANGLES = np.arange(0, 181, 15)


def load():
    """Return (pixels, labels) of the digits to train on, and of those to test on."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x = (pixels / 16).astype(np.float32)
    return [(x[rows], labels[rows]) for rows in (order[:TRAIN], order[TRAIN:])]


def trained(x, labels, epochs):
    """Return a network that has learned the digits with dropout, left in training mode."""
    network, generator = Network([64, 256, 256, 10], p_input=0, p_hidden=0.5), np.random.default_rng(0)
    optimizer = SGD(network, learning_rate=0.05)
    for _ in range(epochs):
        train_epoch(network, optimizer, x, labels, batch_size=50, generator=generator)
    return network


def classifier(network):
    """Return f(x, rng), which gives the classes' probabilities and hands rng to every dropout layer."""

    def f(x, rng):
        logits = network.forward(x, rng)
        y = np.exp(logits - logits.max(axis=1, keepdims=True))
        return y / y.sum(axis=1, keepdims=True)

    return f


def turned(image):
    """Return the image turned by each of the angles, counter-clockwise."""
    turns = [rotate(image.reshape(8, 8), angle, reshape=False, order=1).reshape(-1) for angle in ANGLES]
    return np.array(turns, np.float32)


def report_test(result, labels):
    """Print how uncertain the network is of the digits it classifies right, and of the others."""
    answers = result.mean.argmax(axis=1)
    right = answers == labels
    print(f"{len(labels)} test digits: {right.mean():.1%} classified right by the mean of the samples")
    print("\n  classified   digits   entropy   mutual information   (means, nats)")
    for name, rows in (("right", right), ("wrong", ~right)):
        entropy, information = result.entropy[rows].mean(), result.mutual_information[rows].mean()
        print(f"  {name:10}   {rows.sum():6}   {entropy:7.3f}   {information:18.3f}")


def report_turned(result, without):
    """Print what the network says of the digit at each angle, and what it says with dropout off."""
    print("\nA 1 that is turned round:\n")
    print("  rotation   dropout off   mean of samples   entropy   mutual information")
    figures = zip(ANGLES, without, result.mean, result.entropy, result.mutual_information, strict=True)
    for angle, certain, mean, entropy, information in figures:
        answers = [f"{y.argmax()} ({y.max():.0%})" for y in (certain, mean)]
        print(f"  {angle:8}   {answers[0]:>11}   {answers[1]:>15}   {entropy:7.3f}   {information:18.3f}")


def plot(images, result, usual):
    """Draw the turned digits, the samples of the classes they are taken for, and the uncertainty; return the figure."""
    figure, (top, middle, bottom) = plt.subplots(
        3, figsize=(9.5, 8), sharex=True, height_ratios=(1, 4, 3), layout="constrained"
    )
    answers = result.mean.argmax(axis=1)
    colours = {digit: f"C{number}" for number, digit in enumerate(np.unique(answers))}
    for angle, image, answer in zip(ANGLES, images, answers, strict=True):
        extent = (angle - 6, angle + 6, 0, 1)
        top.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1, extent=extent, aspect="auto")
        top.text(angle, 1.1, f"“{answer}”", color=colours[answer], ha="center", fontsize="large", fontweight="bold")
    top.text(1.01, 1.1, "what the network takes it for", transform=top.transAxes)
    top.text(1.01, 0.5, "the input", transform=top.transAxes)
    top.set(yticks=[], ylim=(0, 1))
    shift = np.random.default_rng(0).uniform(-4, 4, (len(result.samples), 1))
    for digit, colour in colours.items():
        middle.plot(ANGLES + shift, result.samples[:, :, digit], ".", color=colour, markersize=3, alpha=0.3)
        middle.plot(ANGLES, result.mean[:, digit], color=colour, label=f"“{digit}”")
    middle.set(ylabel="probability of the class", ylim=(-0.03, 1.03))
    middle.legend(title="dots: one pass each\nlines: their mean", loc="upper left", bbox_to_anchor=(1, 1))
    bottom.plot(ANGLES, result.entropy, "k-", marker="o", label="predictive entropy")
    bottom.plot(ANGLES, result.mutual_information, "k--", marker="s", label="mutual information")
    bottom.axhline(usual, color="gray", linestyle=":", label="mean entropy of\nthe test digits, upright")
    bottom.set(ylabel="uncertainty (nats)", ylim=(0, None), xlim=(-8, 188), xticks=ANGLES, xlabel="rotation (degrees)")
    bottom.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(f"A handwritten 1, turned round: {len(result.samples)} passes with dropout on")
    return figure


def main():
    """Train, report, and draw."""
    parser = argparse.ArgumentParser(description="Monte-Carlo dropout on digits")
    parser.add_argument("--samples", type=int, default=200, help="passes with dropout on (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=60, help="of training (default: %(default)s)")
    parser.add_argument("--plot", metavar="FILE.png", help="where to save the picture, which is shown otherwise")
    options = parser.parse_args()
    train, (x, labels) = load()
    network = trained(*train, options.epochs)
    f, images = classifier(network), turned(x[labels == 1][0])
    result = fd.monte_carlo(f, x, options.samples, rng=1)
    report_test(result, labels)
    result_turned = fd.monte_carlo(f, images, options.samples, rng=1, keep=True)
    network.eval()
    report_turned(result_turned, without=f(images, rng=None))
    figure = plot(images, result_turned, result.entropy.mean())
    if options.plot:
        figure.savefig(options.plot, dpi=150)
    else:
        plt.show()


if __name__ == "__main__":
    main()
