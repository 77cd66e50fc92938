"""A quantized (QDQ) graph as a list of nodes with their integers: what lowering walks."""

import math
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.functions import FUNCTIONS, evaluate, scalar
from stepforward.graph.nodes import (
    FIXED,
    PARAMETRIC,
    attribute,
    constant,
    copy_model,
    describe,
    dims,
    is_quantized,
    keep_only,
    logits_of,
    present,
)
from stepforward.graph.recurrent import GATES, is_rectified, is_recurrent, state_step
from stepforward.network.network import Q_MAX, Format, Network, Node, Parameter
from stepforward.operators.layer_norm import deviation_scale
from stepforward.operators.recurrent import GATE_SCALE
from stepforward.operators.table import JOINS
from stepforward.quantization.fusion import FORMAT_OF_INPUT, FUSES
from stepforward.quantization.parameters import bias_scale
from stepforward.sources.onnx.several_inputs import take_together
from stepforward.sources.onnx.shapes import fix_batch, infer_shapes
from stepforward.sources.onnx.support import CANONICAL
from stepforward.sources.onnx.tokens import integers_of, take_off

DTYPES = {
    ir.DataType.INT16: "s16",
    ir.DataType.INT8: "s8",
    ir.DataType.INT4: "s4",
    ir.DataType.INT32: "s32",
}


def read_quantized(model: ir.Model) -> Network:
    """The integers, formats and operators of a model that `quantize` wrote.

    Raises:
        StepforwardError: the model is not quantized, or something in it does not fit together.
    """
    if not is_quantized(model):
        raise StepforwardError("the model is not quantized", "run `stepforward quantize` on it first")
    # Shapes are computed again: those noted in a file could claim anything.
    model, tokens = take_off(copy_model(model), "the quantized model")
    model, _ = take_together(model)
    keep_only(model.graph, logits_of(model))
    fix_batch(model)
    infer_shapes(model)
    graph = model.graph
    reader = _Reader(graph.inputs[0])
    for node in graph:
        try:
            reader.take(node)
        except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise damaged(f"{describe(node)} lacks an input or an attribute") from error
    output = reader.activations.get(graph.outputs[0])
    if output is None or reader.input is None:
        raise damaged("its input or output is not quantized")
    name = graph.name or "network"
    return Network(
        reader.input,
        output,
        tuple(reader.nodes),
        name,
        reader.formats,
        **reader.scaling,
        table=None if tokens is None else _table(tokens, reader.formats[reader.input]),
    )


def _table(tokens, form):
    q = integers_of(tokens.table, np.float32(form.scale), np.dtype(f"int{form.dtype[1:]}"))
    return Parameter(tokens.name, q.astype(np.int64), form.dtype, (form.scale,), frozen=True)


