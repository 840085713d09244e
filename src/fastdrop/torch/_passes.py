"""The pass that dropout makes over a tensor, its gradient, and which tensors it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

import fastdrop as fd

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A recipe, all that decides a mask and what is done with it, is (key, p, axes, kind): the first `axes` axes are dropped
# element by element, those behind them together, and kind is "dropout", "alpha", or "mask", which does not scale.


# One pass over the data


def _array(x: Tensor) -> NDArray[Any]:
    """Return a NumPy view of a plain tensor."""
    x = x.detach() if x.requires_grad else x
    if x.dtype is torch.bfloat16:
        return x.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return x.numpy()


def _empty_like(x: Tensor) -> Tensor:
    """Return a new tensor with the strides that torch gives a result."""
    if x.nbytes < _LARGE:
        return torch.empty_like(x)
    # In an array of NumPy's, which asks for huge pages, from the start of a cache line on. Not a view of it: autograd
    # would refuse to overwrite a view that a Function returns.
    memory = torch.from_numpy(np.empty(x.numel() * x.itemsize + 64, np.uint8))
    strides = torch.empty_like(x, device="meta").stride()
    start = -memory.data_ptr() % 64 // x.itemsize
    return torch.empty(0, dtype=x.dtype, device="cpu").set_(memory.untyped_storage(), start, x.shape, strides)


_LARGE = 1 << 22  # bytes, from which on NumPy asks for huge pages


def _noise_shape(shape: torch.Size, axes: int) -> tuple[int, ...] | None:
    """Return the shape that decides a mask: the axes behind the first `axes` are dropped together."""
    return None if axes == len(shape) else (*shape[:axes], *(1,) * (len(shape) - axes))


def _passed(x: Tensor, key: Tensor, p: float, axes: int, kind: str, inplace: bool = False) -> Tensor:
    """Return the plain tensor x after the pass that a recipe stands for."""
    y = x if inplace else _empty_like(x)
    array, rng, noise_shape = _array(x), fd.Rng.from_key(*key.tolist()), _noise_shape(x.shape, axes)
    out = array if inplace else _array(y)
    if kind == "alpha":
        fd.alpha_dropout(array, p, rng=rng, noise_shape=noise_shape, out=out, store="recipe")
    else:
        inverted = kind == "dropout"
        fd.dropout(array, p, rng=rng, noise_shape=noise_shape, out=out, store="recipe", inverted=inverted)
    return y


def _alpha_scale(p: float) -> float:
    """Return what alpha dropout multiplies kept elements by: Klambauer et al. 2017, section 2.3."""
    return float(((1.7580993408473766**2 * p + 1) * (1 - p)) ** -0.5)


# Autograd: the gradient of a pass is a pass of dy, so it can be differentiated again


class _Pass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, key: Tensor, p: float, axes: int, kind: str, inplace: bool) -> Tensor:
        ctx.save_for_backward(key)  # as a tensor: so checkpointing sees that a recomputation saves something else
        ctx.recipe = p, axes, kind
        if inplace:
            ctx.mark_dirty(x)
        return _passed(x, key, p, axes, kind, inplace)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        (key,) = ctx.saved_tensors
        if key.dtype is not torch.int64 or key.shape != (2,):
            raise RuntimeError(f"the key of a mask must be 2 int64, got a tensor of {key.dtype}, {tuple(key.shape)}")
        return _gradient(dy, key, *ctx.recipe), None, None, None, None, None


def _gradient(dy: Tensor, key: Tensor, p: float, axes: int, kind: str) -> Tensor:
    if kind == "alpha":
        return _gradient(dy, key, p, axes, "mask") * _alpha_scale(p)
    if _is_plain(dy):
        return _eager(dy, key, p, axes, kind, inplace=False)
    noise_shape = _noise_shape(dy.shape, axes) or dy.shape
    dropped = torch.from_numpy(fd.bernoulli(noise_shape, p, rng=fd.Rng.from_key(*key.tolist())))
    scale = 1 / (1 - p) if kind == "dropout" and p < 1 else 1.0
    return (dy * scale).masked_fill(dropped, 0.0)


def _eager(x: Tensor, key: Tensor, p: float, axes: int, kind: str, inplace: bool) -> Tensor:
    if x.requires_grad and torch.is_grad_enabled():
        return _Pass.apply(x, key, p, axes, kind, inplace)
    y = _passed(x, key, p, axes, kind, inplace)
    if inplace and not x.is_inference():
        torch.autograd.graph.increment_version(x)
    return y


@torch.library.custom_op("fastdrop::dropout", mutates_args=())
def _operator(x: Tensor, key: Tensor, p: float, axes: int, kind: str) -> Tensor:
    """The same pass as an operator that torch.compile does not look into."""
    return _passed(x, key, p, axes, kind)


@_operator.register_fake
def _(x: Tensor, key: Tensor, p: float, axes: int, kind: str) -> Tensor:
    return torch.empty_like(x)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, key, *ctx.recipe = inputs
    ctx.save_for_backward(key)


def _operator_backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
    p, axes, kind = ctx.recipe
    dx = _operator(dy, *ctx.saved_tensors, p, axes, "mask" if kind == "alpha" else kind)
    return dx * _alpha_scale(p) if kind == "alpha" else dx, None, None, None, None


_operator.register_autograd(_operator_backward, setup_context=_setup)


# What the kernel serves

_TYPES = (Tensor, nn.Parameter)
_REAL = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_DTYPES = {"dropout": _REAL | {torch.complex64, torch.complex128}, "alpha": _REAL}
# The dispatch keys of an ordinary tensor on the CPU, and of a thread in an ordinary state; every other kind of tensor
# (functorch's, conjugate, nested, on another device) and every mode (vmap, tracing, fake tensors) has more.
_keys, _state = torch._C._dispatch_keys, torch._C._dispatch_tls_local_include_set
_PLAIN, _STATES = {_keys(torch.empty(0, device="cpu")).raw_repr()}, {_state().raw_repr()}
with torch.inference_mode():
    _PLAIN.add(_keys(torch.empty(0, device="cpu")).raw_repr())
    _STATES.add(_state().raw_repr())


def _is_plain(x: Tensor) -> bool:
    known = type(x) in _TYPES and _keys(x).raw_repr() in _PLAIN and _state().raw_repr() in _STATES
    return known and forward_ad._current_level < 0


def _is_writable(x: Tensor) -> bool:
    """Return whether x may be overwritten; torch's own code knows views, and has the errors."""
    if x.requires_grad and torch.is_grad_enabled() and (x.is_leaf or x._is_view()):
        return False
    if x.is_inference() and not torch.is_inference_mode_enabled():
        return False
    reach = 0  # of the elements that the axes of smaller steps span: a larger step must lead beyond
    for step, size in sorted(zip(x.stride(), x.shape, strict=True)):
        if size > 1 and step <= reach:
            return False
        reach += step * (size - 1)
    return True


def quick(x: Tensor, p: float, training: bool, inplace: bool, axes: int | None, kind: str) -> Tensor | None:
    """Return x after dropout, or None where that is left to torch's own code."""
    drops = training and (0 < p < 1 or (p == 1 and kind == "dropout"))
    if not drops or axes is None or type(x) not in _TYPES or x.dtype not in _DTYPES[kind]:
        return None
    compiling = torch.compiler.is_compiling()
    if compiling and (torch.compiler.is_exporting() or x.device.type != "cpu"):
        return None
    if not compiling and not (_is_plain(x) and (not inplace or _is_writable(x))):
        return None
    key = torch.randint((1 << 63) - 1, (2,), device="cpu")
    if not compiling:
        return _eager(x, key, float(p), axes, kind, inplace)
    y = _operator(x, key, float(p), axes, kind)
    return x.copy_(y) if inplace else y
