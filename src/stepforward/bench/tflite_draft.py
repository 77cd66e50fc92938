"""TensorFlow Lite files made up tensor by tensor, with the schema package: what LiteRT is timed on."""

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import ArrayLike

from stepforward.sources.tflite.file import OPTIONS

_TYPES = {
    "int8": "INT8",
    "uint8": "UINT8",
    "int16": "INT16",
    "int32": "INT32",
    "float32": "FLOAT32",
    "float16": "FLOAT16",
}
_KINDS = {code: kind for code, (kind, _) in OPTIONS.items()} | {
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX"), "ReducerOptions"),
    "SPLIT": "SplitOptions",
    "SPLIT_V": "SplitVOptions",
}

_FIRST_VERSION = (
    "RESHAPE",
    "HARD_SWISH",
    "ELU",
    "NEG",
    "PRELU",
    "RELU_N1_TO_1",
    "SQUARE",
    "ADD_N",
    "POW",
    "DEPTH_TO_SPACE",
    "SPACE_TO_DEPTH",
)
"""Operators of which runtimes know no second version."""


class Draft:
    """Tensors and operators of a file to be; numbers of tensors are what its methods give and take."""

    def __init__(self) -> None:
        self.tensors: list[tuple] = []
        self.operators: list[tuple[str, Sequence[int], Sequence[int], dict[str, Any]]] = []
        self.buffers: list[bytes] = [b""]

    def activation(
        self,
        name: str,
        shape: Sequence[int],
        scale: float | None = None,
        zero_point: int = 0,
        dtype: str = "int8",
        variable: bool = False,
    ) -> int:
        """A tensor that is computed; `scale` None for one without quantization."""
        self.tensors.append(
            (name, shape, dtype, np.atleast_1d(np.asarray(scale)), [zero_point], 0, 0, variable)
        )
        return len(self.tensors) - 1

    def constant(
        self,
        name: str,
        values: ArrayLike,
        scale: ArrayLike | None = None,
        zero_point: int = 0,
        axis: int = 0,
        buffer: int | None = None,
    ) -> int:
        """A constant; `buffer` of another one shares its bytes."""
        values = np.asarray(values)
        if buffer is None:
            self.buffers.append(np.ascontiguousarray(values).tobytes())
            buffer = len(self.buffers) - 1
        scales = np.atleast_1d(np.asarray(scale))
        zero_points = [zero_point] * len(scales)
        self.tensors.append((name, values.shape, str(values.dtype), scales, zero_points, axis, buffer, False))
        return len(self.tensors) - 1

    def operator(self, code: str, inputs: Sequence[int], outputs: Sequence[int], **options: Any) -> None:
        """An operator, with options by their names in the schema."""
        self.operators.append((code, inputs, outputs, options))

    def content(self, inputs: Sequence[int], outputs: Sequence[int], graphs: int = 1) -> bytes:
        """The bytes of the file."""
        b = flatbuffers.Builder(1024)
        codes = sorted({code for code, *_ in self.operators})
        buffers = [self._buffer(b, data) for data in self.buffers]
        graph = self._graph(b, inputs, outputs, codes)
        code_records = [self._code(b, code) for code in codes]
        vectors = [_vector(b, records) for records in (code_records, [graph] * graphs, buffers)]
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3)
        tflite.ModelAddOperatorCodes(b, vectors[0])
        tflite.ModelAddSubgraphs(b, vectors[1])
        tflite.ModelAddBuffers(b, vectors[2])
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())

    def _graph(self, b, inputs, outputs, codes):
        tensors = _vector(b, [self._tensor(b, *tensor) for tensor in self.tensors])
        operators = _vector(b, [self._operator(b, codes, *operator) for operator in self.operators])
        inputs, outputs = _ints(b, inputs), _ints(b, outputs)
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, tensors)
        tflite.SubGraphAddInputs(b, inputs)
        tflite.SubGraphAddOutputs(b, outputs)
        tflite.SubGraphAddOperators(b, operators)
        return tflite.SubGraphEnd(b)

    @staticmethod
    def _buffer(b, data):
        vector = b.CreateByteVector(data) if data else None
        tflite.BufferStart(b)
        if vector is not None:
            tflite.BufferAddData(b, vector)
        return tflite.BufferEnd(b)

    @staticmethod
    def _code(b, code):
        known = getattr(tflite.BuiltinOperator, code, None)
        number = tflite.BuiltinOperator.CUSTOM if known is None else known
        custom = b.CreateString(code) if known is None else None
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(b, number)
        tflite.OperatorCodeAddVersion(b, 1 if code in _FIRST_VERSION else 2)
        if custom is not None:
            tflite.OperatorCodeAddCustomCode(b, custom)
        return tflite.OperatorCodeEnd(b)

    @staticmethod
    def _tensor(b, name, shape, dtype, scale, zero_points, axis, buffer, variable):
        quantization = None
        if scale[0] is not None:
            scales = b.CreateNumpyVector(np.asarray(scale, np.float32))
            points = b.CreateNumpyVector(np.asarray(zero_points, np.int64))
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, scales)
            tflite.QuantizationParametersAddZeroPoint(b, points)
            tflite.QuantizationParametersAddQuantizedDimension(b, axis)
            quantization = tflite.QuantizationParametersEnd(b)
        text, sizes = b.CreateString(name), _ints(b, shape)
        tflite.TensorStart(b)
        tflite.TensorAddName(b, text)
        tflite.TensorAddShape(b, sizes)
        tflite.TensorAddType(b, getattr(tflite.TensorType, _TYPES[dtype]))
        tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddIsVariable(b, variable)
        if quantization is not None:
            tflite.TensorAddQuantization(b, quantization)
        return tflite.TensorEnd(b)

    @staticmethod
    def _operator(b, codes, code, inputs, outputs, options):
        table = None
        if code in _KINDS:
            kind = _KINDS[code]
            getattr(tflite, f"{kind}Start")(b)
            for field, value in options.items():
                getattr(tflite, f"{kind}Add{field}")(b, value)
            table = getattr(tflite, f"{kind}End")(b)
        inputs, outputs = _ints(b, inputs), _ints(b, outputs)
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, codes.index(code))
        tflite.OperatorAddInputs(b, inputs)
        tflite.OperatorAddOutputs(b, outputs)
        if table is not None:
            tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, kind))
            tflite.OperatorAddBuiltinOptions(b, table)
        return tflite.OperatorEnd(b)


def _vector(b, offsets):
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _ints(b, values):
    return b.CreateNumpyVector(np.asarray(values, np.int32))
