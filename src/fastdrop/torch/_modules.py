"""torch's dropout modules and function on the quick path, and how they take the place of torch's in a model."""

from typing import ClassVar, TypeVar

from torch import Tensor, nn
from torch.nn import functional as F

from ._passes import quick

Module = TypeVar("Module", bound=nn.Module)


def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drop the elements of a tensor: `torch.nn.functional.dropout`, quicker on the CPU.

    Parameters
    ----------
    x : Tensor
        Any shape. float16, bfloat16, float32, float64, complex64 and complex128 on the CPU are quick; everything else
        is done by torch's own code.
    p : float
        The probability of dropping an element, 0 to 1.
    training : bool
        Without it x is returned as it is.
    inplace : bool
        Whether to overwrite x, and return it.

    Returns
    -------
    Tensor
        Of x's shape, dtype and strides: kept elements times `1 / (1 - p)`, dropped ones +0.0, NaN included. Which ones
        are dropped depends on torch's CPU generator and the place of an element in C order, not on the strides.

    Raises
    ------
    ValueError
        If p is not between 0 and 1.
    RuntimeError
        Where torch refuses to overwrite x.

    Examples
    --------
    >>> import torch
    >>> from fastdrop.torch import dropout
    >>> x = torch.ones(1000, requires_grad=True)
    >>> y = dropout(x, 0.2)
    >>> y.unique()
    tensor([0.0000, 1.2500], grad_fn=<Unique2Backward0>)
    >>> y.sum().backward()
    >>> torch.equal(x.grad, y)
    True
    """
    y = quick(x, p, training, inplace, x.ndim, "dropout") if isinstance(x, Tensor) else None
    return F.dropout(x, p, training, inplace) if y is None else y


class _Quick(nn.Module):
    """A forward pass that asks the quick path first, and the torch module behind it in the order of bases second."""

    _kind: ClassVar[str] = "dropout"
    p: float
    inplace: bool

    @staticmethod
    def _axes(ndim: int) -> int | None:
        """Return how many leading axes are dropped apart; None where torch has an error or a warning."""
        return ndim

    def forward(self, input: Tensor) -> Tensor:
        inplace = self.inplace and self._kind == "dropout"  # as in torch, the alpha modules never are
        y = quick(input, self.p, self.training, inplace, self._axes(input.ndim), self._kind)
        return super().forward(input) if y is None else y


class Dropout(_Quick, nn.Dropout):
    """`torch.nn.Dropout`, quicker on the CPU: `dropout` as a module, with the same parameters.

    Examples
    --------
    >>> import torch
    >>> from fastdrop.torch import Dropout
    >>> layer = Dropout(0.2)
    >>> layer
    Dropout(p=0.2, inplace=False)
    >>> isinstance(layer, torch.nn.Dropout)
    True
    >>> layer(torch.ones(2, 500)).unique()
    tensor([0.0000, 1.2500])
    """


class Dropout1d(_Quick, nn.Dropout1d):
    """`torch.nn.Dropout1d`, quicker on the CPU: drops whole channels of (N, C, L) or (C, L).

    Examples
    --------
    >>> import torch
    >>> from fastdrop.torch import Dropout1d
    >>> y = Dropout1d(0.5)(torch.ones(2, 8, 100))
    >>> sorted(set(y.sum(-1).flatten().tolist()))
    [0.0, 200.0]
    """

    @staticmethod
    def _axes(ndim: int) -> int | None:
        return {2: 1, 3: 2}.get(ndim)


class Dropout2d(_Quick, nn.Dropout2d):
    """`torch.nn.Dropout2d`, quicker on the CPU for (N, C, H, W): drops whole channels. Other shapes are torch's."""

    @staticmethod
    def _axes(ndim: int) -> int | None:
        return 2 if ndim == 4 else None


class Dropout3d(_Quick, nn.Dropout3d):
    """`torch.nn.Dropout3d`, quicker on the CPU: drops whole channels of (N, C, D, H, W) or (C, D, H, W)."""

    @staticmethod
    def _axes(ndim: int) -> int | None:
        return {4: 1, 5: 2}.get(ndim)


class AlphaDropout(_Quick, nn.AlphaDropout):
    """`torch.nn.AlphaDropout`, quicker on the CPU: keeps mean 0 and variance 1 (Klambauer et al. 2017)."""

    _kind = "alpha"


class FeatureAlphaDropout(_Quick, nn.FeatureAlphaDropout):
    """`torch.nn.FeatureAlphaDropout`, quicker on the CPU: `AlphaDropout` of whole channels, axes 0 and 1."""

    _kind = "alpha"

    @staticmethod
    def _axes(ndim: int) -> int | None:
        return 2 if ndim >= 2 else None


_OURS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: Dropout,
    nn.Dropout1d: Dropout1d,
    nn.Dropout2d: Dropout2d,
    nn.Dropout3d: Dropout3d,
    nn.AlphaDropout: AlphaDropout,
    nn.FeatureAlphaDropout: FeatureAlphaDropout,
}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}


def _exchange(module: nn.Module, classes: dict[type[nn.Module], type[nn.Module]]) -> None:
    for part in module.modules():
        # The class alone changes: the same object keeps its training flag, hooks, names and whatever refers to it.
        part.__class__ = classes.get(type(part), type(part))


def replace(module: Module) -> Module:
    """Make every dropout module of a model quick, in place; those of subclasses of torch's classes are left alone.

    Parameters
    ----------
    module : torch.nn.Module
        The model, or a dropout module itself. Calls of `torch.nn.functional.dropout` are not modules: see
        `fast_dropout`.

    Returns
    -------
    torch.nn.Module
        The same module.

    Examples
    --------
    >>> from torch import nn
    >>> from fastdrop.torch import replace, restore
    >>> model = replace(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1)))
    >>> type(model[1])
    <class 'fastdrop.torch.Dropout'>
    >>> type(restore(model)[1])
    <class 'torch.nn.modules.dropout.Dropout'>
    """
    _exchange(module, _OURS)
    return module


def restore(module: Module) -> Module:
    """Make every dropout module of a model torch's own again, in place: what `replace` did, undone.

    Parameters
    ----------
    module : torch.nn.Module
        The model.

    Returns
    -------
    torch.nn.Module
        The same module.
    """
    _exchange(module, _THEIRS)
    return module
