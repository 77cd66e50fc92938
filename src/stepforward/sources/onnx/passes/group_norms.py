"""GroupNormalization, whose shape ONNX does not infer, as an InstanceNormalization and a batch norm's weights."""

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.nodes import add_initializer, attribute, constant, describe, present, replace_node


def group_norms(graph: ir.Graph) -> None:
    """Rewrite every GroupNormalization, before shapes are known.

    Raises:
        StepforwardError: its weights are computed, or not one for each channel, as in opset 18; by name.
    """
    for node in list(graph):
        if node.op_type == "GroupNormalization":
            _rewrite(node)


def _rewrite(node):
    x, weight, bias = (present(value) for value in node.inputs)
    groups, scales, offsets = attribute(node, "num_groups", 0), constant(weight), constant(bias)
    if scales is None or offsets is None or scales.ndim != 1 or scales.shape != offsets.shape:
        raise StepforwardError(
            f"the weight or bias of {describe(node)} is computed by the network, or they do not fit each other",
            "only constant weights can be adapted",
        )
    channels, opset = len(scales), node.graph.opset_imports.get("", 21)
    if groups < 1 or channels % groups or (opset < 21 and groups > 1):
        raise StepforwardError(
            f"{describe(node)} of opset {opset} has {channels} weights for {groups} groups",
            "export the model with opset 21, in which every channel has its own weight and bias",
        )
    name = node.name or node.outputs[0].name

    def before(kind, inputs, attributes=None):
        made = ir.node(kind, inputs, attributes)
        node.graph.insert_before(node, made)
        return made.outputs[0]

    def given(kind, array):
        return add_initializer(node.graph, f"{name}.{kind}", array)

    one, none = (
        given(kind, fill(groups, np.float32)) for kind, fill in (("one", np.ones), ("none", np.zeros))
    )
    parts = before("Reshape", [x, given("parts", np.array([0, groups, -1]))])
    normed = before(
        "InstanceNormalization", [parts, one, none], {"epsilon": attribute(node, "epsilon", 1e-5)}
    )
    whole = before("Reshape", [normed, before("Shape", [x])])
    mean, variance = (
        given(kind, fill(channels, np.float32)) for kind, fill in (("mean", np.zeros), ("variance", np.ones))
    )
    replace_node(node, "BatchNormalization", [whole, weight, bias, mean, variance], {"epsilon": 0.0})
