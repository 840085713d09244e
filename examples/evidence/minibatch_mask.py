"""Is it quicker to drop a unit for the whole mini-batch? Test error over the CPU time of training, in one thread.

The same network is trained without dropout, with a mask for each sample, with one mask for the mini-batch and the full
product (`UnitDropout`), and with the products of what is kept alone (`ThinnedLinear`, without momentum). The networks
take turns of 20 steps, so that what else the machine does meets all of them; evaluation is not timed. One mask for the
mini-batch gets twice the steps, since its gradients are noisier. Learning rate (constant) and rate of hidden units are
chosen for each on validation digits, by the mean error of the last quarter of the steps.
"""

import itertools
import time
from typing import Any, NamedTuple

import numpy as np
from shared import (
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
    train,
)

import fastdrop as fd
from fastdrop._commands.demo import thinned
from fastdrop.network import Network

SIZE, BLOCK = 2000, 20
WITH_MOMENTUM, WITHOUT_MOMENTUM, HIDDEN = (0.05, 0.15), (0.1, 0.2, 0.5), (0.25, 0.5)


class Arm(NamedTuple):
    """The layer, the rates to choose from, whether momentum is used, and the steps for each step without dropout."""

    dropout: Any
    hidden: tuple[float, ...] = HIDDEN
    momentum: bool = True
    longer: int = 1


ARMS = {
    "no dropout": Arm(fd.Dropout, (0,)),
    "no dropout, no momentum": Arm(fd.Dropout, (0,), momentum=False),
    "mask a sample": Arm(fd.Dropout),
    "mask a mini-batch": Arm(fd.UnitDropout, longer=2),
    "thinned products": Arm(fd.UnitDropout, momentum=False, longer=2),
}
WITHOUT = [arm for arm in ARMS if arm.startswith("no dropout")]
LOOKS = dict(zip(ARMS, ((BLACK, "o"), (PINK, "^"), (ORANGE, "s"), (GREEN, "v"), (BLUE, "D")), strict=True))


def grid(arm):
    """Return every pair of learning rate and rate of hidden units."""
    return list(itertools.product(WITH_MOMENTUM if ARMS[arm].momentum else WITHOUT_MOMENTUM, ARMS[arm].hidden))


def training(arm, setting, digits, seed, width, steps):
    """Return a network, and a generator that trains it step by step."""
    learning_rate, p_hidden = setting
    p_input = 0.2 if p_hidden else 0
    network = Network([784, width, width, 10], p_input, p_hidden, seed=seed, dropout=ARMS[arm].dropout)
    if arm == "thinned products":
        network = thinned.thin(network)
        optimizer = thinned.Descent(network, learning_rate)
    else:
        optimizer = Descent(network, learning_rate, 0.9 if ARMS[arm].momentum else 0)
    return network, train(network, optimizer, *digits, ARMS[arm].longer * steps, seed, falling=False)


def race(runs, test):
    """Train the networks in turns; return for each the errors after each block, and the seconds until then."""
    curves, going = {name: {"seconds": [], "error": []} for name in runs}, dict(runs)
    while going:
        for name, (network, stepping) in list(going.items()):
            network.train()
            start = time.process_time()
            if not list(itertools.islice(stepping, BLOCK)):
                del going[name]
                continue
            seconds = curves[name]["seconds"]
            seconds.append((seconds[-1] if seconds else 0) + time.process_time() - start)
            curves[name]["error"].append(error(network, *test))
    return curves


