"""Larger images: nearest neighbours are copies, other interpolations products with constant matrices along each axis,
and a transposed convolution is one convolution whose channels are then laid out in space."""

import math
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx.reference import ReferenceEvaluator

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import (
    FIXED,
    add_initializer,
    attribute,
    constant,
    describe,
    dims,
    give_result,
    present,
)
from stepforward.sources.onnx.passes.token_layers import bounds, put_node, reshaped


def upsampling(graph: ir.Graph) -> None:
    """Rewrite Resize and Upsample of images by constant factors, and ConvTranspose of images and lines.

    Raises:
        StepforwardError: another use of them, by the name of the node.
    """
    for node in list(graph):
        if node.op_type in ("Resize", "Upsample"):
            _resize(node)
        elif node.op_type == "ConvTranspose":
            _transposed(node)


def _resize(node):
    before, after = dims(node.inputs[0], node), dims(node.outputs[0], node)
    own = {name: attribute(node, name) for name in node.attributes if name != "axes"}
    given = [constant(value) for value in node.inputs[1:] if value is not None]
    crops = own.get("coordinate_transformation_mode") == "tf_crop_and_resize" or own.get("antialias", 0)
    if before[:2] != after[:2] or any(array is None for array in given) or crops:
        raise StepforwardError(
            f"{describe(node)} resizes from {before} to {after}, by a computed factor, or crops",
            "only height and width can be resized, by constant factors: interpolate(x, scale_factor=2)",
        )
    value, graph, name = present(node.inputs[0]), present(node.graph), node.name or node.outputs[0].name
    for axis in range(2, len(before)):
        if before[axis] == after[axis]:
            continue
        matrix = _interpolation(node, own, axis, before[axis], after[axis])
        shape = list(dims(value, node))
        factor, rest = divmod(after[axis], before[axis])
        if rest == 0 and np.array_equal(matrix, np.repeat(np.eye(before[axis]), factor, axis=1)):
            value = _copies(node, value, axis, factor)
            continue
        weight = add_initializer(graph, f"{name}.axis{axis}{FIXED}.weight", matrix.astype(np.float32))
        turn = list(range(len(shape)))
        turn[axis], turn[-1] = turn[-1], turn[axis]
        value = _turned(node, value, turn)
        value = put_node(node, "MatMul", [value, weight], [*dims(value)[:-1], after[axis]])
        value = _turned(node, value, turn)
    _replace(node, value)


