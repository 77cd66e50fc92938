"""An int8 TensorFlow Lite file: read, and returned in the same file with other integers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from stepforward.network.runtimes import of_files
from stepforward.sources.kept import KeptSource, Reading
from stepforward.sources.tflite.file import TfliteFile, parse
from stepforward.sources.tflite.read import read_network
from stepforward.sources.tflite.weights import with_weights


@dataclass(frozen=True, kw_only=True)
class TfliteSource(KeptSource):
    """A TensorFlow Lite file in memory.

    Attributes:
        model: the file.
    """

    model: TfliteFile

    suffix: ClassVar[str] = ".tflite"
    kind: ClassVar[str] = "a TensorFlow Lite file"

    @classmethod
    def of(cls, model: TfliteFile, name: str, runtime: str | None, output: str | None = None) -> Self:
        """Read a file.

        Args:
            model: what it says.
            name: its path.
            runtime: by name; default: the first there is.
            output: the name of the one that holds the logits, of a file with several.

        Raises:
            StepforwardError: it holds what cannot be read.
        """
        source = cls(
            name=name,
            model=model,
            preprocessing=None,
            class_names=None,
            runtime=runtime or of_files(cls.suffix)[0],
            output=output,
        )
        assert source.reading is not None  # whatever is wrong with it is said now
        return source

    def read(self) -> Reading:
        """The network in it."""
        return read_network(self.model, self.name, self.runtime, self.output)

    def content(self) -> bytes:
        """The bytes of the file."""
        return self.model.content

    @property
    def input_shape(self) -> tuple[int, ...]:
        """As the file has it, (H, W, C) for images."""
        return self.model.tensors[self.model.inputs[0]].shape[1:]

    @property
    def channels_last(self) -> bool:
        """As the format has it."""
        return len(self.input_shape) == 3

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """The same file with other integers where its weights and biases lie."""
        content = with_weights(self.model, self.parameters, weights)
        return replace(self, model=parse(content, self.name))
