"""Does Monte-Carlo dropout know what it does not know? Errors, strangers, calibration, and a band for a regression.

A network learns eight of the ten MNIST digits, with and without dropout. What it is unsure of is told by the entropy of
its prediction, and with dropout also by the mutual information of 50 samples: how well do these find the digits that
are classified wrong, and strangers (4 and 7, which it never saw, digits turned by 90 degrees, and digits with
shuffled pixels)? Learning rates are chosen on validation digits; `band.py` has a regression. Gal and Ghahramani 2016.
"""

import numpy as np
import scipy.stats
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
    nats,
    paired,
    parser,
    picture,
    print_cell,
    probabilities,
    save,
    split,
    trained,
)

import fastdrop as fd
from fastdrop.network import Network

SIZE, RATES, STRANGERS, BINS = 2000, (0.05, 0.15), (4, 7), 15
KNOWN = [digit for digit in range(10) if digit not in STRANGERS]
ARMS = {"no dropout": (0, 0), "dropout": (0.2, 0.5)}
SCORES = "entropy, no dropout", "entropy, dropout off", "entropy, samples", "mutual information, samples"
KINDS = "errors", "digits 4 and 7", "turned digits", "shuffled pixels"


def known(digits):
    """Return the digits of the eight classes, which are numbered anew."""
    x, labels = digits
    rows = np.isin(labels, KNOWN)
    return x[rows], np.searchsorted(KNOWN, labels[rows])


def fit(rates, learning_rate, digits, seed, width, steps):
    """Train one network on the eight classes."""
    network = Network([784, width, width, len(KNOWN)], *rates, seed=seed)
    return trained(network, Descent(network, learning_rate), *digits, steps, seed)


def choose_rate(arm, options):
    """Choose the learning rate on validation digits."""

    def mean_error(learning_rate):
        errors = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            digits, validation, _ = map(known, split(seed, SIZE))
            errors.append(error(fit(ARMS[arm], learning_rate, digits, seed, options.width, options.steps), *validation))
        return np.mean(errors)

    return choose(RATES, mean_error)[0]


def entropy(chances):
    """Return the entropy of each row, in nats."""
    return -(chances * np.log(np.maximum(chances, 1e-300))).sum(axis=1)


def area(scores, positive):
    """Return the area under the ROC curve: how often a positive has the higher score (a tie is half)."""
    ranks, count = scipy.stats.rankdata(scores), positive.sum()
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(scores) - count)))


