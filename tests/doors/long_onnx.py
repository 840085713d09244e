"""fastdrop.onnx on what both of torch's exporters make: mean and spread agree with torch's own Monte-Carlo dropout."""

import io

import numpy as np
import onnx
import pytest
import torch

from fastdrop.onnx import monte_carlo

pytestmark = pytest.mark.filterwarnings("ignore")  # of the exporters
X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)
IMAGES = np.random.default_rng(2).standard_normal((2, 3, 4, 4)).astype(np.float32)


@pytest.mark.parametrize(("kind", "dynamo"), [("mlp", True), ("mlp", False), ("cnn", True), ("alpha", True)])
def test_torch_agrees(kind, dynamo):
    nn, samples = torch.nn, 4000
    torch.manual_seed(0)
    layers = {
        "mlp": [nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 8), nn.Dropout(), nn.Linear(8, 3)],
        "cnn": [nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Dropout2d(0.3), nn.Flatten(), nn.Dropout(), nn.Linear(16, 3)],
        "alpha": [nn.Linear(6, 16), nn.SELU(), nn.AlphaDropout(0.3), nn.Linear(16, 3)],
    }[kind]
    network = nn.Sequential(*layers).train()
    x = torch.from_numpy(IMAGES if kind == "cnn" else X)
    if dynamo:
        exported = torch.onnx.export(network, (x,), dynamo=True, verbose=False).model_proto
    else:
        file = io.BytesIO()
        training = torch.onnx.TrainingMode.TRAINING
        torch.onnx.export(network, (x,), file, dynamo=False, training=training, do_constant_folding=False)
        exported = onnx.load_model_from_string(file.getvalue())
    result = monte_carlo(exported, {exported.graph.input[0].name: x.numpy()}, samples, rng=0)
    with torch.no_grad():
        theirs = np.stack([network(x).numpy() for _ in range(samples)]).astype(np.float64)
    std, centred = theirs.std(axis=0), theirs - theirs.mean(axis=0)
    assert (abs(result.mean - theirs.mean(axis=0)) < 5 * std * np.sqrt(2 / samples)).all()
    of_variance = np.sqrt(2 * ((centred**4).mean(axis=0) - std**4) / samples)  # its standard error, of the difference
    assert (abs(result.std**2 - std**2) < 5 * of_variance).all()


def test_torch_leaves_no_dropout_of_a_network_in_eval_mode():
    network = torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.Dropout()).eval()
    exported = torch.onnx.export(network, (torch.from_numpy(X),), dynamo=True, verbose=False).model_proto
    with pytest.raises(ValueError, match="export it in training mode"):
        monte_carlo(exported, {"input": X})
