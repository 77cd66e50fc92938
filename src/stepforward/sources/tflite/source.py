"""An int8 TensorFlow Lite file: read, and returned in the same file with other integers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NoReturn, Self

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError, fits_together
from stepforward.files import write_atomically
from stepforward.network.network import Network, Parameter
from stepforward.network.runtimes import RUNTIMES
from stepforward.sources.source import Source
from stepforward.sources.tflite.file import TfliteFile, load_tflite, parse
from stepforward.sources.tflite.read import Reading, read_network
from stepforward.sources.tflite.weights import with_weights


@dataclass(frozen=True, kw_only=True)
class TfliteSource(Source):
    """A TensorFlow Lite file in memory.

    What is said of it in words, class names and preprocessing, is kept next to it: the file stays as it is.

    Attributes:
        model: the file.
        runtime: whose integers its programs compute.
        said: notes besides those of reading.
    """

    model: TfliteFile
    runtime: str
    said: tuple[str, ...] = ()

    suffix: ClassVar[str] = ".tflite"
    keeps_scales: ClassVar[bool] = True
    bits: ClassVar[str] = "8w8a"

    @classmethod
    def open(cls, path: str | Path, runtime: str | None) -> Self:
        """Read a file.

        Args:
            path: of it.
            runtime: by name; default: the first there is.

        Raises:
            StepforwardError: it is damaged, or holds what cannot be read.
        """
        source = cls(
            name=str(path),
            model=load_tflite(path),
            preprocessing=None,
            class_names=None,
            runtime=runtime or next(iter(RUNTIMES)),
        )
        assert source._reading is not None  # whatever is wrong with it is said now
        return source

    @cached_property
    def _reading(self) -> Reading:
        with fits_together(self.name):
            return read_network(self.model, self.name, self.runtime)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """As the file has it, (H, W, C) for images."""
        return self.model.tensors[self.model.inputs[0]].shape[1:]

    @property
    def channels_last(self) -> bool:
        """As the format has it."""
        return len(self.input_shape) == 3

    @property
    def outputs(self) -> int:
        """Number of logits."""
        network = self._reading.network
        return math.prod(network.formats[network.output].shape)

    @property
    def input_range(self) -> tuple[float, float]:
        """Of its int8 input."""
        form = self._reading.network.formats[self._reading.network.input]
        return (-128 - form.zero_point) * form.scale, (127 - form.zero_point) * form.scale

    @property
    def runs_as(self) -> str:
        """The runtime."""
        return self.runtime

    @property
    def for_callers(self) -> Self:
        """Itself: the file does not hold what is said of it."""
        return self

    @property
    def notes(self) -> list[str]:
        """What was noted when it was read, and since."""
        return [*self._reading.notes, *self.said]

    def network(self) -> Network:
        """Its integers and formats."""
        metadata = {"bits": self.bits, "preprocessing": self.preprocessing or {"kind": "array"}}
        if self.class_names:
            metadata["class_names"] = list(self.class_names)
        return replace(self._reading.network, metadata=metadata, name=Path(self.name).stem)

    def float_model(self) -> ir.Model:
        """There is none.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(
            f"{self.name} is a TensorFlow Lite file of integers, and this needs a float model",
            "give the float model as an .onnx file",
        )

    def with_words(
        self,
        class_names: Sequence[str] | None = None,
        preprocessing: dict | None = None,
        notes: Sequence[str] = (),
        statistics: dict | None = None,
    ) -> Self:
        """A copy with these next to the file."""
        return replace(
            self,
            class_names=self.class_names if class_names is None else tuple(class_names),
            preprocessing=self.preprocessing if preprocessing is None else preprocessing,
            said=(*self.said, *notes),
        )

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """The same file with other integers where its weights and biases lie."""
        parameters: dict[str, Parameter] = {}
        for node in self._reading.network.nodes:
            parameters |= {p.name: p for p in (node.weight, node.bias) if p is not None}
        content = with_weights(self.model, parameters, weights)
        return replace(self, model=parse(content, self.name))

    def with_scales(self, scales: Mapping[str, Sequence[float]]) -> NoReturn:
        """Scales stay as the file has them.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(
            f"{self.name} is a TensorFlow Lite file, whose scales stay as they are",
            "leave out what changes scales: --method match, --first-stage match and --head-start",
        )

    def save(self, path: str | Path) -> None:
        """Write the file, all of it or nothing."""
        write_atomically(path, self.model.content)