class _Reader:
    """What is known while walking the graph: activations by their float reading, operators not yet written."""

    def __init__(self, graph_input):
        self.source = graph_input
        self.input = None
        self.scaling = {}
        self.parameters = {}
        self.activations = {}
        self.functions = {}
        self.pending = {}
        self.masks: dict = {}
        self.written = {}
        self.formats = {}
        self.nodes = []

    def take(self, node):
        if node.op_type == "DequantizeLinear" and node.inputs[0].is_initializer():
            self.parameters[node.outputs[0]] = _parameter(node)
        elif node.op_type == "DequantizeLinear":
            self.read(node)
        elif node.op_type == "QuantizeLinear":
            self.write(node)
        elif node.inputs and node.inputs[0] is self.source and node.op_type in _SCALING:
            self.scale_input(node)
        elif self.is_function(node):
            pass
        elif node.op_type in CANONICAL and (node.op_type in GATES) == is_recurrent(node):
            self.compute(node)
        else:
            raise damaged(f"{describe(node)} does not belong in it")

    def scale_input(self, node):
        """The Sub and Mul that `even_input` put in front, in this order and once each."""
        field, array = _SCALING[node.op_type], constant(node.inputs[1])
        shape = dims(self.source)[1:]
        spread: dict[tuple[int, ...], int] = {}
        for place, size in enumerate(shape):
            spread.setdefault((*(1,) * place, size, *(1,) * (len(shape) - 1 - place)), place + 1)
        axis = None if array is None or array.dtype != np.float32 else spread.get(array.shape)
        if array is None or axis is None or self.scaling.setdefault("axis", axis) != axis:
            raise damaged(f"{describe(node)} does not have one number per channel of the input")
        good = np.isfinite(array).all() and (field == "offset" or np.all(array > 0))
        if not good or "factor" in self.scaling or field in self.scaling or self.input is not None:
            raise damaged(f"{describe(node)} is not a step that the input may go through")
        self.scaling[field] = tuple(float(number) for number in array.reshape(-1))
        self.source = node.outputs[0]

    def is_function(self, node):
        """Note what a node gives for every integer of the one activation that its function begins with; whether it
        is no operator by itself."""
        if node.op_type not in FUNCTIONS:
            return False
        names, operands = set(), []
        for value in node.inputs:
            name, values = (
                (None, constant(value)) if value is None or scalar(value) else self._function(value)
            )
            operands.append(values)
            names |= set() if value is None or scalar(value) else {name}
        if len(names) != 1 or None in names:
            return False
        self.functions[node.outputs[0]] = names.pop(), evaluate(node, *operands)
        return node.op_type not in ("Relu", "Clip") or node.inputs[0] not in self.activations

    def _function(self, value):
        """The name of an activation of 8 bits, and the real values of a function of it; or (None, None)."""
        name = self.activations.get(value)
        if name is None or self.formats[name].dtype != "s8":
            return self.functions.get(value, (None, None))
        form = self.formats[name]
        return name, form.scale * (np.arange(-128.0, 128.0) - form.zero_point)

    def compute(self, node):
        source, result = node.inputs[0], node.outputs[0]
        if node.op_type in ("Relu", "Clip"):
            clip = _clip_bounds(node)
            before = self.pending.pop(source, None)
            if before is None:
                before = Node("Clip", node.name, (self._activation(node, source),), "", {})
            elif before.op_type not in FUSES or before.clip != (None, None):
                raise damaged(f"{describe(node)} follows {before.name!r} without a format in between")
            self.pending[result] = replace(before, clip=clip)
            return
        if node.op_type == "Where":
            self.masks[result] = node.inputs[1], {"mask": _mask(node)}
            return
        count = len(node.inputs) if node.op_type in (*JOINS, "Concat", "MatMul") else 1
        mask: dict = {}
        if node.op_type == "Softmax" and source in self.masks:
            source, mask = self.masks[source]
        inputs = tuple(self._activation(node, value) for value in (source, *node.inputs[1:count]))
        weight = bias = None
        if node.op_type in PARAMETRIC:
            weight, bias = (self.parameters.get(value) for value in node.inputs[1:3])
            _check_parameters(node, weight, bias, self.formats[inputs[0]])
        self.pending[result] = Node(
            node.op_type, node.name, inputs, "", _attributes(node) | mask, weight, bias
        )

    def write(self, node):
        value, result = node.inputs[0], node.outputs[0]
        name = result.name.removesuffix(".q")
        if name in self.formats:
            raise damaged(f"it quantizes {name!r} twice")
        self.formats[name] = _format(node, value)
        self.written[result] = name
        if value is self.source:
            self.input = name
            return
        before = self.pending.pop(value, None)
        if before is None and value in self.functions:
            argument, values = self.functions[value]
            before = Node("Lookup", value.producer().name, (argument,), "", {"values": values})
        if before is None:
            raise damaged(f"{describe(node)} does not follow an operator")
        if before.op_type in FORMAT_OF_INPUT and _steps(self.formats[name]) != _steps(
            self.formats[before.inputs[0]]
        ):
            raise damaged(f"{before.op_type} node {before.name!r} changes the format of the tensor it moves")
        if before.op_type in ("Reshape", "Flatten") and math.prod(self.formats[name].shape) != math.prod(
            self.formats[before.inputs[0]].shape
        ):
            raise damaged(f"{before.op_type} node {before.name!r} changes the number of elements")
        self.nodes.append(replace(before, output=name))

    def read(self, node):
        name = self.written.get(node.inputs[0])
        if name is None or _format(node, node.outputs[0]) != self.formats[name]:
            raise damaged(f"{describe(node)} reads a tensor in another format than it was written in")
        self.activations[node.outputs[0]] = name

    def _activation(self, node, value):
        name = self.activations.get(value)
        if name is None:
            raise damaged(f"{describe(node)} reads {getattr(value, 'name', None)!r}, which is not quantized")
        return name


def _mask(node):
    """Which entries of how many rows a softmax reads: (rows, columns), no more rows than differ."""
    read, fill = (constant(node.inputs[at]) for at in (0, 2))
    shape = dims(node.inputs[1], node)
    try:
        rows = np.broadcast_to(present(read), (1, *shape[1:])).reshape(-1, *shape[-2:])
    except ValueError:
        raise damaged(f"the mask of {describe(node)} does not fit what it masks") from None
    if present(read).dtype != np.bool_ or fill is None or fill.size != 1 or float(fill.reshape(())) > -1e4:
        raise damaged(f"{describe(node)} is no mask")
    if not rows.any(axis=-1).all():
        raise damaged(f"a row of the mask {describe(node)} reads nothing")
    return rows[0] if (rows == rows[:1]).all() else rows.reshape(-1, shape[-1])


