"""
scikit-learn: digits, a search, doubts
======================================

Fewer errors on handwritten digits, the best rate by search, and which digits are doubtful::

    pip install "numpy-fastdrop[sklearn]"
    python examples/doors/sklearn_digits.py
"""

import argparse

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from fastdrop.sklearn import DropoutMLPClassifier


def main():
    """Search, report, and show what the network is unsure of."""
    parser = argparse.ArgumentParser(description="Dropout in scikit-learn, on handwritten digits")
    parser.add_argument("--width", type=int, default=128, help="units of each hidden layer (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=100, help="passes with dropout on (default: %(default)s)")
    options = parser.parse_args()

    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, train_size=600, random_state=0, stratify=y)
    network = DropoutMLPClassifier((options.width, options.width), tol=1e-3, random_state=0)
    model = make_pipeline(MinMaxScaler(), network)
    search = GridSearchCV(model, {"dropoutmlpclassifier__dropout": [0.0, 0.25, 0.5]}, cv=3).fit(x, y)
    rates, scores = (search.cv_results_[name] for name in ("param_dropoutmlpclassifier__dropout", "mean_test_score"))
    for rate, score in zip(rates, scores, strict=True):
        print(f"dropout={rate:4}: {score:.1%} right in cross-validation")
    print(f"test digits, best rate: {search.score(x_test, y_test):.1%} right")

    scaler, network = search.best_estimator_
    network.set_params(dropout=0.5)  # also where the search preferred none: the passes below need it
    result = network.monte_carlo(scaler.transform(x_test), options.samples, random_state=0)
    right = result.mean.argmax(axis=1) == y_test
    for name, rows in (("right", right), ("wrong", ~right)):
        print(f"{rows.sum():4} digits classified {name}: mean entropy {np.mean(result.entropy[rows]):.2f} nats")


if __name__ == "__main__":
    main()
