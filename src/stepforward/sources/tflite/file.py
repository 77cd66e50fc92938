"""A TensorFlow Lite file as plain records, with the place of every constant in it. Knows the format, no operator.

Files come from strangers: every count is held to the size of the file, and what the schema's reader trips over is
said in one line.
"""

import struct
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stepforward.errors import StepforwardError
from stepforward.files import read_file

IDENTIFIER = b"TFL3"
"""At byte 4 of every such file."""

_MOST = 1 << 16
_MOST_VALUES = 1 << 24
_DTYPES = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
}

OPTIONS = {
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": (
        "Pool2DOptions",
        ("Padding", "StrideW", "StrideH", "FilterWidth", "FilterHeight", "FusedActivationFunction"),
    ),
    "BATCH_MATMUL": ("BatchMatMulOptions", ("AdjX", "AdjY")),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "CONV_2D": (
        "Conv2DOptions",
        ("Padding", "StrideW", "StrideH", "DilationWFactor", "DilationHFactor", "FusedActivationFunction"),
    ),
    "DEPTHWISE_CONV_2D": (
        "DepthwiseConv2DOptions",
        ("Padding", "StrideW", "StrideH", "DilationWFactor", "DilationHFactor", "FusedActivationFunction"),
    ),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", ("BlockSize",)),
    "DIV": ("DivOptions", ("FusedActivationFunction",)),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("FusedActivationFunction", "WeightsFormat")),
    "GATHER": ("GatherOptions", ("Axis", "BatchDims")),
    "GELU": ("GeluOptions", ("Approximate",)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "MIRROR_PAD": ("MirrorPadOptions", ("Mode",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "PACK": ("PackOptions", ("Axis",)),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", ("AlignCorners", "HalfPixelCenters")),
    "RESIZE_NEAREST_NEIGHBOR": ("ResizeNearestNeighborOptions", ("AlignCorners", "HalfPixelCenters")),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "SPACE_TO_DEPTH": ("SpaceToDepthOptions", ("BlockSize",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"),
    ),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "TRANSPOSE_CONV": ("TransposeConvOptions", ("Padding", "StrideW", "StrideH", "FusedActivationFunction")),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        "UnidirectionalSequenceLSTMOptions",
        ("FusedActivationFunction", "CellClip", "ProjClip", "TimeMajor"),
    ),
    "UNIDIRECTIONAL_SEQUENCE_RNN": ("SequenceRNNOptions", ("TimeMajor", "FusedActivationFunction")),
    "UNPACK": ("UnpackOptions", ("Axis",)),
}  # fmt: skip
OPTIONS["MAX_POOL_2D"] = OPTIONS["AVERAGE_POOL_2D"]


CONTROL_FLOW = ("IF", "WHILE", "CALL", "CALL_ONCE")
_OF_STATE = ("ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE")


class Place(NamedTuple):
    """Where the bytes of a buffer lie in the file."""

    first: int
    size: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor.

    Attributes:
        name: as in the file, made different from others of the same name.
        shape: with the batch.
        type: such as "INT8".
        scale, zero_point: empty without quantization.
        axis: that the scales count, where there are several.
        buffer: number of its buffer.
        place: of its bytes; None where it is computed.
        variable: whether it is state that the file keeps between calls.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int
    buffer: int
    place: Place | None
    variable: bool


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator.

    Attributes:
        number: its place in the file.
        code: such as "CONV_2D"; of a custom operator its own name, after "custom ".
        inputs, outputs: numbers of tensors; -1 for an input that is left out.
        options: by their names in the schema, of the operators that can be read.
    """

    number: int
    code: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]


@dataclass(frozen=True, eq=False)
class TfliteFile:
    """A file in memory: its bytes, and what they say.

    Attributes:
        content: all bytes.
        tensors, operators: of the one graph there is, operators in order of execution.
        inputs, outputs: numbers of tensors.
    """

    content: bytes
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def constant(self, tensor: Tensor) -> NDArray[Any] | None:
        """The values of a constant, in its shape; None where it is computed, or its bytes do not fill its shape."""
        dtype = _DTYPES.get(tensor.type)
        if tensor.place is None or dtype is None:
            return None
        first, size = tensor.place
        values = np.frombuffer(self.content, np.uint8, size, first)
        if size != np.dtype(dtype).itemsize * int(np.prod(tensor.shape, dtype=np.int64)):
            return None
        return np.frombuffer(values.tobytes(), dtype).reshape(tensor.shape)


def schema() -> ModuleType:
    """The package that knows the format.

    Raises:
        StepforwardError: it is not installed.
    """
    try:
        import tflite
    except ImportError as error:
        raise StepforwardError(
            "TensorFlow Lite files need the package tflite", "pip install 'stepforward[tflite]'"
        ) from error
    return tflite


def load_tflite(path: str | Path) -> TfliteFile:
    """Read a file.

    Raises:
        StepforwardError: it is missing, damaged, larger than such files can be, or has several graphs.
    """
    return parse(read_file(Path(path)), str(path))


def parse(content: bytes, name: str) -> TfliteFile:
    """What the bytes of a file say; `name` is for messages.

    Raises:
        StepforwardError: they are damaged, or not of such a file.
    """
    tflite = schema()
    if content[4:8] != IDENTIFIER:
        raise damaged(name, "it does not begin as one")
    try:
        return _parse(tflite, content, name)
    except (
        struct.error,
        ValueError,
        IndexError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise damaged(name, "it ends in the middle of its own lists") from error


def damaged(name: str, why: str) -> StepforwardError:
    """The error for a file that contradicts itself."""
    return StepforwardError(
        f"{name} is not a readable TensorFlow Lite model: {why}",
        "it may be truncated or changed by hand: convert or copy it again",
    )


def _parse(tflite: ModuleType, content: bytes, name: str) -> TfliteFile:
    model = tflite.Model.GetRootAs(content, 0)
    graphs = model.SubgraphsLength()
    _check(graphs > 0)
    codes = _names(tflite.BuiltinOperator)
    custom = [_code(code, codes) for code in _each(model.OperatorCodesLength, model.OperatorCodes)]
    if graphs > 1:
        raise _several(name, graphs, custom)
    graph = model.Subgraphs(0)
    types = _names(tflite.TensorType)
    places = [_place(buffer, content, name) for buffer in _each(model.BuffersLength, model.Buffers)]
    tensors, seen = [], set[str]()
    for number, tensor in enumerate(_each(graph.TensorsLength, graph.Tensors)):
        found = _tensor(tensor, number, types, places)
        if found.name in seen:
            found = _renamed(found, number)
        seen.add(found.name)
        tensors.append(found)
    operators = [
        _operator(tflite, operator, number, custom)
        for number, operator in enumerate(_each(graph.OperatorsLength, graph.Operators))
    ]
    inputs, outputs = _numbers(graph, "Inputs"), _numbers(graph, "Outputs")
    last = len(tensors)
    for read, written in ((o.inputs, o.outputs) for o in operators):
        _check(all(-1 <= i < last for i in read) and all(0 <= i < last for i in written))
    _check(all(0 <= i < last for i in (*inputs, *outputs)))
    return TfliteFile(content, tuple(tensors), tuple(operators), inputs, outputs)


def _several(name: str, graphs: int, codes: Sequence[str]) -> StepforwardError:
    """What a file has several graphs for."""
    if state := [code for code in codes if code in _OF_STATE]:
        return StepforwardError(
            f"{name} keeps a state between calls, as streaming models do ({', '.join(sorted(set(state)))})",
            "give the model that sees a whole sample at once, from before it was made to stream",
        )
    flow = [code for code in codes if code in CONTROL_FLOW]
    what = f"control flow: {', '.join(sorted(set(flow)))}" if flow else "several signatures"
    return StepforwardError(
        f"{name} has {graphs} graphs ({what})", "convert a single function without If and While: one graph"
    )


def _check(fits: bool) -> None:
    if not fits:
        raise ValueError("a number is out of range")


def _names(enum: type) -> dict[int, str]:
    return {value: key for key, value in vars(enum).items() if isinstance(value, int)}


def _each(length: Callable[[], int], item: Callable[[int], Any]) -> Iterator[Any]:
    count = length()
    _check(0 <= count <= _MOST)
    return (item(index) for index in range(count))


def _numbers(record: Any, field: str) -> tuple[int, ...]:
    count = getattr(record, f"{field}Length")()
    _check(0 <= count <= _MOST)
    values = getattr(record, f"{field}AsNumpy")() if count else ()
    return tuple(int(value) for value in values)


def _place(buffer: Any, content: bytes, name: str) -> Place | None:
    if buffer.Offset() > 1:
        raise StepforwardError(
            f"{name} keeps weights outside its own lists, as files of 2 GB and more do",
            "convert a smaller model",
        )
    if buffer.DataIsNone() or not buffer.DataLength():
        return None
    table = buffer._tab
    place = Place(table.Vector(table.Offset(4)), buffer.DataLength())
    _check(place.first > 0 and place.first + place.size <= len(content))
    return place


def _tensor(tensor: Any, number: int, types: dict[int, str], places: list[Place | None]) -> Tensor:
    format = tensor.Quantization()
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    axis = 0
    if format is not None:
        _check(format.ScaleLength() <= _MOST and format.ZeroPointLength() <= _MOST)
        scale = tuple(float(v) for v in (format.ScaleAsNumpy() if format.ScaleLength() else ()))
        zero_point = tuple(int(v) for v in (format.ZeroPointAsNumpy() if format.ZeroPointLength() else ()))
        axis = int(format.QuantizedDimension())
    shape = _numbers(tensor, "Shape")
    _check(all(size >= 0 for size in shape) and len(shape) <= 8)
    _check(int(np.prod(shape, dtype=object)) <= _MOST_VALUES * 16)
    buffer = int(tensor.Buffer())
    _check(buffer < len(places))
    return Tensor(
        (tensor.Name() or b"").decode(errors="replace") or f"tensor {number}",
        shape,
        types.get(tensor.Type(), f"type {tensor.Type()}"),
        scale,
        zero_point,
        axis,
        buffer,
        places[buffer] if buffer else None,
        bool(tensor.IsVariable()),
    )


def _renamed(tensor: Tensor, number: int) -> Tensor:
    return Tensor(**{**vars(tensor), "name": f"{tensor.name} ({number})"})


def _code(code: Any, codes: dict[int, str]) -> str:
    builtin = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
    name = codes.get(builtin, f"operator {builtin}")
    if name != "CUSTOM":
        return name
    return f"custom {(code.CustomCode() or b'?').decode(errors='replace')}"


def _operator(tflite: ModuleType, operator: Any, number: int, codes: list[str]) -> Operator:
    code = codes[operator.OpcodeIndex()]
    options: dict[str, Any] = {}
    if code in OPTIONS:
        kind, fields = OPTIONS[code]
        table, record = operator.BuiltinOptions(), getattr(tflite, kind)()
        if table is not None:
            _check(operator.BuiltinOptionsType() == getattr(tflite.BuiltinOptions, kind))
            record.Init(table.Bytes, table.Pos)
            options = {field: getattr(record, field)() for field in fields}
    return Operator(number, code, _numbers(operator, "Inputs"), _numbers(operator, "Outputs"), options)


def describe(file: TfliteFile, operator: Operator) -> str:
    """How messages name an operator: by kind, place and output, of whose joined names the first counts."""
    output = file.tensors[operator.outputs[0]].name.split(";")[0] if operator.outputs else "no output"
    return f"{operator.code} {operator.number} ({output})"


def leading_to(file: TfliteFile, last: Set[int], through: Callable[[int], bool]) -> list[Operator]:
    """The operators that tensors depend on, in their order, by way of the inputs that `through` lets pass."""
    wanted, found = set(last), list[Operator]()
    for operator in reversed(file.operators):
        if not wanted.isdisjoint(operator.outputs):
            found.append(operator)
            wanted.update(number for number in operator.inputs if through(number))
    return found[::-1]
