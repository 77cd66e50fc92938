"""Attributes of a window over an image, every default filled in."""

from collections.abc import Sequence

import onnx_ir as ir

from stepforward.graph.nodes import attribute
from stepforward.sources.problems import UnreadableError


def window(
    node: ir.Node, size: Sequence[int], made: Sequence[int], kernel: Sequence[int], dilated: str
) -> dict:
    """Kernel, strides, pads and dilations of a Conv or a pool.

    Args:
        node: the operator.
        size: height and width of what it reads; made: of what it writes.
        kernel: its size.
        dilated: name of the attribute of dilations.

    Returns:
        Pads at the end are larger where ceil_mode enlarges the output.

    Raises:
        UnreadableError: it is no window of two dimensions.
    """
    strides = tuple(attribute(node, "strides", (1, 1)))
    dilations = tuple(attribute(node, dilated, (1, 1)))
    pads = tuple(attribute(node, "pads", (0, 0, 0, 0)))
    kernel, auto = tuple(kernel), attribute(node, "auto_pad", "NOTSET")
    if (len(kernel), len(strides), len(dilations), len(pads)) != (2, 2, 2, 4):
        raise UnreadableError("its window does not have two dimensions")
    before, after = list(pads[:2]), list(pads[2:])
    for axis in range(2):
        spread = (kernel[axis] - 1) * dilations[axis] + 1
        more = (made[axis] - 1) * strides[axis] + spread - size[axis]
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            less = max(more, 0) // 2
            before[axis] = less if auto == "SAME_UPPER" else max(more, 0) - less
            after[axis] = max(more, 0) - before[axis]
        elif auto == "VALID":
            before[axis] = after[axis] = 0
        after[axis] = max(after[axis], more - before[axis])
    return {
        "kernel_shape": kernel,
        "strides": strides,
        "pads": (*before, *after),
        "dilations": dilations,
    }