def choose_setting(arm, options):
    """Choose learning rate and rate of hidden units by the validation error of the last quarter."""

    def mean_error(setting):
        errors = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            digits, validation, _ = split(seed, SIZE)
            run = training(arm, setting, digits, seed, options.width, options.steps)
            errors.append(race({arm: run}, validation)[arm]["error"])
        return np.mean(np.array(errors)[:, -(len(errors[0]) // 4) :])

    settings = grid(arm)
    best, errors = choose(settings, mean_error)
    print(f"{arm}: {best} of {list(zip(settings, errors, strict=True))}", flush=True)
    tried = [{"arm": arm, "learning_rate_and_p_hidden": s, "error": e} for s, e in zip(settings, errors, strict=True)]
    return best, tried


def tabulate(curves):
    """Return for each arm its last error, the time of a step, and when its mean error first reaches the target.

    The target is the lowest mean error on the way of the arms without dropout.
    """
    mean = {arm: np.mean([run[arm]["error"] for run in curves], axis=0) for arm in ARMS}
    best = min(WITHOUT, key=lambda arm: mean[arm].min())
    table = []
    for arm in ARMS:
        seconds = np.mean([run[arm]["seconds"] for run in curves], axis=0)
        reached = np.flatnonzero(mean[arm] <= mean[best].min())
        last = [run[arm]["error"][-1] for run in curves]
        milliseconds = [1000 * run[arm]["seconds"][-1] / (BLOCK * len(mean[arm])) for run in curves]
        table.append({
            "arm": arm,
            "last_error": interval(last),
            "against_best_without": paired(last, [run[best]["error"][-1] for run in curves]),
            "step_milliseconds": interval(milliseconds),
            "target": float(mean[best].min()),
            "target_of": best,
            "seconds_to_target": float(seconds[reached[0]]) if len(reached) else None,
            "steps_to_target": BLOCK * int(reached[0] + 1) if len(reached) else None,
        })  # fmt: skip
    return table


def draw(curves, table, options):
    """Draw the mean test errors over the CPU time."""
    figure, axes, path = picture("minibatch_mask", options, figsize=(6.4, 5.4))
    for arm, (colour, marker) in LOOKS.items():
        mean = np.mean([run[arm]["error"] for run in curves], axis=0)
        seconds = np.mean([run[arm]["seconds"] for run in curves], axis=0)
        style = "--" if arm in WITHOUT else "-"
        axes.plot(seconds, mean, style, color=colour, marker=marker, markevery=max(1, len(mean) // 8), label=arm)
    target = table[0]["target"]
    axes.axhline(target, color=BLACK, lw=0.8, ls=":")
    axes.set(xlabel="CPU time of training (s, one thread)", ylabel="test error (%)", ylim=(target - 2.5, target + 5))
    figure.legend(loc="outside upper center", ncols=2, fontsize=11)
    figure.savefig(path)


def cell():
    """Return the log-losses of small networks, trained for 60 steps with the mask of the mini-batch, both ways."""
    digits, _, test = split(0, 300)
    losses = {}
    for arm in ("mask a mini-batch", "thinned products"):
        network, stepping = training(arm, (0.05, 0.25), digits, 0, 64, 30)
        for _ in stepping:
            pass
        losses[arm] = log_loss(network, *test)
    return losses


def main():
    """Choose, train in turns, and write what was found after each seed."""
    options = parser(__doc__, seeds=5, choice_seeds=2, steps=1000, width=1024).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen, tried, curves = {}, [], []
    for arm in ARMS:
        chosen[arm], errors = choose_setting(arm, options)
        tried += errors
    for seed in range(options.seeds):
        digits, _, test = split(seed, SIZE)
        runs = {
            arm: training(arm, setting, digits, seed, options.width, options.steps) for arm, setting in chosen.items()
        }
        curves.append(race(runs, test))
        table = tabulate(curves)
        ran = {"seeds": seed + 1, "learning_rate_and_p_hidden": chosen}
        ran |= {name: getattr(options, name) for name in ("choice_seeds", "steps", "width")}
        save("minibatch_mask", options, ran=ran, table=table, tried=tried, curves=curves, cell=cell())
        draw(curves, table, options)
        print(
            f"seed {seed}: {[(row['arm'], row['last_error']['mean'], row['seconds_to_target']) for row in table]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
