"""What a model file is to the rest of the package, whatever kind it is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import onnx_ir as ir

from stepforward.data.function import Prepare
from stepforward.errors import StepforwardError
from stepforward.graph.parts import Part
from stepforward.network.network import Network
from stepforward.quantization.formats import QuantizationSettings


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A model as the user gave it, which becomes a network, and takes back the weights of one.

    A new kind of model file is a class of these and a line in `sources.open` (docs/adding.md).

    Attributes:
        name: where it came from, for messages and records.
        model: the model in its own form.
        preprocessing: from raw data to its input, as the file says it; None where it says nothing.
        class_names: in the order of the logits, or None where the file says nothing.
        options: of the command line besides its path, with which it was opened.
        assumed: the command that writes into the file what had to be assumed about it (`run.complete`); "" for nothing.
        prepare: the caller's function from the path of a file to one sample, in place of `preprocessing`; never from
            the model file.
    """

    name: str
    model: Any
    preprocessing: dict | None
    class_names: tuple[str, ...] | None
    options: tuple[str, ...] = ()
    assumed: str = ""
    prepare: Prepare | None = None

    is_float: ClassVar[bool] = False
    """Whether it has to be quantized before it is a network in fixed point."""

    suffix: ClassVar[str] = ".onnx"
    """How the names of its files end."""

    kind: ClassVar[str] = "an ONNX model"
    """What it is, with its article."""

    keeps_scales: ClassVar[bool] = False
    """Whether its scales stay as they are, so that it cannot be matched."""

    @property
    def why_scales_stay(self) -> str | None:
        """Why what changes scales is left out of a run, in words; None where they may change."""
        return f"the scales of {self.kind} stay as they are" if self.keeps_scales else None

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, (C, H, W), or whatever else it reads."""

    @property
    def table(self) -> np.ndarray | None:
        """What each token id stands for, float32 (ids, D), where samples are given as (tokens,) ids and read as
        (tokens, D); None where they are given as they are read."""
        return None

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its inputs where there are several: samples are an array for each, read as one row; () where there is one."""
        return ()

    @property
    def given_shape(self) -> tuple[int, ...]:
        """Shape of one sample as it is given."""
        return self.input_shape if self.table is None else self.input_shape[:1]

    @property
    @abstractmethod
    def channels_last(self) -> bool:
        """Whether the channels of a sample come last, (H, W, C)."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Number of logits."""

    @property
    @abstractmethod
    def bits(self) -> str:
        """Format such as "16w8a", or "float32"."""

    @property
    @abstractmethod
    def notes(self) -> list[str]:
        """What reading and quantizing changed that a user should know."""

    @property
    def input_range(self) -> tuple[float, float] | None:
        """The least and largest number that its input holds, where the file says it."""
        return None

    @property
    def runs_as(self) -> str:
        """The runtime whose integers its programs compute; "auto" for those of the contract."""
        return "auto"

    @property
    def for_callers(self) -> Any:
        """What Python callers are given of it."""
        return self.model

    @property
    def statistics(self) -> dict:
        """What `quantize` measured of the accumulators on its data, as the file has it; {} where it is not known."""
        return {}

    @abstractmethod
    def network(self) -> Network:
        """The network in fixed point.

        Raises:
            StepforwardError: it is a float model, or does not fit together.
        """

    @abstractmethod
    def float_model(self) -> ir.Model:
        """The canonical float graph: of integer weights their real values, with no rounding of activations."""

    def reading_samples(self, model: ir.Model) -> ir.Model:
        """What `float_model` gave, or the same with other weights, as a model that reads samples as they are given."""
        return model

    def quantized(
        self, settings: QuantizationSettings, x: np.ndarray, names: Sequence[str] | None = None
    ) -> "Source":
        """The same in fixed point.

        Args:
            settings: bits and calibration method.
            x: calibration samples, float32, as the network reads them.
            names: how a note names the samples; default: by number.

        Raises:
            StepforwardError: it is in fixed point already, or the samples do not fit it.
        """
        raise StepforwardError(f"{self.name} is quantized already ({self.bits})", "give the float model")

    @abstractmethod
    def with_words(
        self,
        class_names: Sequence[str] | None = None,
        preprocessing: dict | None = None,
        notes: Sequence[str] = (),
        statistics: dict | None = None,
    ) -> Self:
        """A copy that also says what is given here: class names, preprocessing, further notes, statistics."""

    @abstractmethod
    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """The way back: a copy whose parameters hold other integers; nothing else changes.

        Args:
            weights: name -> integers of the same shape, in the network's layout (`lowering.weights.network_weights`).

        Raises:
            StepforwardError: an unknown name, another shape, or integers outside the type's symmetric range.
        """

    @abstractmethod
    def with_scales(self, scales: Mapping[str, Sequence[float]]) -> Self:
        """The same integers, read with other scales: what matching changes besides biases.

        Args:
            scales: name of a weight or a bias -> a float32 value for every output channel.

        Raises:
            StepforwardError: an unknown name, or another number of channels.
        """

    @property
    def refinable(self) -> Mapping[str, int]:
        """Activations whose steps may be finer: name -> how often they may be halved, at most; {} for none."""
        return {}

    def with_finer_steps(self, halvings: Mapping[str, int]) -> Self:
        """A copy in which the steps of some activations are halved so many times, by name; nothing of it is known of
        the statistics of the data that it was made for.

        Raises:
            StepforwardError: an activation is unknown or may not have so fine steps.
        """
        raise StepforwardError(
            f"the formats of {self.name} stay as they are", "give --ranges given, or the float model"
        )

    @abstractmethod
    def save(self, path: str | Path) -> None:
        """Write it as a file of its own kind, all of it or nothing.

        Raises:
            StepforwardError: the place cannot be written.
        """


def check_scales(source: Source, what: str) -> None:
    """Refuse what changes scales, where a file keeps its own.

    Args:
        source: the model.
        what: would change them, for the message.

    Raises:
        StepforwardError: it keeps them.
    """
    if source.keeps_scales:
        raise StepforwardError(
            f"{what} changes scales, and those of {source.name} stay as they are: it is {source.kind}",
            f"leave {what} out, or give the float model as an .onnx file",
        )
