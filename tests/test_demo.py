"""The demo: every layer of the family in its network, whose gradients are right, and what is printed of it."""

import numpy as np
import pytest

import fastdrop as fd
from fastdrop._commands.demo.members import MEMBERS
from fastdrop.layers.base import Layer
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
    run = pytest.importorskip("fastdrop._commands.demo.run")
    run.demo(name, seeds=1, epochs=2, plot_path=None)
    printed = capsys.readouterr().out
    member = MEMBERS[name]
    for word in ("chosen", "train accuracy", "whole step", *member.names):
        assert word in printed
    assert (member.place in printed) == (name != "dropout")


@needs_extras
def test_a_thinned_network_learns_what_unit_dropout_does():
    training = pytest.importorskip("fastdrop._commands.demo.training")
    runs = [training.train(MEMBERS["thinned"], 0, 0.05, 5, lambda: None, on=on) for on in (False, True)]
    weights = [[layer.w for layer in run.network.layers if hasattr(layer, "w")] for run in runs]
    for full, thinned in zip(*weights, strict=True):
        np.testing.assert_allclose(thinned, full, atol=1e-5)


# The figures


@pytest.fixture
def training():
    return pytest.importorskip("fastdrop._commands.demo.training")


@pytest.fixture
def report():
    return pytest.importorskip("fastdrop._commands.demo.report")


@pytest.fixture
def timing():
    return pytest.importorskip("fastdrop._commands.demo.timing")


@needs_extras
def test_the_digits_are_split_three_ways(training):
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    where, tests = {row.tobytes(): i for i, row in enumerate(pixels.astype(int))}, []
    for seed in range(3):
        parts = training.split(seed)
        np.testing.assert_allclose(parts.train[0].mean(axis=0), 0, atol=1e-5)  # standardised by those to train on
        everything = np.concatenate([x for x, _ in parts]).astype(float)
        scale = pixels.std(axis=0).max() / everything.std(axis=0).max()
        shift = pixels.mean(axis=0) - scale * everything.mean(axis=0)
        found = []
        for x, of in parts:
            raw = np.rint(x * scale + shift).astype(int)
            indices = [where[row.tobytes()] for row in raw]
            np.testing.assert_array_equal(labels[indices], of)
            found.append(set(indices))
        assert [len(part) for part in found] == [200, 300, 1297]
        assert set.union(*found) == set(range(1797))
        tests.append(found[2])
    assert tests[0] == tests[1] == tests[2]


def forward(network, x):
    """The logits of the demo's plain network, by hand."""
    linear = [layer for layer in network.layers if isinstance(layer, Linear)]
    for layer in linear[:-1]:
        x = np.maximum(x @ layer.w + layer.b, 0)
    return x @ linear[-1].w + linear[-1].b


def share_right(network, digits):
    return np.mean(forward(network, digits[0]).argmax(axis=1) == digits[1])


@needs_extras
def test_a_run_has_the_accuracies_of_its_network(training):
    run, digits = training.train(MEMBERS["dropout"], 1, 0.01, 4, lambda: None, on=True), training.split(1)
    assert run.train.shape == run.test.shape == (4,)
    assert run.train[-1] == pytest.approx(share_right(run.network, digits.train))
    assert run.test[-1] == pytest.approx(share_right(run.network, digits.test))
    assert run.train[-1] != run.test[-1]


@needs_extras
@pytest.mark.parametrize("dropping", [False, True])
def test_the_learning_rate_is_chosen_on_validation_digits(training, monkeypatch, dropping):
    trained, train = [], training.train

    def kept(member, seed, rate, *rest, on, **options):
        run = train(member, seed, rate, *rest, on=on, **options)
        trained.append((seed, rate, on, run.network))
        return run

    monkeypatch.setattr(training, "train", kept)
    figures = training.try_rates(MEMBERS["dropout"], 2, lambda: None, on=dropping)
    assert [figure[2] for figure in figures] == list(training.RATES)
    for loss, share, rate in figures:
        mine = [(seed, network) for seed, r, on, network in trained if r == rate and on == dropping]
        assert [seed for seed, _ in mine] == list(training.RATE_SEEDS)
        losses, shares = [], []
        for seed, network in mine:
            x, labels = digits = training.split(seed).validation
            logits = forward(network, x).astype(float)
            chances = np.exp(logits)[np.arange(len(labels)), labels] / np.exp(logits).sum(axis=1)
            losses.append(-np.log(chances).mean())
            shares.append(share_right(network, digits))
        assert loss == pytest.approx(np.mean(losses), rel=1e-4)
        assert share == pytest.approx(np.mean(shares))
    assert training.best_rate(figures) == min(zip([f[0] for f in figures], training.RATES, strict=True))[1]


