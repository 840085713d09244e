"""The samples of arguments in PyTorch's wheel, each against torch's own result and by gradcheck; run.py runs it."""

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


def by_module(module):
    def call(x, p=0.5, training=True, inplace=False):
        return module(p, inplace).train(training)(x)

    return call


OPS = [op for op in op_db if op.name in {"nn.functional.dropout", *MODULES}]
PAIRS = [(op, ft.dropout if op.name.endswith(".dropout") else by_module(MODULES[op.name])) for op in OPS]


def samples():
    for op, ours in PAIRS:
        theirs = getattr(F, op.name.rsplit(".", maxsplit=1)[-1])
        for dtype in DTYPES:
            for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=True)):
                name = f"{op.name[14:]}-{op.variant_test_name}-{str(dtype)[6:]}-{i}"
                yield pytest.param(ours, theirs, sample, id=name)


def drawn(f, sample, seed=3):
    torch.manual_seed(seed)
    return f(sample.input, *sample.args, **sample.kwargs)


@pytest.mark.parametrize(("ours", "theirs", "sample"), list(samples()))
def test_a_sample(ours, theirs, sample):
    a, b = drawn(ours, sample), drawn(theirs, sample)
    assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())
    grads = [torch.autograd.grad(y.sum(), sample.input)[0] for y in (a, b)]
    # The masks differ. Where both keep or both drop, values and gradients must be equal.
    same = (grads[0] == 0) == (grads[1] == 0)
    torch.testing.assert_close(a[same], b[same])
    torch.testing.assert_close(grads[0][same], grads[1][same])
    assert grads[0].stride() == grads[1].stride()
    if a.dtype is torch.float64:
        x = sample.input.detach().requires_grad_()

        def f(x):
            torch.manual_seed(3)
            return ours(x, *sample.args, **sample.kwargs)

        assert torch.autograd.gradcheck(f, x)
        assert torch.autograd.gradgradcheck(f, x)


def test_there_are_samples():
    assert sum(1 for _ in samples()) / len(DTYPES) >= 76
