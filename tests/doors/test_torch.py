"""fastdrop.torch: masks against the reference, gradients against torch's checks, modules against torch's.

The long form, with PyTorch's own tests of dropout and its samples of arguments: python tests/doors/run.py torch.
"""

import copy
import io
import subprocess
import sys

import numpy as np
import pytest
import reference

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F

import fastdrop.torch as ft

REAL = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
DTYPES = [*REAL, torch.complex64, torch.complex128]
PAIRS = {
    ft.Dropout: nn.Dropout,
    ft.Dropout1d: nn.Dropout1d,
    ft.Dropout2d: nn.Dropout2d,
    ft.Dropout3d: nn.Dropout3d,
    ft.AlphaDropout: nn.AlphaDropout,
    ft.FeatureAlphaDropout: nn.FeatureAlphaDropout,
}
SHAPES = [  # a module, the shape of x, and the shape of what is dropped together
    (ft.Dropout, (3, 5, 7), (3, 5, 7)),
    (ft.Dropout, (), ()),
    (ft.Dropout1d, (40, 6), (40, 1)),
    (ft.Dropout1d, (5, 8, 6), (5, 8, 1)),
    (ft.Dropout2d, (5, 8, 3, 4), (5, 8, 1, 1)),
    (ft.Dropout3d, (40, 2, 3, 4), (40, 1, 1, 1)),
    (ft.Dropout3d, (5, 8, 2, 3, 2), (5, 8, 1, 1, 1)),
    (ft.AlphaDropout, (5, 8, 6), (5, 8, 6)),
    (ft.FeatureAlphaDropout, (5, 8), (5, 8)),
    (ft.FeatureAlphaDropout, (5, 8, 3, 4), (5, 8, 1, 1)),
]


def drawn(f, *args, seed=3, **kwargs):
    torch.manual_seed(seed)
    return f(*args, **kwargs)


def kept(shape, p, seed=3):
    """What the mask stream keeps with the key that torch's generator gives after that seed."""
    key = drawn(torch.randint, 2**63 - 1, (2,), seed=seed).tolist()
    return torch.from_numpy(reference.kept(key, 0, p, 0, int(np.prod(shape))).reshape(shape))


def random(shape, dtype=torch.float32, seed=0):
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


# Values


@pytest.mark.parametrize("p", [0.5, 0.1, 1e-10, 1.0])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_are_the_streams(dtype, p):
    x = random((5, 1000), dtype)
    wide = x.double() if dtype in (torch.float64, *REAL) else x
    expected = torch.where(kept(x.shape, p), (wide / (1 - p)) if p < 1 else wide, 0)
    y = drawn(ft.dropout, x, p)
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    torch.testing.assert_close(y, expected.to(dtype))
    assert not torch.signbit(y.real[y == 0]).any()


@pytest.mark.parametrize(("module", "shape", "noise"), SHAPES)
def test_what_modules_drop_together(module, shape, noise):
    y = drawn(module(0.5), torch.ones(shape))
    together = kept(noise, 0.5).expand(shape)
    low, high = y[~together].unique(), y[together].unique()
    assert low.numel() <= 1
    assert high.numel() <= 1
    assert y.numel() == 1 or low < high


@pytest.mark.parametrize("module", [ft.AlphaDropout, ft.FeatureAlphaDropout])
def test_alpha_values_are_torchs(module):
    ours, theirs = (drawn(kind(0.3), torch.linspace(-1, 1, 2000).reshape(50, 40)) for kind in (module, PAIRS[module]))
    dropped = (float(y.mode().values.mode().values) for y in (ours, theirs))
    torch.testing.assert_close(*dropped)
    a, b = (y[~torch.isclose(y, y.mode().values.mode().values)].max() for y in (ours, theirs))
    torch.testing.assert_close(a, b, rtol=0.02, atol=0)


def test_dropped_nan_vanishes():
    y = drawn(ft.dropout, torch.full((1000,), torch.nan), 0.5)
    keep = kept((1000,), 0.5)
    assert (y[~keep] == 0).all()
    assert y[keep].isnan().all()


