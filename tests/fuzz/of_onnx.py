"""ONNX models: nodes, attributes, shapes, types, weights, names and metadata change, the message stays well-formed."""

import json
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import onnx
import onnx_ir as ir
import stripes
from onnx import TensorProto, helper, numpy_helper

from fuzz.mutate import TEXTS, json_bytes, mutated_bytes, mutated_json, mutated_text
from fuzz.place import as_file
from stepforward.lowering.lower import lower
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.open import open_source

SUFFIX = ".onnx"
GOLDEN = Path(__file__).parent.parent / "golden" / "arithmetic_1"
_OPERATORS = (
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Mul",
    "Relu",
    "Clip",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Pad",
    "Concat",
)
_OPERATORS += (
    "Reshape",
    "Flatten",
    "Transpose",
    "BatchNormalization",
    "Softmax",
    "Identity",
    "ReduceMean",
    "Slice",
    "Split",
    "Sum",
    "Squeeze",
)
_OPERATORS += (
    "QuantizeLinear",
    "DequantizeLinear",
    "Constant",
    "Shape",
    "Gather",
    "If",
    "Dropout",
    "ReduceMax",
    "Div",
    "Sub",
    "Unsqueeze",
)
_ATTRIBUTES = (
    "axis",
    "axes",
    "perm",
    "pads",
    "strides",
    "dilations",
    "kernel_shape",
    "group",
    "transB",
    "alpha",
    "auto_pad",
    "ceil_mode",
)
_SIZES = (-(2**63), -2, -1, 0, 1, 2, 3, 8, 9, 65536, 2**31, 2**40, 2**62)


@cache
def _starts() -> list[bytes]:
    wide = stripes.network(opset=13)
    del wide.metadata_props[:]
    return [
        stripes.network().SerializeToString(),
        wide.SerializeToString(),
        _many_operators(),
        (GOLDEN / "base.onnx").read_bytes(),
        _several_outputs().SerializeToString(),
        _several_quantized(),
    ]


def _several_outputs() -> onnx.ModelProto:
    """With the features, their direction and probabilities beside the logits."""
    model = stripes.network(opset=17)
    graph = model.graph
    graph.node.extend(
        [
            helper.make_node("ReduceL2", ["d"], ["length"], "length", axes=[1]),
            helper.make_node("Div", ["d", "length"], ["direction"], "direction"),
            helper.make_node("Softmax", ["logits"], ["probabilities"], "probabilities", axis=1),
        ]
    )
    for name, size in (("d", 64), ("direction", 64), ("probabilities", 3)):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", size]))
    return model


def _several_quantized() -> bytes:
    source = open_source(ir.from_proto(_several_outputs()))
    made = source.quantized(QuantizationSettings(), stripes.arrays(range(2))["x"])
    return ir.to_proto(made.for_callers).SerializeToString()


def _many_operators() -> bytes:
    """Operators that the first has not: most of what the passes rewrite."""
    node = helper.make_node
    nodes = [
        node("Mul", ["x", "factor"], ["x1"], "scale"),
        node("Sub", ["x1", "factor"], ["x2"], "centre"),
        node("Pad", ["x2", "pads"], ["a"], "pad"),
        node("Conv", ["a", "w"], ["b"], "conv", strides=[2, 2]),
        node("BatchNormalization", ["b", "one", "zero", "zero", "one"], ["c"], "norm"),
        node("Clip", ["c", "low", "high"], ["d"], "clip"),
        node("Transpose", ["d"], ["t"], "turn", perm=[0, 1, 3, 2]),
        node(
            "AveragePool",
            ["t"],
            ["e"],
            "average",
            kernel_shape=[2, 2],
            count_include_pad=1,
            pads=[0, 0, 1, 1],
        ),
        node("Concat", ["e", "e"], ["f"], "concat", axis=-3),
        node("ReduceMean", ["f", "axes"], ["g"], "mean", keepdims=0),
        node("Reshape", ["g", "shape"], ["h"], "shape"),
        node("MatMul", ["h", "v"], ["i"], "matmul"),
        node("Add", ["i", "bias"], ["logits"], "bias"),
    ]
    wave = np.sin
    values = {
        "factor": np.float32(2).reshape(1, 1, 1, 1), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "w": wave(np.arange(72)).astype(np.float32).reshape(4, 2, 3, 3), "one": np.ones(4, np.float32),
        "zero": np.zeros(4, np.float32), "low": np.float32(0), "high": np.float32(6), "axes": np.array([2, 3]),
        "shape": np.array([0, -1]), "v": wave(np.arange(24)).astype(np.float32).reshape(8, 3),
        "bias": np.zeros(3, np.float32),
    }  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "many",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    ).SerializeToString()


def make(rng: Random) -> bytes:
    """A model with one to three changes."""
    model = onnx.ModelProto.FromString(rng.choice(_starts()))
    for _ in range(rng.choice((1, 1, 2, 3))):
        change(rng, model)
    content = model.SerializeToString()
    return mutated_bytes(rng, content) if rng.random() < 0.05 else content


def change(rng: Random, model: onnx.ModelProto) -> None:
    """One change somewhere in a model."""
    rng.choice(_CHANGES)(rng, model)


