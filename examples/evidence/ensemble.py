"""Is dropout an ensemble without its cost? Networks trained apart, weight scaling, and Monte-Carlo dropout.

For each seed: up to K plain networks trained apart, of which the probabilities are averaged; one network trained with
dropout, used whole (weight scaling); and the same network as a mean of 1 to 100 thinned ones. Error, log-loss, and
the CPU time of training and of predicting the 2,000 test digits in one thread. Then the same network trained by
inverted and by standard dropout. Learning rates are chosen on validation digits. Srivastava et al. 2014, figure 11.
"""

import time

import numpy as np
from shared import (
    BLACK,
    BLUE,
    CHOICE_SEED,
    ORANGE,
    Descent,
    choose,
    error,
    interval,
    log_loss,
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
from fastdrop.network import Linear, Network

SIZE, RATES = 2000, (0.05, 0.15)
SAMPLES = 1, 2, 3, 5, 10, 20, 50, 100
PLAIN, DROPPING = (0, 0), (0.2, 0.5)


def fit(rates, learning_rate, digits, seed, options, dropout=fd.Dropout):
    """Train one network."""
    network = Network([784, options.width, options.width, 10], *rates, seed=seed, dropout=dropout)
    return trained(network, Descent(network, learning_rate), *digits, options.steps, seed)


def choose_rate(rates, options):
    """Choose the learning rate on validation digits."""

    def mean_error(learning_rate):
        errors = []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.choice_seeds):
            digits, validation, _ = split(seed, SIZE)
            errors.append(error(fit(rates, learning_rate, digits, seed, options), *validation))
        return np.mean(errors)

    return choose(RATES, mean_error)[0]


def judged(chances, labels):
    """Return the error in %, and the log-loss."""
    return {"error": 100 * float((chances.argmax(axis=1) != labels).mean()), "log_loss": nats(chances, labels)}


def run(seed, chosen, options):
    """Return what each predictor reaches with one seed: {name: {error, log_loss, training and predicting seconds}}."""
    digits, _, (x, labels) = split(seed, SIZE)
    found, total, begin = {}, 0, time.process_time()
    for k in range(1, options.networks + 1):
        network = fit(PLAIN, chosen["plain"], digits, seed + 100 * k, options)
        training, start = time.process_time() - begin, time.process_time()
        total = total + probabilities(network.forward(x))
        predicting = k * (time.process_time() - start)
        found[f"apart {k}"] = judged(total / k, labels) | {"training": training, "predicting": predicting}
        begin = time.process_time() - training
    begin = time.process_time()
    network = fit(DROPPING, chosen["dropout"], digits, seed, options)
    training, start = time.process_time() - begin, time.process_time()
    whole = judged(probabilities(network.forward(x)), labels)
    found["weight scaling"] = whole | {"training": training, "predicting": time.process_time() - start}
    network.train()
    for samples in SAMPLES:
        start = time.process_time()
        mean = fd.monte_carlo(lambda x, rng: probabilities(network.forward(x, rng)), x, samples, rng=seed).mean
        spent = {"training": training, "predicting": time.process_time() - start}
        found[f"Monte Carlo {samples}"] = judged(mean, labels) | spent
    return found


class StandardDescent(Descent):
    """Gradient descent that gives standard dropout the steps of inverted dropout, whose outputs are 1 / (1 - p) larger.

    The weights after a layer that drops with p are 1 / (1 - p) times larger, and their steps by the square of that.
    """

    def __init__(self, network, learning_rate):
        super().__init__(network, learning_rate)
        linear = [layer for layer in network.layers if isinstance(layer, Linear)]
        self.weights = [(layer, 1 / (1 - drop.p)) for layer, drop in zip(linear, network.dropouts(), strict=True)]
        for layer, factor in self.weights:
            layer.w *= factor

    def step(self):
        """Scale the gradients, and move the weights."""
        for layer, factor in self.weights:
            layer.dw *= factor**2
        super().step()


