"""Int8 ONNX files as ONNX Runtime's quantizer writes them, and what ONNX Runtime makes of them, layer by layer."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.program.run import run
from stepforward.program.weights import unpack_all
from stepforward.sources.ort.file import OrtFile, parse
from stepforward.sources.ort.read import read_network

ort = pytest.importorskip("onnxruntime", reason="needs stepforward[ort]")


def float_model(nodes, shape, constants, output="y", classes=5, opset=17):
    """A float network over samples of a shape.

    Args:
        nodes: (op_type, inputs, output, attributes).
        constants: arrays by name.
    """
    made = [helper.make_node(op, inputs, [out], out, **more) for op, inputs, out, more in nodes]
    graph = helper.make_graph(
        made,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def small(rng, adds=False):
    """Two convolutions (one depthwise), a fully connected layer, and what lies between them in most networks."""

    def draw(*shape):
        return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)

    constants = {"w1": draw(8, 3, 3, 3), "b1": draw(8), "w2": draw(8, 1, 3, 3), "b2": draw(8)}
    constants |= {"w3": draw(8, 8, 1, 1), "b3": draw(8), "w4": draw(5, 16), "b4": draw(5)}
    constants |= {"lo": np.float32(0), "hi": np.float32(6), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    third = "sum" if adds else "r3"
    nodes = [
        ("Conv", ["x", "w1", "b1"], "c1", {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ("Relu", ["c1"], "r1", {}),
        ("Conv", ["r1", "w2", "b2"], "c2", {"pads": [1, 1, 1, 1], "group": 8}),
        ("Clip", ["c2", "lo", "hi"], "r2", {}),
        ("MaxPool", ["r2"], "m", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["m", "w3", "b3"], "c3", {}),
        ("Relu", ["c3"], "r3", {}),
        *([("Add", ["r3", "m"], "sum", {})] if adds else []),
        ("Concat", [third, "m"], "both", {"axis": 1}),
        ("Pad", ["both", "pads"], "p", {}),
        ("GlobalAveragePool", ["p"], "g", {}),
        ("Flatten", ["g"], "f", {}),
        ("Gemm", ["f", "w4", "b4"], "y", {"transB": 1}),
    ]
    return float_model(nodes, (3, 12, 12), constants)


class _Samples:
    def __init__(self, name, x):
        self.batches = iter([{name: x}])

    def get_next(self):
        return next(self.batches, None)


def quantized(model, x, path, *, activations="u8", form="QDQ", per_channel=True, **extra) -> OrtFile:
    """What `quantize_static` makes of a float network.

    Args:
        model: of `float_model`.
        x: calibration samples.
        path: where the file is to lie.
        activations: "u8" or "s8"; form: "QDQ" or "QOperator".
        extra: further options of the quantizer.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    given = path.with_suffix(".float.onnx")
    onnx.save(model, given)
    quantize_static(
        given,
        path,
        _Samples(model.graph.input[0].name, x),
        quant_format=QuantFormat[form],
        activation_type=QuantType.QUInt8 if activations == "u8" else QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
        extra_options=extra,
    )
    return parse(path.read_bytes(), str(path))


def session(content: bytes, activations="u8"):
    """A session at the level that users have.

    Args:
        activations: "s8" fuses int8 activations too, as on ARM; with "u8", sums of products do not saturate on any
            x86.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if activations == "u8":
        options.add_session_config_entry("session.x64quantprecision", "1")
    if activations == "s8":
        options.add_session_config_entry("session.qdqisint8allowed", "1")
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def cut(file: OrtFile) -> tuple[bytes, list[str]]:
    """The file with every 8-bit activation among its outputs; their names."""
    proto = onnx.ModelProto.FromString(file.content)
    constants = {tensor.name for tensor in proto.graph.initializer}
    names = [
        node.output[0]
        for node in proto.graph.node
        if node.op_type.startswith(("QLinear", "QGemm", "Quantize")) and node.input[0] not in constants
    ]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    return proto.SerializeToString(), names


def layers(file: OrtFile, x: np.ndarray) -> dict[str, np.ndarray]:
    """Integers of every layer, by the definition, by the names of the file; x as the file reads it."""
    program = lower(read_network(file, "m", "ort").network)
    q = quantize_input(program, x) if x.dtype == np.float32 else _stored(x)
    values = run(program, program.ops, unpack_all(program), {program.input: q.astype(np.int64)})
    return {program.tensors[index].name: value for index, value in values.items()}


def different(file: OrtFile, x: np.ndarray, activations="u8") -> dict[str, tuple[int, int]]:
    """How many integers of each layer differ from those of ONNX Runtime, of how many."""
    content, names = cut(file)
    opened, ours, found = session(content, activations), layers(file, x), {}
    for name, values in zip(names, opened.run(names, {opened.get_inputs()[0].name: x}), strict=True):
        if name in ours:  # a softmax at the end is left out, and a reshape may move nothing
            mine = ours[name]
            found[name] = int((_stored(values).reshape(mine.shape) != mine).sum()), mine.size
    return found


def _stored(values: np.ndarray) -> np.ndarray:
    """Bytes or int8 as engines have them."""
    signed = values.astype(np.int64) - (128 if values.dtype == np.uint8 else 0)
    return signed.transpose(0, 2, 3, 1) if signed.ndim == 4 else signed
