"""Single operators of a program, run by the core alone (`sf_forward`), one thread."""

import ctypes
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stepforward.core.bindings import library
from stepforward.engines.core import CoreEngine, aligned_bytes, open_program
from stepforward.program.model import Program


def operator_runner(program: Program, x: NDArray[np.integer]) -> tuple[Callable[[int, int], None], int]:
    """What runs operators `first` to `last - 1` on the activations that those before them left.

    Returns:
        The call, and how many samples of `x` it takes: one block as the engine chooses it.
    """
    engine = CoreEngine(program, threads=1)
    handle, file = open_program(program)
    weights = aligned_bytes(len(program.weights))
    weights[:] = np.frombuffer(program.weights, dtype=np.uint8)
    scratch = engine.scratch_for(len(x))
    block = scratch.block
    x = np.ascontiguousarray(x[:block])
    forward = library().sf_forward
    forward.argtypes = (*(ctypes.c_void_p,) * 6, *(ctypes.c_uint32,) * 3, ctypes.c_void_p)
    kept = engine, file, weights, x  # the core reads them as long as the call lives

    def call(first: int, last: int, kept=kept) -> None:
        forward(
            *(ctypes.addressof(handle), None, weights.ctypes.data, None),
            *(ctypes.addressof(scratch), x.ctypes.data, block, first, last, None),
        )

    return call, block
