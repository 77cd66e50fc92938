"""Which nodes of a graph are a function of one value together, point by point: one table computes all of them.

`x * sigmoid(x)` is such a function, and what exporters write for GELU or hard-swish. It begins with a value that is
stored; what its nodes compute is read by other nodes of it alone, except for the last one's result.
"""

import onnx_ir as ir

from stepforward.graph.functions import ALONE, FUNCTIONS, LINEAR, scalar
from stepforward.graph.nodes import sole_consumer

_LAYERS = ("Conv", "Gemm", "MatMul")
_FURTHEST = 32
"""Steps that are looked back for what two operands have in common."""

Nodes = set[ir.Node]


class Functions:
    """The functions of a graph.

    Attributes:
        last: for each node of a function, its last one.
    """

    def __init__(self, graph: ir.Graph):
        self.last: dict[ir.Node, ir.Node] = {}
        self._of: dict[
            ir.Node, tuple[Nodes, ir.Value]
        ] = {}  # by the last node: all nodes, the value they begin with
        lines: dict[ir.Value, list[ir.Value]] = {}
        for node in graph:
            operands = _operands(node)
            if len(operands) == 2:
                root = _common(lines, *operands)
                operands = [] if root is None else [root]
                if root is not None and (nodes := _between(root, node)) is not None:
                    self._join(nodes, node, root)
            elif operands and _begins(node, operands[0]):
                self._join({node}, node, operands[0])
            if operands:
                lines[node.outputs[0]] = [operands[0], *lines.get(operands[0], [])][:_FURTHEST]
        for node in graph:
            if self.ends(node):
                self._extend(node)

    def inside(self, node: ir.Node) -> bool:
        """Whether the node's result is read within its function alone."""
        return self.last.get(node, node) is not node

    def ends(self, node: ir.Node) -> bool:
        """Whether this is the last node of a function."""
        return self.last.get(node) is node

    def _join(self, nodes: Nodes, last: ir.Node, root: ir.Value) -> None:
        """Make `nodes` a function, together with one that they go on from, perhaps after steps in between."""
        steps, value = set(nodes), root
        while _read_by(value, steps) and (step := self._step(value.producer())):
            steps.add(step)
            (value,) = _operands(step)
        before = value.producer()
        if before in self._of and _read_by(value, steps):
            more, root = self._of.pop(before)
            nodes = steps | more
        for node in nodes:
            self._of.pop(node, None)
            self.last[node] = last
        self._of[last] = nodes, root

    def _step(self, node: ir.Node | None) -> ir.Node | None:
        """The node, if it is no function by itself and may be part of one."""
        one = node is not None and node not in self.last and len(_operands(node)) == 1
        return node if one else None

    def _extend(self, last: ir.Node) -> None:
        """Let a function take linear steps and clips after it, and linear steps before it that no layer can."""
        while step := self._step(sole_consumer(last.outputs[0])):
            nodes, root = self._of[last]
            self._join(nodes | {step}, step, root)
            last = step
        nodes, root = self._of[last]
        while _read_by(root, nodes) and (step := self._step(root.producer())) and step.op_type in LINEAR:
            (source,) = _operands(step)
            layer = source.producer()
            if layer is not None and layer.op_type in _LAYERS:
                break
            nodes, root = nodes | {step}, source
        self._join(nodes, last, root)


def _operands(node: ir.Node) -> list[ir.Value]:
    """What a node that may be part of a function reads besides scalar constants; [] for another node."""
    if node.op_type not in FUNCTIONS or node.domain not in ("", "ai.onnx"):
        return []
    operands = [value for value in node.inputs if value is not None and not scalar(value)]
    if any(value.is_initializer() for value in operands) or len(operands) > 2:
        return []
    return operands


def _begins(node: ir.Node, operand: ir.Value) -> bool:
    """Whether a node with one operand is a function by itself, not a step that a layer or a clip can take."""
    if node.op_type == "Neg":
        layer, reader = operand.producer(), sole_consumer(node.outputs[0])
        joined = reader is not None and len(_operands(reader)) == 2
        return joined and (layer is None or layer.op_type not in _LAYERS)
    return node.op_type in (*ALONE, "Pow", "PRelu") or (node.op_type == "Div" and scalar(node.inputs[0]))


def _common(lines: dict[ir.Value, list[ir.Value]], a: ir.Value, b: ir.Value) -> ir.Value | None:
    """The nearest value that both are functions of."""
    first, second = ([value, *lines.get(value, [])] for value in (a, b))
    return next((value for value in first if value in second), None)


def _between(root: ir.Value, last: ir.Node) -> Nodes | None:
    """The nodes from `root` to `last`, if they alone read what they compute."""
    nodes, waiting = {last}, [last]
    while waiting:
        for value in _operands(waiting.pop()):
            producer = value.producer()
            if value is not root and producer is not None and producer not in nodes:
                nodes.add(producer)
                waiting.append(producer)
    return nodes if all(node is last or _read_by(node.outputs[0], nodes) for node in nodes) else None


def _read_by(value: ir.Value, nodes: Nodes) -> bool:
    return not value.is_graph_output() and all(use.node in nodes for use in value.uses())
