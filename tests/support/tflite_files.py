"""TensorFlow Lite files made up tensor by tensor, with the schema package."""

import flatbuffers
import numpy as np
import tflite

from stepforward.sources.tflite.file import _OPTIONS

_TYPES = {
    "int8": "INT8",
    "uint8": "UINT8",
    "int16": "INT16",
    "int32": "INT32",
    "float32": "FLOAT32",
    "float16": "FLOAT16",
}
_KINDS = {code: kind for code, (kind, _) in _OPTIONS.items()} | {"MEAN": "ReducerOptions"}
_CODES = {"CUSTOM_THING": tflite.BuiltinOperator.CUSTOM}


class Draft:
    """Tensors and operators of a file to be; numbers of tensors are what its methods give and take."""

    def __init__(self):
        self.tensors, self.operators, self.buffers = [], [], [b""]

    def activation(self, name, shape, scale=None, zero_point=0, dtype="int8", variable=False):
        """A tensor that is computed; `scale` None for one without quantization."""
        self.tensors.append((name, shape, dtype, np.atleast_1d(scale), [zero_point], 0, 0, variable))
        return len(self.tensors) - 1

    def constant(self, name, values, scale=None, zero_point=0, axis=0, buffer=None):
        """A constant; `buffer` of another one shares its bytes."""
        values = np.asarray(values)
        if buffer is None:
            self.buffers.append(np.ascontiguousarray(values).tobytes())
            buffer = len(self.buffers) - 1
        scale = np.atleast_1d(scale)
        zero_points = [zero_point] * len(scale)
        self.tensors.append((name, values.shape, str(values.dtype), scale, zero_points, axis, buffer, False))
        return len(self.tensors) - 1

    def operator(self, code, inputs, outputs, **options):
        """An operator, with options by their names in the schema."""
        self.operators.append((code, inputs, outputs, options))

    def content(self, inputs, outputs, graphs=1):
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
        number = _CODES.get(code, getattr(tflite.BuiltinOperator, code, None))
        custom = b.CreateString(code) if code in _CODES else None
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(b, number)
        tflite.OperatorCodeAddVersion(b, 1 if code in ("RESHAPE", "HARD_SWISH") else 2)
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


def small(rng=None, classes=3, channels=2, scale=0.05, zero_point=-128):
    """A file with a convolution, a depthwise one, an addition, a mean, a fully connected layer and a softmax, over
    images (8, 8, channels)."""
    rng = np.random.default_rng(0) if rng is None else rng
    draft = Draft()
    x = draft.activation("image", (1, 8, 8, channels), scale, zero_point)

    def weight(name, shape, axis):
        return draft.constant(
            name,
            rng.integers(-127, 128, shape).astype(np.int8),
            rng.uniform(0.01, 0.02, shape[axis]),
            axis=axis,
        )

    def bias(name, count):
        return draft.constant(name, rng.integers(-900, 900, count).astype(np.int32), np.full(count, 1e-3))

    window = {"StrideW": 1, "StrideH": 1, "DilationWFactor": 1, "DilationHFactor": 1, "Padding": 0}
    y = draft.activation("conv", (1, 4, 4, 6), 0.3, -128)
    inputs = [x, weight("conv/w", (6, 3, 3, channels), 0), bias("conv/b", 6)]
    draft.operator(
        "CONV_2D", inputs, [y], **{**window, "StrideW": 2, "StrideH": 2}, FusedActivationFunction=1
    )
    z = draft.activation("depthwise", (1, 4, 4, 6), 0.4, 3)
    draft.operator(
        "DEPTHWISE_CONV_2D",
        [y, weight("dw/w", (1, 3, 3, 6), 3), bias("dw/b", 6)],
        [z],
        **window,
        DepthMultiplier=1,
    )
    a = draft.activation("sum", (1, 4, 4, 6), 0.5, -5)
    draft.operator("ADD", [y, z], [a], FusedActivationFunction=0)
    m = draft.activation("mean", (1, 6), 0.2, 0)
    draft.operator("MEAN", [a, draft.constant("axes", np.array([1, 2], np.int32))], [m])
    logits = draft.activation("logits", (1, classes), 0.1, 4)
    w = draft.constant("dense/w", rng.integers(-127, 128, (classes, 6)).astype(np.int8), 0.02)
    b = draft.constant("dense/b", rng.integers(-900, 900, classes).astype(np.int32), 0.2 * 0.02)
    draft.operator("FULLY_CONNECTED", [m, w, b], [logits], FusedActivationFunction=0)
    end = draft.activation("softmax", (1, classes), 1 / 256, -128)
    draft.operator("SOFTMAX", [logits], [end], Beta=1.0)
    return draft, x, end


def constants(rng=None):
    """A file whose operators are functions of one value, products with constants, slices and a transpose, over images
    (6, 5, 4): three logits."""
    rng = np.random.default_rng(0) if rng is None else rng
    draft = Draft()
    x = draft.activation("image", (1, 6, 5, 4), 0.05, -3)
    steps = iter(range(100))

    def after(code, inputs, shape, scale=0.05, zero_point=-3, **options):
        y = draft.activation(f"y{next(steps)}", shape, scale, zero_point)
        draft.operator(code, inputs, [y], **options)
        return y

    def numbers(*values):
        return draft.constant(f"c{next(steps)}", np.array(values, np.int32))

    four = draft.constant("factors", rng.integers(-128, 128, 4).astype(np.int8), 0.01, 7)
    y = after("HARD_SWISH", [x], (1, 6, 5, 4))
    y = after("MUL", [y, four], (1, 6, 5, 4), FusedActivationFunction=1)
    y = after(
        "SUB", [draft.constant("one", np.int8([100]), 0.01), y], (1, 6, 5, 4), FusedActivationFunction=0
    )
    y = after("LEAKY_RELU", [y], (1, 6, 5, 4), Alpha=0.25)
    y = after("TRANSPOSE", [y, numbers(0, 2, 1, 3)], (1, 5, 6, 4))
    y = after("SLICE", [y, numbers(0, 1, 0, 1), numbers(1, 3, -1, 2)], (1, 3, 6, 2))
    y = after(
        "STRIDED_SLICE", [y, numbers(0, 0, 1, 0), numbers(1, 1, 6, 2), numbers(1, 1, 2, 1)], (1, 3, 2),
        ShrinkAxisMask=2,
    )  # fmt: skip
    y = after("RESHAPE", [y, numbers(1, 6)], (1, 6))
    y = after("TANH", [y], (1, 6), 1 / 128, 0)
    w = draft.constant("w", rng.integers(-127, 128, (3, 6)).astype(np.int8), 0.02)
    b = draft.constant("b", rng.integers(-900, 900, 3).astype(np.int32), 0.02 / 128)
    logits = draft.activation("logits", (1, 3), 0.1, 4)
    draft.operator("FULLY_CONNECTED", [y, w, b], [logits], FusedActivationFunction=0)
    return draft, x, logits
