"""
ONNX: where an exported network is unsure
=========================================

Monte-Carlo dropout by onnxruntime, without the framework that trained the network. The model here is written out, a
sine fitted by a least-squares last layer, so that no framework is needed; with PyTorch it is
``torch.onnx.export(network.train(), (x,), "net.onnx", dynamo=True)``::

    pip install "numpy-fastdrop[onnx]"
    python examples/doors/onnx_uncertainty.py
"""

import numpy as np
from onnx import ModelProto, numpy_helper, parser

import fastdrop as fd
from fastdrop.onnx import monte_carlo

TEXT = """<ir_version: 8, opset_import: ["": 13]>
net (float[n, 1] x) => (float[n, 1] y) {
    training = Constant <value = bool {1}> ()
    ratio = Constant <value = float {0.1}> ()
    a = MatMul (x, w1)
    b = Add (a, b1)
    c = Relu (b)
    d = Dropout (c, ratio, training)
    y = MatMul (d, w2)
}"""


def trained() -> ModelProto:
    """Return a network that was fitted to a sine between -2 and 2, with dropout on."""
    generator = np.random.default_rng(0)
    x = np.linspace(-2, 2, 400, dtype=np.float32)[:, None]
    w1 = generator.normal(0, 3, (1, 100)).astype(np.float32)
    b1 = generator.normal(0, 3, 100).astype(np.float32)
    hidden = fd.dropout(np.maximum(np.tile(x @ w1 + b1, (50, 1)), 0), 0.1, rng=0)[0]
    w2 = np.linalg.lstsq(hidden, np.tile(np.sin(2 * x), (50, 1)), rcond=None)[0]
    model = parser.parse_model(TEXT)
    weights = {"w1": w1, "b1": b1, "w2": w2}
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in weights.items())
    return model


def main() -> None:
    """Predict inside and outside of what was seen in training."""
    x = np.arange(-4, 5, dtype=np.float32)[:, None]
    result = monte_carlo(trained(), {"x": x}, samples=1000, rng=0)
    print("   x   sin(2x)    mean     std")
    for row in zip(x[:, 0], np.sin(2 * x[:, 0]), result.mean[:, 0], result.std[:, 0], strict=True):
        print("{:4.0f}   {:7.2f} {:7.2f} {:7.2f}".format(*row))


if __name__ == "__main__":
    main()
