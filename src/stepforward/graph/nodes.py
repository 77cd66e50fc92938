"""Small operations on an onnx_ir graph that the passes share."""

import copy
import math
from collections import ChainMap
from collections.abc import Container
from typing import Any, TypeVar

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import BITS, OUTPUT

MOST_ELEMENTS = 2**28
"""Of one tensor of one sample, as in the core."""

PARAMETRIC = ("Conv", "Gemm", "LayerNormalization", "GRU", "LSTM", "RNN")
"""Operators whose second and third operands are a weight and a bias."""

FIXED = ".fixed"
"""Before ".weight" and ".bias" in the names of parameters that are no part of what a network learns."""

Part = TypeVar("Part")


def present(part: Part | None) -> Part:
    """An input, a name, a shape or an array that every network that fits together has here.

    onnx_ir's types let each of them be absent, and in a damaged file they are.

    Raises:
        TypeError: it is absent; `fits_together` names the model.
    """
    if part is None:
        raise TypeError("an input, a name, a shape or a constant is absent")
    return part


def copy_model(model: ir.Model) -> ir.Model:
    """A copy that shares nothing with `model` but the contents of tensors, which are never written to."""
    try:
        copied = model.clone()
    except RuntimeError:  # it takes nodes in order alone, and each graph by itself
        return ir.from_proto(ir.to_proto(model))
    for graph in copied.graphs():
        values = [*graph.inputs, *graph.initializers.values(), *(v for node in graph for v in node.outputs)]
        for value in values:
            value.type = copy.copy(value.type)  # which is one object with the model's
    return copied


def sample_inputs(graph: ir.Graph) -> list[ir.Value]:
    """The inputs that have no default: a weight that is listed as an input has one, and so has a fixed input."""
    return [value for value in graph.inputs if value.name not in graph.initializers]


def is_quantized(model: ir.Model) -> bool:
    """Whether `quantize` wrote this model: its weights are integers, with their formats in the file."""
    return BITS in model.metadata_props and any(node.op_type == "DequantizeLinear" for node in model.graph)


def constant(value: ir.Value | None) -> np.ndarray | None:
    """The array of an initialiser, or None where `value` is computed, fed or absent."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def dims(value: ir.Value | None, reader: ir.Node | None = None) -> tuple[int, ...]:
    """The static shape of a value, batch first.

    Raises:
        StepforwardError: the shape is unknown, depends on something else than the batch, or is out of all proportion.
        TypeError: `value` is absent.
    """
    value = present(value)
    shape = value.shape
    sizes = tuple(dim for dim in shape or () if isinstance(dim, int))
    if shape is None or len(sizes) != len(shape):
        where = f" read by {describe(reader)}" if reader is not None else ""
        raise StepforwardError(
            f"the shape of tensor {value.name!r}{where} is not known before the network runs: {shape}",
            "export the model with fixed height, width and channels; only the batch may vary",
        )
    if math.prod(sizes[1:]) > MOST_ELEMENTS or min(sizes, default=0) < 0:
        raise StepforwardError(
            f"tensor {value.name!r} has shape {sizes}; a sample of up to {MOST_ELEMENTS:,} numbers can be computed",
            "export the model with the sizes it runs at",
        )
    return sizes


def describe(node: ir.Node) -> str:
    """How messages name a node: its operator and its name."""
    return f"{operator_name(node)} node {node.name or node.outputs[0].name!r}"


def operator_name(node: ir.Node) -> str:
    """The operator, with its domain unless that is ONNX's own."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def attribute(node: ir.Node, name: str, default=None):
    """The Python value of an attribute, or `default`; integer lists become tuples."""
    found = node.attributes.get(name)
    if found is None:
        return default
    return found.as_string() if found.type == ir.AttributeType.STRING else found.value


def set_attributes(node: ir.Node, **values) -> None:
    """Write attributes; None removes one."""
    for name, value in values.items():
        if value is None:
            node.attributes.pop(name, None)
        elif isinstance(value, (list, tuple)) and not value:
            node.attributes[name] = ir.AttrInt64s(name, ())
        else:
            node.attributes[name] = ir.convenience.convert_attribute(name, value)


