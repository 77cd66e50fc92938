"""An int8 ONNX file as a network: its integers, scales and zero points as they are."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from stepforward.errors import StepforwardError
from stepforward.graph.functions import FUNCTIONS, evaluate
from stepforward.graph.nodes import attribute, constant, describe, dims, keep_only, present, sample_inputs
from stepforward.network.network import Format, Network, Node
from stepforward.sources.kept import Reading
from stepforward.sources.onnx.input_shape import give_input_shape
from stepforward.sources.onnx.lenient import make_strict
from stepforward.sources.onnx.other_outputs import outputs_of, parts
from stepforward.sources.onnx.passes.fold_constants import fold_constants
from stepforward.sources.onnx.shapes import fix_batch, infer_shapes
from stepforward.sources.ort.constants import Constants
from stepforward.sources.ort.ends import logits_of
from stepforward.sources.ort.file import OrtFile
from stepforward.sources.ort.floats import Floats
from stepforward.sources.ort.separate import separate
from stepforward.sources.ort.windows import window
from stepforward.sources.outputs import choose_kept
from stepforward.sources.problems import UnreadableError

REMEDY = (
    "supported: Conv, Gemm and MatMul with constant int8 weights, Add, Mul, Concat, AveragePool, MaxPool, "
    "GlobalAveragePool, Pad, Reshape, Flatten, Squeeze, Unsqueeze, Transpose, functions of one value, and a Softmax at "
    "the end, all between 8-bit tensors, in QDQ form or as QLinear operators; else give the float model"
)

_JOINS = ("Add", "Mul")
_MOVERS = ("MaxPool", "Reshape", "Transpose", "Pad")
_SAME = ("Identity", "Dropout")
_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
_EXACT = ("Relu", "Clip", "LeakyRelu")
"""Functions that float32 computes as ONNX Runtime does, to the last bit."""


@dataclass(frozen=True, eq=False)
class _Table:
    """A function of one activation: its values, float32, for the integers from -128 on."""

    argument: str
    values: np.ndarray
    name: str


def read_network(
    file: OrtFile,
    name: str,
    runtime: str,
    shape: tuple[int, ...] | None = None,
    output: str | None = None,
) -> Reading:
    """The network in a file.

    Args:
        file: what was read.
        name: of the file, for messages.
        runtime: whose integers its program is to compute.
        shape: of one sample, for a file that leaves sizes open.
        output: the name of the one that holds the logits.

    Raises:
        StepforwardError: it holds what cannot be computed, every operator by name.
    """
    model, fused, others = _plain(file, name, shape, output)
    reader = _Reader(model.graph, fused, file.proto)
    logits, ends = logits_of(model.graph, name)
    for node in model.graph:
        if node not in ends:
            reader.take_or_say(node)
    if reader.problems:
        raise StepforwardError(f"{name} cannot be read: {'; '.join(reader.problems)}", REMEDY)
    last = reader.written.get(logits)
    if last is None or reader.input is None:
        what = "output" if reader.input is not None else "input"
        raise StepforwardError(
            f"the {what} of {name} is not quantized to 8 bits",
            "quantize the first and the last layer too (nodes_to_exclude leaves layers in float32)",
        )
    network = Network(
        reader.input, last, tuple(reader.nodes), "network", reader.formats, runtime=runtime, source=name
    )
    notes = [f"the {node.op_type} at the end is left out: the logits are what it reads"
             for node in ends if node.op_type == "Softmax"]  # fmt: skip
    return Reading(
        network, (*others, *notes, *reader.floats.notes(), *reader.constants.notes), reader.constants.places
    )


def _plain(
    file: OrtFile, name: str, shape: tuple[int, ...] | None, output: str | None
) -> tuple[ir.Model, frozenset[str], list[str]]:
    """The model in one form, with the shape of every value, the logits its first output; what ONNX's checker says of
    it comes first. With it the functions that were taken apart, and a note about other outputs."""
    proto = onnx.ModelProto()
    proto.CopyFrom(file.proto)
    try:
        make_strict(proto)
        onnx.checker.check_model(proto, full_check=False)
        ir.from_proto(proto)  # finds names that are not UTF-8, and what is written twice
        for tensor in proto.graph.initializer:
            onnx.numpy_helper.to_array(tensor)
    except Exception as error:  # the C++ library raises its own kinds
        lines = str(error).strip().splitlines()
        raise StepforwardError(
            f"{name} is not a readable ONNX model: {lines[0] if lines else error}",
            "it may be truncated or changed by hand: export or copy it again",
        ) from error
    separated, fused = separate(proto)
    model = InlinePass()(ir.from_proto(separated)).model
    graph = model.graph
    inputs = sample_inputs(graph)
    if len(inputs) != 1:
        raise StepforwardError(f"{name} has {len(inputs)} inputs", "give a model with one input")
    chosen, notes = choose_kept(outputs_of(model), output, name)
    logits = graph.outputs[chosen]
    taps, _ = parts(graph, logits, [value for value in graph.outputs if value is not logits])
    keep_only(graph, logits, *taps)
    _lift(graph)
    give_input_shape(model, shape, name)
    given = present(inputs[0].dtype)
    fix_batch(model)
    inputs[0].dtype = given  # floats, or 8-bit integers
    infer_shapes(model)
    if not any(node.op_type in _DYNAMIC for node in graph):  # refused, whatever its constants are
        fold_constants(graph, kept=("QuantizeLinear", "DequantizeLinear"))
    return model, fused, notes


def _lift(graph: ir.Graph) -> None:
    """Constant nodes become initializers."""
    for node in [node for node in graph if node.op_type == "Constant" and "value" in node.attributes]:
        value = ir.Value(name=node.outputs[0].name, const_value=node.attributes["value"].as_tensor())
        tensor = present(value.const_value)
        value.shape, value.dtype = ir.Shape(tensor.numpy().shape), tensor.dtype
        node.outputs[0].replace_all_uses_with(value)
        graph.remove(node, safe=True)
        graph.register_initializer(value)


_DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")


class _Reader:
    """What is known while walking the graph."""

    def __init__(self, graph: ir.Graph, fused: frozenset[str], proto: onnx.ModelProto):
        self.source = next(iter(sample_inputs(graph)))
        self.batch = present(self.source.shape)[0]
        self.input: str | None = None
        self.problems: list[str] = []
        self.broken: set[ir.Value] = set()
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.formats: dict[str, Format] = {}
        self.constants = Constants(proto)
        self.floats = Floats(fused)
        self.written: dict[ir.Value, str] = {}  # integers, by the tensor of the file
        self.real: dict[ir.Value, str] = {}  # what dequantizes them
        self.pending: dict[ir.Value, Node] = {}  # operators whose result is not quantized yet
        self.tables: dict[ir.Value, _Table] = {}
        self.again: dict[ir.Value, str] = {}  # of results that are quantized, the first name

    def take_or_say(self, node: ir.Node) -> None:
        """Read a node, or say why not; what reads the result of one that cannot be read is not said as well."""
        if not any(value in self.broken for value in node.inputs):
            try:
                self.take(node)
                return
            except UnreadableError as problem:
                self.problems.append(f"{describe(node)}: {problem}")
            except (ValueError, TypeError, IndexError, KeyError, AttributeError) as problem:
                self.problems.append(f"{describe(node)} lacks an input or an attribute ({problem})")
        self.broken.update(node.outputs)

    def take(self, node: ir.Node) -> None:
        if node.op_type == "DequantizeLinear":
            self.dequantize(node)
        elif node.op_type == "QuantizeLinear":
            self.quantize(node)
        elif node.op_type in _SAME:
            self.same(node)
        elif node.op_type in FUNCTIONS and self.function(node):
            pass
        else:
            compute = {
                "Conv": self.conv,
                "Gemm": self.gemm,
                "MatMul": self.gemm,
                **dict.fromkeys(_JOINS, self.join),
                "MaxPool": self.pool,
                "AveragePool": self.pool,
                "GlobalAveragePool": self.global_pool,
                "ReduceMean": self.reduce_mean,
                "Concat": self.concat,
                "Pad": self.pad,
                "Transpose": self.transpose,
                **dict.fromkeys(_RESHAPES, self.reshape),
            }.get(node.op_type)
            if compute is None:
                raise UnreadableError(_why_not(node))
            compute(node)

    # formats

    def dequantize(self, node: ir.Node) -> None:
        value = present(node.inputs[0])
        if node.outputs[0] in self.constants.known:
            return  # a constant that the file quantizes
        if constant(value) is not None:
            self.constants.take(node)
            return
        if value is self.source:
            self.input = present(value.name)
            self.formats[self.input] = self.format(node, value)
            self.written[value] = self.input
        name = self.written.get(value)
        if name is None:
            raise UnreadableError(f"it reads {value.name!r}, which is not an 8-bit tensor")
        if self.format(node, node.outputs[0]) != self.formats[name]:
            raise UnreadableError(f"it reads {value.name!r} in another format than it was written in")
        self.real[node.outputs[0]] = name

    def quantize(self, node: ir.Node) -> None:
        value, result = present(node.inputs[0]), node.outputs[0]
        if constant(value) is not None:
            self.constants.take(node)
            return
        name, form = present(result.name), self.format(node, result)
        if value is self.source:
            self.input = name
        elif value in self.tables or value in self.real:
            self.lookup(node, value, name, form)
        elif value in self.again and self.formats[self.again[value]] == form:
            self.written[result] = self.again[value]  # quantized twice, alike
            return
        elif value in self.pending:
            self.again[value] = name
            self.commit(self.pending[value], name, form)
        else:
            raise UnreadableError("what it reads is not computed from 8-bit tensors")
        self.formats[name] = form
        self.written[result] = name

    def format(self, node: ir.Node, value: ir.Value) -> Format:
        """Of an activation, by its DequantizeLinear or QuantizeLinear; bytes count from -128."""
        scale, zero_point, dtype = self.constants.steps(node)
        if scale.size != 1 or zero_point.size != 1:
            raise UnreadableError("it does not have one scale and one zero point")
        if dtype not in (ir.DataType.INT8, ir.DataType.UINT8):
            raise UnreadableError(f"its integers are {dtype.name}: INT8 and UINT8 are read")
        step = float(scale.reshape(()))
        if not (math.isfinite(step) and step > 0):
            raise UnreadableError(f"its scale is {step:g}")
        shape = dims(value, node)
        if not shape or shape[0] != self.batch or not 1 <= len(shape) - 1 <= 4 or min(shape[1:]) < 1:
            raise UnreadableError(f"its tensor has shape {shape}, and a batch of {self.batch} is given")
        zero = int(zero_point.reshape(())) - (128 if dtype == ir.DataType.UINT8 else 0)
        return Format(step, zero, "s8", shape[1:])

    # what operators read and write

    def activation(self, node: ir.Node, place: int = 0) -> str:
        """The name of an activation that a node reads."""
        value = node.inputs[place] if place < len(node.inputs) else None
        if value is None:
            raise UnreadableError(f"it lacks input {place}")
        if value in self.pending and self.pending[value].op_type in _MOVERS:
            before, made = self.pending.pop(value), present(value.name)  # moves what is 8 bits already
            self.formats[made] = replace(self.formats[before.inputs[0]], shape=dims(value)[1:])
            self.commit(before, made, self.formats[made])
            self.real[value] = made
        name = self.real.get(value)
        if name is None:
            if constant(value) is not None or value in self.constants.known:
                raise UnreadableError(
                    f"its input {value.name!r} is a constant (python -m onnxruntime.quantization.preprocess, before "
                    "quantizing, makes one layer of a product and a sum)"
                )
            raise UnreadableError(f"its input {value.name!r} is not quantized to 8 bits")
        return name

    def add(
        self, node: ir.Node, op_type: str, inputs: tuple[str, ...], attributes: dict, **more: Any
    ) -> None:
        """An operator that waits for the format of its result."""
        name = node.name or present(node.outputs[0].name)
        if name in self.names:
            name = f"{name} ({node.outputs[0].name})"
        self.names.add(name)
        self.pending[node.outputs[0]] = Node(op_type, name, inputs, "", attributes, **more)

    def commit(self, node: Node, name: str, form: Format) -> None:
        """Write an operator, now that the format of its result is known."""
        if node.op_type in _MOVERS:
            before = self.formats[node.inputs[0]]
            if (before.scale, before.zero_point) != (form.scale, form.zero_point):
                kept = f"{name} before its change of format"
                self.formats[kept] = replace(before, shape=form.shape)
                self.nodes.append(replace(node, output=kept))
                self.nodes.append(self.changed(f"{node.name} (format)", kept, name, form))
                return
        if node.op_type == "Concat":
            node = replace(node, inputs=tuple(self.in_format(one, form) for one in node.inputs))
        if node.clip != (None, None):
            self.floats.clipped(node, form)
        self.nodes.append(replace(node, output=name))

    def in_format(self, name: str, form: Format) -> str:
        """An activation in the steps of another format."""
        own = self.formats[name]
        if (own.scale, own.zero_point) == (form.scale, form.zero_point):
            return name
        made = f"{name} at {form.scale:g} and {form.zero_point}"
        if made not in self.formats:
            self.formats[made] = replace(form, shape=own.shape)
            self.nodes.append(self.changed(made, name, made, self.formats[made]))
        return made

    def changed(self, node: str, name: str, output: str, form: Format) -> Node:
        """A change of format."""
        return _lookup(_Table(name, self.readings(name), node), output, form)

    def readings(self, name: str) -> np.ndarray:
        """The real values of an activation's integers, float32, from -128 on."""
        form = self.formats[name]
        return ((np.arange(-128, 128) - form.zero_point).astype(np.float32) * np.float32(form.scale)).astype(
            np.float32
        )

    def lookup(self, node: ir.Node, value: ir.Value, name: str, form: Format) -> None:
        """A function of one activation becomes a table."""
        if value in self.real:
            table = _Table(self.real[value], self.readings(self.real[value]), node.name or name)
        else:
            table = self.tables[value]
        self.nodes.append(_lookup(table, name, form))

    # operators

    def same(self, node: ir.Node) -> None:
        value, result = present(node.inputs[0]), node.outputs[0]
        if value in self.real:
            self.real[result] = self.real[value]
        elif value in self.tables:
            self.tables[result] = self.tables[value]
        elif value in self.pending:
            self.pending[result] = self.pending.pop(value)
        else:
            raise UnreadableError(f"its input {value.name!r} is not quantized to 8 bits")

    def function(self, node: ir.Node) -> bool:
        """Whether it is a function of one activation, or a bound of an operator, and noted as that."""
        value, result = node.inputs[0], node.outputs[0]
        if node.op_type in ("Relu", "Clip") and value in self.pending:
            before = self.pending.pop(present(value))
            if before.op_type not in ("Conv", "Gemm", *_JOINS, "GlobalAveragePool"):
                raise UnreadableError(
                    f"it follows {before.op_type} {before.name!r} without a format in between"
                )
            self.pending[result] = replace(before, clip=_both(before.clip, self.bounds(node)))
            return True
        if node.op_type in _JOINS and all(operand in self.real for operand in node.inputs):
            return False  # of one activation with itself, too
        operands, found = list[Any](), set[str]()
        for operand in node.inputs:
            if operand is None:
                operands.append(None)
            elif operand in self.real:
                found.add(self.real[operand])
                operands.append(self.readings(self.real[operand]))
            elif operand in self.tables:
                found.add(self.tables[operand].argument)
                operands.append(self.tables[operand].values)
            else:
                number = self.constants.number(operand)
                if number is None:
                    return False
                operands.append(number)
        if len(found) != 1:
            return False
        if node.op_type not in _EXACT:
            self.floats.function(node)
        values = np.broadcast_to(evaluate(node, *operands), 256).astype(np.float32)
        self.tables[result] = _Table(found.pop(), values, node.name or present(result.name))
        return True

    def bounds(self, node: ir.Node) -> tuple[float | None, float | None]:
        """Of a Relu or a Clip, in either of its forms."""
        if node.op_type == "Relu":
            return 0.0, None
        given = [attribute(node, "min"), attribute(node, "max")]
        for place, value in enumerate(node.inputs[1:3]):
            if value is not None:
                given[place] = self.constants.number(value)
                if given[place] is None:
                    raise UnreadableError(f"its bound {value.name!r} is computed")
        lo, hi = (None if bound is None or not math.isfinite(bound) else float(bound) for bound in given)
        return lo, hi

    def conv(self, node: ir.Node) -> None:
        name = self.activation(node)
        x, y = self.formats[name], self.image(node)
        weight = self.constants.weight(node, 0)
        group = attribute(node, "group", 1)
        if len(x.shape) != 3 or weight.q.ndim != 4:
            raise UnreadableError(f"it reads samples of shape {x.shape}: (C, H, W) is needed")
        if weight.q.shape[1] * group != x.shape[0] or len(weight.q) % group or len(weight.q) != y[0]:
            raise UnreadableError(
                f"its weight {weight.name!r} does not fit the {x.shape[0]} channels it reads"
            )
        attributes = window(node, x.shape[1:], y[1:], weight.q.shape[2:], "dilations")
        bias = self.constants.bias(node, x.scale, weight)
        self.floats.layer(node)
        self.add(node, "Conv", (name,), {**attributes, "group": group}, weight=weight, bias=bias)

    def gemm(self, node: ir.Node) -> None:
        name = self.activation(node)
        x = self.formats[name]
        plain = {"alpha": 1.0, "beta": 1.0, "transA": 0}
        for key, usual in plain.items() if node.op_type == "Gemm" else ():
            if attribute(node, key, usual) != usual:
                raise UnreadableError(f"its {key} is {attribute(node, key)}")
        turned = node.op_type == "MatMul" or not attribute(node, "transB", 0)
        weight = self.constants.weight(node, 1 if turned else 0)
        if len(x.shape) != 1 or weight.q.ndim != 2 or weight.q.shape[1] != x.shape[0]:
            raise UnreadableError(
                f"it reads samples of shape {x.shape} with a weight of {weight.q.shape}: one row is needed"
            )
        bias = self.constants.bias(node, x.scale, weight)
        self.floats.layer(node)
        self.add(node, "Gemm", (name,), {}, weight=weight, bias=bias)

    def join(self, node: ir.Node) -> None:
        names = self.activation(node, 0), self.activation(node, 1)
        shape = dims(node.outputs[0])[1:]
        for one in (self.formats[name].shape for name in names):
            if len(one) != len(shape) or any(s not in (1, w) for s, w in zip(one, shape, strict=True)):
                raise UnreadableError(f"{one} cannot be repeated to {shape} over sizes of 1")
        self.add(node, node.op_type, names, {"unsigned": self.floats.join(node)})

    def pool(self, node: ir.Node) -> None:
        name = self.activation(node)
        x, y = self.formats[name], self.image(node)
        if len(x.shape) != 3:
            raise UnreadableError(f"it reads samples of shape {x.shape}: (C, H, W) is needed")
        attributes = window(node, x.shape[1:], y[1:], attribute(node, "kernel_shape"), "dilations")
        starts = [(count - 1) * step for count, step in zip(y[1:], attributes["strides"], strict=True)]
        if any(a >= n + b for a, n, b in zip(starts, x.shape[1:], attributes["pads"][:2], strict=True)):
            raise UnreadableError("its last window begins in the padding")
        if node.op_type == "MaxPool":
            self.add(node, "MaxPool", (name,), attributes)
            return
        if attributes["kernel_shape"] == x.shape[1:] and not any(attributes["pads"]):
            self.add(node, "GlobalAveragePool", (name,), {})
            return
        if attributes.pop("dilations") != (1, 1):
            raise UnreadableError("it is dilated")
        included = attribute(node, "count_include_pad", 0)
        if attribute(node, "ceil_mode", 0) and any(attributes["pads"]):
            raise UnreadableError("its ceil_mode enlarges its output")
        more = {"count_include_pad": included, "unsigned": self.floats.average(node)}
        self.add(node, "AveragePool", (name,), attributes | more)

    def global_pool(self, node: ir.Node) -> None:
        name = self.activation(node)
        if len(self.formats[name].shape) != 3:
            raise UnreadableError(f"it reads samples of shape {self.formats[name].shape}")
        self.floats.unary(node)
        self.add(node, "GlobalAveragePool", (name,), {})

    def image(self, node: ir.Node) -> tuple[int, ...]:
        return dims(node.outputs[0], node)[1:]

    def reduce_mean(self, node: ir.Node) -> None:
        """Over height and width; their axes stay, or are left out by a Reshape."""
        name = self.activation(node)
        axes = attribute(node, "axes")
        if axes is None:
            axes = self.constants.array(node.inputs[1]).reshape(-1) if len(node.inputs) > 1 else ()
        if len(self.formats[name].shape) != 3 or {int(axis) % 4 for axis in axes} != {2, 3}:
            raise UnreadableError("it takes the mean over other axes than height and width together")
        self.floats.mean(node)
        self.add(node, "GlobalAveragePool", (name,), {})

    def concat(self, node: ir.Node) -> None:
        names = tuple(self.activation(node, place) for place in range(len(node.inputs)))
        rank = len(self.formats[names[0]].shape) + 1
        axis = attribute(node, "axis") % rank
        if axis == 0:
            raise UnreadableError("it joins samples")
        self.add(node, "Concat", names, {"axis": axis})

    def pad(self, node: ir.Node) -> None:
        name = self.activation(node)
        x = self.formats[name]
        if attribute(node, "mode", "constant") != "constant":
            raise UnreadableError(f"its mode is {attribute(node, 'mode')}: constant is read")
        if len(x.shape) != 3 or (len(node.inputs) > 3 and node.inputs[3] is not None):
            raise UnreadableError("it pads other axes than those of (N, C, H, W)")
        pads = [int(size) for size in self.constants.array(node.inputs[1]).reshape(-1)]
        if len(pads) != 8 or pads[0] or pads[4] or min(pads) < 0:
            raise UnreadableError(f"its pads are {pads}")
        filled = node.inputs[2] if len(node.inputs) > 2 else None
        value = 0.0 if filled is None else self.constants.number(filled)
        if value is None:
            raise UnreadableError("what it fills in is computed")
        integer = _rounded(np.float32(value), x)
        self.add(
            node, "Pad", (name,), {"pads": tuple(pads), "value": (int(integer) - x.zero_point) * x.scale}
        )

    def reshape(self, node: ir.Node) -> None:
        value, result = present(node.inputs[0]), node.outputs[0]
        if value in self.tables or (value in self.pending and self.pending[value].op_type not in _RESHAPES):
            moved = self.pending.get(value)
            if moved is None or moved.op_type not in ("MaxPool", "Transpose", "Pad"):
                raise UnreadableError(f"its input {value.name!r} is not quantized to 8 bits")
        name = self.activation(node)
        shape = dims(result, node)
        if shape[0] != self.batch or math.prod(shape[1:]) != math.prod(self.formats[name].shape):
            raise UnreadableError(f"it makes {shape} of samples of shape {self.formats[name].shape}")
        self.add(node, "Reshape", (name,), {})

    def transpose(self, node: ir.Node) -> None:
        name = self.activation(node)
        rank = len(self.formats[name].shape) + 1
        perm = attribute(node, "perm", tuple(reversed(range(rank))))
        if perm[0] != 0:
            raise UnreadableError("it moves the batch")
        self.add(node, "Transpose", (name,), {"perm": tuple(perm)})


