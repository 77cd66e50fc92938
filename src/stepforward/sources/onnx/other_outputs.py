"""Outputs besides the logits: taken out of a float model before it is rewritten, and put back afterwards.

What lies on the way to the logits is rewritten and quantized, and the *taps*, values that other outputs are or are
computed from, stay outputs of it throughout. The nodes that only other outputs need are the *rest*: they stay in
float32 as they were given, whatever operators they are, and read the taps.
"""

from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import OUTPUT, add_note, get_class_names
from stepforward.graph.nodes import (
    copy_model,
    describe,
    keep_only,
    leading_to,
    present,
    unused_name,
    value_names,
)
from stepforward.sources.onnx.canonical import OPSET, canonicalize
from stepforward.sources.onnx.shapes import check_attributes, fix_batch, infer_shapes
from stepforward.sources.onnx.support import fixed_values
from stepforward.sources.outputs import ONLY, Output, choose_output, split_name


@dataclass(frozen=True, eq=False)
class OtherOutputs:
    """What a file keeps besides the way to the logits.

    Attributes:
        names: of all outputs as the file has them; None stands for the logits.
        taps: by name, in the order in which they are outputs of the rewritten graph, after the logits.
        logits: what the rest calls them.
        types: of what the rest reads, where it is not float32.
        rest: nodes from taps and the network's input to other outputs; None where there are none.
        asked: the name of the output that was chosen.
        note: what a user should know of it.
    """

    names: tuple[str | None, ...]
    taps: tuple[str, ...]
    logits: str
    types: dict[str, ir.DataType]
    rest: onnx.ModelProto | None
    asked: str
    note: str

    def refuse_reading(self, ids: str, source: str) -> None:
        """Refuse outputs that are computed from the token ids themselves.

        Raises:
            StepforwardError: there is one.
        """
        if self.rest is not None and any(value.name == ids for value in self.rest.graph.input):
            raise StepforwardError(
                f"other outputs of {source} are computed from its token ids {ids!r}",
                f"leave them out: --output {ONLY}{self.asked}",
            )


def outputs_of(model: ir.Model) -> list[Output]:
    """The outputs of a float or quantized model as the file has them."""
    return [
        Output(
            present(value.name),
            None if value.shape is None else tuple(d if isinstance(d, int) else None for d in value.shape),
            value.dtype is None or value.dtype.is_floating_point(),
        )
        for value in model.graph.outputs
    ]


def set_apart(model: ir.Model, asked: str | None, source: str) -> tuple[ir.Model, OtherOutputs | None]:
    """The model whose first output holds the logits, all others being taps; and what those are for.

    Args:
        model: a float model; it stays as it is.
        asked: the name of the output of the logits, with "only:" before it where the others are left out.
        source: how messages name the model.

    Raises:
        StepforwardError: it is not known which output holds the logits, or another one is no result of nodes.
    """
    name, only = split_name(asked)
    name = name or model.metadata_props.get(OUTPUT)
    chosen = choose_output(outputs_of(model), name, source, len(get_class_names(model)) or None)
    if len(model.graph.outputs) == 1:
        return model, None
    model = InlinePass()(copy_model(model)).model
    graph = model.graph
    if only:
        keep_only(graph, graph.outputs[chosen])
        return model, None
    asked, logits = graph.outputs[chosen].name, _before_softmax(graph, graph.outputs[chosen])
    others = [value for value in graph.outputs if value is not logits]
    unfit = next((value for value in others if value.producer() is None), None)
    if unfit is not None:
        raise StepforwardError(
            f"output {unfit.name!r} of {source} is no result of a node",
            f"leave it out: --output {ONLY}{asked}",
        )
    taps, rest = parts(graph, logits, others)
    ends = [value for value in others if value.producer() in rest]
    names = [None if value is logits else value.name for value in graph.outputs]
    found = OtherOutputs(
        names=tuple(names if None in names else [*names, None]),
        taps=tuple(present(tap.name) for tap in taps),
        logits=present(logits.name),
        types={
            present(value.name): value.dtype
            for value in (*graph.inputs, logits, *taps)
            if value.dtype not in (None, ir.DataType.FLOAT)
        },
        rest=_rest(model, rest, ends, f"{source} needs", f"leave it out: --output {ONLY}{asked}"),
        asked=present(asked),
        note=_note(logits, [value for value in others if value not in ends], ends, rest),
    )
    keep_only(graph, logits, *taps)
    return model, found


