"""A format for every tensor of a canonical float graph, and the integers of its parameters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from stepforward.graph.channels import channel_axis
from stepforward.graph.nodes import attribute, constant, is_logits, is_non_negative, present
from stepforward.graph.pointwise import Functions
from stepforward.graph.recurrent import is_rectified, is_recurrent, state_step
from stepforward.network.network import LARGEST_LOGITS_SCALE
from stepforward.operators.layer_norm import deviation_scale
from stepforward.operators.recurrent import GATE_SCALE
from stepforward.quantization.calibrate import calibrate, check_samples
from stepforward.quantization.even_input import even_input, even_parts
from stepforward.quantization.formats import AUTO, QuantizationSettings
from stepforward.quantization.fusion import FORMAT_OF_INPUT, first_value, fused_clip, storing_nodes
from stepforward.quantization.outliers import far_out, left_out
from stepforward.quantization.parameters import LOGITS_GROWTH, NORM_GROWTH, quantize_bias, quantize_weight
from stepforward.quantization.point import Point
from stepforward.quantization.wide import gate_values, wide_values
from stepforward.quantization.wide_auto import gaining
from stepforward.quantization.winograd import suits_winograd

LOGITS_HEADROOM = 2.0
"""16-bit logits reach this many times beyond calibration: they grow while a network adapts."""


class Integers(NamedTuple):
    """A weight or bias: symmetric integers in its own shape, and one float32 scale or one per output."""

    q: np.ndarray
    scale: np.ndarray
    bits: int


class Chosen(NamedTuple):
    """What `choose` chose: of every activation that is stored as integers, and of every parameter, by name.

    Attributes:
        notes: what a user should know about the samples.
    """

    activations: dict[str, Point]
    parameters: dict[str, Integers]
    notes: list[str]


def choose(
    graph: ir.Graph,
    x: np.ndarray,
    settings: QuantizationSettings,
    names: Sequence[str] | None = None,
    table: np.ndarray | None = None,
) -> Chosen:
    """Choose a format for every tensor from the ranges that samples show.

    Samples far outside the range of all others (`outliers.far_out`) take no part, and a note says so.
    Where the input's channels, along any axis, are of very different size, each gets a scale of its own (`even_input`);
    where 8 bits would still cost too much, it has 16, or all that can (`wide_auto`).
    Token ids are looked up in a table, of which any row may come: the format of the input has room for all of them.

    Args:
        graph: canonical float graph; `even_input` changes it.
        x: calibration samples, float32 (N, C, H, W).
        settings: bits and calibration method.
        names: how a note names the samples; default: by number.
        table: what the samples were looked up in, float32 (ids, D); None where they are given as they are.

    Raises:
        StepforwardError: the samples do not fit the model.
    """
    x = check_samples(graph, x)
    axis = channel_axis(graph)
    found, notes = far_out(x, axis) if table is None else {}, []
    if found:
        x = np.delete(x, list(found), axis=0)
        notes.append(left_out(found, names))
    if table is None and not even_parts(graph, x):
        even_input(graph, x, axis)
    activations = _activations(graph, _seen(graph, x, settings, table), settings)
    if AUTO in settings.wide:
        gains, why = gaining(graph, x, activations)
        if gains is not None:
            settings = replace(settings, wide=(*settings.wide, gains))
            activations = _activations(graph, _seen(graph, x, settings, table), settings)
            notes.append(why)
    parameters: dict[str, Integers] = {}
    layers: dict[ir.Value, list[ir.Node]] = {}
    for node in graph:
        if node.op_type in ("Conv", "Gemm"):
            layers.setdefault(present(node.inputs[1]), []).append(node)
        elif node.op_type == "LayerNormalization":
            parameters |= _norm_parameters(node, settings)
        elif is_recurrent(node):
            step = state_step(node, float(activations[present(node.inputs[0]).name].scale))
            parameters |= _own_parameters(node, step, settings)
    for readers in layers.values():
        parameters |= _parameters(readers, activations, settings)
    return Chosen(activations, parameters, notes)


def _seen(graph, x, settings, table):
    """What samples show of every value; of the input, what a table has. It is symmetric, as parameters are."""
    seen = calibrate(graph, x, settings)
    if table is not None:
        largest = float(np.abs(table).max())
        seen[present(first_value(graph).name)] = -largest, largest
    return seen


def _activations(graph, seen, settings):
    """A format for every quantized value; operators that only move integers hand their input's on."""
    source = first_value(graph)
    non_negative = seen[source.name][0] >= 0 and not settings.symmetric
    functions, wide, gates = Functions(graph), wide_values(graph, settings.wide), gate_values(graph)
    bits = 16 if source.name in wide else 8
    points = {source.name: _point(source.name, seen[source.name][1], bits, non_negative and bits == 8)}
    for node in storing_nodes(graph):
        value = node.outputs[0]
        if value.name in gates and node.op_type not in FORMAT_OF_INPUT:
            points[value.name] = _gate_point(value.name, gates[value.name], seen)
            continue
        if node.op_type == "Softmax":
            points[value.name] = _probabilities(value.name, value.name in wide, settings)
            continue
        if node.op_type in FORMAT_OF_INPUT:
            points[value.name] = points[present(node.inputs[0]).name]
            continue
        if (
            value.name not in wide
            and node.op_type == "Concat"
            and len({points[present(source).name] for source in node.inputs}) == 1
        ):
            points[value.name] = points[present(node.inputs[0]).name]  # parts of one tensor: nothing to round
            continue
        least, magnitude = seen[value.name]
        if is_logits(value) and settings.logits_bits == 16 and (_computes(node) or functions.ends(node)):
            points[value.name] = _logits_point(value.name, magnitude)
        elif value.name in wide:
            points[value.name] = _point(value.name, magnitude, 16, False)
        elif functions.ends(node) and not settings.symmetric:
            points[value.name] = _whole_point(value.name, max(least, -magnitude), magnitude)
        else:
            non_negative = is_non_negative(value) and not settings.symmetric
            points[value.name] = _point(value.name, magnitude, settings.activation_bits, non_negative)
    return points


