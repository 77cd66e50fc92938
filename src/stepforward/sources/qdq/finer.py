"""Finer steps for some activations of a quantized model."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import PARAMETRIC, constant, copy_model, logits_of, present
from stepforward.quantization.parameters import LARGEST_BIAS
from stepforward.sources.qdq.write import QUANTIZED, SCALE


def refinable(model: ir.Model) -> dict[str, int]:
    """Activations of 8 bits whose steps are their own to change: name -> how often they may be halved, at most.

    Left out are the logits, which grow while a network learns, probabilities, whose steps are set, and what has the
    format of another activation. Whoever reads an activation has its bias in steps of it: it must keep fitting.
    """
    most = {}
    logits = logits_of(model)
    for node in _written(model.graph):
        value, scale = (present(item) for item in node.inputs[:2])
        producer = value.producer()
        free = scale.name == f"{_name(node)}{SCALE}" and present(node.inputs[2]).dtype == ir.DataType.INT8
        if not free or _is_read_as(node, logits) or (producer is not None and producer.op_type == "Softmax"):
            continue
        biases = _biases(model.graph, scale)
        if all(_reads_alone(bias, scale) for bias in biases):
            largest = max((int(np.abs(present(constant(bias))).max(initial=1)) for bias in biases), default=1)
            most[_name(node)] = max(0, int(np.log2(LARGEST_BIAS / largest)))
    return most


def with_finer_steps(model: ir.Model, halvings: Mapping[str, int]) -> ir.Model:
    """A copy of a quantized model in which the steps of some activations are halved so many times.

    Zero points stay. The biases of what reads them are the same numbers in finer steps, and so exact.

    Args:
        model: as `quantize` writes it.
        halvings: name of an activation -> how often.

    Raises:
        StepforwardError: an activation is unknown or may not have so fine steps.
    """
    most = refinable(model)
    wrong = next((name for name, times in halvings.items() if not 0 < times <= most.get(name, 0)), None)
    if wrong is not None:
        raise StepforwardError(
            f"the steps of activation {wrong!r} cannot be halved {halvings[wrong]} times",
            "use the quantized model that the run began with",
        )
    model = copy_model(model)
    for node in _written(model.graph):
        scale = present(node.inputs[1])
        times = halvings.get(_name(node), 0) if scale.name == f"{_name(node)}{SCALE}" else 0
        if times:
            _halve(scale, times)
            for bias in _biases(model.graph, scale):
                integers = present(constant(bias)) << times
                bias.const_value = ir.tensor(integers.astype(np.int32), name=bias.name)
                for use in bias.uses():
                    _halve(present(use.node.inputs[1]), times)
    return model


def _written(graph: ir.Graph) -> Iterator[ir.Node]:
    return (node for node in graph if node.op_type == "QuantizeLinear")


def _name(node: ir.Node) -> str:
    return present(node.outputs[0].name).removesuffix(QUANTIZED)


def _is_read_as(node: ir.Node, value: ir.Value) -> bool:
    return any(use.node is value.producer() for use in node.outputs[0].uses())


def _reads_alone(bias: ir.Value, scale: ir.Value) -> bool:
    """Whether all layers that have this bias read activations with this scale."""
    layers = [use.node for read in bias.uses() for use in read.node.outputs[0].uses()]
    return all(present(present(layer.inputs[0]).producer()).inputs[1] is scale for layer in layers)


def _halve(scale: ir.Value, times: int) -> None:
    finer = (present(constant(scale)) * np.float32(2.0**-times)).astype(np.float32)
    scale.const_value = ir.tensor(finer, name=scale.name)


def _biases(graph: ir.Graph, scale: ir.Value) -> list[ir.Value]:
    """The biases of layers that read activations with this scale, each once."""
    found: dict[ir.Value, None] = {}
    for node in graph:
        if node.op_type not in PARAMETRIC or node.op_type == "LayerNormalization":
            continue
        given = (*node.inputs, None)[2]
        bias = None if given is None else given.producer()
        if bias is None or bias.op_type != "DequantizeLinear":
            continue  # a layer in float32, of an output besides the logits
        source = present(present(node.inputs[0]).producer())
        if source.inputs[1] is scale:
            found[present(bias.inputs[0])] = None
    return list(found)