@needs_extras
def test_the_best_rate_has_the_least_loss(training):
    assert training.best_rate([(0.5, 0.9, 0.001), (0.2, 0.1, 0.01), (np.nan, 1.0, 0.1)]) == 0.01
    assert training.best_rate([(np.nan, 1.0, 0.1), (0.5, 0.0, 0.001)]) == 0.001


@pytest.fixture
def runs(training):
    def run(train, test):
        return training.Run(np.array([0.1, train]), np.array([0.1, test]), None)

    return {
        "without dropout": [run(1.0, 0.90), run(1.0, 0.92), run(0.99, 0.94)],
        "with dropout": [run(0.98, 0.95), run(0.97, 0.92), run(0.96, 0.95)],
    }


def cells(table):
    return list(zip(*(column._cells for column in table.columns), strict=True))


@needs_extras
def test_the_runs_are_of_each_seed_at_the_best_rate(monkeypatch):
    from rich.console import Console

    run = pytest.importorskip("fastdrop._commands.demo.run")
    tried = [(0.9, 0.9, 0.001), (0.2, 0.1, 0.01)], [(0.1, 0.9, 0.03), (0.2, 0.1, 0.01)]
    monkeypatch.setattr(run, "try_rates", lambda *_, on: tried[on])
    monkeypatch.setattr(run, "time_steps", lambda *_: {})
    monkeypatch.setattr(run, "train", lambda member, seed, rate, epochs, advance, on: (seed, rate, epochs, on))
    runs = run.compare(MEMBERS["dropout"], 3, 7, Console(quiet=True))[1]
    without, dropping = MEMBERS["dropout"].names
    assert runs[without] == [(seed, 0.01, 7, False) for seed in range(3)]
    assert runs[dropping] == [(seed, 0.03, 7, True) for seed in range(3)]


@needs_extras
def test_the_changes_are_of_the_second_network(report, runs):
    changes = report.changes(runs)
    np.testing.assert_allclose(changes.test, [5, 0, 1])
    np.testing.assert_allclose(changes.gap, [3 - 10, 5 - 8, 1 - 5])
    said = report.sentence("with dropout", changes)
    interval = "95 % interval -4.6 to +8.6"  # 2 +- 4.3027 sqrt(7 / 3), Student's t of 2 degrees from a table
    assert said == f"With dropout: test accuracy +2.0 points ({interval}, higher in 2 of 3 seeds), gap -4.7 points."


@needs_extras
def test_the_table_of_accuracies(report, runs, monkeypatch):
    assert report.mean_and_deviation(np.array([1.0, 2.0, 6.0])) == (3.0, pytest.approx(7**0.5))
    assert report.mean_and_deviation(np.array([2.0])) == (2.0, None)
    monkeypatch.setattr(report, "plus_minus", lambda: "+-")
    assert cells(report.accuracies(runs)) == [
        ("without dropout", "99.7 +- 0.6", "92.0 +- 2.0", "7.7 +- 2.5"),
        ("with dropout", "97.0 +- 1.0", "94.0 +- 1.7", "3.0 +- 2.0"),
    ]


@needs_extras
def test_the_table_of_rates(report):
    figures = {"without": [(0.5, 0.9, 0.001), (0.2, 0.125, 0.01)], "with": [(0.3, 0.95, 0.1), (0.4, 1.0, 0.01)]}
    assert cells(report.rates(figures)) == [
        ("without", "0.001", "0.500", "90.0%", ""),
        ("without", "0.01", "0.200", "12.5%", "chosen"),
        ("with", "0.1", "0.300", "95.0%", "chosen"),
        ("with", "0.01", "0.400", "100.0%", ""),
    ]


