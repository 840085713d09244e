"""The samples of arguments in PyTorch's wheel, each against torch's own result and by gradcheck; run.py runs it."""

import inspect

import pytest
import torch
from torch.nn import functional as F
from torch.testing._internal.common_methods_invocations import op_db

import fastdrop.torch as ft

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's, of deprecations and shapes
MODULES = {
    "nn.functional.dropout2d": ft.Dropout2d,
    "nn.functional.dropout3d": ft.Dropout3d,
    "nn.functional.alpha_dropout": ft.AlphaDropout,
    "nn.functional.feature_alpha_dropout": ft.FeatureAlphaDropout,
}
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def by_module(module, theirs):
    """The module as a function with the defaults of torch's function."""
    training_by_default = inspect.signature(theirs).parameters["training"].default

    def call(x, p=0.5, training=training_by_default, inplace=False):
        return module(p, inplace).train(training)(x)

    return call


OPS = [op for op in op_db if op.name in {"nn.functional.dropout", *MODULES}]


def samples():
    for op in OPS:
        theirs = getattr(F, op.name.rsplit(".", maxsplit=1)[-1])
        ours = by_module(MODULES[op.name], theirs) if op.name in MODULES else ft.dropout
        for dtype in DTYPES:
            for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=True)):
                name = f"{op.name[14:]}-{op.variant_test_name}-{str(dtype)[6:]}-{i}"
                yield pytest.param(ours, theirs, sample, id=name)


def value(f, sample, x):
    torch.manual_seed(3)
    return f(x, *sample.args, **sample.kwargs)


def drawn(f, sample, x):
    y = value(f, sample, x)
    return y, torch.autograd.grad(y.sum(), x)[0]


@pytest.mark.parametrize(("ours", "theirs", "sample"), list(samples()))
def test_a_sample(ours, theirs, sample):
    x = sample.input
    (y, dx), (like, dlike) = drawn(ours, sample, x), drawn(theirs, sample, x)
    assert (y.shape, y.dtype, y.stride(), dx.stride()) == (like.shape, like.dtype, like.stride(), dlike.stride())
    # The masks differ. Where both keep or both drop, values and gradients must be equal; torch rounds each of several
    # steps to 16 bits, so its values are those of wider numbers, rounded once.
    wide = x.detach().to(torch.promote_types(x.dtype, torch.float32)).requires_grad_()
    expected = drawn(theirs, sample, wide)
    same = (dx == 0) == (expected[1] == 0)
    for a, b in zip((y, dx), expected, strict=True):
        torch.testing.assert_close(a[same], b[same].to(a.dtype))
    if x.dtype is torch.float64:
        x = x.detach().requires_grad_()

        def f(x):
            return value(ours, sample, x)

        assert torch.autograd.gradcheck(f, x, fast_mode=True)
        assert torch.autograd.gradgradcheck(f, x, fast_mode=True)


def test_there_are_samples():
    assert sum(1 for _ in samples()) / len(DTYPES) >= 76