def add_initializer(graph: ir.Graph, name: str, array: np.ndarray, taken: set[str] | None = None) -> ir.Value:
    """Register an array as a new initialiser under `name`, or `name_2`, ... where it is taken.

    Args:
        taken: all names in use; the new one is added. Default: those of inputs, outputs and initialisers. What a node
            inside computes may then have the same name, which `make_names_distinct` mends for all of them at once.
    """
    if taken is None:
        taken = {value.name for value in (*graph.inputs, *graph.outputs) if value.name is not None}
        name = unused_name(name, ChainMap[str, Any](graph.initializers, dict.fromkeys(taken)))
    else:
        name = unused_name(name, taken)
    taken.add(name)
    tensor = ir.tensor(np.asarray(array, order="C"), name=name)
    value = ir.Value(name=name, const_value=tensor)
    value.shape = ir.Shape(array.shape)
    value.dtype = tensor.dtype
    graph.register_initializer(value)
    return value


def value_names(graph: ir.Graph) -> set[str]:
    """The names of all values: inputs, initialisers and what nodes compute."""
    values = (*graph.inputs, *(value for node in graph for value in node.outputs))
    return {*graph.initializers, *(value.name for value in values if value.name is not None)}


def make_names_distinct(graph: ir.Graph) -> None:
    """Rename values that nodes compute where an input or an initialiser has the same name."""
    fixed = {*(value.name for value in graph.inputs), *graph.initializers}
    taken: set[str] | None = None
    for node in graph:
        for value in node.outputs:
            if value.name is not None and value.name in fixed:
                taken = value_names(graph) if taken is None else taken
                value.name = unused_name(value.name, taken)
                taken.add(value.name)


def unused_name(name: str, taken: Container[str]) -> str:
    """`name`, or the first of `name_2`, `name_3`, ... that is not taken; a parameter suffix stays last.

    >>> unused_name("conv1.weight", {"conv1.weight"})
    'conv1_2.weight'
    """
    base, dot, suffix = name.rpartition(".")
    if suffix not in ("weight", "bias"):
        base, dot, suffix = name, "", ""
    count, candidate = 1, name
    while candidate in taken:
        count += 1
        candidate = f"{base}_{count}{dot}{suffix}"
    return candidate


def set_constant(node: ir.Node, index: int, array: np.ndarray, fallback_name: str) -> ir.Value:
    """Make input `index` of `node` the given array; it keeps its name where only this node reads it."""
    graph, old = node.graph, node.inputs[index] if index < len(node.inputs) else None
    if old is not None and old.is_initializer() and len(old.uses()) == 1:
        tensor = ir.tensor(np.asarray(array, order="C"), name=old.name)
        old.const_value = tensor
        old.shape = ir.Shape(array.shape)
        old.dtype = tensor.dtype
        return old
    name = old.name if old is not None and old.is_initializer() else fallback_name
    value = add_initializer(present(graph), present(name), array)
    if index >= len(node.inputs):
        node.resize_inputs(index + 1)
    node.replace_input_with(index, value)
    return value


def sole_consumer(value: ir.Value | None) -> ir.Node | None:
    """The only node that reads `value`, or None where several do or the network returns it."""
    value = present(value)
    if value.is_graph_output() or len(value.uses()) != 1:
        return None
    (use,) = value.uses()
    return use.node


