"""Write a canonical float graph as an ordinary QDQ ONNX model (opset 21)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.channels import channel_axis
from stepforward.graph.metadata import BITS, add_note
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    copy_model,
    is_non_negative,
    is_quantized,
    present,
    unused_name,
    value_names,
)
from stepforward.network.network import LARGEST_LOGITS_SCALE
from stepforward.quantization.calibrate import calibrate, check_samples
from stepforward.quantization.even_input import even_input
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.fusion import (
    FORMAT_OF_INPUT,
    first_value,
    fused_clip,
    is_input_scaling,
    quantized_values,
)
from stepforward.quantization.outliers import far_out, left_out
from stepforward.quantization.parameters import quantize_bias, quantize_weight
from stepforward.quantization.winograd import suits_winograd

LOGITS_HEADROOM = 2.0
"""16-bit logits reach this many times beyond calibration: they grow while a network adapts."""

QUANTIZED = ".q"
"""Suffix of the integer tensor of an activation; `.dq` is its float reading."""

INTEGERS = {16: ir.DataType.INT16, 8: ir.DataType.INT8, 4: ir.DataType.INT4, 32: ir.DataType.INT32}


@dataclass(frozen=True)
class _Point:
    """Format of one activation; `owner` is the activation whose scale initialiser it uses."""

    scale: np.float32
    zero_point: int
    bits: int
    owner: str


def quantize(
    model: ir.Model,
    x: np.ndarray,
    settings: QuantizationSettings | None = None,
    sources: Sequence[str] | None = None,
) -> ir.Model:
    """Choose a fixed-point format for every tensor and write the integers; the argument is not changed.

    Weights and biases keep their names as integer initialisers, `<name>.scale` next to them. Every activation
    passes a QuantizeLinear and a DequantizeLinear, except between a Conv, Gemm or Add and the Relu or Clip that
    alone reads it.

    Args:
        model: a canonical float graph (`sources.onnx.canonical.canonicalize`).
        x: calibration samples, float32 (N, C, H, W).
        settings: bits and calibration method; default 16w8a, min-max.
        sources: how a note names the samples; default: by number.

    Samples far outside the range of all others (`outliers.far_out`) take no part, and a note in the model says so.
    Where the input's channels are of very different size, each gets a scale of its own (`even_input`).

    Raises:
        StepforwardError: the model is already quantized, or the data does not fit it.
    """
    if is_quantized(model):
        raise StepforwardError(
            f"the model is already quantized ({model.metadata_props[BITS]})",
            "use it as it is, or give the float model it was made from",
        )
    settings = settings or QuantizationSettings()
    model = copy_model(model)
    graph = model.graph
    x = check_samples(model, x)
    axis = channel_axis(model)
    found = far_out(x, axis)
    if found:
        x = np.delete(x, list(found), axis=0)
        add_note(model, left_out(found, sources))
    even_input(model, x, axis)
    points = _choose_points(graph, calibrate(model, x, settings), settings)
    values, taken = quantized_values(graph), value_names(graph)
    for node in list(graph):
        if node.op_type in ("Conv", "Gemm"):
            _write_parameters(graph, node, points[present(node.inputs[0]).name].scale, settings, taken)
    formats: dict = {}
    for value in values:
        _write_activation(graph, value, points[value.name], formats, taken)
    model.metadata_props[BITS] = str(settings)
    model.producer_name = "stepforward"
    return model


def _choose_points(graph, seen, settings):
    """A format for every quantized value; operators that only move integers hand their input's on."""
    source = first_value(graph)
    non_negative = seen[source.name][0] >= 0 and not settings.symmetric
    points = {source.name: _point(source.name, seen[source.name][1], 8, non_negative)}
    for node in graph:
        value = node.outputs[0]
        if fused_clip(node) is not None or is_input_scaling(node):
            continue
        if node.op_type in FORMAT_OF_INPUT:
            points[value.name] = points[node.inputs[0].name]
            continue
        if node.op_type == "Concat" and len({points[source.name] for source in node.inputs}) == 1:
            points[value.name] = points[node.inputs[0].name]  # parts of one tensor: nothing to round
            continue
        magnitude = seen[value.name][1]
        if value.is_graph_output() and settings.logits_bits == 16 and _computes(node):
            points[value.name] = _logits_point(value.name, magnitude)
        else:
            non_negative = is_non_negative(value) and not settings.symmetric
            points[value.name] = _point(value.name, magnitude, settings.activation_bits, non_negative)
    return points


def _logits_point(name, magnitude):
    """16 bits, with as much room to grow as the integer loss has."""
    most = LARGEST_LOGITS_SCALE * 32767
    return _point(name, max(magnitude, min(magnitude * LOGITS_HEADROOM, most)), 16, False)