def _interpolation(node, own, axis, size, new):
    """What a line of one axis is multiplied by (size, new), as ONNX's reference resizes lines with a single 1."""
    scales = constant((*node.inputs, None, None)[2 if node.op_type == "Resize" else 1])
    factor = new / size
    if scales is not None and scales.size:
        axes = attribute(node, "axes")
        place = axis if axes is None else [a % (axis + 1 if a < 0 else 99) for a in axes].index(axis)
        factor = float(scales.reshape(-1)[place])
    made = onnx.helper.make_node("Resize", ["x", "", "scales"], ["y"], **own)
    kinds = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in ("x", "scales", "y")
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([made], "line", kinds[:2], kinds[2:]),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
    )
    lines = np.eye(size, dtype=np.float32)
    feeds = {"x": lines, "scales": np.array([1, factor], np.float32)}
    results: Any = ReferenceEvaluator(model).run(None, feeds)
    found = np.asarray(results[0])
    if found.shape != (size, new):
        raise StepforwardError(
            f"{describe(node)} resizes {size} to {new} by {factor:g}",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    return found


def _copies(node, value, axis, factor):
    """Each element of an axis several times."""
    shape = list(dims(value, node))
    flat = [shape[0], math.prod(shape[1 : axis + 1]), 1, math.prod(shape[axis + 1 :])]
    parts = reshaped(node, value, flat)
    flat[2] = factor
    many = put_node(node, "Concat", [parts] * factor, flat, axis=2)
    shape[axis] *= factor
    return reshaped(node, many, shape)


def _transposed(node):
    """Output o = q*s + r of stride s is the sum over j of x[q - j] * w[j*s + r]: for each r a convolution of its own,
    all of them the channels of one."""
    x, array = present(node.inputs[0]), constant(node.inputs[1])
    bias = constant((*node.inputs, None)[2])
    before, after = dims(x, node), dims(node.outputs[0], node)
    axes, group = len(before) - 2, attribute(node, "group", 1)
    stride = list(attribute(node, "strides", [1] * axes))
    pads = list(attribute(node, "pads", [0] * 2 * axes))
    for what, found in (
        ("has computed weights", array is None or (len(node.inputs) > 2 and bias is None)),
        ("is not of images or lines", axes not in (1, 2)),
        ("has strides of their own for height and width", len(set(stride)) > 1),
        ("has holes in its kernel", any(step != 1 for step in attribute(node, "dilations", ()))),
        (
            "pads by a rule",
            attribute(node, "auto_pad", "NOTSET") != "NOTSET" or "output_shape" in node.attributes,
        ),
    ):
        if found:
            raise StepforwardError(
                f"{describe(node)} {what}",
                "only nn.ConvTranspose1d and nn.ConvTranspose2d with one stride and no dilation are supported",
            )
    array, s = present(array), stride[0]
    kernel, outputs = array.shape[2:], array.shape[1] * group
    if array.shape[0] != before[1] or before[1] % group or after[1] != outputs:
        raise StepforwardError(
            f"the weight {array.shape} of {describe(node)} does not fit its {before} inputs",
            "check that the model runs in ONNX Runtime on one sample, then export it again",
        )
    taps, first, last = [], [], []
    for axis in range(axes):
        begin, end = pads[axis], pads[axis] + after[2 + axis] - 1
        first.append(begin // s)
        last.append(end // s)
        taps.append(max(-(-kernel[axis] // s), last[axis] - before[2 + axis] + 2))
    weight = np.zeros((*array.shape[:2], *(tap * s for tap in taps)), array.dtype)
    weight[(slice(None), slice(None), *(slice(size) for size in kernel))] = array
    conv_pads = [tap - 1 - at for tap, at in zip(taps, first, strict=True)]
    conv_pads += [at - size + 1 for at, size in zip(last, before[2:], strict=True)]
    if min(conv_pads) < 0:
        raise StepforwardError(
            f"{describe(node)} drops whole inputs by its padding of {pads}",
            "crop its input instead, with a slice before it",
        )
    # (group, in, out, j, r, ..) -> (group, out, r .., in, J-1-j ..)
    split = weight.reshape(group, before[1] // group, -1, *(n for tap in taps for n in (tap, s)))
    split = np.flip(split, axis=tuple(3 + 2 * axis for axis in range(axes)))
    order = [0, 2, *(4 + 2 * axis for axis in range(axes)), 1, *(3 + 2 * axis for axis in range(axes))]
    flat = np.ascontiguousarray(split.transpose(order)).reshape(-1, before[1] // group, *taps)
    graph, name = present(node.graph), f"{present(node.inputs[1]).name}".removesuffix(".weight")
    biases = np.zeros(outputs, np.float32) if bias is None else bias
    operands = [
        add_initializer(graph, f"{name}.phases.weight", flat),
        add_initializer(graph, f"{name}.phases.bias", np.repeat(biases, s**axes)),
    ]
    places = [b - a + 1 for a, b in zip(first, last, strict=True)]
    own = {"kernel_shape": taps, "pads": conv_pads, "group": group, "strides": [1] * axes}
    value = put_node(node, "Conv", [x, *operands], [before[0], len(flat), *places], **own)
    whole = [before[0], outputs, *(place * s for place in places)]
    if axes == 2 and s > 1:
        value = put_node(node, "DepthToSpace", [value], whole, blocksize=s, mode="CRD")
    elif s > 1:
        parts = reshaped(node, value, [before[0], outputs, s, places[0]])
        value = reshaped(node, _turned(node, parts, [0, 1, 3, 2]), whole)
    for axis in range(axes):
        skipped = pads[axis] - first[axis] * s
        if whole[2 + axis] == after[2 + axis]:
            continue
        whole[2 + axis] = after[2 + axis]
        ends = bounds(node, 2 + axis, skipped, skipped + after[2 + axis])
        value = put_node(node, "Slice", [value, *ends], whole)
    _replace(node, value)


def _replace(node, value):
    give_result(node.outputs[0], value)
    node.graph.remove(node, safe=True)


def _turned(node, value, perm):
    if perm == sorted(perm):
        return value
    shape = dims(value, node)
    return put_node(node, "Transpose", [value], [shape[axis] for axis in perm], perm=perm)