def _before_softmax(graph: ir.Graph, output: ir.Value) -> ir.Value:
    """The logits of an output of probabilities, which stays an output beside them."""
    node = output.producer()
    if (
        node is None
        or node.op_type not in ("Softmax", "LogSoftmax")
        or present(node.inputs[0]).producer() is None
    ):
        return output
    logits = present(node.inputs[0])
    if not logits.is_graph_output():
        logits.name = unused_name("logits", value_names(graph))
    return logits


def parts(graph: ir.Graph, logits: ir.Value, others: list[ir.Value]) -> tuple[list[ir.Value], list[ir.Node]]:
    """The values on the way to the logits that other outputs are or read, and the nodes that only they need."""
    way, fixed = set(leading_to(graph, logits)), fixed_values(graph)
    wanted, taps, rest = set(others), dict[ir.Value, None](), list[ir.Node]()
    for node in reversed(list(graph)):
        read = [value for value in node.outputs if value in wanted]
        if read and node in way and not all(value in fixed for value in node.outputs):
            taps.update(dict.fromkeys(read))
        elif read:
            rest.insert(0, node)
            wanted.update(value for value in node.inputs if value is not None)
    taps.pop(logits, None)
    return list(taps), rest


def _note(logits: ir.Value, inside: list[ir.Value], ends: list[ir.Value], rest: list[ir.Node]) -> str:
    said = [f"the logits are the output {logits.name!r}"]
    if inside:
        said.append(f"on the way to them lies {_listed(inside)}, given as the values of its integers")
    if ends:
        nodes = describe(rest[0]) + (f" and {len(rest) - 1} more" if len(rest) > 1 else "")
        said.append(
            f"float32 nodes that are not adapted ({nodes}) compute {_listed(ends)} from values on that way"
        )
    return "; ".join(said)


def _listed(values: list[ir.Value]) -> str:
    return ", ".join(repr(value.name) for value in values)


def _rest(
    model: ir.Model, nodes: list[ir.Node], ends: list[ir.Value], needs: str, remedy: str
) -> onnx.ModelProto | None:
    """The nodes as a model in the opset that the rewritten graph has."""
    if not nodes:
        return None
    made = {value for node in nodes for value in node.outputs}
    read = dict.fromkeys(
        value for node in nodes for value in node.inputs if value is not None and value not in made
    )
    inner = next((node for node in nodes if any(_is_graph(a) for a in node.attributes.values())), None)
    if inner is not None:
        raise StepforwardError(
            f"output {_listed(ends)} of {needs} {describe(inner)}, which has graphs of its own", remedy
        )
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            [ir.to_proto(node) for node in nodes],
            "other_outputs",
            [_info(value) for value in read if not value.is_initializer()],
            [_info(value) for value in ends],
            [_tensor(value) for value in read if value.is_initializer()],
        ),
        opset_imports=[
            onnx.helper.make_opsetid(domain, version) for domain, version in model.graph.opset_imports.items()
        ],
    )
    if model.graph.opset_imports.get("") in (None, OPSET):
        return proto
    check_attributes(model)
    try:
        return onnx.version_converter.convert_version(proto, OPSET)
    except Exception as error:  # the C++ library raises its own kinds
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise StepforwardError(
            f"output {_listed(ends)} of {needs} {describe(nodes[0])} and what follows it, which onnx cannot convert to "
            f"opset {OPSET}: {lines[0] if lines else error}",
            remedy,
        ) from error


def _is_graph(attribute: ir.Attr) -> bool:
    return attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)


def _info(value: ir.Value) -> onnx.ValueInfoProto:
    info = ir.serde.serialize_value(value)
    if value.dtype is None:
        info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return info


def _tensor(value: ir.Value) -> onnx.TensorProto:
    tensor = onnx.TensorProto()
    tensor.CopyFrom(ir.to_proto(present(value.const_value)))
    tensor.name = present(value.name)
    return tensor


