"""An initialiser read in several places becomes several, so that passes may change what one layer reads."""

import onnx_ir as ir

from stepforward.graph.nodes import add_initializer, constant, present
from stepforward.sources.onnx.passes.fold_affine import bias_name_of

SHARED = "shared"
"""Entry in the metadata of a copied initialiser, for `tie`: the name that all copies had."""


def unshare(graph: ir.Graph) -> None:
    """Give every reader of a shared weight or bias a copy; a bias is named after its layer's weight.

    The first reader of a weight keeps its name. `tie` joins the copies again that stay equal.
    """
    shared = {value for value in graph.initializers.values() if len(value.uses()) > 1}
    for original in shared:
        original.metadata_props.setdefault(SHARED, present(original.name))
    for node in graph:
        for index, value in enumerate(list(node.inputs)):
            if value is None or value not in shared:
                continue
            name, (first, *_) = present(value.name), value.uses()
            if node.op_type in ("Conv", "Gemm") and index == 2:
                name = bias_name_of(present(present(node.inputs[1]).name))
                if name == value.name:
                    continue
            elif first.node is node and first.idx == index:
                continue
            copied = add_initializer(graph, name, present(constant(value)).copy())
            copied.metadata_props[SHARED] = value.metadata_props[SHARED]
            node.replace_input_with(index, copied)
    for name, value in list(graph.initializers.items()):
        if not value.uses():
            del graph.initializers[name]
