"""fastdrop.thinc: what its masks are, what decides them, and that models of Thinc learn with them.

The long form, with Thinc's own tests, on the oldest and newest release: run.py thinc.
"""

import subprocess
import sys

import numpy as np
import pytest

import fastdrop as fd

pytest.importorskip("thinc")

from thinc.api import Adam, Dropout, NumpyOps, Relu, Softmax, chain, fix_random_seed, get_ops, use_ops

from fastdrop.thinc import FastdropOps


@pytest.fixture
def ops():
    return get_ops("fastdrop")


def test_the_entry_point(ops):
    assert (type(ops), ops.name) == (FastdropOps, "fastdrop")
    assert type(get_ops("numpy")) is type(get_ops("cpu")) is NumpyOps


@pytest.mark.parametrize("shape", [5, (), (0, 3), (7,), (40, 50), [2, 3, 4]])
@pytest.mark.parametrize("drop", [None, -1.0, 0.0, 0.2, 0.5, 1.0, 2.0])
def test_a_mask_is_of_the_kind_of_thincs(ops, shape, drop):
    mask, theirs = ops.get_dropout_mask(shape, drop), NumpyOps().get_dropout_mask(shape, drop)
    assert (type(mask), mask.shape, mask.dtype) == (np.ndarray, theirs.shape, np.float32)
    assert mask.flags.writeable
    assert set(mask.flat) <= {np.float32(0), np.float32(1 if drop is None or drop <= 0 else 1 / (1 - min(drop, 0.999)))}
    if drop not in (0.2, 0.5):
        np.testing.assert_array_equal(mask, theirs)


def test_a_mask_has_its_share_and_the_scale_of_thincs(ops):
    fix_random_seed(0)
    mask = ops.get_dropout_mask((1000, 1000), 0.2)
    assert abs((mask == 0).mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / mask.size)
    np.testing.assert_array_equal(np.unique(mask), np.unique(NumpyOps().get_dropout_mask((100, 100), 0.2)))


def test_fix_random_seed_rules_the_masks(ops):
    def masks():
        return [ops.get_dropout_mask((30, 30), 0.5).tobytes() for _ in range(3)]

    fix_random_seed(1)
    first, more = masks(), masks()
    assert len({*first, *more}) == 6
    fix_random_seed(1)
    assert masks() == first
    state = np.random.get_state()  # noqa: NPY002
    assert masks() == more
    np.random.set_state(state)  # noqa: NPY002
    assert masks() == more


def test_a_mask_is_that_of_fastdrop(ops):
    fix_random_seed(0)
    bits = np.random.MT19937()
    bits.state = np.random.RandomState(0).get_state(legacy=False)
    for _ in range(2):
        expected, _ = fd.dropout(np.ones(50, np.float32), 0.3, rng=bits)
        np.testing.assert_array_equal(ops.get_dropout_mask((50,), 0.3), expected)


def test_a_model_learns_and_its_masks_repeat():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 8)).astype(np.float32)
    y = np.eye(2, dtype=np.float32)[(x[:, 0] > x[:, 1]).astype(int)]

    def trained():
        fix_random_seed(0)
        with use_ops("fastdrop"):
            model = chain(Relu(64), Dropout(0.5), Softmax())
            model.initialize(x, y)
            assert {type(layer.ops) for layer in model.walk()} == {FastdropOps}
            optimizer = Adam(0.01)
            for _ in range(100):
                predicted, backprop = model.begin_update(x)
                backprop(predicted - y)
                model.finish_update(optimizer)
        return model

    model = trained()
    right = model.predict(x).argmax(axis=1) == y.argmax(axis=1)
    assert right.mean() > 0.9
    assert model.to_bytes() == trained().to_bytes()


def test_the_missing_extra_is_named():
    program = "import sys; sys.modules['thinc'] = None; import fastdrop.thinc"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    assert "pip install 'numpy-fastdrop[thinc]'" in done.stderr


def test_fastdrop_alone_does_not_import_thinc():
    program = "import sys, fastdrop; sys.exit('thinc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
