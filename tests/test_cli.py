"""The command line as people run it, and the network that they copy."""

import builtins
import io
import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

import fastdrop as fd
from fastdrop.__main__ import main
from fastdrop._commands.demo.members import MEMBERS
from fastdrop.network import SGD, Network, softmax_cross_entropy, train_epoch

needs_extras = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "1.25.0", reason="the extras want a newer NumPy"
)


def run(*arguments, **environment):
    command = [sys.executable, "-m", "fastdrop", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=os.environ | environment)


def test_info():
    done = run("info")
    assert done.returncode == 0, done.stderr
    for word in (fd.__version__, np.__version__, fd.backend(), "OpenMP", "threads"):
        assert word in done.stdout


@needs_extras
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


# Where the output goes, and what is refused before any work

COMMANDS = {  # in their shortest form
    "info": ["info"],
    "selftest": ["selftest"],
    "help": ["--help"],
    "bench": ["bench", "--quick", "--only", "layer"],
    "demo": ["demo", "--seeds", "2", "--epochs", "1"],
}
every_command = pytest.mark.parametrize(
    "arguments", [pytest.param(v, id=k, marks=needs_extras if k == "demo" else ()) for k, v in COMMANDS.items()]
)


@every_command
def test_a_reader_that_leaves_is_no_error(arguments):
    receive, send = os.pipe()
    os.close(receive)
    command = [sys.executable, "-m", "fastdrop", *arguments]
    done = subprocess.run(command, stdout=send, stderr=subprocess.PIPE, encoding="utf-8", check=False)
    os.close(send)
    assert done.stderr == ""
    assert done.returncode in (1, 141) or arguments == ["--help"]  # rich's, ours; argparse itself ignores it


@every_command
@pytest.mark.parametrize(
    "environment",
    [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"PYTHONIOENCODING": "ascii"}],
    ids=["C", "ascii"],
)
def test_ascii_where_the_encoding_asks_for_it(arguments, environment):
    done = run(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "\\" not in done.stdout.replace("\\n", "")  # nothing is escaped: there is a form in ASCII for all
    if arguments[0] in ("bench", "demo"):
        assert "+-" in done.stdout


def test_a_full_disk_is_one_line():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "fastdrop", "info"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, encoding="utf-8", check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("command", "option"), [("bench", "--json"), ("bench", "--plot"), ("demo", "--plot")])
@pytest.mark.parametrize("place", ["a folder", "no folder", "below a file", "no name", "a name too long"])
def test_a_place_that_cannot_be_written_is_refused(command, option, place, tmp_path, capsys):
    (tmp_path / "file").write_text("as it was", encoding="utf-8")
    path = {
        "a folder": str(tmp_path),
        "no folder": str(tmp_path / "none" / "x.png"),
        "below a file": str(tmp_path / "file" / "x.png"),
        "no name": "",
        "a name too long": str(tmp_path / f"{300 * 'x'}.png"),
    }[place]
    with pytest.raises(SystemExit) as exit:
        main([command, option, path])
    assert exit.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert f"argument {option}: must be a file that can be written, got '" in last
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text(encoding="utf-8") == "as it was"


def test_what_no_picture_can_be_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["demo", "--plot", str(tmp_path / "curves.doc")])
    assert exit.value.code == 2
    assert "argument --plot: must end in .png, .pdf, .svg, got '" in capsys.readouterr().err


@needs_extras
@pytest.mark.parametrize("command", ["demo", "bench"])
def test_the_true_path_is_printed(command, tmp_path):
    short = ["--seeds", "1", "--epochs", "1"] if command == "demo" else ["--quick", "--only", "forward"]
    done = run(command, *short, "--plot", str(tmp_path / "curves"))
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/curves.png\n" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.parametrize("option", ["--seeds", "--epochs"])
@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many", ""])
def test_a_number_of_runs_is_refused(option, number, capsys):
    with pytest.raises(SystemExit) as exit:
        main(["demo", f"{option}={number}"])
    assert exit.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"error: argument {option}: must be a whole number, at least 1, got {number}")


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        (["bench"], "rich"),
        (["bench", "--plot", "PNG"], "matplotlib"),
        (["demo"], "rich"),
        (["demo"], "sklearn"),
        (["demo"], "threadpoolctl"),
        (["demo", "--plot", "PNG"], "matplotlib"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_missing_extra_is_one_line(arguments, missing, tmp_path):
    arguments = [str(tmp_path / "x.png") if argument == "PNG" else argument for argument in arguments]
    code = f"""if True:
        import sys
        sys.modules[{missing!r}] = None
        from fastdrop.__main__ import main
        sys.exit(main({arguments!r}))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    name = arguments[0]
    assert done.stderr == f'the {name} needs its extra: pip install "numpy-fastdrop[{name}]"\n'


def test_another_module_that_is_missing_is_a_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastdrop._commands.info", None)
    with pytest.raises(ModuleNotFoundError):
        main(["info"])


def test_version(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--version"])
    assert exit.value.code == 0
    assert capsys.readouterr().out == f"fastdrop {fd.__version__}\n"


@pytest.mark.parametrize("name", MEMBERS)
def test_a_layer_goes_by_its_class_too(name, monkeypatch):
    run, layers = pytest.importorskip("fastdrop._commands.demo.run"), []
    monkeypatch.setattr(run, "demo", lambda layer, **options: layers.append(layer))
    title = "Dropout" if name == "dropout" else MEMBERS[name].title
    assert [main(["demo", "--layer", given]) for given in (name, title, title.lower())] == [0, 0, 0]
    assert layers == [name] * 3


@pytest.mark.parametrize(
    ("text", "processor"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU: fast\n", "Some CPU: fast"),
        ("processor\t: 0\n", platform.processor() or platform.machine()),
        (None, platform.processor() or platform.machine()),
    ],
    ids=["named", "not named", "no file"],
)
def test_the_processor_is_named_wherever_it_is_known(text, processor, monkeypatch):
    real = open

    def opened(path, *rest, **options):
        if path != "/proc/cpuinfo":
            return real(path, *rest, **options)
        if text is None:
            raise FileNotFoundError(path)
        return io.StringIO(text)

    monkeypatch.setattr(builtins, "open", opened)
    assert fd.show_config(mode="dicts")["processor"] == processor


# The network


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
