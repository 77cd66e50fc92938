"""An initialiser read in several places becomes several: each layer trains its own."""

import onnx_ir as ir

from stepforward.graph.nodes import add_initializer, constant, present
from stepforward.sources.onnx.passes.fold_affine import bias_name_of


def unshare(graph: ir.Graph) -> None:
    """Give every reader of a shared weight or bias a copy; a bias is named after its layer's weight.

    The first reader of a weight keeps its name.
    """
    shared = {value for value in graph.initializers.values() if len(value.uses()) > 1}
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
            node.replace_input_with(index, add_initializer(graph, name, present(constant(value)).copy()))
    for name, value in list(graph.initializers.items()):
        if not value.uses():
            del graph.initializers[name]
