"""Monte-Carlo dropout on an exported ONNX model by onnxruntime, and `Dropout` for onnx's reference evaluator.

Optimisation turns a `Dropout` into an identity, and its own masks follow no key. So here each becomes a product with a
mask that is an input of the model, which fastdrop draws.
"""

from __future__ import annotations

import functools
import operator
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import fastdrop as fd

try:
    import onnx
    import onnx.inliner
    import onnx.shape_inference
    import onnxruntime
    from onnx import TensorProto, helper
    from onnx.reference.op_run import OpRun
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"fastdrop.onnx needs onnx and onnxruntime, got {error}: pip install 'numpy-fastdrop[onnx]'", name=error.name
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import SupportsIndex, TypeAlias

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]
    AnyRng = (
        fd.Rng
        | SupportsIndex
        | list[int]
        | np.random.SeedSequence
        | np.random.Generator
        | np.random.BitGenerator
        | None
    )
    Model: TypeAlias = onnx.ModelProto | bytes | str | os.PathLike[str]

__all__ = ["Dropout", "monte_carlo"]


def monte_carlo(
    model: Model, feeds: Mapping[str, ArrayLike], samples: SupportsIndex = 100, *, rng: AnyRng = None
) -> fd.MonteCarlo | dict[str, fd.MonteCarlo]:
    """Run a model many times with other dropout masks: the mean is the prediction, the spread its uncertainty [1]_.

    Every `Dropout` drops at its own ratio, whatever its training mode; so does what torch's exporter makes of its other
    dropout layers (RandomUniformLike, Less, Cast). What else is random stays onnxruntime's.

    Parameters
    ----------
    model : onnx.ModelProto, bytes, str or PathLike
        The model, its bytes, or its path; below 2 GiB. The session of the last one is kept for the next call.
    feeds : dict of str to array_like
        The inputs by name, in the dtypes that the model declares.
    samples : int
        How many passes, at least 1.
    rng : Rng, int, sequence of int, SeedSequence, Generator, BitGenerator or None
        As for `fastdrop.monte_carlo`: sample t draws from ``rng.fold_in(t)``, in the order of the graph's nodes.

    Returns
    -------
    MonteCarlo, or dict of str to MonteCarlo
        Of the output; where the model has several, of each by its name, from the same passes, whose outputs are all
        kept meanwhile.

    Raises
    ------
    TypeError
        Where model, samples or rng is of another kind, or an output is no array of numbers.
    ValueError
        Where the model has no dropout, or one inside of If, Loop or Scan, whose mask cannot be an input; where samples
        is below 1, a ratio not between 0 and 1, or an input missing. Other errors are onnxruntime's own.

    Warns
    -----
    UserWarning
        Where all samples of an output are equal: no dropout comes before it.

    Notes
    -----
    One more pass, the first, finds the shapes of the masks and the ratios: the float32 nearest to 0.2 means p=0.2.

    References
    ----------
    .. [1] Gal and Ghahramani, "Dropout as a Bayesian approximation: representing model uncertainty in deep learning",
       ICML 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from onnx import parser
    >>> from fastdrop.onnx import monte_carlo
    >>> model = parser.parse_model('''
    ...     <ir_version: 8, opset_import: ["": 13]>
    ...     net (float[n, 8] x) => (float[n, 1] y) {
    ...         ratio = Constant <value = float {0.2}> ()
    ...         hidden = Dropout (x, ratio)
    ...         y = ReduceMean <axes = [1]> (hidden)
    ...     }''')
    >>> result = monte_carlo(model, {"x": np.ones((4, 8), np.float32)}, samples=1000, rng=0)
    >>> result
    MonteCarlo(samples=1000, shape=(4, 1), keep=False)
    >>> np.allclose(result.std, np.sqrt(0.2 / 0.8 / 8), atol=0.02)
    True
    """
    if operator.index(samples) < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    network = _network(_serialized(model))
    inputs = {name: np.asarray(value) for name, value in feeds.items()}
    masks = network.masks(inputs)
    source = fd.Dropout(rng=rng).rng  # one for all outputs
    passes: dict[tuple[int, int], list[Array]] = {}
    last = len(network.outputs) - 1

    def output(i: int) -> Callable[[Array, fd.Rng], Array]:
        def f(_: Array, rng: fd.Rng) -> Array:
            if rng.key not in passes:
                passes[rng.key] = network.run(inputs, masks, rng)
            return (passes.pop(rng.key) if i == last else passes[rng.key])[i]

        return f

    results = [fd.monte_carlo(output(i), 0.0, samples, rng=source) for i in range(last + 1)]
    return results[0] if last == 0 else dict(zip(network.outputs, results, strict=True))


