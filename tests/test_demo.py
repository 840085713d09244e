"""The demo: every layer of the family in its network, whose gradients are right, and what is printed of it."""

import numpy as np
import pytest

import fastdrop as fd
from fastdrop._demo.members import MEMBERS
from fastdrop._layer import Layer
from fastdrop.network import Linear, softmax_cross_entropy

needs_extras = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "1.25.0", reason="the extras want a newer NumPy"
)


def test_every_layer_has_a_name():
    public = [getattr(fd, name) for name in fd.__all__]
    layers = {thing.__name__ for thing in public if isinstance(thing, type) and issubclass(thing, Layer)}
    assert layers - {"Dropout"} == {member.title for member in MEMBERS.values()} - {"dropout"}


@pytest.mark.parametrize("name", MEMBERS)
def test_the_network_has_the_layer(name):
    member = MEMBERS[name]
    title = "Dropout" if name == "dropout" else member.title
    assert isinstance(member.build(0, True).dropouts()[-1], getattr(fd, title))


def in_float64(network):
    for layer in network.layers:
        if hasattr(layer, "w"):
            layer.w, layer.b = layer.w.astype(np.float64), layer.b.astype(np.float64)
        if isinstance(layer, Linear):
            layer.dw, layer.db = np.zeros_like(layer.w), np.zeros_like(layer.b)
    return network


@pytest.mark.parametrize("name", MEMBERS)
def test_gradients(name):
    generator = np.random.default_rng(1)
    x, labels = generator.standard_normal((6, 64)), generator.integers(0, 10, 6)
    network = in_float64(MEMBERS[name].build(2, True))
    states = [layer.state_dict() for layer in network.dropouts()]

    def loss():
        for layer, state in zip(network.dropouts(), states, strict=True):  # the same masks every time
            layer.load_state_dict(state)
        return softmax_cross_entropy(network.forward(x), labels)

    dx = network.backward(loss()[1])
    linear = [layer for layer in network.layers if hasattr(layer, "w")]
    pairs = [pair for layer in linear for pair in ((layer.w, layer.dw), (layer.b, layer.db))]
    if name != "embedding":  # whose words have no gradient
        pairs.append((x, dx))
    assert len(pairs) > 4
    for array, gradient in pairs:
        gradient, before, direction = gradient.copy(), array.copy(), generator.standard_normal(array.shape)
        sides = []
        for step in (1e-6, -1e-6):
            array[...] = before + step * direction
            sides.append(loss()[0])
        array[...] = before
        np.testing.assert_allclose((sides[0] - sides[1]) / 2e-6, (gradient * direction).sum(), rtol=1e-5, atol=1e-7)


@needs_extras
@pytest.mark.parametrize("name", MEMBERS)
def test_what_is_printed(name, capsys):
    run = pytest.importorskip("fastdrop._demo.run")
    run.demo(name, seeds=1, epochs=2, plot_path=None)
    printed = capsys.readouterr().out
    member = MEMBERS[name]
    for word in ("chosen", "train accuracy", "whole step", *member.names):
        assert word in printed
    assert (member.place in printed) == (name != "dropout")


@needs_extras
def test_a_thinned_network_learns_what_unit_dropout_does():
    training = pytest.importorskip("fastdrop._demo.training")
    runs = [training.train(MEMBERS["thinned"], 0, 0.05, 5, lambda: None, on=on) for on in (False, True)]
    weights = [[layer.w for layer in run.network.layers if hasattr(layer, "w")] for run in runs]
    for full, thinned in zip(*weights, strict=True):
        np.testing.assert_allclose(thinned, full, atol=1e-5)
