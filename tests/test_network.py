"""The example network: when dropout is on, how weights are drawn, and in which order training goes through the data."""

import numpy as np
import pytest

import fastdrop as fd
from fastdrop.network import SGD, Linear, Network, accuracy, softmax_cross_entropy, train_epoch


class Spy(fd.Dropout):
    """Remembers the mode of each forward and the rows it saw."""

    def __init__(self, p, *, rng):
        super().__init__(p, rng=rng)
        self.modes, self.rows = [], []

    def forward(self, x, rng=None):
        self.modes.append(self.training)
        self.rows.append(x[:, 0].tolist())
        return super().forward(x, rng)


def spied():
    return Network([2, 16, 2], 0.5, 0.5, dropout=Spy)


X = np.arange(24, dtype="f4").reshape(12, 2)
LABELS = np.arange(12) % 2


@pytest.mark.parametrize("before", [True, False])
def test_accuracy_is_measured_with_dropout_off(before):
    network = spied().train(before)
    weights = network.layers[1].w, network.layers[-1].w
    want = (np.maximum(X @ weights[0], 0) @ weights[1]).argmax(axis=1) == LABELS
    assert accuracy(network, X, LABELS) == want.mean()
    assert [layer.modes for layer in network.dropouts()] == [[False], [False]]
    assert not any(layer.training for layer in network.dropouts())


@pytest.mark.parametrize("before", [True, False])
def test_training_has_dropout_on(before):
    network = spied().train(before)
    train_epoch(network, SGD(network), X, LABELS, 5, np.random.default_rng(0))
    assert [layer.modes for layer in network.dropouts()] == [[True] * 3] * 2
    assert [layer.rng.counter for layer in network.dropouts()] == [3, 3]


def test_training_shuffles_and_sees_each_row_once():
    network, generator, orders = spied(), np.random.default_rng(0), []
    for _ in range(2):
        network.dropouts()[0].rows.clear()
        train_epoch(network, SGD(network), X, LABELS, 5, generator)
        batches = network.dropouts()[0].rows
        assert [len(batch) for batch in batches] == [5, 5, 2]
        orders.append([row for batch in batches for row in batch])
    assert sorted(orders[0]) == sorted(orders[1]) == X[:, 0].tolist()
    assert orders[0] != orders[1]
    assert X[:, 0].tolist() not in orders


def test_a_step_goes_on_by_its_momentum():
    network = spied()
    optimizer, start = SGD(network, 0.5, momentum=0.75), [w.copy() for w, _ in network.parameters()]
    for _, gradient in network.parameters():
        gradient[...] = 1
    for moved in (0.5, 0.5 + (0.5 * 0.75 + 0.5)):  # 0.5 at first; then 0.75 of that, and 0.5 again
        optimizer.step()
        for (w, _), begin in zip(network.parameters(), start, strict=True):
            np.testing.assert_allclose(w, begin - moved, atol=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_over_its_batches():
    network, losses = Network([2, 16, 2], 0, 0), []
    loss = train_epoch(network, SGD(network, 0.0), X, LABELS, 5, np.random.default_rng(3))
    order = np.random.default_rng(3).permutation(len(X))
    for rows in (order[:5], order[5:10], order[10:]):
        losses.append(softmax_cross_entropy(network.forward(X[rows]), LABELS[rows])[0])
    assert loss == pytest.approx(np.mean(losses))


def test_weights_have_the_variance_of_he_by_the_inputs():
    w = Linear(50, 2000, np.random.default_rng(0)).w
    n = w.size
    assert abs(w.var() - 2 / 50) < 5 * (2 / 50) * np.sqrt(2 / n)
    assert abs(w.mean()) < 5 * np.sqrt(2 / 50 / n)


def test_train_takes_a_mode():
    network = spied()
    for mode in (False, True):
        assert network.train(mode) is network
        assert {layer.training for layer in network.dropouts()} == {mode}
    assert not any(layer.training for layer in network.eval().dropouts())
