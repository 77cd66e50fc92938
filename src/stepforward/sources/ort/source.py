"""An int8 ONNX file of another tool: read, and returned in the same file with other integers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import onnx_ir as ir

from stepforward.graph.channels import channels_last
from stepforward.graph.metadata import get_class_names, get_notes, get_preprocessing
from stepforward.graph.nodes import present
from stepforward.network.runtimes import of_files
from stepforward.sources.kept import KeptSource, Reading
from stepforward.sources.ort.file import OrtFile, parse
from stepforward.sources.ort.read import read_network
from stepforward.sources.ort.weights import with_weights


@dataclass(frozen=True, kw_only=True)
class OrtSource(KeptSource):
    """An int8 ONNX file in memory.

    Attributes:
        model: the file.
        shape: of one sample, where the caller gives it for a file that leaves sizes open.
    """

    model: OrtFile
    shape: tuple[int, ...] | None = None

    kind: ClassVar[str] = "an ONNX file that another tool quantized"

    @classmethod
    def open(
        cls,
        file: OrtFile,
        name: str,
        runtime: str | None,
        shape: tuple[int, ...] | None = None,
        output: str | None = None,
    ) -> Self:
        """The source of a file.

        Args:
            file: what `quantized_elsewhere` gave.
            name: of it, for messages and records.
            runtime: by name; default: the first there is.
            shape: of one sample, for a file that leaves sizes open.
            output: the name of the one that holds the logits, of a file with several.

        Raises:
            StepforwardError: it is damaged, or holds what cannot be read.
        """
        source = cls(
            name=name,
            model=file,
            preprocessing=None,
            class_names=None,
            runtime=runtime or of_files(cls.suffix)[0],
            shape=shape,
            output=output,
        )
        assert source.reading is not None  # whatever is wrong with it is said now
        graph = ir.from_proto(file.proto)
        names = get_class_names(graph)
        return replace(
            source,
            preprocessing=get_preprocessing(graph) or None,
            class_names=tuple(names) if names else None,
            said=tuple(get_notes(graph)),
        )

    def read(self) -> Reading:
        """The network in it."""
        return read_network(self.model, self.name, self.runtime, self.shape, self.output)

    def content(self) -> bytes:
        """The bytes of the file."""
        return self.model.content

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample, as the file has it."""
        network = self.reading.network
        return network.formats[network.input].shape

    @property
    def channels_last(self) -> bool:
        """Whether the network begins by bringing the last axis to the front."""
        return channels_last(ir.from_proto(self.model.proto).graph)

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """The same file with other integers where its weights and biases lie."""
        content = with_weights(self.model, self.parameters, self.reading.places, weights)
        return replace(self, model=present(parse(content, self.name)))