def _lookup(table: _Table, output: str, form: Format) -> Node:
    """The table of a function, as float32 rounds it; its entries are said by their real values."""
    integers = _rounded(table.values, form)
    values = (integers - form.zero_point) * form.scale
    return Node("Lookup", table.name, (table.argument,), output, {"values": values})


def _rounded(values: Any, form: Format) -> Any:
    """What QuantizeLinear makes of float32 values."""
    with np.errstate(over="ignore"):
        quotient = np.rint((values / np.float32(form.scale)).astype(np.float32)).astype(np.float64)
    return np.clip(quotient + form.zero_point, -128, 127)


def _both(
    first: tuple[float | None, float | None], second: tuple[float | None, float | None]
) -> tuple[float | None, float | None]:
    """The bounds of one after the other."""
    lows, highs = ([bound for bound in pair if bound is not None] for pair in zip(first, second, strict=True))
    return max(lows, default=None), min(highs, default=None)


def _why_not(node: ir.Node) -> str:
    if node.op_type in _DYNAMIC:
        return (
            "dynamic quantization: activations have no scales of their own (quantize_static gives them some)"
        )
    if node.op_type in ("MatMulInteger", "ConvInteger", "MatMulIntegerToFloat"):
        return "its result is not quantized, as after dynamic quantization (use quantize_static)"
    if node.op_type == "MatMulNBits":
        return "weights of few bits and float activations: quantize activations too"
    return "not supported"
