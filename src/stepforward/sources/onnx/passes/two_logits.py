"""A network with one logit z tells two classes apart: as logits (0, z), and its final Sigmoid goes."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    bypass,
    constant,
    describe,
    dims,
    last_of,
    present,
    set_constant,
    sole_consumer,
)
from stepforward.sources.onnx.passes.drop_softmax import name_logits

_KEEPS_ZERO = {"AveragePool", "Flatten", "GlobalAveragePool", "MaxPool", "Relu", "Reshape"}
"""Operators of a single channel that give zeros for zeros, and can carry a second channel."""


def drop_sigmoid(graph: ir.Graph) -> list[str]:
    """Remove a Sigmoid at the network's end; a note if there was one.

    Raises:
        StepforwardError: the Sigmoid has several outputs.
    """
    node = last_of(graph, ("Sigmoid",))
    if node is None:
        return []
    shape = dims(node.outputs[0], node)
    if int(np.prod(shape[1:])) != 1:
        raise StepforwardError(
            f"the final {describe(node)} gives {shape[1] if len(shape) > 1 else 'several'} probabilities of their own: "
            "the network is multi-label",
            "stepforward adapts networks that choose one class; train with a softmax over the classes",
        )
    note = f"the final {describe(node)} was dropped: the output holds logits"
    bypass(node, node.inputs[0])
    name_logits(graph)
    return [note]


def two_logits(graph: ir.Graph) -> list[str]:
    """Give the last layer of a network with one output a first row of zeros: logits (0, z), classes 0 and 1.

    Returns:
        A note if it had one output.

    Raises:
        StepforwardError: what follows the last layer turns a zero into something else, or mixes it in.
    """
    output = graph.outputs[0]
    if dims(output) != (dims(output)[0], 1):
        return []
    after: list[ir.Node] = []
    node = output.producer()
    while node is not None and node.op_type in _KEEPS_ZERO and (not after or sole_consumer(node.outputs[0])):
        after.append(node)
        node = present(node.inputs[0]).producer()
    if (
        node is None
        or node.op_type not in ("Conv", "Gemm")
        or any(dims(one.outputs[0], one)[1] != 1 for one in (node, *after))
        or (after and sole_consumer(node.outputs[0]) is None)
        or attribute(node, "group", 1) != 1
    ):
        raise StepforwardError(
            f"the network has one output {output.name!r}, which no layer computes directly",
            "end the network with a linear layer of one output (two classes) or of one output per class",
        )
    for index in (1, 2):
        array, name = present(constant(node.inputs[index])), present(present(node.inputs[index]).name)
        set_constant(node, index, np.concatenate([np.zeros_like(array), array]), name)
    for changed in (node, *after):
        batch, _, *rest = dims(changed.outputs[0], changed)
        changed.outputs[0].shape = ir.Shape([batch, 2, *rest])
        if changed.op_type == "Reshape":
            target, name = present(constant(changed.inputs[1])), present(present(changed.inputs[1]).name)
            fresh = add_initializer(graph, name, np.array([0, 2, *target[2:]], np.int64))
            changed.replace_input_with(1, fresh)
    return ["the network has one logit z: it was read as the two logits 0 and z, for the classes 0 and 1"]
