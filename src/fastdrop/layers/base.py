"""The face that all layers share: what remembers a rate, an Rng and the last forward."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from .._core.arguments import check_array, result
from .._core.arithmetic import multiply
from .._core.dropout import check_p, dropout_backward
from .._core.mask import Mask, identity
from .._core.rng import Rng, own_rng
from .._core.saved import STATE, check_version, from_plain, to_plain
from .._foreign_words import check_keywords

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._core.rng import AnyRng

    Array = NDArray[Any]


# Where a pickle has the slots of a subclass, and a user's `version`, which is a key of the pickle's own.
_MORE = "fastdrop.more"  # no attribute, as it has a dot


class Layer:
    """A layer that draws at each forward in training mode: a subclass says how, by `_drop`.

    What a user adds to a layer or to a subclass is copied and pickled with it.

    Attributes
    ----------
    mask : Mask or None
        The mask of the last forward, None if that drew none.
    training : bool
        Whether forward drops.
    """

    _rate = "p"  # its name in the state
    _factor: Any = None  # what the last forward multiplied by, where that was no mask, and its shape
    _shape: tuple[int, ...] = ()
    _multiply = staticmethod(multiply)  # x by a factor into y
    # What a pickle is checked for. Arrays among these are plain there; what a user has made and lent stays as it is.
    _kinds: ClassVar[dict[str, Any]] = {
        "_p": object,
        "_rng": Rng,
        "mask": Mask | None,
        "training": bool,
        "_ran": bool,
        "_factor": np.ndarray | list | float | None,
    }

    def __init__(self, p: Any, rng: AnyRng) -> None:
        self._p = self._checked(p)
        self._rng = own_rng(rng)
        self.training = True
        self.mask: Mask | None = None
        self._ran = False

    def _checked(self, p: Any) -> Any:
        """Return the rate as it is kept; arrays are refused where a subclass does not take them."""
        return check_p(p, arrays=False)

    def _drop(self, x: Array, rng: AnyRng) -> tuple[Array, Mask | None]:
        """Return the output in training mode and its mask."""
        raise NotImplementedError

    def _evaluate(self, x: Array) -> Array:
        """Return the output in eval mode."""
        x = as_given(x)
        self._factor = None
        return x

    @property
    def p(self) -> Any:
        """The probability of dropping."""
        return self._p

    @p.setter
    def p(self, p: Any) -> None:
        self._p = self._checked(p)

    @property
    def rng(self) -> Rng:
        """Where the masks come from."""
        return self._rng

    @rng.setter
    def rng(self, rng: AnyRng) -> None:
        self._rng = own_rng(rng)

    def forward(self, x: Array, rng: AnyRng = None) -> Array:
        """Drop and scale in training mode, return `x` itself in eval mode.

        Parameters
        ----------
        x : array_like
            As in `dropout`. What is no ndarray (a list, a DataFrame, a memoryview) comes back from eval mode as
            ``numpy.asarray(x)``; an ndarray is not even checked there.
        rng : optional
            As in `dropout`: where this call's mask comes from, instead of the layer's own `rng`.

        Returns
        -------
        ndarray
        """
        if self.training:
            y, mask = self._drop(x, self._rng if rng is None else rng)
        else:
            y, mask = self._evaluate(x), None
        self.mask, self._ran = mask, True
        return y

    def __call__(self, *args: Any, **options: Any) -> Array:
        """Do what `forward` does."""
        if options:
            check_keywords(options, type(self).__name__)
        return self.forward(*args, **options)

    def backward(self, dy: Array, out: Array | None = None) -> Array:
        """Compute the gradient of the last forward: `dy` masked and scaled as `x` was.

        Where that returned `x` itself, in eval mode, it is `dy` itself, or ``numpy.asarray(dy)``.

        Parameters
        ----------
        dy : array_like
            The gradient of the loss by the layer's output.
        out : ndarray, optional
            As in `dropout_backward`.

        Returns
        -------
        ndarray

        Raises
        ------
        RuntimeError
            Before any forward.
        """
        if self.mask is not None:
            return dropout_backward(dy, self.mask, out=out)
        if not self._ran:
            raise RuntimeError("backward needs a forward before it")
        if self._factor is None:
            return as_given(dy) if out is None else dropout_backward(dy, identity(np.shape(dy)), out=out)
        dy = check_array(dy, "dy")
        if dy.shape != self._shape:
            raise ValueError(f"dy must have the output's shape {self._shape}, got {dy.shape}")
        dx = result(dy, out, "dy")
        self._multiply(dy, self._factor, dx)
        return dx

    def train(self, mode: bool = True) -> Self:
        """Switch dropping on, or off where `mode` is False; returns the layer."""
        if not isinstance(mode, (bool, np.bool_)):
            raise TypeError(f"mode must be a bool, got {type(mode).__name__}")
        self.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Switch dropping off; returns the layer."""
        return self.train(False)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to draw the masks of one that never stopped.

        Returns
        -------
        dict
            Flat, of types that `json` and `numpy.savez` both take: `Rng.state`, `p` (an array as lists) and `training`.
        """
        rate = self._p.tolist() if isinstance(self._p, np.ndarray) else self._p
        return {**self._rng.state, self._rate: rate, "training": self.training}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state, also as `json.load` or `numpy.load` give it back; a shared Rng is set in place.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be a mapping, got {type(state).__name__}")
        state = {name: np.asarray(value).tolist() for name, value in dict(state).items()}
        keys = (*STATE, self._rate, "training")
        missing, unknown = [k for k in keys if k not in state], [k for k in state if k not in keys]
        if missing or unknown:
            raise ValueError(
                f"besides {self._rate} and training, a layer's state must have the keys {', '.join(STATE)}, "
                f"got {list(state)}: missing {missing}, unknown {unknown}"
            )
        p, training = self._checked(state.pop(self._rate)), state.pop("training")
        if not isinstance(training, bool):
            raise TypeError(f"training must be a bool, got {type(training).__name__}")
        self._rng.state = state
        self._p, self.training = p, training

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        attributes, more = state if isinstance(state, tuple) else (state, {})
        if "version" in attributes:
            more = {**more, "version": attributes["version"]}
        own = {name: to_plain(getattr(self, name)) for name in self._kinds}
        return {**attributes, "version": 1, **own, **({_MORE: more} if more else {})}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise TypeError(f"the state of a pickled layer must be a dict, got {type(state).__name__}")
        state = dict(state)
        check_version(state.pop("version", None), "layer")
        more = state.pop(_MORE, {})
        if not isinstance(more, dict):
            raise TypeError(f"the slots of a pickled layer must be a dict, got {type(more).__name__}")
        for name, kind in self._kinds.items():
            value = state[name] = from_plain(state.get(name))
            if not isinstance(value, kind):
                raise TypeError(f"a pickled layer's {name} is of a wrong type: {type(value).__name__}")
        state["_p"] = self._checked(state["_p"])
        for name, value in more.items():
            setattr(self, name, value)
        vars(self).update(state)

    def __repr__(self) -> str:
        options = [f"{self._rate}={self._p}"]
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value = getattr(self, name, parameter.default)
            if name not in (self._rate, "rng") and not isinstance(value, np.ndarray) and value != parameter.default:
                options.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(options)})"


def as_given(x: Any) -> Array:
    """Return an array itself, anything else as one."""
    return x if isinstance(x, np.ndarray) else np.asarray(x)