def _serialized(model: Model) -> bytes:
    if isinstance(model, bytes):
        return model
    if isinstance(model, str | os.PathLike):
        model = onnx.load(model)
    if not isinstance(model, onnx.ModelProto):
        raise TypeError(f"model must be an onnx.ModelProto, bytes or a path, got {type(model).__name__}")
    data: bytes = model.SerializeToString()
    return data


@functools.lru_cache(maxsize=1)
def _network(model: bytes) -> _Network:
    return _Network(onnx.load_model_from_string(model))


class _Site(NamedTuple):
    """A place for a mask: its input, the outputs with its shape and its ratio, and of what kind these are."""

    mask: str
    shape: str
    ratio: str
    keeps: bool  # the ratio is kept, and the mask not scaled
    dtype: np.dtype[Any]


class _Network:
    """A session of a model whose masks are inputs."""

    def __init__(self, model: onnx.ModelProto) -> None:
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        self.outputs = [output.name for output in model.graph.output]
        self._sites = _with_masks_as_inputs(model)
        if not self._sites:
            raise ValueError(
                "model must have a Dropout, got none: export it in training mode, as by "
                "torch.onnx.export(model.train(), (x,), path, dynamo=True), since one in eval mode has none left"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors: what fed the dropouts alone is now unused, which is no news
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def masks(self, inputs: dict[str, Array]) -> list[tuple[tuple[int, ...], float]]:
        """Run once with nothing dropped, and return the shape and the p of each mask that these inputs need."""
        names = [name for site in self._sites for name in (site.shape, site.ratio)]
        nothing = {site.mask: np.ones((), site.dtype) for site in self._sites}
        found = iter(self._session.run(names, inputs | nothing))
        return [(tuple(next(found).tolist()), _probability(next(found), site.keeps)) for site in self._sites]

    def run(self, inputs: dict[str, Array], masks: list[tuple[tuple[int, ...], float]], rng: fd.Rng) -> list[Array]:
        """Return the outputs of a pass with masks drawn from rng."""
        drawn = {}
        for site, (shape, p) in zip(self._sites, masks, strict=True):
            ones = np.ones(shape, site.dtype)
            drawn[site.mask], _ = fd.dropout(ones, p, rng=rng, out=ones, store="recipe", inverted=not site.keeps)
        outputs: list[Array] = self._session.run(self.outputs, inputs | drawn)
        return outputs


def _probability(ratio: Array, keeps: bool) -> float:
    """Return the p of a ratio, read as the shortest decimal that its dtype rounds to it."""
    written = Decimal(str(ratio.reshape(())[()]))
    return float(1 - written if keeps else written)


def _with_masks_as_inputs(model: onnx.ModelProto) -> list[_Site]:
    """Change the dropouts of the model to products with inputs, and return their places."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type.tensor_type.elem_type for value in [*inferred.value_info, *inferred.output]}
    graph = model.graph
    del graph.value_info[:]  # with shapes, which are others in the first pass
    makers = {name: node for node in graph.node for name in node.output}
    sites: list[_Site] = []
    for node in list(graph.node):
        _refuse_inner_dropout(node)
        mask, shape, ratio = (f"fastdrop_{what}_{len(sites)}" for what in ("mask", "shape", "ratio"))
        less = _coin_flips(node, makers)
        if _is_dropout(node):
            like, rate, product = node.input[0], _ratio_of(node, graph), ("Mul", [node.input[0], mask])
        elif less is not None:
            like, rate, product = less.input[0], less.input[1], ("Identity", [mask])
        else:
            continue
        elem_type = types.get(node.output[0]) or TensorProto.FLOAT  # or onnxruntime refuses, where that is wrong
        if len(node.output) > 1 and node.output[1]:
            graph.node.append(helper.make_node("Cast", [mask], [node.output[1]], to=TensorProto.BOOL))
        node.CopyFrom(helper.make_node(*product, [node.output[0]], name=node.name))
        graph.node.extend([helper.make_node("Shape", [like], [shape]), helper.make_node("Identity", [rate], [ratio])])
        graph.input.append(helper.make_tensor_value_info(mask, elem_type, None))
        graph.output.extend([onnx.ValueInfoProto(name=shape), onnx.ValueInfoProto(name=ratio)])
        sites.append(_Site(mask, shape, ratio, less is not None, helper.tensor_dtype_to_np_dtype(elem_type)))
    return sites


def _is_dropout(node: onnx.NodeProto) -> bool:
    return node.op_type == "Dropout" and node.domain in ("", "ai.onnx")


def _refuse_inner_dropout(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        for inner in attribute.g.node:
            if _is_dropout(inner):
                raise ValueError(
                    f"dropout must be in the main graph for its mask to be an input, got one in a {node.op_type}"
                )
            _refuse_inner_dropout(inner)


def _ratio_of(node: onnx.NodeProto, graph: onnx.GraphProto) -> str:
    """Return the tensor with the ratio, made where the ratio is an attribute (below opset 12) or the default."""
    if len(node.input) > 1 and node.input[1]:
        return str(node.input[1])
    value = next((attribute.f for attribute in node.attribute if attribute.name == "ratio"), 0.5)
    name = f"fastdrop_{node.output[0]}_ratio"
    graph.initializer.append(helper.make_tensor(name, TensorProto.FLOAT, [], [value]))
    return name


def _coin_flips(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> onnx.NodeProto | None:
    """Return the Less of ``Cast(Less(RandomUniformLike(.), keep))``; None of another node."""
    chain = [node]
    while len(chain) < 3 and chain[-1].input and chain[-1].input[0] in makers:
        chain.append(makers[chain[-1].input[0]])
    if [link.op_type.removesuffix("Like") for link in chain] != ["Cast", "Less", "RandomUniform"]:
        return None
    limits = {attribute.name: attribute.f for attribute in chain[2].attribute}
    return chain[1] if (limits.get("low", 0), limits.get("high", 1)) == (0, 1) else None


class Dropout(OpRun):
    """ONNX's Dropout, opsets 7 to 22, for onnx's reference evaluator, with masks by fastdrop.

    Below opset 12, and where `training_mode` is not true, it drops nothing. Its second output is the mask, True where
    kept. Each run draws new masks; `seeded` gives them a key. A node with the attribute `seed` has the first mask of
    ``fastdrop.Rng(seed)`` at every run, unless the class is seeded.

    Examples
    --------
    >>> import numpy as np
    >>> from onnx import parser
    >>> from onnx.reference import ReferenceEvaluator
    >>> from fastdrop.onnx import Dropout
    >>> model = parser.parse_model('''
    ...     <ir_version: 8, opset_import: ["": 13]>
    ...     net (float[n] x, float ratio, bool training) => (float[n] y) { y = Dropout (x, ratio, training) }''')
    >>> evaluator = ReferenceEvaluator(model, new_ops=[Dropout.seeded(0)])
    >>> feeds = {"x": np.ones(8, np.float32), "ratio": np.float32(0.5), "training": np.True_}
    >>> evaluator.run(None, feeds)
    [array([2., 0., 0., 2., 2., 2., 0., 2.], dtype=float32)]
    """

    op_domain = ""
    _rng: fd.Rng | None = None

    @classmethod
    def seeded(cls, rng: AnyRng) -> type[Dropout]:
        """Return the op with masks from one rng, which is what the layers of fastdrop take."""
        return type(cls.__name__, (cls,), {"_rng": fd.Dropout(rng=rng).rng})

    def _run(
        self, x: Array, ratio: Any = None, training_mode: Any = None, *, seed: int | None = None
    ) -> tuple[Array, ...]:
        if not training_mode:
            y, kept = x, np.ones(np.shape(x), np.bool_)
        else:
            p = 0.5 if ratio is None else _probability(np.asarray(ratio), keeps=False)
            y, mask = fd.dropout(x, p, rng=seed if self._rng is None else self._rng)
            kept = mask.to_bool()
        return (y, kept)[: len(self.onnx_node.output)]
