"""fastdrop.torch under torch.compile: one graph, torch's checks of the operator, masks ruled by the seed."""

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import fastdrop as fd
import fastdrop.torch as ft

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
OPERATOR = torch.ops.fastdrop.dropout
# "aot_eager" does everything but to generate code, for which a compiler is needed.
compiled = torch.compile(backend="aot_eager", fullgraph=True)


def drawn(f, *args, seed=3, **kwargs):
    torch.manual_seed(seed)
    return f(*args, **kwargs)


def random(*shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()


@pytest.mark.parametrize("kind", ["dropout", "mask", "alpha"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("axes", [1, 3])
def test_opcheck(kind, dtype, axes):
    key = torch.tensor([5, 1 << 62])
    for x in (random(4, 3, 5, dtype=dtype), random(5, 3, 4, dtype=dtype).permute(2, 1, 0)):
        assert set(torch.library.opcheck(OPERATOR, (x, key, 0.3, axes, kind)).values()) == {"SUCCESS"}
        arguments = (x.detach().requires_grad_(), key, 0.3, axes, kind)
        assert set(torch.library.opcheck(OPERATOR, arguments).values()) == {"SUCCESS"}


@pytest.mark.parametrize("kind", ["dropout", "mask", "alpha"])
def test_gradcheck_of_the_operator(kind):
    x = random(4, 3, dtype=torch.float64).requires_grad_()
    key = torch.tensor([5, 7])
    assert torch.autograd.gradcheck(lambda x: OPERATOR(x, key, 0.3, 2, kind), x)
    assert torch.autograd.gradgradcheck(lambda x: OPERATOR(x, key, 0.3, 2, kind), x)


MODULES = [ft.Dropout(0.3), ft.Dropout1d(0.3), ft.AlphaDropout(0.3), ft.FeatureAlphaDropout(0.3)]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: type(module).__name__)
def test_one_graph_with_the_masks_of_eager_mode(module):
    model = nn.Sequential(nn.Linear(6, 6), module, nn.Tanh())
    x = random(4, 5, 6).requires_grad_()
    results = []
    for f in (model, compiled(model)):
        y = drawn(f, x)
        results.append((y, *torch.autograd.grad(y.sum(), (x, model[0].weight))))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(compiled(model.eval())(x), model(x))


def test_in_place_and_without_gradients():
    f = compiled(lambda x: ft.dropout(x + 1, 0.3, inplace=True) * 2)
    with torch.no_grad():
        y = drawn(f, torch.zeros(1000))
    assert torch.equal(y, 2 * drawn(ft.dropout, torch.ones(1000), 0.3))
    x = random(1000)
    expected = drawn(ft.dropout, x, 0.3)
    y = drawn(compiled(lambda x: ft.dropout(x, 0.3, inplace=True)), x)
    assert torch.equal(y, expected)
    assert torch.equal(x, expected)


def test_each_call_has_another_mask_and_shapes_may_change():
    f = torch.compile(lambda x: ft.dropout(x.relu(), 0.5), backend="aot_eager", fullgraph=True, dynamic=True)
    torch.manual_seed(0)
    masks = [f(torch.ones(n, 50)) for n in (3, 3, 7, 8)]
    assert [len(mask) for mask in masks] == [3, 3, 7, 8]
    assert not torch.equal(*masks[:2])


def test_checkpoints():
    model = nn.Sequential(nn.Linear(6, 6), ft.Dropout(0.5), nn.Linear(6, 6), nn.Tanh())
    x = random(40, 6)

    def grads(f):
        y = drawn(f, x)
        return torch.autograd.grad(y.sum(), model.parameters())

    def checkpointed(x):
        return torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False)

    for a, b in zip(grads(compiled(checkpointed)), grads(model), strict=True):
        torch.testing.assert_close(a, b)


def test_transforms_within_are_right():
    def f(x):
        return torch.func.vmap(lambda x: ft.dropout(x, 0.5), randomness="different")(x)

    y = drawn(torch.compile(f, backend="aot_eager"), torch.ones(20, 50))
    assert {*y.unique().tolist()} == {0, 2}
    assert len({tuple(row.tolist()) for row in y}) == 20


def test_fast_dropout_within_and_around():
    model = nn.Sequential(nn.Linear(50, 50), nn.Dropout(0.5))
    with ft.fast_dropout():
        y = drawn(torch.compile(model, backend="aot_eager"), random(20, 50))
    y.sum().backward()
    assert 0.4 < (y == 0).float().mean() < 0.6
    assert 0 < (model[0].weight.grad == 0).sum() < 2500 or model[0].weight.grad.abs().sum() > 0


@pytest.fixture
def passes(monkeypatch):
    """The sizes of what fastdrop's own function is given."""
    sizes, dropout = [], fd.dropout
    monkeypatch.setattr(fd, "dropout", lambda x, *args, **kwargs: sizes.append(x.size) or dropout(x, *args, **kwargs))
    return sizes


def test_generated_code(passes):
    model = nn.Sequential(nn.Linear(50, 50), ft.Dropout(0.5), nn.ReLU())
    x = random(20, 50)
    y = drawn(torch.compile(model, fullgraph=True), x)
    y.sum().backward()
    assert passes == [1000, 1000]
    assert torch.equal(y, drawn(torch.compile(model, fullgraph=True), x))
    assert not torch.equal(y, drawn(torch.compile(model, fullgraph=True), x, seed=4))
