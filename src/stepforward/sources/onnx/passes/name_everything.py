"""Readable, unique names: layers are called like their weights, the rest like their operators."""

import re

import onnx_ir as ir

from stepforward.graph.nodes import PARAMETRIC, present, unused_name, value_names
from stepforward.sources.onnx.passes.fold_affine import bias_name_of

_MADE_UP = re.compile(r"^(val_\d+|onnx::\w+|_?\d+|.*_\d{3,})$")


def name_everything(graph: ir.Graph) -> None:
    """Name nodes, values and initialisers; the input, outputs and state_dict names stay."""
    _name_parameters(graph)
    taken = {graph.inputs[0].name, *(value.name for value in graph.outputs), *graph.initializers}
    nodes: set[str] = set()
    for node in graph:
        if node.op_type in PARAMETRIC:
            wanted = present(present(node.inputs[1]).name).removesuffix(".weight")
        else:
            # A path given by an exporter, "/features/relu/Relu", says more than the operator.
            wanted = node.name if node.name and "/" in node.name else _snake_case(node.op_type)
        node.name = unused_name(wanted, nodes)
        nodes.add(node.name)
    renamed = []
    for node in graph:
        result = node.outputs[0]
        if not result.is_graph_output():
            renamed.append((result, unused_name(present(node.name), taken)))
            taken.add(renamed[-1][1])
    for result, name in renamed:
        result.name = name
    _name_constants(graph)


def _snake_case(operator):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", operator).lower()


def _name_parameters(graph):
    """Weights without a name of their own are called after their node, biases after their weight."""
    for node in graph:
        if node.op_type not in PARAMETRIC:
            continue
        weight, bias = node.inputs[1:3]
        if _MADE_UP.match(weight.name):
            base = (node.name or _snake_case(node.op_type)).removeprefix("node_")
            weight.name = unused_name(f"{base}.weight", graph.initializers)
        if _MADE_UP.match(bias.name) or _MADE_UP.match(bias.name.removesuffix(".bias")):
            bias.name = unused_name(bias_name_of(weight.name), graph.initializers)


def _name_constants(graph):
    taken = value_names(graph)
    roles = {"Clip": ("min", "max"), "Pad": ("pads", "value"), "Reshape": ("shape",)}
    for node in graph:
        for value, role in zip(node.inputs[1:], roles.get(node.op_type, ()), strict=False):
            if value is not None and value.name != f"{node.name}.{role}":
                wanted = unused_name(f"{node.name}.{role}", taken)
                taken.remove(value.name)
                taken.add(wanted)
                value.name = wanted