LAYOUTS = {
    "transposed": lambda x: x.permute(3, 1, 2, 0),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "every second": lambda x: x[..., ::2],
    "expanded": lambda x: x[:, :1].expand(-1, 5, -1, -1),
    "size one": lambda x: x[:, :1].permute(1, 3, 0, 2),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_mask_is_that_of_c_order_and_strides_are_torchs(layout, dtype):
    x = LAYOUTS[layout](random((4, 3, 6, 10), dtype))
    y = drawn(ft.dropout, x, 0.5)
    assert torch.equal(y, drawn(ft.dropout, x.contiguous(), 0.5))
    assert y.stride() == F.dropout(x, 0.5).stride()


@pytest.mark.parametrize("layout", ["transposed", "channels_last", "every second"])
def test_in_place(layout):
    base = random((4, 3, 6, 10))
    x, before = LAYOUTS[layout](base), base.clone()
    expected = drawn(ft.dropout, x, 0.5)
    version = x._version
    assert drawn(ft.dropout, x, 0.5, inplace=True) is x
    assert torch.equal(x, expected)
    assert x._version > version
    if layout == "every second":
        assert torch.equal(base[..., 1::2], before[..., 1::2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.complex128], ids=str)
def test_large_results(dtype):
    x = random((1 << 12, 700), dtype)[:, 1:].t().requires_grad_()
    y = drawn(ft.dropout, x, 0.5)
    keep = kept(x.shape, 0.5)
    assert torch.equal(y, torch.where(keep, 2 * x, 0))
    assert y.stride() == torch.empty_like(x).stride()
    assert y.data_ptr() % 64 == 0
    y.mul_(3)
    y.real.sum().backward()
    assert torch.equal(x.grad.real, 6.0 * keep)


# Torch's generator


def test_the_generator_rules_the_mask():
    x = torch.ones(1000)
    first, second = drawn(ft.dropout, x), ft.dropout(x)
    assert not torch.equal(first, second)
    with torch.random.fork_rng():
        assert torch.equal(drawn(ft.dropout, x), first)
    state = torch.get_rng_state()
    third = ft.dropout(x)
    torch.set_rng_state(state)
    assert torch.equal(ft.dropout(x), third)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_nothing_is_drawn_where_nothing_is_dropped(p):
    x, state = torch.ones(10), torch.get_rng_state()
    assert torch.equal(ft.dropout(x, p, training=p == 0), x)
    assert torch.equal(torch.get_rng_state(), state)


# Errors


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_p_out_of_range(p):
    x, state = torch.ones(10), torch.get_rng_state()
    with pytest.raises((ValueError, RuntimeError), match="between 0 and 1"):
        ft.dropout(x, p)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_tensor_is_needed():
    with pytest.raises(TypeError):
        ft.dropout([1.0])


def test_a_leaf_is_not_overwritten():
    x = torch.ones(1000, requires_grad=True)
    for leaf in (x, x[:10]):
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            ft.dropout(leaf, inplace=True)
    assert (x == 1).all()


def test_the_error_without_torch_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import fastdrop.torch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert "pip install 'numpy-fastdrop[torch]'" in done.stderr
    code = "import sys, fastdrop; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Gradients


def seeded(f):
    """As f, with the same mask at every call."""
    return lambda x: drawn(f, x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
@pytest.mark.parametrize("inplace", [False, True])
def test_gradcheck_of_the_function(dtype, inplace):
    x = random((3, 5), dtype).requires_grad_()
    f = seeded(lambda x: ft.dropout(x * 1, 0.3, inplace=inplace))
    assert torch.autograd.gradcheck(f, x)
    assert torch.autograd.gradgradcheck(f, x)


@pytest.mark.parametrize(("module", "shape", "noise"), SHAPES)
def test_gradcheck_of_modules(module, shape, noise):
    shape = tuple(min(n, 4) for n in shape)
    x = random(shape, torch.float64).requires_grad_()
    f = seeded(module(0.3))
    assert torch.autograd.gradcheck(f, x)
    assert torch.autograd.gradgradcheck(f, x)


@pytest.mark.parametrize("dtype", REAL, ids=str)
@pytest.mark.parametrize("module", [ft.Dropout, ft.AlphaDropout])
def test_the_gradient_has_the_mask_and_the_strides(module, dtype):
    x = random((8, 100), dtype).t().requires_grad_()
    y = drawn(module(0.25), x)
    y.sum().backward()  # an expanded gradient
    keep = kept(x.shape, 0.25)
    scale = x.grad[keep].unique()
    assert scale.numel() == 1
    assert (x.grad[~keep] == 0).all()
    assert module is ft.AlphaDropout or float(scale) == pytest.approx(4 / 3, rel=torch.finfo(dtype).eps)
    assert x.grad.stride() == x.stride()


def test_a_backward_pass_may_be_repeated():
    x = random(100).requires_grad_()
    y = ft.dropout(x, 0.5)
    a, b = (torch.autograd.grad(y, x, torch.ones(100), retain_graph=again)[0] for again in (True, False))
    assert torch.equal(a, b)


def test_all_that_is_kept_is_the_key():
    kept_bytes = []
    pack = torch.autograd.graph.saved_tensors_hooks(lambda x: kept_bytes.append(x.nbytes) or x, lambda x: x)
    with pack:
        ft.dropout(torch.ones(1 << 16, requires_grad=True)).sum()
    assert sum(kept_bytes) == 16


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints(reentrant):
    w = random((50, 50)).requires_grad_()
    layer = ft.Dropout(0.5)

    def f(w):
        return layer(layer(torch.ones(4, 50)) @ w).tanh().sum()

    (expected,) = torch.autograd.grad(drawn(f, w), w)
    y = drawn(torch.utils.checkpoint.checkpoint, f, w, use_reentrant=reentrant)
    torch.manual_seed(99)
    y.backward()
    assert torch.equal(w.grad, expected)


def test_autocast():
    model = nn.Sequential(nn.Linear(64, 64), ft.Dropout(0.5))
    x = torch.randn(100, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(x)
    assert y.dtype is torch.bfloat16
    assert 0.4 < (y == 0).float().mean() < 0.6
    y.float().sum().backward()
    assert model[0].weight.grad.dtype is torch.float32


@pytest.mark.parametrize("inplace", [False, True])
def test_inference_mode(inplace):
    x = torch.ones(1000)
    expected = drawn(ft.dropout, x, 0.5)
    with torch.inference_mode():
        y = drawn(ft.dropout, torch.ones(1000), 0.5, inplace=inplace)
        assert torch.equal(y, expected)
        assert y.is_inference()
    assert torch.equal(drawn(ft.dropout, y, 0.5, inplace=False), 2 * expected)
    with pytest.raises(RuntimeError, match="inference tensor"):
        ft.dropout(y, inplace=True)


# Modules


@pytest.mark.parametrize("module", PAIRS)
def test_modules_are_torchs(module):
    ours, theirs = module(0.25, True), PAIRS[module](0.25, True)
    assert isinstance(ours, PAIRS[module])
    assert repr(ours) == repr(theirs)
    assert ours.state_dict() == theirs.state_dict() == {}
    with pytest.raises(ValueError, match="between 0 and 1"):
        module(1.5)
    x = torch.ones((2, 3, 4) if module is ft.Dropout1d else (2, 3, 4, 4))
    assert torch.equal(ours.eval()(x), x)


def network():
    shared = nn.Dropout(0.2)
    kinds = [theirs(0.1, inplace=True) for theirs in PAIRS.values()]
    return nn.Sequential(nn.Linear(4, 4), shared, nn.Sequential(*kinds, shared), nn.BatchNorm1d(4))


def test_replace_and_restore():
    model = network()
    model[2][0].eval()
    calls = []
    model[1].register_forward_hook(lambda *_: calls.append(1))
    before = [(type(part), part.training, id(part)) for part in model.modules()]
    assert ft.replace(model) is model
    theirs = {theirs: ours for ours, theirs in PAIRS.items()}
    after = [(type(part), part.training, id(part)) for part in model.modules()]
    assert after == [(theirs.get(kind, kind), *rest) for kind, *rest in before]
    assert model[1] is model[2][-1]
    model[1](torch.ones(3))
    assert calls == [1]
    assert ft.restore(model) is model
    assert [(type(part), part.training, id(part)) for part in model.modules()] == before


def test_replace_of_a_module_itself_and_of_subclasses():
    class Own(nn.Dropout):
        pass

    assert type(ft.replace(nn.Dropout())) is ft.Dropout
    assert type(ft.replace(Own())) is Own
    assert type(ft.restore(ft.Dropout())) is nn.Dropout


def test_checkpoints_of_models_load_and_models_can_be_saved():
    model = ft.replace(network())
    network().load_state_dict(model.state_dict())
    model.load_state_dict(network().state_dict())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    for other in (torch.load(file, weights_only=False), copy.deepcopy(model)):
        assert [type(part) for part in other.modules()] == [type(part) for part in model.modules()]
