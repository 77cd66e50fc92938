"""Lower a network to a program: one integer operator per node, every real ratio a (mult, shift) pair."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.loss import loss_rescale
from stepforward.arithmetic.rounding import TWICE
from stepforward.errors import StepforwardError, fits_together
from stepforward.lowering.multipliers import (
    bound,
    of_change,
    of_join,
    of_layer,
    of_mean,
    of_means,
)
from stepforward.network.network import LARGEST_LOGITS_SCALE, Format, Network, Node, Parameter
from stepforward.operators.average_pool import AveragePool
from stepforward.operators.concat import Concat
from stepforward.operators.conv import Conv
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.fully_connected import FullyConnected
from stepforward.operators.lookup import Lookup, entries
from stepforward.operators.max_pool import MaxPool
from stepforward.operators.operator import Operator
from stepforward.operators.pad import Pad
from stepforward.operators.rescale import Rescale
from stepforward.operators.reshape import Reshape
from stepforward.operators.table import JOINS
from stepforward.operators.transpose import Transpose
from stepforward.program.arena import plan_arena
from stepforward.program.layout import (
    STORED_OF,
    same_order,
    stored_permutation,
    stored_shape,
    weight_to_stored,
)
from stepforward.program.model import BITS, MAX_INPUTS, Op, Program, Tensor
from stepforward.program.weights import pack


def lower(network: Network) -> Program:
    """The program of a network, its arena planned for inference.

    Raises:
        StepforwardError: a node that cannot be lowered, a ratio of scales outside the arithmetic, or a network that
            contradicts itself.
    """
    with fits_together(network.source):
        return plan_arena(_Lowering(network).program())


class _Lowering:
    """Collects tensors and operators while it walks the nodes once."""

    def __init__(self, network: Network):
        self.network = network
        self.parameters: list[Tensor] = []
        self.sections: list[bytes] = []
        self.lowered: dict[str, tuple[int, Parameter, str]] = {}  # by name; one that is shared is one tensor
        self.activations: list[Tensor] = []
        self.ops: list[Op] = []
        self.index: dict[str, int] = {}  # value name -> activation number
        self.readers = Counter(
            (name, node.op_type == "Gemm") for node in network.nodes for name in node.inputs
        )

    def program(self) -> Program:
        self.index[self.network.input] = self.activation(
            self.network.input, self.network.formats[self.network.input]
        )
        for node in self.network.nodes:
            try:
                self.node(node)
            except ValueError as error:
                raise StepforwardError(
                    f"node {node.name} ({node.op_type}): {error}",
                    "calibrate on data that covers the network's real range, or check this layer's weights",
                ) from error
        _check_logits(self.network.formats[self.network.output])
        first = len(self.parameters)
        return Program(
            tensors=(*self.parameters, *self.activations),
            ops=tuple(_shifted(op, first) for op in self.ops),
            input=first + self.index[self.network.input],
            output=first + self.index[self.network.output],
            parameter_count=first,
            weights=b"".join(self.sections),
            metadata={"name": self.network.name, **_of_input(self.network), **self.network.metadata},
        )

    def activation(self, name: str, form: Format, shape: tuple[int, ...] | None = None) -> int:
        """A new activation in a given format; returns its number."""
        shape = stored_shape(form.shape) if shape is None else shape
        offset = -1 if not self.activations else 0
        self.activations.append(
            Tensor(name, shape, form.dtype, (form.scale,), zero_point=form.zero_point, offset=offset)
        )
        return len(self.activations) - 1

    def parameter(self, p: Parameter, kind: str) -> int:
        """A parameter tensor in stored layout, new unless another layer has lowered it; returns its index."""
        if p.name in self.lowered:
            index, first, known = self.lowered[p.name]
            if first is not p or known != kind:
                raise ValueError(f"its parameter {p.name!r} is also another layer's, of another kind")
            return index
        stored = np.ascontiguousarray(weight_to_stored(kind, p.q) if p.dtype != "s32" else p.q)
        rule, divisor = "one", 1
        if len(p.scale) > 1:
            rule = "modulo" if kind == "depthwise" and p.dtype != "s32" else "divide"
            divisor = len(p.scale) if rule == "modulo" else stored.size // len(p.scale)
        offset = sum(len(section) for section in self.sections)
        tensor = Tensor(p.name, stored.shape, p.dtype, p.scale, 0, offset, rule, divisor, p.frozen)
        content = pack(tensor, stored)
        self.sections.append(content + bytes(-len(content) % 4))
        self.parameters.append(tensor)
        self.lowered[p.name] = len(self.parameters) - 1, p, kind
        return len(self.parameters) - 1

    def emit(
        self,
        what: Operator,
        node: Node,
        inputs: list[int],
        output: int,
        weight: int = -1,
        bias: int = -1,
    ) -> None:
        self.ops.append(Op(node.name, what, tuple(inputs), output, weight, bias))

    def node(self, node: Node) -> None:
        """Lower one node."""
        inputs = [self.index[name] for name in node.inputs]
        form = self.network.formats[node.output]
        lower = {
            "Conv": self.conv,
            "Gemm": self.gemm,
            **dict.fromkeys(JOINS, self.join),
            "Clip": self.clip,
            "Lookup": self.lookup,
            "MaxPool": self.max_pool,
            "AveragePool": self.average_pool,
            "GlobalAveragePool": self.average_pool,
            "Pad": self.pad,
            "Concat": self.concat,
            "Reshape": self.reshape,
            "Flatten": self.reshape,
            "Transpose": self.transpose,
        }.get(node.op_type)
        if lower is None:
            raise StepforwardError(
                f"node {node.name} has unsupported operator {node.op_type}", "remove or replace it"
            )
        lower(node, inputs, form)

    def bounds(self, node: Node, form: Format) -> tuple[int, int]:
        """The integers an output may take: the type's, cut by a fused ReLU or clip."""
        lo, hi = _range(form)
        low, high = node.clip
        if low is not None:
            lo = max(lo, min(hi, bound(self.network.runtime, low, form)))
        if high is not None:
            hi = min(hi, max(lo, bound(self.network.runtime, high, form)))
        return lo, hi

    def result(self, node: Node, form: Format) -> int:
        """The activation that holds the node's output."""
        self.index[node.output] = self.activation(node.output, form)
        return self.index[node.output]

    def conv(self, node: Node, inputs: list[int], form: Format) -> None:
        a, (weight, _) = node.attributes, node.parameters
        channels = self.network.formats[node.inputs[0]].shape[0]
        is_depthwise = a["group"] == channels == weight.q.shape[0] and channels > 1
        window = {**_window(node), "dilation": tuple(a["dilations"])}
        if is_depthwise:
            self.parametric(Depthwise, node, inputs, form, **window)
        else:
            self.parametric(Conv, node, inputs, form, **window, groups=a["group"])

    def gemm(self, node: Node, inputs: list[int], form: Format) -> None:
        self.parametric(FullyConnected, node, inputs, form)

    def parametric(
        self, kind: type[Operator], node: Node, inputs: list[int], form: Format, **attributes: Any
    ) -> None:
        x = self.network.formats[node.inputs[0]]
        weight, bias = (self.parameter(parameter, kind.kind) for parameter in node.parameters)
        scales = node.parameters[0].scale
        lo, hi = self.bounds(node, form)
        rescaling = of_layer(self.network.runtime, kind.kind, x.scale, scales, form.scale)
        what = kind(**rescaling, lo=lo, hi=hi, **attributes)
        self.emit(what, node, inputs, self.result(node, form), weight, bias)

    def join(self, node: Node, inputs: list[int], form: Format) -> None:
        kind, (a, b) = JOINS[node.op_type], (self.network.formats[name].scale for name in node.inputs)
        lo, hi = self.bounds(node, form)
        rescaling = of_join(self.network.runtime, kind, a, b, form.scale)
        what = kind(**rescaling, lo=lo, hi=hi)
        self.emit(what, node, inputs, self.result(node, form))

    def clip(self, node: Node, inputs: list[int], form: Format) -> None:
        rescaling = of_change(self.network.runtime, self.network.formats[node.inputs[0]].scale, form.scale)
        lo, hi = self.bounds(node, form)
        self.emit(Rescale(**rescaling, lo=lo, hi=hi), node, inputs, self.result(node, form))

    def lookup(self, node: Node, inputs: list[int], form: Format) -> None:
        lo, hi = _range(form)
        tables = entries(node.attributes["values"], form.scale, form.zero_point, lo, hi)
        self.emit(Lookup(tables=tables, lo=lo, hi=hi), node, inputs, self.result(node, form))

    def max_pool(self, node: Node, inputs: list[int], form: Format) -> None:
        lo, hi = self.bounds(node, form)
        window = {**_window(node), "dilation": tuple(node.attributes["dilations"])}
        self.moved(MaxPool, node, inputs, form, **window, lo=lo, hi=hi)

    def moved(
        self, kind: type[Operator], node: Node, inputs: list[int], form: Format, **attributes: Any
    ) -> None:
        """An operator that moves integers; if its output has another format, a rescale follows."""
        source = self.network.formats[node.inputs[0]]
        same = (source.scale, source.zero_point, source.dtype) == (form.scale, form.zero_point, form.dtype)
        kept = Format(source.scale, source.zero_point, source.dtype, form.shape)
        lo, hi = _range(kept)
        what = kind(**{"lo": lo, "hi": hi, **attributes})
        if same:
            self.emit(what, node, inputs, self.result(node, form))
            return
        between = self.activation(f"{node.output}.moved", kept)
        self.emit(what, node, inputs, between)
        self.clip(node, [between], form)

    def average_pool(self, node: Node, inputs: list[int], form: Format) -> None:
        a, x = node.attributes, self.network.formats[node.inputs[0]]
        whole = node.op_type == "GlobalAveragePool"
        window: dict[str, Any] = {"kernel": x.shape[1:]} if whole else _window(node)
        counted = whole or bool(a["count_include_pad"])
        full = math.prod(window["kernel"])
        counts = [full] if counted or not any(window["padding"]) else range(1, full + 1)
        if whole:
            rescaling = of_mean(self.network.runtime, x.scale, form.scale, full)
        elif self.network.runtime is None:
            rescaling = of_means(x.scale, form.scale, counts)
        else:
            rescaling = {"rescale": (), "rounding": TWICE}  # the mean of the integers
        lo, hi = self.bounds(node, form)
        what = AveragePool(**window, count_padding=counted, **rescaling, lo=lo, hi=hi)
        self.emit(what, node, inputs, self.result(node, form))

    def pad(self, node: Node, inputs: list[int], form: Format) -> None:
        pads, x = node.attributes["pads"], self.network.formats[node.inputs[0]]
        lo, hi = _range(x)
        value = max(lo, min(hi, x.zero_point + round(node.attributes["value"] / x.scale)))
        _, c0, top, left, _, c1, bottom, right = pads
        border = {"padding": (top, left, bottom, right), "channels": (c0, c1), "value": value}
        self.moved(Pad, node, inputs, form, **border)

    def concat(self, node: Node, inputs: list[int], form: Format) -> None:
        """One operator, or several where there are too many inputs: the last ones are joined first, in the output's
        format, so that joining them again moves integers and rounds nothing."""
        formats = [self.network.formats[name] for name in node.inputs]
        pairs = [quantize_multiplier(x.scale / form.scale) for x in formats]
        sizes, logical = [x.shape for x in formats], node.attributes["axis"] - 1
        axis = STORED_OF[len(form.shape)][logical]
        lo, hi = self.bounds(node, form)
        while len(inputs) > MAX_INPUTS:
            last = slice(-min(MAX_INPUTS, len(inputs) - MAX_INPUTS + 1), None)
            shape = list(form.shape)
            shape[logical] = sum(size[logical] for size in sizes[last])
            joined = self.activation(f"{node.output}.last{len(inputs)}", replace(form, shape=tuple(shape)))
            self.emit(Concat(rescale=tuple(pairs[last]), lo=lo, hi=hi, axis=axis), node, inputs[last], joined)
            inputs, sizes = [*inputs[: last.start], joined], [*sizes[: last.start], tuple(shape)]
            pairs = [*pairs[: last.start], quantize_multiplier(1.0)]
        what = Concat(rescale=tuple(pairs), lo=lo, hi=hi, axis=axis)
        self.emit(what, node, inputs, self.result(node, form))

    def transpose(self, node: Node, inputs: list[int], form: Format) -> None:
        perm = tuple(axis - 1 for axis in node.attributes["perm"][1:])
        self.moved(Transpose, node, inputs, form, permutation=stored_permutation(perm))

    def reshape(self, node: Node, inputs: list[int], form: Format) -> None:
        """Bring the sample into ONNX order, reshape, and back into stored order: only the steps that move anything."""
        x = self.network.formats[node.inputs[0]]
        lo, hi = _range(x)
        stored = node.attributes.get("channels_last", False)
        if len(x.shape) == len(form.shape) == 3 and (stored or x.shape[0] == form.shape[0]):
            self.moved(Reshape, node, inputs, form)  # channels lie last, and stay there
            return
        if not same_order(x.shape) and not stored:
            flat = self.activation(f"{node.output}.chw", x, x.shape)
            self.emit(Transpose(lo=lo, hi=hi, permutation=(2, 0, 1)), node, inputs, flat)
            inputs = [flat]
        same = (x.scale, x.zero_point, x.dtype) == (form.scale, form.zero_point, form.dtype)
        only_gemms = not self.readers[node.output, False]
        only_gemms &= node.output != self.network.output or inputs[0] != self.index[self.network.input]
        if same and only_gemms and len(form.shape) == 1:
            self.index[node.output] = inputs[0]  # a fully connected operator reads its input flat
            return
        if same_order(form.shape) or stored:
            self.moved(Reshape, node, inputs, form)
            return
        shaped = self.activation(f"{node.output}.chw", x, form.shape)
        self.emit(Reshape(lo=lo, hi=hi), node, inputs, shaped)
        self.moved(Transpose, node, [shaped], form, permutation=(1, 2, 0))


