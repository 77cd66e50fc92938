"""A TensorFlow Lite file as a network: its integers, scales and zero points as they are."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from stepforward.arithmetic.rounding import single_ratio
from stepforward.errors import StepforwardError
from stepforward.lowering.multipliers import bound
from stepforward.network.network import Q_MAX, Format, Network, Node, Parameter
from stepforward.network.runtimes import RUNTIMES
from stepforward.quantization.parameters import bias_scale
from stepforward.sources.kept import Reading
from stepforward.sources.problems import UnreadableError
from stepforward.sources.tflite.ends import Body, body
from stepforward.sources.tflite.file import Operator, Tensor, TfliteFile, describe
from stepforward.sources.tflite.fixed import channels, layer, places, window
from stepforward.sources.tflite.functions import FUNCTIONS, table, with_number
from stepforward.sources.tflite.tensors import (
    check_images,
    check_same_steps,
    clip_of,
    format_of,
    shared_constants,
    stays,
    steps_of,
    weight_of,
    why_not,
)

_SAME, _VALID = 0, 1
_WEIGHT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
NODES = {
    "CONV_2D": "Conv",
    "DEPTHWISE_CONV_2D": "Conv",
    "FULLY_CONNECTED": "Gemm",
    "ADD": "Add",
    "MUL": "Mul",
    "SUB": "Lookup",
    **dict.fromkeys(FUNCTIONS, "Lookup"),
    "AVERAGE_POOL_2D": "AveragePool",
    "MAX_POOL_2D": "MaxPool",
    "MEAN": "GlobalAveragePool",
    "PAD": "Pad",
    "PADV2": "Pad",
    "RESHAPE": "Reshape",
    "SQUEEZE": "Reshape",
    "EXPAND_DIMS": "Reshape",
    "TRANSPOSE": "Transpose",
    "SLICE": "Conv",
    "STRIDED_SLICE": "Conv",
    "CONCATENATION": "Concat",
    "QUANTIZE": "Clip",
}
"""What each operator becomes; ADD and MUL with a constant number become a Lookup too, MUL with one for each channel a
Conv."""

_REMEDY = (
    "supported: int8 models of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD, MUL, SUB of a constant, "
    "AVERAGE_POOL_2D, MAX_POOL_2D, MEAN over height and width, LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, PAD, RESHAPE, "
    "SQUEEZE, EXPAND_DIMS, TRANSPOSE, SLICE, STRIDED_SLICE, CONCATENATION of equal formats, and SOFTMAX, QUANTIZE or "
    "DEQUANTIZE at the ends; convert the rest into these, or export ONNX"
)


def read_network(file: TfliteFile, name: str, runtime: str, output: str | None = None) -> Reading:
    """The network in a file.

    Args:
        file: what was read.
        name: of the file, for messages.
        runtime: whose integers its program is to compute.
        output: the name of the one that holds the logits.

    Raises:
        StepforwardError: it holds what cannot be computed as the runtime does, every operator by name.
    """
    found = body(file, name, output)
    reader = _Reader(file, found, runtime)
    for operator in found.operators:
        try:
            reader.take(operator)
        except UnreadableError as problem:
            reader.problems.append(f"{describe(file, operator)}: {problem}")
    if reader.problems:
        raise StepforwardError(f"{name} cannot be read: {'; '.join(reader.problems)}", _REMEDY)
    names = file.tensors
    if found.output not in reader.written:
        raise StepforwardError(f"{name} has an output that nothing computes", "convert it again")
    network = Network(
        names[found.input].name,
        names[found.output].name,
        tuple(reader.nodes),
        "network",
        reader.formats,
        channels_last=True,
        runtime=runtime,
        source=name,
    )
    return Reading(network, (*found.notes, *reader.notes))


class _Reader:
    """What is known while walking the operators."""

    def __init__(self, file: TfliteFile, found: Body, runtime: str):
        self.file, self.runtime = file, runtime
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.nodes: list[Node] = []
        self.names: set[str] = set()
        self.formats: dict[str, Format] = {}
        self.parameters: dict[int, Parameter] = {}
        self.written = {found.input}
        self.shared = shared_constants(file, found)
        try:
            self.format(found.input)
        except UnreadableError as problem:
            self.problems.append(f"input {file.tensors[found.input].name}: {problem}")

    def take(self, operator: Operator) -> None:
        take = {
            "Conv": self.conv,
            "Gemm": self.fully_connected,
            "Add": self.join,
            "Mul": self.join,
            "Lookup": self.function,
            "AveragePool": self.pool,
            "MaxPool": self.pool,
            "GlobalAveragePool": self.mean,
            "Pad": self.pad,
            "Reshape": self.reshape,
            "Transpose": self.transpose,
            "Concat": self.concat,
            "Clip": self.requantize,
        } | {"SUB": self.join, "SLICE": self.slice, "STRIDED_SLICE": self.strided_slice}
        self.written.update(operator.outputs)
        if operator.code not in NODES:
            raise UnreadableError(why_not(operator.code))
        if len(operator.outputs) != 1:
            raise UnreadableError(f"it has {len(operator.outputs)} outputs")
        try:
            with np.errstate(over="ignore"):  # a scale out of range is refused where it is used
                take[operator.code if operator.code in take else NODES[operator.code]](operator)
        except ValueError as error:  # a ratio of scales that no multiplier holds
            raise UnreadableError(str(error)) from error

    # what operators read and write

    def tensor(self, operator: Operator, place: int) -> Tensor:
        number = operator.inputs[place] if place < len(operator.inputs) else -1
        if number < 0:
            raise UnreadableError(f"it lacks input {place}")
        return self.file.tensors[number]

    def input(self, operator: Operator, place: int = 0) -> str:
        """The name of an activation that has been computed."""
        tensor = self.tensor(operator, place)
        if operator.inputs[place] not in self.written:
            computed = "is a constant" if tensor.place else "is not computed before it"
            raise UnreadableError(f"its input {tensor.name} {computed}")
        self.format(operator.inputs[place])
        return tensor.name

    def output(self, operator: Operator) -> Format:
        return self.format(operator.outputs[0])

    def format(self, number: int) -> Format:
        """The format of an activation."""
        tensor = self.file.tensors[number]
        if tensor.name not in self.formats:
            self.formats[tensor.name] = format_of(tensor)
        return self.formats[tensor.name]

    def add(
        self, operator: Operator, op_type: str, inputs: tuple[str, ...], attributes: dict, **more: Any
    ) -> None:
        output = self.file.tensors[operator.outputs[0]].name
        name = output.partition(";")[0]  # converters join the names of all that an operator was made of
        if name in self.names:
            name = f"{name} ({operator.number})"
        self.names.add(name)
        self.nodes.append(Node(op_type, name, inputs, output, attributes, **more))

    def sizes(self, operator: Operator, x: Format, y: Format, kernel: tuple[int, int]) -> dict[str, Any]:
        """Attributes of a window, and a check of what it makes of the image."""
        options = operator.options
        stride = options["StrideH"], options["StrideW"]
        dilation = options.get("DilationHFactor", 1), options.get("DilationWFactor", 1)
        if min(*stride, *dilation, *kernel) < 1:
            raise UnreadableError("a size of its window is 0")
        spread = [(size - 1) * apart + 1 for size, apart in zip(kernel, dilation, strict=True)]
        before, after, made = [], [], []
        for size, wide, step in zip(x.shape[1:], spread, stride, strict=True):
            if options["Padding"] == _SAME:
                positions = -(-size // step)
                more = max((positions - 1) * step + wide - size, 0)
            elif options["Padding"] == _VALID:
                positions, more = (size - wide) // step + 1, 0
            else:
                raise UnreadableError(f"its padding {options['Padding']} is unknown")
            before.append(more // 2)
            after.append(more - more // 2)
            made.append(positions)
        if tuple(made) != y.shape[1:] or min(made) < 1:
            raise UnreadableError(f"it makes {tuple(made)} positions, its output has {y.shape[1:]}")
        return {
            "kernel_shape": kernel,
            "strides": stride,
            "pads": (*before, *after),
            "dilations": dilation,
        }

    # operators

    def conv(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x = self.formats[name]
        check_images(x, y)
        weight = self.weight(operator)
        _, _, *kernel = weight.q.shape
        attributes = self.sizes(operator, x, y, (kernel[0], kernel[1]))
        if operator.code == "DEPTHWISE_CONV_2D":
            group = x.shape[0]
        else:
            group = x.shape[0] // weight.q.shape[1] if weight.q.shape[1] else 0
        if not group or weight.q.shape[1] * group != x.shape[0] or len(weight.q) % group:
            raise UnreadableError(f"its weight does not fit the {x.shape[0]} channels it reads")
        if len(weight.q) != y.shape[0]:
            raise UnreadableError(f"it has {len(weight.q)} outputs, its output {y.shape[0]} channels")
        bias = self.bias(operator, x, weight)
        clip = clip_of(operator)
        self.add(
            operator, "Conv", (name,), attributes | {"group": group}, weight=weight, bias=bias, clip=clip
        )

    def fully_connected(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        if operator.options.get("WeightsFormat", 0):
            raise UnreadableError("its weights are shuffled")
        x, weight = self.formats[name], self.weight(operator)
        if weight.q.shape[1] != math.prod(x.shape) or math.prod(y.shape) != len(weight.q):
            raise UnreadableError(
                f"it reads {math.prod(x.shape)} numbers in rows of {weight.q.shape[1]}: one row alone can be read"
            )
        if len(x.shape) != 1:
            flat = f"{name} as {self.file.tensors[operator.outputs[0]].name} reads it"
            self.formats[flat] = Format(x.scale, x.zero_point, x.dtype, (math.prod(x.shape),))
            self.nodes.append(Node("Reshape", flat, (name,), flat, {"channels_last": True}))
            name = flat
        bias = self.bias(operator, x, weight)
        self.add(operator, "Gemm", (name,), {}, weight=weight, bias=bias, clip=clip_of(operator))

    def function(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x = self.formats[name]
        if x.shape != y.shape:
            raise UnreadableError("its output has another shape")
        self.lookup(operator, name, table(operator.code, operator.options, x, y, self.runtime))

    def lookup(self, operator: Operator, name: str, integers: np.ndarray) -> None:
        """A table of the integers that the output has for each input."""
        y = self.output(operator)
        self.add(operator, "Lookup", (name,), {"values": (integers - y.zero_point) * y.scale})

    def join(self, operator: Operator) -> None:
        constants = [place for place in (0, 1) if self.tensor(operator, place).place is not None]
        if len(constants) == 1:
            self.join_constant(operator, constants[0])
            return
        if operator.code == "SUB":
            raise UnreadableError("it reads two computed tensors: one must be a constant number")
        names, y = (self.input(operator, 0), self.input(operator, 1)), self.output(operator)
        for shape in (self.formats[name].shape for name in names):
            if len(shape) != len(y.shape) or any(
                s not in (1, w) for s, w in zip(shape, y.shape, strict=True)
            ):
                raise UnreadableError(f"{shape} cannot be repeated to {y.shape} over sizes of 1")
        self.add(operator, NODES[operator.code], names, {}, clip=clip_of(operator))

    def join_constant(self, operator: Operator, place: int) -> None:
        """With a number, a function of one value; a product with a number for each channel, a convolution."""
        name, y = self.input(operator, 1 - place), self.output(operator)
        x, tensor = self.formats[name], self.tensor(operator, place)
        c, q = steps_of(tensor), self.values(tensor, "INT8").astype(np.int64)
        if x.shape != y.shape:
            raise UnreadableError(f"it repeats its input {x.shape} to {y.shape}")
        lo, hi = (None if value is None else bound(self.runtime, value, y) for value in clip_of(operator))
        if q.size == 1:
            found = with_number(operator.code, place == 0, x, c, int(q.reshape(-1)[0]), y, self.runtime)
            self.lookup(operator, name, np.clip(np.clip(found, lo, hi), -128, 127))
            return
        count = x.shape[0] if len(x.shape) == 3 else x.shape[-1]
        if operator.code != "MUL" or q.size != count or q.shape[-1] != count:
            raise UnreadableError(
                f"its constant {tensor.name} has shape {q.shape}: a number can be read, and in MUL one for each channel"
            )
        image = self.image(name)
        output = self.file.tensors[operator.outputs[0]].name
        scale = c.scale
        if RUNTIMES[self.runtime].single:
            # a convolution's ratio is not taken in float32: its weight makes it so
            scale = single_ratio((x.scale, scale), y.scale) * y.scale / x.scale
        parameters = layer(q.reshape(-1, 1, 1, 1) - c.zero_point, scale, x, output)
        self.add_image(operator, image, window((1, 1), (1, 1), count), parameters, clip_of(operator))

    def image(self, name: str) -> str:
        """A tensor as an image: the last axis counts channels, the one before it rows."""
        x = self.formats[name]
        if len(x.shape) == 3:
            return name
        if len(x.shape) > 3:
            raise UnreadableError(f"{name} has shape {x.shape}: up to 3 axes besides the batch can be read")
        seen = f"{name} as an image of its own"
        if seen not in self.formats:
            shape = (x.shape[-1], *x.shape[:-1], *(1,) * (3 - len(x.shape)))
            self.formats[seen] = replace(x, shape=shape)
            self.nodes.append(Node("Reshape", seen, (name,), seen, {"channels_last": True}))
        return seen

    def add_image(
        self,
        operator: Operator,
        image: str,
        attributes: dict,
        parameters: tuple[Parameter, Parameter],
        clip: tuple[float | None, float | None] = (None, None),
    ) -> None:
        """A convolution of an image that gives the operator's output, in the output's shape."""
        y, (weight, bias) = self.output(operator), parameters
        if len(y.shape) == 3:
            self.add(operator, "Conv", (image,), attributes, clip=clip, weight=weight, bias=bias)
            return
        made = f"{self.file.tensors[operator.outputs[0]].name} as an image"
        x = self.formats[image]
        sizes = (
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(
                x.shape[1:], attributes["kernel_shape"], attributes["strides"], strict=True
            )
        )
        self.formats[made] = replace(y, shape=(len(weight.q), *sizes))
        self.nodes.append(Node("Conv", made, (image,), made, attributes, weight, bias, clip))
        self.add(operator, "Reshape", (made,), {"channels_last": True})

    def transpose(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x, given = self.formats[name], [int(axis) for axis in self.constant(operator, 1).reshape(-1)]
        check_same_steps(x, y)
        rank = len(x.shape) + 1
        if sorted(given) != list(range(rank)) or given[0] != 0:
            raise UnreadableError(f"it brings the axes into the order {given}, the batch must stay first")
        order = (0, 2, 3, 1) if rank == 4 else tuple(range(rank))  # logical axis of each axis of the file
        perm = [0] * rank
        for axis, source in enumerate(given):
            perm[order[axis]] = order[source]
        if tuple(x.shape[axis - 1] for axis in perm[1:]) != y.shape:
            raise UnreadableError(f"its output has shape {y.shape}")
        self.add(operator, "Transpose", (name,), {"perm": tuple(perm)})

    def slice(self, operator: Operator) -> None:
        shape = self.tensor(operator, 0).shape
        first, sizes = (self.constant(operator, place).reshape(-1).tolist() for place in (1, 2))
        if not len(first) == len(sizes) == len(shape):
            raise UnreadableError("it does not say where each axis begins and ends")
        counts = [size - at if n == -1 else n for size, at, n in zip(shape, first, sizes, strict=True)]
        self.pick(operator, first, [1] * len(shape), counts)

    def strided_slice(self, operator: Operator) -> None:
        shape, options = self.tensor(operator, 0).shape, operator.options
        ends = [self.constant(operator, place).reshape(-1).tolist() for place in (1, 2, 3)]
        if any(len(end) != len(shape) for end in ends):
            raise UnreadableError("it does not say where each axis begins and ends")
        if options.get("EllipsisMask", 0) or options.get("NewAxisMask", 0) or options.get("Offset", False):
            raise UnreadableError("it adds axes, or counts from where it begins")
        first, counts = [], []
        masks = [options.get(name, 0) for name in ("BeginMask", "EndMask", "ShrinkAxisMask")]
        for axis, (size, begin, end, step) in enumerate(zip(shape, *ends, strict=True)):
            if step < 1:
                raise UnreadableError("it counts backwards")
            free = [mask >> axis & 1 for mask in masks]
            begin, end, _ = slice(None if free[0] else begin, None if free[1] else end).indices(size)
            first.append(begin)
            counts.append(1 if free[2] else max(0, -(-(end - begin) // step)))
        self.pick(operator, first, ends[2], counts)

    def pick(self, operator: Operator, first: list[int], steps: list[int], counts: list[int]) -> None:
        """Some rows, columns and channels of a tensor, by the axes of the file."""
        name, y = self.input(operator), self.output(operator)
        x, shape = self.formats[name], self.tensor(operator, 0).shape
        check_same_steps(x, y)
        inside = all(
            at >= 0 and n >= 1 and at + (n - 1) * step < size
            for size, at, n, step in zip(shape, first, counts, steps, strict=True)
        )
        if not inside or math.prod(counts) != math.prod(y.shape):
            raise UnreadableError(f"its output has shape {y.shape}, or it reads beyond {shape}")
        self.image(name)  # refuses more axes
        missing = 4 - len(shape)
        at, by, n = (
            [*values[1:-1], *[fill] * missing, values[-1]]
            for values, fill in ((first, 0), (steps, 1), (counts, 1))
        )
        image = self.image(name)
        output, form = self.file.tensors[operator.outputs[0]].name, self.formats[image]
        q, attributes = places(form, (at[0], at[1]), (by[0], by[1]), (n[0], n[1]))
        if q.shape[2:] == (1, 1) and (by[0], by[1]) == (1, 1):
            q, attributes = channels(form, at[2], by[2], n[2])
        elif n[2] != form.shape[0]:
            rows = f"{output} with all channels"
            self.formats[rows] = replace(form, shape=(form.shape[0], n[0], n[1]))
            self.nodes.append(Node("Conv", rows, (image,), rows, attributes, *layer(q, 1.0, form, rows)))
            image, (q, attributes) = rows, channels(form, at[2], by[2], n[2])
        self.add_image(operator, image, attributes, layer(q, 1.0, form, output))

    def pool(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x = self.formats[name]
        check_images(x, y)
        check_same_steps(x, y)
        options = operator.options
        kernel = options["FilterHeight"], options["FilterWidth"]
        attributes = self.sizes(operator, x, y, kernel)
        if x.shape[0] != y.shape[0]:
            raise UnreadableError("its output has other channels than its input")
        if operator.code == "AVERAGE_POOL_2D":
            attributes["count_include_pad"] = 0
        self.add(operator, NODES[operator.code], (name,), attributes, clip=clip_of(operator))

    def mean(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x, axes = self.formats[name], self.constant(operator, 1)
        rank = len(x.shape) + 1
        if rank != 4 or {int(axis) % rank for axis in axes.reshape(-1)} != {1, 2}:
            raise UnreadableError("it takes the mean over other axes than height and width together")
        if math.prod(y.shape) != x.shape[0]:
            raise UnreadableError(f"its output has shape {y.shape}")
        if len(y.shape) == 3:
            self.add(operator, "GlobalAveragePool", (name,), {})
            return
        whole = f"{self.file.tensors[operator.outputs[0]].name} as an image"
        self.formats[whole] = Format(y.scale, y.zero_point, y.dtype, (x.shape[0], 1, 1))
        self.nodes.append(Node("GlobalAveragePool", whole, (name,), whole, {}))
        self.add(operator, "Reshape", (whole,), {"channels_last": True})

    def pad(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x = self.formats[name]
        check_images(x, y)
        check_same_steps(x, y)
        pads, value = self.constant(operator, 1), 0.0
        if pads.shape != (4, 2) or pads[0].any() or pads.min() < 0:
            raise UnreadableError("it pads other axes than height, width and channels")
        if operator.code == "PADV2":
            filled = self.constant(operator, 2).reshape(-1)
            value = (int(filled[0]) - x.zero_point) * x.scale
        before, after = ([int(pads[axis, end]) for axis in (0, 3, 1, 2)] for end in (0, 1))
        grown = tuple(size + a + b for size, a, b in zip(x.shape, before[1:], after[1:], strict=True))
        if grown != y.shape:
            raise UnreadableError(f"it makes {grown}, its output has {y.shape}")
        self.add(operator, "Pad", (name,), {"pads": (*before, *after), "value": value})

    def reshape(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x = self.formats[name]
        check_same_steps(x, y)
        if math.prod(x.shape) != math.prod(y.shape):
            raise UnreadableError("it changes the number of elements")
        self.add(operator, "Reshape", (name,), {"channels_last": True})

    def concat(self, operator: Operator) -> None:
        names = tuple(self.input(operator, place) for place in range(len(operator.inputs)))
        y, parts = self.output(operator), [self.formats[name] for name in names]
        for part in parts:
            check_same_steps(part, y)
        rank = len(y.shape) + 1
        axis = operator.options["Axis"] % rank
        logical = {0: 0, 1: 2, 2: 3, 3: 1}[axis] if rank == 4 else axis
        if axis == 0 or any(len(part.shape) + 1 != rank for part in parts):
            raise UnreadableError("it joins samples, or tensors of several ranks")
        shape = list(parts[0].shape)
        shape[logical - 1] = sum(part.shape[logical - 1] for part in parts)
        others = {(*p.shape[: logical - 1], *p.shape[logical:]) for p in parts}
        if tuple(shape) != y.shape or len(others) > 1:
            raise UnreadableError("the shapes of its inputs do not fit")
        self.add(operator, "Concat", names, {"axis": logical}, clip=clip_of(operator))

    def requantize(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        if self.formats[name].shape != y.shape:
            raise UnreadableError("its output has another shape")
        if self.runtime == "litert":
            raise UnreadableError(
                "between layers, XNNPACK rounds it in a way of its own: give another --runtime"
            )
        self.add(operator, "Clip", (name,), {})

    # constants

    def constant(self, operator: Operator, place: int) -> np.ndarray:
        """The values of a constant that is no parameter."""
        tensor = self.tensor(operator, place)
        values = self.file.constant(tensor)
        if values is None:
            raise UnreadableError(f"its input {tensor.name} is no constant")
        if values.dtype.kind not in "iu":
            raise UnreadableError(f"its input {tensor.name} is {tensor.type}, not integers")
        return values.astype(np.int64)

    def weight(self, operator: Operator) -> Parameter:
        tensor, number = self.tensor(operator, 1), operator.inputs[1]
        if number not in self.parameters:
            axis = _WEIGHT_AXIS[operator.code]
            self.parameters[number] = weight_of(
                tensor, self.values(tensor, "INT8"), axis, number in self.shared
            )
            if number in self.shared:
                self.notes.append(stays(tensor))
        return self.parameters[number]

    def bias(self, operator: Operator, x: Format, weight: Parameter) -> Parameter:
        """The bias in the scale of input times weight; zeros that stay where there is none."""
        scale = tuple(float(s) for s in bias_scale(x.scale, np.array(weight.scale)))
        number, outputs = (operator.inputs[2] if len(operator.inputs) > 2 else -1), len(weight.q)
        if number < 0:
            name = f"{self.file.tensors[operator.outputs[0]].name} without bias"
            return Parameter(name, np.zeros(outputs, np.int64), "s32", scale, frozen=True)
        tensor = self.file.tensors[number]
        q = self.values(tensor, "INT32").astype(np.int64)
        if q.shape != (outputs,):
            raise UnreadableError(f"its bias {tensor.name} has shape {q.shape}, it has {outputs} outputs")
        if np.abs(q).max() > Q_MAX["s32"]:
            raise UnreadableError(f"its bias {tensor.name} exceeds 32 bits")
        known = self.parameters.setdefault(
            number, Parameter(tensor.name, q, "s32", scale, number in self.shared)
        )
        if known.scale != scale:
            raise UnreadableError(f"its bias {tensor.name} is also another layer's, in another scale")
        if number in self.shared and (note := stays(tensor)) not in self.notes:
            self.notes.append(note)
        return known

    def values(self, tensor: Tensor, type: str) -> np.ndarray:
        if tensor.type != type:
            raise UnreadableError(f"{tensor.name} is {tensor.type}, not {type}")
        values = self.file.constant(tensor)
        if values is None:
            raise UnreadableError(f"{tensor.name} is no constant, or its bytes do not fill its shape")
        return values
