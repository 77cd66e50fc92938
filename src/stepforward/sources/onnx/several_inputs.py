"""Several inputs as one: a sample is a row of all their numbers, which the network cuts up again.

    image (N, 1, 16, 16), motion (N, 6) -> network    is read as    row (N, 262) -> cut, reshaped -> network

A file that is written has its own inputs again, which are laid in a row in front of the rest; reading takes that off.
"""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    copy_model,
    present,
    remove_unused,
    sample_inputs,
    unused_name,
    value_names,
)
from stepforward.graph.parts import Part, begins_part, shapes_of

ROW = "stepforward.row"
"""Name of the node that lays inputs in a row, and of the input that takes its place."""


def take_together(model: ir.Model) -> tuple[ir.Model, tuple[Part, ...]]:
    """The model with one input in place of its several, and what these are; or the model as it is, and ().

    Args:
        model: whose inputs are checked (`file.check_interface`).

    Raises:
        StepforwardError: an input is read by nothing.
    """
    inputs = sample_inputs(model.graph)
    if len(inputs) < 2:
        return model, ()
    model = copy_model(model)
    graph = model.graph
    inputs = sample_inputs(graph)
    idle = next((value for value in inputs if not value.uses()), None)
    if idle is not None:
        raise StepforwardError(
            f"input {idle.name!r} is read by nothing",
            "export the model without it, or give it a number: --fixed-inputs NAME=NUMBER",
        )
    parts = shapes_of(inputs)
    again = _laid_in_a_row(graph, inputs)
    row = ir.Value(
        name=unused_name(ROW, value_names(graph)),
        shape=ir.Shape([present(inputs[0].shape)[0], sum(part.size for part in parts)]),
        type=ir.TensorType(ir.DataType.FLOAT),
    )
    if again is not None:
        again.outputs[0].replace_all_uses_with(row)
    else:
        _cut(graph, inputs, parts, row)
    graph.inputs[:] = [row, *(value for value in graph.inputs if value not in inputs)]
    remove_unused(graph)
    return model, parts


def _laid_in_a_row(graph: ir.Graph, inputs: list[ir.Value]) -> ir.Node | None:
    """The node that `put_apart` wrote last, where all inputs go into it in their order and nowhere else."""
    node = next((node for node in graph if node.name == ROW and node.op_type == "Concat"), None)
    if node is None:
        return None
    laid = []
    for value in node.inputs:
        reshape = present(value).producer()
        if reshape is not None and reshape.op_type == "Reshape":
            laid.append(reshape.inputs[0])
    return node if laid == inputs and all(len(value.uses()) == 1 for value in inputs) else None


def _cut(graph: ir.Graph, inputs: list[ir.Value], parts: tuple[Part, ...], row: ir.Value) -> None:
    """Each input made of its columns of the row."""
    taken = value_names(graph)
    sizes = add_initializer(graph, f"{ROW}.sizes", np.array([part.size for part in parts], np.int64), taken)
    cut = ir.node("Split", [row, sizes], {"axis": 1}, num_outputs=len(parts), name="inputs/cut")
    nodes, first = [cut], 0
    for part, value, columns in zip(parts, inputs, cut.outputs, strict=True):
        columns.name = unused_name(f"{part.name}.columns", taken)
        shape = add_initializer(graph, f"{part.name}.shape", np.array([0, *part.shape], np.int64), taken)
        shaped = ir.node("Reshape", [columns, shape], name=f"{part.name}/shaped")
        shaped.outputs[0].name = unused_name(f"{part.name}.shaped", taken)
        begins = begins_part(shaped.outputs[0], range(first, first + part.size), f"{part.name}/part")
        value.replace_all_uses_with(begins.outputs[0])
        nodes += [shaped, begins]
        first += part.size
    graph.insert_before(graph[0], nodes)


def put_apart(model: ir.Model, parts: tuple[Part, ...]) -> ir.Model:
    """A copy that has these inputs again in place of the row.

    Args:
        model: its first input holds the row.
        parts: what `take_together` gave; () leaves the model as it is.
    """
    if not parts:
        return model
    model = copy_model(model)
    graph = model.graph
    row, taken = graph.inputs[0], value_names(model.graph)
    inputs, nodes = [], []
    flat = add_initializer(graph, f"{ROW}.shape", np.array([0, -1], np.int64), taken)
    for part in parts:
        value = ir.Value(
            name=part.name,
            shape=ir.Shape([present(row.shape)[0], *part.shape]),
            type=ir.TensorType(ir.DataType.FLOAT),
        )
        node = ir.node("Reshape", [value, flat], name=f"{part.name}.row")
        node.outputs[0].name = unused_name(f"{part.name}.row", taken)
        inputs.append(value)
        nodes.append(node)
    joined = ir.node("Concat", [node.outputs[0] for node in nodes], {"axis": 1}, name=ROW)
    joined.outputs[0].name = unused_name(f"{ROW}.joined", taken)
    joined.outputs[0].shape, joined.outputs[0].dtype = row.shape, ir.DataType.FLOAT
    graph.insert_before(graph[0], [*nodes, joined])
    row.replace_all_uses_with(joined.outputs[0])
    graph.inputs[:] = [*inputs, *list(graph.inputs)[1:]]
    return model
