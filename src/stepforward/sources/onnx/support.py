"""Which operators a network needs that stepforward does not have, all of them at once, and what to do about each."""

from dataclasses import dataclass

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from stepforward.errors import StepforwardError
from stepforward.graph.functions import FUNCTIONS
from stepforward.graph.nodes import copy_model, is_quantized, leading_to, operator_name
from stepforward.graph.recurrent import GATES, is_recurrent
from stepforward.operators.table import JOINS

CANONICAL = (
    *dict.fromkeys((*JOINS, *FUNCTIONS)),
    *("Conv", "Gemm", "MaxPool", "AveragePool", "GlobalAveragePool"),
    *("Pad", "Concat", "Reshape", "Flatten", "Transpose"),
    *("LayerNormalization", "MatMul", "Softmax", "Where"),
    *GATES,
)
"""Operators of the canonical graph."""

REWRITTEN = {
    *(
        "BatchNormalization",
        "Cast",
        "CastLike",
        "Constant",
        "DepthToSpace",
        "Div",
        "Dropout",
        "Expand",
        "Gather",
        "GatherND",
        "GlobalMaxPool",
    ),
    *(
        "Identity",
        "IsNaN",
        "MatMul",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Shape",
        "Size",
        "Slice",
        "SpaceToDepth",
        "Squeeze",
    ),
    *("Split", "Sub", "Sum", "Swish", "Tile", "Unsqueeze"),
    *(
        "Attention",
        "ConvTranspose",
        "Resize",
        "Upsample",
        "GroupNormalization",
        "InstanceNormalization",
        "LpNormalization",
        "RMSNormalization",
    ),
    *("ReduceL1", "ReduceL2", "ReduceMin", "ReduceSumSquare", "SequenceAt", "SplitToSequence"),
}
"""Operators that a pass rewrites in canonical ones, where their operands allow it."""

_TWO_COMPUTED = {"Gemm", "PRelu", "Pow"}
"""Operators of which one operand must be constant."""

_OVER_CLASSES = {"LogSoftmax"}
"""Operators that are dropped at the network's end, and only there."""

