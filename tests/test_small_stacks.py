"""Every public function in every path runs in a thread of 64 KiB, its team of threads too; C takes half of that."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastdrop as fd

CSRC = Path(__file__).resolve().parents[1] / "csrc"
STACK = 1 << 16

CALLS = """
import threading
import ml_dtypes
import numpy as np
import fastdrop as fd

rng, draw = np.random.default_rng(0), fd.Rng(5)
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.complex64, np.complex128]
SHAPES = (130, 70), (700, 650)  # whole blocks, and parts of them; what is worth a team of threads
COMPLEX = (np.complex64, np.complex128)


def layouts(dtype, shape):
    rows, columns = shape
    x = rng.standard_normal(shape).astype(dtype)
    wide = np.zeros((rows, 2 * columns), dtype)
    yield from (x, np.asfortranarray(x), x[::-1, ::-1], x.reshape(10, -1, columns).T)
    yield from (wide[:, ::2], wide[:, 1 : columns + 1])


def both_ways(x, p, **options):
    y, mask = fd.dropout(x, p, rng=draw, **options)
    fd.dropout_backward(y, mask)
    fd.dropout_backward(np.asfortranarray(y), mask)
    mask.to_bool()
    mask.apply(x)


def functions(shape, dtypes):
    for dtype in dtypes:
        for x in layouts(dtype, shape):
            each = rng.random(x.shape)
            rates = [0.0, 0.5, 0.1, 1.0, each, np.asfortranarray(each), each[:1], each[..., :1]]
            rates.append(np.repeat(each, 2, -1)[..., ::2])
            for p in rates:
                for options in ({}, {"store": "recipe"}, {"inverted": False}, {"offset": 77}):
                    both_ways(x, p, **options)
                full = tuple(n + 50 for n in x.shape)
                both_ways(x, p, window=(full, (7,) * x.ndim))
                if not isinstance(p, np.ndarray):
                    for noise in ((None,) * (x.ndim - 1) + (1,), (1,) * (x.ndim - 1) + (None,)):
                        both_ways(x, p, noise_shape=noise)
            fd.dropout(x, each, rng=draw, out=np.empty_like(x))
            beside = [None, x[0].copy() if x.ndim == 2 else None]
            for bias in beside:
                for residual in (None, x):
                    y, mask = fd.bias_dropout_residual(x, bias, residual, 0.3, rng=draw)
                    fd.bias_dropout_residual_backward(y, mask)
            fd.mc_dropout(x, 0.3, 3, rng=draw)
            if dtype not in COMPLEX:
                y, mask = fd.alpha_dropout(x, 0.3, rng=draw)
                fd.dropout_backward(y, mask)
                fd.gaussian_dropout(x, 0.3, rng=draw)
    for p in (0.3, rng.random(shape), rng.random(shape[::-1]).T):
        fd.bernoulli(shape, p, rng=draw)


def layers():
    images = rng.standard_normal((6, 8, 40, 40)).astype(np.float32)
    one_noise = [fd.Dropout, fd.UnitDropout, fd.LockedDropout, fd.DropPath, fd.SpatialDropout, fd.AlphaDropout]
    one_noise += [fd.FeatureAlphaDropout, fd.GaussianDropout, fd.GaussianNoise, fd.StandardDropout]
    made = [Layer(0.3, rng=1) for Layer in one_noise] + [fd.DropBlock(0.1, 3, rng=1)]
    for layer in made:
        layer.load_state_dict(layer.state_dict())
        layer.backward(layer.forward(images))
        layer.eval().forward(images)
    table = images[0, 0]
    embedding = fd.EmbeddingDropout(0.3, rng=1)
    embedding.backward(embedding.forward(table, np.arange(30) % 7))
    connect = fd.DropConnect(0.3, rng=1)
    connect.backward(connect.forward(table))
    for dtype in (np.float32, np.float64):
        x, w = rng.standard_normal((64, 300)).astype(dtype), rng.standard_normal((300, 200)).astype(dtype)
        thinned = fd.ThinnedLinear(w, np.zeros(200, dtype), 0.5, rng=1)
        thinned.backward(thinned.forward(x))
        thinned.sgd_step(0.1)
        thinned.dw, thinned.db
    dropout = fd.Dropout(0.3, rng=2)
    fd.monte_carlo(lambda x, rng: dropout.forward(x, rng=rng), images[:, 0, 0], samples=3, rng=1, batch_size=4).std


def run():
    try:
        functions(SHAPES[0], DTYPES)
        functions(SHAPES[1], [np.complex128])
        layers()
    except BaseException as reason:
        failed.append(reason)


failed = []
x = np.ones((3, 4))
y, mask = fd.bias_dropout_residual(x, None, x, rng=1)  # the modules, whose import is Python's to make
layers()
fd.gaussian_dropout(x, rng=1), fd.alpha_dropout(x, rng=1), fd.mc_dropout(x, 0.5, 2), fd.bernoulli(3, 0.5)
fd.set_num_threads(2)
threading.stack_size(STACK)
thread = threading.Thread(target=run)
thread.start()
thread.join()
if failed:
    raise failed[0]
print("done")
"""


@pytest.mark.parametrize("backend", fd.backends())
def test_every_function_on_64_kib(backend):
    pytest.importorskip("ml_dtypes")
    environment = os.environ | {"FASTDROP_BACKEND": backend, "OMP_STACKSIZE": "64k", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", f"STACK = {STACK}\n{CALLS}"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@pytest.mark.skipif(not CSRC.is_dir(), reason="no sources beside the tests")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_call_takes_no_more_than_the_readme_says(compiler, tmp_path):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    (most,) = re.findall(r"at most (\d+) KiB of stack", (CSRC / "README.md").read_text(encoding="utf-8"))
    flags = ["-std=c11", "-O2", "-ffp-contract=off", f"-I{CSRC}", "-fstack-usage", "-c"]
    frames = {}
    for source in CSRC.rglob("*.c"):
        subprocess.run([compiler, *flags, source], cwd=tmp_path, check=True)
        usage = tmp_path / f"{source.stem}.su"  # clang writes none where there is no function
        lines = usage.read_text(encoding="utf-8").splitlines() if usage.exists() else []
        named = (line.split("\t")[:2] for line in lines)
        frames[source.name] = {place.rpartition(":")[2]: int(frame) for place, frame in named}
    kernels = [pair for path in (CSRC / "kernels").glob("*.c") for pair in frames.pop(path.name).items()]
    applying = [frame for name, frame in kernels if not name.startswith(("draw", "dropout"))]
    # Bits are drawn before a layout's are applied, and nothing recurs: more than all frames of each is never in use.
    layouts = sum(sum(frames.pop(name).values()) for name in ("strided.c", "runs.c", "tiles.c"))
    del frames["example.c"]
    others = sum(sum(of_file.values()) for of_file in frames.values())
    assert max(layouts + max(applying), others + max(frame for _, frame in kernels)) <= int(most) * 1024
