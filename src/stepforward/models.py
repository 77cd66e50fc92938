"""Open whatever the user has as a model: an ONNX file, an onnx_ir model, or a torch module."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx_ir as ir

from stepforward.data.function import Prepare
from stepforward.errors import StepforwardError, fits_together
from stepforward.graph.metadata import BITS, get_class_names, get_preprocessing
from stepforward.graph.nodes import copy_model, is_quantized, present
from stepforward.lowering.lower import lower
from stepforward.program.model import Program
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import load_onnx
from stepforward.sources.onnx.input_shape import give_input_shape, parse_input_shape
from stepforward.sources.qdq.read import read_quantized


@dataclass(frozen=True)
class Opened:
    """A model ready to use.

    Attributes:
        graph: the canonical float graph, or the QDQ graph.
        quantized: which of the two.
        preprocessing: from raw data to the network's input; {"kind": "array"} where the file says nothing.
        class_names: in the order of the logits, or None where the file says nothing.
        source: where it came from, for messages and records.
        assumed: the command that writes into the file what had to be assumed about it (`run.complete`); "" for nothing.
        prepare: the caller's function from the path of a file to one sample, in place of `preprocessing`; never from
            the model file.
    """

    graph: ir.Model
    quantized: bool
    preprocessing: dict
    class_names: tuple[str, ...] | None
    source: str
    assumed: str = ""
    prepare: Prepare | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, (C, H, W)."""
        sizes: Sequence[Any] = present(self.graph.graph.inputs[0].shape)[1:]
        return tuple(int(size) for size in sizes)

    @property
    def outputs(self) -> int:
        """Number of logits.

        Raises:
            StepforwardError: the file does not say it.
        """
        shape = self.graph.graph.outputs[0].shape
        if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
            raise StepforwardError(
                f"the output of {self.source} has shape {shape}, not (N, classes)",
                "export or quantize the model again",
            )
        return shape[1]

    @property
    def bits(self) -> str:
        """Format such as "16w8a", or "float32"."""
        return self.graph.metadata_props.get(BITS, "custom") if self.quantized else "float32"


def open_model(model: Any, input_shape: str | Sequence[int] | None = None) -> Opened:
    """Open a path to an `.onnx` file, an `onnx_ir.Model`, or what `sources.torch.from_torch` gave.

    Args:
        model: one of these; an `Opened` is returned as it is.
        input_shape: of one sample, (C, H, W) or "C,H,W", for a model that leaves sizes open.

    Raises:
        StepforwardError: the file is missing, damaged, or holds something unsupported.
    """
    if isinstance(model, Opened):
        return model
    graph, source = load_graph(model, input_shape)
    quantized = is_quantized(graph)
    if not quantized:
        with fits_together(source):
            graph = canonicalize(graph)
    names = get_class_names(graph)
    opened = Opened(
        graph=graph,
        quantized=quantized,
        preprocessing=get_preprocessing(graph) or {"kind": "array"},
        class_names=tuple(names) if names else None,
        source=source,
    )
    if names and len(names) != opened.outputs:
        raise StepforwardError(
            f"{source} names {len(names)} classes and has {opened.outputs} outputs",
            "correct the metadata property stepforward.class_names of the model file: one name per output, in order",
        )
    return opened


def load_graph(model: Any, input_shape: str | Sequence[int] | None = None) -> tuple[ir.Model, str]:
    """The graph as the file has it, and how messages name it; arguments as of `open_model`, but no `Opened`.

    Raises:
        StepforwardError: the file is missing or damaged.
    """
    if isinstance(model, (str, Path)) and Path(model).suffix == ".sfp":
        raise StepforwardError(
            f"{model} is a program, which only devices and `stepforward inspect` read",
            "give the .onnx file it was made from: adapted.onnx lies next to adapted.sfp",
        )
    shape = None if input_shape is None else parse_input_shape(input_shape)
    if isinstance(model, (str, Path)):
        return load_onnx(model, shape), str(model)
    if isinstance(model, ir.Model):
        source = model.graph.name or "model"
        if shape is not None:
            model = copy_model(model)
            give_input_shape(model, shape, source)
        return model, source
    raise StepforwardError(
        f"stepforward cannot open a {type(model).__name__} as a model",
        "give the path of an .onnx file or an onnx_ir.Model; from_torch makes one of a torch module",
    )


def to_program(opened: Opened) -> Program:
    """Lower a quantized model.

    Raises:
        StepforwardError: the model is not quantized yet.
    """
    if not opened.quantized:
        raise StepforwardError(
            f"{opened.source} is a float model",
            "quantize it first: stepforward quantize MODEL --data DATA --out FILE",
        )
    metadata = {"bits": opened.bits, "preprocessing": opened.preprocessing}
    if opened.class_names:
        metadata["class_names"] = list(opened.class_names)
    with fits_together(opened.source):
        network = read_quantized(opened.graph)
    return lower(replace(network, metadata=metadata, source=opened.source))
