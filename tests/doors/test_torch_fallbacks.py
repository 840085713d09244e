"""fastdrop.torch: what the kernel does not serve is torch's own code, seen by torch's own masks."""

import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import fastdrop.torch as ft

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def drawn(f, *args, seed=3, **kwargs):
    torch.manual_seed(seed)
    return f(*args, **kwargs)


def is_torchs(x, **kwargs):
    """Whether the function gives torch's mask for x."""
    return torch.equal(drawn(ft.dropout, x, **kwargs), drawn(F.dropout, x, **kwargs))


def x():
    return torch.randn(8, 50, generator=torch.Generator().manual_seed(0))


def test_the_masks_differ_where_the_kernel_serves():
    assert not is_torchs(x())


class Plain(torch.Tensor):
    pass


TENSORS = {
    "conjugate": lambda: torch.randn(100, dtype=torch.complex64).conj(),
    "negative": lambda: torch.randn(100, dtype=torch.complex64).conj().imag,
    "subclass": lambda: x().as_subclass(Plain),
    "buffer subclass": lambda: nn.Buffer(x()).as_subclass(Plain),
    "float8": lambda: x().to(torch.float8_e4m3fn),
    "integers": lambda: torch.arange(100),
    "sparse": lambda: x().to_sparse(),
    "mkldnn": lambda: x().to_mkldnn(),
}


def outcome(f, tensor):
    try:
        y = drawn(f, tensor, 0.5)
    except (RuntimeError, NotImplementedError) as error:
        return type(error), str(error)
    return type(y), y.stride() if y.layout is torch.strided else None, y.to_dense() if y.is_sparse else y


@pytest.mark.parametrize("kind", TENSORS)
def test_kinds_of_tensors(kind):
    tensor = TENSORS[kind]()
    *ours, y = outcome(ft.dropout, tensor)
    *theirs, expected = outcome(F.dropout, tensor)
    assert ours == theirs
    assert y == expected if isinstance(y, str) else torch.equal(torch.Tensor(y.resolve_conj()), expected.resolve_conj())


def test_meta_and_nested():
    meta = ft.dropout(torch.empty(3, 4, device="meta"))
    assert (meta.device.type, meta.shape) == ("meta", (3, 4))
    nested = torch.nested.nested_tensor([torch.ones(5), torch.ones(7)], layout=torch.jagged)
    assert {*ft.dropout(nested).values().tolist()} <= {0, 2}


def test_overlapping_memory_in_place():
    with pytest.raises(RuntimeError, match="single memory location"):
        ft.dropout(torch.ones(1).expand(50), inplace=True)
    ours, theirs = (torch.ones(10).as_strided((4, 4), (2, 1)) for _ in range(2))  # torch does not refuse these
    assert torch.equal(drawn(ft.dropout, ours, inplace=True), drawn(F.dropout, theirs, inplace=True))


def test_a_view_within_a_graph_in_place():
    a = x().requires_grad_()
    b = a * 1
    view = b[2:5]
    y = drawn(ft.dropout, view, 0.5, inplace=True)
    b.sum().backward()
    assert torch.equal(y, view)
    assert torch.equal(a.grad[2:5], torch.where(y == 0, 0.0, 2.0))
    assert (a.grad[:2] == 1).all()


# torch.func and forward mode


def test_forward_mode():
    tangent = torch.randn(8, 50)
    with forward_ad.dual_level():
        y, dy = forward_ad.unpack_dual(drawn(ft.dropout, forward_ad.make_dual(x(), tangent), 0.5))
        assert is_torchs(x())
    expected = drawn(F.dropout, x(), 0.5)
    assert torch.equal(y, expected)
    assert torch.equal(dy, torch.where(expected == 0, 0, 2 * tangent))


