"""Other libraries' dropout on the CPU, each in its best honest form: compiled and warm before the clock runs."""

import importlib
import os
from types import ModuleType

import numpy as np

from .cases import Case, Missing, Run


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Missing("not installed") from None


def _float32_flat(case: Case) -> None:
    if case.dtype != "float32" or case.layout:
        raise Missing("float32 and contiguous only here")


def numba_hash(case: Case) -> Run:
    """What an expert writes: a parallel loop that hashes key + index, with no mask kept."""
    _float32_flat(case)
    numba = _module("numba")

    @numba.njit(parallel=True, fastmath=True)
    def kernel(x: np.ndarray, key: np.uint64, threshold: np.uint32, scale: np.float32) -> None:
        for i in numba.prange(x.size):
            z = key + np.uint64(i) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            x[i] = x[i] * scale if np.uint32(z >> np.uint64(32)) >= threshold else np.float32(0)

    threshold, scale, step = np.uint32(case.p * 2**32), np.float32(case.scale), 0

    def call(x: np.ndarray) -> np.ndarray:
        nonlocal step
        step += 0x5851F42D4C957F2D
        kernel(x, np.uint64(step % 2**64), threshold, scale)
        return x

    return Run(call, lambda: numba.set_num_threads(min(case.threads, numba.config.NUMBA_NUM_THREADS)))


def numba_plain(case: Case) -> Run:
    """What one writes first: a loop over np.random.random, compiled."""
    _float32_flat(case)
    numba = _module("numba")

    @numba.njit(parallel=True)
    def kernel(x: np.ndarray, p: float, scale: np.float32) -> None:
        for i in numba.prange(x.size):
            x[i] = x[i] * scale if np.random.random() >= p else np.float32(0)  # noqa: NPY002 (what Numba knows)

    def call(x: np.ndarray) -> np.ndarray:
        kernel(x, case.p, np.float32(case.scale))
        return x

    return Run(call, lambda: numba.set_num_threads(min(case.threads, numba.config.NUMBA_NUM_THREADS)))


def torch_eager(case: Case) -> Run:
    """torch.nn.functional.dropout in place."""
    _float32_flat(case)
    torch = _module("torch")
    return Run(
        lambda x: torch.nn.functional.dropout(torch.from_numpy(x), case.p, training=True, inplace=True),
        lambda: torch.set_num_threads(case.threads),
    )


def torch_compiled(case: Case) -> Run:
    """The same under torch.compile."""
    _float32_flat(case)
    torch = _module("torch")
    torch.set_num_threads(case.threads)
    compiled = torch.compile(lambda x: torch.nn.functional.dropout(x, case.p, training=True))
    return Run(lambda x: compiled(torch.from_numpy(x)), lambda: torch.set_num_threads(case.threads))


def jax_jit(case: Case) -> Run:
    """Bernoulli and select under jax.jit; the key is split in the compiled step."""
    _float32_flat(case)
    if case.threads != (os.cpu_count() or 1):
        raise Missing("all threads only")
    jax = _module("jax")

    @jax.jit
    def step(key: object, x: object) -> object:
        key, sub = jax.random.split(key)
        keep = jax.random.bernoulli(sub, 1 - case.p, x.shape)  # type: ignore[attr-defined]
        return key, jax.numpy.where(keep, x * np.float32(case.scale), 0)  # type: ignore[operator]

    key = jax.random.key(0)

    def call(x: np.ndarray) -> object:
        nonlocal key
        key, y = step(key, x)
        return y.block_until_ready()

    return Run(call)


def onnx_dropout(case: Case) -> Run:
    """ONNX Runtime's Dropout operator in training mode."""
    _float32_flat(case)
    runtime, onnx = _module("onnxruntime"), _module("onnx")
    helper, kind = onnx.helper, onnx.TensorProto
    constants = [
        helper.make_tensor("ratio", kind.FLOAT, [], [case.p]),
        helper.make_tensor("training", kind.BOOL, [], [True]),
    ]
    graph = helper.make_graph(
        [helper.make_node("Dropout", ["x", "ratio", "training"], ["y", "mask"])],
        "dropout",
        [helper.make_tensor_value_info("x", kind.FLOAT, ["n"])],
        [
            helper.make_tensor_value_info("y", kind.FLOAT, ["n"]),
            helper.make_tensor_value_info("mask", kind.BOOL, ["n"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = case.threads
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Run(lambda x: session.run(["y", "mask"], {"x": x})[0])


def bitarray_random(case: Case) -> Run:
    """bitarray.util.random_p, which draws the packed mask alone."""
    util = _module("bitarray.util")
    if not hasattr(util, "random_p"):
        raise Missing("this release has no random_p")
    try:
        util.random_p(8, 0.3)
    except Exception as error:  # it needs random.binomialvariate, of Python 3.12
        raise Missing(f"random_p: {error}") from None
    return Run(lambda x: np.frombuffer(util.random_p(case.n, 1 - case.p), np.uint8))


QUICK = {"Numba, hash": numba_hash, "Numba, random()": numba_plain, "PyTorch": torch_eager}
COMPILED = {"PyTorch, compiled": torch_compiled, "JAX, jit": jax_jit, "ONNX Runtime": onnx_dropout}