def inverted_and_standard(steps=50, width=128):
    """Return the largest difference of the test probabilities of inverted and standard dropout, in double."""
    digits, _, (x, _) = split(0, SIZE)
    chances = []
    for dropout, descent in ((fd.Dropout, Descent), (fd.StandardDropout, StandardDescent)):
        network = Network([784, width, width, 10], *DROPPING, dropout=dropout, dtype=np.float64)
        trained(network, descent(network, 0.05), digits[0].astype(np.float64), digits[1], steps, 0)
        chances.append(probabilities(network.forward(x.astype(np.float64))))
    return {"steps": steps, "largest_difference": float(np.abs(chances[0] - chances[1]).max())}


def tabulate(runs):
    """Return the mean of each predictor over the seeds, beside weight scaling."""
    table = []
    for name in runs[0]:
        of = {key: [run[name][key] for run in runs] for key in runs[0][name]}
        row = {"predictor": name} | {key: interval(values) for key, values in of.items()}
        for key in ("error", "log_loss"):
            row[f"{key}_against_weight_scaling"] = paired(of[key], [run["weight scaling"][key] for run in runs])
        table.append(row)
    return table


def draw(table, options):
    """Draw error and log-loss over the number of networks or samples."""
    figure, (top, bottom), path = picture("ensemble", options, nrows=2, sharex=True, figsize=(6.4, 7.6))
    looks = (
        ("apart", BLACK, "o", "K plain networks, trained apart"),
        ("Monte Carlo", BLUE, "D", "K thinned ones, sampled"),
    )
    for axes, key, label in ((top, "error", "test error (%)"), (bottom, "log_loss", "log-loss (nats)")):
        for start, colour, marker, name in looks:
            rows = [row for row in table if row["predictor"].startswith(start)]
            counts = [int(row["predictor"].split()[-1]) for row in rows]
            means = np.array([row[key]["mean"] for row in rows])
            axes.plot(counts, means, color=colour, marker=marker, label=name)
            if rows[0][key]["low"] is not None:
                low, high = ([row[key][end] for row in rows] for end in ("low", "high"))
                axes.fill_between(counts, low, high, color=colour, alpha=0.15, linewidth=0)
        scaled = next(row for row in table if row["predictor"] == "weight scaling")[key]["mean"]
        axes.axhline(scaled, color=ORANGE, ls="--", label="the whole network, once")
        axes.set(ylabel=label, xscale="log")
    top.legend()
    bottom.set(xlabel="K", xticks=[1, 3, 10, 30, 100], xticklabels=[1, 3, 10, 30, 100])
    figure.savefig(path)


def cell():
    """Return the log-losses of a small network, whole and as 5 samples, and the difference that must be nothing."""
    options = parser(__doc__, width=64, steps=60).parse_args([])
    digits, _, (x, labels) = split(0, 300)
    network = fit(DROPPING, 0.05, digits, 0, options)
    losses = {"weight scaling": log_loss(network, x, labels)}
    network.train()
    mean = fd.monte_carlo(lambda x, rng: probabilities(network.forward(x, rng)), x, 5, rng=0).mean
    return losses | {"Monte Carlo 5": nats(mean, labels), "difference": inverted_and_standard()["largest_difference"]}


def main():
    """Choose, train, and write what was found after each seed."""
    options = parser(__doc__, seeds=10, choice_seeds=2, steps=2000, width=512, networks=10).parse_args()
    if options.cell:
        return print_cell(cell())
    chosen = {"plain": choose_rate(PLAIN, options), "dropout": choose_rate(DROPPING, options)}
    same, runs = inverted_and_standard(), []
    for seed in range(options.seeds):
        runs.append(run(seed, chosen, options))
        ran = {name: getattr(options, name) for name in ("choice_seeds", "steps", "width", "networks")}
        ran = {"seeds": seed + 1, "learning_rates": chosen} | ran
        table = tabulate(runs)
        save("ensemble", options, ran=ran, table=table, inverted_and_standard=same, runs=runs, cell=cell())
        draw(table, options)
        print(f"seed {seed}: {[(row['predictor'], round(row['error']['mean'], 2)) for row in table]}", flush=True)


if __name__ == "__main__":
    main()