def _steps(form):
    return form.scale, form.zero_point, form.dtype


def _parameter(node):
    value = node.inputs[0]
    dtype = DTYPES.get(value.dtype)
    scale = constant(node.inputs[1])
    zero_point = constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(())
    if dtype is None or scale is None or zero_point is None or zero_point.any():
        raise damaged(f"weight {value.name!r} is not a symmetric integer tensor")
    q = present(constant(value)).astype(np.int64)
    if (
        scale.dtype != np.float32
        or not (np.isfinite(scale) & (scale > 0)).all()
        or scale.size not in (1, len(q))
    ):
        raise damaged(f"the scale of {value.name!r} is not positive, or not one per output")
    if q.size and np.abs(q).max() > Q_MAX[dtype]:
        raise damaged(f"weight {value.name!r} exceeds +-{Q_MAX[dtype]}")
    fixed = f"{FIXED}." in value.name
    return Parameter(value.name, q, dtype, tuple(float(s) for s in scale.reshape(-1)), fixed)


def _check_parameters(node, weight, bias, source):
    """Hold the scales of bias, weight and input to each other: lowering and rounding rely on it."""
    if weight is None or bias is None or weight.dtype == "s32" or bias.dtype != "s32":
        raise damaged(f"the weight or bias of {describe(node)} is not an integer initialiser")
    is_norm = node.op_type == "LayerNormalization"
    step = source.scale
    if is_norm:
        step = deviation_scale(source.shape[-1])
    elif is_recurrent(node):
        step = state_step(node, source.scale)
    expected = bias_scale(step, np.array(weight.scale))
    group = attribute(node, "group", 1)
    if is_norm and weight.q.shape != source.shape[-1:]:
        raise damaged(f"weight {weight.name!r} does not fit the {source.shape[-1]} channels it reads")
    if is_recurrent(node):
        gates = GATES[node.op_type]
        fits = weight.q.ndim == 2 and weight.q.shape == (source.shape[-1], source.shape[-1] // gates)
        gate_scale = source.scale if is_rectified(node) else GATE_SCALE
        if not fits or len(source.shape) != 2 or _steps(source) != (gate_scale, 0, "s16"):
            raise damaged(f"{describe(node)} does not fit what it reads")
    elif not is_norm and (weight.q.shape[1] * group != source.shape[0] or len(weight.q) % group):
        raise damaged(f"weight {weight.name!r} does not fit the {source.shape[0]} channels it reads")
    if bias.q.shape != weight.q.shape[:1] or bias.scale != tuple(float(s) for s in expected):
        raise damaged(f"bias {bias.name!r} does not have the scale of its input times its weight")


def _format(node, value):
    scale, zero_point = (constant(item) for item in node.inputs[1:3])
    dtype = DTYPES.get(node.inputs[2].dtype)
    if (
        dtype not in ("s8", "s16")
        or scale is None
        or zero_point is None
        or scale.size != 1
        or scale.dtype != np.float32
    ):
        raise damaged(f"{describe(node)} does not have one scale and one s8 or s16 zero point")
    step = float(scale.reshape(()))
    if not (np.isfinite(step) and step > 0):
        raise damaged(f"the scale of {describe(node)} is {step}")
    return Format(step, int(zero_point.reshape(())), dtype, dims(value, node)[1:])


def _clip_bounds(node):
    if node.op_type == "Relu":
        return 0.0, None
    bounds = [
        None if value is None else float(present(constant(value)).reshape(())) for value in node.inputs[1:]
    ]
    return (*bounds, None, None)[:2]


def _attributes(node):
    """Attributes as Python values; the pads and value of a Pad come from its initialisers."""
    if node.op_type == "Pad":
        pads, value = (present(constant(item)) for item in node.inputs[1:3])
        return {"pads": tuple(int(p) for p in pads), "value": float(value.reshape(()))}
    return {name: attribute(node, name) for name in _ATTRIBUTES.get(node.op_type, ())}


_SCALING = {"Sub": "offset", "Mul": "factor"}

_ATTRIBUTES = {
    "Conv": ("kernel_shape", "strides", "pads", "dilations", "group"),
    "MaxPool": ("kernel_shape", "strides", "pads", "dilations"),
    "AveragePool": ("kernel_shape", "strides", "pads", "count_include_pad"),
    "Concat": ("axis",),
    "Transpose": ("perm",),
    "Flatten": ("axis",),
    "LayerNormalization": ("epsilon",),
    "GRU": ("direction", "linear_before_reset"),
    "LSTM": ("direction",),
    "RNN": ("direction", "activations"),
}


def damaged(why: str) -> StepforwardError:
    """The error for a quantized model that was changed by something else, or damaged."""
    return StepforwardError(
        f"the quantized model does not fit together: {why}", "quantize the float model again with stepforward"
    )
