"""A file of another tool, in integers already, which stays as it is but for these."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError, fits_together
from stepforward.files import write_atomically
from stepforward.network.network import Network, Parameter
from stepforward.sources.source import Source


class Reading(NamedTuple):
    """What such a file is to the rest of the package.

    Attributes:
        network: without the words of a source.
        notes: what a user should know of it.
        places: of its parameters in the file, by name, as the source needs them.
    """

    network: Network
    notes: tuple[str, ...]
    places: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class KeptSource(Source):
    """A file in memory.

    What is said of it in words, class names and preprocessing, is kept next to it.

    Attributes:
        runtime: whose integers its programs compute.
        output: the name of the output that holds the logits, where the caller gives it.
        said: notes besides those of reading.
    """

    runtime: str
    output: str | None = None
    said: tuple[str, ...] = ()

    keeps_scales: ClassVar[bool] = True
    bits: ClassVar[str] = "8w8a"

    def read(self) -> Reading:
        """The network in it.

        Raises:
            StepforwardError: it holds what cannot be computed as the runtime does.
        """
        raise NotImplementedError

    def content(self) -> bytes:
        """The bytes of the file."""
        raise NotImplementedError

    @cached_property
    def reading(self) -> Reading:
        """The network in it, read once."""
        with fits_together(self.name):
            return self.read()

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Of its network, by name."""
        nodes = self.reading.network.nodes
        return {p.name: p for node in nodes for p in (node.weight, node.bias) if p is not None}

    @property
    def outputs(self) -> int:
        """Number of logits."""
        network = self.reading.network
        return math.prod(network.formats[network.output].shape)

    @property
    def input_range(self) -> tuple[float, float]:
        """Of its int8 input."""
        form = self.reading.network.formats[self.reading.network.input]
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
        return [*self.reading.notes, *self.said]

    def network(self) -> Network:
        """Its integers and formats."""
        metadata = {"bits": self.bits, "preprocessing": self.preprocessing or {"kind": "array"}}
        if self.class_names:
            metadata["class_names"] = list(self.class_names)
        return replace(self.reading.network, metadata=metadata, name=Path(self.name).stem)

    def float_model(self) -> ir.Model:
        """There is none.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(
            f"{self.name} is {self.kind} of integers, and this needs a float model",
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

    def with_scales(self, scales: Mapping[str, Sequence[float]]) -> NoReturn:
        """Scales stay as the file has them.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(
            f"{self.name} is {self.kind}, whose scales stay as they are",
            "leave out what changes scales: --method match, --first-stage match and --head-start",
        )

    def save(self, path: str | Path) -> None:
        """Write the file, all of it or nothing."""
        write_atomically(path, self.content())


def changed(parameters: Mapping[str, Parameter], weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those weights that differ from the file's, each checked.

    Args:
        parameters: of the file, by name.
        weights: name of a parameter -> integers in the network's layout.

    Raises:
        StepforwardError: an unknown name, another shape, integers outside the type's symmetric range, or others than
            the file's for what has no place of its own.
    """
    remedy, found = "use the model the weights belong to", {}
    for name, given in weights.items():
        known, array = parameters.get(name), np.asarray(given)
        if known is None:
            raise StepforwardError(f"the model has no integer weight called {name!r}", remedy)
        if array.dtype.kind not in "iu" or array.shape != known.q.shape:
            raise StepforwardError(
                f"weight {name!r} is {known.dtype} of shape {known.q.shape}, not {array.dtype} of {array.shape}",
                remedy,
            )
        if np.array_equal(array, known.q):
            continue
        if known.frozen:
            raise StepforwardError(
                f"weight {name!r} has no place of its own in the file", "leave it as it is"
            )
        most = 127 if known.dtype == "s8" else 2**31 - 1
        if array.size and max(int(array.max()), -int(array.min())) > most:
            raise StepforwardError(f"weight {name!r} exceeds +-{most}", "clamp the integers to their type")
        found[name] = array
    return found
