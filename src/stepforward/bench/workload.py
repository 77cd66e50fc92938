"""One network made ready for all peers: torch module, ONNX files, integer program."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from stepforward.bench.networks import NETWORKS, build, samples
from stepforward.bench.ort import quantize_for_ort
from stepforward.inputs import quantize_input
from stepforward.lowering.lower import lower
from stepforward.memory import multiply_accumulates
from stepforward.network.network import Network
from stepforward.program.model import Program
from stepforward.quantization.formats import QuantizationSettings
from stepforward.sources.open import open_source
from stepforward.sources.qdq.write import quantize
from stepforward.sources.source import Source
from stepforward.sources.torch import from_torch

CALIBRATION_SAMPLES = 32


@dataclass(frozen=True)
class Workload:
    """A network and its samples in every form the peers read.

    Attributes:
        module: torch module in evaluation mode, batch norm folded.
        program: 16-bit weights, 8-bit activations.
        program_8bit: the same with 8-bit weights.
        float_model: ONNX file for ONNX Runtime in float32.
        int8_model: QDQ ONNX file as ONNX Runtime's own quantizer writes it; None if it was not asked for.
        int8_network: 8-bit weights, activations and logits, for LiteRT; None if it was not asked for.
        x: float32 (n, C, H, W). y: labels.
        x_q: s8, in the program's input format.
    """

    name: str
    module: torch.nn.Module
    program: Program
    program_8bit: Program
    float_model: Path
    int8_model: Path | None
    int8_network: Network | None
    x: torch.Tensor
    x_q: NDArray[np.integer]
    y: torch.Tensor

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one sample."""
        return sum(multiply_accumulates(self.program, op) for op in self.program.ops)

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return sum(tensor.elements for tensor in self.program.parameters)


def prepare(name: str, folder: Path, count: int, int8: bool = True) -> Workload:
    """Build, export and quantize a network; `count` samples are kept for the measurements.

    Raises:
        StepforwardError: an extra is missing.
    """
    return of_module(name, build(name), samples(name, max(count, CALIBRATION_SAMPLES)), folder, count, int8)


def of_module(
    name: str, module: torch.nn.Module, x: torch.Tensor, folder: Path, count: int, int8: bool = True
) -> Workload:
    """The same of any module; the first `CALIBRATION_SAMPLES` of `x` give it its ranges. LiteRT's writer
    knows the networks of the benchmark alone; others have no `int8_network`.

    Raises:
        StepforwardError: an extra is missing.
    """
    calibration = x[:CALIBRATION_SAMPLES].numpy()
    exported = from_torch(module, calibration[:2])
    float_model = folder / f"{name}.onnx"
    onnx.save(ir.to_proto(exported), float_model)
    opened = open_source(exported)
    program, program_8bit = (
        lower(open_source(quantize(opened.model, calibration, QuantizationSettings.parse(bits))).network())
        for bits in ("16w8a", "8w8a")
    )
    return Workload(
        name=name,
        module=module,
        program=program,
        program_8bit=program_8bit,
        float_model=float_model,
        int8_model=quantize_for_ort(float_model, calibration) if int8 else None,
        int8_network=_int8(opened, calibration) if int8 and name in NETWORKS else None,
        x=x[:count],
        x_q=quantize_input(program, x[:count].numpy()),
        y=torch.arange(count) % opened.outputs,
    )


def _int8(opened: Source, calibration: NDArray[np.float32]) -> Network:
    settings = QuantizationSettings.parse("8w8a", logits_bits=8)
    return opened.quantized(settings, calibration).network()