def _logits_point(name, magnitude):
    """16 bits, with as much room to grow as the integer loss has."""
    most = LARGEST_LOGITS_SCALE * 32767
    return _point(name, max(magnitude, min(magnitude * LOGITS_HEADROOM, most)), 16, False)


def _gate_point(name, node, seen):
    """What a recurrent node reads: in the steps of its gates or, where nothing bounds its states, in theirs."""
    if is_rectified(node):
        return _point(name, max(seen[name][1], seen[node.outputs[0].name][1]), 16, False)
    return Point(np.float32(GATE_SCALE), 0, 16, name)


def _probabilities(name, wide, settings):
    """From 0 to 1, in steps of a power of two."""
    if wide:
        return Point(np.float32(2.0**-15), 0, 16, name)
    return (
        Point(np.float32(2.0**-7), 0, 8, name)
        if settings.symmetric
        else Point(np.float32(2.0**-8), -128, 8, name)
    )


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
    return Point(max(scale, np.finfo(np.float32).tiny), -(2 ** (bits - 1)) if non_negative else 0, bits, name)


def _whole_point(name, least, magnitude):
    """All steps from `least`, at most 0, to `magnitude`: what functions give is rarely as far below 0 as above."""
    least = min(least, 0.0)
    scale = max(np.float32(((magnitude - least) or 1.0) / 255), np.finfo(np.float32).tiny)
    return Point(scale, -128 - round(least / float(scale)), 8, name)


def _parameters(layers, activations, settings):
    """A weight and the biases of all Conv or Gemm that read it; the weight has room for every one of them."""
    weight = present(constant(layers[0].inputs[1]))
    scales = [float(activations[layer.inputs[0].name].scale) for layer in layers]
    biases = [present(constant(layer.inputs[2])) for layer in layers]
    needed = biases[0]  # in steps of the first input
    for bias, scale_x in zip(biases[1:], scales[1:], strict=True):
        needed = np.maximum(np.abs(needed), np.abs(bias) * (scales[0] / scale_x))
    tiles = any(
        _suits_winograd(layer, weight) and activations[layer.inputs[0].name].bits == 8 for layer in layers
    )
    last = any(is_logits(layer.outputs[0]) for layer in layers)
    q, scale = quantize_weight(
        weight, needed, scales[0], settings, kernel_sums=tiles, growth=LOGITS_GROWTH if last else 1
    )
    found = {layers[0].inputs[1].name: Integers(q.astype(np.int16), scale, settings.weight_bits)}
    for layer, bias, scale_x in zip(layers, biases, scales, strict=True):
        q_bias, scale_bias = quantize_bias(bias, scale_x, scale)
        found[layer.inputs[2].name] = Integers(q_bias.astype(np.int32), scale_bias, 32)
    return found


def _norm_parameters(node, settings):
    """A layer norm's weight and bias; the bias has the scale of deviations times the weight's."""
    channels = len(present(constant(node.inputs[1])))
    return _own_parameters(node, deviation_scale(channels), settings, NORM_GROWTH)


def _own_parameters(node, step, settings, growth=1):
    """Weight and bias of a node whose weight reads numbers in steps of `step`, whatever its input's are."""
    weight, bias = (present(constant(value)) for value in node.inputs[1:3])
    q, scale = quantize_weight(weight, bias, step, settings, growth=growth)
    q_bias, scale_bias = quantize_bias(bias, step, scale)
    return {
        node.inputs[1].name: Integers(q.astype(np.int16), scale, settings.weight_bits),
        node.inputs[2].name: Integers(q_bias.astype(np.int32), scale_bias, 32),
    }


def _suits_winograd(node, weight):
    if node.op_type != "Conv":
        return False
    stride, dilation = (tuple(attribute(node, name, (1, 1))) for name in ("strides", "dilations"))
    rows, out = weight.shape[0] // attribute(node, "group", 1), node.outputs[0].shape[2:]
    height, width = map(int, out)
    return suits_winograd(weight.shape[2:], stride, dilation, weight.shape[1], rows, (height, width))
