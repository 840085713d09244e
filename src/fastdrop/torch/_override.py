"""fastdrop's kernel under torch's own operator, for dropout that no module stands for."""

from __future__ import annotations

import contextlib
import functools
import threading
from typing import TYPE_CHECKING, Any

import torch
from torch.utils import checkpoint

from ._passes import quick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor


class _Override:
    """The kernels, registered while any `with` is open in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._undo = contextlib.ExitStack()

    def enter(self) -> None:
        with self._lock:
            if self._open == 0:
                self._undo = _register()
            self._open += 1

    def leave(self) -> None:
        with self._lock:
            self._open -= 1
            if self._open == 0:
                self._undo.close()


_override = _Override()
_thread = threading.local()


def _register() -> contextlib.ExitStack:
    """Put the kernels under torch's operators, and tell checkpoints of it; closing what is returned undoes both."""
    with contextlib.ExitStack() as undo:
        library = torch.library.Library("aten", "IMPL")
        undo.callback(library._destroy)
        for key in ("CPU", "AutogradCPU"):  # without and with autograd
            library.impl("dropout", _dropout, key)
            library.impl("dropout_", _dropout_, key)
        for owner, name, ours in (
            (checkpoint.CheckpointFunction, "forward", staticmethod(_checkpoint_forward)),
            (checkpoint._CheckpointFrame, "__init__", _frame_init),
        ):
            undo.callback(setattr, owner, name, vars(owner)[name])
            setattr(owner, name, ours)
        return undo.pop_all()


def _dropout(x: Tensor, p: float, train: bool) -> Tensor:
    return _served_or_own(torch.ops.aten.dropout.default, x, p, train, inplace=False)


def _dropout_(x: Tensor, p: float, train: bool) -> Tensor:
    return _served_or_own(torch.ops.aten.dropout_.default, x, p, train, inplace=True)


def _served_or_own(operator: Any, x: Tensor, p: float, train: bool, inplace: bool) -> Tensor:
    _check_caller(train)
    y = quick(x, p, train, inplace, x.ndim, "dropout")
    # Not operator.decompose, which gives a copy where nothing is dropped: torch has a decomposition in Python for it.
    return operator._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, x, p, train) if y is None else y


def _check_caller(train: bool) -> None:
    in_backward = torch._C._current_graph_task_id() != -1
    if train and in_backward and not getattr(_thread, "recomputing", False):
        raise RuntimeError(
            "dropout in a backward pass within fast_dropout() must recompute a forward pass within fast_dropout(), "
            "got another caller, whose masks may be torch's own"
        )


def _by_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a checkpoint recomputes as a function that uses the kernel wherever it is called."""

    @functools.wraps(function)
    def recompute(*args: Any, **kwargs: Any) -> Any:
        before = getattr(_thread, "recomputing", False)
        _thread.recomputing = True
        try:
            with fast_dropout():
                return function(*args, **kwargs)
        finally:
            _thread.recomputing = before

    return recompute


_their_forward = checkpoint.CheckpointFunction.forward
_their_init = checkpoint._CheckpointFrame.__init__


def _checkpoint_forward(ctx: Any, run_function: Callable[..., Any], *args: Any) -> Any:
    return _their_forward(ctx, _by_kernel(run_function), *args)


def _frame_init(frame: Any, recompute_fn: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    _their_init(frame, _by_kernel(recompute_fn), *args, **kwargs)


@contextlib.contextmanager
def fast_dropout() -> Iterator[None]:
    """Use fastdrop's kernel wherever torch itself drops on the CPU, also in attention, LSTM and the code of others.

    Within the `with`, the operators `aten::dropout` and `aten::dropout_` of the whole process are fastdrop's, after it
    they are torch's as before. What the kernel does not serve is done by torch's own code. A forward pass within it may
    have its backward pass outside: what `torch.utils.checkpoint` recomputes there is recomputed by the same kernel.
    Other implementations of checkpointing would draw torch's masks there, and nothing could tell: use `replace`.

    Raises
    ------
    RuntimeError
        From a backward pass within the `with` that calls dropout, other than to recompute a checkpoint of the `with`:
        nothing tells which kernel the forward pass used.

    Examples
    --------
    >>> import torch
    >>> from fastdrop.torch import fast_dropout
    >>> attention = torch.nn.MultiheadAttention(64, 4, dropout=0.1)
    >>> x = torch.randn(10, 2, 64)
    >>> with fast_dropout():
    ...     y, _ = attention(x, x, x)
    >>> y.sum().backward()
    """
    _override.enter()
    try:
        yield
    finally:
        _override.leave()
