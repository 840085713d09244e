"""Does dropout keep a large network from overfitting? Test error and gap over the number of training digits.

Five arms train the same network on 100 to 2,000 MNIST digits: plain, with weight decay, with a bound on the norm of the
weights into a unit (max-norm), with dropout (.2 of the inputs, .5 of the hidden units), and with dropout and max-norm.
Learning rate, decay, bound and number of steps are chosen for each arm and size on validation digits. Srivastava et al.
2014, table 2 and figures 4 and 10.
"""

import itertools

import numpy as np
from shared import (
    BATCH,
    BLACK,
    BLUE,
    CHOICE_SEED,
    GREEN,
    ORANGE,
    PINK,
    Descent,
    choose,
    error,
    interval,
    log_loss,
    paired,
    parser,
    picture,
    print_cell,
    save,
    split,
    trained,
)

from fastdrop.network import Network

RATES, DECAYS, NORMS = (0.05, 0.15), (1e-3, 5e-3), (1.0, 2.0)
ARMS = {  # rates of dropout, and the grid of what the optimizer takes
    "plain": ((0, 0), {"learning_rate": RATES}),
    "weight decay": ((0, 0), {"learning_rate": RATES, "decay": DECAYS}),
    "max-norm": ((0, 0), {"learning_rate": RATES, "max_norm": NORMS}),
    "dropout": ((0.2, 0.5), {"learning_rate": RATES}),
    "dropout, max-norm": ((0.2, 0.5), {"learning_rate": RATES, "max_norm": NORMS}),
}
DROPPING = [arm for arm in ARMS if arm.startswith("dropout")]
LOOKS = dict(zip(ARMS, ((BLACK, "o"), (ORANGE, "s"), (PINK, "^"), (BLUE, "D"), (GREEN, "v")), strict=True))
SIZES = 100, 300, 1000, 2000
LONGER = 3  # times the epochs, which are tried too


def fit(arm, setting, digits, seed, width):
    """Train one network on the digits for so many epochs."""
    network, options = Network([784, width, width, 10], *ARMS[arm][0], seed=seed), dict(setting)
    steps = options.pop("epochs") * len(digits[0]) // BATCH
    return trained(network, Descent(network, **options), *digits, steps, seed)


def grid(arm, epochs):
    """Return every combination of the arm's settings."""
    names, values = zip(*ARMS[arm][1].items(), strict=True)
    return [dict(zip(names, of, strict=True)) | {"epochs": epochs} for of in itertools.product(*values)]


def choose_setting(size, arm, options):
    """Choose an arm's setting on validation digits alone, then whether it is better in more epochs."""

    def mean_error(setting):
        errors = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            digits, validation, _ = split(seed, size)
            errors.append(error(fit(arm, setting, digits, seed, options.width), *validation))
        return float(np.mean(errors))

    settings = grid(arm, options.epochs)
    best, errors = choose(settings, mean_error)
    longer = best | {"epochs": LONGER * options.epochs}
    settings, errors = [*settings, longer], [*errors, mean_error(longer)]
    print(f"{size} digits, {arm}: {list(zip(settings, errors, strict=True))}", flush=True)
    tried = [{"size": size, "arm": arm, **s, "error": e} for s, e in zip(settings, errors, strict=True)]
    return settings[int(np.argmin(errors))], tried


def compare(errors):
    """Return the arms at each size with their intervals, and dropout's best arm beside the best one without it.

    The best arm without dropout is picked by its test error, which is in its favour.
    """
    table, comparison = [], []
    for size in SIZES:
        of = {arm: (errors[size, arm]["train"], errors[size, arm]["test"]) for arm in ARMS}
        for arm, (train, test) in of.items():
            gap = interval(np.subtract(test, train))
            table.append({"size": size, "arm": arm, "train": interval(train), "test": interval(test), "gap": gap})
        without = min((arm for arm in ARMS if arm not in DROPPING), key=lambda arm: np.mean(of[arm][1]))
        for arm in DROPPING:
            fewer = 100 * (1 - np.mean(of[arm][1]) / np.mean(of[without][1]))
            pair = paired(of[arm][1], of[without][1])
            comparison.append({"size": size, "arm": arm, "against": without, "fewer_errors_percent": fewer} | pair)
    return table, comparison


def draw(table, options):
    """Draw the test errors, and the gaps, over the sizes."""
    figure, (top, bottom), path = picture("overfitting", options, nrows=2, sharex=True, figsize=(6.4, 7.6))
    for axes, key in ((top, "test"), (bottom, "gap")):
        for arm, (colour, marker) in LOOKS.items():
            rows = [row[key] for row in table if row["arm"] == arm]
            means = [row["mean"] for row in rows]
            spread = [[(row["mean"] - row["low"]) if row["low"] is not None else 0 for row in rows]] * 2
            style = "-" if arm in DROPPING else "--"
            axes.errorbar(SIZES, means, spread, color=colour, marker=marker, ls=style, capsize=3, label=arm)
        axes.set(xscale="log", ylim=(0, None))
    top.set(ylabel="test error (%)", xticks=SIZES, xticklabels=SIZES)
    top.minorticks_off()
    top.legend()
    bottom.set(ylabel="test error - training error", xlabel="digits to train on")
    figure.savefig(path)


def cell():
    """Return the log-loss on the test digits of two small networks, trained for 60 steps of 20 epochs."""
    digits, _, test = split(0, 300)
    arms = "plain", "dropout, max-norm"
    return {arm: log_loss(fit(arm, grid(arm, 20)[0], digits, 0, 64), *test) for arm in arms}


def main():
    """Choose, train every arm with every seed, and write what was found after each seed."""
    options = parser(__doc__, seeds=10, choice_seeds=2, epochs=75, width=512).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen, tried = {}, []
    for key in itertools.product(SIZES, ARMS):
        chosen[key], errors = choose_setting(*key, options)
        tried += errors
    errors = {key: {"train": [], "test": []} for key in chosen}
    for seed in range(options.seeds):
        for (size, arm), setting in chosen.items():
            digits, _, test = split(seed, size)
            network = fit(arm, setting, digits, seed, options.width)
            errors[size, arm]["train"].append(error(network, *digits))
            errors[size, arm]["test"].append(error(network, *test))
        table, comparison = compare(errors)
        ran = {"seeds": seed + 1} | {name: getattr(options, name) for name in ("choice_seeds", "epochs", "width")}
        raw = [{"size": size, "arm": arm, **of} for (size, arm), of in errors.items()]
        choice = [{"size": size, "arm": arm, **setting} for (size, arm), setting in chosen.items()]
        found = {"table": table, "comparison": comparison, "chosen": choice, "tried": tried, "errors": raw}
        save("overfitting", options, ran=ran, **found, cell=cell())
        draw(table, options)
        print(
            f"seed {seed}: {[(row['arm'], round(row['test']['mean'], 2)) for row in table[-len(ARMS) :]]}", flush=True
        )


if __name__ == "__main__":
    main()
