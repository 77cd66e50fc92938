"""Lower a network to a program: one integer operator per node, every real ratio a (mult, shift) pair."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from stepforward.arithmetic.fixedpoint import quantize_multiplier
from stepforward.arithmetic.loss import loss_rescale
from stepforward.errors import StepforwardError, fits_together
from stepforward.lowering.multipliers import (
    bound,
    of_change,
    of_join,
    of_layer,
    of_mean,
    of_means,
    of_windows,
)
from stepforward.lowering.order import Move, Order, moves, natural
from stepforward.network.network import LARGEST_LOGITS_SCALE, Format, Network, Node, Parameter
from stepforward.operators.average_pool import AveragePool
from stepforward.operators.concat import Concat
from stepforward.operators.conv import Conv
from stepforward.operators.depthwise import Depthwise
from stepforward.operators.fully_connected import FullyConnected
from stepforward.operators.gru import Gru
from stepforward.operators.layer_norm import LayerNorm, deviation_scale, epsilon_words, fraction_bits
from stepforward.operators.lookup import Lookup, entries
from stepforward.operators.lstm import Lstm
from stepforward.operators.matmul import MatMul
from stepforward.operators.max_pool import MaxPool
from stepforward.operators.operator import Operator
from stepforward.operators.pad import Pad
from stepforward.operators.recurrent import OPEN_STATE, SHOWN_SCALE, STATE_SCALE, Recurrent
from stepforward.operators.rescale import Rescale
from stepforward.operators.reshape import Reshape
from stepforward.operators.rnn import Rnn
from stepforward.operators.softmax import Softmax, packed
from stepforward.operators.table import JOINS
from stepforward.operators.transpose import Transpose
from stepforward.program.arena import plan_arena
from stepforward.program.layout import LOGICAL_OF, STORED_OF, stored_shape, weight_to_stored
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


class _Laid(NamedTuple):
    """A value in memory: the activation that holds it, and how that is read."""

    at: int
    order: Order


class _Lowering:
    """Collects tensors and operators while it walks the nodes once."""

    def __init__(self, network: Network):
        self.network = network
        self.parameters: list[Tensor] = []
        self.sections: list[bytes] = []
        self.lowered: dict[str, tuple[int, Parameter, str]] = {}  # by name; one that is shared is one tensor
        self.activations: list[Tensor] = []
        self.ops: list[Op] = []
        self.named: Counter[str] = Counter()
        self.laid: dict[
            str, list[_Laid]
        ] = {}  # by value, the first as it was computed, others in other orders
        self.made: dict[tuple[int, Move], int] = {}  # moves of an activation that there are already
        self.makers = {node.output: node.name for node in network.nodes}

    def program(self) -> Program:
        form = self.network.formats[self.network.input]
        self.laid[self.network.input] = [_stored(self.activation(self.network.input, form), form)]
        for node in self.network.nodes:
            try:
                self.node(node)
            except ValueError as error:
                raise StepforwardError(
                    f"node {node.name} ({node.op_type}): {error}",
                    "calibrate on data that covers the network's real range, or check this layer's weights",
                ) from error
        _check_logits(self.network.formats[self.network.output])
        output = self.output()
        if self.network.table is not None:
            self.parameter(self.network.table, "table")
        first = len(self.parameters)
        return Program(
            tensors=(*self.parameters, *self.activations),
            ops=tuple(_shifted(op, first) for op in self.ops),
            input=first,
            output=first + output,
            parameter_count=first,
            weights=b"".join(self.sections),
            metadata={"name": self.network.name, **_of_input(self.network), **self.network.metadata},
        )

    def output(self) -> int:
        """The activation that holds the logits, written by an operator."""
        name = self.network.output
        form = self.network.formats[name]
        index = self.read(name)
        if index > 0:
            return index
        lo, hi = _range(form)
        self.ops.append(
            Op(self.makers.get(name, name), Reshape(lo=lo, hi=hi), (0,), self.activation(name, form))
        )
        return len(self.activations) - 1

    def read(
        self, name: str, order: tuple[int, ...] | None = None, shape: tuple[int, ...] | None = None
    ) -> int:
        """The activation that holds a value whose logical axes lie in some order, by default that of engines, moved
        if there is none yet.

        Args:
            shape: of the activation; None: any, or that of the axes where no order is given.
        """
        form = self.network.formats[name]
        if order is None:
            order, shape = LOGICAL_OF[len(form.shape)], stored_shape(form.shape)
        for laid in self.laid[name]:
            if laid.order.lies(order) and shape in (None, self.activations[laid.at].shape):
                return laid.at
        first, (lo, hi) = self.laid[name][0], _range(form)
        index, memory, wanted = first.at, first.order.memory, first.order.sequence(order)
        held = self.activations[index].shape
        target = shape or natural(memory, wanted, held) or tuple(form.shape[axis] for axis in order)
        for move in moves(memory, wanted, held, target):
            if (index, move) not in self.made:
                what: Operator = Reshape(lo=lo, hi=hi)
                if move.permutation is not None:
                    what = Transpose(lo=lo, hi=hi, permutation=move.permutation)
                self.made[index, move] = self.activation(name, form, move.shape)
                self.ops.append(Op(self.makers.get(name, name), what, (index,), self.made[index, move]))
            index = self.made[index, move]
        self.laid[name].append(_Laid(index, Order.of(form.shape, order)))
        return index

    def activation(self, name: str, form: Format, shape: tuple[int, ...] | None = None) -> int:
        """A new activation in a given format; returns its number. It has a number after its name where others have
        that name."""
        self.named[name] += 1
        name = name if self.named[name] == 1 else f"{name}.{self.named[name]}"
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
        form = self.network.formats[node.output]
        lower = {
            "Conv": self.conv,
            "Gemm": self.gemm,
            **dict.fromkeys(JOINS, self.join),
            "Clip": self.clip,
            "LayerNormalization": self.layer_norm,
            "GRU": self.recurrent,
            "LSTM": self.recurrent,
            "RNN": self.recurrent,
            "Softmax": self.softmax,
            "MatMul": self.matmul,
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
        lower(node, form)

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
        """The activation that holds the node's output, in the order of engines."""
        self.laid[node.output] = [_stored(self.activation(node.output, form), form)]
        return self.laid[node.output][0].at

    def result_like(self, node: Node, form: Format, index: int, order: Order) -> int:
        """The activation that holds the node's output, as another activation is read."""
        made = self.activation(node.output, form, self.activations[index].shape)
        self.laid[node.output] = [_Laid(made, order)]
        return made

    def conv(self, node: Node, form: Format) -> None:
        a, (weight, _) = node.attributes, node.parameters
        channels = self.network.formats[node.inputs[0]].shape[0]
        is_depthwise = a["group"] == channels == weight.q.shape[0] and channels > 1
        window = {**_window(node), "dilation": tuple(a["dilations"])}
        x = self.read(node.inputs[0])
        if is_depthwise:
            self.parametric(Depthwise, node, x, form, **window)
        else:
            self.parametric(Conv, node, x, form, **window, groups=a["group"])

    def gemm(self, node: Node, form: Format) -> None:
        """A fully connected operator reads its input flat, whatever its shape."""
        self.parametric(FullyConnected, node, self.read(node.inputs[0], (0,)), form)

    def parametric(self, kind: type[Operator], node: Node, x: int, form: Format, **attributes: Any) -> None:
        weight, bias = (self.parameter(parameter, kind.kind) for parameter in node.parameters)
        scale, scales = self.activations[x].scale[0], node.parameters[0].scale
        lo, hi = self.bounds(node, form)
        rescaling = of_layer(self.network.runtime, kind.kind, scale, scales, form.scale)
        what = kind(**rescaling, lo=lo, hi=hi, **attributes)
        self.emit(what, node, [x], self.result(node, form), weight, bias)

    def layer_norm(self, node: Node, form: Format) -> None:
        x, order = self.rows(node.inputs[0])
        weight, bias = (self.parameter(parameter, LayerNorm.kind) for parameter in node.parameters)
        channels, scale = self.activations[x].shape[-1], self.activations[x].scale[0]
        rescaling = of_layer(
            None, LayerNorm.kind, deviation_scale(channels), node.parameters[0].scale, form.scale
        )
        lo, hi = self.bounds(node, form)
        words = epsilon_words(node.attributes["epsilon"], channels, scale)
        what = LayerNorm(fraction=fraction_bits(channels), epsilon=words, **rescaling, lo=lo, hi=hi)
        self.emit(what, node, [x], self.result_like(node, form, x, order), weight, bias)

    def recurrent(self, node: Node, form: Format) -> None:
        kind = _RECURRENT[node.op_type]
        x, _ = self.rows(node.inputs[0])
        step, read, shown = self.activations[x].scale[0], STATE_SCALE, SHOWN_SCALE
        own: dict[str, Any] = {}
        if kind is Gru:
            own = {"reset_after": bool(node.attributes["linear_before_reset"])}
        elif kind is Rnn and "Relu" in node.attributes["activations"]:
            read, shown, own = OPEN_STATE * step, step, {"relu": True}
        weight, bias = (self.parameter(parameter, kind.kind) for parameter in node.parameters)
        shape = (*self.activations[x].shape[:-1], form.shape[-1])
        made = self.activation(node.output, form, shape)
        self.laid[node.output] = [_Laid(made, Order.of(form.shape, (0, 1)))]
        pairs = [quantize_multiplier(read * scale / step) for scale in node.parameters[0].scale]
        lo, hi = self.bounds(node, form)
        what = kind(
            rescale=tuple(pairs),
            reverse=node.attributes["direction"] == "reverse",
            output_rescale=quantize_multiplier(shown / form.scale),
            **own,
            lo=lo,
            hi=hi,
        )
        self.emit(what, node, [x], made, weight, bias)

    def softmax(self, node: Node, form: Format) -> None:
        x, order = self.rows(node.inputs[0])
        lo, hi = _range(form)
        bits = round(-math.log2(form.scale))
        mask = packed(node.attributes["mask"]) if "mask" in node.attributes else ()
        pair = loss_rescale(self.activations[x].scale[0])
        what = Softmax(bits=bits, mask=mask, rescale=(pair,), lo=lo, hi=hi)
        self.emit(what, node, [x], self.result_like(node, form, x, order))

    def rows(self, name: str) -> tuple[int, Order]:
        """A value whose last axis is the last dimension of its activation."""
        shape = self.network.formats[name].shape
        for laid in self.laid[name]:
            last = laid.order.axes[-1]
            lies = list(last) == list(range(len(laid.order.memory)))[len(laid.order.memory) - len(last) :]
            if lies and self.activations[laid.at].shape[-1] == shape[-1]:
                return laid
        plain = tuple(range(len(shape)))
        return self.read(name, plain, (*(1,) * (3 - len(shape)), *shape)), Order.of(shape, plain)

    def matmul(self, node: Node, form: Format) -> None:
        a, b = (self.network.formats[name] for name in node.inputs)
        *outer, rows, columns = range(len(b.shape))
        plain, turned = (*outer, rows, columns), (*outer, columns, rows)
        transposed = not any(laid.order.lies(plain) for laid in self.laid[node.inputs[1]])
        order = turned if transposed else plain
        inputs = [
            self.read(node.inputs[0], plain, a.shape),
            self.read(node.inputs[1], order, tuple(b.shape[axis] for axis in order)),
        ]
        pair = quantize_multiplier(a.scale * b.scale / form.scale)
        lo, hi = self.bounds(node, form)
        made = self.activation(node.output, form, form.shape)
        self.laid[node.output] = [_Laid(made, Order.of(form.shape, plain))]
        self.emit(MatMul(transposed=transposed, rescale=(pair,), lo=lo, hi=hi), node, inputs, made)

    def join(self, node: Node, form: Format) -> None:
        kind, (a, b) = JOINS[node.op_type], (self.network.formats[name] for name in node.inputs)
        lo, hi = self.bounds(node, form)
        rescaling = of_join(
            self.network.runtime, kind, a.scale, b.scale, form.scale, node.attributes.get("unsigned", False)
        )
        what = kind(**rescaling, lo=lo, hi=hi)
        alike = self.alike(node.inputs) if a.shape == b.shape else None
        if alike is None:
            self.emit(what, node, [self.read(name) for name in node.inputs], self.result(node, form))
            return
        (at, order), axes = alike
        inputs = [self.read(name, axes, self.activations[at].shape) for name in node.inputs]
        self.emit(what, node, inputs, self.result_like(node, form, at, order))

    def alike(self, names: tuple[str, ...]) -> tuple[_Laid, tuple[int, ...]] | None:
        """How two values of one shape are read best: as one of them lies, with its axes in this order."""
        found = [
            (laid, axes) for name in names for laid in self.laid[name][:1] for axes in [_axes(laid.order)]
        ]
        whole = [(laid, axes) for laid, axes in found if axes is not None]
        rows = [one for one in whole if self.activations[one[0].at].shape[-1:] == one[0].order.memory[-1:]]
        return next(iter(rows or whole), None)

    def clip(self, node: Node, form: Format) -> None:
        x, order = self.laid[node.inputs[0]][0]
        self.change(node, form, x, self.result_like(node, form, x, order))

    def change(self, node: Node, form: Format, x: int, y: int) -> None:
        """A rescale from one activation to another."""
        rescaling = of_change(self.network.runtime, self.activations[x].scale[0], form.scale)
        lo, hi = self.bounds(node, form)
        self.emit(Rescale(**rescaling, lo=lo, hi=hi), node, [x], y)

    def lookup(self, node: Node, form: Format) -> None:
        lo, hi = _range(form)
        x, order = self.laid[node.inputs[0]][0]
        tables = entries(node.attributes["values"], form.scale, form.zero_point, lo, hi)
        what = Lookup(tables=tables, lo=lo, hi=hi)
        self.emit(what, node, [x], self.result_like(node, form, x, order))

    def max_pool(self, node: Node, form: Format) -> None:
        lo, hi = self.bounds(node, form)
        window = {**_window(node), "dilation": tuple(node.attributes["dilations"])}
        self.moved(MaxPool, node, form, **window, lo=lo, hi=hi)

    def moved(self, kind: type[Operator], node: Node, form: Format, **attributes: Any) -> None:
        """An operator that moves integers; if its output has another format, a rescale follows."""
        x, source = self.read(node.inputs[0]), self.network.formats[node.inputs[0]]
        kept = Format(source.scale, source.zero_point, source.dtype, form.shape)
        lo, hi = _range(kept)
        what = kind(**{"lo": lo, "hi": hi, **attributes})
        if _steps(source) == _steps(form):
            self.emit(what, node, [x], self.result(node, form))
            return
        between = self.activation(f"{node.output}.moved", kept)
        self.emit(what, node, [x], between)
        self.change(node, form, between, self.result(node, form))

    def average_pool(self, node: Node, form: Format) -> None:
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
            unsigned = a.get("unsigned", False)
            rescaling = of_windows(self.network.runtime, x.scale, form.scale, counts, unsigned)
        lo, hi = self.bounds(node, form)
        what = AveragePool(**window, count_padding=counted, **rescaling, lo=lo, hi=hi)
        self.emit(what, node, [self.read(node.inputs[0])], self.result(node, form))

    def pad(self, node: Node, form: Format) -> None:
        pads, x = node.attributes["pads"], self.network.formats[node.inputs[0]]
        lo, hi = _range(x)
        value = max(lo, min(hi, x.zero_point + round(node.attributes["value"] / x.scale)))
        _, c0, top, left, _, c1, bottom, right = pads
        border = {"padding": (top, left, bottom, right), "channels": (c0, c1), "value": value}
        self.moved(Pad, node, form, **border)

    def concat(self, node: Node, form: Format) -> None:
        """One operator, or several where there are too many inputs: the last ones are joined first, in the output's
        format, so that joining them again moves integers and rounds nothing."""
        inputs = [self.read(name) for name in node.inputs]
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

    def transpose(self, node: Node, form: Format) -> None:
        perm = tuple(axis - 1 for axis in node.attributes["perm"][1:])
        self.seen(node, form, [_Laid(x, order.transposed(perm)) for x, order in self.laid[node.inputs[0]]])

    def reshape(self, node: Node, form: Format) -> None:
        """Another way to read the same elements; they are moved first where an axis would end inside another one."""
        (name,), before = node.inputs, self.network.formats[node.inputs[0]]
        order, target = (tuple(range(len(x.shape))) for x in (before, form))
        if node.attributes.get("channels_last", False):
            order, target = (LOGICAL_OF[len(x.shape)] for x in (before, form))
        ways = [(x, way.reshaped(order, form.shape, target)) for x, way in self.laid[name]]
        if all(way is None for _, way in ways):
            x = self.read(name, order)
            ways = [(x, Order.of(before.shape, order).reshaped(order, form.shape, target))]
        self.seen(node, form, [_Laid(x, way) for x, way in ways if way is not None])

    def seen(self, node: Node, form: Format, laid: list[_Laid]) -> None:
        """A node that moves nothing yet: its output is its input, read in another way, or rescaled so."""
        if _steps(self.network.formats[node.inputs[0]]) == _steps(form):
            self.laid[node.output] = laid
            return
        x, order = laid[0]
        self.change(node, form, x, self.result_like(node, form, x, order))


_RECURRENT: dict[str, type[Recurrent]] = {"GRU": Gru, "LSTM": Lstm, "RNN": Rnn}


def _stored(index: int, form: Format) -> _Laid:
    """A value in the order of engines."""
    return _Laid(index, Order.of(form.shape, LOGICAL_OF[len(form.shape)]))


def _axes(order: Order) -> tuple[int, ...] | None:
    """The order in which whole axes lie; None where one is interrupted by another."""
    axes = tuple(sorted(range(len(order.axes)), key=lambda axis: min(order.axes[axis], default=-1)))
    return axes if order.lies(axes) else None


def _steps(form: Format) -> tuple[float, int, str]:
    return form.scale, form.zero_point, form.dtype


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
    if network.table is not None:
        entries["table"] = network.table.name
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