@pytest.mark.parametrize("module", [ft.Dropout(), ft.AlphaDropout(), ft.Dropout1d()])
@pytest.mark.parametrize(
    "transform",
    [
        lambda f, x: torch.func.grad(lambda x: f(x).sum())(x),
        lambda f, x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1],
        lambda f, x: torch.func.vjp(f, x)[1](torch.ones_like(x))[0],
        lambda f, x: torch.func.vmap(f, randomness="different")(x),
        lambda f, x: torch.func.vmap(f, randomness="same")(x),
        lambda f, x: torch.func.functionalize(f)(x),
        lambda f, x: torch.func.jacrev(f, chunk_size=4)(x),
    ],
    ids=["grad", "jvp", "vjp", "vmap different", "vmap same", "functionalize", "jacrev"],
)
def test_transforms(module, transform):
    tensor = x()[:, :12].reshape(4, 6, 4)
    theirs = type(module).__mro__[2]()
    assert torch.equal(drawn(transform, module, tensor), drawn(transform, theirs, tensor))


@pytest.mark.parametrize("module", [ft.Dropout(0.3), ft.AlphaDropout(0.3), ft.Dropout1d(0.3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_vectorised_jacobians(module, dtype):
    tensor = torch.randn(4, 5, dtype=dtype)

    def jacobian(vectorize):
        return torch.autograd.functional.jacobian(lambda x: drawn(module, x), tensor, vectorize=vectorize)

    torch.testing.assert_close(jacobian(True), jacobian(False))


def test_batched_gradients():
    a = x().requires_grad_()
    y = drawn(ft.dropout, a, 0.5)
    dy = torch.randn(6, 8, 50)
    (batched,) = torch.autograd.grad(y, a, dy, is_grads_batched=True, retain_graph=True)
    assert torch.equal(batched, torch.stack([torch.autograd.grad(y, a, d, retain_graph=True)[0] for d in dy]))


# Tracing, export, modes


def test_tracing():
    traced = torch.jit.trace(ft.Dropout(), x(), check_trace=False)
    assert "aten::dropout" in str(traced.inlined_graph)


def test_make_fx():
    graph = make_fx(lambda x: ft.dropout(x))(x())
    assert "aten.bernoulli" in graph.code
    assert "ops.fastdrop" not in graph.code


@pytest.mark.parametrize("strict", [False, True])
def test_export(strict):
    model = nn.Sequential(nn.Linear(50, 3), ft.Dropout())
    program = torch.export.export(model, (x(),), strict=strict)
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert "aten.dropout.default" in called
    assert not any("fastdrop" in name for name in called)
    assert drawn(program.module(), x()).shape == (8, 3)


def test_fake_tensors():
    with torch._subclasses.FakeTensorMode() as mode:
        y = ft.dropout(mode.from_tensor(x()))
    assert type(y) is torch._subclasses.FakeTensor
    assert y.shape == (8, 50)


def test_modes_see_torchs_operators():
    seen = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watch():
        assert is_torchs(x())
    assert any("bernoulli" in name for name in seen)


def test_a_default_device_is_served_and_does_not_move_the_key():
    expected = drawn(ft.dropout, x(), 0.5)
    tensor = x()
    with torch.device("meta"):
        assert torch.equal(drawn(ft.dropout, tensor, 0.5), expected)


# Shapes that torch warns of, or refuses


@pytest.mark.parametrize(
    ("module", "shape"), [(ft.Dropout2d, (2, 3, 4)), (ft.Dropout2d, (2, 3)), (ft.Dropout3d, (2, 3, 4))]
)
def test_warnings_are_torchs(module, shape):
    tensor = torch.ones(shape)
    with pytest.warns(UserWarning, match="dropout[23]d: Received a"):
        y = drawn(module(), tensor)
    with pytest.warns(UserWarning, match="dropout[23]d: Received a"):
        assert torch.equal(y, drawn(module.__mro__[2](), tensor))


@pytest.mark.parametrize(
    ("module", "shape"), [(ft.Dropout1d, (2,)), (ft.Dropout1d, (1, 2, 2, 2)), (ft.FeatureAlphaDropout, (5,))]
)
def test_errors_are_torchs(module, shape):
    with pytest.raises(RuntimeError, match=r"Expected 2D or 3D|at least 2 dimensions"):
        module()(torch.ones(shape))


@pytest.mark.parametrize("module", [ft.AlphaDropout, ft.FeatureAlphaDropout])
def test_alpha_of_everything_is_zero(module):
    assert torch.equal(module(1.0)(torch.ones(3, 4)), torch.zeros(3, 4))