def calibration_error(chances, labels):
    """Return the expected calibration error in %: |accuracy - confidence| in bins of confidence, by their digits."""
    confidence, right = chances.max(axis=1), chances.argmax(axis=1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    difference = np.bincount(place, right - confidence, BINS)
    return 100 * float(np.abs(difference).sum() / len(labels))


def strangers(test, seed):
    """Return the inputs that are none of the eight digits, by kind."""
    x, labels = test
    mine = known(test)[0]
    turned = np.rot90(mine.reshape(-1, 28, 28), axes=(1, 2)).reshape(len(mine), -1)
    shuffled = np.random.default_rng(seed).permuted(mine, axis=1)
    return dict(zip(KINDS[1:], (x[np.isin(labels, STRANGERS)], turned, shuffled), strict=True))


def predictors(plain, dropping, samples, seed):
    """Return functions of x, which give the probabilities and the scores by name."""

    def sampled(x):
        dropping.train()
        result = fd.monte_carlo(lambda x, rng: probabilities(dropping.forward(x, rng)), x, samples, rng=seed)
        scores = dict(zip(SCORES[2:], (result.entropy, result.mutual_information), strict=True))
        return result.mean, scores

    def whole(network, name):
        def predict(x):
            chances = probabilities(network.eval().forward(x))
            return chances, {name: entropy(chances)}

        return predict

    return {"no dropout": whole(plain, SCORES[0]), "dropout off": whole(dropping, SCORES[1]), "samples": sampled}


def judge(plain, dropping, test, samples, seed):
    """Return the areas, {score: {kind: area}}, and of each predictor error, log-loss and calibration."""
    (x, labels), areas, quality = known(test), {}, {}
    for name, predict in predictors(plain, dropping, samples, seed).items():
        chances, scores = predict(x)
        wrong = chances.argmax(axis=1) != labels
        share = 100 * float(wrong.mean())
        calibration = calibration_error(chances, labels)
        quality[name] = {"error": share, "log_loss": nats(chances, labels), "calibration_error": calibration}
        for score, values in scores.items():
            areas[score] = {KINDS[0]: area(values, wrong)}
        for kind, others in strangers(test, seed).items():
            positive = np.arange(len(x) + len(others)) >= len(x)
            for score, values in predict(others)[1].items():
                areas[score][kind] = area(np.concatenate([scores[score], values]), positive)
    return areas, quality


def tabulate(runs):
    """Return the mean of each figure over the seeds, compared with the network without dropout."""
    table = []
    for score in SCORES:
        for kind in KINDS:
            of, plain = ([run[0][name][kind] for run in runs] for name in (score, SCORES[0]))
            table.append({"score": score, "finds": kind, "area": interval(of), "against_plain": paired(of, plain)})
    qualities = []
    for name in runs[0][1]:
        for key in runs[0][1][name]:
            of, plain = ([run[1][which][key] for run in runs] for which in (name, "no dropout"))
            qualities.append({"predictor": name, "of": key, "value": interval(of), "against_plain": paired(of, plain)})
    return table, qualities


def draw(table, options):
    """Draw the areas, a group of points for each kind."""
    figure, axes, path = picture("uncertainty", options, figsize=(6.4, 5.2))
    for place, (score, colour, marker) in enumerate(zip(SCORES, (BLACK, ORANGE, BLUE, GREEN), "osDv", strict=True)):
        rows = [row["area"] for row in table if row["score"] == score]
        half = [row["mean"] - row["low"] if row["low"] is not None else 0 for row in rows]
        at = np.arange(len(KINDS)) + 0.15 * (place - 1.5)
        axes.errorbar(
            at, [row["mean"] for row in rows], half, ls="", color=colour, marker=marker, capsize=3, label=score
        )
    names = [kind.replace(" ", "\n", 1) for kind in KINDS]
    axes.set(xticks=range(len(KINDS)), xticklabels=names, ylabel="area under the ROC curve", ylim=(0.5, 1.01))
    figure.legend(loc="outside upper center")
    figure.savefig(path)


def cell():
    """Return areas and log-losses of small networks, trained for 60 steps."""
    parts = split(0, 300)
    plain, dropping = (fit(rates, 0.05, known(parts[0]), 0, 64, 60) for rates in ARMS.values())
    areas, quality = judge(plain, dropping, parts[2], 5, 0)
    return {f"log-loss, {name}": of["log_loss"] for name, of in quality.items()} | {
        f"{score}: {KINDS[1]}": of[KINDS[1]] for score, of in areas.items()
    }


def main():
    """Choose, train, judge, and write what was found after each seed."""
    options = parser(__doc__, seeds=10, choice_seeds=2, steps=1500, width=512, samples=50).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen, runs = {arm: choose_rate(arm, options) for arm in ARMS}, []
    for seed in range(options.seeds):
        digits, _, test = split(seed, SIZE)
        networks = [fit(r, chosen[arm], known(digits), seed, options.width, options.steps) for arm, r in ARMS.items()]
        runs.append(judge(*networks, test, options.samples, seed))
        table, qualities = tabulate(runs)
        ran = {"seeds": seed + 1, "learning_rates": chosen}
        ran |= {name: getattr(options, name) for name in ("choice_seeds", "steps", "width", "samples")}
        save("uncertainty", options, ran=ran, table=table, qualities=qualities, runs=runs, cell=cell())
        draw(table, options)
        print(
            f"seed {seed}: {[(row['score'], row['finds'], round(row['area']['mean'], 3)) for row in table]}", flush=True
        )


if __name__ == "__main__":
    main()
