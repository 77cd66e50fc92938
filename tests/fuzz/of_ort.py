"""Int8 ONNX files of other tools: what changes in any ONNX model changes, and they are read and lowered."""

from functools import cache
from random import Random

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fuzz.mutate import mutated_bytes
from fuzz.of_onnx import change
from stepforward.lowering.lower import lower
from stepforward.sources.ort.file import parse
from stepforward.sources.ort.source import OrtSource

SUFFIX = ".onnx"


@cache
def _starts() -> tuple[bytes, ...]:
    """A network in QDQ form, and as QLinear operators."""
    values = {
        "s": np.float32(0.05), "z": np.uint8(7), "one": np.float32(1), "ws": np.full(4, 0.01, np.float32),
        "wz": np.zeros(4, np.int8), "w": np.arange(-36, 36, dtype=np.int8).reshape(4, 2, 3, 3),
        "b": np.arange(4, dtype=np.int32), "bs": np.full(4, 0.0005, np.float32),
        "v": np.arange(-6, 6, dtype=np.int8).reshape(3, 4), "vs": np.float32(0.02), "vz": np.int8(0),
        "c": np.arange(3, dtype=np.int32), "cs": np.float32(0.001),
    }  # fmt: skip
    node = helper.make_node

    def read(name, *steps, **more):
        return node("DequantizeLinear", [name, *steps], [f"{name}.r"], **more)

    def write(name):
        return [node("QuantizeLinear", [f"{name}.f", "s", "z"], [name], name), read(name, "s", "z")]

    ends = [node("QuantizeLinear", ["x", "s", "z"], ["q"], "first"), read("q", "s", "z")]
    plain = [
        *ends, read("w", "ws", "wz", axis=0), read("b", "bs", axis=0), read("v", "vs", "vz"), read("c", "cs"),
        node("Conv", ["q.r", "w.r", "b.r"], ["conv.r0"], "conv", strides=[2, 2]),
        node("Relu", ["conv.r0"], ["conv.f"], "relu"), *write("conv"),
        node("Add", ["conv.r", "conv.r"], ["sum.f"], "sum"), *write("sum"),
        node("MaxPool", ["sum.r"], ["pool.f"], "pool", kernel_shape=[2, 2], ceil_mode=1), *write("pool"),
        node("GlobalAveragePool", ["pool.r"], ["mean.f"], "mean"), *write("mean"),
        node("Flatten", ["mean.r"], ["flat.f"], "flat"), *write("flat"),
        node("Gemm", ["flat.r", "v.r", "c.r"], ["y.f"], "gemm", transB=1), *write("y"),
    ]  # fmt: skip
    steps = ["s", "z"]
    fused = [
        ends[0],
        node("QLinearConv", ["q", *steps, "w", "ws", "wz", *steps, "b"], ["conv"], "conv"),
        node("QLinearAdd", ["conv", *steps, "conv", *steps, *steps], ["sum"], "sum", domain="com.microsoft"),
        node("QLinearConcat", [*steps, "sum", *steps], ["both"], "both", domain="com.microsoft", axis=1),
        node("QLinearGlobalAveragePool", ["both", *steps, *steps], ["m"], "mean", domain="com.microsoft"),
        node("Flatten", ["m"], ["flat"], "flat"),
        node("QGemm", ["flat", *steps, "v", "vs", "vz", "c", *steps], ["y"], "gemm", domain="com.microsoft", transB=1),
        node("DequantizeLinear", ["y", *steps], ["y.r"]),
    ]  # fmt: skip
    return tuple(_model(nodes, values) for nodes in (plain, fused))


def _model(nodes, values) -> bytes:
    graph = helper.make_graph(
        nodes,
        "fuzzed",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 8, 8])],
        [helper.make_tensor_value_info("y.r", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def make(rng: Random) -> bytes:
    """A model with up to three changes."""
    model = onnx.ModelProto.FromString(rng.choice(_starts()))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        change(rng, model)
    content = model.SerializeToString()
    return mutated_bytes(rng, content) if rng.random() < 0.05 else content


def read(content: bytes) -> None:
    """Read a file, and lower what can be read."""
    file = parse(content, "m.onnx")
    if file is not None:
        lower(OrtSource.open(file, "m.onnx", None).network())
