"""How far the integers answer as the float network did, measured on the given samples."""

import math

import numpy as np
from numpy.typing import NDArray

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


def fidelity(
    opened: Source, program: Program, x: NDArray[np.float32], y: NDArray[np.integer] | None = None
) -> dict:
    """Answers of a float network and of the program made from it, on at most 500 samples spread over the data.

    Args:
        opened: the float model.
        program: its integer form.
        x: samples as the network reads them.
        y: their labels, where they are known.

    Returns:
        samples; agreement: share of samples with the same largest logit; and with labels float_accuracy,
        quantized_accuracy, float_loss, quantized_loss (nats per sample), otherwise None.
    """
    chosen = np.linspace(0, len(x) - 1, min(len(x), _MOST_SAMPLES)).astype(int)
    x = x[chosen]
    real, integers = (
        run(opened.float_model().graph, x),
        logits_of(CoreEngine(program), quantize_input(program, x)),
    )
    agreement = float((real.argmax(axis=1) == integers.argmax(axis=1)).mean())
    found = dict.fromkeys(("float_accuracy", "quantized_accuracy", "float_loss", "quantized_loss"))
    if y is not None:
        before, after = score_float(real, y[chosen]), score(program, integers, y[chosen])
        found = {
            "float_accuracy": before.accuracy,
            "quantized_accuracy": after.accuracy,
            "float_loss": before.nats,
            "quantized_loss": after.nats,
        }
    return {"samples": len(x), "agreement": agreement, **found}


def fidelity_notes(figures: dict, bits: str) -> list[str]:
    """A sentence where quantizing cost accuracy beyond chance, or where many answers changed; else nothing."""
    count, agreement = figures["samples"], figures["agreement"]
    before, after = figures["float_accuracy"], figures["quantized_accuracy"]
    if before is None:
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
