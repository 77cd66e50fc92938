"""ONNX files: read with every check a stranger's file needs, written so that nothing is ever half there."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError, fits_together
from stepforward.files import check_regular, write_atomically
from stepforward.graph.nodes import constant, describe, is_quantized, sample_inputs
from stepforward.sources.onnx.fixed_inputs import FixedInputs, fix_inputs, listed
from stepforward.sources.onnx.input_shape import give_input_shape
from stepforward.sources.onnx.lenient import make_strict
from stepforward.sources.onnx.opset import modernize, opset_of
from stepforward.sources.onnx.tokens import check_ids
from stepforward.sources.other_files import refuse_other_files, unreadable

QUANTIZED_OPERATORS = frozenset(
    {
        *(
            "QuantizeLinear",
            "DequantizeLinear",
            "DynamicQuantizeLinear",
            "QLinearConv",
            "QLinearMatMul",
            "QGemm",
        ),
        *("QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool", "QLinearGlobalAveragePool"),
        *("QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax", "QLinearReduceMean", "QLinearWhere"),
        *("ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"),
        *("DynamicQuantizeLSTM", "MatMulNBits", "QAttention", "QEmbedLayerNormalization"),
    }
)
"""What float networks do not have."""


def load_onnx(
    path: str | Path, input_shape: tuple[int, ...] | None = None, fixed: FixedInputs | None = None
) -> ir.Model:
    """Read an ONNX file: a float network, or a quantized one that `quantize` wrote.

    The model has one float input (batch first, everything else fixed). Opsets 7 to 12 are converted
    to 13.

    Args:
        input_shape: of one sample, (C, H, W) or (features,), for a model that leaves sizes open and notes no
            preprocessing that gives them.
        fixed: numbers of inputs that are no samples.

    Raises:
        StepforwardError: the file is missing, damaged or not ONNX; its opset is older than 7 or cannot be converted;
            it has several inputs, a dynamic axis that nothing fills, NaN or Inf in a weight, or integer
            operators that stepforward did not write.
    """
    path = Path(path)
    refuse_other_files(path)
    check_regular(path)
    try:
        proto = onnx.load(str(path))
    except FileNotFoundError as error:
        raise StepforwardError(f"cannot find {error.filename or path}", "check the path") from error
    except OSError as error:
        raise StepforwardError(f"cannot read {path}: {error.strerror or error}", "check the file") from error
    except Exception as error:  # protobuf and the external-data reader raise many kinds
        raise _damaged(path, error) from error
    if proto.HasField("graph") and proto.opset_import and opset_of(proto) is None:
        raise StepforwardError(
            f"{path} holds operators of {', '.join(entry.domain for entry in proto.opset_import)} alone",
            "give a neural network; trees and other classical models have no weights to adapt",
        )
    if not proto.HasField("graph") or opset_of(proto) is None:
        raise _damaged(path, "it holds no graph, or no opset")
    try:
        make_strict(proto)
        onnx.checker.check_model(proto, full_check=False)
        # Writing it once more finds what parsing lets pass: names that are not UTF-8, unreadable tensors.
        proto = ir.to_proto(ir.from_proto(proto))
        for tensor in proto.graph.initializer:
            onnx.numpy_helper.to_array(tensor)
    except Exception as error:
        raise _damaged(path, error) from error
    with fits_together(str(path)):
        model = modernize(proto, str(path))
        fix_inputs(model, fixed, str(path))
        give_input_shape(model, input_shape, str(path))
        check_interface(model, str(path))
    foreign = next((node for node in model.graph if node.op_type in QUANTIZED_OPERATORS), None)
    if foreign is not None and not is_quantized(model):
        raise StepforwardError(
            f"{path} is already quantized by another tool ({describe(foreign)})",
            "give its path to adapt, evaluate, predict or inspect, which read int8 files as they are",
        )
    return model


def check_name(path: str | Path) -> None:
    """Refuse the name of a TensorFlow Lite file for an ONNX model.

    Raises:
        StepforwardError: it ends in .tflite.
    """
    if Path(path).suffix.lower() == ".tflite":
        raise StepforwardError(
            f"{path} would be an ONNX file: of a float model, whatever file it came in, ONNX is what comes back",
            "give a name that ends in .onnx",
        )


def save_onnx(model: ir.Model, path: str | Path) -> None:
    """Write a model to a file, all of it or nothing.

    Raises:
        StepforwardError: the place cannot be written, or is called as another kind of file.
    """
    check_name(path)
    write_atomically(path, ir.to_proto(model).SerializeToString())


_OTHERS = (
    "give inputs that hold one number, such as a rate or a flag, that number: --fixed-inputs NAME=NUMBER"
)
_STREAMS = f"{_OTHERS}; if the model is given a state and gives it back, export it for a whole sample at once"


def check_interface(model: ir.Model, source: str) -> None:
    """Refuse what no later step could handle: several inputs, dynamic axes, NaN weights.

    Args:
        source: how messages name the model, e.g. its path.

    Raises:
        StepforwardError: naming the tensor or node.
    """
    graph = model.graph
    _check_values(graph, source)
    inputs = sample_inputs(graph)
    if not graph.outputs:
        raise StepforwardError(f"{source} has no output", "export the model that computes the logits")
    others = [
        value for value in inputs if value.dtype not in (None, ir.DataType.FLOAT) or not _has_samples(value)
    ]
    if not inputs or (len(inputs) > 1 and (len(graph.outputs) > 1 or others)):
        raise StepforwardError(
            f"{source} has {len(inputs)} inputs: {listed(inputs)}; several have to be float32 samples, of a model "
            "with one output",
            _STREAMS if len(inputs) > 1 and len(graph.outputs) > 1 else _OTHERS,
        )
    if len(inputs) == 1:
        check_ids(graph, source)
    for value in inputs:
        _check_input(value, source)


def _has_samples(value):
    return value.shape is not None and 2 <= len(value.shape) <= 4


def _check_input(value, source):
    shape = value.shape
    if not _has_samples(value):
        raise StepforwardError(
            f"input {value.name!r} of {source} has shape {shape}; expected (N, C, H, W), or (N, features)",
            "export the model with a batch axis and fixed sizes",
        )
    for axis, dim in enumerate(shape):
        if axis > 0 and not isinstance(dim, int):
            raise StepforwardError(
                f"axis {axis} of input {value.name!r} of {source} is dynamic ({dim}); only the batch may be",
                "give the size of one sample: --input-shape C,H,W (input_shape= in Python), or export it with fixed "
                "channels, height and width",
            )
        if isinstance(dim, int) and dim < 1:
            raise StepforwardError(
                f"axis {axis} of input {value.name!r} of {source} has size {dim}",
                "export the model with positive sizes",
            )


def _check_values(graph, source):
    for name, value in graph.initializers.items():
        array = constant(value)
        if array is None:
            continue
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            kind = "NaN" if np.isnan(array).any() else "Inf"
            # -inf and +inf are how an unbounded Clip or a Pad of a max pool is written
            if array.size == 1 and kind == "Inf":
                continue
            raise StepforwardError(
                f"weight {name!r} of {source} contains {kind}",
                "the training diverged or the file is damaged: use an earlier checkpoint",
            )


def _damaged(path, error):
    first = str(error).strip().splitlines()
    return unreadable(path, first[0] if first else type(error).__name__)
