"""The way back from a program: its integers in the network's layout."""

from typing import Literal

import numpy as np

from stepforward.program.layout import weight_to_onnx
from stepforward.program.model import Program
from stepforward.program.weights import unpack_all


def network_weights(
    program: Program, section: bytes | None = None, only: Literal["weight"] | None = None
) -> dict[str, np.ndarray]:
    """Integers of every parameter (or of the weights only, without biases) in the network's layout, by name.

    These are what a model file takes back.
    """
    kinds = {op.weight: op.kind for op in program.ops if op.weight >= 0}
    return {
        program.tensors[index].name: weight_to_onnx(kinds.get(index, "bias"), q)
        for index, q in unpack_all(program, section).items()
        if only is None or index in kinds
    }
