"""Older opsets: converted to one that the passes read."""

import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.metadata import BITS, add_note
from stepforward.graph.nodes import present
from stepforward.sources.onnx.shapes import check_attributes
from stepforward.sources.onnx.support import unsupported

OLDEST = 7
READ = 13
READ_QUANTIZED = 21


def opset_of(proto: onnx.ModelProto) -> int | None:
    """The version of ONNX's own operators that a file uses; None where it names none."""
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    return min(versions, default=None)


def modernize(proto: onnx.ModelProto, source: str) -> ir.Model:
    """The model in an opset that the passes read; one of opset 7 to 12 is converted to 13 and gets a note.

    Names, types and values of weights and the metadata stay as they are.

    Args:
        proto: a checked model with an opset.
        source: how messages name it.

    Raises:
        StepforwardError: the opset is older than 7, or not one that `quantize` writes; an operator that is not
            supported anyway, or that cannot be converted.
    """
    version, model = present(opset_of(proto)), ir.from_proto(proto)
    if BITS in model.metadata_props and version < READ_QUANTIZED:
        raise StepforwardError(
            f"{source} is quantized and uses opset {version}; stepforward writes and reads opset {READ_QUANTIZED} "
            "and newer",
            "quantize the float model again with stepforward",
        )
    if version >= READ:
        return model
    if version < OLDEST:
        raise StepforwardError(
            f"{source} uses opset {version}; stepforward reads opset {OLDEST} and newer",
            "export it again with opset_version=21 (or any from 13)",
        )
    found = unsupported(model)
    if found:
        return model  # its operators are refused by name; the converter may not know them
    check_attributes(model)
    try:
        converted = ir.from_proto(onnx.version_converter.convert_version(proto, READ))
    except Exception as error:  # the C++ library raises its own kinds
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise StepforwardError(
            f"{source} uses opset {version}, and onnx cannot convert it to {READ}: {lines[0] if lines else error}",
            "export it again with opset_version=21 (or any from 13)",
        ) from error
    converted.metadata_props.update(model.metadata_props)
    add_note(converted, f"the model was converted from opset {version} to {READ}")
    return converted