def _computes(node):
    """Whether a Conv or Gemm computes this output, with or without a clip on the way out."""
    producer = node.inputs[0].producer()
    if node.op_type in ("Relu", "Clip") and producer is not None and fused_clip(producer) is node:
        node = producer
    return node.op_type in ("Conv", "Gemm")


def _point(name, magnitude, bits, non_negative):
    """Zero point 0 and the whole positive side for `magnitude`; all 2^b - 1 steps where nothing is negative."""
    steps = 2**bits - 1 if non_negative else 2 ** (bits - 1) - 1
    scale = np.float32((magnitude or 1.0) / steps)
    return _Point(
        max(scale, np.finfo(np.float32).tiny), -(2 ** (bits - 1)) if non_negative else 0, bits, name
    )


def _write_parameters(graph, node, scale_x, settings, taken):
    weight, bias = node.inputs[1:3]
    w, b = present(constant(weight)), present(constant(bias))
    q, scale = quantize_weight(w, b, scale_x, settings, kernel_sums=_suits_winograd(node, w))
    _write_parameter(graph, node, 1, weight, q, scale, settings.weight_bits, taken)
    q, scale = quantize_bias(b, scale_x, scale)
    _write_parameter(graph, node, 2, bias, q, scale, 32, taken)


def _suits_winograd(node, weight):
    if node.op_type != "Conv":
        return False
    stride, dilation = (tuple(attribute(node, name, (1, 1))) for name in ("strides", "dilations"))
    rows, out = weight.shape[0] // attribute(node, "group", 1), node.outputs[0].shape[2:]
    height, width = map(int, out)
    return suits_winograd(weight.shape[2:], stride, dilation, weight.shape[1], rows, (height, width))


def _write_parameter(graph, node, index, value, q, scale, bits, taken):
    """Turn a float initialiser into integers and a DequantizeLinear; `taken`: all names in use, kept up to date."""
    shape = value.shape
    value.const_value = ir.tensor(q.astype(INTEGERS[bits].numpy()), dtype=INTEGERS[bits], name=value.name)
    value.dtype = INTEGERS[bits]
    inputs = [value, add_initializer(graph, f"{value.name}.scale", scale, taken)]
    if bits != 32:  # ONNX leaves it out for s32
        inputs.append(_zero_point(graph, value.name, np.zeros(scale.shape), bits, taken))
    attributes = {"axis": 0} if scale.ndim else {}
    name = _take(f"{value.name}.dq", taken)
    reader = _node("DequantizeLinear", inputs, attributes, name, shape, ir.DataType.FLOAT)
    graph.insert_before(node, reader)
    node.replace_input_with(index, reader.outputs[0])


def _write_activation(graph, value, point, formats, taken):
    """Put QuantizeLinear and DequantizeLinear between a value and its readers; `formats`: those written, by owner."""
    name, uses, producer = value.name, list(value.uses()), value.producer()
    is_output = value.is_graph_output()
    if point.owner not in formats:
        scale = add_initializer(graph, f"{point.owner}.scale", np.asarray(point.scale), taken)
        formats[point.owner] = (
            scale,
            _zero_point(graph, point.owner, np.asarray(point.zero_point), point.bits, taken),
        )
    scale, zero_point = formats[point.owner]
    if is_output:
        value.name = _take(f"{name}.float", taken)
    written, again = (_take(f"{name}{suffix}", taken) for suffix in (QUANTIZED, ".dq"))
    write = _node("QuantizeLinear", [value, scale, zero_point], {}, written, value.shape, zero_point.dtype)
    read = _node(
        "DequantizeLinear", [write.outputs[0], scale, zero_point], {}, again, value.shape, ir.DataType.FLOAT
    )
    if producer is None:
        graph.insert_before(graph[0], [write, read])
    else:
        graph.insert_after(producer, [write, read])
    for use in uses:
        use.node.replace_input_with(use.idx, read.outputs[0])
    if is_output:
        graph.outputs[0] = read.outputs[0]
        read.outputs[0].name = name


def _take(name, taken):
    name = unused_name(name, taken)
    taken.add(name)
    return name


def _zero_point(graph, name, array, bits, taken):
    dtype = INTEGERS[bits]
    value = add_initializer(graph, f"{name}.zero_point", array.astype(np.int8), taken)
    value.const_value = ir.tensor(array.astype(dtype.numpy()), dtype=dtype, name=value.name)
    value.dtype = dtype
    return value


def _node(op_type, inputs, attributes, name, shape, dtype):
    node = ir.node(op_type, inputs, attributes, name=name)
    node.outputs[0].name = name
    node.outputs[0].shape = shape
    node.outputs[0].dtype = dtype
    return node
