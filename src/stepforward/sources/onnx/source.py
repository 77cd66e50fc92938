"""What float and quantized ONNX models have in common: words in the file's metadata, and how it is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import onnx_ir as ir

from stepforward.errors import StepforwardError
from stepforward.graph.channels import channels_last
from stepforward.graph.metadata import (
    add_note,
    get_class_names,
    get_notes,
    get_preprocessing,
    set_class_names,
    set_preprocessing,
)
from stepforward.graph.nodes import copy_model, present
from stepforward.sources.onnx.file import save_onnx
from stepforward.sources.source import Source


@dataclass(frozen=True, kw_only=True)
class OnnxSource(Source):
    """An ONNX model in memory, `model`: the canonical float graph, or a QDQ graph."""

    model: ir.Model

    @classmethod
    def of(cls, model: ir.Model, name: str) -> Self:
        """With the words of the model's own metadata.

        Raises:
            StepforwardError: they cannot be read, or name another number of classes than there are outputs.
        """
        names = get_class_names(model)
        source = cls(
            name=name,
            model=model,
            preprocessing=get_preprocessing(model) or None,
            class_names=tuple(names) if names else None,
        )
        if names and len(names) != source.outputs:
            raise StepforwardError(
                f"{name} names {len(names)} classes and has {source.outputs} outputs",
                "correct the metadata property stepforward.class_names of the model file: one name per output, "
                "in order",
            )
        return source

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, (C, H, W)."""
        sizes: Sequence[Any] = present(self.model.graph.inputs[0].shape)[1:]
        return tuple(int(size) for size in sizes)

    @property
    def channels_last(self) -> bool:
        """Whether the network begins by bringing the last axis to the front."""
        return channels_last(self.model)

    @property
    def outputs(self) -> int:
        """Number of logits.

        Raises:
            StepforwardError: the file does not say it.
        """
        shape = self.model.graph.outputs[0].shape
        if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
            raise StepforwardError(
                f"the output of {self.name} has shape {shape}, not (N, classes)",
                "export or quantize the model again",
            )
        return shape[1]

    @property
    def notes(self) -> list[str]:
        """What the file's metadata note."""
        return get_notes(self.model)

    def with_words(
        self,
        class_names: Sequence[str] | None = None,
        preprocessing: dict | None = None,
        notes: Sequence[str] = (),
    ) -> Self:
        """A copy with these in its metadata."""
        model = copy_model(self.model)
        if class_names is not None:
            set_class_names(model, list(class_names))
        if preprocessing is not None:
            set_preprocessing(model, preprocessing)
        for note in notes:
            add_note(model, note)
        return replace(
            self,
            model=model,
            class_names=self.class_names if class_names is None else tuple(class_names),
            preprocessing=self.preprocessing if preprocessing is None else preprocessing,
        )

    def save(self, path: str | Path) -> None:
        """Write an ONNX file, all of it or nothing."""
        save_onnx(self.model, path)
