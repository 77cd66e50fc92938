"""What ONNX Runtime computes in float32 in an int8 file, by node: there a program's integers may differ by one."""

import onnx_ir as ir

from stepforward.graph.nodes import present
from stepforward.network.network import Format, Node

_MOST = 4
"""Names of nodes in one note."""

_SENTENCES = {
    "sum": "additions are those of ONNX Runtime on x86 ({}); on ARM about one result in 100,000, half way between two "
    "integers, differs by one",
    "mean": "ONNX Runtime takes means over windows in float32 ({}): a mean half way between two integers may "
    "become the other one",
    "function": "a function is a table of exact values here ({}): ONNX Runtime's may differ by one near a half",
    "layer": "ONNX Runtime on x86 computes {} in float32, not in integers: a result near a half may differ by one",
}


class Floats:
    """Those met so far.

    On x86 int8 tensors become bytes where one operator alone reads them. A convolution whose input or output stays int8
    is computed in float32 between two roundings, and so is any operator that has both, or one with a ReLU or clip that
    its output's format does not make redundant. A QLinear operator is computed in integers in any case.
    """

    def __init__(self, fused: frozenset[str]):
        self.fused = fused
        self.found: dict[str, list[str]] = {kind: [] for kind in _SENTENCES}

    def note(self, kind: str, node: ir.Node) -> None:
        """Note a node of a kind."""
        self.found[kind].append(node.name or present(node.outputs[0].name))

    def join(self, node: ir.Node) -> bool:
        """An addition or a product of two tensors; returns whether the runtime has them and the result as bytes."""
        if node.op_type == "Add":
            self.note("sum", node)
        if not self.in_integers(node):
            self.note("layer", node)
        return all(self.sides(node))

    def average(self, node: ir.Node) -> bool:
        """A mean over windows; returns whether the runtime has both tensors as bytes."""
        self.note("mean", node)
        return all(self.sides(node))

    def mean(self, node: ir.Node) -> None:
        """A mean that is never fused."""
        self.note("layer", node)

    def function(self, node: ir.Node) -> None:
        """A function that is not exact in float32."""
        self.note("function", node)

    def layer(self, node: ir.Node) -> None:
        """A Conv, Gemm or MatMul."""
        if not self.in_integers(node):
            self.note("layer", node)

    def unary(self, node: ir.Node) -> None:
        """A mean over the whole image."""
        if not self.in_integers(node):
            self.note("layer", node)

    def clipped(self, node: Node, form: Format) -> None:
        """A layer with a bound of its own, in the format of its output."""
        low, high = node.clip
        lowest, highest = (-128 - form.zero_point) * form.scale, (127 - form.zero_point) * form.scale
        if (low is None or low <= lowest) and (high is None or high >= highest):
            return
        if node.name not in self.found["layer"] and node.op_type not in ("Add",):
            self.found["layer"].append(node.name)

    def in_integers(self, node: ir.Node) -> bool:
        """Whether a node is fused with what is around it."""
        if self.is_fused(node):
            return True
        sides = self.sides(node)
        return all(sides) if node.op_type in ("Conv", "MatMul") else len(set(sides)) == 1

    def is_fused(self, node: ir.Node) -> bool:
        """Whether the file has it as a QLinear operator."""
        return any((output.name or "").removesuffix(", real") in self.fused for output in node.outputs)

    def sides(self, node: ir.Node) -> list[bool]:
        """Of each activation that it reads, and of its result, whether it is bytes; two answers where that is none."""
        write = _only_reader(node.outputs[0])
        while write is not None and write.op_type in ("Relu", "Clip"):
            write = _only_reader(write.outputs[0])
        if write is None or write.op_type != "QuantizeLinear":
            return [False, True]
        reads = [value.producer() for value in node.inputs if value is not None]
        given = [
            read
            for read in reads
            if read is not None and read.op_type == "DequantizeLinear" and not _is_constant(read)
        ]
        if self.is_fused(node):
            return [_type(one) == ir.DataType.UINT8 for one in (*given, write)]
        later = [use.node for use in write.outputs[0].uses()]
        alone = len(later) == 1 and later[0].op_type == "DequantizeLinear" and _alone(later[0])
        return [*(_bytes(read) for read in given), _type(write) == ir.DataType.UINT8 or alone]

    def notes(self) -> list[str]:
        """A sentence for each kind that there is."""
        return [_SENTENCES[kind].format(_listed(names)) for kind, names in self.found.items() if names]


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:_MOST])
    return shown if len(names) <= _MOST else f"{shown} and {len(names) - _MOST} more"


def _only_reader(value: ir.Value) -> ir.Node | None:
    uses = list(value.uses())
    return uses[0].node if len(uses) == 1 and not value.is_graph_output() else None


def _type(node: ir.Node) -> ir.DataType | None:
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    return ir.DataType.UINT8 if zero is None else zero.dtype


def _alone(read: ir.Node) -> bool:
    """Whether what a DequantizeLinear gives has one reader."""
    value = read.outputs[0]
    return len(list(value.uses())) + value.is_graph_output() == 1


def _is_constant(read: ir.Node) -> bool:
    """Whether a DequantizeLinear reads a weight or a bias."""
    value = present(read.inputs[0])
    write = value.producer()
    if write is not None and write.op_type == "QuantizeLinear":
        value = present(write.inputs[0])
    return value.is_initializer()


def _bytes(read: ir.Node) -> bool:
    """Whether what a DequantizeLinear reads is bytes, or becomes so."""
    value = present(read.inputs[0])
    if _type(read) == ir.DataType.UINT8:
        return True
    write = value.producer()
    return (
        write is not None
        and write.op_type == "QuantizeLinear"
        and len(list(value.uses())) == 1
        and _alone(read)
    )
