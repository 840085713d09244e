"""The command line as people run it, and the network that they copy."""

import json
import subprocess
import sys

import numpy as np
import pytest

import fastdrop as fd
from fastdrop._demo.members import MEMBERS
from fastdrop.network import SGD, Network, softmax_cross_entropy, train_epoch


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fastdrop", *arguments], capture_output=True, encoding="utf-8", check=False
    )


def test_info():
    done = run("info")
    assert done.returncode == 0, done.stderr
    for word in (fd.__version__, np.__version__, fd.backend(), "OpenMP", "threads"):
        assert word in done.stdout


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "1.25.0", reason="the extras want a newer NumPy")
def test_demo(tmp_path):
    done = run("demo", "--seeds", "1", "--epochs", "3", "--plot", str(tmp_path / "curves.png"))
    assert done.returncode == 0, done.stderr
    for word in ("train accuracy", "test accuracy", "gap", "without dropout", "with dropout", "NumPy idiom", "chosen"):
        assert word in done.stdout
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_layer():
    done = run("demo", "--layer", "nonsense")
    assert done.returncode == 2
    assert "argument --layer: invalid choice: 'nonsense' (choose from" in done.stderr
    assert all(name in done.stderr for name in MEMBERS)


def test_bench(tmp_path):
    files = ["--json", str(tmp_path / "figures.json"), "--plot", str(tmp_path / "figures.png")]
    done = run("bench", "--quick", "--only", "forward", "--only", "small calls", *files)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    rows = [row for row in figures["results"] if "ns" in row]
    assert {"processor", "date", "versions"} <= figures.keys()
    assert all(row["ns"] > 0 for row in rows)
    assert {f"fastdrop {name}" for name in fd.backends()} <= {row["contender"] for row in rows}
    assert (tmp_path / "figures.png").read_bytes().startswith(b"\x89PNG")


def test_unknown_question():
    done = run("bench", "--only", "nonsense")
    assert done.returncode == 1
    assert "the questions are forward, backward" in done.stderr


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_gradients_of_the_network(p):
    generator = np.random.default_rng(3)
    x, labels = generator.standard_normal((6, 5)), generator.integers(0, 3, 6)
    network = Network([5, 7, 4, 3], p_input=p / 2, p_hidden=p, seed=1, dtype=np.float64)
    states = [layer.state_dict() for layer in network.dropouts()]

    def loss():
        for layer, state in zip(network.dropouts(), states, strict=True):  # the same masks every time
            layer.load_state_dict(state)
        return softmax_cross_entropy(network.forward(x), labels)

    dx = network.backward(loss()[1])
    for array, gradient in [*network.parameters(), (x, dx)]:
        expected = np.empty_like(array)
        for index in np.ndindex(array.shape):
            before = array[index]
            sides = []
            for step in (1e-6, -1e-6):
                array[index] = before + step
                sides.append(loss()[0])
            array[index] = before
            expected[index] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient, expected, atol=1e-8)


@pytest.mark.parametrize("dropout", [fd.Dropout, fd.UnitDropout, fd.GaussianNoise])
def test_an_rng_draws_all_masks_of_the_network(dropout):
    network, x = Network([4, 8, 3], seed=2, dropout=dropout), np.ones((5, 4), np.float32)
    assert [type(layer) for layer in network.dropouts()] == [dropout] * 2
    first, second = (network.forward(x, fd.Rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(network.forward(x), first)
    assert [layer.rng.counter for layer in network.dropouts()] == [1, 1]


def test_training_repeats():
    x, labels = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32), np.arange(40) % 2
    losses = []
    for _ in range(2):
        network, generator = Network([4, 8, 2], seed=5), np.random.default_rng(5)
        losses.append([train_epoch(network, SGD(network), x, labels, 10, generator) for _ in range(3)])
    assert losses[0] == losses[1]