@needs_extras
def test_a_step_is_in_microseconds(timing, report):
    step = timing.median_step([(0.004, 0.001), (0.008, 0.002), (9.0, 9.0)])  # 4 steps of 50 digits in an epoch of 200
    assert step == pytest.approx((2000, 500))
    assert cells(report.timings({"fastdrop": step})) == [("fastdrop", "2000 us", "500 us", "25.0%")]
    assert cells(report.timings({"fastdrop": step}, parts=False)) == [("fastdrop", "2000 us")]


@needs_extras
@pytest.mark.parametrize(("name", "dropped"), [("dropout", True), ("unit", True), ("thinned", True), ("alpha", False)])
def test_what_is_timed_takes_turns(timing, monkeypatch, name, dropped):
    member, order, now, mode = MEMBERS[name], [], [0.0], []
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])

    def train_epoch(network, *rest):
        order.append(network)
        mode.append({layer.training for layer in network.dropouts()})
        for layer in network.dropouts():
            layer.forward = None
        first = network is order[0]
        now[0] += 0.004 if first else 0.008

    monkeypatch.setattr(timing, "train_epoch", train_epoch)
    steps = timing.time_steps(member, 0.01, lambda: None)
    names = member.names if member.rival else ("fastdrop", "NumPy idiom")[: 2 if dropped else 1]
    assert list(steps) == list(names)
    assert [step.whole for step in steps.values()] == pytest.approx([1000, 2000][: len(names)])
    firsts = order[:: len(names)]
    assert len(order) == timing.EPOCHS * len(names)
    assert firsts.count(order[0]) == timing.EPOCHS / len(names)
    assert all(training == {True} for training in mode)


@needs_extras
def test_dropout_is_timed_epoch_by_epoch(timing, monkeypatch):
    clocks, wrap = [], timing.Clock.wrap
    monkeypatch.setattr(timing.Clock, "wrap", lambda self, function: (clocks.append(self), wrap(self, function))[1])

    def train_epoch(*_):
        for clock in set(clocks):
            clock.seconds += 0.002

    monkeypatch.setattr(timing, "train_epoch", train_epoch)
    steps = timing.time_steps(MEMBERS["dropout"], 0.01, lambda: None)
    assert [step.dropout for step in steps.values()] == pytest.approx([500, 500])  # of 4 steps


@needs_extras
def test_the_clock_counts_dropout_alone(timing, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(timing, "perf_counter", lambda: now[0])
    clock = timing.Clock()

    def work(x):
        now[0] += x
        return 2 * x

    timed = clock.wrap(work)
    assert (timed(3.0), clock.seconds) == (6.0, 3.0)
    work(5.0)
    assert (timed(1.0), clock.seconds) == (2.0, 4.0)


@needs_extras
def test_the_numpy_idiom_is_dropout(timing):
    idiom, x = timing.NumpyIdiom(fd.SpatialDropout(0.25)), np.full((40, 30, 2, 2), 3, np.float32)
    y = idiom.forward(x)
    assert set(np.unique(y)) == {0, 4}
    assert (y == y[..., :1, :1]).all()
    assert abs((y == 0).mean() - 0.25) < 5 * (0.25 * 0.75 / 1200) ** 0.5
    np.testing.assert_array_equal(idiom.backward(x), y)


@needs_extras
@pytest.mark.parametrize("name", ["without FeatureAlphaDropout", "without dropout"])
def test_the_legend_covers_no_curve(report, runs, name, tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "close", lambda figure: None)
    report.plot({name: runs["without dropout"], "with": runs["with dropout"]}, tmp_path / "curves.png")
    figure = plt.gcf()
    (legend,), (axes,) = figure.legends, figure.axes
    extent = legend.get_window_extent()
    assert not extent.overlaps(axes.get_window_extent())
    assert extent.xmin >= 0
    assert extent.xmax <= figure.bbox.xmax
    assert len(legend.texts) == 4
    assert "99.7%" in legend.texts[0].get_text()
    ends = [line.get_ydata()[-1] for line in axes.lines]
    np.testing.assert_allclose(ends, [0.9967, 0.97, 0.92, 0.94], atol=1e-4)  # train, train, test, test
    monkeypatch.undo()
    plt.close(figure)
