"""What the units learn: first-layer weights and the sparsity of activations, with and without dropout.

An autoencoder of one hidden ReLU layer learns MNIST digits, without dropout and with half of the hidden units dropped.
Its filters are drawn, and its activations on test digits counted, dropout being off. The learning rate is chosen on the
reconstruction of validation digits. Srivastava et al. 2014, figures 7 and 8.
"""

import numpy as np
from shared import (
    BLUE,
    CHOICE_SEED,
    ORANGE,
    Descent,
    choose,
    interval,
    paired,
    parser,
    picture,
    print_cell,
    save,
    split,
    squares,
    trained,
)

from fastdrop.network import Network

SIZE, RATES = 2000, (0.02, 0.05, 0.1)
ARMS = {"without dropout": 0.0, "with dropout": 0.5}
SHOWN = 36  # filters


def fit(p, learning_rate, x, seed, units, steps):
    """Train one autoencoder; its first weights are small, so that a filter shows what was learned."""
    network = Network([784, units, 784], 0, p, seed=seed)
    for w, _ in network.parameters():
        w *= np.float32(0.3)
    optimizer = Descent(network, learning_rate / 10)
    return trained(network, optimizer, x, x, steps, seed, loss=squares)


def choose_rate(p, options):
    """Choose the learning rate on validation digits."""

    def mean_loss(learning_rate):
        losses = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            (x, _), (others, _), _ = split(seed, SIZE)
            network = fit(p, learning_rate, x, seed, options.units, options.steps)
            losses.append(squares(network.forward(others), others)[0])
        return np.nan_to_num(np.mean(losses), nan=np.inf)

    return choose(RATES, mean_loss)[0]


def activations(network, x):
    """Return the hidden units' activations, shape (samples, units)."""
    for layer in network.layers[:3]:
        x = layer.forward(x)
    return x


def measure(network, x):
    """Return how sparse the activations are, how local the filters, and how well the digits are made again."""
    h, filters = activations(network, x), network.parameters()[0][0].astype(np.float64) ** 2
    shares = filters / filters.sum(axis=0)
    row, column = np.divmod(np.arange(len(filters)), 28)
    spread = sum(((at[:, None] - at @ shares) ** 2 * shares).sum(axis=0) for at in (row, column))
    return {
        "active_percent": 100 * float((h > 0).mean()),
        "mean_activation": float(h.mean()),
        "filter_radius_pixels": float(np.sqrt(spread).mean()),
        "squared_error": 2 * squares(network.forward(x), x)[0],
    }


def draw_filters(networks, options):
    """Draw the filters of largest norm of each network."""
    figure, axes, path = picture("features_filters", options, ncols=2, figsize=(6.4, 3.7))
    for place, (name, network) in zip(axes, networks.items(), strict=True):
        w = network.parameters()[0][0]
        largest = np.argsort(-np.linalg.norm(w, axis=0))[:SHOWN]
        tiles = (w / np.abs(w).max(axis=0))[:, largest].T.reshape(6, 6, 28, 28)
        framed = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1)
        place.imshow(framed.transpose(0, 2, 1, 3).reshape(180, 180), cmap="gray", vmin=-1, vmax=1)
        place.set(title=name, xticks=[], yticks=[])
        place.grid(False)
    figure.savefig(path)


def draw_activations(networks, x, options):
    """Draw the histograms of the activations that are not 0."""
    figure, axes, path = picture("features_activations", options)
    found = {name: activations(network, x).ravel() for name, network in networks.items()}
    bins = np.linspace(0, max(np.quantile(h, 0.999) for h in found.values()), 40)
    for (name, h), (colour, style) in zip(found.items(), ((ORANGE, "--"), (BLUE, "-")), strict=True):
        label = f"{name}: {100 * (h > 0).mean():.0f} % active"
        axes.hist(h[h > 0], bins, weights=np.full((h > 0).sum(), 100 / h.size), histtype="step", lw=2, color=colour,
                  ls=style, label=label)  # fmt: skip
    axes.set(xlabel="activation of a hidden unit", ylabel="share of all activations (%)", yscale="log")
    figure.legend(loc="outside upper center")
    figure.savefig(path)


def cell():
    """Return the measures of a small autoencoder, trained for 60 steps with dropout."""
    (x, _), _, (others, _) = split(0, 300)
    return measure(fit(0.5, 0.05, x, 0, 32, 60), others)


def main():
    """Choose, train, measure, and draw the networks of the first seed."""
    options = parser(__doc__, seeds=10, choice_seeds=2, steps=3000, units=256).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen = {name: choose_rate(p, options) for name, p in ARMS.items()}
    found = {name: [] for name in ARMS}
    for seed in range(options.seeds):
        (x, _), _, (others, _) = split(seed, SIZE)
        networks = {name: fit(p, chosen[name], x, seed, options.units, options.steps) for name, p in ARMS.items()}
        for name, network in networks.items():
            found[name].append(measure(network, others))
        without, dropping = ({key: [of[key] for of in arm] for key in arm[0]} for arm in found.values())
        table = [
            {"measure": key, "without": interval(without[key]), "with": interval(dropping[key])}
            | {"difference": paired(dropping[key], without[key])}
            for key in without
        ]
        ran = {"seeds": seed + 1, "learning_rates": chosen}
        ran |= {name: getattr(options, name) for name in ("choice_seeds", "steps", "units")}
        save("features", options, ran=ran, table=table, measures=found, cell=cell())
        if seed == 0:
            draw_filters(networks, options)
            draw_activations(networks, others, options)
        print(
            f"seed {seed}: {[(row['measure'], row['without']['mean'], row['with']['mean']) for row in table]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
