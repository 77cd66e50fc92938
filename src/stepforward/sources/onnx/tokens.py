"""Token ids as the input: their lookup in a table is taken off a graph, and put back in front of what it became.

    ids (N, T) -> Gather(table) -> (N, T, D) -> network         is read as         vectors (N, T, D) -> network

Between the two the table is nothing that a network computes: samples are looked up where they are read
(`data.tokens`), on a device by its firmware. It does not learn.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    copy_model,
    describe,
    is_quantized,
    present,
    remove_unused,
    replace_node,
    sample_inputs,
    sole_consumer,
    unused_name,
    value_names,
)
from stepforward.sources.onnx.passes.fold_constants import fold_constants

_SAME = ("Cast", "Identity")
_ONE = "let one lookup, a Gather of the rows of a constant table, read the ids, and nothing else"
_MASK = (
    "a padding mask that is computed from the ids is not supported: export the network without it, for samples of one "
    "length, in which padding is a token like any other"
)
_COMPARES = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Sign", "Where")


@dataclass(frozen=True, eq=False)
class Tokens:
    """What stood between the ids and the network.

    Attributes:
        ids: name of the input.
        dtype: of the ids.
        length: of a sample.
        name: of the table.
        table: float32 (ids, D).
    """

    ids: str
    dtype: ir.DataType
    length: int
    name: str
    table: np.ndarray


def ids_of(graph: ir.Graph) -> ir.Value | None:
    """The input that holds token ids; None where the samples are floats."""
    value = next(iter(sample_inputs(graph)), None)
    floats = value is None or value.dtype is None or value.dtype.is_floating_point()
    return None if floats else value


def check_ids(graph: ir.Graph, source: str) -> None:
    """Refuse whole numbers that go into no table at all.

    Args:
        source: how messages name the model.

    Raises:
        StepforwardError: they do.
    """
    ids = ids_of(graph)
    readers = [] if ids is None else list(_readers(ids))
    if ids is None or (present(ids.dtype).is_integer() and any(_looks_up(*reader) for reader in readers)):
        return
    by = f": {describe(readers[0][0])} reads it" if readers else ""
    raise StepforwardError(
        f"{_what(ids, source)}, and is looked up in no table{by}",
        "export the model with a float32 input, or with token ids that go into an embedding alone; preprocessing that "
        "turns bytes into floats belongs to the data",
    )


def _looks_up(node: ir.Node, index: int) -> bool:
    return node.op_type == "Gather" and index == 1


def _what(ids: ir.Value, source: str) -> str:
    return f"input {ids.name!r} of {source} is {present(ids.dtype).name}, not FLOAT"


def _lookup_of(graph: ir.Graph, ids: ir.Value, source: str) -> ir.Node:
    """The Gather that reads the ids.

    Raises:
        StepforwardError: they are read by something else, or in no way that a table in front can do.
    """
    check_ids(graph, source)
    readers = list(_readers(ids))
    found = [node for node, index in readers if _looks_up(node, index)]
    others = [node for node, _ in readers if node not in found and node.op_type != "Shape"]
    if others:
        masks = any(node.op_type in _COMPARES for node in others)
        raise StepforwardError(
            f"{_what(ids, source)}, and {describe(others[0])} reads it besides {describe(found[0])}",
            _MASK if masks else _ONE,
        )
    if len(found) > 1:
        raise StepforwardError(
            f"the ids {ids.name!r} of {source} are looked up in {len(found)} tables: "
            f"{', '.join(describe(node) for node in found)}",
            "put the tables side by side, one row for each id with the columns of all, and split what is looked up",
        )
    _check_lookup(found[0], ids, source)
    return found[0]


def _readers(value: ir.Value) -> Iterator[tuple[ir.Node, int]]:
    """What reads the ids as they are, or with another type of whole numbers, and as which operand."""
    for use in value.uses():
        to = ir.DataType(attribute(use.node, "to", ir.DataType.INT64))
        if use.node.op_type in _SAME and to.is_integer():
            yield from _readers(use.node.outputs[0])
        else:
            yield use.node, use.idx


def _check_lookup(node: ir.Node, ids: ir.Value, source: str) -> None:
    if ids.shape is None or len(ids.shape) != 2:
        raise StepforwardError(
            f"the ids {ids.name!r} of {source} have shape {ids.shape}; expected (N, tokens)",
            "give the tokens of a sample as one line",
        )
    if attribute(node, "axis", 0) != 0:
        raise StepforwardError(
            f"{describe(node)} of {source} looks ids up along axis {attribute(node, 'axis')} of its table",
            "give the table with a row for each id",
        )
    if node.outputs[0].is_graph_output():
        raise StepforwardError(
            f"output {node.outputs[0].name!r} of {source} is what the ids stand for in its table",
            "leave it out: --output only:NAME, with the name of the output of the logits",
        )


def take_off(model: ir.Model, source: str) -> tuple[ir.Model, Tokens | None]:
    """A model that begins with the vectors of its ids, and what was taken off; or the model as it is, and None.

    A table of integers, in a quantized model, leaves a QuantizeLinear of the vectors behind.

    Raises:
        StepforwardError: the ids are used in a way that cannot be taken off, by name.
    """
    ids = ids_of(model.graph)
    if ids is None:
        return model, None
    model = copy_model(model)
    if not is_quantized(model):  # what `quantize` wrote has functions of its own
        model = InlinePass()(model).model
    ids = present(ids_of(model.graph))
    node = _lookup_of(model.graph, ids, source)
    if constant(node.inputs[0]) is None:
        fold_constants(model.graph, kept=("If",))
    value = present(node.inputs[0])
    table = constant(value)
    if table is None or table.ndim != 2 or not table.size:
        raise StepforwardError(
            f"{describe(node)} of {source} looks ids up in {value.name!r}, which is no constant table (ids, D)",
            "export the model with the embedding as a weight",
        )
    read = _integers_read(node)
    real = table.astype(np.float32) if read is None else table * present(constant(read.inputs[1]))
    length = present(ids.shape)[1]
    if not isinstance(length, int):
        raise StepforwardError(
            f"the ids {ids.name!r} of {source} have {length} tokens: how many is open",
            "say how many: --input-shape TOKENS (input_shape= in Python)",
        )
    tokens = Tokens(
        ids=present(ids.name),
        dtype=present(ids.dtype),
        length=length,
        name=present(value.name),
        table=real.astype(np.float32),
    )
    vectors = _replaced_input(model.graph, ids, tokens)
    if read is None:
        node.outputs[0].replace_all_uses_with(vectors)
    else:
        replace_node(node, "QuantizeLinear", [vectors, *read.inputs[1:3]])
    _keep_shapes(model.graph, ids, vectors)
    remove_unused(model.graph)
    return model, tokens


def _integers_read(node: ir.Node) -> ir.Node | None:
    """The DequantizeLinear that reads the rows of a table of integers; None of a float one.

    Raises:
        StepforwardError: a table of integers is read in another way, or in an asymmetric format.
    """
    value = present(node.inputs[0])
    if present(value.dtype).is_floating_point():
        return None
    read = sole_consumer(node.outputs[0])
    is_read = read is not None and read.op_type == "DequantizeLinear" and len(read.inputs) == 3
    scale, zero_point = (constant(item) for item in present(read).inputs[1:3]) if is_read else (None, None)
    table = present(constant(value))
    fits = scale is not None and scale.size == 1 and zero_point is not None and not zero_point.any()
    if (
        read is None
        or not fits
        or table.dtype not in (np.int8, np.int16)
        or table.min() == np.iinfo(table.dtype).min
    ):
        raise StepforwardError(
            f"the integers of table {value.name!r} are not read as `stepforward quantize` writes them",
            "quantize the float model again with stepforward",
        )
    return read


def table_of(model: ir.Model) -> np.ndarray | None:
    """The table of a quantized model, float32 (ids, D); None where its samples are floats."""
    return None if ids_of(model.graph) is None else present(take_off(model, "the model")[1]).table


def _replaced_input(graph: ir.Graph, ids: ir.Value, tokens: Tokens) -> ir.Value:
    """The vectors as an input, in the place of the ids."""
    vectors = ir.Value(
        name=unused_name(f"{tokens.ids}.vectors", value_names(graph)),
        shape=ir.Shape([present(ids.shape)[0], tokens.length, tokens.table.shape[1]]),
        type=ir.TensorType(ir.DataType.FLOAT),
    )
    graph.inputs[list(graph.inputs).index(ids)] = vectors
    return vectors


def _keep_shapes(graph: ir.Graph, ids: ir.Value, vectors: ir.Value) -> None:
    """What asked for the shape of the ids asks for that of a column of the vectors, which is the same."""
    asking = [node for node, _ in _readers(ids) if node.op_type == "Shape"]
    if asking:
        first = add_initializer(graph, f"{ids.name}.first", np.array(0, np.int64))
        column = ir.node("Gather", [vectors, first], {"axis": 2}, name=f"{ids.name}.column")
        graph.insert_before(graph[0], column)
        for node in asking:
            node.replace_input_with(0, column.outputs[0])


def put_back(model: ir.Model, tokens: Tokens | None) -> ir.Model:
    """A copy that reads ids again: of a float graph its input is looked up, of a quantized one what the input is
    quantized to, so that a table of integers takes the place of the QuantizeLinear.

    Args:
        model: its first input holds the vectors.
        tokens: what `take_off` gave; None leaves the model as it is.
    """
    if tokens is None:
        return model
    model = copy_model(model)
    graph = model.graph
    vectors = graph.inputs[0]
    ids = ir.Value(
        name=tokens.ids,
        shape=ir.Shape([present(vectors.shape)[0], tokens.length]),
        type=ir.TensorType(tokens.dtype),
    )
    first = next((use.node for use in vectors.uses() if use.node.op_type == "QuantizeLinear"), None)
    taken = value_names(graph) | {tokens.ids}
    if first is None:
        table, result = tokens.table, vectors
    else:
        scale, dtype = present(constant(first.inputs[1])), present(present(first.inputs[2]).dtype)
        table, result = integers_of(tokens.table, scale, dtype.numpy()), first.outputs[0]
    rows = add_initializer(graph, tokens.name, table, taken)
    node = ir.node("Gather", [rows, ids], {"axis": 0}, name=unused_name(f"{tokens.ids}.lookup", taken))
    made, name = node.outputs[0], f"{present(result.name)}" if first else f"{tokens.ids}.vectors"
    made.shape, made.dtype = result.shape or vectors.shape, present(rows.dtype)
    graph.insert_before(graph[0], node)
    result.replace_all_uses_with(made)
    if first is not None:
        graph.remove(first, safe=True)
    graph.inputs[0] = ids
    made.name = name
    remove_unused(graph)
    return model


def integers_of(table: np.ndarray, scale: np.ndarray | np.float32, dtype: np.dtype) -> np.ndarray:
    """The rows as `inputs.quantize_input` makes them of vectors; symmetric."""
    most = np.iinfo(dtype).max
    return np.clip(np.rint(table / scale), -most, most).astype(dtype)
