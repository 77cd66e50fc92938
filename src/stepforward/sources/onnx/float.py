"""A float ONNX model: canonical once it is open, and written back as a quantized one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import numpy as np
import onnx_ir as ir

from stepforward.errors import StepforwardError, fits_together
from stepforward.network.network import Network
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.onnx.canonical import canonicalize
from stepforward.sources.onnx.source import OnnxSource
from stepforward.sources.qdq.source import QdqSource
from stepforward.sources.qdq.write import quantize


@dataclass(frozen=True, kw_only=True)
class FloatSource(OnnxSource):
    """A float model, from an ONNX file or an exporter; `model` is its canonical graph."""

    is_float: ClassVar[bool] = True
    bits: ClassVar[str] = "float32"

    @classmethod
    def of(cls, model: ir.Model, name: str) -> Self:
        """The model in canonical form.

        Raises:
            StepforwardError: something in it is not supported, by name.
        """
        with fits_together(name):
            model = canonicalize(model)
        return super().of(model, name)

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
        return QdqSource(**own | {"model": quantize(self.model, x, settings, names)})

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """Integers have no place in a float model.

        Raises:
            StepforwardError: always.
        """
        raise StepforwardError(f"{self.name} is a float model", "give its quantized form the integers")
