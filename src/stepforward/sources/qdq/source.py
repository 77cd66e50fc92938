"""A QDQ model that stepforward wrote: in fixed point, and the same file with other integers on the way back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import onnx_ir as ir

from stepforward.errors import fits_together
from stepforward.graph.metadata import BITS
from stepforward.network.network import Network
from stepforward.sources.onnx.source import OnnxSource
from stepforward.sources.qdq.dequantized import to_float
from stepforward.sources.qdq.read import read_quantized
from stepforward.sources.qdq.weights import with_weights


@dataclass(frozen=True, kw_only=True)
class QdqSource(OnnxSource):
    """A QDQ model, from a file or from `quantized`."""

    @property
    def bits(self) -> str:
        """What the file says of its format."""
        return self.model.metadata_props.get(BITS, "custom")

    def network(self) -> Network:
        """Its integers and formats."""
        with fits_together(self.name):
            network = read_quantized(self.model)
        metadata = {"bits": self.bits, "preprocessing": self.preprocessing or {"kind": "array"}}
        if self.class_names:
            metadata["class_names"] = list(self.class_names)
        return replace(network, metadata=metadata, source=self.name)

    def float_model(self) -> ir.Model:
        """The canonical float graph with the real values of its integers."""
        return to_float(self.model)

    def with_weights(self, weights: Mapping[str, np.ndarray]) -> Self:
        """The same model with other integers."""
        return replace(self, model=with_weights(self.model, weights))
