"""fast_dropout: what torch and others call without a module, undone exactly, and checkpoints around its edges."""

import threading

import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import CheckpointFunction, _CheckpointFrame, checkpoint

import fastdrop as fd
import fastdrop.torch as ft

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def drawn(f, *args, seed=3, **kwargs):
    torch.manual_seed(seed)
    return f(*args, **kwargs)


def random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def passes(monkeypatch):
    """The sizes of what fastdrop's own function is given."""
    sizes, dropout = [], fd.dropout
    monkeypatch.setattr(fd, "dropout", lambda x, *args, **kwargs: sizes.append(x.size) or dropout(x, *args, **kwargs))
    return sizes


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_the_function_of_torch(inplace, grad):
    x = random(20, 30).requires_grad_(grad)
    expected = drawn(ft.dropout, x * 1, 0.3)
    with ft.fast_dropout():
        a = x * 1
        y = drawn(F.dropout, a, 0.3, inplace=inplace)
    assert torch.equal(y, expected)
    assert (y is a) == inplace
    if grad:
        y.sum().backward()
        assert torch.equal(x.grad != 0, y != 0)


def test_inference_mode_and_eval(passes):
    x = torch.ones(100)
    with ft.fast_dropout():
        with torch.inference_mode():
            assert F.dropout(torch.ones(100)).is_inference()
        assert F.dropout(x, training=False) is x
        for p in (-0.5, 1.5):
            with pytest.raises(RuntimeError, match="between 0 and 1"):
                torch.dropout(x, p, True)
    assert passes == [100]


def attention(x):
    return F.scaled_dot_product_attention(x, x, x, dropout_p=0.2)


CALLERS = {
    "attention": lambda: attention(random(2, 3, 8, 4)),
    "multi-head attention": lambda: nn.MultiheadAttention(16, 2, dropout=0.2)(*[random(8, 3, 16)] * 3)[0],
    "transformer": lambda: nn.TransformerEncoderLayer(16, 2, 32, dropout=0.2)(random(8, 3, 16)),
    "lstm": lambda: nn.LSTM(5, 6, num_layers=3, dropout=0.2)(random(7, 2, 5))[0],
    "gru": lambda: nn.GRU(5, 6, num_layers=2, dropout=0.2)(random(7, 2, 5))[0],
}


@pytest.mark.parametrize("caller", CALLERS)
def test_others_are_served(caller, passes):
    drawn(CALLERS[caller])
    assert passes == []
    with ft.fast_dropout():
        y = drawn(CALLERS[caller])
    assert passes != []
    assert not torch.equal(y, drawn(CALLERS[caller]))
    if y.requires_grad:
        y.sum().backward()


def state():
    dumps = [torch._C._dispatch_dump(f"aten::{name}") for name in ("dropout", "dropout_")]
    return [*dumps, vars(CheckpointFunction)["forward"], vars(_CheckpointFrame)["__init__"]]


def test_it_is_undone_exactly():
    before, x = state(), torch.ones(1000)
    expected = drawn(F.dropout, x)
    with ft.fast_dropout():
        within = state()
        with ft.fast_dropout():
            assert state() == within
        assert state() == within
        assert not torch.equal(drawn(F.dropout, x), expected)
    assert state() == before
    with pytest.raises(KeyError), ft.fast_dropout():
        raise KeyError
    assert state() == before
    assert all(a != b for a, b in zip(before, within, strict=True))
    assert torch.equal(drawn(F.dropout, x), expected)


def test_it_holds_until_the_last_thread_leaves():
    before, inside, leave = state(), threading.Event(), threading.Event()

    def other():
        with ft.fast_dropout():
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    with ft.fast_dropout():
        pass
    assert state() != before
    leave.set()
    thread.join()
    assert state() == before


# Checkpoints. The first dropout is of something without a gradient, so that autograd sees nothing of its mask.


def net(w):
    return F.dropout(F.dropout(torch.ones(4, 50)) @ w).tanh().sum()


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_a_checkpoint_recomputes_with_the_same_kernel(reentrant, inside):
    w = random(50, 50).requires_grad_()
    with ft.fast_dropout():
        (expected,) = torch.autograd.grad(drawn(net, w), w)
        y = drawn(checkpoint, net, w, use_reentrant=reentrant)
        if inside:
            y.backward()
    if not inside:
        torch.manual_seed(99)
        y.backward()
    assert torch.equal(w.grad, expected)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_of_torchs_kernel_is_refused_inside(reentrant):
    w = random(50, 50).requires_grad_()
    y = drawn(checkpoint, net, w, use_reentrant=reentrant)
    with ft.fast_dropout(), pytest.raises(RuntimeError, match="got another caller"):
        y.backward()


def test_a_mask_whose_key_was_exchanged_is_an_error():
    x = random(8).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda key: key, lambda key: torch.ones(8)):
        y = ft.dropout(x)
    with pytest.raises(RuntimeError, match=r"the key of a mask must be 2 int64, got a tensor of torch.float32, \(8,\)"):
        y.sum().backward()


# What the kernel does not serve


def test_transforms():
    x = random(8, 30)

    def each(x):
        grad = torch.func.grad(lambda x: F.dropout(x).sum())
        return [grad(x), torch.func.vmap(grad, randomness="different")(x), torch.func.jvp(F.dropout, (x,), (x,))[1]]

    expected = drawn(each, x)
    with ft.fast_dropout():
        got = drawn(each, x)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


class Plain(torch.Tensor):
    pass


def test_tensors_of_others():
    complex_view = torch.randn(50, dtype=torch.complex64).conj().imag
    tensors = [
        random(50).as_subclass(Plain),
        complex_view,
        torch.nested.nested_tensor([random(3)], layout=torch.jagged),
    ]
    expected = [drawn(F.dropout, x) for x in tensors]
    with ft.fast_dropout():
        got = [drawn(F.dropout, x) for x in tensors]
        assert F.dropout(torch.empty(3, device="meta")).device.type == "meta"
        with torch._subclasses.FakeTensorMode() as mode:
            assert F.dropout(mode.from_tensor(random(3))).shape == (3,)
    assert [type(y) for y in got] == [type(y) for y in expected]
    assert torch.equal(got[0], expected[0])
    assert torch.equal(got[1], expected[1])


def test_tracing_and_export():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout())
    with ft.fast_dropout():
        traced = torch.jit.trace(model, random(2, 8), check_trace=False)
        program = torch.export.export(model, (random(2, 8),))
    assert "aten::dropout" in str(traced.inlined_graph)
    assert "aten.dropout" in str(program)