def _node(rng, model):
    nodes = model.graph.node
    if not nodes:
        return
    node, kind = rng.choice(nodes), rng.randrange(8)
    if kind == 0:
        node.op_type = rng.choice(_OPERATORS)
    elif kind == 1 and node.input:
        node.input[rng.randrange(len(node.input))] = rng.choice(_values(model))
    elif kind == 2:
        node.input.append(rng.choice(_values(model)))
    elif kind == 3 and node.input:
        del node.input[rng.randrange(len(node.input))]
    elif kind == 4:
        nodes.remove(node)
    elif kind == 5:
        nodes.insert(rng.randrange(len(nodes) + 1), node)
    elif kind == 6:
        node.name = rng.choice(TEXTS).encode("utf-8", "replace").decode()
    elif node.output:
        node.output[0] = rng.choice(_values(model))


def _values(model):
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    return sorted({*names, *(tensor.name for tensor in model.graph.initializer), "", "nowhere", "x"})


def _attribute(rng, model):
    nodes = [node for node in model.graph.node if node.attribute]
    if not nodes or rng.random() < 0.2:
        if model.graph.node:
            node = rng.choice(model.graph.node)
            value = rng.choice(
                (rng.choice(_SIZES), [rng.choice(_SIZES)] * rng.randrange(1, 5), 0.5, "SAME_UPPER")
            )
            node.attribute.append(helper.make_attribute(rng.choice(_ATTRIBUTES), value))
        return
    attribute, kind = rng.choice(rng.choice(nodes).attribute), rng.randrange(5)
    if kind == 0 and attribute.ints:
        del attribute.ints[rng.randrange(len(attribute.ints))]
    elif kind == 1:
        attribute.ints.append(rng.choice(_SIZES))
    elif kind == 2:
        attribute.type = rng.choice((1, 2, 3, 4, 6, 7, 8))
    elif attribute.ints:
        attribute.ints[rng.randrange(len(attribute.ints))] = rng.choice(_SIZES)
    else:
        attribute.i = rng.choice(_SIZES)


def _tensor(rng, model):
    if not model.graph.initializer:
        return
    tensor, kind = rng.choice(model.graph.initializer), rng.randrange(8)
    if kind == 0:
        tensor.data_type = rng.choice((0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 14, 16, 20, 21, 22, 99))
    elif kind == 1 and tensor.dims:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(_SIZES)
    elif kind == 2:
        tensor.dims[:] = rng.choice(
            ([], list(tensor.dims)[::-1], [*tensor.dims, 1], [1, *tensor.dims], list(tensor.dims)[:-1])
        )
    elif kind == 3:
        tensor.raw_data = mutated_bytes(rng, tensor.raw_data)
    elif kind == 4:
        tensor.name = rng.choice(_values(model))
    elif kind == 5:
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = (
            "location",
            rng.choice(("../x", "model.onnx", "/etc/passwd", "", ".", "x\0y")),
        )
    elif kind == 6:
        tensor.raw_data = bytes(len(tensor.raw_data))
    else:
        model.graph.initializer.remove(tensor)


def _interface(rng, model):
    places = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    if not places:
        return
    value, kind = rng.choice(places), rng.randrange(6)
    shape = value.type.tensor_type.shape
    if kind == 0 and shape.dim:
        shape.dim[rng.randrange(len(shape.dim))].dim_value = rng.choice(_SIZES)
    elif kind == 1 and shape.dim:
        shape.dim[rng.randrange(len(shape.dim))].dim_param = rng.choice(("n", "", "height", "x\x1b"))
    elif kind == 2:
        shape.dim.add().dim_value = rng.choice(_SIZES)
    elif kind == 3 and shape.dim:
        del shape.dim[-1]
    elif kind == 4:
        value.type.tensor_type.elem_type = rng.choice((0, 1, 2, 6, 7, 10, 11, 99))
    else:
        value.name = rng.choice(_values(model))


def _property(rng, model):
    if not model.metadata_props:
        entry = model.metadata_props.add()
        entry.key, entry.value = "stepforward.bits", "16w8a"
        return
    entry = rng.choice(model.metadata_props)
    try:
        value = json_bytes(rng, mutated_json(rng, json.loads(entry.value))).decode("utf-8", "replace")
    except (ValueError, RecursionError):
        value = mutated_text(rng, entry.value).encode("utf-8", "replace").decode()
    entry.value = value


def _versions(rng, model):
    kind = rng.randrange(4)
    if kind == 0 and model.opset_import:
        model.opset_import[0].version = rng.choice((-1, 0, 6, 7, 9, 11, 12, 13, 18, 20, 21, 22, 99, 2**62))
    elif kind == 1 and model.opset_import:
        model.opset_import[0].domain = rng.choice(("", "ai.onnx", "ai.onnx.ml", "x"))
    elif kind == 2:
        model.ir_version = rng.choice((0, 3, 4, 8, 10, 11, 99, -1))
    else:
        del model.opset_import[:]


_CHANGES = (
    _node,
    _node,
    _node,
    _attribute,
    _attribute,
    _attribute,
    _tensor,
    _tensor,
    _interface,
    _interface,
    _property,
    _versions,
)


def read(content: bytes) -> None:
    """Open the model, and lower it if it is quantized."""
    opened = open_source(as_file(content, "model.onnx"))
    if not opened.is_float:
        lower(opened.network())