_UNCHANGED_BY = {"Cast", "CastLike", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Operators that may stand between one of `_OVER_CLASSES` and the output."""

RANDOM = {
    *("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
}
"""Operators whose result is no constant although nothing they read changes."""


@dataclass(frozen=True)
class Unsupported:
    """An operator that keeps a network from running.

    Attributes:
        operator: as the file names it, with its domain unless that is ONNX's own, e.g. "com.microsoft.FusedConv".
        count: how many nodes use it.
        node: the first of them.
        remedy: what to do about it.
    """

    operator: str
    count: int
    node: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.operator} ({self.count} nodes, first {self.node!r})" if self.count > 1 else self.name

    @property
    def name(self) -> str:
        """Operator and node, as messages name them."""
        return f"{self.operator} node {self.node!r}"


def unsupported(model: ir.Model) -> list[Unsupported]:
    """Every operator of a loaded model that stepforward cannot run, in the order of the graph; [] if there is none.

    No shape is looked at, so the list is complete whatever else is wrong with the model. An operator that is
    supported may still be refused for how it is used, once shapes are known.

    >>> body = "a = Hardmax(x) b = LogSoftmax(a) y = Hardmax(b)"
    >>> head = '<ir_version: 10, opset_import: ["": 21]> net (float[N,4] x) => (float[N,4] y)'
    >>> model = ir.from_onnx_text(f"{head} {{ {body} }}")
    >>> [(found.operator, found.count) for found in unsupported(model)]
    [('Hardmax', 2), ('LogSoftmax', 1)]
    """
    if is_quantized(model):
        return []
    return _list(InlinePass()(copy_model(model)).model.graph, None)


def refuse_unsupported(graph: ir.Graph, known: tuple[str, ...] | None = None) -> None:
    """Raise one error that names every unsupported operator of a graph, each with its remedy.

    Args:
        known: the only operators allowed; by default all that are canonical or can be rewritten.

    Raises:
        StepforwardError: there is one.
    """
    found = _list(graph, known)
    if len(found) == 1 and found[0].count == 1:
        raise StepforwardError(f"{found[0].name} is not supported", found[0].remedy)
    if found:
        remedies = list(dict.fromkeys(entry.remedy for entry in found))
        if len(remedies) > 1:
            remedies = [_with_names(found, remedy) for remedy in remedies]
        raise StepforwardError(
            f"these operators are not supported: {', '.join(str(entry) for entry in found)}",
            "; ".join(remedies),
        )


def _with_names(found, remedy):
    return f"{', '.join(entry.operator for entry in found if entry.remedy == remedy)}: {remedy}"


def _list(graph, known):
    nodes: dict[tuple[str, str], list[ir.Node]] = {}
    for node, computed in _computed(graph):
        reason = _reason(node, computed, known)
        if reason is not None:
            nodes.setdefault((operator_name(node), reason), []).append(node)
    return [
        Unsupported(operator, len(users), users[0].name or str(users[0].outputs[0].name), remedy)
        for (operator, remedy), users in nodes.items()
    ]


def _computed(graph):
    """Nodes between input and output, each with the operands that depend on the input; others are folded or dropped."""
    fixed = fixed_values(graph)
    for node in leading_to(graph, *graph.outputs):
        if not all(value in fixed for value in node.outputs):
            yield node, [value for value in node.inputs if value is not None and value not in fixed]


def fixed_values(graph: ir.Graph) -> set[ir.Value]:
    """The values that do not depend on what is in the network's input."""
    fixed = set(graph.initializers.values())
    for node in graph:
        inputs = [value for value in node.inputs if value is not None]
        constant = node.op_type in ("Shape", "Size") or all(value in fixed for value in inputs)
        if constant and _is_onnx(node) and node.op_type not in RANDOM:
            fixed.update(node.outputs)
    return fixed


def _is_onnx(node):
    return node.domain in ("", "ai.onnx")


def _reason(node, computed, known):
    """What to do about a node that is not supported, or None."""
    operator = node.op_type
    if known is not None and node.op_type in GATES:
        return None if is_recurrent(node) else _remedy(node)
    if not _is_onnx(node):
        return _DOMAINS.get(node.domain, _OTHER_DOMAIN)
    if known is not None:
        return None if operator in known else _remedy(node)
    if operator in _TWO_COMPUTED and len(computed) > 1:
        return _PRODUCT
    if operator in ("Gather", "GatherND") and node.inputs[1] in computed:
        return _remedy(node)
    if operator in _OVER_CLASSES and _ends(node):
        return None
    if operator in ("Where", "IsNaN"):
        return None if _masks(node, computed) else _remedy(node)
    return None if operator in CANONICAL or operator in REWRITTEN else _remedy(node)


def _masks(node, computed):
    """Whether it may belong to the mask of a softmax."""
    if node.op_type == "IsNaN":
        return all(use.node.op_type == "Where" for use in node.outputs[0].uses())
    guard = node.inputs[0].producer()
    return node.inputs[0] not in computed or (guard is not None and guard.op_type == "IsNaN")


def _ends(node):
    """Whether only changes of shape or type follow on the way to the output."""
    value = node.outputs[0]
    while not value.is_graph_output():
        readers = value.uses()
        if len(readers) != 1 or readers[0].node.op_type not in _UNCHANGED_BY:
            return False
        value = readers[0].node.outputs[0]
    return True


def _remedy(node):
    if node.op_type == "Cast":
        return "let the network compute in float32 throughout"
    return _REMEDIES.get(node.op_type, f"replace it by operators among {', '.join(CANONICAL)}")


_PRODUCT = "one of its operands must be constant"
_OTHER_DOMAIN = "export the model with ONNX's own operators only"
_RUNTIME = "an optimizer of ONNX Runtime wrote it: give the model as it was before, from the exporter"
_DOMAINS = {
    "com.microsoft": _RUNTIME,
    "com.microsoft.nchwc": _RUNTIME,
    "ai.onnx.ml": "only neural networks can be adapted, not trees or other classical models",
}

REFUSED = {
    "train with BatchNorm, which is folded into the layer before it": ("LRN", "MeanVarianceNormalization"),
    "norm other axes than the batch, by magnitudes or squares": ("LpNormalization", "RMSNormalization"),
    "read its states with the batch first, all or single ones of them, or the last: states[:, -1], h[-1]; with time "
    "first, one direction, one step or steps that follow each other, joined for the next layer": (
        "GRU",
        "LSTM",
        "RNN",
    ),
    "only a LogSoftmax over the classes at the end is supported (it is dropped), not one inside": (
        *("Hardmax", "LogSoftmax"),
    ),
    "export with an opset below 23, which writes it as products and sums": ("RotaryEmbedding",),
    "write the sum of products as a MatMul": ("Einsum",),
    "resize by constant factors, or give a classifier and sample images in the preprocessing": (
        *("GridSample", "MaxUnpool"),
    ),
    "cut detection post-processing off; stepforward adapts classifiers": (
        *("MaxRoiPool", "NonMaxSuppression", "NonZero", "RoiAlign", "TopK"),
    ),
    "export the logits themselves, without the choice of a class": ("ArgMax", "ArgMin"),
    "a look-up by computed numbers is supported where they are the network's input, token ids, and nothing else "
    "reads them": (*("Gather", "GatherElements", "GatherND", "OneHot", "ScatterElements", "ScatterND"),),
    "use Relu, Clip or max pooling where the network chooses by value": (
        *("And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not"),
        *("Or", "Where", "Xor"),
    ),
    "export one fixed path through the network: model.eval(), and no if or loop over data": (
        *("If", "Loop", "Scan", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceInsert"),
        *("SplitToSequence", "ConcatFromSequence"),
    ),
    "use AdaptiveAvgPool2d(1) or x.mean((2, 3)); other reductions are not supported": (
        *("CumSum", "LpPool", "GlobalLpPool", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd"),
    ),
    "random numbers belong to training: export with model.eval()": tuple(sorted(RANDOM)),
    "compute spectra of the input in the preprocessing (kind log_mel)": ("DFT", "STFT", "MelWeightMatrix"),
    "give the float model it was made from; `stepforward quantize` writes the integer model": (
        *("ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv"),
        *("QLinearMatMul", "QuantizeLinear"),
    ),
}
"""Operators that are refused wherever they stand, or where a pass cannot rewrite them, by what to do about them."""

_REMEDIES = {operator: remedy for remedy, operators in REFUSED.items() for operator in operators}
