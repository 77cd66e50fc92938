"""Convolutions and pools with every attribute written out: four pads, no auto_pad, no ceil_mode."""

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import attribute, constant, describe, dims, set_attributes

_KINDS = ("Conv", "MaxPool", "AveragePool")


def explicit_pads(graph: ir.Graph) -> None:
    """Write out kernel_shape, strides, pads and dilations; turn auto_pad and ceil_mode into pads.

    Raises:
        StepforwardError: a three-dimensional convolution, a computed weight, or an average pool
            whose ceil_mode has no equal in pads.
    """
    for node in list(graph):
        if node.op_type in _KINDS:
            _rewrite(node)


def _rewrite(node):
    if len(node.outputs) == 2 and not node.outputs[1].uses():
        node.resize_outputs(1)  # the positions of the maxima
    shape = dims(node.inputs[0], node)
    weight = constant(node.inputs[1]) if node.op_type == "Conv" else None
    if len(shape) != 4 or (node.op_type == "Conv" and (weight is None or weight.ndim != 4)):
        raise StepforwardError(
            f"{describe(node)} works on a tensor of shape {shape}; "
            "only (N, C, H, W) with constant weights is supported",
            "write a three-dimensional convolution as one of images, with depth among the channels",
        )
    kernel = list(weight.shape[2:]) if weight is not None else list(attribute(node, "kernel_shape"))
    strides = list(attribute(node, "strides", (1, 1)))
    dilations = list(attribute(node, "dilations", (1, 1)))
    out = dims(node.outputs[0], node)[2:]
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    needed = [(o - 1) * s + span - n for o, s, span, n in zip(out, strides, spans, shape[2:], strict=True)]
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise StepforwardError(
            f"{describe(node)} has auto_pad {auto!r}", "use NOTSET, VALID, SAME_UPPER or SAME_LOWER"
        )
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        total = [max(0, n) for n in needed]
        begin = [(t if auto == "SAME_UPPER" else t + 1) // 2 for t in total]
        pads = begin + [t - b for t, b in zip(total, begin, strict=True)]
    else:
        pads = list(attribute(node, "pads", (0, 0, 0, 0))) if auto == "NOTSET" else [0, 0, 0, 0]
    if attribute(node, "ceil_mode", 0):
        pads = _enlarge(node, pads, needed)
    if node.op_type == "AveragePool" and dilations != [1, 1]:
        raise StepforwardError(f"{describe(node)} is dilated", "use an average pool without dilation")
    set_attributes(node, kernel_shape=kernel, strides=strides, pads=pads, auto_pad=None, ceil_mode=None)
    if node.op_type == "AveragePool":
        set_attributes(node, dilations=None, count_include_pad=attribute(node, "count_include_pad", 0))
    else:
        set_attributes(node, dilations=dilations, storage_order=None)
    if node.op_type == "Conv":
        set_attributes(node, group=attribute(node, "group", 1))


def _enlarge(node, pads, needed):
    ends = [max(end, n - begin) for begin, end, n in zip(pads[:2], pads[2:], needed, strict=True)]
    if ends != pads[2:] and node.op_type == "AveragePool" and attribute(node, "count_include_pad", 0):
        raise StepforwardError(
            f"{describe(node)} combines ceil_mode with count_include_pad",
            "set count_include_pad=False or ceil_mode=False",
        )
    return pads[:2] + ends
