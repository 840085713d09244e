"""Each kind of dropout on the task it was made for, beside plain Dropout and none.

Feature maps, rows as a sequence, words, residual branches, SELU units, weights: `tasks.py` has the networks. The
learning rate of a task is chosen on the network without dropout, then the rate of each kind at that learning rate, on
validation data both.
"""

import numpy as np
from shared import (
    BLACK,
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
    trained,
)
from tasks import TASKS

RATES, DROPPED = (0.02, 0.06), (0.1, 0.25, 0.5)
NONE = "none"


def fit(task, kind, p, learning_rate, data, seed, steps):
    """Train one network."""
    network = task.build("Dropout" if kind == NONE else kind, p, seed)
    return trained(network, Descent(network, learning_rate), *data, steps, seed)


def choose_all(task, options):
    """Return the learning rate, and the rate of each kind."""

    def mean_error(kind, p, learning_rate):
        errors = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            data, validation, _ = task.data(seed)
            errors.append(error(fit(task, kind, p, learning_rate, data, seed, options.steps), *validation))
        return np.mean(errors)

    learning_rate = choose(RATES, lambda rate: mean_error(NONE, 0, rate))[0]
    chosen = {NONE: 0}
    for kind in ("Dropout", *task.kinds):
        chosen[kind] = choose(DROPPED, lambda p, kind=kind: mean_error(kind, p, learning_rate))[0]
    return learning_rate, chosen


def tabulate(errors, chosen):
    """Return a row for each kind of each task, compared with none and with plain Dropout."""
    table = []
    for name, kinds in errors.items():
        for kind, test in kinds.items():
            row = {"task": name, "kind": kind, "p": chosen[name][1][kind], "test": interval(test)}
            row |= {"against_none": paired(test, kinds[NONE]), "against_dropout": paired(test, kinds["Dropout"])}
            table.append(row)
    return table


def draw(table, options):
    """Draw the error of each kind, task below task."""
    figure, axes, path = picture("family", options, figsize=(6.4, 7))
    looks = {NONE: (BLACK, "o"), "Dropout": (ORANGE, "s"), "DropBlock": (GREEN, "^")}
    for place, row in enumerate(table):
        test, (colour, marker) = row["test"], looks.get(row["kind"], (BLUE, "D"))
        half = test["mean"] - test["low"] if test["low"] is not None else 0
        axes.errorbar(test["mean"], place, xerr=half, color=colour, marker=marker, capsize=3)
    labels = [row["kind"] if row["kind"] != NONE else f"{row['task']}: none" for row in table]
    axes.set(yticks=range(len(table)), yticklabels=labels, xlabel="test error (%)")
    axes.set_xlim(0, 1.2 * max(row["test"]["mean"] for row in table))
    axes.invert_yaxis()
    figure.savefig(path)


def cell():
    """Return the log-losses of four networks on MNIST, trained for 20 steps."""
    losses = {}
    for name in ("feature maps", "rows as a sequence", "residual network"):
        for kind in TASKS[name].kinds:
            data, _, test = TASKS[name].data(0)
            losses[kind] = log_loss(fit(TASKS[name], kind, 0.25, 0.02, data, 0, 20), *test)
    return losses


def main():
    """Choose, train, and write what was found after each seed."""
    options = parser(__doc__, seeds=10, choice_seeds=2, steps=1500).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen = {name: choose_all(task, options) for name, task in TASKS.items()}
    print(chosen, flush=True)
    errors = {name: {kind: [] for kind in kinds} for name, (_, kinds) in chosen.items()}
    for seed in range(options.seeds):
        for name, task in TASKS.items():
            data, _, test = task.data(seed)
            learning_rate, kinds = chosen[name]
            for kind, p in kinds.items():
                errors[name][kind].append(error(fit(task, kind, p, learning_rate, data, seed, options.steps), *test))
        table = tabulate(errors, chosen)
        ran = {"seeds": seed + 1, "choice_seeds": options.choice_seeds, "steps": options.steps}
        ran["learning_rates"] = {name: rate for name, (rate, _) in chosen.items()}
        save("family", options, ran=ran, table=table, errors=errors, cell=cell())
        draw(table, options)
        print(f"seed {seed}: {[(row['kind'], round(row['test']['mean'], 2)) for row in table]}", flush=True)


if __name__ == "__main__":
    main()
