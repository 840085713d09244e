"""The API that all layers share: p, an Rng, forward and backward, modes, states and pickles."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from .._core.arguments import check_array, result
from .._core.arithmetic import multiply
from .._core.dropout import check_p, dropout_backward
from .._core.mask import Mask, identity
from .._core.rng import Rng
from .._core.saved import STATE, check_version, from_plain, to_plain
from .._core.streams import own_rng
from .._foreign_words import check_keywords

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._core.rng import AnyRng

    Array = NDArray[Any]


# The key of a pickle for the slots of a subclass, and for an attribute `version` of a user: the pickle uses that key.
_MORE = "fastdrop.more"  # no attribute can have this name, because of the dot


class Layer:
    """A layer that draws at each forward in training mode: subclasses implement `_drop`.

    Attributes that a user adds to a layer or to a subclass are copied and pickled with it.

    Attributes
    ----------
    mask : Mask or None
        The mask of the last forward, None if that drew none.
    training : bool
        Whether forward drops.
    """

    _rate = "p"  # the name of `_p` in a state
    _factor: Any = None  # what the last forward multiplied by, if that was not a mask
    _shape: tuple[int, ...] = ()  # the shape of the last output, if there is a _factor
    _multiply = staticmethod(multiply)  # sets y to x times a factor
    # The attributes that are checked in a pickle, where arrays among them are plain bytes. Arrays owned by the user are
    # pickled unchanged.
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
        """Return p as the layer keeps it. Arrays are refused here; subclasses may take them."""
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
        """The source of the masks."""
        return self._rng

    @rng.setter
    def rng(self, rng: AnyRng) -> None:
        self._rng = own_rng(rng)

    def forward(self, x: Array, rng: AnyRng = None) -> Array:
        """Drop and scale in training mode; return `x` itself in eval mode.

        Parameters
        ----------
        x : array_like
            As in `dropout`. In eval mode an ndarray is returned unchecked, and anything else (a list, a DataFrame) as
            ``numpy.asarray(x)``.
        rng : optional
            The source of this call's mask, as in `dropout`, instead of the layer's own `rng`.

        Returns
        -------
        ndarray
            Of x's shape and dtype.

        Raises
        ------
        TypeError
            If `x` has no dtype of `dropout`, or is a masked or sparse array; if `rng` is of another type. With
            ``inplace=True``, if `x` is not an ndarray.
        ValueError
            If `x` has a shape that the layer does not take. With ``inplace=True``, if `x` is read-only, misaligned,
            byte-swapped, or overlaps itself.
        OverflowError
            If the `Rng` has no stream left.

        Notes
        -----
        A call that raises changes nothing in the layer.
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
        """Compute the gradient of the last forward: mask and scale `dy` as that did with `x`.

        After a forward that returned `x` itself, in eval mode, it is `dy` itself, or ``numpy.asarray(dy)``.

        Parameters
        ----------
        dy : array_like
            The gradient of the loss with respect to the layer's output, of its shape.
        out : ndarray, optional
            Where the result goes, as in `dropout_backward`; may be `dy`.

        Returns
        -------
        ndarray
            `out`, or a new array of dy's shape and dtype.

        Raises
        ------
        RuntimeError
            If there was no forward before.
        TypeError
            If `dy` has no dtype of `dropout`, or is a masked or sparse array; if `out` is not an ndarray.
        ValueError
            If `dy` has not the output's shape, or `out` is refused by `dropout`.
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
        """Switch dropping on, or off.

        Parameters
        ----------
        mode : bool
            True: training mode, in which forward drops. False: eval mode.

        Returns
        -------
        Layer
            This layer.

        Raises
        ------
        TypeError
            If `mode` is not a bool.
        """
        if not isinstance(mode, (bool, np.bool_)):
            raise TypeError(f"mode must be a bool, got {type(mode).__name__}")
        self.training = bool(mode)
        return self

    def eval(self) -> Self:
        """Switch dropping off.

        Returns
        -------
        Layer
            This layer.
        """
        return self.train(False)

    def state_dict(self) -> dict[str, Any]:
        """Return the state with which a resumed run draws the same masks as one that was not stopped.

        Returns
        -------
        dict
            The entries of `Rng.state`, `p` (an array as nested lists) and `training`, in types that `json` and
            `numpy.savez` both take.
        """
        rate = self._p.tolist() if isinstance(self._p, np.ndarray) else self._p
        return {**self._rng.state, self._rate: rate, "training": self.training}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set p, the mode and the Rng to a saved state. An `Rng` that is shared is set, too.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned, also after saving and loading it by `json` or `numpy.savez`.

        Raises
        ------
        TypeError
            If `state` is not a mapping, or a value is of a wrong type.
        ValueError
            If a key is missing or unknown, the version is not 1, or a value is out of range.

        Notes
        -----
        A call that raises changes nothing.
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
    """Return an array itself, and anything else as an array."""
    return x if isinstance(x, np.ndarray) else np.asarray(x)
