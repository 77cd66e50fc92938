"""ONNX files: read with every check a stranger's file needs, written so that nothing is ever half there."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.files import write_atomically
from stepforward.frontend.graph import constant, copy_model, describe, is_quantized
from stepforward.frontend.metadata import BITS

MIN_OPSET = 13
MIN_OPSET_QUANTIZED = 21
_QUANTIZED_OPERATORS = {
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"),
    *("ConvInteger", "MatMulInteger", "QGemm", "QLinearAdd", "QLinearGlobalAveragePool"),
}


def load_onnx(path: str | Path) -> ir.Model:
    """Read an ONNX file: a float network, or a quantized one that `quantize` wrote.

    The model has one float32 input (batch first, everything else fixed) and one output.

    Raises:
        StepforwardError: the file is missing, damaged or not ONNX; its opset is older than 13; it has several
            inputs or outputs, a dynamic axis other than the batch, NaN or Inf in a weight, or integer
            operators that stepforward did not write.
    """
    path = Path(path)
    try:
        proto = onnx.load(str(path))
    except FileNotFoundError as error:
        raise StepforwardError(f"cannot find {error.filename or path}", "check the path") from error
    except OSError as error:
        raise StepforwardError(f"cannot read {path}: {error.strerror or error}", "check the file") from error
    except Exception as error:  # protobuf and the external-data reader raise many kinds
        raise _damaged(path, error) from error
    _check_opset(path, proto)
    try:
        onnx.checker.check_model(proto, full_check=False)
        # Writing it once more finds what parsing lets pass: names that are not UTF-8, unreadable tensors.
        model = copy_model(ir.from_proto(proto))
        for value in model.graph.initializers.values():
            value.const_value.numpy()
    except Exception as error:
        raise _damaged(path, error) from error
    check_interface(model, str(path))
    return model


def save_onnx(model: ir.Model, path: str | Path) -> None:
    """Write a model to a file, all of it or nothing.

    Raises:
        StepforwardError: the place cannot be written.
    """
    write_atomically(path, ir.to_proto(model).SerializeToString())


def check_interface(model: ir.Model, source: str) -> None:
    """Refuse what no later step could handle: several inputs, dynamic axes, NaN weights, foreign integers.

    Args:
        source: how messages name the model, e.g. its path.

    Raises:
        StepforwardError: naming the tensor or node.
    """
    graph = model.graph
    _check_values(graph, source)
    inputs = [value for value in graph.inputs if value.name not in graph.initializers]
    for kind, values in (("inputs", inputs), ("outputs", graph.outputs)):
        if len(values) != 1:
            names = ", ".join(repr(value.name) for value in values) or "none"
            raise StepforwardError(
                f"{source} has {len(values)} {kind} ({names}); stepforward adapts networks with one",
                f"export the model with one of its {kind}",
            )
    _check_input(inputs[0], source)
    foreign = next((node for node in graph if node.op_type in _QUANTIZED_OPERATORS), None)
    if foreign is not None and not is_quantized(model):
        raise StepforwardError(
            f"{source} is already quantized by another tool ({describe(foreign)})",
            "give the float model it was made from; `stepforward quantize` writes the integer model",
        )


def _check_opset(path, proto):
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    if not proto.HasField("graph") or not versions:
        raise _damaged(path, "it holds no graph, or no opset")
    needed = MIN_OPSET_QUANTIZED if any(entry.key == BITS for entry in proto.metadata_props) else MIN_OPSET
    if min(versions) < needed:
        raise StepforwardError(
            f"{path} uses opset {min(versions)}; stepforward reads opset {needed} and newer",
            "export it again with opset_version=21, or convert it: onnx.save(onnx.version_converter."
            f"convert_version(onnx.load({str(path)!r}), 21), 'converted.onnx')",
        )


def _check_input(value, source):
    if value.dtype not in (ir.DataType.FLOAT, None):
        raise StepforwardError(
            f"input {value.name!r} of {source} is {value.dtype.name}, not FLOAT",
            "export the float32 model; preprocessing that turns bytes into floats belongs to the data",
        )
    shape = value.shape
    if shape is None or not 2 <= len(shape) <= 4:
        raise StepforwardError(
            f"input {value.name!r} of {source} has shape {shape}; expected (N, C, H, W), or (N, features)",
            "export the model with a batch axis and fixed sizes",
        )
    for axis, dim in enumerate(shape):
        if axis > 0 and not isinstance(dim, int):
            raise StepforwardError(
                f"axis {axis} of input {value.name!r} of {source} is dynamic ({dim}); only the batch may be",
                "export the model with fixed channels, height and width",
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
    return StepforwardError(
        f"{path} is not a readable ONNX model: {first[0] if first else type(error).__name__}",
        "it may be truncated or another kind of file: export or copy it again",
    )
