"""An If whose condition is known, as a fixed flag makes it, is the branch that it takes."""

import onnx_ir as ir

from stepforward.graph.nodes import constant, give_result, present, unused_name, value_names


def known_branches(graph: ir.Graph) -> bool:
    """Put the nodes of the branch in the place of every If with a constant condition; whether there was any."""
    found = [node for node in graph if node.op_type == "If" and constant(node.inputs[0]) is not None]
    for node in found:
        _take(graph, node)
    return bool(found)


def _take(graph: ir.Graph, node: ir.Node) -> None:
    condition = present(constant(node.inputs[0]))
    branch, other = (node.attributes[name].as_graph() for name in ("then_branch", "else_branch"))
    if not condition.all():
        branch, other = other, branch
    for left in other.all_nodes():  # what they read is not read by them any more
        for index in range(len(left.inputs)):
            left.replace_input_with(index, None)
    taken = value_names(graph)
    for name, value in list(branch.initializers.items()):
        del branch.initializers[name]
        value.name = unused_name(name, taken)
        graph.register_initializer(value)
    nodes, results = list(branch), list(branch.outputs)
    branch.outputs.clear()
    branch.remove(nodes)
    graph.insert_before(node, nodes)
    for result, value in zip(node.outputs, results, strict=True):
        give_result(result, value)
    graph.remove(node, safe=True)
