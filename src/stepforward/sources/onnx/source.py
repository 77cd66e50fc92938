"""ONNX models, float and quantized: opened, quantized, read as a network, and written back with other integers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError, fits_together
from stepforward.graph.channels import channels_last
from stepforward.graph.metadata import (
    BITS,
    add_note,
    get_class_names,
    get_notes,
    get_preprocessing,
    get_statistics,
    set_class_names,
    set_preprocessing,
    set_statistics,
)
from stepforward.graph.nodes import copy_model, logits_of, present, sample_inputs
from stepforward.graph.parts import Part, shapes_of
from stepforward.network.network import Network
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.file import save_onnx
from stepforward.sources.onnx.fixed_inputs import fixed_inputs, with_fixed_inputs
from stepforward.sources.onnx.other_outputs import OtherOutputs, canonical_with, joined
from stepforward.sources.onnx.several_inputs import put_apart, take_together
from stepforward.sources.onnx.tokens import Tokens, put_back, table_of, take_off
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.finer import refinable, with_finer_steps
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.scales import with_scales
from stepforward.sources.qdq.weights import with_weights
from stepforward.sources.qdq.write import quantize
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
        return channels_last(self.model.graph)

    @property
    def outputs(self) -> int:
        """Number of logits.

        Raises:
            StepforwardError: the file does not say it.
        """
        shape = logits_of(self.model).shape
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
        statistics: dict | None = None,
    ) -> Self:
        """A copy with these in its metadata."""
        model = copy_model(self.model)
        if class_names is not None:
            set_class_names(model, list(class_names))
        if preprocessing is not None:
            set_preprocessing(model, preprocessing)
        for note in notes:
            add_note(model, note)
        if statistics is not None:
            set_statistics(model, statistics)
        return replace(
            self,
            model=model,
            class_names=self.class_names if class_names is None else tuple(class_names),
            preprocessing=self.preprocessing if preprocessing is None else preprocessing,
        )

    def save(self, path: str | Path) -> None:
        """Write an ONNX file, all of it or nothing."""
        save_onnx(self.model, path)


@dataclass(frozen=True, kw_only=True)
class QdqSource(OnnxSource):
    """A QDQ model, from a file or from `quantized`."""

    @property
    def bits(self) -> str:
        """What the file says of its format."""
        return self.model.metadata_props.get(BITS, "custom")

    @cached_property
    def table(self) -> np.ndarray | None:
        """The real values of its integers."""
        return table_of(self.model)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """As its file has them."""
        inputs = sample_inputs(self.model.graph)
        return shapes_of(inputs) if len(inputs) > 1 else ()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample as the network reads it."""
        table, shape = self.table, super().input_shape
        if self.parts:
            return (sum(part.size for part in self.parts),)
        return shape if table is None else (*shape, table.shape[1])

    @property
    def channels_last(self) -> bool:
        """Of several inputs none is."""
        return not self.parts and super().channels_last

    def network(self) -> Network:
        """Its integers and formats."""
        return self._network

    @cached_property
    def _network(self) -> Network:
        with fits_together(self.name):
            network = read_quantized(self.model)
        metadata = {"bits": self.bits, "preprocessing": self.preprocessing or {"kind": "array"}}
        if self.class_names:
            metadata["class_names"] = list(self.class_names)
        if self.parts:
            metadata["inputs"] = [part.words for part in self.parts]
        return replace(network, metadata=metadata, source=self.name)

    def float_model(self) -> ir.Model:
        """The canonical float graph with the real values of its integers."""
        return to_float(self.model)

    def reading_samples(self, model: ir.Model) -> ir.Model:
        """With the lookup of token ids, or with several inputs."""
        return put_apart(put_back(model, take_off(self.model, self.name)[1]), self.parts)

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """The same model with other integers."""
        return replace(self, model=with_weights(self.model, weights))

    @property
    def statistics(self) -> dict:
        """What its metadata say."""
        return get_statistics(self.model)

    def with_scales(self, scales: Mapping[str, Sequence[float]]) -> Self:
        """The same integers with other scales."""
        return replace(self, model=with_scales(self.model, scales))

    @property
    def refinable(self) -> Mapping[str, int]:
        """Activations of 8 bits with steps of their own."""
        return refinable(self.model)

    def with_finer_steps(self, halvings: Mapping[str, int]) -> Self:
        """The same weights; biases in the finer steps of what they are added to."""
        finer = with_finer_steps(self.model, halvings)
        return replace(self, model=finer).with_words(statistics={})


@dataclass(frozen=True, kw_only=True)
class FloatSource(OnnxSource):
    """A float model, from an ONNX file or an exporter; `model` is its canonical graph.

    Attributes:
        others: what the further outputs of this graph are for; None where it has none.
        fixed: inputs that hold one number, which are no inputs of this graph.
        tokens: the lookup of token ids, which is no part of this graph; None where samples are floats.
        parts: the inputs, where there are several and this graph reads them as one; () where there is one.
    """

    others: OtherOutputs | None = None
    fixed: tuple[ir.Value, ...] = ()
    tokens: Tokens | None = None
    parts: tuple[Part, ...] = ()

    is_float: ClassVar[bool] = True
    bits: ClassVar[str] = "float32"

    @classmethod
    def of(cls, model: ir.Model, name: str, others: OtherOutputs | None = None) -> Self:
        """The model in canonical form.

        Args:
            model: its first output holds the logits.
            name: where it came from, for messages.
            others: what its further outputs are for (`other_outputs.set_apart`).

        Raises:
            StepforwardError: something in it is not supported, by name.
        """
        fixed = fixed_inputs(model)
        with fits_together(name):
            model, tokens = take_off(model, name)
            if tokens is not None and others is not None:
                others.refuse_reading(tokens.ids, name)
            model, parts = take_together(model)
            model = canonicalize(model) if others is None else canonical_with(model, others, name)
        return replace(super().of(model, name), others=others, fixed=fixed, tokens=tokens, parts=parts)

    @property
    def table(self) -> np.ndarray | None:
        """As the file has it."""
        return None if self.tokens is None else self.tokens.table

    @property
    def for_callers(self) -> ir.Model:
        """With all inputs and outputs."""
        return self._whole(self.model)

    def _whole(self, model: ir.Model) -> ir.Model:
        whole = joined(put_apart(put_back(model, self.tokens), self.parts), self.others)
        return with_fixed_inputs(whole, self.fixed)

    def save(self, path: str | Path) -> None:
        """Write an ONNX file with all inputs and outputs."""
        save_onnx(self.for_callers, path)

    def network(self) -> Network:
        """None before it is quantized.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(
            f"{self.name} is a float model",
            "quantize it first: stepforward quantize MODEL --data DATA --out FILE",
        )

    def float_model(self) -> ir.Model:
        """The canonical graph itself."""
        return self.model

    def quantized(
        self, settings: QuantizationSettings, x: np.ndarray, names: Sequence[str] | None = None
    ) -> QdqSource:
        """The same as a QDQ model, with ranges seen on `x`."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        del own["others"], own["fixed"], own["tokens"], own["parts"]
        return QdqSource(**own | {"model": self._whole(quantize(self.model, x, settings, names, self.table))})

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """Integers have no place in a float model.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(f"{self.name} is a float model", "give its quantized form the integers")

    def with_scales(self, scales: Mapping[str, Sequence[float]]) -> Self:
        """Nor have the scales of integers.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(f"{self.name} is a float model", "give its quantized form the scales")
