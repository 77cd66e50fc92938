"""GRU, LSTM and RNN with the batch first: a layer over all steps, then a node for each direction carries the state."""

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.functions import scalar
from stepforward.graph.nodes import (
    add_initializer,
    attribute,
    constant,
    describe,
    dims,
    give_result,
    present,
    remove_unused,
)
from stepforward.graph.recurrent import DOMAIN, GATES
from stepforward.sources.onnx.passes.states import RESHAPES, Readers, States
from stepforward.sources.onnx.passes.token_layers import put_before, reshaped

_TIME_FIRST = (1, 0, 2)
_USUAL = {"GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "RNN": ["Tanh"]}
_FUNCTIONS = {"GRU": "sigmoid and tanh", "LSTM": "sigmoid and tanh", "RNN": "tanh and ReLU"}


def recurrent(graph: ir.Graph) -> None:
    """Rewrite every GRU, LSTM and RNN of ONNX, and what its readers do to bring the batch to the front.

    Raises:
        StepforwardError: a state that does not begin at zero, lengths, peepholes, other functions than usual ones,
            computed weights, the cells read, or states that are used with time as the first axis.
    """
    readers = Readers()
    ends: dict[ir.Value, list[ir.Value]] = {}
    for node in list(graph):
        if node.op_type in GATES and node.domain in ("", "ai.onnx"):
            _rewrite(node, readers, ends)
    readers.end()
    remove_unused(graph)


class _Given(NamedTuple):
    """The parameters of one direction."""

    weight: np.ndarray
    recurrence: np.ndarray
    bias: np.ndarray
    state_bias: np.ndarray


def _rewrite(node, readers, ends):
    given, name = _directions(node), _name(node)
    batch, time, features = (dims(node.inputs[0], node)[axis] for axis in _axes(node))
    x = _batch_first(node, readers.batch_first)
    found = []
    for number, (direction, one) in enumerate(zip(_named(node), given, strict=True)):
        if one.weight.shape[1] != features:
            raise _damaged(node)
        label = f"{name}.reverse" if direction == "reverse" else name
        added = _projection(node, x, one, label, [batch, time])
        found.append(_carrier(node, added, one, label, direction, number))
    hidden = given[0].recurrence.shape[1]
    states = found[0]
    if len(found) > 1:
        made = ir.node("Concat", found, {"axis": 2}, name=f"{name}.directions")
        states = put_before(node, made, [batch, time, len(found) * hidden])
    sizes, several = {"N": batch, "T": time, "D": len(found), "H": hidden}, "D" if len(found) > 1 else ""
    batched = attribute(node, "layout", 0) == 1
    if node.outputs[0].uses() or node.outputs[0].is_graph_output():
        axes = ["N", "T", several, "H"] if batched else ["T", several, "N", "H"]
        readers.follow(node.outputs[0], axes, States(states, f"NT{several}H", sizes, tuple(found)))
    if len(node.outputs) > 1 and node.outputs[1].uses():
        pairs = zip(found, _named(node), strict=True)
        ends[node.outputs[1]] = [_last(node, value, direction) for value, direction in pairs]
        _follow_ends(node.outputs[1], int(batched), ends)


def _axes(node):
    """Where batch, time and features are."""
    return (0, 1, 2) if attribute(node, "layout", 0) == 1 else (1, 0, 2)


def _named(node):
    direction = attribute(node, "direction", "forward")
    return ["forward", "reverse"] if direction == "bidirectional" else [direction]


def _name(node):
    """A path given by an exporter without the operator's name: "/rnn/GRU_1" is "rnn.1"."""
    parts = [part for part in (node.name or "").split("/") if part]
    if len(parts) < 2:
        return node.op_type.lower()
    number = parts[-1].removeprefix(node.op_type).strip("_")
    return ".".join([*parts[:-1], *([number] if number else [])])


def _directions(node):
    """The parameters of each direction, checked."""
    inputs = [*node.inputs, *(None,) * 8]
    _refuse_variants(node, inputs)
    gates, hidden = GATES[node.op_type], attribute(node, "hidden_size")
    weight, recurrence, bias = (constant(value) for value in inputs[1:4])
    if weight is None or recurrence is None or (inputs[3] is not None and bias is None):
        raise StepforwardError(
            f"the weight or bias of {describe(node)} is computed by the network",
            "only constant weights can be adapted",
        )
    count = len(_named(node))
    hidden = recurrence.shape[-1] if hidden is None else hidden
    rows = gates * hidden
    bias = np.zeros((count, 2 * rows), np.float32) if bias is None else bias
    fits = weight.ndim == 3 and weight.shape[:2] == (count, rows) and bias.shape == (count, 2 * rows)
    if not fits or recurrence.shape != (count, rows, hidden) or hidden < 1:
        raise _damaged(node)
    return [_Given(weight[d], recurrence[d], bias[d, :rows], bias[d, rows:]) for d in range(count)]


def _refuse_variants(node, inputs):
    functions, usual = _functions(node), _USUAL[node.op_type] * len(_named(node))
    known = functions == usual if node.op_type != "RNN" else set(functions) <= {"Tanh", "Relu"}
    starts = inputs[5:7] if node.op_type == "LSTM" else inputs[5:6]
    for what, found in (
        (f"has functions other than {_FUNCTIONS[node.op_type]}", not known or len(functions) != len(usual)),
        ("clips what its gates read", attribute(node, "clip") is not None),
        ("joins the input and the forget gate", bool(attribute(node, "input_forget", 0))),
        ("reads the length of each sample", inputs[4] is not None and not _is_whole(node, inputs[4])),
        ("begins with a state that is not zero", any(not _is_zero(value) for value in starts)),
        ("has peepholes", node.op_type == "LSTM" and not _is_zero(inputs[7])),
        ("gives the cells", len(node.outputs) > 2 and bool(node.outputs[2].uses())),
    ):
        if found:
            raise StepforwardError(
                f"{describe(node)} {what}",
                f"only a plain {node.op_type} is supported: {_FUNCTIONS[node.op_type]}, the state zero "
                "before the first step, all samples of one length",
            )


def _functions(node):
    """Of all gates of all directions, as ONNX spells them."""
    return [name.capitalize() for name in attribute(node, "activations") or ()] or _USUAL[node.op_type] * len(
        _named(node)
    )


def _is_zero(value):
    array = constant(value)
    return value is None or (array is not None and not array.any())


def _is_whole(node, value):
    array = constant(value)
    return array is not None and bool((array == dims(node.inputs[0], node)[_axes(node)[1]]).all())


def _batch_first(node, first):
    """What a node reads, with the batch first."""
    x = present(node.inputs[0])
    if attribute(node, "layout", 0) == 1:
        return x
    if x in first:
        return first[x]
    shape, source = dims(x, node), x
    producer = x.producer()
    if producer is not None and producer.op_type in RESHAPES and dims(producer.inputs[0])[:2] == shape[:2]:
        source = present(producer.inputs[0])
        producer = source.producer()
    if producer is not None and producer.op_type == "Transpose" and attribute(producer, "perm")[1] == 0:
        time, _, *others = attribute(producer, "perm")
        perm, source = [0, time, *others], present(producer.inputs[0])
        if perm != sorted(perm):
            turned = ir.node("Transpose", [source], {"perm": perm})
            source = put_before(node, turned, [dims(source)[axis] for axis in perm])
        return reshaped(node, source, [shape[1], shape[0], *shape[2:]])
    raise StepforwardError(
        f"{describe(node)} reads {x.name!r} with time as the first axis",
        "give the network samples with the batch first: batch_first=True",
    )


def _projection(node, x, one, name, leading):
    """What the inputs add to the gates in every step; one that an earlier layer computed stays that."""
    rows = len(one.weight)
    if _is_identity(one) and _is_layer(x):
        return x
    weight = add_initializer(node.graph, f"{name}.input.weight", np.ascontiguousarray(one.weight.T))
    bias = add_initializer(node.graph, f"{name}.input.bias", one.bias)
    product = put_before(node, ir.node("MatMul", [x, weight], name=f"{name}.input"), [*leading, rows])
    return put_before(node, ir.node("Add", [product, bias], name=f"{name}.input_bias"), [*leading, rows])


def _is_identity(one):
    rows, columns = one.weight.shape
    return rows == columns and not one.bias.any() and np.array_equal(one.weight, np.eye(rows))


def _is_layer(value):
    producer = value.producer()
    while producer is not None and producer.op_type in (*RESHAPES, "Transpose"):
        value = present(producer.inputs[0])
        producer = value.producer()
    return (
        producer is not None
        and producer.op_type in ("Conv", "Gemm", "MatMul", "Add")
        and len(value.uses()) == 1
    )


def _carrier(node, x, one, name, direction, number):
    weight = add_initializer(node.graph, f"{name}.state.weight", one.recurrence)
    bias = add_initializer(node.graph, f"{name}.state.bias", one.state_bias)
    hidden = one.recurrence.shape[1]
    own = {"hidden_size": hidden, "direction": direction}
    if node.op_type == "GRU":
        own["linear_before_reset"] = int(bool(attribute(node, "linear_before_reset", 0)))
    if node.op_type == "RNN":
        own["activations"] = [_functions(node)[number]]
    made = ir.node(node.op_type, [x, weight, bias], own, domain=DOMAIN, name=name)
    return put_before(node, made, [*dims(x)[:2], hidden])


def _last(node, states, direction):
    """The state (N, H) that a direction ends with."""
    batch, time, hidden = dims(states)
    at = np.array(0 if direction == "reverse" else time - 1, np.int64)
    name = present(states.producer()).name
    where = add_initializer(node.graph, f"{name}.end", at)
    made = ir.node("Gather", [states, where], {"axis": 1}, name=f"{name}.last")
    return put_before(node, made, [batch, hidden])


def _follow_ends(value, axis, ends):
    """Compute what reads last states, stacked along an axis.

    Args:
        ends: by value, the states (N, H) that it stacks, of all layers so far.
    """
    found = ends[value]
    for use in list(value.uses()):
        node, result = use.node, use.node.outputs[0]
        along = attribute(node, "axis", 0) == axis
        if node.op_type == "Gather" and along and scalar(node.inputs[1]):
            give_result(result, found[int(present(constant(node.inputs[1])))])
        elif node.op_type == "Concat" and along and all(one in ends for one in node.inputs):
            ends[result] = [one for part in node.inputs for one in ends[part]]
            _follow_ends(result, axis, ends)
        elif node.op_type in RESHAPES and len(found) == 1:
            give_result(result, reshaped(node, found[0], list(dims(result, node))))
        elif node.op_type == "Transpose" and tuple(attribute(node, "perm")) == _TIME_FIRST and axis == 0:
            batch, hidden = dims(found[0])
            joined = ir.node("Concat", found, {"axis": 1}, name=node.name)
            whole = put_before(node, joined, [batch, len(found) * hidden])
            give_result(result, reshaped(node, whole, list(dims(result, node))))


def _damaged(node):
    shapes = ", ".join(str(dims(value)) for value in node.inputs[1:4] if value is not None)
    return StepforwardError(
        f"the weights and biases of {describe(node)}, of shapes {shapes}, do not fit each other or its input",
        "check that the model runs in ONNX Runtime on one sample, then export it again",
    )