def canonical_with(model: ir.Model, others: OtherOutputs, source: str) -> ir.Model:
    """The canonical graph of what `set_apart` gave, with the taps as outputs after the logits.

    Raises:
        StepforwardError: something is not supported, or a tap cannot be kept as it is.
    """
    remedy = f"leave the other outputs out: --output {ONLY}{others.asked}"
    try:
        made = canonicalize(model)
    except StepforwardError as error:
        alone = copy_model(model)
        keep_only(alone.graph, alone.graph.outputs[0])
        canonicalize(alone)  # what keeps the logits from being computed is said as of any other network
        raise StepforwardError(
            f"with its other outputs, {source} cannot be read: {error.what}", remedy
        ) from error
    given = copy_model(model)
    fix_batch(given)
    infer_shapes(given)
    for number, (name, before, after) in enumerate(
        zip((others.logits, *others.taps), given.graph.outputs, made.graph.outputs, strict=True)
    ):
        read = number > 0 or (
            others.rest is not None and any(i.name == name for i in others.rest.graph.input)
        )
        same = after.name == name or number > 0
        if read and not (same and present(before.shape)[1:] == present(after.shape)[1:]):
            raise StepforwardError(
                f"other outputs of {source} read {name!r}, which is not kept as it is: from (N, "
                f"{', '.join(map(str, present(before.shape)[1:]))}) it becomes (N, "
                f"{', '.join(map(str, present(after.shape)[1:]))})",
                remedy,
            )
    add_note(made, others.note)
    return made


def joined(model: ir.Model, others: OtherOutputs | None) -> ir.Model:
    """The rewritten model, float or quantized, with the outputs of the file that it was made from, in their order.

    Args:
        model: its first output holds the logits, the others are the taps; it stays as it is.
        others: None leaves it as it is.
    """
    if others is None:
        return model
    proto = ir.to_proto(model)
    graph = proto.graph
    logits, *taps = [output.name for output in graph.output]
    held = dict(zip(others.taps, taps, strict=True))
    infos = {output.name: output for output in graph.output}
    _make_room(graph, {name for name in others.names if name is not None} - {logits, *taps})
    if others.rest is not None:
        infos |= {output.name: output for output in others.rest.graph.output}
        _append(proto, others, held | {others.logits: logits})
    del graph.output[:]
    for name in others.names:
        value = logits if name is None else held.get(name, name)
        shown = logits if name is None else name
        if shown != value:
            graph.node.append(onnx.helper.make_node("Identity", [value], [shown], name=f"{shown}.copy"))
        info = graph.output.add()
        info.CopyFrom(infos[value])
        info.name = shown
        if info.type.tensor_type.shape.dim and info.type.tensor_type.shape.dim[0].HasField("dim_value"):
            info.type.tensor_type.shape.dim[0].dim_param = "N"  # as of all activations
    found = ir.from_proto(proto)
    found.metadata_props[OUTPUT] = logits
    return found


def _make_room(graph: onnx.GraphProto, names: set[str]) -> None:
    """Other names for values that have those of outputs to come."""
    taken = _names(graph)
    new = {name: unused_name(f"{name}.inner", taken | names) for name in names & taken}
    for node in graph.node:
        _rename(node, new)
    for info in graph.value_info:
        info.name = new.get(info.name, info.name)


def _append(proto: onnx.ModelProto, others: OtherOutputs, held: dict[str, str]) -> None:
    """The rest after the graph, reading what holds its inputs by their names; its own names become distinct."""
    rest, graph = present(others.rest), proto.graph
    outputs, taken = {output.name for output in rest.graph.output}, _names(graph)
    new: dict[str, str] = {}
    for value in rest.graph.input:
        source = held.get(value.name, value.name)
        new[value.name] = source
        if value.name in others.types:
            new[value.name] = unused_name(f"{source}.cast", taken)
            to = int(others.types[value.name])
            graph.node.append(
                onnx.helper.make_node("Cast", [source], [new[value.name]], name=new[value.name], to=to)
            )
            taken.add(new[value.name])
    own = [tensor.name for tensor in rest.graph.initializer]
    own += [name for node in rest.graph.node for name in node.output if name and name not in outputs]
    for name in own:
        new[name] = unused_name(name, taken | outputs)
        taken.add(new[name])
    for tensor in rest.graph.initializer:
        copied = graph.initializer.add()
        copied.CopyFrom(tensor)
        copied.name = new[tensor.name]
    for node in rest.graph.node:
        copied_node = graph.node.add()
        copied_node.CopyFrom(node)
        _rename(copied_node, new)
    known = {entry.domain for entry in proto.opset_import}
    proto.opset_import.extend(entry for entry in rest.opset_import if entry.domain not in known)


def _rename(node: onnx.NodeProto, new: dict[str, str]) -> None:
    for names in (node.input, node.output):
        names[:] = [new.get(name, name) for name in names]


def _names(graph: onnx.GraphProto) -> set[str]:
    values = (*graph.input, *graph.initializer)
    return {value.name for value in values} | {name for node in graph.node for name in node.output}
