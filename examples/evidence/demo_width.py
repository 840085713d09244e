"""How wide shall the demo's network be? Validation errors over the width, with the demo's own digits and rates.

`python -m fastdrop demo` trains on 200 of scikit-learn's digits, with and without dropout. Here both its networks are
trained at several widths, each with every learning rate of the demo, and judged on validation digits of seeds that the
demo's final runs do not have; no test digit is looked at. The demo takes the width of the least mean error of the two,
each at the learning rate of its least loss; of equals the narrower. Wider ones would make the demo take more than 40 s.
"""

import itertools

import numpy as np
from shared import CHOICE_SEED, interval, log_loss, parser, print_cell, save

from fastdrop._commands.demo import training
from fastdrop._commands.demo.members import CLASSES, P_HIDDEN, P_INPUT, PIXELS, Member
from fastdrop.network import Network, accuracy

WIDTHS = 32, 64, 128, 256
ARMS = {"without dropout": False, "with dropout": True}


def fit(width, seed, rate, epochs, *, on):
    """Train one network of the demo at a width."""
    sizes = PIXELS, width, width, CLASSES
    member = Member("dropout", "", lambda seed, on: Network(sizes, on * P_INPUT, on * P_HIDDEN, seed))
    return training.train(member, seed, rate, epochs, lambda: None, on=on, curves=False).network


def judge(width, arm, options):
    """Return the arm's validation error at its best learning rate, which is that of the least loss."""
    tried = []
    for rate in training.RATES:
        losses, errors = [], []
        for seed in range(CHOICE_SEED, CHOICE_SEED + options.seeds):
            x, labels = training.split(seed).validation
            with np.errstate(over="ignore", invalid="ignore"):  # too large a rate diverges
                network = fit(width, seed, rate, options.epochs, on=ARMS[arm])
                losses.append(log_loss(network, x, labels))
                errors.append(100 * (1 - accuracy(network, x, labels)))
        tried.append((np.nan_to_num(np.mean(losses), nan=np.inf), rate, errors))
    loss, rate, errors = min(tried)
    return {"width": width, "arm": arm, "learning_rate": rate, "loss": loss, "error": interval(errors)}


def cell():
    """Return the validation losses of two narrow networks, trained for 5 epochs."""
    validation = training.split(CHOICE_SEED).validation
    return {arm: log_loss(fit(32, CHOICE_SEED, 0.03, 5, on=on), *validation) for arm, on in ARMS.items()}


def main():
    """Try every width, and write which is the demo's."""
    options = parser(__doc__, seeds=5, epochs=300).parse_args()
    if options.cell:
        return print_cell(cell())
    table = []
    for width, arm in itertools.product(WIDTHS, ARMS):
        table.append(judge(width, arm, options))
        print(table[-1], flush=True)
    means = [np.mean([row["error"]["mean"] for row in table if row["width"] == width]) for width in WIDTHS]
    ran = {"seeds": options.seeds, "epochs": options.epochs}
    save("demo_width", options, ran=ran, table=table, chosen=WIDTHS[int(np.argmin(np.round(means, 6)))], cell=cell())


if __name__ == "__main__":
    main()
