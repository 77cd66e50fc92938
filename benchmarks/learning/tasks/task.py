"""What a task is: a float network, samples of the world it was made in, and samples of the one that it meets."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

import stepforward as sf
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.sources.open import open_source

Samples = tuple[NDArray[np.float32], NDArray[np.int64]]

SHOWN = 8
"""Test samples whose logits are part of a task's identity: they depend on every scale of the base."""


@dataclass(frozen=True, eq=False)
class Task:
    """A network and the samples that it meets.

    Attributes:
        model: the float network, batch norm folded away.
        calibration: samples of the network's own world, which the quantizer sees and no method learns from.
        data: for adaptation; each method holds the same part of it out to choose its weights.
        test: measure, and nothing else.
        unfolded: the network with its batch norms, or None if it never had any.
    """

    model: ir.Model
    calibration: NDArray[np.float32]
    data: Samples
    test: Samples
    unfolded: torch.nn.Module | None = None
    bases: dict[str, Any] = field(default_factory=dict)

    def base(self, bits: str = "16w8a") -> ir.Model:
        """The network in fixed point; every method starts from its integers."""
        if bits not in self.bases:
            self.bases[bits] = sf.quantize(self.model, self.calibration, bits=bits)
        return self.bases[bits]

    def fingerprint(self) -> str:
        """A hash of what a run depends on besides its settings: integers of the base, scales, samples."""
        program = lower(open_source(self.base()).network())
        digest = hashlib.sha256(program.weights_sha256.encode())
        shown = quantize_input(program, self.test[0][:SHOWN])
        logits = logits_of(CoreEngine(program, threads=1), shown)
        for array in (np.asarray(logits, np.int64), *self.data, *self.test):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def from_module(module: torch.nn.Module, shape: tuple[int, ...]) -> ir.Model:
    """The float graph of a module in evaluation mode; its batch norms are folded when it is quantized."""
    return sf.from_torch(module, torch.zeros(1, *shape))
