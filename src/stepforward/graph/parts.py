"""The parts of a joined input: where each begins in the graph, and its place in a row of numbers."""

import math
from typing import NamedTuple

import onnx_ir as ir

from stepforward.graph.nodes import present

COLUMNS = "stepforward.columns"
"""Metadata of the node that a part of the input goes through before anything reads it: its first column, and the one
after its last."""


class Part(NamedTuple):
    """An input of a model that reads several: of one sample, all of them lie in one row, one after the other.

    Attributes:
        name: of the input.
        shape: of one sample.
    """

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Numbers of one sample."""
        return math.prod(self.shape)

    @property
    def words(self) -> dict:
        """As results and metadata have it."""
        return {"name": self.name, "shape": list(self.shape)}


def begins_part(part: ir.Value, columns: range, name: str) -> ir.Node:
    """The node to put after a part: the identity, as a function of one value, by which the part gets a format of its
    own where the row has another."""
    node = ir.node("LeakyRelu", [part], {"alpha": 1.0}, name=name)
    node.metadata_props[COLUMNS] = f"{columns.start}:{columns.stop}"
    node.outputs[0].name, node.outputs[0].dtype = f"{name}.out", ir.DataType.FLOAT
    return node


def part_nodes(graph: ir.Graph) -> list[tuple[ir.Node, range]]:
    """The nodes that parts of the input go through, and the columns of each; none where the input is one."""
    found = []
    for node in graph:
        if node.op_type == "LeakyRelu" and COLUMNS in node.metadata_props:
            first, end = node.metadata_props[COLUMNS].split(":")
            found.append((node, range(int(first), int(end))))
    return found


def shapes_of(values: list[ir.Value]) -> tuple[Part, ...]:
    """Inputs with the sizes that a checked file has."""
    return tuple(
        Part(present(value.name), tuple(int(size) for size in list(present(value.shape))[1:]))  # type: ignore[arg-type]
        for value in values
    )
