"""How often to drop: test error over the rate of hidden units and of inputs, the width or the kept units being fixed.

One rate is varied while the other is the lesson's (.2 of the inputs, .5 of the hidden units), in a network of fixed
width and, for hidden units, in one that is the wider the more is dropped, so that as many units are kept. The learning
rate is chosen for each point on validation digits. Srivastava et al. 2014, figure 9 and appendix A.
"""

import numpy as np
from shared import (
    BLUE,
    CHOICE_SEED,
    GREEN,
    ORANGE,
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

P_INPUT, P_HIDDEN, SIZE = 0.2, 0.5, 2000
RATES = 0.05, 0.15
HIDDEN, INPUT, KEPT = (0, 0.1, 0.3, 0.5, 0.7, 0.8), (0, 0.1, 0.2, 0.35, 0.5), (0, 0.25, 0.5, 0.75, 0.875)


def curves(options):
    """Return the points of each curve: the rate that is varied, and (rate of inputs, rate of hidden units, width)."""
    return {
        "hidden, width fixed": [(p, (P_INPUT, p, options.width)) for p in HIDDEN],
        "hidden, kept units fixed": [(p, (P_INPUT, p, round(options.kept / (1 - p)))) for p in KEPT],
        "input, width fixed": [(p, (p, P_HIDDEN, options.width)) for p in INPUT],
    }


def fit(point, learning_rate, digits, seed, steps):
    """Train one network."""
    p_input, p_hidden, width = point
    network = Network([784, width, width, 10], p_input, p_hidden, seed=seed)
    return trained(network, Descent(network, learning_rate), *digits, steps, seed)


def choose_rate(point, options):
    """Choose the learning rate of a point on validation digits."""

    def mean_error(learning_rate):
        errors = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            digits, validation, _ = split(seed, SIZE)
            errors.append(error(fit(point, learning_rate, digits, seed, options.steps), *validation))
        return np.mean(errors)

    return choose(RATES, mean_error)[0]


def tabulate(errors, chosen, options):
    """Return a row for each point of each curve, compared with the point of the lesson's rate."""
    table = []
    for name, points in curves(options).items():
        lesson = errors[dict(points)[P_INPUT if name.startswith("input") else P_HIDDEN]]
        for p, point in points:
            row = {"curve": name, "p": p, "width": point[2], "learning_rate": chosen[point]}
            table.append(row | {"test": interval(errors[point]), "against_lesson": paired(errors[point], lesson)})
    return table


def draw(table, options):
    """Draw the three curves."""
    figure, axes, path = picture("rate", options)
    looks = zip(curves(options), ((BLUE, "o"), (GREEN, "s"), (ORANGE, "^")), strict=True)
    for name, (colour, marker) in looks:
        rows = [row for row in table if row["curve"] == name]
        means = [row["test"]["mean"] for row in rows]
        half = [row["test"]["mean"] - row["test"]["low"] if row["test"]["low"] is not None else 0 for row in rows]
        axes.errorbar([row["p"] for row in rows], means, half, color=colour, marker=marker, capsize=3, label=name)
    axes.set(xlabel="share of the units dropped", ylabel="test error (%)")
    axes.set_ylim(0, 4 * min(row["test"]["mean"] for row in table))  # rates that hardly learn are above
    axes.legend(loc="upper left")
    figure.savefig(path)


def cell():
    """Return the log-loss on the test digits of one small network, trained for 60 steps."""
    digits, _, test = split(0, 300)
    return {"p = .3": log_loss(fit((0.2, 0.3, 64), 0.05, digits, 0, 60), *test)}


def main():
    """Choose, train, and write what was found after each seed."""
    options = parser(__doc__, seeds=5, choice_seeds=2, steps=1000, width=512, kept=256).parse_args()
    if options.cell:
        return print_cell(cell())
    points = {point for of_curve in curves(options).values() for _, point in of_curve}
    chosen = {point: choose_rate(point, options) for point in sorted(points)}
    errors = {point: [] for point in chosen}
    for seed in range(options.seeds):
        digits, _, test = split(seed, SIZE)
        for point, learning_rate in chosen.items():
            errors[point].append(error(fit(point, learning_rate, digits, seed, options.steps), *test))
        table = tabulate(errors, chosen, options)
        ran = {"seeds": seed + 1, "kept": options.kept, "width": options.width, "steps": options.steps}
        ran["choice_seeds"] = options.choice_seeds
        raw = [dict(zip(("p_input", "p_hidden", "width"), point, strict=True), test=of) for point, of in errors.items()]
        save("rate", options, ran=ran, table=table, errors=raw, cell=cell())
        draw(table, options)
        print(f"seed {seed}: {[(row['p'], round(row['test']['mean'], 2)) for row in table]}", flush=True)


if __name__ == "__main__":
    main()
