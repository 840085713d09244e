"""fastdrop.onnx: onnx's own node cases, and models in NumPy under the reference's masks.

The long form, with models exported by torch, whose own Monte-Carlo dropout they are held against: run.py onnx.
"""

import subprocess
import sys

import numpy as np
import pytest
import reference

import fastdrop as fd

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
import onnx.backend.test.case.node.dropout  # makes the cases of that op alone
from onnx import numpy_helper, parser
from onnx.backend.test.case import node as nodes
from onnx.reference import ReferenceEvaluator

from fastdrop.onnx import Dropout, monte_carlo

KEY = reference.key_from_seed(0)
X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
W = np.random.default_rng(1).standard_normal((6, 6)).astype(np.float32)
IMAGES = np.random.default_rng(2).standard_normal((2, 3, 4, 4)).astype(np.float32)


def model(text, opset=13, **weights):
    parsed = parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}, "local": 1]> {text}')
    parsed.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    return parsed


MLP = """net (float[n, 6] x) => (float[n, 6] y) {
    fifth = Constant <value = float {0.2}> ()
    training = Constant <value = bool {1}> ()
    a = MatMul (x, w)
    b = Relu (a)
    c = Dropout (b, fifth, training)
    d = MatMul (c, w)
    e = Dropout (d)
    y = Tanh (e)
}"""
CNN = """net (float[n, 3, h, w] x) => (float[n, 3] y) {
    keep = Constant <value = float {0.7}> ()
    a = Conv (x, weight)
    shape = Shape (a)
    first = Constant <value_ints = [0]> ()
    two = Constant <value_ints = [2]> ()
    batch_channels = Slice (shape, first, two, first)
    ones = Constant <value_ints = [1, 1]> ()
    noise_shape = Concat <axis = 0> (batch_channels, ones)
    noise = ConstantOfShape (noise_shape)
    uniform = RandomUniformLike (noise)
    less = Less (uniform, keep)
    kept = Cast <to = 1> (less)
    mask = Div (kept, keep)
    b = Mul (a, mask)
    c = ReduceMean <axes = [2, 3], keepdims = 0> (b)
    y = Dropout (c)
}"""


def masks(t, *sites):
    """The factors, 0 or 1/(1-p), of sample t at sites (p, shape)."""
    key = reference.fold_in(KEY, t)
    kept = [reference.kept(key, j, p, 0, np.prod(shape)).reshape(shape) for j, (p, shape) in enumerate(sites)]
    return [mask / (1 - p) for mask, (p, _) in zip(kept, sites, strict=True)]


def mlp(t):
    first, second = masks(t, (0.2, (5, 6)), (0.5, (5, 6)))
    return np.tanh((np.maximum(X @ W, 0) * first) @ W * second)


def cnn(t):
    maps, units = masks(t, (0.3, (2, 3, 1, 1)), (0.5, (2, 3)))
    return (np.einsum("oi,nihw->nohw", W[:3, :3], IMAGES) * maps).mean(axis=(2, 3)) * units


def check(result, expected):
    np.testing.assert_allclose(result.mean, np.mean(expected, axis=0), rtol=0, atol=1e-5)
    np.testing.assert_allclose(result.std, np.std(expected, axis=0), rtol=0, atol=1e-5)


# monte_carlo


def test_an_mlp_is_numpys_under_the_references_masks():
    check(monte_carlo(model(MLP, w=W), {"x": X}, 40, rng=0), [mlp(t) for t in range(40)])