def is_non_negative(value: ir.Value | None) -> bool:
    """Whether the operator that computes `value` never gives a negative number."""
    node = present(value).producer()
    if node is None:
        return False
    if node.op_type in ("Relu", "Softmax") or (
        node.op_type == "RNN" and "Relu" in attribute(node, "activations", ())
    ):
        return True
    if node.op_type == "Clip":
        lower = constant(node.inputs[1]) if len(node.inputs) > 1 else None
        return lower is not None and bool(lower >= 0)
    if node.op_type == "Pad":
        fill = constant(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(())
        return fill is not None and bool(fill >= 0) and is_non_negative(node.inputs[0])
    if node.op_type in ("MaxPool", "AveragePool", "GlobalAveragePool", "Reshape", "Flatten", "Transpose"):
        return is_non_negative(node.inputs[0])
    return node.op_type in ("Add", "Concat", "Mul") and all(is_non_negative(source) for source in node.inputs)


def copy_dtype(value: ir.Value, source: ir.Value) -> None:
    """Give `value` the type of the numbers of `source`, if that is known."""
    if source.dtype is not None:
        value.dtype = source.dtype


def insert_after(value: ir.Value, op_type: str, inputs: list, attributes: dict, shape, name: str) -> ir.Node:
    """Put a new node after the node that computes `value`; readers of `value` are left as they are."""
    node = ir.node(op_type, inputs, attributes, name=name)
    node.outputs[0].shape = ir.Shape(shape)
    node.outputs[0].dtype = ir.DataType.FLOAT
    producer = value.producer()
    if producer is None:
        raise ValueError(f"{value.name} has no producer")
    present(producer.graph).insert_after(producer, node)
    return node


def replace_node(old: ir.Node, op_type: str, inputs: list, attributes: dict | None = None) -> ir.Node:
    """Put a new one-output node in the place of `old`; it takes over name, output name, shape and readers."""
    graph, result = present(old.graph), old.outputs[0]
    node = ir.node(op_type, inputs, attributes or {}, name=old.name)
    node.outputs[0].shape = result.shape
    copy_dtype(node.outputs[0], result)
    graph.insert_before(old, node)
    bypass(old, node.outputs[0])
    return node


def bypass(node: ir.Node, replacement: ir.Value | None) -> None:
    """Remove a one-output node; its readers read `replacement`, which inherits a graph output's name."""
    give_result(node.outputs[0], present(replacement))
    present(node.graph).remove(node, safe=True)


def give_result(result: ir.Value, replacement: ir.Value) -> None:
    """Let all that read `result` read `replacement`, which inherits a graph output's name."""
    name, was_output = result.name, result.is_graph_output()
    if was_output and replacement.is_graph_input():
        raise StepforwardError(
            f"the network's output {name!r} is its input", "export the model that computes the logits"
        )
    result.replace_all_uses_with(replacement, replace_graph_outputs=True)
    if was_output:
        result.name, replacement.name = None, name


def logits_of(model: ir.Model) -> ir.Value:
    """The output that holds the logits: the one that the metadata name, or the first.

    Raises:
        StepforwardError: they name none of the outputs.
    """
    name = model.metadata_props.get(OUTPUT, model.graph.outputs[0].name)
    for value in model.graph.outputs:
        if value.name == name:
            return value
    raise StepforwardError(
        f"the model's metadata entry {OUTPUT!r} names {name!r}, which is no output",
        "write the model again with stepforward",
    )


def is_logits(value: ir.Value) -> bool:
    """Whether this is the first output of its graph, which in a canonical one holds the logits."""
    return value.is_graph_output() and present(value.graph).outputs[0] is value


def leading_to(graph: ir.Graph, *values: ir.Value) -> list[ir.Node]:
    """The nodes that some values depend on, in their order."""
    wanted, found = set(values), list[ir.Node]()
    for node in reversed(list(graph)):
        if any(result in wanted for result in node.outputs):
            found.append(node)
            wanted.update(value for value in node.inputs if value is not None)
    return found[::-1]


def keep_only(graph: ir.Graph, *outputs: ir.Value) -> None:
    """Give a graph these outputs, and drop what nothing else needs."""
    graph.outputs[:] = outputs
    remove_unused(graph)


def last_of(graph: ir.Graph, kinds: tuple[str, ...]) -> ir.Node | None:
    """The operator of one of these kinds that only changes of shape separate from the network's output, or None."""
    node = graph.outputs[0].producer()
    while node is not None and node.op_type in ("Flatten", "Reshape", "Squeeze", "Unsqueeze"):
        if sole_consumer(node.inputs[0]) is not node:
            return None
        node = present(node.inputs[0]).producer()
    return node if node is not None and node.op_type in kinds else None


def remove_unused(graph: ir.Graph) -> None:
    """Drop nodes whose results nobody reads, then initialisers nobody reads."""
    for node in reversed(list(graph)):
        if not any(result.uses() or result.is_graph_output() for result in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]
