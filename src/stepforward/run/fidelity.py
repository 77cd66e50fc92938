"""How far the integers answer as the float network did, measured on the given samples."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stepforward.data.rows import evenly
from stepforward.engines.core import CoreEngine
from stepforward.engines.protocol import logits_of
from stepforward.graph.forward import run
from stepforward.inputs import quantize_input
from stepforward.program.model import Program
from stepforward.scores import score, score_float
from stepforward.sources.source import Source

_MOST_SAMPLES = 500
_LOST_ACCURACY = 0.01
_LEAST_AGREEMENT = 0.9


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """Answers of a float network and of the program made from it.

    Attributes:
        samples: that both answered.
        agreement: share of samples with the same largest logit.
        float_accuracy, quantized_accuracy, float_loss, quantized_loss: losses in nats per sample; None without labels.
    """

    samples: int
    agreement: float
    float_accuracy: float | None = None
    quantized_accuracy: float | None = None
    float_loss: float | None = None
    quantized_loss: float | None = None


def fidelity(
    opened: Source, program: Program, x: NDArray[np.float32], y: NDArray[np.integer] | None = None
) -> Fidelity:
    """Let both networks answer at most 500 samples spread over the data.

    Args:
        opened: the float model.
        program: its integer form.
        x: samples as the network reads them.
        y: their labels, where they are known.
    """
    chosen = evenly(len(x), _MOST_SAMPLES)
    x = x[chosen]
    real, integers = (
        run(opened.float_model().graph, x),
        logits_of(CoreEngine(program), quantize_input(program, x)),
    )
    agreement = float((real.argmax(axis=1) == integers.argmax(axis=1)).mean())
    if y is None:
        return Fidelity(samples=len(x), agreement=agreement)
    before, after = score_float(real, y[chosen]), score(program, integers, y[chosen])
    return Fidelity(
        samples=len(x),
        agreement=agreement,
        float_accuracy=before.accuracy,
        quantized_accuracy=after.accuracy,
        float_loss=before.nats,
        quantized_loss=after.nats,
    )


def fidelity_notes(figures: Fidelity, bits: str) -> list[str]:
    """A sentence where quantizing cost accuracy beyond chance, or where many answers changed; else nothing."""
    count, agreement = figures.samples, figures.agreement
    before, after = figures.float_accuracy, figures.quantized_accuracy
    if before is None or after is None:
        if agreement >= _LEAST_AGREEMENT:
            return []
        what = f"quantizing changes the answer to {1 - agreement:.1%} of {count} samples"
    else:
        # of n answers that changed, chance alone moves the accuracy by about sqrt(n) samples
        noise = 2 * math.sqrt(max(1, round((1 - agreement) * count))) / count
        if before - after < max(_LOST_ACCURACY, noise):
            return []
        what = (
            f"quantizing costs accuracy: {before:.1%} in float32, {after:.1%} in {bits}, on {count} samples"
        )
    return [f"{what}; {_remedy(bits)}"]


def _remedy(bits: str) -> str:
    if not bits.startswith("16"):
        return "16-bit weights keep more: --bits 16w8a; or other ranges: --calibration mse or percentile"
    return "other ranges may keep more: --calibration mse or percentile, and data without extreme samples"
