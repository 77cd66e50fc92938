"""A TensorFlow Lite file as a network: its integers, scales and zero points as they are."""

import math
from typing import Any, NamedTuple

import numpy as np

from stepforward.errors import StepforwardError
from stepforward.network.network import Q_MAX, Format, Network, Node, Parameter
from stepforward.quantization.parameters import bias_scale
from stepforward.sources.tflite.ends import Body, body
from stepforward.sources.tflite.file import Operator, Tensor, TfliteFile

_SAME, _VALID = 0, 1
_RELU, _RELU_N1_TO_1, _RELU6 = 1, 2, 3
_CLIPS = {
    0: (None, None),
    _RELU: (0.0, None),
    _RELU_N1_TO_1: (-1.0, 1.0),
    _RELU6: (0.0, 6.0),
}
_WEIGHT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
_REMEDY = (
    "supported: int8 models of CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD, MUL, AVERAGE_POOL_2D, MAX_POOL_2D, "
    "MEAN over height and width, PAD, RESHAPE, SQUEEZE, EXPAND_DIMS, CONCATENATION of equal formats, and SOFTMAX, "
    "QUANTIZE or DEQUANTIZE at the ends; convert the rest into these, or export ONNX"
)


class UnreadableError(Exception):
    """Why an operator cannot be read; all of them are said together."""


class Reading(NamedTuple):
    """What a file is to the rest of the package.

    Attributes:
        network: without the words of a source.
        notes: what a user should know of it.
    """

    network: Network
    notes: tuple[str, ...]


def read_network(file: TfliteFile, name: str, runtime: str) -> Reading:
    """The network in a file.

    Args:
        file: what was read.
        name: of the file, for messages.
        runtime: whose integers its program is to compute.

    Raises:
        StepforwardError: it holds what cannot be computed as the runtime does, every operator by name.
    """
    found = body(file, name)
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
    return Reading(network, tuple(reader.notes))


