"""An ONNX file that another tool has quantized: its own bytes, and what they say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.files import read_file
from stepforward.graph.metadata import BITS
from stepforward.sources.onnx.file import QUANTIZED_OPERATORS

_MARKS = [name.encode() for name in QUANTIZED_OPERATORS]
_CONTROL = ("If", "Loop", "Scan", "SequenceMap")
_LARGEST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class OrtFile:
    """A file in memory.

    Attributes:
        content: its bytes.
        proto: what they say; never changed.
    """

    content: bytes
    proto: onnx.ModelProto

    def tensor(self, name: str) -> onnx.TensorProto | None:
        """The constant of a name: an initializer, or what a Constant node holds."""
        return constant_of(self.proto, name)


def constant_of(proto: onnx.ModelProto, name: str) -> onnx.TensorProto | None:
    """The constant of a name in a model."""
    for tensor in proto.graph.initializer:
        if tensor.name == name:
            return tensor
    for node in proto.graph.node:
        if node.op_type == "Constant" and name in node.output:
            return next((a.t for a in node.attribute if a.name == "value"), None)
    return None


def quantized_elsewhere(model: Any) -> OrtFile | None:
    """The file or `onnx_ir.Model`, if it holds integers that `quantize` did not write; else None.

    Raises:
        StepforwardError: it does, and what it holds lies outside of it, or is 2 GB and more.
    """
    if isinstance(model, ir.Model):
        if BITS in model.metadata_props or not any(
            node.op_type in QUANTIZED_OPERATORS for node in model.graph
        ):
            return None
        proto = ir.to_proto(model)
        return OrtFile(proto.SerializeToString(), proto)
    if not isinstance(model, (str, Path)):
        return None
    try:
        path = Path(model)
        if not path.is_file():  # a pipe could be read for ever
            return None
        size = path.stat().st_size
    except (OSError, ValueError):
        return None
    if size > _LARGEST:
        raise StepforwardError(f"{path} has {size:,} bytes, and ONNX ends at 2 GB", "give a smaller model")
    return parse(read_file(path), str(path))


def parse(content: bytes, name: str) -> OrtFile | None:
    """The same of the bytes of a file; `name` is for messages.

    Raises:
        StepforwardError: its constants lie outside of it.
    """
    if not any(mark in content for mark in _MARKS):
        return None
    try:
        proto = onnx.ModelProto.FromString(content)
    except Exception:  # protobuf's own; the reader of float models says what is wrong
        return None
    if any(entry.key == BITS for entry in proto.metadata_props):
        return None
    if not any(node.op_type in QUANTIZED_OPERATORS for node in proto.graph.node):
        return None
    _check(proto, name)
    return OrtFile(content, proto)


def _check(proto: onnx.ModelProto, name: str) -> None:
    outside = [t.name for t in proto.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise StepforwardError(
            f"{name} keeps {outside[0]!r} and {len(outside) - 1} other tensors in a file of their own",
            "write one file: onnx.save_model(onnx.load(FILE), NEW, save_as_external_data=False)",
        )
    control = [node for node in proto.graph.node if node.op_type in _CONTROL]
    if control:
        raise StepforwardError(
            f"{name} has control flow: {control[0].op_type} node {control[0].name or control[0].output[0]!r}",
            "export the model without it: one list of operators",
        )
