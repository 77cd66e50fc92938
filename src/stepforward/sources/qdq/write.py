"""Write a canonical float graph as an ordinary QDQ ONNX model (opset 21)."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import BITS, add_note
from stepforward.graph.nodes import (
    PARAMETRIC,
    add_initializer,
    copy_model,
    is_quantized,
    present,
    unused_name,
    value_names,
)
from stepforward.quantization.choose import choose
from stepforward.quantization.formats import QuantizationSettings
from stepforward.quantization.fusion import quantized_values

QUANTIZED = ".q"
"""Suffix of the integer tensor of an activation; `.dq` is its float reading."""

SCALE = ".scale"
"""Suffix of the scale of an activation or parameter."""

INTEGERS = {16: ir.DataType.INT16, 8: ir.DataType.INT8, 4: ir.DataType.INT4, 32: ir.DataType.INT32}


def quantize(
    model: ir.Model,
    x: np.ndarray,
    settings: QuantizationSettings | None = None,
    sources: Sequence[str] | None = None,
    table: np.ndarray | None = None,
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
        table: what samples are looked up in, as of `choose`.

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
    chosen = choose(graph, x, settings, sources, table)
    values, taken = quantized_values(graph), value_names(graph)
    readings: dict = {}
    for node in list(graph):
        for index in (1, 2) if node.op_type in PARAMETRIC else ():
            value = present(node.inputs[index])
            if value not in readings:
                readings[value] = _write_parameter(
                    graph, node, value, *chosen.parameters[present(value.name)], taken
                )
            node.replace_input_with(index, readings[value])
    formats: dict = {}
    for value in values:
        _write_activation(graph, value, chosen.activations[present(value.name)], formats, taken)
    for note in chosen.notes:
        add_note(model, note)
    model.metadata_props[BITS] = str(settings)
    model.producer_name = "stepforward"
    return model


def _write_parameter(graph, node, value, q, scale, bits, taken):
    """Turn a float initialiser into integers and a DequantizeLinear; `taken`: all names in use, kept up to date."""
    shape = value.shape
    value.const_value = ir.tensor(q.astype(INTEGERS[bits].numpy()), dtype=INTEGERS[bits], name=value.name)
    value.dtype = INTEGERS[bits]
    inputs = [value, add_initializer(graph, f"{value.name}{SCALE}", scale, taken)]
    if bits != 32:  # ONNX leaves it out for s32
        inputs.append(_zero_point(graph, value.name, np.zeros(scale.shape), bits, taken))
    attributes = {"axis": 0} if scale.ndim else {}
    name = _take(f"{value.name}.dq", taken)
    reader = _node("DequantizeLinear", inputs, attributes, name, shape, ir.DataType.FLOAT)
    graph.insert_before(node, reader)
    return reader.outputs[0]


def _write_activation(graph, value, point, formats, taken):
    """Put QuantizeLinear and DequantizeLinear between a value and its readers; `formats`: those written, by owner."""
    name, uses, producer = value.name, list(value.uses()), value.producer()
    is_output = value.is_graph_output()
    if point.owner not in formats:
        scale = add_initializer(graph, f"{point.owner}{SCALE}", np.asarray(point.scale), taken)
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
        graph.outputs[:] = [read.outputs[0] if output is value else output for output in graph.outputs]
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