def describe(file: TfliteFile, operator: Operator) -> str:
    """How messages name an operator: by kind, place and output."""
    output = file.tensors[operator.outputs[0]].name if operator.outputs else "no output"
    return f"{operator.code} {operator.number} ({output})"


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
        self.shared = _shared(file, found)
        try:
            self.format(found.input)
        except UnreadableError as problem:
            self.problems.append(f"input {file.tensors[found.input].name}: {problem}")

    def take(self, operator: Operator) -> None:
        take = {
            "CONV_2D": self.conv,
            "DEPTHWISE_CONV_2D": self.conv,
            "FULLY_CONNECTED": self.fully_connected,
            "ADD": self.join,
            "MUL": self.join,
            "AVERAGE_POOL_2D": self.pool,
            "MAX_POOL_2D": self.pool,
            "MEAN": self.mean,
            "PAD": self.pad,
            "PADV2": self.pad,
            "RESHAPE": self.reshape,
            "SQUEEZE": self.reshape,
            "EXPAND_DIMS": self.reshape,
            "CONCATENATION": self.concat,
            "QUANTIZE": self.requantize,
        }.get(operator.code)
        self.written.update(operator.outputs)
        if take is None:
            raise UnreadableError(_why_not(operator.code))
        if len(operator.outputs) != 1:
            raise UnreadableError(f"it has {len(operator.outputs)} outputs")
        take(operator)

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
            self.formats[tensor.name] = _format(tensor)
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
        for size, window, step in zip(x.shape[1:], spread, stride, strict=True):
            if options["Padding"] == _SAME:
                positions = -(-size // step)
                more = max((positions - 1) * step + window - size, 0)
            elif options["Padding"] == _VALID:
                positions, more = (size - window) // step + 1, 0
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
        _images(x, y)
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
        clip = _clip(operator)
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
        self.add(operator, "Gemm", (name,), {}, weight=weight, bias=bias, clip=_clip(operator))

    def join(self, operator: Operator) -> None:
        names, y = (self.input(operator, 0), self.input(operator, 1)), self.output(operator)
        for shape in (self.formats[name].shape for name in names):
            if len(shape) != len(y.shape) or any(
                s not in (1, w) for s, w in zip(shape, y.shape, strict=True)
            ):
                raise UnreadableError(f"{shape} cannot be repeated to {y.shape} over sizes of 1")
        op_type = {"ADD": "Add", "MUL": "Mul"}[operator.code]
        self.add(operator, op_type, names, {}, clip=_clip(operator))

    def pool(self, operator: Operator) -> None:
        name, y = self.input(operator), self.output(operator)
        x = self.formats[name]
        _images(x, y)
        _same_steps(x, y)
        options = operator.options
        kernel = options["FilterHeight"], options["FilterWidth"]
        attributes = self.sizes(operator, x, y, kernel)
        if x.shape[0] != y.shape[0]:
            raise UnreadableError("its output has other channels than its input")
        if operator.code == "AVERAGE_POOL_2D":
            attributes["count_include_pad"] = 0
        op_type = {"AVERAGE_POOL_2D": "AveragePool", "MAX_POOL_2D": "MaxPool"}[operator.code]
        self.add(operator, op_type, (name,), attributes, clip=_clip(operator))

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
        _images(x, y)
        _same_steps(x, y)
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
        _same_steps(x, y)
        if math.prod(x.shape) != math.prod(y.shape):
            raise UnreadableError("it changes the number of elements")
        self.add(operator, "Reshape", (name,), {"channels_last": True})

    def concat(self, operator: Operator) -> None:
        names = tuple(self.input(operator, place) for place in range(len(operator.inputs)))
        y, parts = self.output(operator), [self.formats[name] for name in names]
        for part in parts:
            _same_steps(part, y)
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
        self.add(operator, "Concat", names, {"axis": logical}, clip=_clip(operator))

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
        return values.astype(np.int64)

    def weight(self, operator: Operator) -> Parameter:
        tensor, number = self.tensor(operator, 1), operator.inputs[1]
        if number not in self.parameters:
            axis = _WEIGHT_AXIS[operator.code]
            self.parameters[number] = _weight(
                tensor, self.values(tensor, "INT8"), axis, number in self.shared
            )
            if number in self.shared:
                self.notes.append(_stays(tensor))
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
        if number in self.shared and (note := _stays(tensor)) not in self.notes:
            self.notes.append(note)
        return known

    def values(self, tensor: Tensor, type: str) -> np.ndarray:
        if tensor.type != type:
            raise UnreadableError(f"{tensor.name} is {tensor.type}, not {type}")
        values = self.file.constant(tensor)
        if values is None:
            raise UnreadableError(f"{tensor.name} is no constant, or its bytes do not fill its shape")
        return values


def _format(tensor: Tensor) -> Format:
    if tensor.variable:
        raise UnreadableError(f"{tensor.name} is a state that is kept between calls")
    if tensor.type != "INT8":
        hybrid = tensor.type == "FLOAT32"
        what = "hybrid or not quantized: quantize it fully, activations too" if hybrid else "not INT8"
        raise UnreadableError(f"{tensor.name} is {tensor.type} ({what})")
    if len(tensor.scale) != 1 or len(tensor.zero_point) != 1:
        raise UnreadableError(f"{tensor.name} does not have one scale and one zero point")
    (scale,), (zero_point,) = tensor.scale, tensor.zero_point
    if not (math.isfinite(scale) and scale > 0) or not -128 <= zero_point <= 127:
        raise UnreadableError(f"the scale of {tensor.name} is {scale:g}, its zero point {zero_point}")
    batch, *shape = tensor.shape or (0,)
    if batch != 1 or not 1 <= len(shape) <= 4 or min(shape) < 1:
        raise UnreadableError(f"{tensor.name} has shape {tensor.shape}: give a batch of 1, and 2 to 5 axes")
    channels_first = (shape[2], shape[0], shape[1]) if len(shape) == 3 else tuple(shape)
    return Format(scale, zero_point, "s8", channels_first)


def _weight(tensor: Tensor, q: np.ndarray, axis: int, frozen: bool) -> Parameter:
    """A weight with its outputs first."""
    if q.ndim != (2 if axis == 0 and q.ndim == 2 else 4):
        raise UnreadableError(f"its weight {tensor.name} has shape {q.shape}")
    if axis == 3 and len(q) != 1:
        raise UnreadableError(f"its weight {tensor.name} has shape {q.shape}, not one row")
    outputs = q.shape[axis]
    if any(tensor.zero_point):
        raise UnreadableError(
            f"its weight {tensor.name} is asymmetric: a zero point other than 0 (convert to symmetric int8)"
        )
    scales = np.array(tensor.scale)
    if scales.size not in (1, outputs) or not (np.isfinite(scales) & (scales > 0)).all():
        raise UnreadableError(
            f"the scales of its weight {tensor.name} are not positive, or not one per output"
        )
    if scales.size > 1 and tensor.axis != axis:
        raise UnreadableError(
            f"the scales of its weight {tensor.name} count axis {tensor.axis}, not its outputs"
        )
    if q.size == 0 or q.min() < -Q_MAX["s8"]:
        raise UnreadableError(f"its weight {tensor.name} is empty, or holds -128 (convert to symmetric int8)")
    if q.ndim == 4:
        q = q.transpose(0, 3, 1, 2) if axis == 0 else q[0].transpose(2, 0, 1)[:, None]
    return Parameter(tensor.name, q.astype(np.int64), "s8", tensor.scale, frozen)


def _images(x: Format, y: Format) -> None:
    if len(x.shape) != 3 or len(y.shape) != 3:
        raise UnreadableError(
            f"it reads {x.shape} and writes {y.shape}: height, width and channels are needed"
        )


def _same_steps(x: Format, y: Format) -> None:
    if (x.scale, x.zero_point) != (y.scale, y.zero_point):
        raise UnreadableError("its input and output differ in scale or zero point: equal formats are needed")


def _clip(operator: Operator) -> tuple[float | None, float | None]:
    activation = operator.options.get("FusedActivationFunction", 0)
    if activation not in _CLIPS:
        raise UnreadableError(f"its fused activation {activation} is none of RELU, RELU6 and RELU_N1_TO_1")
    return _CLIPS[activation]


def _why_not(code: str) -> str:
    if code.startswith("custom "):
        return "a custom operator, which only its own runtime knows"
    if code in ("IF", "WHILE", "CALL", "CALL_ONCE"):
        return "control flow"
    return "not supported"


def _shared(file: TfliteFile, found: Body) -> set[int]:
    """Constants that share their bytes with another that some operator reads."""
    readers: dict[int, set[int]] = {}
    for operator in found.operators:
        for number in operator.inputs:
            if number >= 0 and file.tensors[number].place is not None:
                readers.setdefault(file.tensors[number].buffer, set()).add(number)
    return {number for numbers in readers.values() if len(numbers) > 1 for number in numbers}


def _stays(tensor: Tensor) -> str:
    return f"{tensor.name} shares its bytes in the file with another tensor, and stays as it is"