@pytest.mark.parametrize("cast", ["Cast <to = 1> (less)", "CastLike (less, noise)"])
def test_a_cnn_is_numpys_under_the_references_masks(cast):
    text = CNN.replace("Cast <to = 1> (less)", cast)
    text = text.replace("axes = [2, 3], keepdims = 0> (b)", "keepdims = 0> (b, axes)")
    axes = np.array([2, 3])
    network = model(text, 18, weight=W[:3, :3].reshape(3, 3, 1, 1), axes=axes)
    check(monte_carlo(network, {"x": IMAGES}, 40, rng=0), [cnn(t) for t in range(40)])


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 12, 13, 22])
def test_ratios_of_every_opset(opset):
    text = "net (float[n, 6] x) => (float[n, 6] y) {y = Dropout <ratio = 0.2> (x)}"
    if opset >= 12:
        text = "net (float[n, 6] x) => (float[n, 6] y) {y = Dropout (x, r)}"
    result = monte_carlo(model(text, opset, r=np.float32(0.2)), {"x": X}, 20, rng=0)
    check(result, [X * masks(t, (0.2, X.shape))[0] for t in range(20)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ratios_and_data_of_every_dtype(dtype):
    name = {np.float16: "float16", np.float32: "float", np.float64: "double"}[dtype]
    text = f"net ({name}[n, 6] x) => ({name}[n, 6] y) {{y = Dropout (x, r)}}"
    x = np.ones((50, 6), dtype)
    result = monte_carlo(model(text, r=dtype(0.2)), {"x": x}, 20, rng=0)
    check(result, [x * masks(t, (0.2, x.shape))[0] for t in range(20)])


def test_a_ratio_may_be_an_input():
    network = model("net (float[n, 6] x, float r) => (float[n, 6] y) {y = Dropout (x, r)}")
    result = monte_carlo(network, {"x": X, "r": np.float32(0.25)}, 20, rng=0)
    check(result, [X * masks(t, (0.25, X.shape))[0] for t in range(20)])
    with pytest.raises(ValueError, match=r"p must be between 0 and 1, got 1\.5"):
        monte_carlo(network, {"x": X, "r": np.float32(1.5)}, 20, rng=0)


def test_the_shapes_are_those_of_the_call():
    network = model(MLP, w=W)
    for rows in (5, 1, 3):
        result = monte_carlo(network, {"x": X[:rows]}, 10, rng=0)
        masks_of = [masks(t, (0.2, (rows, 6)), (0.5, (rows, 6))) for t in range(10)]
        check(result, [np.tanh((np.maximum(X[:rows] @ W, 0) * a) @ W * b) for a, b in masks_of])


def test_the_model_may_be_bytes_or_a_file(tmp_path):
    network = model(MLP, w=W)
    path = tmp_path / "net.onnx"
    onnx.save(network, path)
    before = network.SerializeToString()
    results = [monte_carlo(m, {"x": X}, 10, rng=0).mean for m in (network, before, path, str(path))]
    assert all(np.array_equal(result, results[0]) for result in results)
    assert network.SerializeToString() == before


def test_several_outputs_come_from_the_same_passes():
    text = "net (float[n, 6] x) => (float[n, 6] y, float[n] s) {y = Dropout (x) s = ReduceSum <keepdims = 0> (y, last)}"
    for rng in (0, None, np.random.default_rng(0)):
        results = monte_carlo(model(text, last=np.array([1])), {"x": np.eye(6, dtype="f")}, 30, rng=rng)
        assert list(results) == ["y", "s"]
        np.testing.assert_allclose(results["y"].mean.sum(axis=1), results["s"].mean)
        np.testing.assert_allclose(results["y"].std.diagonal(), results["s"].std)


def test_the_mask_as_a_second_output():
    text = "net (float[n, 6] x) => (bool[n, 6] dropped) {y, kept = Dropout (x) dropped = Not (kept)}"
    result = monte_carlo(model(text), {"x": X}, 20, rng=0)
    check(result, [masks(t, (0.5, X.shape))[0] == 0 for t in range(20)])


def test_a_dropout_in_a_function_of_the_model():
    text = """net (float[n, 6] x) => (float[n, 6] y) {a = local.half (x) y = local.half (a)}
    <domain: "local", opset_import: ["": 13]> half (a) => (b) {b = Dropout (a)}"""
    result = monte_carlo(model(text), {"x": X}, 20, rng=0)
    check(result, [X * np.prod(masks(t, (0.5, X.shape), (0.5, X.shape)), axis=0) for t in range(20)])


def test_what_decides_the_masks():
    def mean(rng):
        return monte_carlo(network, {"x": X}, 5, rng=rng).mean.tolist()

    network, rng, generator = model(MLP, w=W), fd.Rng(3), np.random.default_rng(3)
    assert mean(rng) == mean(rng) == mean(3)
    assert rng.counter == 0
    assert mean(generator) != mean(generator)
    assert mean(None) != mean(None)


def test_the_references_evaluator_agrees():
    network = model(MLP, w=W)
    ops = [Dropout.seeded(fd.Rng(0).fold_in(t)) for t in range(10)]
    text = MLP.replace("Dropout (d)", 'Dropout (d, "", training)')
    outputs = [ReferenceEvaluator(model(text, w=W), new_ops=[op]).run(None, {"x": X})[0] for op in ops]
    check(monte_carlo(network, {"x": X}, 10, rng=0), outputs)


def test_a_constant_output_is_warned_of():
    network = model("net (float[n, 6] x) => (float[n, 6] y, float[n, 6] z) {y = Dropout (x) z = Relu (x)}")
    with pytest.warns(UserWarning, match="equal in every bit"):
        monte_carlo(network, {"x": X}, 5, rng=0)


INNER = """net (float[n, 6] x, bool c) => (float[n, 6] y) {
    y = If (c) <
        then_branch = a () => (float[n, 6] z) {z = Dropout (x)},
        else_branch = b () => (float[n, 6] z) {z = Relu (x)}
    >
}"""


def test_errors():
    feeds = {"x": X}
    with pytest.raises(ValueError, match=r"model must have a Dropout, got none: export it in training mode"):
        monte_carlo(model("net (float[n, 6] x) => (float[n, 6] y) {y = Relu (x)}"), feeds)
    with pytest.raises(ValueError, match=r"dropout must be in the main graph .* got one in a If"):
        monte_carlo(model(INNER), feeds)
    with pytest.raises(TypeError, match=r"model must be an onnx\.ModelProto, bytes or a path, got dict"):
        monte_carlo({}, feeds)
    with pytest.raises(ValueError, match="x"):
        monte_carlo(model(MLP, w=W), {})
    generator = np.random.default_rng(0)
    for samples, error in ((0, ValueError), (2.5, TypeError)):
        with pytest.raises(error):
            monte_carlo(model(MLP, w=W), feeds, samples, rng=generator)
    assert generator.bit_generator.state == np.random.default_rng(0).bit_generator.state
    with pytest.raises(TypeError, match="default_rng"):
        monte_carlo(model(MLP, w=W), feeds, rng=np.random.RandomState(0))


# The op of the reference evaluator


NODE_CASES = [case for case in nodes._NodeTestCases if "dropout" in case.name]


@pytest.mark.parametrize("case", NODE_CASES, ids=lambda case: case.name)
def test_onnxs_own_cases(case):
    """Eight to the bit; what the four random ones expect are masks of NumPy's global generator, so only the scale."""
    ((inputs, expected),) = case.data_sets
    evaluator = ReferenceEvaluator(case.model, new_ops=[Dropout])
    feeds = {value.name: array for value, array in zip(case.model.graph.input, inputs, strict=True)}
    outputs = evaluator.run(None, feeds)
    for output, array in zip(outputs, expected, strict=True):
        assert (output.shape, output.dtype) == (array.shape, array.dtype)
    if len(inputs) == 3 and inputs[1] > 0:
        kept = outputs[0] != 0
        assert 0 < kept.sum() < kept.size
        np.testing.assert_array_equal(outputs[0], np.where(kept, inputs[0] / (1 - inputs[1]), 0))
        assert len(outputs) == 1 or np.array_equal(outputs[1], kept)
    else:
        for output, array in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, array)


def test_there_are_twelve_cases_four_of_them_random():
    random = [case for case in NODE_CASES if len(case.data_sets[0][0]) == 3 and case.data_sets[0][0][1] > 0]
    assert (len(NODE_CASES), len(random)) == (12, 4)


def dropout_node(attribute="", rng=None, opset=13):
    ends = "net (float[n] x, float r, bool t) => (float[n] y, bool[n] kept)"
    text = f"{ends} {{y, kept = Dropout {attribute} (x, r, t)}}"
    evaluator = ReferenceEvaluator(model(text, opset), new_ops=[Dropout if rng is None else Dropout.seeded(rng)])
    return lambda t=True: evaluator.run(None, {"x": np.ones(200, "f"), "r": np.float32(0.2), "t": np.bool_(t)})


@pytest.mark.parametrize("opset", [12, 13, 22])
def test_the_op_draws_the_streams_of_its_rng(opset):
    run = dropout_node(rng=0, opset=opset)
    for stream in range(3):
        y, kept = run()
        np.testing.assert_array_equal(kept, reference.kept(KEY, stream, 0.2, 0, 200))
        np.testing.assert_array_equal(y, np.where(kept, np.float32(1.25), 0))
        assert all(output.all() for output in run(False))


def test_the_seed_of_a_node():
    run, other = dropout_node("<seed = 7>"), dropout_node("<seed = 7>", rng=0)
    kept = reference.kept(reference.key_from_seed(7), 0, 0.2, 0, 200)
    assert all(np.array_equal(run()[1], kept) for _ in range(2))
    assert not np.array_equal(other()[1], kept)
    assert not np.array_equal(dropout_node()()[1], dropout_node()()[1])


@pytest.mark.parametrize("opset", [7, 10, 11])
def test_old_opsets_drop_nothing(opset):
    text = "net (float[n, 6] x) => (float[n, 6] y, bool[n, 6] kept) {y, kept = Dropout <ratio = 0.9> (x)}"
    y, kept = ReferenceEvaluator(model(text, opset), new_ops=[Dropout]).run(None, {"x": X})
    assert np.array_equal(y, X)
    assert kept.all()


# The import


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_the_missing_extra_is_named(missing):
    program = f"import sys; sys.modules[{missing!r}] = None; import fastdrop.onnx"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    assert "pip install 'numpy-fastdrop[onnx]'" in done.stderr


def test_fastdrop_alone_does_not_import_onnx():
    program = "import sys, fastdrop; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
