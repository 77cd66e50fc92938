"""A Pad with zeros in front of a convolution or pool becomes that operator's own padding, where exact."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    describe,
    dims,
    is_non_negative,
    replace_node,
    set_attributes,
)


def merge_pad(graph: ir.Graph) -> None:
    """Merge zero pads of H and W into their readers; write the other pads with 2 * rank initialiser entries.

    Raises:
        StepforwardError: a pad that cuts, pads the batch or has computed amounts.
    """
    for node in list(graph):
        if node.op_type != "Pad":
            continue
        pads, value = _read(node)
        readers = [use.node for use in node.outputs[0].uses()]
        if value == 0 and readers and all(_can_take(reader, node, pads) for reader in readers):
            for reader in readers:
                _give(reader, pads)
                reader.replace_input_with(0, node.inputs[0])
            graph.remove(node, safe=True)
        else:
            name = node.outputs[0].name
            amounts = add_initializer(graph, f"{name}.pads", np.array(pads, np.int64))
            fill = add_initializer(graph, f"{name}.value", np.array(value, np.float32))
            replace_node(node, "Pad", [node.inputs[0], amounts, fill], {"mode": "constant"})


def _read(node):
    rank = len(dims(node.inputs[0], node))
    amounts = constant(node.inputs[1])
    fill = node.inputs[2] if len(node.inputs) > 2 else None
    value = 0.0 if fill is None else constant(fill)
    axes = node.inputs[3] if len(node.inputs) > 3 else None
    axes = list(range(rank)) if axes is None else constant(axes)
    if amounts is None or value is None or axes is None or attribute(node, "mode", "constant") != "constant":
        raise StepforwardError(
            f"{describe(node)} pads by a computed amount, or cuts and repeats the border at once",
            "pad by amounts that are the same for every sample, with a constant or by what lies inside",
        )
    if amounts.shape != (2 * len(axes),) or np.size(value) != 1:
        raise StepforwardError(
            f"{describe(node)} pads {len(axes)} axes by amounts of shape {amounts.shape} with values of shape "
            f"{np.shape(value)}",
            "give two amounts for each axis, and one value",
        )
    pads = [0] * (2 * rank)
    for position, axis in enumerate(axes):
        pads[int(axis) % rank] = int(amounts[position])
        pads[int(axis) % rank + rank] = int(amounts[position + len(axes)])
    if min(pads) < 0 or pads[0] or pads[rank]:
        raise StepforwardError(
            f"{describe(node)} cuts a border off or pads the batch (pads {pads})",
            "pad channels, height and width only, by amounts of at least 0",
        )
    return pads, float(np.asarray(value).reshape(()))


def _can_take(reader, pad, pads):
    if len(pads) != 8 or pads[1] or pads[5] or reader.inputs[0] is not pad.outputs[0]:
        return False
    if reader.op_type == "Conv":
        return True
    if reader.op_type == "AveragePool":
        return bool(attribute(reader, "count_include_pad")) or not any(attribute(reader, "pads"))
    if reader.op_type == "MaxPool":  # zeros win nothing against values that are never negative
        kernel = attribute(reader, "kernel_shape")
        merged = np.add(attribute(reader, "pads"), (pads[2], pads[3], pads[6], pads[7]))
        return is_non_negative(pad.inputs[0]) and all(p < k for p, k in zip(merged, kernel * 2, strict=True))
    return False


def _give(reader, pads):
    own = attribute(reader, "pads")
    added = (pads[2], pads[3], pads[6], pads[7])
    set_attributes(reader, pads=[a + b for a, b in zip(own, added, strict=True)])
    if reader.op_type == "AveragePool":
        set_attributes(reader, count_include_pad=1)
