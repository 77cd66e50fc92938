"""Which activations gain from 16 bits, where nobody said: by what rounding to 8 does to the logits on calibration data.

Measured (`benchmarks/networks.py`): rounding the activations of trained networks moves the logits by 1 to 5 % of their
spread, mostly. It is 8 % where a kernel slides over coefficients of very different size, nearly all of it from the
input, and up to a point of accuracy: these get an input of 16 bits. In networks that lose more than a sixth, no tensor
is to blame alone, and all that can have 16 bits get them.
"""

import math

import numpy as np
import onnx_ir as ir

from stepforward.data.rows import evenly
from stepforward.graph.forward import run_rounded
from stepforward.graph.nodes import present
from stepforward.quantization.fusion import first_value, quantized_values
from stepforward.quantization.point import Point, as_stored
from stepforward.quantization.wide import why_read_narrow

_EFFECT = 1 / 25
"""Part of the spread of the logits that an input of 8 bits may move them by, if most of the noise is its: 28 dB."""

_TOO_MUCH = 1 / 6
"""The same of all activations together: 16 dB."""

_MOST_SAMPLES = 32


def gaining(graph: ir.Graph, x: np.ndarray, points: dict[str, Point]) -> tuple[str | None, str]:
    """The name of the activation that should have 16 bits, "*" for all that can, or None; and a note for people.

    Args:
        graph: canonical float graph, its input scaled (`even_input`).
        x: calibration samples, float32.
        points: formats of all activations, with 8 bits where nothing asks for more.
    """
    x = x[evenly(len(x), _MOST_SAMPLES)]
    source = first_value(graph)
    stored = {present(value.name) for value in quantized_values(graph)}

    def effect(names: set[str]) -> float:
        """By how much of their spread the logits move when these are rounded."""

        def rounded(name: str, values: np.ndarray) -> np.ndarray:
            return as_stored(values, points[name]) if name in names and points[name].owner == name else values

        noise = _centred(run_rounded(graph, x, rounded) - logits)
        return math.sqrt(float((noise**2).sum()) / spread)

    logits = run_rounded(graph, x, lambda name, values: values).astype(np.float64)
    spread = float((_centred(logits) ** 2).sum())
    if not spread:
        return None, ""
    together = effect(stored)
    name = present(source.name)
    if together > _EFFECT and why_read_narrow(source) is None:
        alone = effect({name})
        if alone > _EFFECT and alone**2 > together**2 / 2:
            return (
                name,
                f"the input has 16 bits: rounding it to 8 would move the logits by {alone:.0%} of their spread",
            )
    if together > _TOO_MUCH:
        why = f"rounding them to 8 would move the logits by {together:.0%} of their spread"
        return "*", f"all activations that can have 16 bits do: {why}"
    return None, ""


def _centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)