def _of_input(network: Network) -> dict:
    """The metadata entries that say how samples become integers (`inputs.quantize_input`)."""
    entries: dict[str, Any] = {}
    if network.offset or network.factor:
        entries["input_scaling"] = {"offset": list(network.offset), "factor": list(network.factor)}
        if network.axis != 1:
            entries["input_scaling"]["axis"] = network.axis
    if network.channels_last:
        entries["channels_last"] = True
    if network.runtime is not None:
        entries["runtime"] = network.runtime
    return entries


def _shifted(op: Op, first: int) -> Op:
    """Activation numbers become tensor indices, after the parameters."""
    return replace(op, inputs=tuple(first + number for number in op.inputs), output=first + op.output)


def _window(node: Node) -> dict[str, tuple[int, ...]]:
    a = node.attributes
    return {"kernel": tuple(a["kernel_shape"]), "stride": tuple(a["strides"]), "padding": tuple(a["pads"])}


def _range(form: Format) -> tuple[int, int]:
    top = 2 ** (BITS[form.dtype] - 1)
    return -top, top - 1


def _check_logits(logits: Format) -> None:
    try:
        loss_rescale(logits.scale)
    except ValueError as error:
        by = 2 ** math.ceil(math.log2(logits.scale / LARGEST_LOGITS_SCALE) + 1)
        raise StepforwardError(
            f"the logits are too large for the integer loss: one step of their {BITS[logits.dtype]} bits is "
            f"{logits.scale:.3g}, at most {LARGEST_LOGITS_SCALE:.2g} fits",
            f"divide the weights and biases of the layer that computes the logits by {by:g} and quantize again: the "
            "largest logit of every sample stays the same",
        ) from error
